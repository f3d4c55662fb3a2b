//! Time is an argument: where it comes from, and how to wait for it.

mod cached;
mod manual;
mod monotonic;
mod real;
#[cfg(feature = "async")]
mod tokio;
#[cfg(feature = "quanta")]
mod tsc;

#[cfg(feature = "async")]
pub use self::tokio::{Tokio, TokioSleep};
pub use cached::Cached;
pub use manual::{Manual, ManualSleep};
pub use monotonic::Monotonic;
pub use real::RealSleep;
#[cfg(feature = "quanta")]
pub use tsc::Tsc;

use std::future::Future;
use std::ops::Add;
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

/// A moment of a [`Clock`]: nanoseconds since an origin that is the clock's own.
///
/// All clocks of this crate that follow real time have one origin, so their moments can be compared,
/// and made from an [`Instant`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(u64);

impl Timestamp {
    /// A moment so many nanoseconds after the origin.
    #[must_use]
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since the origin.
    #[must_use]
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time since `earlier`; nothing if that is later.
    #[must_use]
    pub const fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The moment so much later, at most the last that there is, 584 years after the origin.
    #[must_use]
    pub const fn saturating_add(self, duration: Duration) -> Self {
        let nanos = duration.as_nanos();
        Self(if nanos > u64::MAX as u128 { u64::MAX } else { self.0.saturating_add(nanos as u64) })
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    /// [`saturating_add`](Self::saturating_add).
    fn add(self, duration: Duration) -> Self {
        self.saturating_add(duration)
    }
}

/// Where real time begins for this process: all that is compared is later.
static ORIGIN: LazyLock<Instant> = LazyLock::new(now);

#[allow(clippy::disallowed_methods, reason = "a clock is where time may be read")]
#[inline]
fn now() -> Instant {
    Instant::now()
}

#[inline]
fn since(instant: Instant, origin: Instant) -> u64 {
    let since = instant.saturating_duration_since(origin);
    // 584 years; `as_nanos` would count in 128 bits.
    since.as_secs().wrapping_mul(1_000_000_000).wrapping_add(u64::from(since.subsec_nanos()))
}

impl From<Instant> for Timestamp {
    /// The moment of the clocks that follow real time.
    fn from(instant: Instant) -> Self {
        Self(since(instant, *ORIGIN))
    }
}

/// A source of time.
///
/// A limiter reads it before each decision. It may stand still, be read late, or step back: by its
/// readings, a limiter then grants less than it could, never more. By real time, a reading that lies
/// L behind may let a full bucket grant what L supplies above its burst.
pub trait Clock: Send + Sync {
    /// The time by this clock.
    fn now(&self) -> Timestamp;
}

/// A clock that can be waited for.
pub trait Timer: Clock {
    /// A wait for a moment. It may be ready early: whoever waits looks at the clock again.
    type Sleep: Future<Output = ()> + Send + Unpin + 'static;

    /// A wait for `at`.
    fn sleep_until(&self, at: Timestamp) -> Self::Sleep;

    /// When it will be `at` in real time, if that is known: a thread then parks until then
    /// instead of waiting for [`sleep_until`](Self::sleep_until) to wake it.
    fn instant(&self, at: Timestamp) -> Option<Instant>;
}

impl<C: Clock + ?Sized> Clock for Arc<C> {
    #[inline]
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

impl<C: Timer + ?Sized> Timer for Arc<C> {
    type Sleep = C::Sleep;

    fn sleep_until(&self, at: Timestamp) -> Self::Sleep {
        (**self).sleep_until(at)
    }

    fn instant(&self, at: Timestamp) -> Option<Instant> {
        (**self).instant(at)
    }
}
