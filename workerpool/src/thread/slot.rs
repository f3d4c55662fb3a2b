//! The waits for a place in the queue.

use super::handle::Job;
use super::house::House;
use super::submit::Submitter;
use super::task::Task;
use crate::desk;
use crate::engine::Grant;
#[cfg(feature = "async")]
use crate::engine::Wait;
use crate::error::{Closed, Reason, Rejected, RunError, WaitError};
use crate::primitives::{Arc, Deadline};
use std::fmt;
#[cfg(feature = "async")]
use std::task::Waker;
use std::time::{Duration, Instant};

pub(super) type PlaceWait<'p, 'env, W = Task<'env>> = desk::PlaceWait<'p, House<'env, W>>;

/// The wait for a place: a request, which does nothing until it is waited for. Places are given in
/// the order in which they are asked for.
///
/// # Cancel safety
///
/// Dropping it gives its turn to the next.
#[must_use = "a request does nothing until it is waited for"]
pub struct Reserve<'p, 'env> {
    pub(super) submitter: Submitter<'p, 'env>,
    pub(super) place: PlaceWait<'p, 'env>,
}

impl<'p, 'env> Reserve<'p, 'env> {
    /// Waits for the place.
    ///
    /// # Errors
    ///
    /// [`Closed`]: the pool is shut down.
    pub fn wait(mut self) -> Result<Slot<'p, 'env>, Closed> {
        match self.place.wait(None) {
            Some(grant) => self.slot(grant),
            None => unreachable!("there is no deadline"),
        }
    }

    /// Waits for the place, for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`WaitError::Timeout`], or that the pool is shut down.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Slot<'p, 'env>, WaitError<Closed>> {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    /// Waits for the place, until `deadline`.
    ///
    /// # Errors
    ///
    /// [`WaitError::Timeout`], or that the pool is shut down.
    pub fn wait_deadline(self, deadline: Instant) -> Result<Slot<'p, 'env>, WaitError<Closed>> {
        self.wait_until(Some(&Deadline::at(deadline)))
    }

    pub(crate) fn wait_until(
        mut self,
        deadline: Option<&Deadline>,
    ) -> Result<Slot<'p, 'env>, WaitError<Closed>> {
        match self.place.wait(deadline) {
            Some(grant) => self.slot(grant).map_err(WaitError::Failed),
            None => Err(WaitError::Timeout),
        }
    }

    fn slot(&self, grant: Grant) -> Result<Slot<'p, 'env>, Closed> {
        match grant {
            Grant::Place => Ok(Slot { submitter: self.submitter, held: true }),
            Grant::Closed => Err(Closed),
        }
    }
}

#[cfg(feature = "async")]
impl<'p, 'env> Future for Reserve<'p, 'env> {
    type Output = Result<Slot<'p, 'env>, Closed>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        match self.place.poll(cx.waker()) {
            Wait::Ready(grant) => std::task::Poll::Ready(self.slot(grant)),
            Wait::Queued => std::task::Poll::Pending,
        }
    }
}

/// A place in the queue of a pool, for one job. Dropping it gives the place back.
#[must_use = "dropping a slot gives the place back"]
pub struct Slot<'p, 'env> {
    submitter: Submitter<'p, 'env>,
    held: bool,
}

impl<'env> Slot<'_, 'env> {
    /// Submits the job for which the place was reserved. Never waits.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job, if the pool was shut down since.
    pub fn submit<T, F>(mut self, job: F) -> Result<Job<'env, T>, Rejected<F>>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        self.held = false;
        let submitter = self.submitter;
        let cell = submitter.cell(job);
        let make = || submitter.item(Task::Job(Arc::clone(&cell) as _));
        match submitter.house.place_reserved(make) {
            Ok(()) => Ok(submitter.handle(cell)),
            Err(reason) => Err(submitter.refused(&cell, reason)),
        }
    }
}

impl Drop for Slot<'_, '_> {
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
/// Dropping it before the job has a place drops the job; before the job has started, aborts it;
/// and after that, detaches it.
#[must_use = "a request does nothing until it is waited for"]
pub struct Run<'p, 'env, T, F> {
    submitter: Submitter<'p, 'env>,
    state: State<'p, 'env, T, F>,
}

enum State<'p, 'env, T, F> {
    Placing(PlaceWait<'p, 'env>, F),
    // Only a task leaves a request while it waits for the result.
    #[cfg_attr(
        not(feature = "async"),
        allow(dead_code, reason = "a thread waits for the job itself")
    )]
    Waiting(Job<'env, T>),
    Over,
}

impl<'p, 'env, T, F> Run<'p, 'env, T, F>
where
    T: Send + 'env,
    F: FnOnce() -> T + Send + 'env,
{
    pub(super) fn new(submitter: Submitter<'p, 'env>, job: F) -> Self {
        Self { submitter, state: State::Placing(PlaceWait::new(submitter.house), job) }
    }

    /// Waits for the place and for the result. Inside a worker of the same pool, the job is run
    /// here.
    ///
    /// # Errors
    ///
    /// [`RunError`]: the pool is shut down, or the job did not end well.
    pub fn wait(mut self) -> Result<T, RunError<F>> {
        let State::Placing(mut place, job) = std::mem::replace(&mut self.state, State::Over) else {
            unreachable!("a request is waited for once")
        };
        if self.submitter.house.is_inside() {
            drop(place);
            let job = self.submitter.submit(job).map_err(RunError::Rejected)?;
            return job.wait().map_err(RunError::Job);
        }
        let grant = place.wait(None);
        drop(place);
        let job = self.placed(grant.unwrap_or(Grant::Closed), job)?;
        job.wait().map_err(RunError::Job)
    }

    fn placed(&self, grant: Grant, job: F) -> Result<Job<'env, T>, RunError<F>> {
        let placed = match grant {
            Grant::Place => Slot { submitter: self.submitter, held: true }.submit(job),
            Grant::Closed => Err(self.submitter.rejected(job, Reason::Closed)),
        };
        placed.map_err(RunError::Rejected)
    }

    #[cfg(feature = "async")]
    fn poll_once(&mut self, waker: &Waker) -> Option<Result<T, RunError<F>>> {
        if let State::Placing(place, _) = &mut self.state {
            let Wait::Ready(grant) = place.poll(waker) else { return None };
            let State::Placing(_, job) = std::mem::replace(&mut self.state, State::Over) else {
                unreachable!("it was just there")
            };
            match self.placed(grant, job) {
                Ok(job) => self.state = State::Waiting(job),
                Err(error) => return Some(Err(error)),
            }
        }
        let State::Waiting(job) = &self.state else { unreachable!("polled after its end") };
        let result = job.promise.poll(waker)?;
        self.state = State::Over;
        Some(result.map_err(RunError::Job))
    }
}

#[cfg(feature = "async")]
impl<'env, T, F> Future for Run<'_, 'env, T, F>
where
    T: Send + 'env,
    F: FnOnce() -> T + Send + 'env,
{
    type Output = Result<T, RunError<F>>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        match self.poll_once(cx.waker()) {
            Some(result) => std::task::Poll::Ready(result),
            None => std::task::Poll::Pending,
        }
    }
}

/// Nothing in it is ever pinned: the job is called, not polled.
impl<T, F> Unpin for Run<'_, '_, T, F> {}

impl<T, F> Drop for Run<'_, '_, T, F> {
    fn drop(&mut self) {
        if let State::Waiting(job) = &self.state {
            // CANCEL: a job that has not started does not.
            job.abort();
        }
    }
}

impl fmt::Debug for Reserve<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reserve").finish_non_exhaustive()
    }
}

impl fmt::Debug for Slot<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}

impl<T, F> fmt::Debug for Run<'_, '_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").finish_non_exhaustive()
    }
}
