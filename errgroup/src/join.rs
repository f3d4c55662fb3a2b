//! What a group makes of its tasks' results: the policy.
//!
//! | policy | the join gives | ends the group early | keeps |
//! |---|---|---|---|
//! | [`FirstError`] | `()`, or the first error | at the first error | one error |
//! | [`AllOk`] | all values, or the first error | at the first error | the values |
//! | [`AllResults`] | every result | never | the results |
//! | [`until`] | every result | when a predicate says so | the results |
//! | [`AllErrors`] | `()`, or all errors | never | 1000 errors, or [`keep`](AllErrors::keep) |
//! | [`MaxErrors`] | the errors | at one error too many | 1000 errors, or as told |
//! | [`FirstOk`] | the first value, or all errors | at the first value | 1000 errors, or as told |
//! | [`Quorum`] | so many values, or all errors | when there are enough | those, and 1000 errors |
//! | [`Supervise`] | numbers, and the latest errors | never | 16 errors, or as told |
//! | [`Discard`] | nothing | never | nothing |
//! | [`completions`] | results as tasks end, beside the join | when nobody listens | its capacity |
//!
//! Panics reach a policy where the group takes them for errors
//! ([`OnPanic::Error`](crate::OnPanic::Error)). By default they end the group, whatever its policy.

mod all_errors;
mod all_ok;
mod all_results;
mod completions;
mod discard;
mod errors;
mod first_error;
mod first_ok;
mod max_errors;
mod quorum;
mod slots;
mod supervise;
mod until;

pub use all_errors::AllErrors;
pub use all_ok::AllOk;
pub use all_results::AllResults;
pub use completions::{Completed, Completions, Delivered, completions};
#[cfg(feature = "sync")]
pub use completions::{IntoIter, Iter};
pub use discard::Discard;
pub use errors::Errors;
pub use first_error::FirstError;
pub use first_ok::FirstOk;
pub use max_errors::MaxErrors;
pub use quorum::Quorum;
pub use supervise::{Report, Supervise};
pub use until::{Until, until};

use crate::cause::Cause;
use crate::error::{BuildError, Panicked, TaskId};
use std::ops::ControlFlow;
use std::task::Waker;

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

    /// A task was accepted and dropped before it started, or aborted: the group was cancelled. It
    /// is told after a `Break` too.
    fn skipped(&mut self, task: &TaskId) {
        let _ = task;
    }

    /// Asked after each call that tells of a task: a waker that is to be called once the group's
    /// lock is left. A policy must call none itself.
    fn waker(&mut self) -> Option<Waker> {
        None
    }

    /// Before [`finish`](Self::finish): the group was cancelled, and not by its tasks.
    fn cancelled(&mut self, cause: Cause) {
        drop(cause);
    }

    /// Before [`finish`](Self::finish): the group's deadline passed while these tasks still ran,
    /// and they are left behind. It is not called if none of them is known, as may be in a group of
    /// tasks without a limit: those have no name before they have waited for the first time. Then
    /// [`cancelled`](Self::cancelled) tells of the deadline.
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
