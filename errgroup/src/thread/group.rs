//! The group that is not bound to a scope: tasks own what they use.

use super::crew::{Crew, Origin, Starter};
use super::cx::Cx;
use super::idle::Idle;
use crate::builder::Builder;
use crate::core::Verdict;
use crate::error::{BuildError, LimitError, Spawned, TaskId, TrySpawnError};
use crate::join::{FirstError, Join};
use crate::primitives::{Arc, Deadline, Mutex};
use crate::snapshot::Snapshot;
use crate::token::{CancelToken, WaitCancelledOwned};
use crate::waiters::Ticket;
use std::fmt;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
#[cfg(feature = "async")]
use {
    crate::pool::Place,
    std::future::Future,
    std::pin::Pin,
    std::task::{Context, Poll},
};

/// The handles of a group's threads.
type Handles = Arc<Mutex<Vec<JoinHandle<()>>>>;

/// A group of threads whose tasks own what they use.
///
/// Unlike a [`scope`](super::scope) it can return at its deadline with what is there, and name
/// the tasks that still run: they are left behind, because a thread cannot be aborted.
///
/// Dropped without a join, it cancels its token and leaves its threads to end by themselves.
///
/// # Examples
///
/// ```
/// use lockgate_errgroup::thread::Group;
///
/// let group = Group::new();
/// for n in 1..=3 {
///     group.spawn(move |_| if n == 2 { Err("two") } else { Ok(()) });
/// }
/// assert!(group.join().wait().is_err());
/// ```
#[must_use = "a group that is dropped is cancelled"]
pub struct Group<T, E, J: Join<T, E> = FirstError<E>> {
    /// `None` once a join has taken it.
    crew: Option<Arc<Crew<'static, 'static, T, E>>>,
    verdict: Arc<Verdict<J>>,
    handles: Handles,
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
    /// # Errors
    ///
    /// An option is out of its range.
    pub fn build(builder: Builder<J>) -> Result<Self, BuildError> {
        builder.check()?;
        Ok(Self::from_valid(builder))
    }

    fn from_valid(builder: Builder<J>) -> Self {
        let handles: Handles = Arc::new(Mutex::new(Vec::new()));
        let starter = starter(&handles, builder.name.clone(), builder.stack_size);
        let (crew, verdict) = Crew::new(builder, starter);
        Self { crew: Some(crew), verdict, handles }
    }

    /// Spawns a task, as [`Cx::spawn`] does from outside.
    pub fn spawn<F>(&self, task: F) -> Spawned<F>
    where
        F: FnOnce(&Cx<'static, 'static, T, E>) -> Result<T, E> + Send + 'static,
    {
        self.crew().spawn(&Origin::Outside, None, task)
    }

    /// Spawns a task with a name.
    pub fn spawn_named<F>(&self, name: impl Into<Arc<str>>, task: F) -> Spawned<F>
    where
        F: FnOnce(&Cx<'static, 'static, T, E>) -> Result<T, E> + Send + 'static,
    {
        self.crew().spawn(&Origin::Outside, Some(name.into()), task)
    }

    /// Spawns a task if a slot is free for it, as [`Cx::try_spawn`] does.
    ///
    /// # Errors
    ///
    /// The limit is reached or the group is cancelled. Both give the closure back.
    pub fn try_spawn<F>(&self, task: F) -> Result<TaskId, TrySpawnError<F>>
    where
        F: FnOnce(&Cx<'static, 'static, T, E>) -> Result<T, E> + Send + 'static,
    {
        self.crew().try_spawn(&Origin::Outside, None, task)
    }

    /// The group's token.
    #[must_use]
    pub fn token(&self) -> &CancelToken {
        self.crew().token()
    }

    /// Changes the limit.
    ///
    /// # Errors
    ///
    /// `limit` is 0.
    pub fn set_limit(&self, limit: usize) -> Result<(), LimitError> {
        LimitError::check(limit)?;
        self.crew().set_limit(limit, &Origin::Outside);
        Ok(())
    }

    /// What the group does at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.crew().core, &self.crew().pool)
    }

    /// The wait for a moment when no accepted task is left. The group can go on afterwards, with
    /// the threads that it has.
    pub fn wait_idle(&self) -> Idle<'_, T, E> {
        Idle::new(self.crew())
    }

    /// The wait for the end of all tasks.
    pub fn join(self) -> Joining<T, E, J> {
        let token = self.token();
        let expired = token.deadline().is_some().then(|| token.clone().cancelled_owned());
        Joining { group: Some(self), ticket: None, expired }
    }

    /// Cancels the group, waits for `grace`, and leaves behind what still runs then.
    pub fn shutdown(self, grace: Duration) -> J::Output {
        self.token().cancel();
        let crew = Arc::clone(self.crew());
        let over = crew.wait_quiet_until(Deadline::after(grace).as_ref());
        self.end(over)
    }

    /// The end: with everything over, or with stragglers.
    fn end(mut self, over: bool) -> J::Output {
        let crew = self.crew.take().expect("a group is joined once");
        crew.pool.dismiss();
        let mut stragglers = Vec::new();
        if over {
            loop {
                let handle = self.handles.lock().pop();
                let Some(handle) = handle else { break };
                if let Err(payload) = handle.join() {
                    std::panic::resume_unwind(payload);
                }
            }
        } else {
            crew.pool.visit(|running, index, name| {
                if running {
                    stragglers.push(TaskId { index, name: name.cloned() });
                }
            });
        }
        crew.core.conclude(&self.verdict, stragglers)
    }
}

impl<T, E, J: Join<T, E>> Group<T, E, J> {
    fn crew(&self) -> &Arc<Crew<'static, 'static, T, E>> {
        self.crew.as_ref().expect("a group is there until it is joined")
    }
}

impl<T, E, J: Join<T, E>> Drop for Group<T, E, J> {
    fn drop(&mut self) {
        if let Some(crew) = self.crew.take() {
            crew.core.cancel("the group was dropped");
            crew.pool.dismiss();
        }
    }
}

impl<T, E, J: Join<T, E>> fmt::Debug for Group<T, E, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group").field("crew", &self.crew).finish_non_exhaustive()
    }
}

/// The wait for the end of a group, made by [`Group::join`].
///
/// # Cancel safety
///
/// Dropped, it drops the group: its token is cancelled, and its threads end by themselves.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct Joining<T, E, J: Join<T, E>> {
    /// `None` when it is over.
    group: Option<Group<T, E, J>>,
    /// Of the wait for quiet, in a task.
    ticket: Option<Ticket>,
    /// Of groups with a deadline, in a task.
    expired: Option<WaitCancelledOwned>,
}

impl<T: Send + 'static, E: Send + 'static, J: Join<T, E> + 'static> Joining<T, E, J> {
    /// Blocks until all tasks have ended, or until the group's deadline, where what still runs
    /// is left behind and named. This thread does its share if the group has no deadline.
    ///
    /// # Panics
    ///
    /// If a task panicked and the group resumes panics.
    pub fn wait(mut self) -> J::Output {
        let group = self.take();
        let timed = group.token().deadline().is_some();
        let over = group.crew().wait_quiet(timed);
        group.end(over)
    }

    /// [`wait`](Self::wait) for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// Tasks still run: the group comes back, and goes on.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_timeout(self, timeout: Duration) -> Result<J::Output, Group<T, E, J>> {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    /// [`wait`](Self::wait) for no longer than until `deadline`.
    ///
    /// # Errors
    ///
    /// Tasks still run: the group comes back, and goes on.
    ///
    /// # Panics
    ///
    /// As [`wait`](Self::wait).
    pub fn wait_deadline(self, deadline: Instant) -> Result<J::Output, Group<T, E, J>> {
        self.wait_until(Some(&Deadline::at(deadline)))
    }

    fn wait_until(mut self, limit: Option<&Deadline>) -> Result<J::Output, Group<T, E, J>> {
        let group = self.take();
        if group.crew().wait_quiet_until(limit) { Ok(group.end(true)) } else { Err(group) }
    }
}

impl<T, E, J: Join<T, E>> Joining<T, E, J> {
    fn take(&mut self) -> Group<T, E, J> {
        let group = self.group.take().expect("a join is not polled again after it was ready");
        if let Some(ticket) = self.ticket.take() {
            group.crew().pool.leave_quiet(ticket);
        }
        group
    }
}

/// In a task: as [`wait`](Joining::wait), but for the share of the work. Threads that have nothing
/// to do any more are joined at the end, which blocks for as long as a thread takes to exit.
#[cfg(feature = "async")]
impl<T, E, J> Future for Joining<T, E, J>
where
    T: Send + 'static,
    E: Send + 'static,
    J: Join<T, E> + 'static,
{
    type Output = J::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<J::Output> {
        let this = self.get_mut();
        let group = this.group.as_ref().expect("a join is not polled again after it was ready");
        let crew = group.crew();
        let over = crew.pool.poll_quiet(&mut this.ticket, cx.waker()) == Place::Ready;
        if !over {
            let Some(expired) = &mut this.expired else { return Poll::Pending };
            if !expired.poll_once(true, cx.waker()) || !crew.core.is_past_deadline() {
                return Poll::Pending;
            }
        }
        Poll::Ready(this.take().end(over))
    }
}

impl<T, E, J: Join<T, E>> Unpin for Joining<T, E, J> {}

impl<T, E, J: Join<T, E>> Drop for Joining<T, E, J> {
    fn drop(&mut self) {
        if let (Some(ticket), Some(group)) = (self.ticket.take(), &self.group) {
            group.crew().pool.leave_quiet(ticket);
        }
    }
}

impl<T, E, J: Join<T, E>> fmt::Debug for Joining<T, E, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joining").field("group", &self.group).finish_non_exhaustive()
    }
}

fn starter<T: Send + 'static, E: Send + 'static>(
    handles: &Handles,
    name: Option<Arc<str>>,
    stack_size: Option<usize>,
) -> Starter<'static, 'static, T, E> {
    let handles = Arc::clone(handles);
    Box::new(move |crew| {
        let builder = thread_builder(name.as_deref(), stack_size);
        handles.lock().push(builder.spawn(move || crew.serve())?);
        Ok(())
    })
}

pub(super) fn thread_builder(name: Option<&str>, stack_size: Option<usize>) -> thread::Builder {
    let builder = thread::Builder::new();
    let builder = match name {
        // The system ends a name at the first zero byte, and the standard library panics.
        Some(name) => builder.name(name.replace('\0', "")),
        None => builder,
    };
    match stack_size {
        Some(bytes) => builder.stack_size(bytes),
        None => builder,
    }
}
