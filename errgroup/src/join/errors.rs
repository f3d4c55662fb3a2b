//! Errors of many tasks, and how policies collect them.

use crate::cause::Cause;
use crate::error::{BuildError, Error, Panicked, TaskId};
use std::fmt;

/// So many errors are kept where nothing else is said.
pub(super) const KEEP: usize = 1000;

/// What went wrong in a group, task by task: the errors in the order of the spawns, then what
/// befell the group as a whole.
///
/// It may hold no error at all: [`FirstOk`](super::FirstOk) in a group without tasks.
pub struct Errors<E> {
    kept: Vec<Error<E>>,
    dropped: usize,
    /// How many tasks succeeded, and how many were asked for.
    quorum: Option<(usize, usize)>,
}

impl<E> Errors<E> {
    /// Nothing ran.
    pub(super) fn build(error: BuildError) -> Self {
        Self { kept: vec![Error::Build(error)], dropped: 0, quorum: None }
    }

    /// How many errors there were, those included that were not kept.
    #[must_use]
    pub fn len(&self) -> usize {
        self.kept.len().saturating_add(self.dropped)
    }

    /// Whether there were none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many errors are here.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.kept.len()
    }

    /// How many came beyond what is kept.
    #[must_use]
    pub const fn dropped(&self) -> usize {
        self.dropped
    }

    /// How many tasks succeeded, and how many were asked for, where a number was.
    #[must_use]
    pub const fn quorum(&self) -> Option<(usize, usize)> {
        self.quorum
    }

    /// The errors that are here.
    #[must_use]
    pub fn as_slice(&self) -> &[Error<E>] {
        &self.kept
    }

    /// One after the other.
    pub fn iter(&self) -> std::slice::Iter<'_, Error<E>> {
        self.kept.iter()
    }

    /// The errors that are here.
    #[must_use]
    pub fn into_vec(self) -> Vec<Error<E>> {
        self.kept
    }
}

impl<E> IntoIterator for Errors<E> {
    type Item = Error<E>;
    type IntoIter = std::vec::IntoIter<Error<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.kept.into_iter()
    }
}

impl<'a, E> IntoIterator for &'a Errors<E> {
    type Item = &'a Error<E>;
    type IntoIter = std::slice::Iter<'a, Error<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<E: fmt::Debug> fmt::Debug for Errors<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Errors")
            .field("kept", &self.kept)
            .field("dropped", &self.dropped)
            .field("quorum", &self.quorum)
            .finish()
    }
}

/// All that are kept, on one line: `3 errors: task 0: …; task 4 (db): …; and 1 more`.
impl<E: fmt::Display> fmt::Display for Errors<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((succeeded, wanted)) = self.quorum {
            write!(f, "{succeeded} of {wanted} successes, ")?;
        }
        match (self.len(), self.kept.as_slice()) {
            (0, _) => return f.write_str("no errors"),
            (1, [only]) if self.quorum.is_none() => return only.fmt(f),
            (1, _) => f.write_str("1 error: ")?,
            (len, _) => write!(f, "{len} errors: ")?,
        }
        for (place, error) in self.kept.iter().enumerate() {
            let semicolon = if place == 0 { "" } else { "; " };
            write!(f, "{semicolon}{error}")?;
        }
        match (self.dropped, self.kept.is_empty()) {
            (0, _) => Ok(()),
            (_, true) => f.write_str("none is kept"),
            (dropped, false) => write!(f, "; and {dropped} more"),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for Errors<E> {}

/// Errors while they come in. Keeps the first ones in time.
#[derive(Debug)]
pub(super) struct Tally<E> {
    errors: Vec<Error<E>>,
    /// The group's own end is kept in any case.
    ends: Vec<Error<E>>,
    keep: usize,
    dropped: usize,
}

impl<E> Tally<E> {
    pub(super) const fn new() -> Self {
        Self { errors: Vec::new(), ends: Vec::new(), keep: KEEP, dropped: 0 }
    }

    pub(super) const fn keep(mut self, keep: usize) -> Self {
        self.keep = keep;
        self
    }

    pub(super) fn task(&mut self, task: &TaskId, error: E) {
        let TaskId { index, name } = task.clone();
        self.push(Error::Task { index, name, error });
    }

    fn push(&mut self, error: Error<E>) {
        if self.errors.len() < self.keep {
            self.errors.push(error);
        } else {
            self.dropped += 1;
        }
    }

    pub(super) fn cancelled(&mut self, cause: Cause) {
        self.ends.push(Error::Cancelled(cause));
    }

    pub(super) fn stragglers(&mut self, tasks: Vec<TaskId>) {
        self.ends.push(Error::Stragglers(tasks));
    }

    /// How many errors of tasks there were.
    pub(super) fn len(&self) -> usize {
        self.errors.len().saturating_add(self.dropped)
    }

    /// The errors in the order of the spawns.
    pub(super) fn into_errors(mut self, quorum: Option<(usize, usize)>) -> Errors<E> {
        self.errors.sort_by_key(|error| match error {
            Error::Task { index, .. } => *index,
            Error::Panicked(panicked) => panicked.task().index(),
            _ => usize::MAX,
        });
        self.errors.append(&mut self.ends);
        Errors { kept: self.errors, dropped: self.dropped, quorum }
    }

    /// `Err` if there was anything.
    pub(super) fn into_result(self) -> Result<(), Errors<E>> {
        let errors = self.into_errors(None);
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    pub(super) fn panicked(&mut self, panicked: Panicked) {
        self.push(Error::Panicked(panicked));
    }
}
