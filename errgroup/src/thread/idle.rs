//! The wait for a moment when a group has nothing to do.

use super::crew::{Crew, QuietWait, Work};
use crate::parker::{Step, drive};
use crate::pool::Place;
use crate::primitives::{Arc, Deadline};
use crate::wait_group::StillBusy;
use std::fmt;
use std::task::Waker;
use std::time::{Duration, Instant};
#[cfg(feature = "async")]
use {
    std::future::Future,
    std::pin::Pin,
    std::task::{Context, Poll},
};

/// The wait for a moment when no accepted task is left, made by
/// [`Group::wait_idle`](super::Group::wait_idle).
///
/// # Cancel safety
///
/// Dropping it ends the wait, and nothing else.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct Idle<'a, T, E> {
    crew: &'a Arc<Crew<'static, 'static, T, E>>,
    quiet: QuietWait<'a, Work<'static, 'static, T, E>>,
}

impl<'a, T, E> Idle<'a, T, E> {
    pub(super) fn new(crew: &'a Arc<Crew<'static, 'static, T, E>>) -> Self {
        Self { crew, quiet: QuietWait { pool: &crew.pool, ticket: None } }
    }

    /// Blocks this thread until no accepted task is left, and does a share of the work meanwhile.
    pub fn wait(mut self) {
        // A moment that came while it was polled counts.
        if self.quiet.poll(Waker::noop()) == Place::Queued {
            let crew = self.crew;
            drop(self);
            crew.wait_idle();
        }
    }

    /// Blocks this thread until no accepted task is left, but for no longer than `timeout`; one
    /// beyond the clock's range is no time-out. It does no work meanwhile, which might take longer.
    /// An idle group wins over the time-out, also over one of zero.
    ///
    /// # Errors
    ///
    /// Tasks were left all the time.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_errgroup::{CancelToken, thread::Group};
    /// use std::time::Duration;
    ///
    /// let (group, gate) = (Group::<(), ()>::new(), CancelToken::new());
    /// let opened = gate.clone();
    /// group.spawn(move |_| Ok(opened.cancelled().wait()));
    /// group.wait_idle().wait_timeout(Duration::from_millis(1)).unwrap_err();
    /// gate.cancel();
    /// group.wait_idle().wait();
    /// group.wait_idle().wait_timeout(Duration::ZERO)?;
    /// # Ok::<(), lockgate_errgroup::StillBusy>(())
    /// ```
    pub fn wait_timeout(self, timeout: Duration) -> Result<(), StillBusy> {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    /// [`wait_timeout`](Self::wait_timeout) until `deadline`. An idle group wins over one in the
    /// past.
    ///
    /// # Errors
    ///
    /// Tasks were left all the time.
    pub fn wait_deadline(self, deadline: Instant) -> Result<(), StillBusy> {
        self.wait_until(Some(&Deadline::at(deadline)))
    }

    fn wait_until(mut self, limit: Option<&Deadline>) -> Result<(), StillBusy> {
        let over = drive(limit, |waker| match self.quiet.poll(waker) {
            Place::Ready => Step::Ready(()),
            Place::Queued => Step::Queued { spin: false },
        });
        // CANCEL: a moment that came at the last look counts.
        let idle = over.is_some() || self.quiet.poll(Waker::noop()) == Place::Ready;
        if idle { Ok(()) } else { Err(StillBusy(())) }
    }
}

/// In a task; it does no share of the work.
#[cfg(feature = "async")]
impl<T, E> Future for Idle<'_, T, E> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.get_mut().quiet.poll(cx.waker()) {
            Place::Ready => Poll::Ready(()),
            Place::Queued => Poll::Pending,
        }
    }
}

impl<T, E> fmt::Debug for Idle<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").field("queued", &self.quiet.ticket.is_some()).finish_non_exhaustive()
    }
}
