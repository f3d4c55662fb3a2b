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
#[inline]
pub(crate) fn nanos(duration: Duration) -> u64 {
    let seconds = duration.as_secs().saturating_mul(1_000_000_000);
    seconds.saturating_add(duration.subsec_nanos().into())
}

/// A source of time.
///
/// A breaker asks it when something depends on time: an open circuit, a window of time, a limit
/// for slow calls. It may stand still and it may jump. One that steps back keeps a circuit open for
/// as much longer; one that jumps ahead lets probes through earlier.
pub trait Clock: Send + Sync {
    /// The time by this clock.
    fn now(&self) -> Timestamp;

    /// How long it is until `then`; `None` if that is over. What a rejected call is told, so a clock that can
    /// tell it faster than by a subtraction of [`now`](Self::now) may do so.
    #[inline]
    fn left(&self, then: Timestamp) -> Option<Duration> {
        left(self.now().0, then.0)
    }
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    #[inline]
    fn now(&self) -> Timestamp {
        (**self).now()
    }

    #[inline]
    fn left(&self, then: Timestamp) -> Option<Duration> {
        (**self).left(then)
    }
}

#[inline]
fn left(now: u64, then: u64) -> Option<Duration> {
    (now < then).then(|| Duration::from_nanos(then - now))
}

/// What the circuit asks of a clock, in nanoseconds.
pub(crate) trait Time {
    fn now(&self) -> u64;

    fn left(&self, until: u64) -> Option<Duration>;
}

/// By a clock of which only the time is known.
impl<F: Fn() -> u64> Time for F {
    #[inline]
    fn now(&self) -> u64 {
        self()
    }

    #[inline]
    fn left(&self, until: u64) -> Option<Duration> {
        left(self(), until)
    }
}

pub(crate) struct By<'a, C>(pub(crate) &'a C);

impl<C: Clock> Time for By<'_, C> {
    #[inline]
    fn now(&self) -> u64 {
        self.0.now().0
    }

    #[inline]
    fn left(&self, until: u64) -> Option<Duration> {
        self.0.left(Timestamp(until))
    }
}
