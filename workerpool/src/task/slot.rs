//! The waits for a place in the queue.

use super::handle::Job;
use super::placing::{Draft, PlaceWait, Placing};
use super::submit::{Submitter, Whole};
use crate::engine::{Grant, Wait};
#[cfg(feature = "sync")]
use crate::error::WaitError;
use crate::error::{Closed, JobError, Rejected, RunError};
#[cfg(feature = "sync")]
use crate::primitives::Deadline;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
#[cfg(feature = "sync")]
use std::time::{Duration, Instant};

/// The wait for a place: a request, which does nothing until it is waited for. Places are given in
/// the order in which they are asked for.
///
/// # Cancel safety
///
/// Dropping it gives its turn to the next.
#[must_use = "a request does nothing until it is waited for"]
pub struct Reserve<'p> {
    pub(super) submitter: Submitter<'p>,
    pub(super) place: PlaceWait<'p>,
}

impl<'p> Reserve<'p> {
    fn poll_once(&mut self, waker: &Waker) -> Poll<Result<Slot<'p>, Closed>> {
        match self.place.poll(waker) {
            Wait::Queued => Poll::Pending,
            Wait::Ready(Grant::Closed) => Poll::Ready(Err(Closed)),
            Wait::Ready(Grant::Place) => {
                Poll::Ready(Ok(Slot { submitter: self.submitter, held: true }))
            }
        }
    }

    /// Waits for the place on a thread outside of the runtime.
    ///
    /// # Errors
    ///
    /// [`Closed`]: the pool is shut down.
    #[cfg(feature = "sync")]
    pub fn wait(mut self) -> Result<Slot<'p>, Closed> {
        super::submit::block_on(|cx| self.poll_once(cx.waker()))
    }

    /// Waits for the place on a thread outside of the runtime, for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`WaitError::Timeout`], or that the pool is shut down.
    #[cfg(feature = "sync")]
    pub fn wait_timeout(self, timeout: Duration) -> Result<Slot<'p>, WaitError<Closed>> {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    /// Waits for the place on a thread outside of the runtime, until `deadline`.
    ///
    /// # Errors
    ///
    /// [`WaitError::Timeout`], or that the pool is shut down.
    #[cfg(feature = "sync")]
    pub fn wait_deadline(self, deadline: Instant) -> Result<Slot<'p>, WaitError<Closed>> {
        self.wait_until(Some(&Deadline::at(deadline)))
    }

    #[cfg(feature = "sync")]
    fn wait_until(mut self, deadline: Option<&Deadline>) -> Result<Slot<'p>, WaitError<Closed>> {
        match super::submit::block_until(deadline, |cx| self.poll_once(cx.waker())) {
            Some(found) => found.map_err(WaitError::Failed),
            None => Err(WaitError::Timeout),
        }
    }
}

impl<'p> Future for Reserve<'p> {
    type Output = Result<Slot<'p>, Closed>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_once(cx.waker())
    }
}

/// A place in the queue of a pool, for one job. Dropping it gives the place back.
#[must_use = "dropping a slot gives the place back"]
pub struct Slot<'p> {
    submitter: Submitter<'p>,
    held: bool,
}

impl Slot<'_> {
    /// Submits the job for which the place was reserved. Never waits.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job, if the pool was shut down since.
    pub fn submit<F>(mut self, job: F) -> Result<Job<F::Output>, Rejected<F>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.held = false;
        let submitter = self.submitter;
        let mut draft = submitter.kept(job);
        match submitter.house.place_reserved(|| submitter.item(draft.entry())) {
            Ok(()) => Ok(submitter.handle(draft)),
            Err(reason) => submitter.refused(draft, reason),
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        if self.held {
            self.submitter.house.engine.unreserve();
        }
    }
}

/// The wait for a place, and then for a result: a request, which does nothing until it is waited
/// for. See [`Pool::run`](super::Pool::run).
///
/// # Cancel safety
///
/// Dropping it before the job has a place drops the job; before the job has started, aborts it; and
/// after that, detaches it. Inside a job of the same pool the other is run where it is waited for, and
/// dropped with the request.
#[must_use = "a request does nothing until it is waited for"]
pub struct Run<'p, F: Future> {
    placing: Placing<'p, Whole<F>>,
    job: Option<Job<F::Output>>,
}

type Ran<F> = Result<<F as Future>::Output, RunError<F>>;

impl<'p, F> Run<'p, F>
where
    F: Future<Output: Send> + Send + 'static,
{
    pub(super) const fn new(placing: Placing<'p, Whole<F>>) -> Self {
        Self { placing, job: None }
    }

    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Ran<F>> {
        let job = match &mut self.job {
            Some(job) => job,
            None => match self.placing.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(rejected)) => {
                    return Poll::Ready(Err(RunError::Rejected(rejected)));
                }
                Poll::Ready(Ok(placed)) => self.job.insert(self.placing.submitter.handle(placed)),
            },
        };
        let result: Option<Result<F::Output, JobError>> = job.promise.poll(cx.waker());
        result.map_or(Poll::Pending, |result| Poll::Ready(result.map_err(RunError::Job)))
    }

    /// Waits for the place and for the result, on a thread outside of the runtime.
    ///
    /// # Errors
    ///
    /// [`RunError`]: the pool is shut down, or the job did not end well.
    #[cfg(feature = "sync")]
    pub fn wait(mut self) -> Result<F::Output, RunError<F>> {
        super::submit::block_on(|cx| self.poll_once(cx))
    }
}

impl<F> Future for Run<'_, F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = Result<F::Output, RunError<F>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_once(cx)
    }
}

/// The job is not pinned in it: that happens where it is run.
impl<F: Future> Unpin for Run<'_, F> {}

impl<F: Future> Drop for Run<'_, F> {
    fn drop(&mut self) {
        if let Some(job) = &self.job {
            // CANCEL: a job that has not started does not.
            job.abort_queued();
        }
    }
}

impl fmt::Debug for Reserve<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve").finish_non_exhaustive()
    }
}

impl fmt::Debug for Slot<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl<F: Future> fmt::Debug for Run<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}
