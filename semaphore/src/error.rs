//! One error per operation, the same for threads and tasks.

use crate::state::MAX_PERMITS;
use std::error::Error;
use std::fmt;

/// Why [`try_acquire`](crate::Semaphore::try_acquire) and its kin got nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TryAcquireError {
    /// Too few permits are free, or somebody who came earlier waits.
    NoPermits,
    /// The semaphore is closed.
    Closed,
    /// More than the limit was asked for, so it could never be granted.
    ExceedsLimit {
        /// The permits asked for.
        requested: usize,
        /// The limit at that moment.
        limit: usize,
    },
}

/// Why [`acquire`](crate::Semaphore::acquire) and its kin failed, waited for by a thread or a
/// task alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// The semaphore was closed before the request was granted.
    Closed,
    /// More than the limit was asked for, or the limit fell below the request while it waited.
    ExceedsLimit {
        /// The permits asked for.
        requested: usize,
        /// The limit at that moment.
        limit: usize,
    },
    /// As many requests wait as the [builder](crate::Semaphore::builder) allowed.
    QueueFull {
        /// The number of requests that may wait.
        max_waiters: usize,
    },
}

/// Why a request with a deadline failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireTimeoutError {
    /// The deadline passed before the request was granted.
    Timeout,
    /// The semaphore was closed before the request was granted.
    Closed,
    /// More than the limit was asked for, or the limit fell below the request while it waited.
    ExceedsLimit {
        /// The permits asked for.
        requested: usize,
        /// The limit at that moment.
        limit: usize,
    },
    /// As many requests wait as the [builder](crate::Semaphore::builder) allowed.
    QueueFull {
        /// The number of requests that may wait.
        max_waiters: usize,
    },
}

/// The semaphore was not idle before the deadline of a
/// [`wait_idle`](crate::Semaphore::wait_idle).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleTimeoutError(pub(crate) ());

/// A limit that no semaphore can have, given to
/// [`set_limit`](crate::Semaphore::set_limit) or [`build`](crate::Builder::build).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitError {
    pub(crate) limit: usize,
}

/// More permits were asked of a [`Permit`](crate::Permit) than it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WeightError {
    pub(crate) requested: usize,
    pub(crate) weight: usize,
}

impl TryAcquireError {
    /// Whether trying again later can succeed.
    #[must_use]
    pub const fn is_no_permits(&self) -> bool {
        matches!(self, Self::NoPermits)
    }

    /// Whether the semaphore is closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl AcquireError {
    /// Whether the semaphore is closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl AcquireTimeoutError {
    /// Whether the deadline passed.
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout)
    }

    /// Whether the semaphore is closed.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

impl LimitError {
    /// The limit that was asked for.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }
}

impl WeightError {
    /// The permits that were asked for.
    #[must_use]
    pub const fn requested(&self) -> usize {
        self.requested
    }

    /// The permits that were held.
    #[must_use]
    pub const fn weight(&self) -> usize {
        self.weight
    }
}

impl From<AcquireError> for AcquireTimeoutError {
    fn from(error: AcquireError) -> Self {
        match error {
            AcquireError::Closed => Self::Closed,
            AcquireError::ExceedsLimit { requested, limit } => {
                Self::ExceedsLimit { requested, limit }
            }
            AcquireError::QueueFull { max_waiters } => Self::QueueFull { max_waiters },
        }
    }
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPermits => f.write_str("no permits available"),
            Self::Closed => write_closed(f),
            Self::ExceedsLimit { requested, limit } => write_exceeds(f, *requested, *limit),
        }
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        AcquireTimeoutError::from(*self).fmt(f)
    }
}

impl fmt::Display for AcquireTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("deadline passed while waiting for permits"),
            Self::Closed => write_closed(f),
            Self::ExceedsLimit { requested, limit } => write_exceeds(f, *requested, *limit),
            Self::QueueFull { max_waiters } => {
                write!(f, "queue is full: at most {max_waiters} requests may wait")
            }
        }
    }
}

fn write_closed(f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("semaphore is closed")
}

fn write_exceeds(f: &mut fmt::Formatter<'_>, requested: usize, limit: usize) -> fmt::Result {
    write!(f, "request for {requested} permits exceeds the limit of {limit}")
}

impl fmt::Display for IdleTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline passed while permits were still held")
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "limit of {} permits is outside of 1..={MAX_PERMITS}", self.limit)
    }
}

impl fmt::Display for WeightError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} permits asked of a permit that holds {}", self.requested, self.weight)
    }
}

impl Error for TryAcquireError {}
impl Error for AcquireError {}
impl Error for AcquireTimeoutError {}
impl Error for IdleTimeoutError {}
impl Error for LimitError {}
impl Error for WeightError {}
