//! The rivals, by the calls that their documentation recommends.

use crate::harness::Subject;
use crate::subject::{Await, Decide, Limit, SetRate};
use governor::clock::{DefaultClock, MonotonicClock, QuantaUpkeepClock};
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use std::num::NonZeroU32;
use std::sync::OnceLock;
use std::time::Duration;

type Governor<C> =
    RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<<C as governor::clock::Clock>::Instant>>;

fn quota(limit: Limit) -> Quota {
    let interval = limit.period / limit.tokens;
    let quota = Quota::with_period(interval).expect("not zero");
    quota.allow_burst(NonZeroU32::new(limit.burst).expect("not zero"))
}

fn some(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).expect("not zero")
}

/// There can be only one, for the whole process.
fn upkeep() -> QuantaUpkeepClock {
    static CLOCK: OnceLock<QuantaUpkeepClock> = OnceLock::new();
    let start = || QuantaUpkeepClock::from_interval(Duration::from_millis(1)).expect("a thread");
    CLOCK.get_or_init(start).clone()
}

macro_rules! governors {
    ($($name:ident, $text:literal, $clock:ty, $make:expr;)+) => {$(
        pub struct $name(Governor<$clock>);

        impl Subject for $name {
            const NAME: &'static str = $text;
        }

        impl Decide for $name {
            fn new(limit: Limit) -> Self {
                Self(RateLimiter::direct_with_clock(quota(limit), $make))
            }

            #[inline]
            fn try_acquire(&self, n: u32) -> bool {
                if n == 1 {
                    return self.0.check().is_ok();
                }
                self.0.check_n(some(n)).is_ok_and(|decision| decision.is_ok())
            }
        }
    )+};
}

governors! {
    GovernorQuanta, "governor", DefaultClock, DefaultClock::default();
    GovernorInstant, "governor/instant", MonotonicClock, MonotonicClock;
    GovernorUpkeep, "governor/upkeep", QuantaUpkeepClock, upkeep();
}

impl Await for GovernorQuanta {
    fn new(limit: Limit) -> Self {
        let this = <Self as Decide>::new(limit);
        while this.0.check().is_ok() {}
        this
    }

    async fn acquire(&self, n: u32) {
        if n == 1 {
            self.0.until_ready().await;
        } else {
            self.0.until_n_ready(some(n)).await.expect("less than the burst");
        }
    }
}

/// iopsystems' `ratelimit`.
pub struct Ratelimit2(ratelimit::Ratelimiter);

impl Subject for Ratelimit2 {
    const NAME: &'static str = "ratelimit";
}

impl Decide for Ratelimit2 {
    fn new(limit: Limit) -> Self {
        let limiter = ratelimit::Ratelimiter::builder(limit.tokens.into())
            .period(limit.period)
            .max_tokens(limit.burst.into())
            .initial_available(limit.burst.into())
            .build()
            .expect("good numbers");
        Self(limiter)
    }

    #[inline]
    fn try_acquire(&self, n: u32) -> bool {
        self.0.try_wait_n(n.into()).is_ok()
    }
}

impl SetRate for Ratelimit2 {
    fn set_rate(&self, tokens_per_second: u32) {
        self.0.set_rate(tokens_per_second.into());
    }
}

/// In its fair mode, which is its default.
pub struct LeakyBucket(leaky_bucket::RateLimiter);

impl Subject for LeakyBucket {
    const NAME: &'static str = "leaky-bucket";
    const FIFO: bool = true;
}

impl Decide for LeakyBucket {
    fn new(limit: Limit) -> Self {
        let limiter = leaky_bucket::RateLimiter::builder()
            .initial(limit.burst as usize)
            .max(limit.burst as usize)
            .refill(limit.tokens as usize)
            .interval(limit.period)
            .build();
        Self(limiter)
    }

    #[inline]
    fn try_acquire(&self, n: u32) -> bool {
        self.0.try_acquire(n as usize)
    }
}

impl Await for LeakyBucket {
    fn new(limit: Limit) -> Self {
        // One token an interval, as it says its users should: a refill of many comes all at once.
        let limiter = leaky_bucket::RateLimiter::builder()
            .initial(0)
            .max(limit.burst as usize)
            .refill(1)
            .interval(limit.period / limit.tokens)
            .build();
        Self(limiter)
    }

    async fn acquire(&self, n: u32) {
        self.0.acquire(n as usize).await;
    }
}
