//! Sleep that a cancel ends.

use super::CancelToken;
use super::node::earlier;
use super::wait::WaitCancelled;
use crate::error::Cancelled;
use crate::primitives::Deadline;
use crate::timer;
use std::borrow::Borrow;
use std::fmt;
#[cfg(feature = "sync")]
use {
    crate::error::WaitTimeoutError,
    crate::parker::{Step, drive},
    std::time::{Duration, Instant},
};
#[cfg(feature = "async")]
use {
    std::future::Future,
    std::pin::Pin,
    std::task::{Context, Poll, Waker},
};

/// A wait for a moment, or for the cancel of a token, whichever comes first. Made by
/// [`sleep`](CancelToken::sleep) and [`sleep_until`](CancelToken::sleep_until).
///
/// A task is woken by a timer thread of this crate, so no runtime has to have a timer. The
/// thread is started by the first who needs it.
///
/// # Errors
///
/// [`Cancelled`], if the token was cancelled, also when the moment has come by then: a cancelled
/// token always wins.
///
/// # Panics
///
/// A poll panics if the timer thread cannot be started.
///
/// # Cancel safety
///
/// Dropping it ends the wait; there is nothing to lose.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct Sleep<S: Borrow<CancelToken>> {
    wait: WaitCancelled<S>,
    /// `None`: beyond the clock.
    until: Option<Deadline>,
    alarm: Option<timer::Key>,
}

impl<S: Borrow<CancelToken>> Sleep<S> {
    pub(super) const fn new(token: S, until: Option<Deadline>) -> Self {
        Self { wait: WaitCancelled::new(token), until, alarm: None }
    }

    /// What there is to tell without waiting.
    fn outcome(&self) -> Option<Result<(), Cancelled>> {
        match self.wait.token().check() {
            Err(cancelled) => Some(Err(cancelled)),
            Ok(()) => self.until.as_ref().is_some_and(Deadline::has_passed).then_some(Ok(())),
        }
    }

    /// The moment, or the token's deadline if that is earlier.
    fn end(&self) -> Option<Deadline> {
        let deadline = self.wait.token().node().and_then(|node| node.deadline.as_ref());
        earlier(self.until.as_ref(), deadline).cloned()
    }
}

#[cfg(feature = "sync")]
impl<S: Borrow<CancelToken>> Sleep<S> {
    /// Blocks this thread until the moment has come or the token is cancelled.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], if the token was cancelled, also when the moment has come by then.
    pub fn wait(mut self) -> Result<(), Cancelled> {
        loop {
            if let Some(outcome) = self.wait_until(None) {
                return outcome;
            }
        }
    }

    /// [`wait`](Self::wait), but for no longer than `timeout`: what that would have given, if it is
    /// settled by then, also with a time-out of zero.
    ///
    /// # Errors
    ///
    /// Neither had the moment come nor was the token cancelled in time.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::CancelToken;
    /// # use std::time::Duration;
    /// let token = CancelToken::new();
    /// let hour = Duration::from_secs(3600);
    /// token.sleep(hour).wait_timeout(Duration::from_millis(1)).unwrap_err();
    /// token.cancel();
    /// let cancelled = token.sleep(hour).wait_timeout(hour).expect("at once");
    /// assert!(cancelled.is_err());
    /// ```
    pub fn wait_timeout(
        mut self,
        timeout: Duration,
    ) -> Result<Result<(), Cancelled>, WaitTimeoutError> {
        match Deadline::after(timeout) {
            Some(limit) => self.wait_until(Some(&limit)).ok_or(WaitTimeoutError(())),
            None => Ok(self.wait()),
        }
    }

    /// [`wait`](Self::wait), but for no longer than until `deadline`: what that would have given, if
    /// it is settled by then, also with a deadline in the past.
    ///
    /// # Errors
    ///
    /// Neither had the moment come nor was the token cancelled in time.
    pub fn wait_deadline(
        mut self,
        deadline: Instant,
    ) -> Result<Result<(), Cancelled>, WaitTimeoutError> {
        self.wait_until(Some(&Deadline::at(deadline))).ok_or(WaitTimeoutError(()))
    }

    fn wait_until(&mut self, limit: Option<&Deadline>) -> Option<Result<(), Cancelled>> {
        let end = self.end();
        loop {
            // First: what is settled wins over a limit that has passed.
            let outcome = self.outcome();
            if outcome.is_some() || limit.is_some_and(Deadline::has_passed) {
                return outcome;
            }
            drive(earlier(end.as_ref(), limit), |waker| {
                let cancelled = self.wait.poll_once(false, waker);
                if cancelled { Step::Ready(()) } else { Step::Queued { spin: false } }
            });
        }
    }
}

#[cfg(feature = "async")]
impl<S: Borrow<CancelToken>> Sleep<S> {
    /// Sees to it that `waker` is called at the end.
    fn arm(&mut self, waker: &Waker) {
        if self.alarm.as_ref().is_some_and(|key| timer::rearm(key, waker)) {
            return;
        }
        if let Some(end) = self.end() {
            let (key, alarm) = timer::insert(&end, timer::Due::Wake(waker.clone()));
            self.alarm = Some(key);
            if let Err(error) = alarm.ring() {
                panic!("the timer thread cannot be started: {error}");
            }
        }
    }
}

#[cfg(feature = "async")]
impl<S: Borrow<CancelToken>> Future for Sleep<S> {
    type Output = Result<(), Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(outcome) = this.outcome() {
            return Poll::Ready(outcome);
        }
        if this.wait.poll_once(false, cx.waker()) {
            return Poll::Ready(this.wait.token().check());
        }
        this.arm(cx.waker());
        Poll::Pending
    }
}

impl<S: Borrow<CancelToken>> Unpin for Sleep<S> {}

impl<S: Borrow<CancelToken>> Drop for Sleep<S> {
    fn drop(&mut self) {
        if let Some(key) = &self.alarm {
            drop(timer::remove(key));
        }
    }
}

impl<S: Borrow<CancelToken>> fmt::Debug for Sleep<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep")
            .field("until", &self.until)
            .field("token", self.wait.token())
            .finish_non_exhaustive()
    }
}
