//! Jobs that belong together: the first error cancels those that have not started.
//!
//! A group is a list of its jobs beside the pool's queue, so that a cancel reaches each of them wherever
//! it waits, and whoever waits for the group inside the pool can run them. Who ends a job, by running or
//! by refusing it, counts it out; the last one tells whoever waits.

mod member;

use super::handle::{Awaited, Job, park_inside};
use super::house::House;
use super::pool::Pool;
use super::submit::Submitter;
use super::task::Task;
use crate::engine::Outcome;
use crate::error::{GroupError, JobError, Reason, Rejected, drop_payload};
use crate::job::Claim;
use crate::parker::{Step, drive};
use crate::primitives::{Arc, Deadline, Mutex};
use member::Member;
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::time::{Duration, Instant};

type Members<'env> = VecDeque<Arc<dyn Claim + 'env>>;

struct Shared<'env, E> {
    house: Arc<House<'env, Task<'env>>>,
    state: Mutex<State<'env, E>>,
}

struct State<'env, E> {
    /// Jobs that were accepted, or are about to be, and are not over.
    live: usize,
    /// Of those, jobs that were handed back and run by hand.
    outside: usize,
    /// Those that nobody has started, and void ones between them: at most about as many.
    ///
    /// INVARIANT: empty when no job is live, or a group would keep itself alive.
    members: Members<'env>,
    cancelled: bool,
    /// What the wait gives, once.
    first: Option<GroupError<E>>,
    /// Of whoever waits.
    waker: Option<Waker>,
    /// It is a worker of the pool that waits, and counts as blocked.
    parked: bool,
}

/// What whoever waits for a group finds.
enum Found<E> {
    Over(Result<(), GroupError<E>>),
    /// A job of the group that nobody has started.
    More,
}

impl<'env, E: Send + 'env> Shared<'env, E> {
    /// Counts a job in, before it is placed: it may be over before the pool says that it was accepted.
    fn admit(&self, member: Arc<dyn Claim + 'env>) -> Result<(), Reason> {
        const FEW: usize = 64;
        let mut state = self.state.lock();
        if state.cancelled {
            drop(state);
            return Err(Reason::Cancelled);
        }
        state.live += 1;
        let mut void = Members::new();
        if state.members.len() >= FEW.max(state.live * 2) {
            let all = mem::take(&mut state.members);
            let (gone, kept) = all.into_iter().partition(|member| member.is_void());
            (void, state.members) = (gone, kept);
        }
        state.members.push_back(member);
        // A worker that waits for the group may be the only one who can run it.
        let waker = if state.parked { state.waker.take() } else { None };
        drop(state);
        drop_payload(void);
        wake(waker);
        Ok(())
    }

    /// A job is over, and `why` if it did not run.
    fn end(&self, why: Option<JobError>) {
        if let Some(why) = why {
            drop_payload(self.fail(GroupError::Job(why)));
        }
        let mut state = self.state.lock();
        state.live -= 1;
        if state.live > 0 {
            return;
        }
        let (void, waker) = (mem::take(&mut state.members), state.waker.take());
        let parked = mem::take(&mut state.parked);
        drop(state);
        if parked {
            // First: whoever is told next counts again.
            self.house.engine.unblock();
        }
        wake(waker);
        drop_payload(void);
    }

    /// Ends what has not started. Gives the error back if it is not the first.
    fn fail(&self, error: GroupError<E>) -> Option<GroupError<E>> {
        let mut state = self.state.lock();
        if state.cancelled {
            drop(state);
            return Some(error);
        }
        state.cancelled = true;
        state.first = Some(error);
        let members = mem::take(&mut state.members);
        drop(state);
        let mut refused = 0;
        for ran in members.iter().filter_map(|member| member.refuse(JobError::Aborted)) {
            self.house.finish(ran);
            refused += 1;
        }
        if refused > 0 {
            self.house.engine.withdraw_many(refused, None);
        }
        drop_payload(members);
        None
    }

    fn poll(&self, waker: &Waker) -> Option<Result<(), GroupError<E>>> {
        let mut spare = None;
        loop {
            let mut state = self.state.lock();
            if state.live == 0 {
                let first = state.first.take();
                drop(state);
                return Some(first.map_or(Ok(()), Err));
            }
            if state.waker.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
                return None;
            }
            if let Some(fresh) = spare.take() {
                let stale = state.waker.replace(fresh);
                drop(state);
                drop(stale);
                return None;
            }
            drop(state);
            spare = Some(waker.clone());
        }
    }

    /// Runs the group's jobs that nobody has started; `false` if too many run inside each other.
    fn run_here(&self) -> bool {
        loop {
            let next = self.state.lock().members.pop_front();
            let Some(member) = next else { return true };
            match self.house.nest(|| member.run()) {
                Some(ran) => {
                    let outcome = self.house.finish(ran);
                    if outcome != Outcome::Void {
                        self.house.engine.withdraw(Some(outcome));
                    }
                }
                None => {
                    self.state.lock().members.push_front(member);
                    return false;
                }
            }
        }
    }

    #[cold]
    fn wait_inside(&self) -> Result<(), GroupError<E>> {
        loop {
            let looks = self.run_here();
            match park_inside(&self.house, &Inside { shared: self, looks }) {
                Some(Found::Over(result)) => return result,
                Some(Found::More) => {}
                None => return Err(GroupError::Job(JobError::WouldDeadlock)),
            }
        }
    }
}

/// A worker of the pool that waits for a group; `looks`: it runs what comes meanwhile.
struct Inside<'s, 'env, E> {
    shared: &'s Shared<'env, E>,
    looks: bool,
}

impl<'env, E: Send + 'env> Awaited<Found<E>> for Inside<'_, 'env, E> {
    fn poll(&self, waker: &Waker) -> Option<Found<E>> {
        if let Some(result) = self.shared.poll(waker) {
            return Some(Found::Over(result));
        }
        let more = self.looks && !self.shared.state.lock().members.is_empty();
        more.then_some(Found::More)
    }

    fn needs_workers(&self) -> bool {
        let state = self.shared.state.lock();
        // One that does not look needs others for what nobody has started.
        state.outside == 0 && (!self.looks || state.members.is_empty())
    }

    fn note_parked(&self) -> bool {
        let mut state = self.shared.state.lock();
        state.parked = state.live > 0;
        state.parked
    }

    fn take_note(&self) -> bool {
        mem::take(&mut self.shared.state.lock().parked)
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            drop_payload(payload);
        }
    }
}

/// A way into a [`Group`], for its jobs too: they may submit others. A clone is the same group.
pub struct GroupHandle<'env, E> {
    shared: Arc<Shared<'env, E>>,
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
        let house = &self.shared.house;
        let cell = Submitter::new(house).cell(job, |_| false);
        let shared = Arc::clone(&self.shared);
        let member = Arc::new(Member { cell: Arc::clone(&cell), shared });
        let accepted =
            Job { promise: Arc::clone(&member) as _, house: Arc::clone(house), has_turn: false };
        let (admitted, placed) = match self.shared.admit(Arc::clone(&member) as _) {
            Ok(()) => (true, self.place(&member)),
            Err(reason) => (false, Err(reason)),
        };
        let Err(reason) = placed else { return Ok(accepted) };
        // CANCEL: where a cancel has ended it in the meantime, it was accepted, and aborted; and a
        // worker that waits for the group may have run it.
        let Some(job) = cell.take_back() else {
            house.engine.note_unplaced();
            return Ok(accepted);
        };
        if admitted {
            self.shared.end(None);
        }
        Err(Submitter::new(house).rejected(job, reason))
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
        self.shared.state.lock().cancelled
    }

    /// How many of its jobs were accepted and are not over.
    pub fn pending(&self) -> usize {
        self.shared.state.lock().live
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
#[must_use = "dropping a group detaches its jobs"]
pub struct Group<'env, E> {
    handle: GroupHandle<'env, E>,
}

impl<'env, E: Send + 'env> Group<'env, E> {
    pub(crate) fn of(house: &Arc<House<'env, Task<'env>>>) -> Self {
        let state = State {
            live: 0,
            outside: 0,
            members: Members::new(),
            cancelled: false,
            first: None,
            waker: None,
            parked: false,
        };
        let shared = Shared { house: Arc::clone(house), state: Mutex::new(state) };
        Self { handle: GroupHandle { shared: Arc::new(shared) } }
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
            return self.shared.wait_inside();
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
            self.shared.run_here();
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
        let state = self.shared.state.lock();
        let (pending, cancelled) = (state.live, state.cancelled);
        drop(state);
        f.debug_struct("GroupHandle")
            .field("pending", &pending)
            .field("cancelled", &cancelled)
            .finish_non_exhaustive()
    }
}

impl<E> fmt::Debug for Group<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Group").field(&self.handle).finish()
    }
}
