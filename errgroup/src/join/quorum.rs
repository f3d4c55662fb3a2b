//! So many successes.

use super::Join;
use super::errors::{Errors, Tally};
use crate::cause::Cause;
use crate::error::{BuildError, Panicked, TaskId};
use std::fmt;
use std::ops::ControlFlow;

/// So many successes are enough: the last of them cancels the rest, and the join returns their
/// values in the order of the spawns. If there are fewer in the end, it returns all errors.
///
/// A group can grow while it runs, so nobody knows before its end that there will not be enough.
/// A quorum of 0 has nothing to wait for: the first task that ends, ends the group.
///
/// It keeps so many values, and the first 1000 errors or [`keep`](Self::keep); the others are
/// counted. What it kept of an attempt that failed is dropped.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::{Builder, join::Quorum, thread};
///
/// let write = |nodes: &'static [&'static str]| {
///     thread::scope(Builder::with(Quorum::new(2)), |g| {
///         for node in nodes {
///             g.named(*node).spawn(move |_| if *node == "b" { Err("down") } else { Ok(*node) });
///         }
///     })
/// };
/// assert_eq!(write(&["a", "b", "c"]).unwrap(), ["a", "c"]);
/// let errors = write(&["a", "b"]).unwrap_err();
/// assert_eq!(errors.to_string(), "1 of 2 successes, 1 error: task 1 (b): down");
/// # }
/// ```
pub struct Quorum<T, E> {
    wanted: usize,
    values: Vec<(usize, T)>,
    tally: Tally<E>,
}

impl<T, E> Quorum<T, E> {
    /// The policy: `successes` are enough.
    #[must_use]
    pub const fn new(successes: usize) -> Self {
        Self { wanted: successes, values: Vec::new(), tally: Tally::new() }
    }

    /// At most so many errors of tasks are kept. The others are counted.
    #[must_use]
    pub fn keep(mut self, errors: usize) -> Self {
        self.tally = self.tally.keep(errors);
        self
    }

    fn verdict(&self) -> ControlFlow<()> {
        if self.values.len() >= self.wanted {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}

impl<T: Send, E: Send> Join<T, E> for Quorum<T, E> {
    type Output = Result<Vec<T>, Errors<E>>;

    fn complete(&mut self, index: usize, result: Result<T, E>) -> ControlFlow<()> {
        self.complete_task(&TaskId { index, name: None }, result)
    }

    fn complete_task(&mut self, task: &TaskId, result: Result<T, E>) -> ControlFlow<()> {
        match result {
            Ok(value) if self.values.len() < self.wanted => self.values.push((task.index, value)),
            Ok(_) => {}
            Err(error) => self.tally.task(task, error),
        }
        self.verdict()
    }

    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        self.tally.panicked(panicked);
        self.verdict()
    }

    fn cancelled(&mut self, cause: Cause) {
        self.tally.cancelled(cause);
    }

    fn stragglers(&mut self, tasks: Vec<TaskId>) {
        self.tally.stragglers(tasks);
    }

    fn finish(mut self) -> Self::Output {
        if self.verdict().is_continue() {
            return Err(self.tally.into_errors(Some((self.values.len(), self.wanted))));
        }
        self.values.sort_by_key(|(index, _)| *index);
        Ok(self.values.into_iter().map(|(_, value)| value).collect())
    }

    fn refuse(self, error: BuildError) -> Self::Output {
        Err(Errors::build(error))
    }
}

impl<T, E> fmt::Debug for Quorum<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quorum")
            .field("wanted", &self.wanted)
            .field("succeeded", &self.values.len())
            .finish_non_exhaustive()
    }
}
