//! What is promised before it is there, and what is given back.

use super::{Core, Judged, Promise};
use crate::error::{AcquireError, DebtError};
use crate::state::{Bucket, Change, Curve, INFINITE, Renew, Taken, tokens};
use std::time::Duration;

impl Core {
    /// P2: takes `n`, which are there now or will be; by `latest`, if there is one.
    pub(crate) fn reserve(
        &self,
        n: u32,
        latest: Option<u64>,
        now: u64,
    ) -> Result<Promise, AcquireError> {
        if n > 0 {
            let word = self.word();
            let promise = self.slot(word).promise(word, n, now);
            if let Some(promise) = promise.filter(|it| latest.is_none_or(|at| it.at <= Some(at))) {
                if self.consume(word, promise.word.consumed()).is_ok() {
                    return Ok(promise);
                }
            }
        }
        self.reserve_off_road(n, latest, now)
    }

    /// The same, in every state that a limiter can be in.
    fn reserve_off_road(
        &self,
        n: u32,
        latest: Option<u64>,
        now: u64,
    ) -> Result<Promise, AcquireError> {
        loop {
            let (word, curve) = self.whole();
            let to = match self.judge(&curve, word, n, now) {
                Judged::Free if self.still(word) => return Ok(Promise::nothing(now)),
                Judged::Refused(denied) if self.still(word) => return Err(denied.into()),
                Judged::Free | Judged::Refused(_) => continue,
                Judged::Renew => {
                    self.change(Change::Renew, now);
                    continue;
                }
                Judged::Taken(Taken::Now { to }) => {
                    if self.consume(word, to).is_ok() {
                        return Ok(Promise::made(&curve, word.with(to), n, true, Some(now)));
                    }
                    continue;
                }
                Judged::Taken(Taken::Later { to }) => to,
            };
            let at = curve.when(to);
            let too_late = latest.is_some_and(|latest| at.is_none_or(|at| at > latest));
            if too_late || !Curve::holds(to) {
                if self.still(word) {
                    let wait = at.map(|at| Duration::from_nanos(at.saturating_sub(now)));
                    return Err(AcquireError::TooLong { wait });
                }
                continue;
            }
            if curve.flags & INFINITE != 0 {
                if self.still(word) {
                    // A place that was supplied long ago: only the pause is waited for.
                    return Ok(Promise::made(&curve, word.with(0), 0, false, at));
                }
                continue;
            }
            if self.consume(word, to).is_ok() {
                return Ok(Promise::made(&curve, word.with(to), n, false, at));
            }
        }
    }

    /// P2 for a moment to come: takes `n` that are there at `moment`, or later, as if they were asked
    /// for then. What goes over the brim by then is gone for everybody, so it had better be soon.
    pub(crate) fn reserve_at(
        &self,
        n: u32,
        moment: u64,
        latest: Option<u64>,
        now: u64,
    ) -> Result<Promise, AcquireError> {
        loop {
            let (word, curve) = self.whole();
            match self.judge(&curve, word, n, now) {
                Judged::Free if self.still(word) => return Ok(Promise::nothing(now)),
                Judged::Refused(denied) if self.still(word) => return Err(denied.into()),
                Judged::Renew => {
                    self.change(Change::Renew, now);
                    continue;
                }
                Judged::Free | Judged::Refused(_) => continue,
                Judged::Taken(_) => {}
            }
            // Beyond this stretch there is nobody to ask; the next one is asked when it has come.
            let Ok(glance) = curve.glance(moment) else {
                return self.reserve(n, latest, now);
            };
            let to = match curve.take(word.consumed(), glance, n) {
                Taken::Now { to } | Taken::Later { to } => to,
            };
            let at = curve.when(to).map(|at| at.max(moment));
            let too_late = latest.is_some_and(|latest| at.is_none_or(|at| at > latest));
            if too_late || !Curve::holds(to) {
                if self.still(word) {
                    let wait = at.map(|at| Duration::from_nanos(at.saturating_sub(now)));
                    return Err(AcquireError::TooLong { wait });
                }
                continue;
            }
            if self.consume(word, to).is_ok() {
                return Ok(Promise::made(&curve, word.with(to), n, false, at));
            }
        }
    }

    /// Whether tokens that were promised would, by `moment`, have gone over the brim: then whoever
    /// still used them would use what is no longer there.
    ///
    /// A few units are let pass, which are as many nanoseconds of supply: moments of several limiters
    /// are rounded each for itself, and would never be the same.
    pub(crate) fn is_stale(&self, promise: &Promise, moment: u64) -> bool {
        if promise.n == 0 {
            return false;
        }
        let (_, curve) = self.whole_now();
        let slack = curve.place(4) - curve.place(0);
        let lowest = curve.place_at(moment) - tokens(curve.burst) - slack;
        lowest > promise.place - tokens(promise.n)
    }

    /// P3: gives back what of a promise nobody was made to wait for, and says how many whole
    /// tokens that is. One whose moment has passed counts as used, and one that was granted at once
    /// also when the limiter was changed since.
    pub(crate) fn cancel(&self, promise: Promise, now: u64) -> u32 {
        // Nobody was promised anything on top of it, so nobody moves. And before its moment, no brim is
        // as high as where it begins.
        if promise.at.is_some_and(|at| now < at) && promise.word == self.word() {
            if let Some(to) = self.slot(promise.word).without(&promise) {
                if self.consume(promise.word, to.consumed()).is_ok() {
                    return promise.n;
                }
            }
        }
        self.cancel_off_road(promise, now)
    }

    /// The same, wherever the word has gone since.
    fn cancel_off_road(&self, promise: Promise, now: u64) -> u32 {
        loop {
            let (word, curve) = self.whole();
            let consumed = word.consumed();
            match promise.unused(&curve, consumed, now) {
                Unused::Renew => self.change(Change::Renew, now),
                Unused::None => {
                    if self.still(word) {
                        return 0;
                    }
                }
                Unused::Back { to, mark } if mark == curve.mark => {
                    if self.consume(word, to).is_ok() {
                        return ((consumed - to) >> curve.fraction) as u32;
                    }
                }
                Unused::Back { .. } => {
                    if let Some(back) = self.leave_the_middle(&promise, now) {
                        return back;
                    }
                }
            }
        }
    }

    /// P3.4: the word goes back from over the head of who stays, and the mark says so: a change, to
    /// the same line. `None` if it is not so any more.
    #[cold]
    fn leave_the_middle(&self, promise: &Promise, now: u64) -> Option<u32> {
        let mut control = self.cold.control.lock();
        let curve = control.curve;
        let mut word = self.word();
        loop {
            let consumed = word.consumed();
            let Unused::Back { to, mark } = promise.unused(&curve, consumed, now) else {
                return None;
            };
            let next = Bucket { curve: Curve { mark, ..curve }, consumed: to };
            // INVARIANT: the mark is written while no word names it, and whoever has seen it lower
            // has a word of another epoch, also if the same is consumed again by then.
            match self.go_over(word, &next, control.generation + 1, true) {
                Ok(()) => {
                    control.curve = next.curve;
                    control.generation += 1;
                    return Some(((consumed - to) >> curve.fraction) as u32);
                }
                Err(is) => word = is,
            }
        }
    }

    /// P4: puts `n` back in, for whoever waits first.
    ///
    /// It is the supply that goes on, and not what is consumed that goes back: then whoever stands in
    /// line, and may leave it, is still as far from those behind him as what he took.
    pub(crate) fn refund(&self, n: u32, now: u64) {
        let (_, curve) = self.whole_now();
        if n > 0 && curve.flags & INFINITE == 0 {
            self.change(Change::Refund(n), now);
        }
    }

    /// Takes `n` whether they are there or not.
    pub(crate) fn consume_debt(&self, n: u32, now: u64) -> Result<(), DebtError> {
        loop {
            let (word, curve) = self.whole();
            if curve.flags & INFINITE != 0 {
                if self.still(word) {
                    return Ok(());
                }
                continue;
            }
            let Ok(supply) = curve.supply(now) else {
                self.change(Change::Renew, now);
                continue;
            };
            let to = curve.brim(word.consumed(), supply).saturating_add(curve.units(n));
            if !Curve::holds(to) {
                if self.still(word) {
                    return Err(DebtError { tokens: n });
                }
                continue;
            }
            if self.consume(word, to).is_ok() {
                return Ok(());
            }
        }
    }
}

/// What a cancel makes of the word.
enum Unused {
    /// The line has to be continued first.
    Renew,
    /// It is used, or others were promised all of it.
    None,
    /// So much is consumed then, and the mark is this.
    Back { to: u64, mark: u64 },
}

impl Promise {
    /// P3.1 to 3: what can be given back of it.
    fn unused(&self, curve: &Curve, consumed: u64, now: u64) -> Unused {
        let Self { place, n, at_once, line, at, .. } = *self;
        let supply = match curve.supply(now) {
            Ok(supply) => supply,
            Err(Renew) => return Unused::Renew,
        };
        // A change may have moved the moment of what was not there at once. What is not supplied
        // yet has its moment to come.
        let over = match at_once {
            true => at.is_some_and(|at| at < now),
            false => {
                let to = curve.unit(place);
                to <= supply.floor && curve.when(to).is_some_and(|at| at < now)
            }
        };
        // What was there at once may lie below the brim by now, if tokens were added since.
        let stale = at_once && line != curve.line;
        if n == 0 || stale || over {
            return Unused::None;
        }
        // Nobody is promised anything further than this.
        let last = consumed.max(curve.mark);
        // Where nothing was rounded off, that is where it was promised to.
        let end = curve.unit_below(place);
        let back = match last <= supply.floor {
            // Nobody waits, and who took what was there at once has no moment to keep.
            true => curve.units(n),
            false => curve.returned(end, n, last),
        };
        let to = curve.brim(consumed.saturating_sub(back), supply);
        if back == 0 || to >= consumed {
            return Unused::None;
        }
        // Whoever is the last leaves nobody behind that the mark does not know of.
        let mark = if end == consumed { curve.mark } else { last };
        Unused::Back { to, mark }
    }
}
