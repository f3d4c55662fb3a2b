//! Every result, in the order of the spawns.

use super::Join;
use super::slots::Slots;
use crate::cause::Cause;
use crate::error::{BuildError, Error, Panicked, TaskId};
use std::fmt;
use std::ops::ControlFlow;

/// Every result, in the order of the spawns. Neither errors nor panics end the group.
///
/// It keeps them all: one place for each task, until the join. A task that gave no result stands
/// in the list with the reason:
///
/// * it was cancelled before it started, or a task aborted: [`Error::Cancelled`], with the cause;
/// * the deadline passed while it ran: [`Error::Stragglers`], naming it alone;
/// * it panicked, where panics count as errors: [`Error::Panicked`].
///
/// Tasks that were not even accepted, because the group was cancelled, are not in the list, unless
/// [`of`](Self::of) says how many there are.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::{Builder, join::AllResults, thread};
///
/// let results = thread::scope(Builder::with(AllResults::new()), |g| {
///     for text in ["1", "two", "3"] {
///         g.spawn(move |_| text.parse::<i32>());
///     }
/// })?;
/// let text: Vec<_> = results.iter().map(|r| r.as_ref().map_err(ToString::to_string)).collect();
/// assert_eq!(text[0], Ok(&1));
/// assert_eq!(text[1], Err("task 1: invalid digit found in string".into()));
/// assert_eq!(text[2], Ok(&3));
/// # }
/// # Ok::<(), lockgate_errgroup::BuildError>(())
/// ```
pub struct AllResults<T, E> {
    slots: Slots<Result<T, Error<E>>>,
    cause: Option<Cause>,
}

impl<T, E> AllResults<T, E> {
    /// The policy.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Slots::new(), cause: None }
    }

    /// The policy for `count` tasks: so many results are in the list, at least.
    #[must_use]
    pub fn of(count: usize) -> Self {
        let mut all = Self::new();
        all.slots.reach(count);
        all
    }

    /// Why tasks that gave no result gave none.
    pub(super) fn set_cause(&mut self, cause: Cause) {
        self.cause.get_or_insert(cause);
    }
}

impl<T, E> Default for AllResults<T, E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Send, E: Send> Join<T, E> for AllResults<T, E> {
    type Output = Result<Vec<Result<T, Error<E>>>, BuildError>;

    fn complete(&mut self, index: usize, result: Result<T, E>) -> ControlFlow<()> {
        self.complete_task(&TaskId { index, name: None }, result)
    }

    fn complete_task(&mut self, task: &TaskId, result: Result<T, E>) -> ControlFlow<()> {
        let result = result.map_err(|error| {
            let TaskId { index, name } = task.clone();
            Error::Task { index, name, error }
        });
        self.slots.put(task.index, result);
        ControlFlow::Continue(())
    }

    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        self.slots.put(panicked.task().index, Err(Error::Panicked(panicked)));
        ControlFlow::Continue(())
    }

    fn skipped(&mut self, task: &TaskId) {
        self.slots.reach(task.index + 1);
    }

    fn cancelled(&mut self, cause: Cause) {
        self.set_cause(cause);
    }

    fn stragglers(&mut self, tasks: Vec<TaskId>) {
        for task in tasks {
            self.slots.put(task.index, Err(Error::Stragglers(vec![task])));
        }
    }

    fn finish(self) -> Self::Output {
        let cause = self.cause.unwrap_or(Cause::Finished);
        Ok(self.slots.into_all(|| Err(Error::Cancelled(cause.clone()))))
    }

    fn refuse(self, error: BuildError) -> Self::Output {
        Err(error)
    }
}

impl<T, E> fmt::Debug for AllResults<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllResults").field("cause", &self.cause).finish_non_exhaustive()
    }
}
