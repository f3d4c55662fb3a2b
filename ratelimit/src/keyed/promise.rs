//! What is promised to a key, and those who wait for it.

use super::shard::{Promise, Shard};
use crate::core::Due;
use crate::error::AcquireError;
use crate::state::{CLOSED, Curve};
use crate::waiters::{Left, Progress, Ticket};
use std::borrow::Borrow;
use std::task::Waker;
use std::time::Duration;

/// What there is to be done after the lock.
pub(super) enum Looked {
    /// It is over, and has left.
    Over(Due, Option<Left<()>>),
    /// It will be told.
    Registered(Due, Option<Waker>),
    /// A copy of the waker is needed.
    NeedWaker,
}

/// A wait that has a promise.
pub(super) struct Waiting<'a, Q: ?Sized> {
    pub(super) key: &'a Q,
    pub(super) hash: u64,
    pub(super) promise: &'a Promise,
    pub(super) latest: Option<u64>,
}

impl<K> Shard<K> {
    /// By which curve a key is judged.
    fn curve_of<Q>(&self, hash: u64, key: &Q) -> &Curve
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        if self.specials.is_empty() {
            return &self.curve;
        }
        self.specials.get(hash, key).map_or(&self.curve, |special| special.curve())
    }

    /// How it stands with a promise. Unless it is over, the waker is called when that changes.
    pub(super) fn look_after<Q>(
        &mut self,
        waiting: &Waiting<'_, Q>,
        ticket: &mut Option<Ticket>,
        now: u64,
        waker: &Waker,
        clone: &mut Option<Waker>,
    ) -> Looked
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let _: Option<()> = self.waiters.leave_settled(ticket);
        let curve = match waiting.promise.shared {
            true => &self.curve,
            false => self.curve_of(waiting.hash, waiting.key),
        };
        let at = curve.when(curve.unit(waiting.promise.place));
        let over = if let Some(at) = at.filter(|at| *at <= now) {
            Some(Due::Now(at))
        } else if curve.flags & CLOSED != 0 {
            Some(Due::Never(AcquireError::Closed))
        } else if waiting.latest.is_some_and(|latest| at.is_none_or(|at| at > latest)) {
            let wait = at.map(|at| Duration::from_nanos(at - now));
            Some(Due::Never(AcquireError::TooLong { wait }))
        } else {
            None
        };
        if let Some(over) = over {
            let left = ticket.take().map(|ticket| self.waiters.leave(ticket));
            if matches!(over, Due::Now(_)) {
                self.pending -= 1;
            }
            return Looked::Over(over, left);
        }
        let registered = |old| Looked::Registered(Due::At(at), old);
        match ticket {
            Some(held) => match self.waiters.progress(held, waker) {
                Progress::Queued => return registered(None),
                Progress::StaleWaker => {
                    if let Some(clone) = clone.take() {
                        return registered(Some(self.waiters.replace_waker(held, clone)));
                    }
                }
                Progress::Settled => unreachable!("what is settled has left"),
            },
            None => {
                if let Some(clone) = clone.take() {
                    *ticket = Some(self.waiters.push_back((), clone));
                    return registered(None);
                }
            }
        }
        // Cloning a waker is user code.
        Looked::NeedWaker
    }

    /// Ends a wait before its time: it leaves the line, and gives its tokens back if nobody was
    /// promised any of the same key later. So many others cannot move up: they were told when.
    pub(super) fn cancel<Q>(
        &mut self,
        waiting: &Waiting<'_, Q>,
        ticket: Option<Ticket>,
        now: u64,
    ) -> Option<Left<()>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let left = ticket.map(|ticket| self.waiters.leave(ticket));
        self.pending -= 1;
        let Waiting { key, hash, promise, .. } = *waiting;
        // A key may have been dropped by then as full or owing nothing, and have come again and
        // taken the same place; it makes no difference that the clock stepped back since.
        let now = now.max(self.seen);
        // Since a key started anew, the same place can be another's.
        if promise.resets != self.resets {
            return left;
        }
        if promise.shared {
            let overflow = self.overflow.and_then(|tail| returned(&self.curve, tail, promise, now));
            self.overflow = overflow.or(self.overflow);
        } else if let Some(special) = self.specials.get_mut(hash, key) {
            let tail = special.bucket.consumed;
            if let Some(to) = returned(special.curve(), tail, promise, now) {
                special.bucket.consumed = to;
            }
        } else if let Some(at) = self.table.find(hash, key) {
            if let Some(to) = returned(&self.curve, self.table.consumed(at), promise, now) {
                self.table.set_consumed(at, to);
            }
        }
        left
    }
}

/// What is consumed when a promise is taken back; `None` if it stays as it is: it was not the last
/// one, or its moment has passed, and whoever lets tokens pass that are there has used them.
fn returned(curve: &Curve, tail: u64, promise: &Promise, now: u64) -> Option<u64> {
    let to = curve.unit(promise.place);
    if tail != to || curve.when(to).is_some_and(|at| at <= now) {
        return None;
    }
    let supply = curve.supply(now).ok()?;
    Some(curve.brim(to.saturating_sub(curve.units(promise.n)), supply))
}
