//! What a task of a group of threads is handed: the group, as that task sees it.

use super::crew::{Crew, Origin, Work};
use crate::core::Label;
use crate::error::{Cancelled, LimitError, Spawned, TaskId, TrySpawnError};
use crate::primitives::Arc;
use crate::snapshot::Snapshot;
use crate::token::CancelToken;
use crate::trace::in_span;
use std::cell::{Cell, RefCell};
use std::fmt;

/// So many tasks may run inside each other on one stack.
const DEEPEST: u32 = 64;

/// A group of threads, as one of its tasks sees it, or the body of its scope.
///
/// Each task is handed its own. It is not `Sync`, and a task cannot keep it: that is how a spawn
/// knows that it comes from inside the group.
pub struct Cx<'s, 'env: 's, T, E> {
    crew: Arc<Crew<'s, 'env, T, E>>,
    /// `None` in the body of a scope.
    task: RefCell<Option<TaskId>>,
    inside: bool,
    depth: Cell<u32>,
}

impl<'s, 'env, T, E> Cx<'s, 'env, T, E> {
    pub(super) const fn inside(crew: Arc<Crew<'s, 'env, T, E>>) -> Self {
        Self { crew, task: RefCell::new(None), inside: true, depth: Cell::new(0) }
    }

    pub(super) const fn outside(crew: Arc<Crew<'s, 'env, T, E>>) -> Self {
        Self { crew, task: RefCell::new(None), inside: false, depth: Cell::new(0) }
    }

    const fn origin(&self) -> Origin<'_, 's, 'env, T, E> {
        if self.inside { Origin::Inside(self) } else { Origin::Outside }
    }

    /// Runs a task in this thread: what its runner does.
    #[inline]
    pub(super) fn run(&self, task: TaskId, work: Work<'s, 'env, T, E>) {
        let core = &self.crew.core;
        core.settle(&task, || {
            self.task.replace(Some(task.clone()));
            // Dropped here otherwise, where a panic of the drop is caught.
            if core.refuses() {
                return None;
            }
            core.started(task.index);
            Some(in_span(core.name.as_deref(), &task, || work(self)))
        });
        core.ended(task.index);
    }

    pub(super) fn may_nest(&self) -> bool {
        self.depth.get() < DEEPEST
    }

    /// Runs a task inside the one that spawned it.
    pub(super) fn nest<F>(&self, task: &TaskId, work: Box<F>)
    where
        F: FnOnce(&Self) -> Result<T, E>,
    {
        let outer = self.task.replace(Some(task.clone()));
        self.depth.set(self.depth.get() + 1);
        let core = &self.crew.core;
        core.settle(task, || Some(in_span(core.name.as_deref(), task, || work(self))));
        self.depth.set(self.depth.get() - 1);
        self.task.replace(outer);
    }

    /// Spawns a task: it runs in a thread of the group.
    ///
    /// It blocks while the limit and the backlog are reached, and is woken by the cancel. From
    /// inside a task of the group it never blocks: at the limit the new task runs at once, in
    /// this thread and inside this one, up to 64 deep, and is queued beyond all bounds then.
    ///
    /// What it returns may be ignored. It says whether the task was accepted; once the group is
    /// cancelled none is, and the closure comes back (see
    /// [`run_all`](crate::Builder::run_all)).
    #[inline]
    pub fn spawn<F>(&self, task: F) -> Spawned<F>
    where
        F: FnOnce(&Self) -> Result<T, E> + Send + 's,
    {
        self.crew.spawn(&self.origin(), None, task)
    }

    /// Spawns a task if a slot is free for it. It never waits and never uses the backlog.
    ///
    /// # Errors
    ///
    /// The limit is reached or the group is cancelled. Both give the closure back.
    #[inline]
    pub fn try_spawn<F>(&self, task: F) -> Result<TaskId, TrySpawnError<F>>
    where
        F: FnOnce(&Self) -> Result<T, E> + Send + 's,
    {
        self.crew.try_spawn(&self.origin(), None, task)
    }

    /// For the next spawn: the task's name, which errors, causes and snapshots tell.
    pub fn named(&self, name: impl Into<Arc<str>>) -> Named<'_, 's, 'env, T, E> {
        Named { cx: self, name: name.into() }
    }

    /// The group's token. It is cancelled by the first error, a panic, the deadline, the parent,
    /// and when the group ends.
    #[inline]
    #[must_use]
    pub fn token(&self) -> &CancelToken {
        self.crew.token()
    }

    /// Whether the group goes on.
    ///
    /// # Errors
    ///
    /// It is cancelled.
    #[inline]
    pub fn check(&self) -> Result<(), Cancelled> {
        self.token().check()
    }

    /// Which task this is; `None` in the body of a scope.
    #[must_use]
    pub fn id(&self) -> Option<TaskId> {
        self.task.borrow().clone()
    }

    /// Snapshots tell that this task waits for `what`, until the label is dropped. In the body of
    /// a scope, which is no task, it tells nothing.
    pub fn waiting_for(&self, what: &'static str) -> Label<'_> {
        let index = self.task.borrow().as_ref().map_or(usize::MAX, TaskId::index);
        self.crew.core.label(index, what)
    }

    /// Changes the limit. It never blocks. Tasks that run beyond a lower limit go on.
    ///
    /// # Errors
    ///
    /// `limit` is 0.
    pub fn set_limit(&self, limit: usize) -> Result<(), LimitError> {
        LimitError::check(limit)?;
        self.crew.set_limit(limit, &self.origin());
        Ok(())
    }

    /// What the group does at this moment.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        Snapshot::of(&self.crew.core, &self.crew.pool)
    }
}

impl<T, E> fmt::Debug for Cx<'_, '_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx")
            .field("task", &self.task)
            .field("inside", &self.inside)
            .finish_non_exhaustive()
    }
}

/// A spawn with a name, made by [`Cx::named`].
#[must_use = "it does nothing until something is spawned"]
pub struct Named<'a, 's, 'env, T, E> {
    cx: &'a Cx<'s, 'env, T, E>,
    name: Arc<str>,
}

impl<'s, 'env, T, E> Named<'_, 's, 'env, T, E> {
    /// [`Cx::spawn`].
    pub fn spawn<F>(self, task: F) -> Spawned<F>
    where
        F: FnOnce(&Cx<'s, 'env, T, E>) -> Result<T, E> + Send + 's,
    {
        self.cx.crew.spawn(&self.cx.origin(), Some(self.name), task)
    }

    /// [`Cx::try_spawn`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_spawn<F>(self, task: F) -> Result<TaskId, TrySpawnError<F>>
    where
        F: FnOnce(&Cx<'s, 'env, T, E>) -> Result<T, E> + Send + 's,
    {
        self.cx.crew.try_spawn(&self.cx.origin(), Some(self.name), task)
    }
}

impl<T, E> fmt::Debug for Named<'_, '_, '_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named").field("name", &self.name).finish_non_exhaustive()
    }
}
