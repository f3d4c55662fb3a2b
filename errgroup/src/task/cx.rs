//! What a task is handed: the group, as that task sees it.

use super::crew::Crew;
use super::spawn::Spawn;
use crate::core::Label;
use crate::error::{Cancelled, LimitError, TaskId, TrySpawnError};
use crate::primitives::Arc;
use crate::snapshot::Snapshot;
use crate::token::CancelToken;
use std::fmt;
use std::future::Future;

/// A group of tasks, as one of its tasks sees it. Each is handed its own.
pub struct Cx<T, E> {
    crew: Arc<Crew<T, E>>,
    index: usize,
    name: Name,
    depth: u32,
}

/// A task's name, where most have none: one word.
#[derive(Clone, Debug)]
pub(super) struct Name(Option<Arc<Arc<str>>>);

impl Name {
    pub(super) fn of(name: Option<Arc<str>>) -> Self {
        Self(name.map(Arc::new))
    }

    #[inline]
    pub(super) fn id(&self, index: usize) -> TaskId {
        TaskId { index, name: self.0.as_deref().cloned() }
    }
}

impl<T, E> Cx<T, E> {
    pub(super) const fn new(crew: Arc<Crew<T, E>>, index: usize, name: Name, depth: u32) -> Self {
        Self { crew, index, name, depth }
    }
}

impl<T: Send + 'static, E: Send + 'static> Cx<T, E> {
    /// Spawns a task into the same group.
    ///
    /// It never waits for a place, which its own group might never get: at the limit the new task
    /// runs at once, inside this one, and the `.await` ends when it does; 64 deep it is queued
    /// beyond all bounds instead. So is one whose `.await` is dropped half-way.
    pub fn spawn<F, Fut>(&self, task: F) -> Spawn<'_, T, E, F>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        Spawn::new(&self.crew, Some(self.depth), None, task)
    }

    /// Spawns a task if a slot is free for it. It never waits and never uses the backlog.
    ///
    /// # Errors
    ///
    /// The limit is reached or the group is cancelled. Both give the closure back.
    pub fn try_spawn<F, Fut>(&self, task: F) -> Result<TaskId, TrySpawnError<F>>
    where
        F: FnOnce(Self) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        Spawn::new(&self.crew, Some(self.depth), None, task).try_now()
    }

    /// For the next spawn: the task's name, which errors, causes and snapshots tell.
    pub fn named(&self, name: impl Into<Arc<str>>) -> Named<'_, T, E> {
        Named { crew: &self.crew, depth: Some(self.depth), name: name.into() }
    }

    /// The group's token. It is cancelled by the first error, a panic, the deadline, the parent,
    /// and when the group ends.
    #[must_use]
    pub fn token(&self) -> &CancelToken {
        &self.crew.core.token
    }

    /// Whether the group goes on.
    ///
    /// # Errors
    ///
    /// It is cancelled.
    pub fn check(&self) -> Result<(), Cancelled> {
        self.token().check()
    }

    /// Which task this is.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.name.id(self.index)
    }

    /// Snapshots tell that this task waits for `what`, until the label is dropped.
    pub fn waiting_for(&self, what: &'static str) -> Label<'_> {
        self.crew.core.label(self.index, what)
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
}

impl<T, E> fmt::Debug for Cx<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx").field("id", &self.name.id(self.index)).finish_non_exhaustive()
    }
}

/// A spawn with a name, made by [`Cx::named`] and [`Group::named`](super::Group::named).
#[must_use = "it does nothing until something is spawned"]
pub struct Named<'a, T, E> {
    pub(super) crew: &'a Arc<Crew<T, E>>,
    pub(super) depth: Option<u32>,
    pub(super) name: Arc<str>,
}

impl<'a, T: Send + 'static, E: Send + 'static> Named<'a, T, E> {
    /// [`Cx::spawn`], or [`Group::spawn`](super::Group::spawn).
    pub fn spawn<F, Fut>(self, task: F) -> Spawn<'a, T, E, F>
    where
        F: FnOnce(Cx<T, E>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        Spawn::new(self.crew, self.depth, Some(self.name), task)
    }

    /// [`Cx::try_spawn`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn try_spawn<F, Fut>(self, task: F) -> Result<TaskId, TrySpawnError<F>>
    where
        F: FnOnce(Cx<T, E>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.spawn(task).try_now()
    }
}

impl<T, E> fmt::Debug for Named<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Named").field("name", &self.name).finish_non_exhaustive()
    }
}
