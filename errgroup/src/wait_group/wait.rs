//! The wait until a group is empty.

use super::WaitGroup;
use crate::waiters::Ticket;
use std::borrow::Borrow;
use std::fmt;
use std::task::Waker;
#[cfg(feature = "sync")]
use {
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

/// A wait until a group is empty, made by [`wait`](WaitGroup::wait) and
/// [`wait_owned`](WaitGroup::wait_owned).
///
/// # Cancel safety
///
/// Dropping it ends the wait; there is nothing to lose, and nothing stays behind.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct WaitEmpty<S: Borrow<WaitGroup>> {
    group: S,
    ticket: Option<Ticket>,
}

/// A wait that owns its group, and so may go to another thread or task.
pub type WaitEmptyOwned = WaitEmpty<WaitGroup>;

impl<S: Borrow<WaitGroup>> WaitEmpty<S> {
    pub(super) const fn new(group: S) -> Self {
        Self { group, ticket: None }
    }

    fn poll_once(&mut self, waker: &Waker) -> bool {
        self.group.borrow().0.poll(&mut self.ticket, waker)
    }

    fn leave(&mut self) -> bool {
        self.ticket.take().is_some_and(|ticket| self.group.borrow().0.quit(ticket))
    }
}

#[cfg(feature = "sync")]
impl<S: Borrow<WaitGroup>> WaitEmpty<S> {
    /// Blocks this thread until nobody is in the group.
    pub fn wait(mut self) {
        while !self.drive(None) {}
    }

    /// [`wait`](Self::wait), but for no longer than `timeout`; one beyond the clock's range is no
    /// time-out. An empty group wins over the time-out, also over one of zero.
    ///
    /// # Errors
    ///
    /// Somebody was in the group all the time.
    pub fn wait_timeout(self, timeout: Duration) -> Result<(), StillBusy> {
        match Deadline::after(timeout) {
            Some(deadline) => self.wait_until(&deadline),
            None => {
                self.wait();
                Ok(())
            }
        }
    }

    /// [`wait`](Self::wait), but for no longer than until `deadline`. An empty group wins over the
    /// deadline, also over one in the past.
    ///
    /// # Errors
    ///
    /// Somebody was in the group all the time.
    pub fn wait_deadline(self, deadline: Instant) -> Result<(), StillBusy> {
        self.wait_until(&Deadline::at(deadline))
    }

    pub(crate) fn wait_until(mut self, deadline: &Deadline) -> Result<(), StillBusy> {
        // CANCEL: what was settled before the leave counts.
        if self.drive(Some(deadline)) || self.leave() { Ok(()) } else { Err(StillBusy(())) }
    }

    fn drive(&mut self, deadline: Option<&Deadline>) -> bool {
        drive(deadline, |waker| {
            if self.poll_once(waker) {
                Step::Ready(())
            } else {
                // What is waited for is the end of somebody's work: too far away to spin.
                Step::Queued { spin: false }
            }
        })
        .is_some()
    }
}

#[cfg(feature = "async")]
impl<S: Borrow<WaitGroup>> Future for WaitEmpty<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.get_mut().poll_once(cx.waker()) { Poll::Ready(()) } else { Poll::Pending }
    }
}

// The line holds the waker and this holds a number: nothing points into it.
impl<S: Borrow<WaitGroup>> Unpin for WaitEmpty<S> {}

impl<S: Borrow<WaitGroup>> Drop for WaitEmpty<S> {
    fn drop(&mut self) {
        // CANCEL: leaves the line, and takes the mark along if nobody else is in it.
        self.leave();
    }
}

impl<S: Borrow<WaitGroup>> fmt::Debug for WaitEmpty<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitEmpty")
            .field("group", self.group.borrow())
            .field("queued", &self.ticket.is_some())
            .finish()
    }
}

/// Somebody was in the group until the deadline of a [`wait_timeout`](WaitEmpty::wait_timeout), or
/// a task, where the wait was for an idle group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StillBusy(pub(crate) ());

impl fmt::Display for StillBusy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline passed while waiting for a group to be empty")
    }
}

impl std::error::Error for StillBusy {}
