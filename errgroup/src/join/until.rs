//! Every result, until one is enough.

use super::{AllResults, Join};
use crate::cause::Cause;
use crate::error::{BuildError, Error, Panicked, TaskId};
use std::fmt;
use std::ops::ControlFlow;

/// Every result as of [`AllResults`], until `enough` is true of one, which cancels the rest.
///
/// `enough` is asked of each result, in the order in which tasks end, and under a lock of the
/// group's: it should be short. Tasks that had not ended by then stand in the list as
/// [`Error::Cancelled`], whatever they returned later, with the task that ended the group as the
/// cause.
///
/// It keeps one result for each task, until the join.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::{Builder, join::until, thread};
///
/// let mut failed = 0;
/// let two_failed = until(move |_, result: &Result<u32, &str>| {
///     failed += u32::from(result.is_err());
///     failed == 2
/// });
/// let results = thread::scope(Builder::with(two_failed).limit(1), |g| {
///     for n in 0..10 {
///         g.spawn(move |_| if n % 2 == 0 { Ok(n) } else { Err("odd") });
///     }
/// })?;
/// assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 2);
/// # }
/// # Ok::<(), lockgate_errgroup::BuildError>(())
/// ```
pub const fn until<T, E, P>(enough: P) -> Until<T, E, P>
where
    P: FnMut(&TaskId, &Result<T, E>) -> bool + Send,
{
    Until { all: AllResults::new(), enough }
}

/// The policy that [`until`] makes.
pub struct Until<T, E, P> {
    all: AllResults<T, E>,
    enough: P,
}

impl<T, E, P> Join<T, E> for Until<T, E, P>
where
    T: Send,
    E: Send,
    P: FnMut(&TaskId, &Result<T, E>) -> bool + Send,
{
    type Output = Result<Vec<Result<T, Error<E>>>, BuildError>;

    fn complete(&mut self, index: usize, result: Result<T, E>) -> ControlFlow<()> {
        self.complete_task(&TaskId { index, name: None }, result)
    }

    fn complete_task(&mut self, task: &TaskId, result: Result<T, E>) -> ControlFlow<()> {
        let enough = (self.enough)(task, &result);
        let flow = self.all.complete_task(task, result);
        if enough {
            let TaskId { index, name } = task.clone();
            self.all.set_cause(Cause::Task { index, name });
            return ControlFlow::Break(());
        }
        flow
    }

    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        self.all.panicked(panicked)
    }

    fn skipped(&mut self, task: &TaskId) {
        Join::<T, E>::skipped(&mut self.all, task);
    }

    fn cancelled(&mut self, cause: Cause) {
        self.all.cancelled(cause);
    }

    fn stragglers(&mut self, tasks: Vec<TaskId>) {
        self.all.stragglers(tasks);
    }

    fn finish(self) -> Self::Output {
        self.all.finish()
    }

    fn refuse(self, error: BuildError) -> Self::Output {
        Err(error)
    }
}

impl<T, E, P> fmt::Debug for Until<T, E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Until").field("all", &self.all).finish_non_exhaustive()
    }
}
