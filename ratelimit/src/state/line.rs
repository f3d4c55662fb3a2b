//! The line of supply, in numbers.

use super::{SLOPE_BITS, Tokens};

/// A burst is less than this.
const BURST_BITS: u32 = 51;
/// More would leave too little room for debts of slow limiters.
const MOST_FRACTION: u32 = 32;

/// After how many nanoseconds `units` are supplied, `step` in a period; `None` if that is beyond all
/// clocks. A step is not 0.
pub(crate) fn supply_time(units: u64, step: u64, period: u64) -> Option<u64> {
    // A step is mostly binary places, and only what is left of it without them has to be divided by:
    // dividing 128 bits takes as long as all the rest of a reservation.
    let places = step.trailing_zeros();
    let odd = step >> places;
    let product = u128::from(units) * u128::from(period);
    let missing = u128::from(product & ((1 << places) - 1) != 0);
    // Rounded up twice by whole numbers is rounded up once.
    let product = (product >> places) + missing;
    match u64::try_from(product) {
        Ok(product) if odd == 1 => Some(product),
        Ok(product) => Some(product.div_ceil(odd)),
        Err(_) => u64::try_from(product.div_ceil(odd.into())).ok(),
    }
}

/// How many units are supplied in so many nanoseconds, less than [`STRETCH`]; or one less than that.
#[inline]
pub(crate) const fn supplied(elapsed: u64, slope: u64) -> u64 {
    // Rounded down twice, so too low by one unit at most: `slope` lacks less than 2^-60 of a unit in a
    // nanosecond, and a stretch has 2^55 of them. The upper half of a product is there without a
    // shift.
    ((((elapsed << (u64::BITS - SLOPE_BITS)) as u128) * (slope as u128)) >> 64) as u64
}

/// The binary places of a unit: as many as make a unit last at least a nanosecond of supply, and
/// leave room for the burst.
pub(super) const fn fraction(count: u32, period: u64, burst: u32) -> u32 {
    let interval = if count == 0 { u64::MAX } else { period / count as u64 };
    let by_rate = if interval == 0 { 0 } else { interval.ilog2() };
    let by_burst = BURST_BITS - (u32::BITS - burst.leading_zeros());
    let least = if by_rate < by_burst { by_rate } else { by_burst };
    if least < MOST_FRACTION { least } else { MOST_FRACTION }
}

/// `level` · `to` / `from`, rounded down. A level is at most a burst: the product has 123 bits.
pub(super) fn scale(level: Tokens, to: u32, from: u32) -> Tokens {
    level * Tokens::from(to) / Tokens::from(from)
}
