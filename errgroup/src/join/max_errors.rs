//! So many errors are tolerated.

use super::Join;
use super::errors::{Errors, Tally};
use crate::cause::Cause;
use crate::error::{BuildError, Panicked, TaskId};
use std::ops::ControlFlow;

/// So many errors are tolerated; one more cancels the rest. Values are dropped.
///
/// The join returns the errors either way, in the order of the spawns: `Ok` with those that were
/// tolerated, or `Err` with those that were too many. A group that is cancelled from outside
/// fails. Panics that count as errors are errors.
///
/// It keeps the first 1000 errors in time, or [`keep`](Self::keep), and counts the others.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::{Builder, join::MaxErrors, thread};
///
/// let tolerated = thread::scope(Builder::with(MaxErrors::new(1)), |g| {
///     for n in 0..5 {
///         g.spawn(move |_| if n == 3 { Err("broken") } else { Ok(()) });
///     }
/// })?;
/// assert_eq!(tolerated.to_string(), "task 3: broken");
/// # }
/// # Ok::<(), lockgate_errgroup::join::Errors<&str>>(())
/// ```
#[derive(Debug)]
pub struct MaxErrors<E> {
    tolerated: usize,
    /// Something else than errors of tasks went wrong.
    spoilt: bool,
    tally: Tally<E>,
}

impl<E> MaxErrors<E> {
    /// The policy: `errors` are tolerated.
    #[must_use]
    pub const fn new(errors: usize) -> Self {
        Self { tolerated: errors, spoilt: false, tally: Tally::new() }
    }

    /// At most so many errors of tasks are kept. The others are counted.
    #[must_use]
    pub fn keep(mut self, errors: usize) -> Self {
        self.tally = self.tally.keep(errors);
        self
    }

    fn verdict(&self) -> ControlFlow<()> {
        if self.tally.len() > self.tolerated {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl<T, E: Send> Join<T, E> for MaxErrors<E> {
    type Output = Result<Errors<E>, Errors<E>>;

    fn complete(&mut self, index: usize, result: Result<T, E>) -> ControlFlow<()> {
        Join::<T, E>::complete_task(self, &TaskId { index, name: None }, result)
    }

    fn complete_task(&mut self, task: &TaskId, result: Result<T, E>) -> ControlFlow<()> {
        if let Err(error) = result {
            self.tally.task(task, error);
        }
        self.verdict()
    }

    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        self.tally.panicked(panicked);
        self.verdict()
    }

    fn cancelled(&mut self, cause: Cause) {
        self.spoilt = true;
        self.tally.cancelled(cause);
    }

    fn stragglers(&mut self, tasks: Vec<TaskId>) {
        self.spoilt = true;
        self.tally.stragglers(tasks);
    }

    fn finish(self) -> Self::Output {
        let failed = self.spoilt || self.verdict().is_break();
        let errors = self.tally.into_errors(None);
        if failed { Err(errors) } else { Ok(errors) }
    }

    fn refuse(self, error: BuildError) -> Self::Output {
        Err(Errors::build(error))
    }

    fn wants_values(&self) -> bool {
        false
    }
}
