//! The semaphore as a pure state machine: no threads, no clock, no runtime.
//!
//! Two parts: the [`Word`], which is all that an uncontended operation sees, and the [`Line`],
//! which stands behind the lock and decides who is next. `semaphore.rs` puts the word into an
//! atomic and the line into a mutex; DESIGN.md proves that the two together lose nobody.

use crate::error::AcquireError;
use crate::waiters::{Waiters, WakeBatch};
use std::task::Waker;

/// The largest limit, and so the largest weight: the word keeps two bits for flags and one for
/// the sign.
pub(crate) const MAX_PERMITS: usize = usize::MAX >> 3;

/// Somebody stands in the line: grants go through the lock, and so must every release.
pub(crate) const WAITERS: isize = 0b01;
/// Closed for good.
pub(crate) const CLOSED: isize = 0b10;
const FLAGS: isize = WAITERS | CLOSED;
const PERMIT_SHIFT: u32 = 2;

/// The state word: the free permits, signed, above two flags.
///
/// ```text
///  63 ............................ 2      1        0
/// +---------------------------------+--------+---------+
/// |  free permits (two's complement) | CLOSED | WAITERS |
/// +---------------------------------+--------+---------+
/// ```
///
/// | permits | CLOSED | WAITERS | meaning |
/// |---|---|---|---|
/// | `> 0` | 0 | 0 | the open road: an acquire is one CAS, a release one addition |
/// | `0` | 0 | 0 | everything is held and nobody waits |
/// | `< 0` | 0 | any | the limit shrank below what is held: a debt, paid by releases |
/// | `0` or less | 0 | 1 | requests wait for permits |
/// | `> 0` | 0 | 1 | the first in line needs more than is free, or only `wait_idle` waits |
/// | any | 1 | 0 | closed: requests fail, releases still count |
/// | any | 1 | 1 | closed, and `wait_idle` waits for what is still held |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) isize);

impl Word {
    pub(crate) const fn open(permits: usize) -> Self {
        Self(Self::permits_delta(permits))
    }

    /// What to add to the word for `permits` more: a multiple of the flags' range, so that no
    /// sum ever touches a flag (tokio#8021 lost CLOSED in a subtraction).
    pub(crate) const fn permits_delta(permits: usize) -> isize {
        (permits as isize) << PERMIT_SHIFT
    }

    pub(crate) const fn permits(self) -> isize {
        self.0 >> PERMIT_SHIFT
    }

    /// What to add to the word for it to have `permits` instead.
    pub(crate) const fn change_to(self, permits: isize) -> isize {
        (permits - self.permits()) << PERMIT_SHIFT
    }

    pub(crate) const fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(crate) const fn has_waiters(self) -> bool {
        self.0 & WAITERS != 0
    }

    /// How many permits `need` takes here without asking anybody, if it can.
    pub(crate) fn take_unasked(self, need: Need) -> Option<usize> {
        if self.0 & FLAGS != 0 {
            return None;
        }
        match need {
            Need::Range { min, max } => take_range(self.permits(), min, max),
            // What "all" means is the limit, and the limit is stable only under the lock.
            Need::All => None,
        }
    }
}

/// How many permits a request wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// At least `min`, and what is there up to `max`.
    Range { min: usize, max: usize },
    /// The whole limit as it is at the moment of the grant.
    All,
}

impl Need {
    pub(crate) const fn exactly(permits: usize) -> Self {
        Self::Range { min: permits, max: permits }
    }

    /// The permits without which it is not granted.
    pub(crate) fn least(self, limit: usize) -> usize {
        match self {
            Self::Range { min, .. } => min,
            // A limit that was forgotten down to nothing has no "all" that could be exclusive.
            Self::All => limit.max(1),
        }
    }

    /// How many permits it takes out of `permits` free ones.
    pub(crate) fn take(self, permits: isize, limit: usize) -> Option<usize> {
        match self {
            Self::Range { min, max } => take_range(permits, min, max),
            Self::All => take_range(permits, self.least(limit), limit),
        }
    }

    /// Fails what can never be granted under `limit`.
    pub(crate) fn check(self, limit: usize) -> Result<(), AcquireError> {
        let requested = self.least(limit);
        if requested > limit {
            Err(AcquireError::ExceedsLimit { requested, limit })
        } else {
            Ok(())
        }
    }
}

#[inline]
fn take_range(permits: isize, min: usize, max: usize) -> Option<usize> {
    // A debt is no free permit, and it does not stand in the way of a request for none.
    let free = permits.max(0) as usize;
    if free >= min { Some(free.min(max)) } else { None }
}

/// What the lock guards: who waits, and for what.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) acquirers: Waiters<Need, Result<usize, AcquireError>>,
    pub(crate) idlers: Waiters<(), ()>,
}

/// What a request is told at the desk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Admission {
    /// Granted, with this many permits, which are to be subtracted from the word.
    Granted(usize),
    /// Has to queue.
    Queue,
    /// Has to ask again when the waits for idleness are ended: all came back, and who brought the
    /// last is still on the way to the lock. This request must not end that moment unseen.
    IdleFirst,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self { acquirers: Waiters::new(), idlers: Waiters::new() }
    }

    /// Whether the word has to carry WAITERS.
    pub(crate) fn is_empty(&self) -> bool {
        self.acquirers.is_empty() && self.idlers.is_empty()
    }

    /// Decides on a request that arrives now, with `permits` free: nobody overtakes.
    pub(crate) fn admit(&self, need: Need, permits: isize, limit: usize) -> Admission {
        if is_idle(permits, limit) && !self.idlers.is_empty() {
            return Admission::IdleFirst;
        }
        if need.least(limit) == 0 && !self.acquirers.is_empty() {
            // No permits asked for: nothing is overtaken by giving none.
            return Admission::Granted(0);
        }
        match need.take(permits, limit) {
            Some(weight) if self.acquirers.is_empty() => Admission::Granted(weight),
            _ => Admission::Queue,
        }
    }

    /// Grants the first in line what it needs if `permits` suffice: its weight, which is to be
    /// subtracted from them, and its waker, which is to be woken.
    pub(crate) fn grant_front(&mut self, permits: isize, limit: usize) -> Option<(usize, Waker)> {
        let weight = self.acquirers.front()?.take(permits, limit)?;
        let waker = self.acquirers.settle_front(Ok(weight))?;
        Some((weight, waker))
    }

    /// Ends the waits for idleness if nothing is held and nobody is about to.
    pub(crate) fn settle_idlers(&mut self, permits: isize, limit: usize, batch: &mut WakeBatch) {
        if is_idle(permits, limit) && self.acquirers.is_empty() {
            self.idlers.settle_where(batch, |()| Some(()));
        }
    }

    /// Fails the requests that a smaller limit can never serve.
    pub(crate) fn fail_impossible(&mut self, limit: usize, batch: &mut WakeBatch) {
        self.acquirers.settle_where(batch, |need| need.check(limit).err().map(Err));
    }

    pub(crate) fn fail_all(&mut self, error: AcquireError, batch: &mut WakeBatch) {
        self.acquirers.settle_where(batch, |_| Some(Err(error)));
    }
}

/// Whether every permit of the limit is back.
pub(crate) fn is_idle(permits: isize, limit: usize) -> bool {
    permits == limit as isize
}
