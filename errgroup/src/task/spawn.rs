//! The request to spawn a task: a wait for a place, and then the task.

use super::crew::{Crew, Mode, Work, job};
use super::cx::{Cx, Name};
use crate::error::{Rejected, Spawned, TaskId, TrySpawnError, drop_payload};
use crate::pool::{Job, Place, Pool};
use crate::primitives::Arc;
use crate::token::{CancelToken, WaitCancelled};
use crate::waiters::Ticket;
use std::borrow::Borrow;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// So many tasks may run inside each other.
const DEEPEST: u32 = 64;

/// A request to spawn a task, made by [`Group::spawn`](super::Group::spawn) and
/// [`Cx::spawn`](super::Cx::spawn).
///
/// It is lazy: nothing is spawned before it is polled or waited for. It is ready at once while
/// the limit and the backlog are not reached, and always in a group without a limit.
///
/// # Cancel safety
///
/// Dropped before it is ready, it spawns nothing, and its place in line goes to the next. Not so
/// where the new task runs inside the one that spawns, at the limit: it is accepted and has begun by
/// then. Dropped half-way, it is queued beyond all bounds, and goes on by itself; in a group that is
/// cancelled it is dropped, and the policy is told that it was [skipped](crate::join::Join::skipped).
///
/// # Panics
///
/// Polling it after it was ready panics, as with most futures. Outside a runtime, for a group
/// that was made outside one, it panics as `tokio::spawn` does.
#[must_use = "nothing is spawned unless it is waited for with `.await` or `.wait()`"]
pub struct Spawn<'a, T: Send + 'static, E: Send + 'static, F> {
    crew: &'a Arc<Crew<T, E>>,
    /// How deep the spawning task is nested; `None` outside the group.
    depth: Option<u32>,
    name: Option<Arc<str>>,
    /// `None` when it is over.
    task: Option<F>,
    ticket: Option<Ticket>,
    cancelled: Option<WaitCancelled<Watch<'a, T, E>>>,
    /// A task that runs inside its spawner, for want of a place.
    nested: Option<(TaskId, Work<T, E>)>,
}

/// The token of a crew.
struct Watch<'a, T, E>(&'a Arc<Crew<T, E>>);

impl<T, E> Borrow<CancelToken> for Watch<'_, T, E> {
    fn borrow(&self) -> &CancelToken {
        &self.0.core.token
    }
}

impl<'a, T, E, F, Fut> Spawn<'a, T, E, F>
where
    T: Send + 'static,
    E: Send + 'static,
    F: FnOnce(Cx<T, E>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    pub(super) const fn new(
        crew: &'a Arc<Crew<T, E>>,
        depth: Option<u32>,
        name: Option<Arc<str>>,
        task: F,
    ) -> Self {
        Self { crew, depth, name, task: Some(task), ticket: None, cancelled: None, nested: None }
    }

    /// Spawns it now, if there is room.
    pub(super) fn try_now(mut self) -> Result<TaskId, TrySpawnError<F>> {
        let task = self.task.take().expect("a spawn is tried once");
        if self.crew.core.refuses() {
            return Err(TrySpawnError::Cancelled(task));
        }
        match &self.crew.mode {
            Mode::Unlimited(count) => {
                Ok(self.crew.launch(count, self.depth.is_some(), self.name.take(), task))
            }
            Mode::Limited(pool) => {
                self.task = Some(task);
                self.push(pool, false).ok_or(()).map_err(|()| match self.task.take() {
                    Some(task) => TrySpawnError::Full(task),
                    None => unreachable!("a task that was not accepted is still here"),
                })
            }
        }
    }

    /// Boxes the task and queues it, if there is room.
    fn push(&mut self, pool: &Pool<Work<T, E>>, backlog: bool) -> Option<TaskId> {
        let Self { crew, task, name, .. } = self;
        // Boxed under the lock, where its index is known. It is only moved: nothing of the user's
        // runs, and whether there is room for it is known by then.
        let pushed = pool.push(backlog, |index| {
            let mut work = task.take().map(|task| boxed(crew, index, name.clone(), 0, task));
            job(index, name.clone(), &mut work)
        });
        let (index, start) = pushed?;
        crew.start(start);
        Some(TaskId { index, name: name.take() })
    }

    fn push_promised(&mut self, pool: &Pool<Work<T, E>>, promised: bool) -> TaskId {
        let Self { crew, task, name, .. } = self;
        let (index, start) = pool.push_promised(promised, |index| {
            let mut work = task.take().map(|task| boxed(crew, index, name.clone(), 0, task));
            job(index, name.clone(), &mut work)
        });
        crew.start(start);
        TaskId { index, name: name.take() }
    }

    fn poll_spawn(&mut self, waker: &Waker) -> Poll<Spawned<F>> {
        let waits = self.ticket.is_some();
        // Before the place is looked at: what the cancel has ended gives places back, and whoever
        // takes one then is accepted, never started, and has lost his closure.
        if self.crew.core.refuses() {
            self.leave();
            return Poll::Ready(Spawned(Err(Rejected(self.take()))));
        }
        match &self.crew.mode {
            Mode::Unlimited(count) => {
                let task = self.take();
                let id = self.crew.launch(count, self.depth.is_some(), self.name.take(), task);
                Poll::Ready(Spawned(Ok(id)))
            }
            Mode::Limited(pool) => {
                assert!(self.task.is_some(), "a spawn is not polled again after it was ready");
                if !waits {
                    if let Some(id) = self.push(pool, true) {
                        return Poll::Ready(Spawned(Ok(id)));
                    }
                }
                self.poll_slow(pool, waker)
            }
        }
    }

    #[cold]
    fn poll_slow(&mut self, pool: &Pool<Work<T, E>>, waker: &Waker) -> Poll<Spawned<F>> {
        if let Some(depth) = self.depth {
            if depth >= DEEPEST {
                return Poll::Ready(Spawned(Ok(self.push_promised(pool, false))));
            }
            let id = TaskId { index: pool.take_index(), name: self.name.take() };
            let task = self.take();
            let work = boxed(self.crew, id.index, id.name.clone(), depth + 1, task);
            self.nested = Some((id, work));
            return Poll::Pending;
        }
        if pool.poll_place(&mut self.ticket, waker) == Place::Ready {
            self.cancelled = None;
            return Poll::Ready(Spawned(Ok(self.push_promised(pool, true))));
        }
        if self.crew.core.runs_all() {
            return Poll::Pending;
        }
        let crew = self.crew;
        let cancelled = self.cancelled.get_or_insert_with(|| WaitCancelled::of(Watch(crew)));
        if cancelled.poll_once(true, waker) {
            self.leave();
            return Poll::Ready(Spawned(Err(Rejected(self.take()))));
        }
        Poll::Pending
    }

    /// Polls the task that runs inside this spawn.
    fn poll_nested(&mut self, cx: &mut Context<'_>) -> Poll<Spawned<F>> {
        let Some((id, work)) = &mut self.nested else {
            unreachable!("only a nested task is polled here")
        };
        let polled = super::alone::poll_caught(work.as_mut(), cx);
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(result)) => Some(result),
            Err(payload) => {
                self.crew.core.panicked(id, payload);
                None
            }
        };
        let Some((id, work)) = self.nested.take() else { unreachable!("it was polled above") };
        self.crew.core.settle(&id, || {
            drop(work);
            result
        });
        Poll::Ready(Spawned(Ok(id)))
    }

    fn take(&mut self) -> F {
        self.task.take().expect("a spawn is not polled again after it was ready")
    }
}

impl<T: Send + 'static, E: Send + 'static, F> Spawn<'_, T, E, F> {
    #[inline]
    fn leave(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.leave_line(ticket);
        }
    }

    #[cold]
    fn leave_line(&self, ticket: Ticket) {
        if let Mode::Limited(pool) = &self.crew.mode {
            // CANCEL: a place that was promised goes to the next spawner.
            pool.leave_place(ticket);
        }
    }
}

impl<T: Send + 'static, E: Send + 'static, F> Spawn<'_, T, E, F> {
    /// A nested task is dropped half-way.
    #[cold]
    fn hand_over(&self, id: TaskId, work: Work<T, E>) {
        let core = &self.crew.core;
        let goes_on = !self.crew.is_aborted() && !core.turns_away(&id);
        let (Mode::Limited(pool), true) = (&self.crew.mode, goes_on) else {
            // Its drop may panic: that is the task's panic.
            core.settle(&id, || {
                drop(work);
                None
            });
            return;
        };
        // CANCEL: it was accepted, and is not lost.
        let TaskId { index, name } = id;
        let start = pool.push_begun(Job { index, name, work });
        // Without a runtime a start panics, and the runner that is dropped ends the group. This is
        // a drop already.
        drop_payload(catch_unwind(AssertUnwindSafe(|| self.crew.start(start))));
    }
}

fn boxed<T, E, F, Fut>(
    crew: &Arc<Crew<T, E>>,
    index: usize,
    name: Option<Arc<str>>,
    depth: u32,
    task: F,
) -> Work<T, E>
where
    T: Send + 'static,
    E: Send + 'static,
    F: FnOnce(Cx<T, E>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    #[cfg(feature = "tracing")]
    let task =
        super::crew::traced(crew.core.name.clone(), TaskId { index, name: name.clone() }, task);
    let cx = Cx::new(Arc::clone(crew), index, Name::of(name), depth);
    Box::pin(async move { task(cx).await })
}

impl<T, E, F, Fut> Future for Spawn<'_, T, E, F>
where
    T: Send + 'static,
    E: Send + 'static,
    F: FnOnce(Cx<T, E>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<T, E>> + Send + 'static,
{
    type Output = Spawned<F>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if this.nested.is_none() {
            let polled = this.poll_spawn(cx.waker());
            if polled.is_ready() || this.nested.is_none() {
                return polled;
            }
        }
        this.poll_nested(cx)
    }
}

impl<T: Send + 'static, E: Send + 'static, F> Unpin for Spawn<'_, T, E, F> {}

impl<T: Send + 'static, E: Send + 'static, F> Drop for Spawn<'_, T, E, F> {
    fn drop(&mut self) {
        self.leave();
        if let Some((id, work)) = self.nested.take() {
            self.hand_over(id, work);
        }
    }
}

impl<T: Send + 'static, E: Send + 'static, F> fmt::Debug for Spawn<'_, T, E, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawn")
            .field("name", &self.name)
            .field("queued", &self.ticket.is_some())
            .finish_non_exhaustive()
    }
}
