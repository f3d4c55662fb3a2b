//! The wait for a cancel: one value, `.wait()`ed by a thread or `.await`ed by a task.

use super::CancelToken;
use super::node::Seat;
use std::borrow::Borrow;
use std::fmt;
use std::task::Waker;
#[cfg(feature = "sync")]
use {
    super::node::earlier,
    crate::error::WaitTimeoutError,
    crate::parker::{Step, drive},
    crate::primitives::Deadline,
    std::time::{Duration, Instant},
};
#[cfg(feature = "async")]
use {
    std::future::Future,
    std::pin::Pin,
    std::task::{Context, Poll},
};

/// A wait until a token is cancelled, made by [`cancelled`](CancelToken::cancelled) and
/// [`cancelled_owned`](CancelToken::cancelled_owned).
///
/// It is lazy: it takes its place at the token when it is first polled or waited for.
///
/// # Cancel safety
///
/// Dropping it ends the wait; there is nothing to lose, and nothing stays behind at the token.
/// It may be polled again after it was ready, and is ready again.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct WaitCancelled<S: Borrow<CancelToken>> {
    token: S,
    seat: Option<Seat>,
}

/// A wait that owns its token, and so may go to another thread or task.
pub type WaitCancelledOwned = WaitCancelled<CancelToken>;

impl<S: Borrow<CancelToken>> WaitCancelled<S> {
    pub(super) const fn new(token: S) -> Self {
        Self { token, seat: None }
    }

    /// The wait of whoever holds the token in some way.
    pub(crate) const fn of(token: S) -> Self {
        Self::new(token)
    }

    pub(super) fn token(&self) -> &CancelToken {
        self.token.borrow()
    }

    /// `timed` as in `Node::poll_cancelled`.
    pub(crate) fn poll_once(&mut self, timed: bool, waker: &Waker) -> bool {
        match self.token.borrow().node() {
            Some(node) => node.poll_cancelled(&mut self.seat, timed, waker),
            None => false,
        }
    }
}

#[cfg(feature = "sync")]
impl<S: Borrow<CancelToken>> WaitCancelled<S> {
    /// Blocks this thread until the token is cancelled, by a call or by its deadline.
    ///
    /// On a token that is [never](CancelToken::never) cancelled this blocks for ever.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::CancelToken;
    /// let token = CancelToken::new();
    /// std::thread::scope(|scope| {
    ///     scope.spawn(|| token.cancelled().wait());
    ///     token.cancel();
    /// });
    /// ```
    pub fn wait(mut self) {
        while !self.drive(None) {}
    }

    /// [`wait`](Self::wait), but for no longer than `timeout`.
    ///
    /// A token that is cancelled by then wins over the time-out, also over one of zero.
    ///
    /// # Errors
    ///
    /// The token was not cancelled in time.
    pub fn wait_timeout(self, timeout: Duration) -> Result<(), WaitTimeoutError> {
        self.wait_until(Deadline::after(timeout))
    }

    /// [`wait`](Self::wait), but for no longer than until `deadline`.
    ///
    /// A token that is cancelled by then wins over the deadline, also over one in the past.
    ///
    /// # Errors
    ///
    /// The token was not cancelled in time.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::CancelToken;
    /// # use std::time::{Duration, Instant};
    /// let token = CancelToken::new();
    /// let deadline = Instant::now() + Duration::from_millis(5);
    /// token.cancelled().wait_deadline(deadline).unwrap_err();
    /// token.cancel();
    /// token.cancelled().wait_deadline(deadline)?;
    /// # Ok::<(), lockgate_errgroup::WaitTimeoutError>(())
    /// ```
    pub fn wait_deadline(self, deadline: Instant) -> Result<(), WaitTimeoutError> {
        self.wait_until(Some(Deadline::at(deadline)))
    }

    pub(crate) fn wait_until(mut self, deadline: Option<Deadline>) -> Result<(), WaitTimeoutError> {
        loop {
            if self.drive(deadline.as_ref()) {
                return Ok(());
            }
            if deadline.as_ref().is_some_and(Deadline::has_passed) {
                // CANCEL: a cancel that came in the meantime is the answer.
                let cancelled = self.token().is_cancelled();
                return if cancelled { Ok(()) } else { Err(WaitTimeoutError(())) };
            }
        }
    }

    /// Until the token is cancelled, or one of the deadlines has passed: its own, which the next
    /// look notices, or `deadline`.
    fn drive(&mut self, deadline: Option<&Deadline>) -> bool {
        let own = self.token().node().and_then(|node| node.deadline.as_ref()).cloned();
        drive(earlier(own.as_ref(), deadline), |waker| {
            if self.poll_once(false, waker) {
                Step::Ready(())
            } else {
                Step::Queued { spin: false }
            }
        })
        .is_some()
    }
}

#[cfg(feature = "async")]
impl<S: Borrow<CancelToken>> Future for WaitCancelled<S> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.get_mut().poll_once(true, cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }
}

// The token holds the waker and this holds a number: nothing points into it.
impl<S: Borrow<CancelToken>> Unpin for WaitCancelled<S> {}

impl<S: Borrow<CancelToken>> Drop for WaitCancelled<S> {
    #[inline]
    fn drop(&mut self) {
        if let (Some(seat), Some(node)) = (&self.seat, self.token.borrow().node()) {
            node.leave::<Waker>(seat);
        }
    }
}

impl<S: Borrow<CancelToken>> fmt::Debug for WaitCancelled<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitCancelled")
            .field("token", self.token())
            .field("queued", &self.seat.is_some())
            .finish()
    }
}
