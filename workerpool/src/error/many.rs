//! Why many jobs gave less than was asked of them: of maps and of groups.

use super::{JobError, StdError, fmt};

/// An item of a map that gave no value. See `map` of a pool of threads or tasks.
#[non_exhaustive]
pub struct MapError<X> {
    /// Which item it was, counted from 0.
    pub index: usize,
    /// The item, unless it was given to the closure.
    pub item: Option<X>,
    /// What happened: the closure panicked, the batch was taken out of the queue, or the pool was
    /// shut down before it was in it.
    pub error: JobError,
}

impl<X> MapError<X> {
    pub(crate) const fn new(index: usize, item: Option<X>, error: JobError) -> Self {
        Self { index, item, error }
    }
}

impl<X> fmt::Debug for MapError<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MapError")
            .field("index", &self.index)
            .field("error", &self.error)
            .finish_non_exhaustive()
    }
}

impl<X> fmt::Display for MapError<X> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "item {}: {}", self.index, self.error)
    }
}

impl<X> StdError for MapError<X> {}

/// The first error of a group. See `group` of a pool of threads or tasks.
#[derive(Debug)]
#[non_exhaustive]
pub enum GroupError<E> {
    /// What a job gave.
    Failed(E),
    /// A job panicked, or was taken out of the queue; or waiting for the group would be a deadlock.
    Job(JobError),
    /// The group was cancelled before any of its jobs failed.
    Cancelled,
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Job(error) => error.fmt(f),
            Self::Cancelled => f.write_str("the group was cancelled"),
        }
    }
}

impl<E: StdError + 'static> StdError for GroupError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Job(error) => Some(error),
            Self::Cancelled => None,
        }
    }
}
