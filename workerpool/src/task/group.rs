//! Groups of tasks: how a job comes into one.

use super::cell::{Cell, Claim};
use super::handle::Job;
use super::house::House;
use super::placing::{Draft, Kept, Placing};
use super::pool::Pool;
use super::submit::Submitter;
use super::work::{Body, Work};
use crate::engine::Outcome;
use crate::error::{GroupError, JobError, Reason, Rejected, drop_payload};
use crate::group::{Host, OfGroup, Shared};
#[cfg(feature = "sync")]
use crate::parker::{Step, drive};
use crate::primitives::Arc;
#[cfg(feature = "sync")]
use crate::primitives::Deadline;
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll};
#[cfg(feature = "sync")]
use std::time::{Duration, Instant};

impl Host for House {
    type Job = dyn Claim;

    fn is_void(job: &Self::Job) -> bool {
        job.is_void()
    }

    fn abort(&self, job: &Self::Job) -> bool {
        job.refuse(JobError::Aborted)
    }
}

type Member<F, T, E> = Cell<F, T, OfGroup<House, E>>;

/// A job on its way into a group. Dropped before it has a place, it is counted out.
struct Entrant<F, T, E> {
    cell: Arc<Member<F, T, E>>,
    /// It is counted in, and nobody else will count it out.
    owes: bool,
}

impl<F, T, E> Entrant<F, T, E> {
    /// It had its end, or will have it elsewhere.
    fn kept(&mut self) -> Kept<F, T, OfGroup<House, E>> {
        self.owes = false;
        Kept(Arc::clone(&self.cell))
    }

    /// The job, if it did not have its end in the meantime; it is counted out then.
    fn leave(&mut self) -> Option<F> {
        let job = self.cell.take_back();
        if job.is_some() && self.owes {
            self.cell.judge().0.end();
        }
        self.owes = false;
        job
    }
}

impl<F, T, E> Draft for Entrant<F, T, E>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    type Job = F;

    fn admit(&mut self) -> Result<(), Reason> {
        self.cell.judge().0.admit(Arc::clone(&self.cell) as _)?;
        self.owes = true;
        Ok(())
    }

    fn entry(&mut self) -> Work {
        self.kept().entry()
    }

    fn begin(&mut self) -> Result<Body, Outcome> {
        self.kept().begin()
    }

    fn refuse(&mut self, why: JobError) -> bool {
        self.kept().refuse(why)
    }

    fn take_back(mut self) -> Result<F, Self> {
        // CANCEL: where a cancel has ended it in the meantime, it was accepted, and aborted.
        self.leave().ok_or(self)
    }
}

impl<F, T, E> Drop for Entrant<F, T, E> {
    fn drop(&mut self) {
        if self.owes {
            // CANCEL: it has no place yet, and goes with the request; or a cancel of the group has ended it,
            // which says that it is withdrawn.
            if self.leave().is_none() {
                self.cell.judge().0.house.engine.note_unplaced();
            }
        }
    }
}

/// A way into a [`Group`], for its jobs too: they may submit others. A clone is the same group.
pub struct GroupHandle<E> {
    shared: Arc<Shared<House, E>>,
}

impl<E: Send + 'static> GroupHandle<E> {
    /// Hands a job of the group over: a request, which gives a handle to the job's value. Its error is the
    /// group's, and its handle's result is [`JobError::Failed`] then. Where there is no room, the
    /// pool's [`Reject`](super::Reject) says what happens.
    ///
    /// # Errors
    ///
    /// The request gives [`Rejected`], with the job: the group is cancelled, or as for [`Pool::submit`].
    pub fn submit<F, T>(&self, job: F) -> GroupSubmit<'_, F, T, E>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let submitter = Submitter::new(&self.shared.house);
        let judge = OfGroup(Arc::clone(&self.shared));
        let cell = Cell::new(job, None, judge, submitter.tag());
        GroupSubmit { placing: Placing::new(submitter, Entrant { cell, owes: false }, false) }
    }

    /// Hands a job of the group over, whose error is the group's: a request.
    ///
    /// # Errors
    ///
    /// The request gives [`Rejected`], with the job: the group is cancelled, or as for [`Pool::spawn`].
    pub fn spawn<F>(&self, job: F) -> GroupSpawn<'_, F, E>
    where
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        GroupSpawn(self.submit(job))
    }

    /// Aborts the jobs that have not started, and takes no more. What runs goes on. Has no effect on a
    /// group that is cancelled, by an error for instance.
    pub fn cancel(&self) {
        drop_payload(self.shared.fail(GroupError::Cancelled));
    }

    /// Whether it was cancelled, or a job has failed: what runs may look, and give up.
    pub fn is_cancelled(&self) -> bool {
        self.shared.is_cancelled()
    }

    /// How many of its jobs were accepted and are not over, those included that wait for a place.
    pub fn pending(&self) -> usize {
        self.shared.live()
    }
}

/// Hands a job of a group over, by the pool's policy: a request, which does nothing until it is waited
/// for. It gives the job's handle. See [`GroupHandle::submit`].
///
/// # Cancel safety
///
/// Dropping it before it is ready drops the job, and its turn goes to the next. That goes for a job
/// too that runs here, in whoever submits it: that one counts as aborted, and its group is cancelled.
#[must_use = "a request does nothing until it is waited for"]
pub struct GroupSubmit<'g, F, T, E> {
    placing: Placing<'g, Entrant<F, T, E>>,
}

/// Hands a job of a group over, whose handle nobody wants: a request. See [`GroupHandle::spawn`].
///
/// # Cancel safety
///
/// As that of [`GroupSubmit`].
#[must_use = "a request does nothing until it is waited for"]
pub struct GroupSpawn<'g, F, E>(GroupSubmit<'g, F, (), E>);

impl<F, T, E> GroupSubmit<'_, F, T, E>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Result<Job<T>, Rejected<F>>> {
        let submitter = self.placing.submitter;
        self.placing.poll(cx).map_ok(|mut placed| submitter.handle(placed.kept()))
    }

    /// Waits on a thread outside of the runtime.
    ///
    /// # Errors
    ///
    /// As [`GroupHandle::submit`].
    #[cfg(feature = "sync")]
    pub fn wait(mut self) -> Result<Job<T>, Rejected<F>> {
        super::submit::block_on(|cx| self.poll_once(cx))
    }
}

impl<F, E> GroupSpawn<'_, F, E>
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Send + 'static,
{
    /// Waits on a thread outside of the runtime.
    ///
    /// # Errors
    ///
    /// As [`GroupHandle::spawn`].
    #[cfg(feature = "sync")]
    pub fn wait(self) -> Result<(), Rejected<F>> {
        self.0.wait().map(drop)
    }
}

impl<F, T, E> Future for GroupSubmit<'_, F, T, E>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    type Output = Result<Job<T>, Rejected<F>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_once(cx)
    }
}

impl<F, E> Future for GroupSpawn<'_, F, E>
where
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Send + 'static,
{
    type Output = Result<(), Rejected<F>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_once(cx).map_ok(drop)
    }
}

/// The job is not pinned in it: that happens where it is run.
impl<F, T, E> Unpin for GroupSubmit<'_, F, T, E> {}
impl<F, E> Unpin for GroupSpawn<'_, F, E> {}

/// Jobs of a pool that belong together: the first error aborts those that have not started, and is what
/// waiting for the group gives. See [`Pool::group`].
///
/// What counts as an error is a job that gives one, that panics, or that was accepted and does not run to
/// its end: aborted by its handle, dropped for want of room, handed back by a purge or a shutdown and not
/// run by hand, lost with its runtime. Jobs that run are not interrupted; they may ask
/// [`is_cancelled`](GroupHandle::is_cancelled).
///
/// It is a handle, which a task `.await`s and a thread outside of the runtime `.wait()`s for: dropping it
/// detaches. Its jobs go on, and the first error still aborts the others.
///
/// A job that awaits a group of its pool keeps its own place meanwhile, as one that awaits a [`Job`].
///
/// # Cancel safety
///
/// It may be dropped at any time, which detaches it.
#[must_use = "dropping a group detaches its jobs"]
pub struct Group<E> {
    handle: GroupHandle<E>,
}

impl<E: Send + 'static> Group<E> {
    /// A way into the group, for others.
    pub fn handle(&self) -> GroupHandle<E> {
        self.handle.clone()
    }
}

#[cfg(feature = "sync")]
impl<E: Send + 'static> Group<E> {
    /// Waits until nothing of the group waits or runs, on a thread outside of the runtime.
    ///
    /// # Errors
    ///
    /// The first [`GroupError`].
    pub fn wait(self) -> Result<(), GroupError<E>> {
        match self.drive(None) {
            Some(result) => result,
            None => unreachable!("there is no deadline"),
        }
    }

    /// Waits for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// The group, when the time is over.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<(), GroupError<E>>, Self> {
        self.drive(Deadline::after(timeout).as_ref()).ok_or(self)
    }

    /// Waits until `deadline`.
    ///
    /// # Errors
    ///
    /// The group, when the time is over.
    pub fn wait_deadline(self, deadline: Instant) -> Result<Result<(), GroupError<E>>, Self> {
        self.drive(Some(&Deadline::at(deadline))).ok_or(self)
    }

    fn drive(&self, deadline: Option<&Deadline>) -> Option<Result<(), GroupError<E>>> {
        let found = drive(deadline, |waker| match self.shared.poll(waker) {
            Some(result) => Step::Ready(result),
            None => Step::Queued { spin: true },
        });
        // It may have ended at the very moment.
        found.or_else(|| self.shared.poll(std::task::Waker::noop()))
    }
}

impl<E> Deref for Group<E> {
    type Target = GroupHandle<E>;

    fn deref(&self) -> &GroupHandle<E> {
        &self.handle
    }
}

impl<E: Send + 'static> Future for Group<E> {
    type Output = Result<(), GroupError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.shared.poll(cx.waker()).map_or(Poll::Pending, Poll::Ready)
    }
}

impl Pool {
    /// A group: jobs of which the first error aborts those that have not started.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::GroupError;
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let group = pool.group();
    /// let length = group.submit(async { Ok("abc".len()) }).await?;
    /// group.spawn(async { "x".parse::<u32>().map(drop) }).await?;
    /// assert!(matches!(group.await, Err(GroupError::Failed(_))), "the first error");
    /// drop(length); // 3, if it ran before the other failed
    /// # Ok(())
    /// # }
    /// ```
    pub fn group<E: Send + 'static>(&self) -> Group<E> {
        Group { handle: GroupHandle { shared: Shared::new(self.house()) } }
    }
}

impl<E> Clone for GroupHandle<E> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<E> fmt::Debug for GroupHandle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.tell(f)
    }
}

impl<E> fmt::Debug for Group<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Group").field(&self.handle).finish()
    }
}

impl<F, T, E> fmt::Debug for GroupSubmit<'_, F, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupSubmit").finish_non_exhaustive()
    }
}

impl<F, E> fmt::Debug for GroupSpawn<'_, F, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupSpawn").finish_non_exhaustive()
    }
}
