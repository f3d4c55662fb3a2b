//! Children that do not depend on each other.

use super::Join;
use crate::cause::Cause;
use crate::error::{BuildError, Error, Panicked, TaskId};
use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;

/// So many errors are kept where nothing else is said.
const LATEST: usize = 16;

/// Tasks that do not depend on each other: how each of them ended is counted, and none ends the
/// group. Values are dropped.
///
/// Panics are counted, too, where they count as errors
/// ([`OnPanic::Error`](crate::OnPanic::Error)); by default a panic still ends the group.
///
/// It keeps the latest 16 errors and panics, or [`keep`](Self::keep), however long the group
/// lives.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::{Builder, OnPanic, join::Supervise, thread};
///
/// let builder = Builder::with(Supervise::new()).on_panic(OnPanic::Error);
/// let report = thread::scope(builder, |g| {
///     g.spawn(|_| Ok(()));
///     g.spawn(|_| Err("no answer"));
///     g.spawn(|_| panic!("a bug"));
/// })?;
/// assert_eq!((report.succeeded, report.failed, report.panicked), (1, 1, 1));
/// assert_eq!(report.to_string(), "1 succeeded, 1 failed, 1 panicked");
/// # }
/// # Ok::<(), lockgate_errgroup::BuildError>(())
/// ```
#[derive(Debug)]
pub struct Supervise<E> {
    keep: usize,
    report: Report<E>,
}

/// How the tasks of a group ended, made by [`Supervise`].
#[derive(Debug)]
#[non_exhaustive]
pub struct Report<E> {
    /// Tasks that returned `Ok`.
    pub succeeded: u64,
    /// Tasks that returned `Err`.
    pub failed: u64,
    /// Tasks that panicked.
    pub panicked: u64,
    /// Why the group was cancelled, if it was.
    pub cancelled: Option<Cause>,
    /// Tasks that still ran at the deadline and were left behind.
    pub stragglers: Vec<TaskId>,
    /// The latest errors and panics, the oldest of them first.
    pub latest: VecDeque<Error<E>>,
}

impl<E> Supervise<E> {
    /// The policy.
    #[must_use]
    pub const fn new() -> Self {
        let report = Report {
            succeeded: 0,
            failed: 0,
            panicked: 0,
            cancelled: None,
            stragglers: Vec::new(),
            latest: VecDeque::new(),
        };
        Self { keep: LATEST, report }
    }

    /// At most so many errors and panics are kept: the latest ones.
    #[must_use]
    pub const fn keep(mut self, errors: usize) -> Self {
        self.keep = errors;
        self
    }

    fn note(&mut self, error: Error<E>) {
        let latest = &mut self.report.latest;
        if self.keep == 0 {
            return;
        }
        if latest.len() == self.keep {
            latest.pop_front();
        }
        latest.push_back(error);
    }
}

impl<E> Default for Supervise<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, E: Send> Join<T, E> for Supervise<E> {
    type Output = Result<Report<E>, BuildError>;

    fn complete(&mut self, index: usize, result: Result<T, E>) -> ControlFlow<()> {
        Join::<T, E>::complete_task(self, &TaskId { index, name: None }, result)
    }

    fn complete_task(&mut self, task: &TaskId, result: Result<T, E>) -> ControlFlow<()> {
        match result {
            Ok(_) => self.report.succeeded += 1,
            Err(error) => {
                self.report.failed += 1;
                let TaskId { index, name } = task.clone();
                self.note(Error::Task { index, name, error });
            }
        }
        ControlFlow::Continue(())
    }

    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        self.report.panicked += 1;
        self.note(Error::Panicked(panicked));
        ControlFlow::Continue(())
    }

    fn cancelled(&mut self, cause: Cause) {
        self.report.cancelled = Some(cause);
    }

    fn stragglers(&mut self, tasks: Vec<TaskId>) {
        self.report.stragglers = tasks;
    }

    fn finish(self) -> Self::Output {
        Ok(self.report)
    }

    fn refuse(self, error: BuildError) -> Self::Output {
        Err(error)
    }
}

impl<E> Report<E> {
    /// How many tasks ended.
    #[must_use]
    pub const fn ended(&self) -> u64 {
        self.succeeded + self.failed + self.panicked
    }

    /// Whether all tasks succeeded and the group was not cancelled.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.failed == 0
            && self.panicked == 0
            && self.cancelled.is_none()
            && self.stragglers.is_empty()
    }
}

/// One line of numbers.
impl<E> fmt::Display for Report<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { succeeded, failed, panicked, cancelled, stragglers, .. } = self;
        write!(f, "{succeeded} succeeded, {failed} failed, {panicked} panicked")?;
        if !stragglers.is_empty() {
            write!(f, ", {} left behind", stragglers.len())?;
        }
        match cancelled {
            Some(cause) => write!(f, "; the group was cancelled: {cause}"),
            None => Ok(()),
        }
    }
}
