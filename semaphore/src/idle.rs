//! The wait for idleness.

use crate::primitives::Arc;
use crate::protocol::Polled;
use crate::semaphore::Semaphore;
use crate::waiters::Ticket;
use std::fmt;
use std::ops::Deref;
use std::task::Waker;
#[cfg(feature = "sync")]
use {
    crate::error::IdleTimeoutError,
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

/// A wait until every permit is back and nobody is in line, made by
/// [`wait_idle`](Semaphore::wait_idle).
///
/// # Cancel safety
///
/// Dropping it ends the wait; there is nothing to lose.
///
/// # Panics
///
/// Polling it after it was ready panics, as with most futures.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct Idle<S: Deref<Target = Semaphore>> {
    /// `None` when it is over.
    sem: Option<S>,
    /// INVARIANT: with a ticket there is a semaphore.
    ticket: Option<Ticket>,
}

/// A wait for idleness that owns its semaphore.
pub type IdleOwned = Idle<Arc<Semaphore>>;

impl<S: Deref<Target = Semaphore>> Idle<S> {
    pub(crate) const fn new(sem: S) -> Self {
        Self { sem: Some(sem), ticket: None }
    }

    fn poll_once(&mut self, waker: &Waker) -> Polled<()> {
        let sem = self.sem.as_ref().expect("a wait is not polled again after it was ready");
        let polled = sem.poll_idle(&mut self.ticket, waker);
        if let Polled::Ready(()) = polled {
            self.sem = None;
        }
        polled
    }

    /// Ends the wait; `Some` if the semaphore was idle by then.
    fn leave(&mut self) -> Option<()> {
        let ticket = self.ticket.take()?;
        self.sem.take().and_then(|sem| sem.leave_idle(ticket))
    }
}

#[cfg(feature = "sync")]
impl<S: Deref<Target = Semaphore>> Idle<S> {
    /// Blocks this thread until the semaphore is idle.
    pub fn wait(mut self) {
        while self.drive(None).is_none() {}
    }

    /// [`wait`](Self::wait), but for no longer than `timeout`; one beyond the clock's range is no
    /// time-out.
    ///
    /// # Errors
    ///
    /// If the semaphore was not idle by then, or `timeout` is zero.
    pub fn wait_timeout(self, timeout: Duration) -> Result<(), IdleTimeoutError> {
        match Deadline::after(timeout) {
            Some(deadline) => self.wait_until(deadline),
            None => {
                self.wait();
                Ok(())
            }
        }
    }

    /// [`wait`](Self::wait), but for no longer than until `deadline`, which if it has passed on
    /// entry wins over an idle semaphore.
    ///
    /// # Errors
    ///
    /// If the semaphore was not idle by then.
    pub fn wait_deadline(self, deadline: Instant) -> Result<(), IdleTimeoutError> {
        self.wait_until(Deadline::at(deadline))
    }

    pub(crate) fn wait_until(mut self, deadline: Deadline) -> Result<(), IdleTimeoutError> {
        if deadline.has_passed() {
            return Err(IdleTimeoutError(()));
        }
        // CANCEL: as in `Acquire`: what was settled before the leave counts.
        self.drive(Some(&deadline)).or_else(|| self.leave()).ok_or(IdleTimeoutError(()))
    }

    fn drive(&mut self, deadline: Option<&Deadline>) -> Option<()> {
        drive(deadline, |waker| match self.poll_once(waker) {
            Polled::Ready(()) => Step::Ready(()),
            // What is waited for is the end of somebody's work: too far away to spin.
            Polled::Queued { .. } => Step::Queued { spin: false },
        })
    }
}

#[cfg(feature = "async")]
impl<S: Deref<Target = Semaphore>> Future for Idle<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut().poll_once(cx.waker()) {
            Polled::Ready(()) => Poll::Ready(()),
            Polled::Queued { .. } => Poll::Pending,
        }
    }
}

// The queue holds the node and this holds an index: nothing points into it.
impl<S: Deref<Target = Semaphore>> Unpin for Idle<S> {}

impl<S: Deref<Target = Semaphore>> Drop for Idle<S> {
    fn drop(&mut self) {
        // CANCEL: leaves the line, and takes the mark along if nobody else is in it.
        self.leave();
    }
}

impl<S: Deref<Target = Semaphore>> fmt::Debug for Idle<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("queued", &self.ticket.is_some()).finish_non_exhaustive()
    }
}
