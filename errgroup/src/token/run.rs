//! Any future, ended by a cancel: driven by a task or, blocking, by a thread.

use super::CancelToken;
use crate::error::Cancelled;
use std::future::Future;
use std::task::{Context, Poll};
#[cfg(feature = "async")]
use {super::wait::WaitCancelled, std::borrow::Borrow, std::fmt, std::pin::Pin};

#[cfg(feature = "async")]
pin_project_lite::pin_project! {
    /// A future that ends when a token is cancelled, made by [`run`](CancelToken::run).
    ///
    /// # Errors
    ///
    /// [`Cancelled`]. The future is dropped with this, not before.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future inside.
    #[must_use = "a future does nothing unless it is polled"]
    pub struct Run<S: Borrow<CancelToken>, F> {
        wait: WaitCancelled<S>,
        #[pin]
        future: F,
    }
}

#[cfg(feature = "async")]
impl<S: Borrow<CancelToken>, F> Run<S, F> {
    pub(super) const fn new(token: S, future: F) -> Self {
        Self { wait: WaitCancelled::new(token), future }
    }
}

#[cfg(feature = "async")]
impl<S: Borrow<CancelToken>, F: Future> Future for Run<S, F> {
    type Output = Result<F::Output, Cancelled>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        // Before the future, else one that is always ready never hears of the cancel
        // (tokio#7462).
        if let Err(cancelled) = this.wait.token().check() {
            return Poll::Ready(Err(cancelled));
        }
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // After it, so that a future that does not wait costs no place at the token.
        if this.wait.poll_once(true, cx.waker()) {
            return Poll::Ready(Err(this.wait.token().cancelled_error()));
        }
        Poll::Pending
    }
}

#[cfg(feature = "async")]
impl<S: Borrow<CancelToken>, F> fmt::Debug for Run<S, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("wait", &self.wait).finish_non_exhaustive()
    }
}

#[cfg(feature = "sync")]
impl CancelToken {
    /// Drives any future on this thread, blocking, until it is ready or the token is cancelled.
    ///
    /// So a thread can wait for whatever a task can wait for, and give up. The future is polled
    /// on this thread, which parks in between; one that needs a runtime (tokio's sockets and
    /// timers) has to be made, and this called, where that runtime is entered.
    ///
    /// The token is looked at before each poll of the future: once it is cancelled, the future is
    /// not polled again, ready or not. An output of a poll that began before is kept.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], and the future is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::CancelToken;
    /// let token = CancelToken::new();
    /// assert_eq!(token.block_on(async { 7 })?, 7);
    /// token.cancel();
    /// assert!(token.block_on(async { 7 }).is_err());
    /// # Ok::<(), lockgate_errgroup::Cancelled>(())
    /// ```
    pub fn block_on<F: Future>(&self, future: F) -> Result<F::Output, Cancelled> {
        use super::wait::WaitCancelled;
        use crate::parker::{Step, drive};
        let mut future = std::pin::pin!(future);
        let mut wait = WaitCancelled::new(self);
        let deadline = self.node().and_then(|node| node.deadline.as_ref());
        loop {
            let outcome = drive(deadline, |waker| {
                if let Err(cancelled) = self.check() {
                    return Step::Ready(Err(cancelled));
                }
                if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(waker)) {
                    return Step::Ready(Ok(output));
                }
                if wait.poll_once(false, waker) {
                    return Step::Ready(Err(self.cancelled_error()));
                }
                Step::Queued { spin: false }
            });
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
    }
}
