//! The clock of the standard library.

use super::{Clock, Timestamp, nanos};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// All clocks that follow real time begin together, so that their moments can be compared.
static ORIGIN: LazyLock<Instant> = LazyLock::new(now);

#[allow(clippy::disallowed_methods, reason = "this is the clock")]
fn now() -> Instant {
    Instant::now()
}

/// [`Instant`], which never steps back. The default.
#[derive(Clone, Copy, Debug)]
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
        Timestamp(nanos(now().saturating_duration_since(self.origin)))
    }

    /// In the seconds and nanoseconds that [`Instant`] gives: after the clock was read, there is nothing to
    /// multiply and to divide any more, for which the next reading would have to wait.
    #[inline]
    fn left(&self, then: Timestamp) -> Option<Duration> {
        let now = now().saturating_duration_since(self.origin);
        let then = Duration::from_nanos(then.as_nanos());
        then.checked_sub(now).filter(|left| !left.is_zero())
    }
}
