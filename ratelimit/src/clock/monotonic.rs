//! The clock of the standard library.

use super::{Clock, ORIGIN, RealSleep, Timer, Timestamp, now, since};
use std::fmt;
use std::time::{Duration, Instant};

/// [`Instant`], which never steps back. The default.
#[derive(Clone, Copy)]
pub struct Monotonic {
    /// A copy of the process's: reading the time then looks nowhere else.
    origin: Instant,
}

impl Monotonic {
    /// The clock.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: *ORIGIN }
    }
}

impl Default for Monotonic {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for Monotonic {
    #[inline]
    fn now(&self) -> Timestamp {
        Timestamp(since(now(), self.origin))
    }
}

impl Timer for Monotonic {
    type Sleep = RealSleep;

    fn sleep_until(&self, at: Timestamp) -> RealSleep {
        RealSleep::until(self.instant(at))
    }

    fn instant(&self, at: Timestamp) -> Option<Instant> {
        self.origin.checked_add(Duration::from_nanos(at.0))
    }
}

impl fmt::Debug for Monotonic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Monotonic")
    }
}
