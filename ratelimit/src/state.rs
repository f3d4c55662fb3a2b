//! The bucket as a pure state machine: no clock, no atomics, no waiting. Time is an argument.
//!
//! A bucket is two odometers. One says what has been *supplied*, a straight line of time; the other
//! what has been *consumed*. What is in the bucket is the difference, and never more than the
//! burst. Both count *units*, 2^-fraction of a token, from an origin that moves with every change of the
//! configuration, so that neither runs out. DESIGN.md, section 2, has the arithmetic.

mod kinds;
mod line;
mod word;

pub(crate) use kinds::Change;
pub use kinds::Inherit;
use line::{fraction, scale};
pub(crate) use line::{supplied, supply_time};
pub(crate) use word::Word;

use crate::quota::{Quota, Rate};
use word::{CONSUMED, EPOCH_BITS};

/// The rounds of epochs that differ in where supply stands after a change.
const ROUNDS: u64 = 1 << 20;

/// Everything is granted.
pub(crate) const INFINITE: u8 = 1;
/// Nothing is granted or supplied before `start`.
pub(crate) const PAUSED: u8 = 2;
/// Nothing is granted any more, except what was due by `start`.
pub(crate) const CLOSED: u8 = 4;

/// Tokens with [`PLACES`] binary places, counted from where a limiter began: they survive every
/// change of units and of origin.
pub(crate) type Tokens = i128;

/// So many that what a change rounds off is less than a nanosecond's supply at any rate. There is
/// room for 2^67 whole tokens: the fastest rate needs 467 years for them.
pub(crate) const PLACES: u32 = 59;
/// No stretch is counted as longer: 146 years.
const LONGEST: u64 = 1 << 62;

pub(crate) const fn tokens(n: u32) -> Tokens {
    (n as Tokens) << PLACES
}

/// Where supply stands after a change: the lowest that leaves room below for a burst.
const ROOM: u64 = 1 << 52;
/// Where supply has to be counted from a new origin: it leaves room above for debts.
const RENEWAL: u64 = 1 << 53;
/// The longest stretch of a curve, in nanoseconds: a little more than a year.
pub(crate) const STRETCH: u64 = 1 << 55;
/// Binary places of [`Curve::slope`].
pub(crate) const SLOPE_BITS: u32 = 60;

/// The configuration: the line of supply, and how much of it the bucket holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Curve {
    /// When the line begins, in nanoseconds of the clock. Before it, nothing is supplied.
    pub(crate) start: u64,
    /// What is supplied at `start`.
    pub(crate) base: u64,
    /// Units per nanosecond, with [`SLOPE_BITS`] binary places, rounded down.
    pub(crate) slope: u64,
    /// Units per period …
    pub(crate) step: u64,
    /// … and its nanoseconds: the exact slope.
    pub(crate) period: u64,
    /// In tokens.
    pub(crate) burst: u32,
    /// Binary places of a unit.
    pub(crate) fraction: u8,
    pub(crate) flags: u8,
    /// Numbers the lines of supply: the same as long as time alone supplies anything.
    pub(crate) line: u16,
    /// Where unit 0 is.
    pub(crate) origin: Tokens,
    /// The mark: how far promises may go from over which the word has gone back.
    pub(crate) mark: u64,
}

/// What is supplied by a moment, or one unit less.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Glance {
    low: u64,
    elapsed: u64,
}

/// What is supplied by a moment, in whole units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Supply {
    pub(crate) floor: u64,
}

/// Makes the compiler branch where it would compute both sides.
#[cold]
#[inline(never)]
const fn rarely() {}

/// What came of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// At once. `to` is what is consumed then.
    Now { to: u64 },
    /// Not before supply has reached `to`.
    Later { to: u64 },
}

/// The line has to be continued from a new origin first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Renew;

impl Curve {
    /// What has been supplied by `now`, or one unit less than that.
    #[inline]
    pub(crate) fn glance(&self, now: u64) -> Result<Glance, Renew> {
        let elapsed = if now >= self.start {
            now - self.start
        } else {
            rarely();
            0
        };
        let low = self.base.wrapping_add(supplied(elapsed, self.slope));
        if elapsed >= STRETCH || low >= RENEWAL {
            return Err(Renew);
        }
        Ok(Glance { low, elapsed })
    }

    /// The same, exactly: some multiplications more, which most decisions can do without.
    #[inline]
    pub(crate) fn exact(&self, Glance { low, elapsed }: Glance) -> Supply {
        // What is left over, less than two periods, so it does not matter that the products wrap.
        let units = low.wrapping_sub(self.base);
        let rest = elapsed.wrapping_mul(self.step).wrapping_sub(units.wrapping_mul(self.period));
        let mut floor = low;
        // Branches that are foretold, rather than steps that the exchange of the word waits for.
        if rest >= self.period {
            rarely();
            floor += 1;
        }
        Supply { floor }
    }

    /// Whether it has to be renewed at `now`: its pause is over, or it is too long.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        (self.flags & PAUSED != 0 && now >= self.start) || self.supply(now).is_err()
    }

    /// What has been supplied by `now`, exactly.
    #[inline]
    pub(crate) fn supply(&self, now: u64) -> Result<Supply, Renew> {
        Ok(self.exact(self.glance(now)?))
    }

    #[inline]
    pub(crate) const fn units(&self, n: u32) -> u64 {
        (n as u64) << self.fraction
    }

    /// Takes `n` out of a bucket of which `consumed` is gone. `n` is at most the burst.
    #[inline]
    pub(crate) fn take(&self, consumed: u64, glance: Glance, n: u32) -> Taken {
        debug_assert!(n <= self.burst);
        let full = consumed + self.units(self.burst);
        let to = consumed + self.units(n);
        if full > glance.low + 1 {
            if to <= glance.low {
                return Taken::Now { to };
            }
            if to > glance.low + 1 {
                return Taken::Later { to };
            }
        }
        self.take_exactly(consumed, self.exact(glance), n)
    }

    /// The same, where what is supplied is known.
    #[inline]
    pub(crate) fn take_exactly(&self, consumed: u64, supply: Supply, n: u32) -> Taken {
        let burst = self.units(self.burst);
        if consumed + burst <= supply.floor {
            // What went over the brim is gone. Rounded down, as all that is supplied, so that a full
            // bucket has its whole burst, taken at once or one by one: what is taken next may be a
            // unit early.
            return Taken::Now { to: supply.floor - burst + self.units(n) };
        }
        let to = consumed + self.units(n);
        if to <= supply.floor { Taken::Now { to } } else { Taken::Later { to } }
    }

    /// What is consumed once everything above the brim is gone.
    #[inline]
    pub(crate) fn brim(&self, consumed: u64, supply: Supply) -> u64 {
        let burst = self.units(self.burst);
        consumed.max(supply.floor.saturating_sub(burst))
    }

    /// Whole tokens in the bucket.
    pub(crate) fn whole(&self, consumed: u64, supply: Supply) -> u32 {
        if consumed + self.units(self.burst) <= supply.floor {
            return self.burst;
        }
        // Less than the burst, so it fits.
        (supply.floor.saturating_sub(consumed) >> self.fraction) as u32
    }

    /// In tokens; negative when more is promised than is there.
    pub(crate) fn level(&self, consumed: u64, supply: Supply) -> f64 {
        if consumed + self.units(self.burst) <= supply.floor {
            return f64::from(self.burst);
        }
        (supply.floor as f64 - consumed as f64) / self.units(1) as f64
    }

    /// The first nanosecond by which `to` is supplied; `None` if there is none.
    ///
    /// It is 0 if it was supplied before the line began, unless that is a pause. Without a limit,
    /// everything was.
    pub(crate) fn when(&self, to: u64) -> Option<u64> {
        let missing = to.checked_sub(self.base).filter(|units| *units > 0);
        let Some(missing) = missing.filter(|_| self.flags & INFINITE == 0) else {
            return match self.flags & (PAUSED | CLOSED) {
                0 | CLOSED => Some(0),
                PAUSED => Some(self.start),
                _ => None,
            };
        };
        if self.step == 0 {
            return None;
        }
        supply_time(missing, self.step, self.period)?.checked_add(self.start)
    }

    /// The furthest that can be promised. What is above is for the difference that a change makes:
    /// a base may be higher by [`ROUNDS`] than the one before.
    pub(crate) const FURTHEST: u64 = CONSUMED - 2 * ROUNDS;

    /// Whether a debt up to here can be kept.
    #[inline]
    pub(crate) const fn holds(to: u64) -> bool {
        to <= Self::FURTHEST
    }

    /// What to give back, of `n` that were taken up to `to` and are not used, when nothing is promised
    /// that is further than `last`. Whoever was promised tokens after these keeps the
    /// moment that he was told, so what lies behind cannot move up.
    pub(crate) const fn returned(&self, to: u64, n: u32, last: u64) -> u64 {
        self.units(n).saturating_sub(last.saturating_sub(to))
    }

    pub(crate) const fn place(&self, units: u64) -> Tokens {
        self.origin + ((units as Tokens) << (PLACES - self.fraction as u32))
    }

    /// The unit of a place, rounded up; 0 if it lies before the origin.
    pub(crate) fn unit(&self, place: Tokens) -> u64 {
        let shift = PLACES - u32::from(self.fraction);
        let distance = (place - self.origin).max(0);
        let units = (distance + ((1 << shift) - 1)) >> shift;
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// The same, rounded down.
    pub(crate) fn unit_below(&self, place: Tokens) -> u64 {
        let units = (place - self.origin).max(0) >> (PLACES - u32::from(self.fraction));
        u64::try_from(units).unwrap_or(u64::MAX)
    }

    /// Where the supply is at `now`, on a stretch of any length.
    pub(crate) fn place_at(&self, now: u64) -> Tokens {
        let elapsed = now.saturating_sub(self.start).min(LONGEST);
        let shift = PLACES - u32::from(self.fraction);
        let (units, rest) = match self.glance(now) {
            // Without a division, as far as the exact line goes.
            Ok(glance) => {
                let units = self.exact(glance).floor - self.base;
                let rest =
                    elapsed.wrapping_mul(self.step).wrapping_sub(units.wrapping_mul(self.period));
                (u128::from(units), rest)
            }
            Err(Renew) => {
                // A step is no longer than its period, or less than 2^32: everything fits.
                let product = u128::from(elapsed) * u128::from(self.step);
                let period = u128::from(self.period);
                (product / period, (product % period) as u64)
            }
        };
        let part = match rest {
            0 => 0,
            _ => (u128::from(rest) << shift) / u128::from(self.period),
        };
        self.place(self.base) + ((units << shift) + part) as Tokens
    }

    pub(crate) const fn rate(&self) -> Rate {
        let tokens = (self.step >> self.fraction) as u32;
        Rate::from_parts(tokens, self.period, self.flags & INFINITE != 0)
    }

    pub(crate) const fn quota(&self) -> Quota {
        Quota::new(self.rate(), self.burst)
    }
}

/// A curve and what is consumed of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bucket {
    pub(crate) curve: Curve,
    pub(crate) consumed: u64,
}

impl Bucket {
    pub(crate) fn new(quota: Quota, now: u64) -> Self {
        let level = tokens(quota.initial_tokens());
        Self::encode(
            0,
            level,
            0,
            Line { start: now, rate: quota.rate, burst: quota.burst, flags: 0, number: 0, mark: 0 },
            &[],
        )
    }

    /// The bucket after a change at `now`, which is not before any change there was; `generation`
    /// numbers the changes.
    ///
    /// The place of what is supplied moves only where tokens are added or taken away, so that who
    /// was promised a place is served from what there is first.
    #[must_use]
    pub(crate) fn change(&self, change: Change, now: u64, generation: u64) -> Self {
        self.change_again(change, now, generation, self.curve.place_at(now), &[self.curve])
    }

    /// The same, with what takes long and does not depend on what is consumed: `supplied`, which is
    /// [`Curve::place_at`] now, and the slope, which is that of any of `like` whose rate is the same.
    #[must_use]
    pub(crate) fn change_again(
        &self,
        change: Change,
        now: u64,
        generation: u64,
        supplied: Tokens,
        like: &[Curve],
    ) -> Self {
        let curve = &self.curve;
        let mut line = self.line(now);
        let was_infinite = line.flags & INFINITE != 0;
        let brim =
            |consumed: Tokens, supplied: Tokens, burst| consumed.max(supplied - tokens(burst));
        let mut consumed = brim(curve.place(self.consumed), supplied, curve.burst);
        let owed_or_there = consumed.min(supplied);
        let mut after = match change {
            Change::Quota(quota, inherit) => {
                if line.flags & CLOSED == 0 {
                    line.rate = quota.rate;
                }
                line.burst = quota.burst;
                match inherit {
                    Inherit::Reset => owed_or_there + tokens(quota.initial_tokens()),
                    // Without a limit, it fills at once.
                    _ if was_infinite => owed_or_there + tokens(quota.burst),
                    Inherit::AsIs => supplied,
                    Inherit::Additive => supplied + tokens(quota.burst.saturating_sub(curve.burst)),
                    Inherit::Proportional => {
                        let level = supplied - consumed;
                        if level > 0 && curve.burst > 0 {
                            consumed + scale(level, quota.burst, curve.burst)
                        } else {
                            supplied
                        }
                    }
                }
            }
            Change::Tokens(n) => owed_or_there + tokens(n),
            Change::Refund(n) => supplied + tokens(n),
            Change::Pause { until } => {
                line.flags = if until > now { line.flags | PAUSED } else { line.flags & !PAUSED };
                line.start = now.max(until);
                supplied
            }
            Change::Close => {
                line.flags |= CLOSED;
                line.rate = Rate::ZERO;
                supplied
            }
            Change::Renew => supplied,
        };
        line.flags =
            if line.rate.is_infinite() { line.flags | INFINITE } else { line.flags & !INFINITE };
        consumed = brim(consumed, after, line.burst);
        if line.flags & INFINITE != 0 {
            // Everybody who waits is served.
            after = after.max(consumed);
        }
        Self::encode(generation, after - consumed, consumed, line, like)
    }

    fn line(&self, now: u64) -> Line {
        let curve = &self.curve;
        let mut flags = curve.flags;
        let start = if flags & PAUSED != 0 && curve.start > now {
            curve.start
        } else {
            flags &= !PAUSED;
            now
        };
        Line {
            start,
            rate: curve.rate(),
            burst: curve.burst,
            flags,
            number: curve.line.wrapping_add(1),
            mark: curve.place(curve.mark),
        }
    }

    /// A bucket with `level` in it, of which everything up to `consumed` is gone.
    fn encode(
        generation: u64,
        level: Tokens,
        consumed: Tokens,
        line: Line,
        like: &[Curve],
    ) -> Self {
        let (count, period) = line.rate.parts();
        // Different for each of so many rounds of epochs, so that a word does not come back.
        let base = ROOM + ((generation >> EPOCH_BITS) & (ROUNDS - 1));
        let mut fraction = fraction(count, period, line.burst);
        // A debt in smaller units may have no room; then the units are larger.
        while fraction > 0 && (-level) >> (PLACES - fraction) >= 1 << 53 {
            fraction -= 1;
        }
        let step = u64::from(count) << fraction;
        let like = like.iter().find(|like| (like.step, like.period) == (step, period));
        let slope = match like {
            Some(like) => like.slope,
            None => ((u128::from(step) << SLOPE_BITS) / u128::from(period)) as u64,
        };
        let shift = PLACES - fraction;
        // The supply is rounded down and not what is consumed up, so that whoever stands in line is as
        // far from it as before, in units of any size: whole tokens.
        let taken = (base as Tokens - (level >> shift)).clamp(0, CONSUMED as Tokens);
        let origin = consumed - (taken << shift);
        // What is rounded off has taken so long: the line begins earlier by that, and not in a pause.
        let rest = level & ((1 << shift) - 1);
        let early = if count == 0 || line.flags & PAUSED != 0 {
            0
        } else {
            // In two steps, for the number of tokens is small: no division of 128 bits.
            ((rest * Tokens::from(period)) >> PLACES) as u64 / u64::from(count)
        };
        let mut flags = line.flags;
        if line.rate.is_infinite() {
            flags |= INFINITE;
        }
        let mut curve = Curve {
            start: line.start.saturating_sub(early),
            base,
            slope,
            step,
            period,
            burst: line.burst,
            fraction: fraction as u8,
            flags,
            line: line.number,
            origin,
            mark: 0,
        };
        curve.mark = curve.unit(line.mark).min(Curve::FURTHEST);
        Self { curve, consumed: taken as u64 }
    }
}

/// What of a curve does not depend on units.
#[derive(Clone, Copy, Debug)]
struct Line {
    start: u64,
    rate: Rate,
    burst: u32,
    flags: u8,
    number: u16,
    mark: Tokens,
}
