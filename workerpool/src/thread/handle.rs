//! The handle of a job.

use super::house::House;
use super::task::Task;
use crate::engine::Outcome;
use crate::error::JobError;
use crate::job::Promise;
use crate::parker::{Step, drive};
use crate::primitives::{Arc, Deadline};
use std::fmt;
use std::task::Waker;
use std::time::{Duration, Instant};

/// A job that was accepted: a handle to its result, which a thread `.wait()`s for and a task
/// `.await`s. Dropping it detaches: the job runs all the same.
///
/// # Inside a worker
///
/// A job of a pool that waits for another of the same pool does not sit in the way: one that has not
/// started is taken out of the queue and run where it is waited for. One that runs elsewhere is
/// waited for, and so is one of a subpool or key, which has to wait for its turn; unless nobody is
/// left to run it, because every other worker that has a job waits so too: that is
/// [`JobError::WouldDeadlock`].
///
/// # Cancel safety
///
/// Awaited by a task, it may be dropped at any time: the job runs all the same, and its result is dropped.
#[must_use = "dropping a job's handle detaches it; `spawn` needs none"]
pub struct Job<'env, T> {
    pub(super) promise: Arc<dyn Promise<T> + 'env>,
    pub(super) house: Arc<House<'env, Task<'env>>>,
    /// It is of a strand: whose turn it is, the pool says, and not whoever waits.
    pub(super) has_turn: bool,
}

impl<T> Job<'_, T> {
    /// Waits for the result.
    ///
    /// # Errors
    ///
    /// [`JobError`]: the job panicked, did not run, or waiting for it would be a deadlock.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// use lockgate_workerpool::JobError;
    ///
    /// let pool = Pool::new(2)?;
    /// assert_eq!(pool.submit(|| 6 * 7)?.wait()?, 42);
    /// let panics = pool.submit(|| panic!("out of paper"))?;
    /// let Err::<(), _>(JobError::Panicked(panicked)) = panics.wait() else { unreachable!() };
    /// assert_eq!(panicked.message(), Some("out of paper"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait(self) -> Result<T, JobError> {
        if self.house.is_inside() {
            return self.wait_inside();
        }
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
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// use std::time::Duration;
    ///
    /// let pool = Pool::new(1)?;
    /// pool.pause();
    /// let job = pool.submit(|| 5)?;
    /// let Err(job) = job.wait_timeout(Duration::from_millis(1)) else { unreachable!("a pause") };
    /// pool.resume();
    /// assert_eq!(job.wait()?, 5);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<T, JobError>, Self> {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    /// Waits for the result, until `deadline`.
    ///
    /// # Errors
    ///
    /// The handle, when the time is over.
    pub fn wait_deadline(self, deadline: Instant) -> Result<Result<T, JobError>, Self> {
        self.wait_until(Some(&Deadline::at(deadline)))
    }

    /// Whether the job has ended, one way or the other.
    pub fn is_finished(&self) -> bool {
        self.promise.is_over()
    }

    /// Ends the job if it has not started: `true` then, and its result is [`JobError::Aborted`].
    /// What it captured is dropped before this returns.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(1)?;
    /// pool.pause();
    /// let job = pool.submit(|| 5)?;
    /// assert!(job.abort(), "it has not started");
    /// assert!(job.wait().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn abort(&self) -> bool {
        let Some(refused) = self.promise.refuse(JobError::Aborted) else { return false };
        self.house.finish(refused);
        self.house.engine.withdraw(None);
        true
    }

    pub(crate) fn wait_until(
        self,
        deadline: Option<&Deadline>,
    ) -> Result<Result<T, JobError>, Self> {
        if self.house.is_inside() {
            self.run_here();
        }
        self.drive(deadline).ok_or(self)
    }

    fn drive(&self, deadline: Option<&Deadline>) -> Option<Result<T, JobError>> {
        let found = drive(deadline, |waker| match self.promise.poll(waker) {
            Some(result) => Step::Ready(result),
            None => Step::Queued { spin: true },
        });
        // It may have ended at the very moment.
        found.or_else(|| self.promise.poll(Waker::noop()))
    }

    #[cold]
    fn wait_inside(self) -> Result<T, JobError> {
        self.run_here();
        park_inside(&self.house, &*self.promise).unwrap_or(Err(JobError::WouldDeadlock))
    }

    /// Runs it here if nobody has started it, and it has no turn to wait for.
    fn run_here(&self) -> bool {
        if self.has_turn {
            return false;
        }
        let ran = self.house.nest(|| self.promise.run());
        let Some(ran) = ran else { return false };
        let outcome = self.house.finish(ran);
        let here = outcome != Outcome::Void;
        if here {
            self.house.engine.withdraw(Some(outcome));
        }
        here
    }
}

/// What a worker may park for, though it is of the same pool.
pub(super) trait Awaited<R> {
    fn poll(&self, waker: &Waker) -> Option<R>;
    /// Whether workers of the pool run all of it, or have to come to it first. What runs by hand
    /// needs none of those that park.
    fn needs_workers(&self) -> bool;
    /// Notes that a worker parks until it is over; `false` if it is, or needs no worker.
    fn note_parked(&self) -> bool;
    /// Takes the note back; `false` if whoever ended it has taken it.
    fn take_note(&self) -> bool;
}

impl<T> Awaited<Result<T, JobError>> for dyn Promise<T> + '_ {
    fn poll(&self, waker: &Waker) -> Option<Result<T, JobError>> {
        Promise::poll(self, waker)
    }

    fn needs_workers(&self) -> bool {
        Promise::needs_workers(self)
    }

    fn note_parked(&self) -> bool {
        Promise::note_parked(self)
    }

    fn take_note(&self) -> bool {
        Promise::take_note(self)
    }
}

/// Parks a worker of the pool until `what` is ready; `None` when it would be for ever.
pub(super) fn park_inside<R>(
    house: &House<'_, Task<'_>>,
    what: &(impl Awaited<R> + ?Sized),
) -> Option<R> {
    let mut ticket = None;
    let engine = &house.engine;
    let found = drive(None, |waker| {
        if let Some(result) = what.poll(waker) {
            return Step::Ready(Some(result));
        }
        let told = match &ticket {
            // It was handed back since: who runs it now is no worker.
            Some(_) if !what.needs_workers() => {
                engine.stands_down(&mut ticket);
                false
            }
            // Asked again: it may have been handed back in between, and who does that wakes us.
            Some(ticket) => engine.is_told(ticket) && what.needs_workers(),
            None if !what.needs_workers() => false,
            // INVARIANT: noted first, so that nobody ever counts as blocked for what is over: whoever
            // ends it takes the note, and uncounts before or after we count.
            None => {
                if !what.note_parked() || engine.block(&mut ticket, waker) {
                    false
                } else if what.take_note() {
                    true
                } else {
                    engine.was_unblocked();
                    false
                }
            }
        };
        match (told, what.poll(waker)) {
            (_, Some(result)) => Step::Ready(Some(result)),
            (true, None) => Step::Ready(None),
            (false, None) => Step::Queued { spin: true },
        }
    });
    engine.rises(&mut ticket);
    if what.take_note() {
        engine.unblock();
    }
    found.flatten()
}

#[cfg(feature = "async")]
impl<T> Future for Job<'_, T> {
    type Output = Result<T, JobError>;

    fn poll(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        match self.promise.poll(cx.waker()) {
            Some(result) => std::task::Poll::Ready(result),
            None => std::task::Poll::Pending,
        }
    }
}

impl<T> fmt::Debug for Job<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("finished", &self.is_finished()).finish_non_exhaustive()
    }
}
