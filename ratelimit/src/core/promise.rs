//! What is promised before it is there, and what is given back.

use super::{ASIDE, Core, Judged, Promise};
use crate::error::{AcquireError, DebtError};
use crate::primitives::atomic::Ordering;
use crate::primitives::spin;
use crate::state::{Change, Curve, INFINITE, Mark, Taken, Word, tokens};
use std::time::Duration;

impl Core {
    /// P2: takes `n`, which are there now or will be; by `latest`, if there is one.
    pub(crate) fn reserve(
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
                        return Ok(Promise::at_once(curve.place(to), n, Mark::of(word, to), now));
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
                    let (place, before) = (curve.place(0), Mark::of(word, 0));
                    return Ok(Promise { place, n: 0, at_once: false, before, at });
                }
                continue;
            }
            let Some(before) = self.promise(word, to) else { continue };
            if self.consume(word, to).is_ok() {
                return Ok(Promise { place: curve.place(to), n, at_once: false, before, at });
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
            if let Some(before) = self.promise(word, to) {
                if self.consume(word, to).is_ok() {
                    return Ok(Promise { place: curve.place(to), n, at_once: false, before, at });
                }
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

    /// P2.1: raises the mark, before there is the promise. Gives what it may go back to if the
    /// promise is cancelled as the last; `None`: to be tried again, with another word.
    fn promise(&self, word: Word, to: u64) -> Option<Mark> {
        // ORDERING: Relaxed: that it is not too low is seen to by the exchange of the word, a
        // Release, which `cancel` acquires before it looks here.
        let last = Mark(self.hot.last.load(Ordering::Relaxed));
        if !last.same_epoch(word) {
            // A change is under way or over: after its lock, it is over.
            drop(self.cold.control.lock());
            return None;
        }
        if last.reaches() >= to {
            // It may be another's, who takes it back, and the word with it, so that the exchange of
            // the word finds nothing of it: then nobody would hold it here for this promise.
            return self.mark(last, last.shared()).then(|| Mark::of(word, to));
        }
        self.mark(last, Mark::of(word, to)).then_some(last)
    }

    /// P3: gives back what of a promise nobody was made to wait for, and says how many whole
    /// tokens that is. One whose moment has passed counts as used, and one that was granted at once
    /// also when the limiter was changed since.
    pub(crate) fn cancel(&self, promise: Promise, now: u64) -> u32 {
        let Promise { place, n, at_once, before, at } = promise;
        let mut marked = true;
        loop {
            let (word, curve) = self.whole();
            let to = curve.unit(place);
            let Ok(supply) = curve.supply(now) else {
                self.change(Change::Renew, now);
                continue;
            };
            // A change may have moved the moment of what was not there at once. What is not supplied
            // yet has its moment to come.
            let over = match at_once {
                true => at.is_some_and(|at| at < now),
                false => to <= supply.floor && curve.when(to).is_some_and(|at| at < now),
            };
            // What was there at once may lie below the brim by now, if tokens were added since.
            let stale = at_once && !before.same_epoch(word);
            if n == 0 || stale || over {
                if self.still(word) {
                    return 0;
                }
                continue;
            }
            // ORDERING: Relaxed: not too low, by the Acquire of the word before it.
            let last = Mark(self.hot.last.load(Ordering::Relaxed));
            if !last.same_epoch(word) {
                drop(self.cold.control.lock());
                continue;
            }
            // Where nothing was rounded off, that is `to`.
            let back = curve.returned(curve.unit_below(place), n, last.reaches());
            let consumed = word.consumed();
            let left = curve.brim(consumed.saturating_sub(back), supply);
            if back == 0 || left >= consumed {
                if self.still(word) {
                    return 0;
                }
                continue;
            }
            // Before the word goes back: afterwards, the same mark could be another's, who found
            // it where he needed it.
            let own = marked && last == Mark::of(word, to) && before.same_epoch(word);
            if own && before != last {
                let base = to.saturating_sub(curve.units(n));
                if !self.mark(last, before.not_below(base)) {
                    continue;
                }
                // Who raises it to here again has a mark of his own.
                marked = false;
            } else if left < last.reaches() && !self.mark(last, last.shared()) {
                continue;
            }
            if self.consume(word, left).is_ok() {
                return ((consumed - left) >> curve.fraction) as u32;
            }
        }
    }

    /// P2.1 and P3.3: moves the mark before the word. In a cancel, that is to where it was, if it is
    /// that of the promise which is cancelled. Otherwise, if the word goes back behind it, it is
    /// nobody's from now on: its owner would take it back from over the head of who is promised
    /// something in between.
    fn mark(&self, last: Mark, to: Mark) -> bool {
        // ORDERING: Relaxed: whoever sees the word that has moved acquires it, and this.
        let order = Ordering::Relaxed;
        let moved =
            last == to || self.hot.last.compare_exchange(last.0, to.0, order, order).is_ok();
        if !moved {
            // As whoever loses the word.
            spin(ASIDE);
        }
        moved
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
            let marked = to <= supply.floor || self.promise(word, to).is_some();
            if marked && self.consume(word, to).is_ok() {
                return Ok(());
            }
        }
    }
}
