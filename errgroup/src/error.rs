//! One error type for each operation that can fail, shared by threads and tasks.

use crate::cause::Cause;
use std::error::Error as StdError;
use std::fmt;

/// The token was cancelled, and why.
#[derive(Clone, Debug)]
pub struct Cancelled {
    cause: Cause,
}

impl Cancelled {
    pub(crate) const fn new(cause: Cause) -> Self {
        Self { cause }
    }

    /// Why the token was cancelled.
    #[must_use]
    pub const fn cause(&self) -> &Cause {
        &self.cause
    }

    /// The cause itself.
    #[must_use]
    pub fn into_cause(self) -> Cause {
        self.cause
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled: {}", self.cause)
    }
}

impl StdError for Cancelled {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.cause {
            Cause::Error(error) => Some(&**error),
            _ => None,
        }
    }
}

/// The token was not cancelled before the deadline of a
/// [`wait_timeout`](crate::WaitCancelled::wait_timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutError(pub(crate) ());

impl fmt::Display for WaitTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline passed while waiting for a cancel")
    }
}

impl StdError for WaitTimeoutError {}
