//! The wait for tokens of a key: one value, `.wait()`ed by a thread or `.await`ed by a task.

use super::Keyed;
use super::shard::Promise;
use crate::clock::{Monotonic, Timer, Timestamp};
use crate::core::Due;
use crate::error::AcquireError;
use crate::primitives::Arc;
use crate::trace;
use crate::waiters::Ticket;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hash, RandomState};
use std::ops::Deref;
use std::pin::Pin;
#[cfg(feature = "async")]
use std::task::Poll;
use std::task::{Context, Waker};
use std::time::Duration;
#[cfg(feature = "sync")]
use {
    crate::parker::{Step, drive},
    crate::primitives::Deadline,
};

/// A wait for tokens of a key, made by [`acquire`](Keyed::acquire) and
/// [`acquire_owned`](Keyed::acquire_owned). It gives the time that was waited.
///
/// It is lazy: it takes its place in its key's line when it is first polled or waited for. From then
/// on its turn comes by the clock alone, whether it is polled or not.
///
/// # Cancel safety
///
/// Dropping it at any moment is fine. Before its turn it gives its tokens back if it was the last in
/// its key's line; otherwise those behind it keep the moments that they were told, and its tokens
/// lapse. (A [`RateLimiter`](crate::RateLimiter) gives back a part then. That takes a second word,
/// for which there is no room with each key.) Afterwards its tokens are used.
///
/// # Panics
///
/// Polling it after it was ready panics, as with most futures.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct KeyedAcquire<R, K, C = Monotonic, S = RandomState>
where
    R: Deref<Target = Keyed<K, C, S>>,
    K: Eq + Hash + Clone,
    C: Timer,
    S: BuildHasher,
{
    /// `None` when it is over.
    limiter: Option<R>,
    key: K,
    n: u32,
    /// It fails at once if its turn would come later.
    latest: Option<Timestamp>,
    turn: Option<Turn<C::Sleep>>,
}

/// A wait that owns its limiter, and so may go to another thread or task.
pub type KeyedAcquireOwned<K, C = Monotonic, S = RandomState> =
    KeyedAcquire<Arc<Keyed<K, C, S>>, K, C, S>;

/// A place in line.
struct Turn<Z> {
    hash: u64,
    promise: Promise,
    since: u64,
    /// Where a change of the limiter finds it.
    ticket: Option<Ticket>,
    /// When it sleeps until then.
    alarm: Option<(u64, Z)>,
}

/// What one poll finds.
enum Polled {
    Ready(Result<Duration, AcquireError>),
    /// The waker is called when something changes; until then, nothing before this moment.
    Until(Option<u64>),
}

impl<R, K, C, S> KeyedAcquire<R, K, C, S>
where
    R: Deref<Target = Keyed<K, C, S>>,
    K: Eq + Hash + Clone,
    C: Timer,
    S: BuildHasher,
{
    pub(super) const fn new(limiter: R, key: K, n: u32) -> Self {
        Self { limiter: Some(limiter), key, n, latest: None, turn: None }
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

    fn poll_turn(&mut self, waker: &Waker) -> Polled {
        let limiter =
            self.limiter.as_deref().expect("a wait is not polled again after it was ready");
        let latest = self.latest.map(Timestamp::as_nanos);
        let now = limiter.nanos();
        let turn = match &mut self.turn {
            Some(turn) => turn,
            place => {
                let hash = limiter.hash_of(&self.key);
                match limiter.reserve(&self.key, hash, self.n, latest, now) {
                    // The open road: no turn, no alarm.
                    Ok(None) => {
                        self.limiter = None;
                        return Polled::Ready(Ok(Duration::ZERO));
                    }
                    Ok(Some(promise)) => {
                        place.insert(Turn { hash, promise, since: now, ticket: None, alarm: None })
                    }
                    Err(error) => {
                        trace::refused(self.n, &error);
                        self.limiter = None;
                        return Polled::Ready(Err(error));
                    }
                }
            }
        };
        let Turn { hash, promise, ticket, .. } = turn;
        let outcome = match limiter.look_after(&self.key, *hash, promise, ticket, latest, waker) {
            Due::At(at) => return Polled::Until(at),
            Due::Now(_) => Ok(Duration::from_nanos(limiter.nanos().saturating_sub(turn.since))),
            Due::Never(error) => {
                // CANCEL: it has left the line, and gives back what it can.
                limiter.cancel(&self.key, *hash, promise, ticket.take());
                trace::refused(self.n, &error);
                Err(error)
            }
        };
        self.turn = None;
        self.limiter = None;
        Polled::Ready(outcome)
    }

    /// Sees to it that `waker` is called at `at`; `true` if that has come meanwhile.
    fn poll_alarm(&mut self, at: Option<u64>, waker: &Waker) -> bool {
        let (Some(limiter), Some(turn)) = (self.limiter.as_deref(), &mut self.turn) else {
            return true;
        };
        let Some(at) = at else {
            turn.alarm = None;
            return false;
        };
        if turn.alarm.as_ref().is_none_or(|(set, _)| *set != at) {
            turn.alarm = Some((at, limiter.clock.sleep_until(Timestamp::from_nanos(at))));
        }
        let Some((_, sleep)) = &mut turn.alarm else { return false };
        let rung = Pin::new(sleep).poll(&mut Context::from_waker(waker)).is_ready();
        if rung {
            // A sleep is not polled after it was ready; one that came early is followed by another.
            turn.alarm = None;
        }
        rung
    }
}

#[cfg(feature = "sync")]
impl<R, K, C, S> KeyedAcquire<R, K, C, S>
where
    R: Deref<Target = Keyed<K, C, S>>,
    K: Eq + Hash + Clone,
    C: Timer,
    S: BuildHasher,
{
    /// Blocks this thread until the tokens are there, and gives the time waited.
    ///
    /// It does not look whether the thread belongs to an async runtime: in a task, `.await`.
    ///
    /// # Errors
    ///
    /// See [`AcquireError`].
    pub fn wait(mut self) -> Result<Duration, AcquireError> {
        loop {
            let outcome = drive(None, |waker| match self.poll_turn(waker) {
                Polled::Ready(outcome) => Step::Ready(outcome),
                Polled::Until(at) => self.step(at, waker),
            });
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
    }

    fn step(&mut self, at: Option<u64>, waker: &Waker) -> Step<Result<Duration, AcquireError>> {
        let clock = self.limiter.as_deref().map(|limiter| &limiter.clock);
        match at.and_then(|at| clock?.instant(Timestamp::from_nanos(at))) {
            Some(instant) => Step::Until(Deadline::at(instant)),
            None => {
                // A clock that does not follow real time wakes this thread as it does a task. If it
                // has rung by now, the thread looks again at once.
                if self.poll_alarm(at, waker) {
                    waker.wake_by_ref();
                }
                Step::Queued { spin: false }
            }
        }
    }

    /// [`wait`](Self::wait), but fails at once if it would take longer than `timeout`.
    ///
    /// A change of the limiter may make a wait longer that has begun: then it fails when it learns
    /// of it.
    ///
    /// # Errors
    ///
    /// [`TooLong`](AcquireError::TooLong), among others.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Duration, AcquireError> {
        self.within(timeout).wait()
    }

    /// [`wait_timeout`](Self::wait_timeout), for a moment: an [`Instant`](std::time::Instant) with
    /// the default clock.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn wait_deadline(self, deadline: impl Into<Timestamp>) -> Result<Duration, AcquireError> {
        self.by(deadline).wait()
    }
}

#[cfg(feature = "async")]
impl<R, K, C, S> Future for KeyedAcquire<R, K, C, S>
where
    R: Deref<Target = Keyed<K, C, S>>,
    K: Eq + Hash + Clone,
    C: Timer,
    S: BuildHasher,
{
    type Output = Result<Duration, AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // Twice: an alarm that rings while it is set may be early, and is then set again.
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
impl<R, K, C, S> Unpin for KeyedAcquire<R, K, C, S>
where
    R: Deref<Target = Keyed<K, C, S>>,
    K: Eq + Hash + Clone,
    C: Timer,
    S: BuildHasher,
{
}

impl<R, K, C, S> Drop for KeyedAcquire<R, K, C, S>
where
    R: Deref<Target = Keyed<K, C, S>>,
    K: Eq + Hash + Clone,
    C: Timer,
    S: BuildHasher,
{
    fn drop(&mut self) {
        // CANCEL: gives up its place.
        if let (Some(limiter), Some(turn)) = (self.limiter.take(), self.turn.take()) {
            limiter.cancel(&self.key, turn.hash, &turn.promise, turn.ticket);
        }
    }
}

impl<R, K, C, S> fmt::Debug for KeyedAcquire<R, K, C, S>
where
    R: Deref<Target = Keyed<K, C, S>>,
    K: Eq + Hash + Clone,
    C: Timer,
    S: BuildHasher,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedAcquire")
            .field("n", &self.n)
            .field("latest", &self.latest)
            .field("waits", &self.turn.is_some())
            .finish_non_exhaustive()
    }
}
