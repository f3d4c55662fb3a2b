//! Ours, by each of its clocks.

use crate::harness::{Role, Subject};
use crate::subject::{Await, Decide, Limit, Reserve, SetRate};
use lockgate_ratelimit::clock::{Cached, Timestamp, Tsc};
use lockgate_ratelimit::{Quota, Rate, RateLimiter};
use std::time::Duration;

/// By the standard library's clock.
pub struct Ours(RateLimiter);

/// By the processor's counter.
pub struct OursQuanta(RateLimiter<Tsc>);

/// By a clock that a thread refreshes every millisecond, as governor's does.
pub struct OursCached(RateLimiter<Cached>);

fn quota(limit: Limit) -> Quota {
    Quota::new(Rate::per(limit.tokens, limit.period), limit.burst)
}

impl Subject for Ours {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
    const FIFO: bool = true;
}

impl Decide for Ours {
    fn new(limit: Limit) -> Self {
        Self(RateLimiter::new(quota(limit)))
    }

    #[inline]
    fn try_acquire(&self, n: u32) -> bool {
        self.0.try_acquire(n).is_ok()
    }
}

impl Reserve for Ours {
    #[inline]
    fn reserve_and_cancel(&self, n: u32) -> Duration {
        let reservation = self.0.reserve(n).expect("less than the burst");
        let at = reservation.ready_at();
        reservation.cancel();
        at.saturating_duration_since(Timestamp::default())
    }
}

impl SetRate for Ours {
    fn set_rate(&self, tokens_per_second: u32) {
        self.0.set_rate(Rate::per_second(tokens_per_second));
    }
}

impl Await for Ours {
    fn new(limit: Limit) -> Self {
        Self(RateLimiter::new(quota(limit).initial(0)))
    }

    async fn acquire(&self, n: u32) {
        self.0.acquire(n).await.expect("nobody closes it");
    }
}

impl Subject for OursQuanta {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Decide for OursQuanta {
    fn new(limit: Limit) -> Self {
        Self(RateLimiter::with_clock(quota(limit), Tsc::new()))
    }

    #[inline]
    fn try_acquire(&self, n: u32) -> bool {
        self.0.try_acquire(n).is_ok()
    }
}

impl Subject for OursCached {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Decide for OursCached {
    fn new(limit: Limit) -> Self {
        let clock = Cached::with_thread(Duration::from_millis(1)).expect("a thread");
        Self(RateLimiter::with_clock(quota(limit), clock))
    }

    #[inline]
    fn try_acquire(&self, n: u32) -> bool {
        self.0.try_acquire(n).is_ok()
    }
}
