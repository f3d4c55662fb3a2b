//! All errors, in the order of the spawns.

use super::Join;
use super::errors::{Errors, Tally};
use crate::cause::Cause;
use crate::error::{BuildError, Panicked, TaskId};
use std::ops::ControlFlow;

/// All errors, in the order of the spawns. Neither errors nor panics end the group; values are
/// dropped.
///
/// It keeps the first 1000 errors in time, or [`keep`](Self::keep), and counts the others.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::{Builder, join::AllErrors, thread};
///
/// let errors = thread::scope(Builder::with(AllErrors::new()), |g| {
///     for host in ["db", "web", "mail"] {
///         g.named(host).spawn(move |_| if host == "web" { Ok(()) } else { Err("no answer") });
///     }
/// })
/// .unwrap_err();
/// assert_eq!(errors.to_string(), "2 errors: task 0 (db): no answer; task 2 (mail): no answer");
/// # }
/// ```
#[derive(Debug)]
pub struct AllErrors<E> {
    tally: Tally<E>,
}

impl<E> AllErrors<E> {
    /// The policy.
    #[must_use]
    pub const fn new() -> Self {
        Self { tally: Tally::new() }
    }

    /// At most so many errors of tasks are kept. The others are counted.
    #[must_use]
    pub fn keep(mut self, errors: usize) -> Self {
        self.tally = self.tally.keep(errors);
        self
    }
}

impl<E> Default for AllErrors<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, E: Send> Join<T, E> for AllErrors<E> {
    type Output = Result<(), Errors<E>>;

    fn complete(&mut self, index: usize, result: Result<T, E>) -> ControlFlow<()> {
        Join::<T, E>::complete_task(self, &TaskId { index, name: None }, result)
    }

    fn complete_task(&mut self, task: &TaskId, result: Result<T, E>) -> ControlFlow<()> {
        if let Err(error) = result {
            self.tally.task(task, error);
        }
        ControlFlow::Continue(())
    }

    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        self.tally.panicked(panicked);
        ControlFlow::Continue(())
    }

    fn cancelled(&mut self, cause: Cause) {
        self.tally.cancelled(cause);
    }

    fn stragglers(&mut self, tasks: Vec<TaskId>) {
        self.tally.stragglers(tasks);
    }

    fn finish(self) -> Self::Output {
        self.tally.into_result()
    }

    fn refuse(self, error: BuildError) -> Self::Output {
        Err(Errors::build(error))
    }

    fn wants_values(&self) -> bool {
        false
    }
}
