//! The handle of a job.

use super::cell::{Abort, Promise};
use super::house::House;
use crate::error::JobError;
#[cfg(feature = "sync")]
use crate::parker::{Step, drive};
use crate::primitives::Arc;
#[cfg(feature = "sync")]
use crate::primitives::Deadline;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
#[cfg(feature = "sync")]
use std::time::{Duration, Instant};

/// A job that was accepted: a handle to its result, which a task `.await`s and a thread outside of the
/// runtime `.wait()`s for. Dropping it detaches: the job runs all the same.
///
/// A job that awaits another of its pool keeps its own place meanwhile; where all of them do so,
/// nobody goes on. Inside a job [`run`](super::Pool::run) is what is meant.
///
/// # Cancel safety
///
/// The result is there until it is taken: a handle that was polled and not dropped loses nothing.
#[must_use = "dropping a job's handle detaches it; `spawn` needs none"]
pub struct Job<T> {
    pub(super) promise: Arc<dyn Promise<T>>,
    pub(super) house: Arc<House>,
}

impl<T> Job<T> {
    /// Whether the job has ended, one way or the other.
    pub fn is_finished(&self) -> bool {
        self.promise.is_over()
    }

    /// Ends the job: `true` if it was not over.
    ///
    /// If it has not started, it does not, and what it captured is dropped before this returns. If
    /// it runs, it is dropped where it waits next, at an `.await`; one that does not wait any more
    /// ends as it would have. Its result says what became of it: [`JobError::Aborted`] or another.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(1)?;
    /// let job = pool.submit(std::future::pending::<()>()).await?;
    /// job.abort();
    /// assert!(job.await.is_err(), "it would never have ended");
    /// # Ok(())
    /// # }
    /// ```
    pub fn abort(&self) -> bool {
        let found = self.promise.abort();
        if found == Abort::Waited {
            self.house.engine.withdraw(None);
        }
        found != Abort::Over
    }

    /// Ends it if it has not started.
    pub(super) fn abort_queued(&self) {
        if self.promise.refuse(JobError::Aborted) {
            self.house.engine.withdraw(None);
        }
    }
}

#[cfg(feature = "sync")]
impl<T> Job<T> {
    /// Waits for the result, on a thread outside of the runtime.
    ///
    /// # Errors
    ///
    /// [`JobError`]: the job panicked, or did not run to its end.
    pub fn wait(self) -> Result<T, JobError> {
        match self.drive(None) {
            Some(result) => result,
            None => unreachable!("there is no deadline"),
        }
    }

    /// Waits for the result, for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// The handle, when the time is over.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<T, JobError>, Self> {
        self.drive(Deadline::after(timeout).as_ref()).ok_or(self)
    }

    /// Waits for the result, until `deadline`.
    ///
    /// # Errors
    ///
    /// The handle, when the time is over.
    pub fn wait_deadline(self, deadline: Instant) -> Result<Result<T, JobError>, Self> {
        self.drive(Some(&Deadline::at(deadline))).ok_or(self)
    }

    fn drive(&self, deadline: Option<&Deadline>) -> Option<Result<T, JobError>> {
        let found = drive(deadline, |waker| match self.promise.poll(waker) {
            Some(result) => Step::Ready(result),
            None => Step::Queued { spin: true },
        });
        // It may have ended at the very moment.
        found.or_else(|| self.promise.poll(std::task::Waker::noop()))
    }
}

impl<T> Future for Job<T> {
    type Output = Result<T, JobError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.promise.poll(cx.waker()) {
            Some(result) => Poll::Ready(result),
            None => Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for Job<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
