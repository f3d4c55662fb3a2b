//! The wait for permits: one value, `.wait()`ed by a thread or `.await`ed by a task.

use crate::error::AcquireError;
use crate::permit::Permit;
use crate::primitives::Arc;
use crate::protocol::Polled;
use crate::semaphore::Semaphore;
use crate::state::Need;
use crate::waiters::Ticket;
use std::fmt;
use std::ops::Deref;
use std::task::Waker;
#[cfg(feature = "sync")]
use {
    crate::error::AcquireTimeoutError,
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

/// A wait for permits, made by [`acquire`](Semaphore::acquire),
/// [`acquire_up_to`](Semaphore::acquire_up_to), [`acquire_all`](Semaphore::acquire_all) and
/// their `_owned` forms.
///
/// It is lazy: it takes its place in line when it is first polled or waited for, not when it is
/// made.
///
/// # A granted wait that nobody polls holds up the line
///
/// Permits are handed over: once granted, they belong to this wait, though it may not have
/// noticed. A task that keeps a granted wait without polling it (the loser of a `select!` that
/// is kept for later, a stream that is not driven) keeps permits which everybody else waits for,
/// and if it then waits for one of those, nothing moves again (tokio#6450). The remedy is to
/// drop a wait that is not polled: its permits go on at once.
///
/// # Cancel safety
///
/// Dropping it at any moment is fine. In the line, it leaves its place to those behind it;
/// granted, it gives the permits back.
///
/// # Panics
///
/// Polling it after it was ready panics, as with most futures.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct Acquire<S: Deref<Target = Semaphore>> {
    /// `None` when it is over.
    sem: Option<S>,
    need: Need,
    /// INVARIANT: with a ticket there is a semaphore.
    ticket: Option<Ticket>,
}

/// A wait that owns its semaphore, and so may go to another thread or task.
pub type AcquireOwned = Acquire<Arc<Semaphore>>;

impl<S: Deref<Target = Semaphore>> Acquire<S> {
    #[inline]
    pub(crate) const fn new(sem: S, need: Need) -> Self {
        Self { sem: Some(sem), need, ticket: None }
    }

    /// The open road, for a request that does not stand in line yet.
    #[inline]
    fn take_unasked(&mut self) -> Option<Permit<S>> {
        if self.ticket.is_some() {
            return None;
        }
        let weight = self.sem.as_ref()?.take_unasked(self.need)?;
        self.sem.take().map(|sem| Permit::new(sem, weight))
    }

    #[cold]
    fn poll_slow(&mut self, waker: &Waker) -> Polled<Result<Permit<S>, AcquireError>> {
        let sem = self.sem.as_ref().expect("a wait is not polled again after it was ready");
        match sem.poll_acquire(self.need, &mut self.ticket, waker) {
            Polled::Queued { first } => Polled::Queued { first },
            Polled::Ready(outcome) => Polled::Ready(self.finish(outcome)),
        }
    }

    /// Makes permits that were taken, as a bare number, into a guard.
    fn finish(&mut self, outcome: Result<usize, AcquireError>) -> Result<Permit<S>, AcquireError> {
        let sem = self.sem.take().expect("a wait is over only once");
        outcome.map(|weight| Permit::new(sem, weight))
    }

    /// Leaves the line. What was granted by then is the outcome.
    fn leave(&mut self) -> Option<Result<Permit<S>, AcquireError>> {
        let ticket = self.ticket.take()?;
        let outcome = self.sem.as_ref().and_then(|sem| sem.leave(ticket))?;
        Some(self.finish(outcome))
    }
}

#[cfg(feature = "sync")]
impl<S: Deref<Target = Semaphore>> Acquire<S> {
    /// Blocks this thread until the permits are granted.
    ///
    /// It does not look whether the thread belongs to an async runtime: in a task, `.await`.
    ///
    /// # Errors
    ///
    /// See [`AcquireError`].
    #[inline]
    pub fn wait(mut self) -> Result<Permit<S>, AcquireError> {
        match self.take_unasked() {
            Some(permit) => Ok(permit),
            None => self.wait_slow(),
        }
    }

    /// [`wait`](Self::wait), but for no longer than `timeout`.
    ///
    /// A zero time-out has passed on entry and fails even if permits are free; to ask without
    /// waiting, use [`try_acquire`](Semaphore::try_acquire). The clock is read only if it has
    /// to wait, and the time-out counts from there. One beyond the clock's range is no time-out.
    ///
    /// # Errors
    ///
    /// [`Timeout`](AcquireTimeoutError::Timeout), unless the permits were granted by then.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_semaphore::{AcquireTimeoutError, Semaphore};
    /// # use std::time::Duration;
    /// let sem = Semaphore::new(1);
    /// let held = sem.acquire(1).wait_timeout(Duration::from_secs(1))?;
    /// let error = sem.acquire(1).wait_timeout(Duration::from_millis(5)).unwrap_err();
    /// assert!(error.is_timeout());
    /// # drop(held); Ok::<(), AcquireTimeoutError>(())
    /// ```
    #[inline]
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<Permit<S>, AcquireTimeoutError> {
        if timeout.is_zero() {
            return Err(AcquireTimeoutError::Timeout);
        }
        match self.take_unasked() {
            Some(permit) => Ok(permit),
            None => self.wait_slow_until(Deadline::after(timeout)),
        }
    }

    /// [`wait`](Self::wait), but for no longer than until `deadline`.
    ///
    /// The deadline is looked at on entry: if it has passed, it wins over all else, permits that
    /// are free and a semaphore that is closed. Afterwards a grant that was made wins over it.
    ///
    /// # Errors
    ///
    /// [`Timeout`](AcquireTimeoutError::Timeout), unless the permits were granted by then.
    pub fn wait_deadline(self, deadline: Instant) -> Result<Permit<S>, AcquireTimeoutError> {
        self.wait_until(Deadline::at(deadline))
    }

    pub(crate) fn wait_until(
        mut self,
        deadline: Deadline,
    ) -> Result<Permit<S>, AcquireTimeoutError> {
        if deadline.has_passed() {
            return Err(AcquireTimeoutError::Timeout);
        }
        match self.take_unasked() {
            Some(permit) => Ok(permit),
            None => self.wait_slow_until(Some(deadline)),
        }
    }

    // Apart and by value: a wait whose address is taken stays in memory, which makes the open
    // road twice as long.
    #[cold]
    #[inline(never)]
    fn wait_slow(mut self) -> Result<Permit<S>, AcquireError> {
        loop {
            if let Some(outcome) = self.drive(None) {
                return outcome;
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn wait_slow_until(
        mut self,
        deadline: Option<Deadline>,
    ) -> Result<Permit<S>, AcquireTimeoutError> {
        // CANCEL: a grant that came before the leave is kept; none can come after it, because the
        // ticket is gone under the same lock.
        let outcome = self.drive(deadline.as_ref()).or_else(|| self.leave());
        Ok(outcome.ok_or(AcquireTimeoutError::Timeout)??)
    }

    fn drive(&mut self, deadline: Option<&Deadline>) -> Option<Result<Permit<S>, AcquireError>> {
        drive(deadline, |waker| match self.poll_slow(waker) {
            Polled::Ready(outcome) => Step::Ready(outcome),
            Polled::Queued { first } => Step::Queued { spin: first },
        })
    }
}

#[cfg(feature = "async")]
impl<S: Deref<Target = Semaphore>> Future for Acquire<S> {
    type Output = Result<Permit<S>, AcquireError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(permit) = this.take_unasked() {
            return Poll::Ready(Ok(permit));
        }
        match this.poll_slow(cx.waker()) {
            Polled::Ready(outcome) => Poll::Ready(outcome),
            Polled::Queued { .. } => Poll::Pending,
        }
    }
}

// The queue holds the node and this holds an index: nothing points into it.
impl<S: Deref<Target = Semaphore>> Unpin for Acquire<S> {}

impl<S: Deref<Target = Semaphore>> Drop for Acquire<S> {
    #[inline]
    fn drop(&mut self) {
        if self.ticket.is_some() {
            // CANCEL: gives up the place, or drops the permit that was granted.
            drop(self.leave());
        }
    }
}

impl<S: Deref<Target = Semaphore>> fmt::Debug for Acquire<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Acquire")
            .field("need", &self.need)
            .field("queued", &self.ticket.is_some())
            .finish_non_exhaustive()
    }
}
