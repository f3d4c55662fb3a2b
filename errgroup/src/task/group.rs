//! The group of tasks that run in parallel, on a runtime's threads.

use super::crew::{Crew, Mode};
use super::cx::{Cx, Named};
use super::spawn::Spawn;
use crate::builder::Builder;
use crate::core::Verdict;
use crate::error::{BuildError, LimitError, TaskId, TrySpawnError};
use crate::join::{FirstError, Join};
use crate::pool::Place;
use crate::primitives::Arc;
use crate::snapshot::{LiveTask, Snapshot, TaskState};
use crate::token::{CancelToken, WaitCancelledOwned};
use crate::waiters::Ticket;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

/// A group of tasks that run in parallel. They own what they use.
///
/// Without a limit each is a task of the runtime. With one, at most so many tasks of the runtime
/// run the group's, one after the other, and beyond the limit and the backlog a spawn waits.
///
/// Dropped without a join, it aborts its tasks: each is dropped where it waits. Forgetting it
/// leaks, and nothing else.
///
/// # Examples
///
/// ```
/// use lockgate_errgroup::task::Group;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let group = Group::new();
/// for n in 1..=3 {
///     group.spawn(move |_| async move { if n == 2 { Err("two") } else { Ok(()) } }).await;
/// }
/// assert!(group.join().await.is_err());
/// # }
/// ```
#[must_use = "a group that is dropped is aborted"]
pub struct Group<T: Send + 'static, E: Send + 'static, J: Join<T, E> = FirstError<E>> {
    crew: Arc<Crew<T, E>>,
    verdict: Arc<Verdict<J>>,
    /// Nothing is to be aborted when this is dropped.
    over: bool,
}

impl<T: Send + 'static, E: Send + 'static> Group<T, E> {
    /// No limit, and the first error cancels the rest and is returned.
    pub fn new() -> Self {
        Self::from_valid(Builder::new())
    }
}

impl<T: Send + 'static, E: Send + 'static> Default for Group<T, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send + 'static, E: Send + 'static, J: Join<T, E> + 'static> Group<T, E, J> {
    /// A group by the options of `builder`.
    ///
    /// Its tasks run on the runtime in which this is called, or, outside of one, in which each
    /// is spawned.
    ///
    /// # Errors
    ///
    /// An option is out of its range.
    pub fn build(builder: Builder<J>) -> Result<Self, BuildError> {
        builder.check()?;
        Ok(Self::from_valid(builder))
    }

    pub(super) fn from_valid(builder: Builder<J>) -> Self {
        let (crew, verdict) = Crew::new(builder);
        Self { crew, verdict, over: false }
    }

    /// Spawns a task: a request, to be `.await`ed. It waits while the limit and the backlog are
    /// reached, and is woken by the cancel.
    ///
    /// What it gives may be ignored. It says whether the task was accepted; once the group is
    /// cancelled none is, and the closure comes back.
    pub fn spawn<F, Fut>(&self, task: F) -> Spawn<'_, T, E, F>
    where
        F: FnOnce(Cx<T, E>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        Spawn::new(&self.crew, None, None, task)
    }

    /// Spawns a task if a slot is free for it. It never waits and never uses the backlog.
    ///
    /// # Errors
    ///
    /// The limit is reached or the group is cancelled. Both give the closure back.
    pub fn try_spawn<F, Fut>(&self, task: F) -> Result<TaskId, TrySpawnError<F>>
    where
        F: FnOnce(Cx<T, E>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        Spawn::new(&self.crew, None, None, task).try_now()
    }

    /// For the next spawn: the task's name, which errors, causes and snapshots tell.
    pub fn named(&self, name: impl Into<Arc<str>>) -> Named<'_, T, E> {
        Named { crew: &self.crew, depth: None, name: name.into() }
    }

    /// The group's token.
    #[must_use]
    pub fn token(&self) -> &CancelToken {
        &self.crew.core.token
    }

    /// Changes the limit of a group that has one. It never blocks.
    ///
    /// # Errors
    ///
    /// `limit` is 0, or the group was made without a limit.
    pub fn set_limit(&self, limit: usize) -> Result<(), LimitError> {
        self.crew.set_limit(limit)
    }

    /// What the group does at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.crew.snapshot()
    }

    /// The wait for a moment when no accepted task is left. The group can go on afterwards.
    pub fn wait_idle(&self) -> Idle<'_, T, E> {
        Idle { crew: &self.crew, ticket: None }
    }

    /// The wait for the end of all tasks, or for the group's deadline.
    pub fn join(self) -> Joining<T, E, J> {
        // Not the group's own token: that may be cancelled before, by an error or its parent, and
        // would tell nothing of the deadline then.
        let deadline = self.crew.core.token.deadline();
        let expired = deadline.map(|moment| CancelToken::with_deadline(moment).cancelled_owned());
        Joining { group: Some(self), ticket: None, expired }
    }

    /// Drops every task as soon as it waits.
    pub fn abort(&self) {
        self.crew.core.cancel("the group was aborted");
        self.crew.abort();
    }

    /// Cancels the group, waits for `grace`, aborts what is left, and waits for that.
    ///
    /// # Cancel safety
    ///
    /// Dropped, it aborts the group.
    pub async fn shutdown(self, grace: Duration) -> J::Output {
        self.token().cancel();
        let never = CancelToken::never();
        let (idle, grace) = (self.wait_idle(), never.sleep(grace));
        Either { idle, grace }.await;
        self.crew.abort();
        self.wait_idle().await;
        self.end(true, Vec::new())
    }

    /// The end: with everything over, or with stragglers, of which not all may be known.
    fn end(mut self, over: bool, stragglers: Vec<TaskId>) -> J::Output {
        self.over = over;
        let (crew, verdict) = (Arc::clone(&self.crew), Arc::clone(&self.verdict));
        // Aborts what is not over.
        drop(self);
        crew.core.conclude(&verdict, stragglers)
    }
}

impl<T: Send + 'static, E: Send + 'static, J: Join<T, E>> Drop for Group<T, E, J> {
    fn drop(&mut self) {
        if !self.over {
            self.crew.core.cancel("the group was dropped");
            self.crew.abort();
        }
    }
}

impl<T: Send + 'static, E: Send + 'static, J: Join<T, E>> fmt::Debug for Group<T, E, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("crew", &self.crew).finish_non_exhaustive()
    }
}

/// The first of two waits.
struct Either<A, B> {
    idle: A,
    grace: B,
}

impl<A: Future + Unpin, B: Future + Unpin> Future for Either<A, B> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if Pin::new(&mut this.idle).poll(cx).is_ready()
            || Pin::new(&mut this.grace).poll(cx).is_ready()
        {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// The wait for a moment when no accepted task is left, made by [`Group::wait_idle`].
///
/// # Cancel safety
///
/// Dropping it ends the wait, and nothing else.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct Idle<'a, T: Send + 'static, E: Send + 'static> {
    crew: &'a Arc<Crew<T, E>>,
    ticket: Option<Ticket>,
}

impl<T: Send + 'static, E: Send + 'static> Future for Idle<'_, T, E> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        quiet(this.crew, &mut this.ticket, cx.waker())
    }
}

fn quiet<T, E>(crew: &Crew<T, E>, ticket: &mut Option<Ticket>, waker: &Waker) -> Poll<()>
where
    T: Send + 'static,
    E: Send + 'static,
{
    match crew.poll_quiet(ticket, waker) {
        Place::Ready => Poll::Ready(()),
        Place::Queued => Poll::Pending,
    }
}

impl<T: Send + 'static, E: Send + 'static> Drop for Idle<'_, T, E> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.crew.leave_quiet(ticket);
        }
    }
}

impl<T: Send + 'static, E: Send + 'static> fmt::Debug for Idle<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Idle").finish_non_exhaustive()
    }
}

/// The wait for the end of a group, made by [`Group::join`].
///
/// At the group's deadline it is ready with what is there; what still runs is named and aborted. In
/// a group without a limit a task has no name there before it has waited for the first time: one
/// that has blocked its thread since it began is aborted as soon as it waits, but not named.
///
/// # Cancel safety
///
/// Dropped, it drops the group, which aborts its tasks. To wait and come back, use
/// [`wait_idle`](Group::wait_idle).
///
/// # Panics
///
/// If a task panicked and the group resumes panics; and when it is polled after it was ready.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct Joining<T: Send + 'static, E: Send + 'static, J: Join<T, E>> {
    group: Option<Group<T, E, J>>,
    ticket: Option<Ticket>,
    expired: Option<WaitCancelledOwned>,
}

impl<T: Send + 'static, E: Send + 'static, J: Join<T, E> + 'static> Future for Joining<T, E, J> {
    type Output = J::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let group = this.group.as_ref().expect("a join is not polled again after it was ready");
        let mut stragglers = Vec::new();
        let over = quiet(&group.crew, &mut this.ticket, cx.waker()).is_ready();
        if !over {
            let cancelled =
                this.expired.as_mut().is_some_and(|wait| wait.poll_once(true, cx.waker()));
            if !cancelled || !group.crew.core.is_past_deadline() {
                return Poll::Pending;
            }
            group.crew.visit(|running, id| {
                if running {
                    stragglers.push(id);
                }
            });
        }
        if let Some(ticket) = this.ticket.take() {
            group.crew.leave_quiet(ticket);
        }
        match this.group.take() {
            Some(group) => Poll::Ready(group.end(over, stragglers)),
            None => unreachable!("it was there above"),
        }
    }
}

impl<T: Send + 'static, E: Send + 'static, J: Join<T, E>> Unpin for Joining<T, E, J> {}

impl<T: Send + 'static, E: Send + 'static, J: Join<T, E>> Drop for Joining<T, E, J> {
    fn drop(&mut self) {
        if let (Some(ticket), Some(group)) = (self.ticket.take(), &self.group) {
            group.crew.leave_quiet(ticket);
        }
    }
}

impl<T: Send + 'static, E: Send + 'static, J: Join<T, E>> fmt::Debug for Joining<T, E, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joining").field("group", &self.group).finish_non_exhaustive()
    }
}

#[cfg(feature = "sync")]
mod blocking {
    use super::{Group, Idle, Join, Joining};
    use crate::parker::{Step, drive};
    use crate::primitives::Deadline;
    use crate::wait_group::StillBusy;
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};
    use std::time::{Duration, Instant};

    /// Blocks this thread until `wait` is ready.
    fn wait<F: Future + Unpin>(mut wait: F) -> F::Output {
        loop {
            if let Some(output) = wait_until(&mut wait, None) {
                return output;
            }
        }
    }

    /// The same for no longer than until `deadline`. What is ready by then wins.
    fn wait_until<F: Future + Unpin>(
        wait: &mut F,
        deadline: Option<&Deadline>,
    ) -> Option<F::Output> {
        let mut poll = |waker: &Waker| Pin::new(&mut *wait).poll(&mut Context::from_waker(waker));
        let ready = drive(deadline, |waker| match poll(waker) {
            Poll::Ready(output) => Step::Ready(output),
            Poll::Pending => Step::Queued { spin: false },
        });
        if ready.is_some() {
            return ready;
        }
        // CANCEL: what was settled in the meantime is the answer.
        match poll(Waker::noop()) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    impl<T: Send + 'static, E: Send + 'static> Idle<'_, T, E> {
        /// Blocks this thread until no accepted task is left. Not to be called in a task.
        pub fn wait(self) {
            wait(self);
        }

        /// [`wait`](Self::wait) for no longer than `timeout`; one beyond the clock's range is no
        /// time-out. An idle group wins over the time-out, also over one of zero.
        ///
        /// # Errors
        ///
        /// Tasks were left all the time.
        pub fn wait_timeout(self, timeout: Duration) -> Result<(), StillBusy> {
            self.wait_until(Deadline::after(timeout).as_ref())
        }

        /// [`wait`](Self::wait) for no longer than until `deadline`. An idle group wins over the
        /// deadline, also over one in the past.
        ///
        /// # Errors
        ///
        /// Tasks were left all the time.
        pub fn wait_deadline(self, deadline: Instant) -> Result<(), StillBusy> {
            self.wait_until(Some(&Deadline::at(deadline)))
        }

        fn wait_until(mut self, deadline: Option<&Deadline>) -> Result<(), StillBusy> {
            wait_until(&mut self, deadline).ok_or(StillBusy(()))
        }
    }

    impl<T: Send + 'static, E: Send + 'static, J: Join<T, E> + 'static> Joining<T, E, J> {
        /// Blocks this thread until all tasks have ended, or until the group's deadline. Not to
        /// be called in a task.
        ///
        /// # Panics
        ///
        /// As the future.
        pub fn wait(self) -> J::Output {
            wait(self)
        }

        /// [`wait`](Self::wait) for no longer than `timeout`; one beyond the clock's range is no
        /// time-out.
        ///
        /// # Errors
        ///
        /// Tasks are left: the group comes back, and goes on.
        ///
        /// # Panics
        ///
        /// As the future.
        pub fn wait_timeout(self, timeout: Duration) -> Result<J::Output, Group<T, E, J>> {
            self.wait_until(Deadline::after(timeout).as_ref())
        }

        /// [`wait`](Self::wait) for no longer than until `deadline`.
        ///
        /// # Errors
        ///
        /// Tasks are left: the group comes back, and goes on.
        ///
        /// # Panics
        ///
        /// As the future.
        pub fn wait_deadline(self, deadline: Instant) -> Result<J::Output, Group<T, E, J>> {
            self.wait_until(Some(&Deadline::at(deadline)))
        }

        fn wait_until(mut self, deadline: Option<&Deadline>) -> Result<J::Output, Group<T, E, J>> {
            if let Some(output) = wait_until(&mut self, deadline) {
                return Ok(output);
            }
            let group = self.group.take().expect("a join that is not ready has its group");
            if let Some(ticket) = self.ticket.take() {
                group.crew.leave_quiet(ticket);
            }
            Err(group)
        }
    }
}

impl<T: Send + 'static, E: Send + 'static> Crew<T, E> {
    pub(super) fn set_limit(self: &Arc<Self>, limit: usize) -> Result<(), LimitError> {
        LimitError::check(limit)?;
        match &self.mode {
            Mode::Unlimited(_) => Err(LimitError::Unlimited),
            Mode::Limited(pool) => {
                self.start(pool.set_limit(limit));
                Ok(())
            }
        }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        match &self.mode {
            Mode::Limited(pool) => {
                let mut snapshot = Snapshot::of(&self.core, pool);
                // Those that are not being polled wait.
                self.visit_waiting(|id| snapshot.note_waiting(id));
                snapshot
            }
            Mode::Unlimited(count) => {
                let mut tasks = Vec::new();
                self.visit_waiting(|id| {
                    let (index, state) = (id.index, TaskState::Waiting);
                    let (age, waits_for) = self.core.told_of(index);
                    tasks.push(LiveTask { id: id.clone(), state, age, waits_for });
                });
                Snapshot::unlimited(&self.core, count.live(), tasks)
            }
        }
    }
}
