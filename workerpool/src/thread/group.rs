//! Groups of closures: how a thread waits for one, inside the pool too.

use super::handle::{Awaited, Job, park_inside};
use super::house::House;
use super::pool::Pool;
use super::submit::Submitter;
use super::task::Task;
use crate::engine::Outcome;
use crate::error::{GroupError, JobError, Reason, Rejected, drop_payload};
use crate::group::{Host, OfGroup, Shared};
use crate::job::{Cell, Claim};
use crate::parker::{Step, drive};
use crate::primitives::{Arc, Deadline};
use std::fmt;
use std::ops::Deref;
use std::task::Waker;
use std::time::{Duration, Instant};

type Inner<'env, E> = Shared<House<'env, Task<'env>>, E>;

impl<'env> Host for House<'env, Task<'env>> {
    type Job = dyn Claim + 'env;

    fn is_void(job: &Self::Job) -> bool {
        job.is_void()
    }

    fn abort(&self, job: &Self::Job) -> bool {
        let refused = job.refuse(JobError::Aborted);
        refused.map(|ran| self.finish(ran)).is_some()
    }
}

/// What whoever waits for a group finds.
enum Found<E> {
    Over(Result<(), GroupError<E>>),
    /// A job of the group that nobody has started.
    More,
}

/// Runs the group's jobs that nobody has started; `false` if too many run inside each other.
fn run_here<E>(shared: &Inner<'_, E>) -> bool {
    let house = &shared.house;
    while let Some(member) = shared.take_member() {
        let Some(ran) = house.nest(|| member.run()) else {
            shared.return_member(member);
            return false;
        };
        let outcome = house.finish(ran);
        if outcome != Outcome::Void {
            house.engine.withdraw(Some(outcome));
        }
    }
    true
}

#[cold]
fn wait_inside<'env, E: Send + 'env>(shared: &Inner<'env, E>) -> Result<(), GroupError<E>> {
    loop {
        let looks = run_here(shared);
        match park_inside(&shared.house, &Inside { shared, looks }) {
            Some(Found::Over(result)) => return result,
            Some(Found::More) => {}
            None => return Err(GroupError::Job(JobError::WouldDeadlock)),
        }
    }
}

/// A worker of the pool that waits for a group; `looks`: it runs what comes meanwhile.
struct Inside<'s, 'env, E> {
    shared: &'s Inner<'env, E>,
    looks: bool,
}

impl<'env, E: Send + 'env> Awaited<Found<E>> for Inside<'_, 'env, E> {
    fn poll(&self, waker: &Waker) -> Option<Found<E>> {
        if let Some(result) = self.shared.poll(waker) {
            return Some(Found::Over(result));
        }
        (self.looks && self.shared.has_members()).then_some(Found::More)
    }

    fn needs_workers(&self) -> bool {
        self.shared.needs_workers(self.looks)
    }

    fn note_parked(&self) -> bool {
        self.shared.note_parked()
    }

    fn take_note(&self) -> bool {
        self.shared.take_note()
    }
}

/// A way into a [`Group`], for its jobs too: they may submit others. A clone is the same group.
pub struct GroupHandle<'env, E> {
    shared: Arc<Inner<'env, E>>,
}

impl<'env, E: Send + 'env> GroupHandle<'env, E> {
    /// Submits a job of the group and gives a handle to its value. Its error is the group's, and its
    /// handle's result is [`JobError::Failed`] then. Where there is no room, the pool's
    /// [`Reject`](super::Reject) says what happens.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job: the group is cancelled, or as for [`Pool::submit`].
    pub fn submit<T, F>(&self, job: F) -> Result<Job<'env, T>, Rejected<F>>
    where
        T: Send + 'env,
        F: FnOnce() -> Result<T, E> + Send + 'env,
    {
        let submitter = Submitter::new(&self.shared.house);
        let judge = OfGroup(Arc::clone(&self.shared));
        let cell = Cell::new(job, None, judge, submitter.tag());
        let (admitted, placed) = match self.shared.admit(Arc::clone(&cell) as _) {
            Ok(()) => (true, self.place(&cell)),
            Err(reason) => (false, Err(reason)),
        };
        let Err(reason) = placed else { return Ok(submitter.handle(cell)) };
        // CANCEL: where a cancel has ended it in the meantime, it was accepted, and aborted; and a
        // worker that waits for the group may have run it.
        let Some(job) = cell.take_back() else {
            self.shared.house.engine.note_unplaced();
            return Ok(submitter.handle(cell));
        };
        if admitted {
            self.shared.end();
        }
        Err(submitter.rejected(job, reason))
    }

    /// Submits a job of the group. Its error is the group's.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job: the group is cancelled, or as for [`Pool::spawn`].
    pub fn spawn<F>(&self, job: F) -> Result<(), Rejected<F>>
    where
        F: FnOnce() -> Result<(), E> + Send + 'env,
    {
        self.submit(job).map(drop)
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

    /// How many of its jobs were accepted and are not over.
    pub fn pending(&self) -> usize {
        self.shared.live()
    }

    fn place<M: Claim + 'env>(&self, member: &Arc<M>) -> Result<(), Reason> {
        let submitter = Submitter::new(&self.shared.house);
        let make = || submitter.item(Task::Job(Arc::clone(member) as _));
        match self.shared.house.try_place(make) {
            Err(Reason::Full) => submitter.submit_cell(member),
            placed => placed,
        }
    }
}

/// Jobs of a pool that belong together: the first error aborts those that have not started, and is what
/// waiting for the group gives. See [`Pool::group`].
///
/// What counts as an error is a job that gives one, that panics, or that was accepted and does not run:
/// aborted by its handle, dropped for want of room, handed back by a purge or a shutdown and not run by
/// hand. Jobs that run are not interrupted; they may ask [`is_cancelled`](GroupHandle::is_cancelled).
///
/// It is a handle: dropping it detaches. Its jobs go on, and the first error still aborts the others.
///
/// # Inside a worker
///
/// A job of the pool that waits for a group runs the group's jobs that have not started, and no others.
/// What runs elsewhere is waited for, unless every other worker that has a job waits so too: that is
/// [`JobError::WouldDeadlock`].
///
/// # Cancel safety
///
/// Awaited by a task, it may be dropped at any time, which detaches it.
#[must_use = "dropping a group detaches its jobs"]
pub struct Group<'env, E> {
    handle: GroupHandle<'env, E>,
}

impl<'env, E: Send + 'env> Group<'env, E> {
    pub(crate) fn of(house: &Arc<House<'env, Task<'env>>>) -> Self {
        Self { handle: GroupHandle { shared: Shared::new(house) } }
    }

    /// A way into the group, for others.
    pub fn handle(&self) -> GroupHandle<'env, E> {
        self.handle.clone()
    }

    /// Waits until nothing of the group waits or runs.
    ///
    /// # Errors
    ///
    /// The first [`GroupError`].
    pub fn wait(self) -> Result<(), GroupError<E>> {
        if self.shared.house.is_inside() {
            return wait_inside(&self.shared);
        }
        match self.drive(None) {
            Some(result) => result,
            None => unreachable!("there is no deadline"),
        }
    }

    /// Waits for no longer than `timeout`. Inside a worker of the same pool, a job of the group that
    /// runs here may take longer.
    ///
    /// # Errors
    ///
    /// The group, when the time is over.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Result<(), GroupError<E>>, Self> {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    /// Waits until `deadline`, with the exception of [`wait_timeout`](Self::wait_timeout).
    ///
    /// # Errors
    ///
    /// The group, when the time is over.
    pub fn wait_deadline(self, deadline: Instant) -> Result<Result<(), GroupError<E>>, Self> {
        self.wait_until(Some(&Deadline::at(deadline)))
    }

    fn wait_until(self, deadline: Option<&Deadline>) -> Result<Result<(), GroupError<E>>, Self> {
        if self.shared.house.is_inside() {
            run_here(&self.shared);
        }
        self.drive(deadline).ok_or(self)
    }

    fn drive(&self, deadline: Option<&Deadline>) -> Option<Result<(), GroupError<E>>> {
        let found = drive(deadline, |waker| match self.shared.poll(waker) {
            Some(result) => Step::Ready(result),
            None => Step::Queued { spin: true },
        });
        // It may have ended at the very moment.
        found.or_else(|| self.shared.poll(Waker::noop()))
    }
}

impl<'env, E> Deref for Group<'env, E> {
    type Target = GroupHandle<'env, E>;

    fn deref(&self) -> &GroupHandle<'env, E> {
        &self.handle
    }
}

#[cfg(feature = "async")]
impl<'env, E: Send + 'env> Future for Group<'env, E> {
    type Output = Result<(), GroupError<E>>;

    fn poll(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        match self.shared.poll(cx.waker()) {
            Some(result) => std::task::Poll::Ready(result),
            None => std::task::Poll::Pending,
        }
    }
}

impl<'env> Pool<'env> {
    /// A group: jobs of which the first error aborts those that have not started.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::GroupError;
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let group = pool.group();
    /// let length = group.submit(|| Ok("abc".len()))?;
    /// group.spawn(|| "x".parse::<u32>().map(drop))?;
    /// assert!(matches!(group.wait(), Err(GroupError::Failed(_))), "the first error");
    /// drop(length); // 3, if it ran before the other failed
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn group<E: Send + 'env>(&self) -> Group<'env, E> {
        Group::of(self.house())
    }
}

impl<E> Clone for GroupHandle<'_, E> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<E> fmt::Debug for GroupHandle<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.tell(f)
    }
}

impl<E> fmt::Debug for Group<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Group").field(&self.handle).finish()
    }
}
