//! A clock that stands still until it is moved.

use super::{Clock, Timestamp};
use crate::primitives::Arc;
use crate::primitives::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A clock for tests: it stands still until it is moved, forward or back.
///
/// Clones are the same clock.
///
/// # Examples
///
/// ```
/// # use lockgate_breaker::{Backoff, Breaker, Error, Policy, State, clock::Manual};
/// # use std::time::Duration;
/// let clock = Manual::new();
/// let breaker = Breaker::builder("payments")
///     .policy(Policy::consecutive_failures(1))
///     .open_for(Backoff::fixed(Duration::from_secs(5)))
///     .clock(clock.clone())
///     .build()?;
/// let _ = breaker.call(|| Err::<(), _>("no answer"));
/// assert_eq!(breaker.state(), State::Open);
/// clock.advance(Duration::from_secs(5));
/// assert!(breaker.call(|| Ok::<_, &str>(())).is_ok());
/// # Ok::<(), lockgate_breaker::BuildError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Manual(Arc<AtomicU64>);

impl Default for Manual {
    fn default() -> Self {
        Self::new()
    }
}

impl Manual {
    /// A clock that stands at [`Timestamp::default`].
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(AtomicU64::new(0)))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Moves it, forward or back.
    pub fn set(&self, now: Timestamp) {
        // ORDERING: Release pairs with the Acquire in `now`: whoever sees the new time sees what
        // was done before it came.
        self.0.store(now.as_nanos(), Ordering::Release);
    }
}

impl Clock for Manual {
    fn now(&self) -> Timestamp {
        // ORDERING: Acquire pairs with the Release in `set`.
        Timestamp(self.0.load(Ordering::Acquire))
    }
}
