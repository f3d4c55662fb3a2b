//! A configuration in atomic pieces, and the decision that most requests need no more than.

use super::Promise;
use crate::error::Denied;
use crate::primitives::atomic::{Ordering, Piece};
use crate::state::{Curve, PLACES, SLOPE_BITS, STRETCH, Tokens, Word, supplied, supply_time};
use std::hint::black_box;

/// A [`Curve`], in such pieces as the open road needs: these have a cache line of their own, and the
/// others are on the next. It is written while no word names it.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Slot {
    start: Piece,
    /// So long is the open road, from `start`: 0 where anything is out of the ordinary.
    reach: Piece,
    /// What is supplied at `start`, and one unit more, below the epoch: the difference to a word of
    /// that epoch is how far supply is ahead of what is consumed.
    ahead: Piece,
    slope: Piece,
    /// The units of one token, and of a burst.
    unit: Piece,
    brim: Piece,
    step: Piece,
    period: Piece,
    /// Burst, fraction, flags and line.
    shape: Piece,
    origin_low: Piece,
    origin_high: Piece,
    mark: Piece,
}

/// What the open road says to a request.
#[derive(Debug)]
pub(crate) enum Road {
    /// Granted to who exchanges the word for this one.
    Take(Word),
    /// Denied, if the word still has the same epoch.
    Deny(Denied),
    /// It has no answer.
    Leave,
}

impl Slot {
    pub(crate) fn new(curve: &Curve) -> Self {
        let [start, reach, ahead, slope, unit, brim, step, period, shape, low, high, mark] =
            pieces(curve, 0).map(Piece::new);
        Self {
            start,
            reach,
            ahead,
            slope,
            unit,
            brim,
            step,
            period,
            shape,
            origin_low: low,
            origin_high: high,
            mark,
        }
    }

    /// What all words of that generation name.
    pub(crate) fn write(&self, curve: &Curve, generation: u64) {
        let to = [
            &self.start,
            &self.reach,
            &self.ahead,
            &self.slope,
            &self.unit,
            &self.brim,
            &self.step,
            &self.period,
            &self.shape,
            &self.origin_low,
            &self.origin_high,
            &self.mark,
        ];
        for (piece, value) in to.into_iter().zip(pieces(curve, generation)) {
            // ORDERING: Release, each: who reads one of them by Acquire, in a slot that was his when
            // he looked, sees at his next look at the word that it is not any more.
            piece.store(value, Ordering::Release);
        }
    }

    /// Decides what can be decided by one multiplication: whether `n`, which is not 0, are there.
    ///
    /// It says what [`Curve::take`] says, or nothing. What is read may be of two configurations, as
    /// in `read`, and then so is the answer: hence nothing here may panic, and all of it wraps.
    #[inline]
    pub(crate) fn road(&self, word: Word, n: u32, now: u64) -> Road {
        // ORDERING: Acquire, as in `read`.
        let read = |piece: &Piece| piece.load(Ordering::Acquire);
        let start = read(&self.start);
        let elapsed = now.wrapping_sub(start);
        // A unit is 2^-32 tokens at least, so this fits.
        let units = u64::from(n).wrapping_mul(read(&self.unit));
        let brim = read(&self.brim);
        // One question for flags, a clock before the start, and a line that is to be renewed.
        if elapsed >= read(&self.reach) || units > brim {
            return Road::Leave;
        }
        let supplied = supplied(elapsed, read(&self.slope));
        let ahead = read(&self.ahead);
        // The epochs cancel out. What is there, in units, is this or one less; it is negative in a
        // bucket that owes.
        let room = ahead.wrapping_add(supplied).wrapping_sub(word.0) as i64;
        if room < brim as i64 {
            if room > units as i64 {
                return Road::Take(Word(word.0.wrapping_add(units)));
            }
            if room == units as i64 {
                return Road::Leave;
            }
            let missing = word.0.wrapping_add(units).wrapping_sub(ahead).wrapping_add(1);
            let (step, period) = (read(&self.step), read(&self.period));
            return Road::Deny(Denied::later(now, start, missing, step, period));
        }
        // About full. What has gone over the brim has to be known to the unit.
        let period = read(&self.period);
        let rest =
            elapsed.wrapping_mul(read(&self.step)).wrapping_sub(supplied.wrapping_mul(period));
        let mut over = (room as u64).wrapping_sub(brim).wrapping_sub(1);
        if rest >= period {
            // A branch that is foretold, rather than steps that the exchange of the word waits for.
            black_box(());
            over = over.wrapping_add(1);
        }
        if (over as i64) < 0 {
            return Road::Leave;
        }
        Road::Take(Word(word.0.wrapping_add(over).wrapping_add(units)))
    }

    /// Promises `n`, which are not 0, where the open road would deny them: to who exchanges the word
    /// for [`Promise::word`].
    ///
    /// It promises what [`Curve::when`] says, or nothing. Nothing here may panic, as in `road`.
    #[inline]
    pub(crate) fn promise(&self, word: Word, n: u32, now: u64) -> Option<Promise> {
        // ORDERING: Acquire, as in `read`.
        let read = |piece: &Piece| piece.load(Ordering::Acquire);
        let start = read(&self.start);
        let elapsed = now.wrapping_sub(start);
        let units = u64::from(n).wrapping_mul(read(&self.unit));
        if elapsed >= read(&self.reach) || units > read(&self.brim) {
            return None;
        }
        let supplied = supplied(elapsed, read(&self.slope));
        let ahead = read(&self.ahead);
        let to = word.0.wrapping_add(units);
        // As in `road`: what is there is this, or a unit less.
        let short = to.wrapping_sub(ahead).wrapping_sub(supplied) as i64;
        let consumed = Word(to).consumed();
        let step = read(&self.step);
        if short <= 0 || step == 0 || !Curve::holds(consumed) {
            return None;
        }
        let missing = to.wrapping_sub(ahead).wrapping_add(1);
        let at = supply_time(missing, step, read(&self.period))?.checked_add(start)?;
        let shape = read(&self.shape);
        let place = self.origin().wrapping_add(
            Tokens::from(consumed) << PLACES.wrapping_sub((shape >> 32) as u8 as u32),
        );
        let line = (shape >> 48) as u16;
        Some(Promise { place, n, at_once: false, line, at: Some(at), word: Word(to) })
    }

    /// P3 on the open road: the word without a promise, for which it is still what that promise left.
    /// `None` if the promise is of another line.
    #[inline]
    pub(crate) fn without(&self, promise: &Promise) -> Option<Word> {
        // ORDERING: Acquire, as in `read`.
        let read = |piece: &Piece| piece.load(Ordering::Acquire);
        let (word, units) = (promise.word, u64::from(promise.n).wrapping_mul(read(&self.unit)));
        let line = (read(&self.shape) >> 48) as u16;
        (line == promise.line).then(|| Word(word.0.wrapping_sub(units)))
    }

    /// When the line began.
    pub(crate) fn start(&self) -> u64 {
        // ORDERING: Acquire, as in `read`.
        self.start.load(Ordering::Acquire)
    }

    #[inline]
    fn origin(&self) -> Tokens {
        // ORDERING: Acquire, as in `read`.
        let low = self.origin_low.load(Ordering::Acquire);
        let high = self.origin_high.load(Ordering::Acquire);
        (u128::from(high) << 64 | u128::from(low)) as Tokens
    }

    /// All of it. What is read may be of two configurations: whoever acts on it exchanges
    /// the word that named the slot, and whoever does not looks at the word again.
    #[inline]
    pub(crate) fn read(&self) -> Curve {
        // ORDERING: Acquire pairs with the Release in `write`, of a configuration that comes too
        // early; that of the one that is asked for comes with the word.
        let read = |piece: &Piece| piece.load(Ordering::Acquire);
        let shape = read(&self.shape);
        Curve {
            start: read(&self.start),
            base: Word(read(&self.ahead).wrapping_sub(1)).consumed(),
            slope: read(&self.slope),
            step: read(&self.step),
            period: read(&self.period),
            burst: shape as u32,
            fraction: (shape >> 32) as u8,
            flags: (shape >> 40) as u8,
            line: (shape >> 48) as u16,
            origin: self.origin(),
            mark: read(&self.mark),
        }
    }
}

/// In the order of the fields of a [`Slot`].
fn pieces(curve: &Curve, generation: u64) -> [u64; 12] {
    let shape = u64::from(curve.burst)
        | u64::from(curve.fraction) << 32
        | u64::from(curve.flags) << 40
        | u64::from(curve.line) << 48;
    [
        curve.start,
        reach(curve),
        Word::new(generation, curve.base + 1).0,
        curve.slope,
        curve.units(1),
        curve.units(curve.burst),
        curve.step,
        curve.period,
        shape,
        curve.origin as u64,
        (curve.origin >> 64) as u64,
        curve.mark,
    ]
}

/// How long nothing out of the ordinary comes of a line.
///
/// A power of two, for it costs no division: less than 2^53 units are supplied in it, so that the
/// epoch above them is not touched, and no less than 2^52, which is when the line is to be renewed.
const fn reach(curve: &Curve) -> u64 {
    if curve.flags != 0 || curve.burst == 0 {
        return 0;
    }
    let bits = SLOPE_BITS + 53 - (u64::BITS - curve.slope.leading_zeros());
    let reach = if bits < STRETCH.ilog2() { 1 << bits } else { STRETCH };
    // By a clock that went below zero once, an earlier moment would look like a later one.
    if curve.start > u64::MAX - reach { 0 } else { reach }
}
