//! The wait for tokens: one value, `.wait()`ed by a thread or `.await`ed by a task.

use crate::alarm::Alarm;
use crate::clock::{Monotonic, Timer, Timestamp};
use crate::core::{Due, Promise};
use crate::error::AcquireError;
use crate::limiter::RateLimiter;
#[cfg(feature = "sync")]
use crate::parker::{Step, drive};
use crate::primitives::Arc;
use crate::trace;
use crate::waiters::Ticket;
use std::fmt;
use std::ops::Deref;
use std::task::Waker;
use std::time::Duration;
#[cfg(feature = "async")]
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// A wait for tokens, made by [`acquire`](RateLimiter::acquire) and
/// [`acquire_owned`](RateLimiter::acquire_owned). It gives the time that was waited.
///
/// It is lazy: it takes its place in line when it is first polled or waited for. From then on its
/// turn comes by the clock alone, whether it is polled or not, so a wait that nobody polls holds up
/// nobody; and one that is leaked (`mem::forget`) only uses up its tokens.
///
/// # Cancel safety
///
/// Dropping it at any moment is fine. Before its turn it gives back what nobody behind it was made
/// to wait for; afterwards its tokens are used.
///
/// # Panics
///
/// Polling it after it was ready panics, as with most futures.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct Acquire<S, C = Monotonic>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
    /// `None` when it is over.
    limiter: Option<S>,
    n: u32,
    /// It fails at once if its turn would come later.
    latest: Option<Timestamp>,
    turn: Option<Turn<C::Sleep>>,
}

/// A wait that owns its limiter, and so may go to another thread or task.
pub type AcquireOwned<C = Monotonic> = Acquire<Arc<RateLimiter<C>>, C>;

/// A place in line.
struct Turn<Z> {
    promise: Promise,
    since: u64,
    /// Where a change of the limiter finds it.
    ticket: Option<Ticket>,
    alarm: Alarm<Z>,
}

/// What one poll finds.
enum Polled {
    Ready(Result<Duration, AcquireError>),
    /// The waker is called when something changes; until then, nothing before this moment.
    Until(Option<u64>),
}

impl<S, C> Acquire<S, C>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
    pub(crate) const fn new(limiter: S, n: u32) -> Self {
        Self { limiter: Some(limiter), n, latest: None, turn: None }
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
            place => match limiter.core.reserve(self.n, latest, now) {
                // The open road: no turn, no alarm.
                Ok(Promise { at: Some(at), .. }) if at <= now => {
                    self.limiter = None;
                    return Polled::Ready(Ok(Duration::ZERO));
                }
                Ok(promise) => {
                    place.insert(Turn { promise, since: now, ticket: None, alarm: Alarm::unset() })
                }
                Err(error) => {
                    trace::refused(self.n, &error);
                    self.limiter = None;
                    return Polled::Ready(Err(error));
                }
            },
        };
        let due = limiter.core.look_after(&turn.promise, &mut turn.ticket, now, latest, waker);
        let outcome = match due {
            Due::At(at) => return Polled::Until(at),
            Due::Now(_) => Ok(Duration::from_nanos(now.saturating_sub(turn.since))),
            Due::Never(error) => {
                // CANCEL: it has left the line, and gives back what it can.
                limiter.core.cancel(turn.promise, now);
                trace::refused(self.n, &error);
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

    fn leave(&mut self) {
        if let (Some(limiter), Some(mut turn)) = (self.limiter.take(), self.turn.take()) {
            limiter.core.leave(&mut turn.ticket);
            limiter.core.cancel(turn.promise, limiter.nanos());
        }
    }
}

#[cfg(feature = "sync")]
impl<S, C> Acquire<S, C>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
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
impl<S, C> Future for Acquire<S, C>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
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
impl<S, C> Unpin for Acquire<S, C>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
}

impl<S, C> Drop for Acquire<S, C>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
    fn drop(&mut self) {
        // CANCEL: gives up its place.
        self.leave();
    }
}

impl<S, C> fmt::Debug for Acquire<S, C>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("n", &self.n)
            .field("latest", &self.latest)
            .field("waits", &self.turn.is_some())
            .finish_non_exhaustive()
    }
}
