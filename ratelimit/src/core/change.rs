//! Changes of the configuration, and those who wait and have to be told.

use super::{Core, Due, Promise};
use crate::error::AcquireError;
use crate::primitives::atomic::Ordering;
use crate::quota::Quota;
#[cfg(feature = "http")]
use crate::state::PAUSED;
use crate::state::{Bucket, CLOSED, Change, Curve, INFINITE, Inherit, Word};
use crate::waiters::{Left, Progress, Ticket, WakeBatch, WakePanic};
use std::task::Waker;
use std::time::Duration;

impl Core {
    /// P5: goes over to another configuration, and tells everybody who waits.
    pub(crate) fn change(&self, change: Change, now: u64) {
        self.change_by(|_| change, now);
    }

    /// The same, where the new quota depends on the old one.
    pub(crate) fn reconfigure(&self, to: impl Fn(Quota) -> Quota, inherit: Inherit, now: u64) {
        self.change_by(|curve| Change::Quota(to(curve.quota()), inherit), now);
    }

    /// A pause that does not end before one that there is.
    #[cfg(feature = "http")]
    pub(crate) fn pause_at_least(&self, until: u64, now: u64) {
        let longer = |curve: &Curve| match curve.flags & PAUSED {
            0 => Change::Pause { until },
            _ => Change::Pause { until: until.max(curve.start) },
        };
        self.change_by(longer, now);
    }

    fn change_by(&self, change: impl FnOnce(&Curve) -> Change, now: u64) {
        let mut batch = None;
        {
            let mut control = self.cold.control.lock();
            let now = control.seen.max(now);
            let generation = control.generation + 1;
            let change = change(&control.curve);
            if matches!(change, Change::Renew) && !control.curve.is_over(now) {
                // Somebody else was here before, for the same reason.
                return;
            }
            let supplied = control.curve.place_at(now);
            let mut written = None;
            // A limiter that is slowed down and let go again has both slopes at hand.
            let mut like = [control.curve, control.former];
            let mut word = self.word();
            let next = loop {
                let bucket = Bucket { curve: control.curve, consumed: word.consumed() };
                let next = bucket.change_again(change, now, generation, supplied, &like);
                // A round of this loop that failed has mostly written the same.
                match self.go_over(word, &next, generation, written != Some(next.curve)) {
                    Ok(()) => break next,
                    Err(is) => word = is,
                }
                written = Some(next.curve);
                like[1] = next.curve;
            };
            if (next.curve.flags ^ control.curve.flags) & INFINITE != 0 {
                let unlimited = next.curve.flags & INFINITE != 0;
                // ORDERING: Relaxed: a hint.
                self.unlimited.0.store(unlimited, Ordering::Relaxed);
            }
            control.former = control.curve;
            control.curve = next.curve;
            control.generation = generation;
            control.seen = now;
            if !control.waiters.is_empty() {
                let batch = batch.insert(WakeBatch::default());
                control.waiters.settle_where(batch, |()| Some(()));
            }
        }
        let Some(mut batch) = batch else { return };
        let mut panic = WakePanic::default();
        batch.wake_all(&mut panic);
        panic.resume();
    }

    /// P5.3 and 4: to another bucket, under the lock. It is written first, unless it is written.
    pub(super) fn go_over(
        &self,
        word: Word,
        next: &Bucket,
        generation: u64,
        write: bool,
    ) -> Result<(), Word> {
        let next_word = Word::new(generation, next.consumed);
        if write {
            // No word names this slot: it is that of the last epoch but one.
            self.slots[next_word.slot()].write(&next.curve, generation);
        }
        // ORDERING: Release publishes the slot to `word`. Acquire pairs with the Release in
        // `exchange`: the next change, which writes to the slot that was read there, comes after
        // those reads.
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        let exchanged = self.hot.word.compare_exchange(word.0, next_word.0, success, failure);
        exchanged.map(drop).map_err(Word)
    }

    /// P6: how it stands with a promise. Unless it is over, `waker` is called when that changes.
    pub(crate) fn look_after(
        &self,
        promise: &Promise,
        ticket: &mut Option<Ticket>,
        now: u64,
        latest: Option<u64>,
        waker: &Waker,
    ) -> Due {
        let mut clone = None;
        loop {
            let mut control = self.cold.control.lock();
            let _: Option<()> = control.waiters.leave_settled(ticket);
            let curve = &control.curve;
            let at = match promise.at_once {
                true => promise.at,
                false => curve.when(curve.unit(promise.place)),
            };
            let over = if let Some(at) = at.filter(|at| *at <= now) {
                Some(Due::Now(at))
            } else if curve.flags & CLOSED != 0 {
                Some(Due::Never(AcquireError::Closed))
            } else if latest.is_some_and(|latest| at.is_none_or(|at| at > latest)) {
                let wait = at.map(|at| Duration::from_nanos(at - now));
                Some(Due::Never(AcquireError::TooLong { wait }))
            } else {
                None
            };
            if let Some(over) = over {
                let left = ticket.take().map(|ticket| control.waiters.leave(ticket));
                drop(control);
                drop(left);
                return over;
            }
            match ticket {
                Some(held) => match control.waiters.progress(held, waker) {
                    Progress::Queued => return Due::At(at),
                    Progress::StaleWaker => {
                        if let Some(clone) = clone.take() {
                            let old = control.waiters.replace_waker(held, clone);
                            drop(control);
                            drop(old);
                            return Due::At(at);
                        }
                    }
                    Progress::Settled => unreachable!("what is settled has left"),
                },
                None => {
                    if let Some(clone) = clone.take() {
                        *ticket = Some(control.waiters.push_back((), clone));
                        return Due::At(at);
                    }
                }
            }
            // Cloning a waker is user code.
            drop(control);
            clone = Some(waker.clone());
        }
    }

    /// Ends a wait that may still be registered.
    pub(crate) fn leave(&self, ticket: &mut Option<Ticket>) {
        if let Some(ticket) = ticket.take() {
            let left: Left<()> = self.cold.control.lock().waiters.leave(ticket);
            // Dropping a waker is user code too, and the lock is free by now.
            drop(left);
        }
    }
}
