//! What a group makes of its tasks' results: the policy.

mod first_error;

pub use first_error::FirstError;

use crate::cause::Cause;
use crate::error::{BuildError, Panicked, TaskId};
use std::ops::ControlFlow;

/// What a group makes of its tasks' results.
///
/// The group calls [`complete`](Self::complete) for one task at a time, in the order in which
/// they end, and nothing more after it has said `Break`: the group's token is cancelled then, and
/// what the others still return is dropped. So a policy needs no lock, and what a victim of the
/// cancel returns never reaches it.
///
/// Calls are made under a lock of the group's: they should be short, and not wait.
pub trait Join<T, E>: Send {
    /// What the join gives.
    type Output;

    /// A task has ended, the `index`-th that was spawned. `Break` cancels the group.
    fn complete(&mut self, index: usize, result: Result<T, E>) -> ControlFlow<()>;

    /// All tasks have ended.
    fn finish(self) -> Self::Output
    where
        Self: Sized;

    /// [`complete`](Self::complete), for policies that tell names.
    fn complete_task(&mut self, task: &TaskId, result: Result<T, E>) -> ControlFlow<()> {
        self.complete(task.index(), result)
    }

    /// A task has panicked, and the group takes panics for errors.
    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        drop(panicked);
        ControlFlow::Break(())
    }

    /// Before [`finish`](Self::finish): the group was cancelled, and not by its tasks.
    fn cancelled(&mut self, cause: Cause) {
        drop(cause);
    }

    /// Before [`finish`](Self::finish): the group's deadline passed while these tasks still ran,
    /// and they are left behind.
    fn stragglers(&mut self, tasks: Vec<TaskId>) {
        drop(tasks);
    }

    /// The builder was asked for what cannot be: nothing ran.
    ///
    /// # Panics
    ///
    /// Unless it is overridden, as all policies of this crate do.
    fn refuse(self, error: BuildError) -> Self::Output
    where
        Self: Sized,
    {
        panic!("{error}")
    }

    /// Whether the values of tasks that succeed are of any use. Where not, the group drops them
    /// itself, which saves a lock for each.
    fn wants_values(&self) -> bool {
        true
    }
}
