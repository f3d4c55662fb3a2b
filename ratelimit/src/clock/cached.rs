//! A clock that somebody else reads.

use super::{Clock, ORIGIN, RealSleep, Timer, Timestamp, now, since};
use crate::primitives::Arc;
use crate::primitives::atomic::{AtomicU64, Ordering};
use std::fmt;
use std::io;
use std::time::{Duration, Instant};

/// Real time, as it was when it was last refreshed: reading it is one load.
///
/// It is refreshed by a thread ([`with_thread`](Self::with_thread)), by a task
/// (`with_task`), or by hand. Clones are the same clock, and the thread or task
/// ends when the last of them is gone.
///
/// # Error
///
/// It is late by up to its period and by what the scheduler adds, and never early. So a limiter by
/// this clock grants a token later than it could, and one thing more: while it has not seen that
/// time went on, a bucket that was full before is full at most once more. In any stretch of time Δ it
/// grants at most burst + rate · (Δ + how late the clock was at its beginning).
///
/// A wait by this clock sleeps for a period longer than it has to, so that it finds the clock
/// refreshed.
#[derive(Clone)]
pub struct Cached(Arc<Shared>);

struct Shared {
    now: AtomicU64,
    /// How late it may be; 0 if nobody knows.
    period: Duration,
}

impl Cached {
    /// Refreshed by a thread of its own, every `period`.
    ///
    /// # Errors
    ///
    /// That the thread could not be started.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_ratelimit::{Quota, RateLimiter, clock::Cached};
    /// # use std::time::Duration;
    /// let clock = Cached::with_thread(Duration::from_millis(1))?;
    /// let limiter = RateLimiter::with_clock(Quota::per_second(1_000), clock);
    /// assert!(limiter.try_acquire(1).is_ok());
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn with_thread(period: Duration) -> io::Result<Self> {
        let clock = Self::new(period);
        let shared = Arc::downgrade(&clock.0);
        let refresh = move || {
            while let Some(shared) = shared.upgrade() {
                shared.refresh();
                drop(shared);
                sleep(period);
            }
        };
        // LOOM: of the standard library: no model has a clock that goes by itself.
        std::thread::Builder::new().name("lockgate-clock".into()).spawn(refresh)?;
        Ok(clock)
    }

    /// Refreshed by a task of the current tokio runtime, every `period`: rounded up to the
    /// milliseconds of the runtime's timer.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime, and in one without time.
    #[cfg(feature = "async")]
    #[must_use]
    pub fn with_task(period: Duration) -> Self {
        let clock = Self::new(period);
        let shared = Arc::downgrade(&clock.0);
        tokio::spawn(async move {
            while let Some(shared) = shared.upgrade() {
                shared.refresh();
                drop(shared);
                tokio::time::sleep(period).await;
            }
        });
        clock
    }

    /// Refreshed by nobody but [`refresh`](Self::refresh), for instance once in each turn of an
    /// event loop, at least every `period`.
    #[must_use]
    pub fn by_hand(period: Duration) -> Self {
        Self::new(period)
    }

    fn new(period: Duration) -> Self {
        let now = AtomicU64::new(since(now(), *ORIGIN));
        Self(Arc::new(Shared { now, period }))
    }

    /// Brings it up to date.
    pub fn refresh(&self) {
        self.0.refresh();
    }
}

impl Shared {
    fn refresh(&self) {
        // ORDERING: Relaxed: a time publishes nothing, and several who refresh never set it back.
        self.now.fetch_max(since(now(), *ORIGIN), Ordering::Relaxed);
    }
}

#[allow(clippy::disallowed_methods, reason = "the thread is there to sleep")]
fn sleep(period: Duration) {
    std::thread::sleep(period);
}

impl Clock for Cached {
    #[inline]
    fn now(&self) -> Timestamp {
        // ORDERING: Relaxed, as in `refresh`.
        Timestamp(self.0.now.load(Ordering::Relaxed))
    }
}

impl Timer for Cached {
    type Sleep = RealSleep;

    fn sleep_until(&self, at: Timestamp) -> RealSleep {
        RealSleep::until(self.instant(at))
    }

    fn instant(&self, at: Timestamp) -> Option<Instant> {
        // If it was to be refreshed by now and was not, once more a period from now: whoever waits
        // looks seldom at a clock that has stopped.
        let due = ORIGIN.checked_add(Duration::from_nanos(at.0))?;
        due.max(now()).checked_add(self.0.period)
    }
}

impl fmt::Debug for Cached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("now", &self.now()).field("period", &self.0.period).finish()
    }
}
