//! What is promised before it is there, and what is given back.

use super::{Core, Judged, Promise};
use crate::error::{AcquireError, DebtError};
use crate::primitives::atomic::Ordering;
use crate::state::{Change, Curve, INFINITE, Renew, Taken, Word};
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
                Judged::Free => return Ok(Promise::nothing(now)),
                Judged::Renew => {
                    self.change(Change::Renew, now);
                    continue;
                }
                Judged::Refused(denied) if self.still(word) => return Err(denied.into()),
                Judged::Refused(_) => continue,
                Judged::Taken(Taken::Now { to }) => {
                    if self.exchange(word, to).is_ok() {
                        return Ok(Promise {
                            place: curve.place(to),
                            n,
                            at_once: true,
                            at: Some(now),
                        });
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
            // Without a limit, it is only the end of a pause that is waited for.
            let n = if curve.flags & INFINITE != 0 { 0 } else { n };
            if self.promise(word, to) && self.exchange(word, to).is_ok() {
                return Ok(Promise { place: curve.place(to), n, at_once: false, at });
            }
        }
    }

    /// P2.1: says how far promises go, before it is one. `false`: the word is of an old epoch.
    fn promise(&self, word: Word, to: u64) -> bool {
        // ORDERING: Relaxed: that it is not too low is seen to by the exchange of the word, a
        // Release, which `cancel` acquires before it looks here.
        let mut last = Word(self.cold.last.load(Ordering::Relaxed));
        loop {
            if !last.same_epoch(word) {
                // A change is under way or over: after its lock, it is over.
                drop(self.cold.control.lock());
                return false;
            }
            if last.consumed() >= to {
                return true;
            }
            // ORDERING: Relaxed, as above.
            match self.cold.last.compare_exchange(
                last.0,
                word.with(to).0,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(is) => last = Word(is),
            }
        }
    }

    /// P3: gives back what of a promise nobody was made to wait for, and says how many whole
    /// tokens that is. One whose moment has passed counts as used.
    pub(crate) fn cancel(&self, promise: Promise, now: u64) -> u32 {
        let Promise { place, n, at_once, at } = promise;
        loop {
            let (word, curve) = self.whole();
            let to = curve.unit(place);
            // A change may have moved the moment of what was not there at once.
            let at = if at_once { at } else { curve.when(to) };
            if n == 0 || at.is_some_and(|at| at < now) {
                if self.still(word) {
                    return 0;
                }
                continue;
            }
            let Ok(supply) = curve.supply(now) else {
                self.change(Change::Renew, now);
                continue;
            };
            // ORDERING: Relaxed: not too low, by the Acquire of the word before it.
            let last = Word(self.cold.last.load(Ordering::Relaxed));
            if !last.same_epoch(word) {
                drop(self.cold.control.lock());
                continue;
            }
            let back = curve.returned(to, n, last.consumed());
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
            let before = to.saturating_sub(curve.units(n));
            if last.consumed() == to && before >= supply.floor {
                // ORDERING: Relaxed: lower by what is cancelled here, so not too low for anybody.
                let stepped = self.cold.last.compare_exchange(
                    last.0,
                    last.with(before).0,
                    Ordering::Relaxed,
                    Ordering::Relaxed,
                );
                if stepped.is_err() {
                    continue;
                }
            }
            if self.exchange(word, left).is_ok() {
                return ((consumed - left) >> curve.fraction) as u32;
            }
        }
    }

    /// P4: puts `n` back in, for whoever waits first.
    pub(crate) fn refund(&self, n: u32, now: u64) {
        loop {
            let (word, curve) = self.whole();
            if curve.flags & INFINITE != 0 {
                return;
            }
            // ORDERING: Relaxed, as in `cancel`.
            let last = Word(self.cold.last.load(Ordering::Relaxed));
            let consumed = word.consumed();
            let back = curve.units(n.min(curve.burst));
            // Not below the place of one who may still look: he would wait again if what is there
            // were set to less.
            let left = match curve.supply(now) {
                Ok(supply) if last.same_epoch(word) && last.consumed() <= supply.floor => {
                    let left = curve.brim(consumed.saturating_sub(back), supply);
                    Some(left).filter(|left| last.consumed() <= *left)
                }
                Ok(_) | Err(Renew) => None,
            };
            let Some(left) = left else { return self.change(Change::Refund(n), now) };
            if left >= consumed || self.exchange(word, left).is_ok() {
                return;
            }
        }
    }

    /// Takes `n` whether they are there or not.
    pub(crate) fn consume_debt(&self, n: u32, now: u64) -> Result<(), DebtError> {
        loop {
            let (word, curve) = self.whole();
            if curve.flags & INFINITE != 0 {
                return Ok(());
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
            if (to <= supply.floor || self.promise(word, to)) && self.exchange(word, to).is_ok() {
                return Ok(());
            }
        }
    }
}
