//! All values, or the first error.

use super::slots::Slots;
use super::{FirstError, Join};
use crate::cause::Cause;
use crate::error::{BuildError, Error, Panicked, TaskId};
use std::fmt;
use std::ops::ControlFlow;

/// The values of all tasks, in the order of the spawns; or the first error, which cancels the
/// rest.
///
/// It keeps one value for each task. When the group fails they are dropped at the join.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::{Builder, join::AllOk, thread};
///
/// let parsed = |texts: &[&str]| {
///     thread::scope(Builder::with(AllOk::new()), |g| {
///         for text in texts {
///             g.spawn(|_| text.parse::<i32>());
///         }
///     })
/// };
/// assert_eq!(parsed(&["1", "2"]).unwrap(), [1, 2]);
/// let error = parsed(&["1", "two"]).unwrap_err();
/// assert_eq!(error.to_string(), "task 1: invalid digit found in string");
/// # }
/// ```
pub struct AllOk<T, E> {
    values: Slots<T>,
    first: FirstError<E>,
}

impl<T, E> AllOk<T, E> {
    /// The policy.
    #[must_use]
    pub const fn new() -> Self {
        Self { values: Slots::new(), first: FirstError::new() }
    }
}

impl<T, E> Default for AllOk<T, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send, E: Send> Join<T, E> for AllOk<T, E> {
    type Output = Result<Vec<T>, Error<E>>;

    fn complete(&mut self, index: usize, result: Result<T, E>) -> ControlFlow<()> {
        self.complete_task(&TaskId { index, name: None }, result)
    }

    fn complete_task(&mut self, task: &TaskId, result: Result<T, E>) -> ControlFlow<()> {
        match result {
            Ok(value) => {
                self.values.put(task.index, value);
                ControlFlow::Continue(())
            }
            Err(error) => Join::<T, E>::complete_task(&mut self.first, task, Err(error)),
        }
    }

    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        Join::<T, E>::panicked(&mut self.first, panicked)
    }

    fn cancelled(&mut self, cause: Cause) {
        Join::<T, E>::cancelled(&mut self.first, cause);
    }

    fn stragglers(&mut self, tasks: Vec<TaskId>) {
        Join::<T, E>::stragglers(&mut self.first, tasks);
    }

    fn finish(self) -> Self::Output {
        Join::<T, E>::finish(self.first)?;
        // Whoever is missing did not run, which is an error.
        Ok(self.values.into_present())
    }

    fn refuse(self, error: BuildError) -> Self::Output {
        Err(Error::Build(error))
    }
}

impl<T, E> fmt::Debug for AllOk<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllOk").finish_non_exhaustive()
    }
}
