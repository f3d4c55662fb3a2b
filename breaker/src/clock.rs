//! Where the time comes from.

mod cached;
mod manual;
mod monotonic;

pub use cached::Cached;
pub use manual::Manual;
pub use monotonic::Monotonic;

use crate::primitives::Arc;
use std::ops::Add;
use std::time::Duration;

/// A moment by a [`Clock`]: nanoseconds since a beginning that the clock chooses.
///
/// Adding a duration stops at the last moment there is, 584 years after the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The moment that lies so many nanoseconds after the clock's beginning.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// How many nanoseconds it lies after the clock's beginning.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// How long it lies after `earlier`; nothing if it lies before.
    #[must_use]
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

/// In nanoseconds; what does not fit is the longest that does.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// A source of time.
///
/// A breaker asks it when something depends on time: an open circuit, a window of time, a limit
/// for slow calls. It may stand still and it may jump. One that steps back keeps a circuit open for
/// as much longer; one that jumps ahead lets probes through earlier.
pub trait Clock: Send + Sync {
    /// The time by this clock.
    fn now(&self) -> Timestamp;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    #[inline]
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}
