//! The first success wins.

use super::errors::Errors;
use super::{Join, Quorum};
use crate::cause::Cause;
use crate::error::{BuildError, Panicked, TaskId};
use std::fmt;
use std::ops::ControlFlow;

/// The first success in time cancels the rest and is what the join returns. If none succeeds, all
/// errors are.
///
/// It keeps one value, and the first 1000 errors or [`keep`](Self::keep); the others are counted.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::{Builder, join::FirstOk, thread};
///
/// let mirror = thread::scope(Builder::with(FirstOk::new()), |g| {
///     for mirror in ["de", "fr", "us"] {
///         g.spawn(move |_| if mirror == "fr" { Ok(mirror) } else { Err("down") });
///     }
/// });
/// assert_eq!(mirror.unwrap(), "fr");
/// # }
/// ```
pub struct FirstOk<T, E>(Quorum<T, E>);

impl<T, E> FirstOk<T, E> {
    /// The policy.
    #[must_use]
    pub const fn new() -> Self {
        Self(Quorum::new(1))
    }

    /// At most so many errors of tasks are kept. The others are counted.
    #[must_use]
    pub fn keep(self, errors: usize) -> Self {
        Self(self.0.keep(errors))
    }
}

impl<T, E> Default for FirstOk<T, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send, E: Send> Join<T, E> for FirstOk<T, E> {
    type Output = Result<T, Errors<E>>;

    fn complete(&mut self, index: usize, result: Result<T, E>) -> ControlFlow<()> {
        self.0.complete(index, result)
    }

    fn complete_task(&mut self, task: &TaskId, result: Result<T, E>) -> ControlFlow<()> {
        self.0.complete_task(task, result)
    }

    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        self.0.panicked(panicked)
    }

    fn cancelled(&mut self, cause: Cause) {
        self.0.cancelled(cause);
    }

    fn stragglers(&mut self, tasks: Vec<TaskId>) {
        self.0.stragglers(tasks);
    }

    fn finish(self) -> Self::Output {
        let mut values = self.0.finish()?;
        Ok(values.pop().expect("a quorum of one has one"))
    }

    fn refuse(self, error: BuildError) -> Self::Output {
        Err(Errors::build(error))
    }
}

impl<T, E> fmt::Debug for FirstOk<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FirstOk").finish_non_exhaustive()
    }
}
