//! The wait for tokens of a key, for threads and tasks.

use super::Keyed;
use super::promise::{Looked, Waiting};
use super::shard::{Asked, How, Promise, Request};
use crate::alarm::Alarm;
use crate::clock::{Monotonic, Timer, Timestamp};
use crate::core::Due;
use crate::error::AcquireError;
#[cfg(feature = "sync")]
use crate::parker::{Step, drive};
use crate::primitives::Arc;
use crate::waiters::Ticket;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::ops::Deref;
use std::task::Waker;
use std::time::Duration;
#[cfg(feature = "async")]
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// A wait for tokens of a key, made by [`acquire`](Keyed::acquire) and
/// [`acquire_owned`](Keyed::acquire_owned). It gives the time that was waited.
///
/// It is lazy, as [`Acquire`](crate::Acquire) is: it takes its place in its key's line when it is first
/// polled or waited for. From then on its turn comes by the clock alone.
///
/// # Cancel safety
///
/// Dropping it at any moment is fine. Its tokens come back if it is the last in its key's line.
/// Otherwise they are used up, because those behind it keep the moment that they were told, and so
/// they are once its moment has come.
///
/// # Panics
///
/// Polling it after it was ready panics, as with most futures.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct AcquireKey<L, K, C = Monotonic, S = RandomState>
where
    L: Deref<Target = Keyed<K, C, S>>,
    K: Eq,
    C: Timer,
{
    /// `None` when it is over.
    limiter: Option<L>,
    key: K,
    hash: u64,
    n: u32,
    /// It fails at once if its turn would come later.
    latest: Option<Timestamp>,
    turn: Option<Turn<C::Sleep>>,
}

/// A wait that owns its limiter, and so may go to another thread or task.
pub type AcquireKeyOwned<K, C = Monotonic, S = RandomState> =
    AcquireKey<Arc<Keyed<K, C, S>>, K, C, S>;

/// A place in line.
struct Turn<Z> {
    promise: Promise,
    since: u64,
    /// Where a change finds it.
    ticket: Option<Ticket>,
    alarm: Alarm<Z>,
}

/// What one poll finds.
enum Polled {
    Ready(Result<Duration, AcquireError>),
    /// The waker is called when something changes; until then, nothing before this moment.
    Until(Option<u64>),
}

impl<L, K, C, S> AcquireKey<L, K, C, S>
where
    L: Deref<Target = Keyed<K, C, S>>,
    K: Eq,
    C: Timer,
{
    pub(super) const fn new(limiter: L, key: K, hash: u64, n: u32) -> Self {
        Self { limiter: Some(limiter), key, hash, n, latest: None, turn: None }
    }

    /// Fails at once, and takes nothing, if it would take longer than `max`, counted from now.
    pub fn within(mut self, max: Duration) -> Self {
        let now = self.limiter.as_ref().map(|limiter| limiter.clock.now());
        self.latest = now.map(|now| now + max);
        self
    }

    /// [`within`](Self::within), for a moment.
    pub fn by(mut self, latest: impl Into<Timestamp>) -> Self {
        self.latest = Some(latest.into());
        self
    }

    fn leave(&mut self) {
        if let (Some(limiter), Some(Turn { promise, ticket, .. })) =
            (self.limiter.take(), self.turn.take())
        {
            let waiting =
                Waiting { key: &self.key, hash: self.hash, promise: &promise, latest: None };
            limiter.cancel(&waiting, ticket);
        }
    }
}

impl<K: Eq, C: Timer, S> Keyed<K, C, S> {
    /// How it stands with a promise. Unless it is over, `waker` is called when that changes.
    fn look_after(
        &self,
        waiting: &Waiting<'_, K>,
        ticket: &mut Option<Ticket>,
        now: u64,
        waker: &Waker,
    ) -> Due {
        let mut clone = None;
        loop {
            let mut shard = self.shard(waiting.hash).lock();
            let looked = shard.look_after(waiting, ticket, now, waker, &mut clone);
            drop(shard);
            match looked {
                Looked::Over(due, left) => {
                    drop(left);
                    return due;
                }
                Looked::Registered(due, old) => {
                    drop(old);
                    return due;
                }
                // Cloning a waker is user code.
                Looked::NeedWaker => clone = Some(waker.clone()),
            }
        }
    }

    fn cancel(&self, waiting: &Waiting<'_, K>, ticket: Option<Ticket>) {
        let now = self.nanos();
        let left = self.shard(waiting.hash).lock().cancel(waiting, ticket, now);
        // Dropping a waker is user code too, and the lock is free by now.
        drop(left);
    }
}

impl<L, K, C, S> AcquireKey<L, K, C, S>
where
    L: Deref<Target = Keyed<K, C, S>>,
    K: Hash + Eq + Clone,
    C: Timer,
    S: BuildHasher,
{
    fn poll_turn(&mut self, waker: &Waker) -> Polled {
        let limiter =
            self.limiter.as_deref().expect("a wait is not polled again after it was ready");
        let (key, hash, n) = (&self.key, self.hash, self.n);
        let latest = self.latest.map(Timestamp::as_nanos);
        let now = limiter.nanos();
        let turn = match &mut self.turn {
            Some(turn) => turn,
            place => {
                let request = Request { key, hash, n, now, how: How::Reserve(latest) };
                let refused = match limiter.ask(&request, || key.clone()) {
                    Asked::Promised(promise) => {
                        Ok(Turn { promise, since: now, ticket: None, alarm: Alarm::unset() })
                    }
                    Asked::Granted => Err(Ok(Duration::ZERO)),
                    refused => Err(Err(refused.into())),
                };
                match refused {
                    Ok(turn) => place.insert(turn),
                    Err(outcome) => {
                        self.limiter = None;
                        return Polled::Ready(outcome);
                    }
                }
            }
        };
        let waiting = Waiting { key, hash, promise: &turn.promise, latest };
        let outcome = match limiter.look_after(&waiting, &mut turn.ticket, now, waker) {
            Due::At(at) => return Polled::Until(at),
            Due::Now(_) => Ok(Duration::from_nanos(now.saturating_sub(turn.since))),
            Due::Never(error) => {
                // CANCEL: it has left the line, and gives back what it can.
                limiter.cancel(&waiting, None);
                Err(error)
            }
        };
        self.turn = None;
        self.limiter = None;
        Polled::Ready(outcome)
    }

    /// Sees to it that `waker` is called at `at`; `true` if that has come meanwhile.
    #[cfg(feature = "async")]
    fn poll_alarm(&mut self, at: Option<u64>, waker: &Waker) -> bool {
        match (self.limiter.as_deref(), &mut self.turn) {
            (Some(limiter), Some(turn)) => turn.alarm.poll(&limiter.clock, at, waker),
            _ => true,
        }
    }
}

#[cfg(feature = "sync")]
impl<L, K, C, S> AcquireKey<L, K, C, S>
where
    L: Deref<Target = Keyed<K, C, S>>,
    K: Hash + Eq + Clone,
    C: Timer,
    S: BuildHasher,
{
    /// Blocks this thread until the tokens are there, and gives the time waited.
    ///
    /// # Errors
    ///
    /// See [`AcquireError`].
    pub fn wait(mut self) -> Result<Duration, AcquireError> {
        loop {
            let outcome = drive(None, |waker| match self.poll_turn(waker) {
                Polled::Ready(outcome) => Step::Ready(outcome),
                Polled::Until(at) => match (self.limiter.as_deref(), &mut self.turn) {
                    (Some(limiter), Some(turn)) => turn.alarm.step(&limiter.clock, at, waker),
                    _ => unreachable!("who has to wait has a turn"),
                },
            });
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
    }

    /// [`wait`](Self::wait), but fails at once if it would take longer than `timeout`.
    ///
    /// A change of the quota may make a wait longer that has begun: then it fails when it learns of
    /// it.
    ///
    /// # Errors
    ///
    /// [`TooLong`](AcquireError::TooLong), among others.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Duration, AcquireError> {
        self.within(timeout).wait()
    }

    /// [`wait_timeout`](Self::wait_timeout), for a moment.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn wait_deadline(self, deadline: impl Into<Timestamp>) -> Result<Duration, AcquireError> {
        self.by(deadline).wait()
    }
}

#[cfg(feature = "async")]
impl<L, K, C, S> Future for AcquireKey<L, K, C, S>
where
    L: Deref<Target = Keyed<K, C, S>>,
    K: Hash + Eq + Clone,
    C: Timer,
    S: BuildHasher,
{
    type Output = Result<Duration, AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // Twice, as in `Acquire`.
        for _ in 0..2 {
            match this.poll_turn(cx.waker()) {
                Polled::Ready(outcome) => return Poll::Ready(outcome),
                Polled::Until(at) => {
                    if !this.poll_alarm(at, cx.waker()) {
                        return Poll::Pending;
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

// A sleep is `Unpin`, and nothing else is pinned.
impl<L, K, C, S> Unpin for AcquireKey<L, K, C, S>
where
    L: Deref<Target = Keyed<K, C, S>>,
    K: Eq,
    C: Timer,
{
}

impl<L, K, C, S> Drop for AcquireKey<L, K, C, S>
where
    L: Deref<Target = Keyed<K, C, S>>,
    K: Eq,
    C: Timer,
{
    fn drop(&mut self) {
        // CANCEL: gives up its place.
        self.leave();
    }
}

impl<L, K, C, S> fmt::Debug for AcquireKey<L, K, C, S>
where
    L: Deref<Target = Keyed<K, C, S>>,
    K: Eq,
    C: Timer,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireKey")
            .field("n", &self.n)
            .field("latest", &self.latest)
            .field("waits", &self.turn.is_some())
            .finish_non_exhaustive()
    }
}
