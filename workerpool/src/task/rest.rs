//! The waits for rest and for the end.

use super::house::House;
use crate::engine::Wait;
#[cfg(feature = "sync")]
use crate::error::ShutdownError;
#[cfg(feature = "sync")]
use crate::parker::{Step, drive};
use crate::primitives::Arc;
#[cfg(feature = "sync")]
use crate::primitives::Deadline;
use crate::waiters::Ticket;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
#[cfg(feature = "sync")]
use std::time::Duration;

/// The wait for the moment when a pool has nothing to do: a request, which does nothing until it is
/// waited for. See [`Pool::wait_idle`](super::Pool::wait_idle).
///
/// # Cancel safety
///
/// Dropped at any time, it leaves the line of those who wait; the pool goes on.
#[must_use = "a request does nothing until it is waited for"]
pub struct WaitIdle<'p> {
    pub(super) house: &'p Arc<House>,
    pub(super) ticket: Option<Ticket>,
}

#[cfg(feature = "sync")]
impl WaitIdle<'_> {
    /// Waits on a thread outside of the runtime.
    pub fn wait(mut self) {
        self.wait_until(None);
    }

    /// Waits for no longer than `timeout`; `false` when the time is over.
    #[must_use]
    pub fn wait_timeout(mut self, timeout: Duration) -> bool {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    fn wait_until(&mut self, deadline: Option<&Deadline>) -> bool {
        let Self { house, ticket } = self;
        let quiet = drive(deadline, |waker| match house.engine.poll_quiet(ticket, waker) {
            Wait::Ready(()) => Step::Ready(()),
            Wait::Queued => Step::Queued { spin: true },
        });
        quiet.is_some()
    }
}

impl Future for WaitIdle<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { house, ticket } = &mut *self;
        match house.engine.poll_quiet(ticket, cx.waker()) {
            Wait::Ready(()) => Poll::Ready(()),
            Wait::Queued => Poll::Pending,
        }
    }
}

impl Drop for WaitIdle<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.house.engine.leave_quiet(ticket);
        }
    }
}

/// A shutdown that is under way: a handle for its end, which is the moment when the last task of the
/// pool takes no more jobs. See [`Pool::shutdown`](super::Pool::shutdown). Dropping it changes nothing.
///
/// A job of the pool that awaits it waits for itself.
///
/// # Cancel safety
///
/// Dropped at any time, it leaves the end to come by itself: the pool is shut down all the same.
pub struct Shutdown {
    pub(super) house: Arc<House>,
    pub(super) ticket: Option<Ticket>,
}

#[cfg(feature = "sync")]
impl Shutdown {
    /// Waits on a thread outside of the runtime.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Inside`] when a job of the pool asks, which would wait for itself.
    pub fn wait(mut self) -> Result<(), ShutdownError> {
        self.wait_until(None)
    }

    /// Waits for no longer than `timeout`, on a thread outside of the runtime.
    ///
    /// # Errors
    ///
    /// [`ShutdownError`]: the time is over, or a job of the pool asks.
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<(), ShutdownError> {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    fn wait_until(&mut self, deadline: Option<&Deadline>) -> Result<(), ShutdownError> {
        let Self { house, ticket } = self;
        if house.is_inside() {
            return Err(ShutdownError::Inside);
        }
        let ended = drive(deadline, |waker| match house.engine.poll_ended(ticket, waker) {
            Wait::Ready(()) => Step::Ready(()),
            Wait::Queued => Step::Queued { spin: false },
        });
        ended.ok_or(ShutdownError::Timeout)
    }
}

impl Future for Shutdown {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { house, ticket } = &mut *self;
        match house.engine.poll_ended(ticket, cx.waker()) {
            Wait::Ready(()) => Poll::Ready(()),
            Wait::Queued => Poll::Pending,
        }
    }
}

impl Drop for Shutdown {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.house.engine.leave_ended(ticket);
        }
    }
}

impl fmt::Debug for WaitIdle<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitIdle").finish_non_exhaustive()
    }
}

impl fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").finish_non_exhaustive()
    }
}
