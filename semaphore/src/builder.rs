//! The options of a semaphore.

use crate::error::LimitError;
use crate::semaphore::Semaphore;
use crate::state::MAX_PERMITS;

/// Options for a [`Semaphore`]; made by [`Semaphore::builder`].
#[must_use = "a builder does nothing until `build` is called"]
#[derive(Clone, Debug)]
pub struct Builder {
    permits: usize,
    max_waiters: usize,
}

impl Builder {
    pub(crate) const fn new(permits: usize) -> Self {
        Self { permits, max_waiters: usize::MAX }
    }

    /// How many requests may wait; one more fails with
    /// [`QueueFull`](crate::AcquireError::QueueFull).
    ///
    /// Without this there is no bound. With 0, nothing ever waits. Waits for idleness do not
    /// count.
    pub const fn max_waiters(mut self, requests: usize) -> Self {
        self.max_waiters = requests;
        self
    }

    /// Makes the semaphore.
    ///
    /// # Errors
    ///
    /// If the number of permits is 0 or above [`Semaphore::MAX_PERMITS`].
    pub fn build(self) -> Result<Semaphore, LimitError> {
        if self.permits == 0 || self.permits > MAX_PERMITS {
            return Err(LimitError { limit: self.permits });
        }
        Ok(Semaphore::with_checked(self.permits, self.max_waiters))
    }
}
