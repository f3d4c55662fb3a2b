//! The default: the first error cancels the rest and is returned.

use super::Join;
use crate::cause::Cause;
use crate::error::{BuildError, Error, Panicked, TaskId};
use std::ops::ControlFlow;

/// The first error in time cancels the rest and is what the join returns. Values are dropped.
///
/// Keeps one error.
#[derive(Debug)]
pub struct FirstError<E> {
    first: Option<Error<E>>,
    echo: Option<fn(&E) -> bool>,
}

impl<E> FirstError<E> {
    /// The policy.
    #[must_use]
    pub const fn new() -> Self {
        Self { first: None, echo: None }
    }

    /// Takes errors of which `echo` is true for a mere echo of the cancel: they do not count.
    ///
    /// When a task of the group fails, what its siblings return afterwards never counts. When
    /// the group is cancelled from outside, its tasks may return errors that say no more than
    /// that; with this, the join returns [`Error::Cancelled`] with the cause instead of the first
    /// of them.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_errgroup::{Cancelled, join::FirstError};
    /// # let _ =
    /// FirstError::<Box<dyn std::error::Error + Send + Sync>>::new().echo(|e| e.is::<Cancelled>())
    /// # ;
    /// ```
    #[must_use]
    pub const fn echo(mut self, echo: fn(&E) -> bool) -> Self {
        self.echo = Some(echo);
        self
    }
}

impl<E> Default for FirstError<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T, E: Send> Join<T, E> for FirstError<E> {
    type Output = Result<(), Error<E>>;

    fn complete(&mut self, index: usize, result: Result<T, E>) -> ControlFlow<()> {
        Join::<T, E>::complete_task(self, &TaskId { index, name: None }, result)
    }

    fn complete_task(&mut self, task: &TaskId, result: Result<T, E>) -> ControlFlow<()> {
        match result {
            Err(error) if !self.echo.is_some_and(|echo| echo(&error)) => {
                let TaskId { index, name } = task.clone();
                self.first = Some(Error::Task { index, name, error });
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        }
    }

    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        self.first = Some(Error::Panicked(panicked));
        ControlFlow::Break(())
    }

    fn cancelled(&mut self, cause: Cause) {
        self.first.get_or_insert(Error::Cancelled(cause));
    }

    fn stragglers(&mut self, tasks: Vec<TaskId>) {
        if matches!(self.first, None | Some(Error::Cancelled(_))) {
            self.first = Some(Error::Stragglers(tasks));
        }
    }

    fn finish(self) -> Self::Output {
        self.first.map_or(Ok(()), Err)
    }

    fn refuse(self, error: BuildError) -> Self::Output {
        Err(Error::Build(error))
    }

    fn wants_values(&self) -> bool {
        false
    }
}
