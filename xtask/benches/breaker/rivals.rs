//! The rivals, by the calls that their documentation recommends.

use crate::harness::Subject;
use crate::ours::poll_once;
use crate::subject::{Ended, Guard};
use breaker::{BackoffStrategy, CircuitBreaker as Breaker2, CircuitBreakerConfig};
use failsafe::CircuitBreaker as _;
use failsafe::backoff::{self, Constant};
use failsafe::failure_policy::{self, ConsecutiveFailures};
use recloser::Recloser as Inner;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

pub struct Failsafe(failsafe::StateMachine<ConsecutiveFailures<Constant>, ()>);

impl Subject for Failsafe {
    const NAME: &'static str = "failsafe";
}

fn failsafe(failures: u32) -> failsafe::StateMachine<ConsecutiveFailures<Constant>, ()> {
    let policy = failure_policy::consecutive_failures(failures, backoff::constant(HOUR));
    failsafe::Config::new().failure_policy(policy).build()
}

impl Guard for Failsafe {
    fn closed() -> Self {
        Self(failsafe(1_000))
    }

    fn open() -> Self {
        let this = Self(failsafe(1));
        assert_eq!(this.call(|| Err(())), Ended::Failed);
        this
    }

    #[inline]
    fn call(&self, work: impl FnOnce() -> Result<(), ()>) -> Ended {
        match self.0.call(work) {
            Ok(()) => Ended::Well,
            Err(failsafe::Error::Inner(())) => Ended::Failed,
            Err(failsafe::Error::Rejected) => Ended::Rejected,
        }
    }
}

/// With what it has unless told otherwise: a moving average by the clock, or failures in a row.
pub struct FailsafeDefault(failsafe::StateMachine<DefaultPolicy, ()>);

type Jittered = failsafe::backoff::EqualJittered;
type DefaultPolicy = failsafe::failure_policy::OrElse<
    failsafe::failure_policy::SuccessRateOverTimeWindow<Jittered>,
    ConsecutiveFailures<Jittered>,
>;

impl Subject for FailsafeDefault {
    const NAME: &'static str = "failsafe/default";
}

fn jittered() -> Jittered {
    backoff::equal_jittered(Duration::from_secs(10), Duration::from_secs(300))
}

impl Guard for FailsafeDefault {
    fn closed() -> Self {
        use failsafe::FailurePolicy as _;
        // The numbers of the default, but for a rate that half of the calls do not reach.
        let window = Duration::from_secs(30);
        let rate = failure_policy::success_rate_over_time_window(0.05, 5, window, jittered());
        let policy = rate.or_else(failure_policy::consecutive_failures(1_000, jittered()));
        Self(failsafe::Config::new().failure_policy(policy).build())
    }

    fn open() -> Self {
        unreachable!("an open one does not ask its policy")
    }

    #[inline]
    fn call(&self, work: impl FnOnce() -> Result<(), ()>) -> Ended {
        match self.0.call(work) {
            Ok(()) => Ended::Well,
            Err(failsafe::Error::Inner(())) => Ended::Failed,
            Err(failsafe::Error::Rejected) => Ended::Rejected,
        }
    }
}

pub struct Recloser(Inner);

impl Subject for Recloser {
    const NAME: &'static str = "recloser";
}

impl Guard for Recloser {
    fn closed() -> Self {
        Self(Inner::custom().error_rate(0.9).closed_len(100).open_wait(HOUR).build())
    }

    fn open() -> Self {
        let this = Self(Inner::custom().error_rate(0.5).closed_len(1).open_wait(HOUR).build());
        while this.call(|| Err(())) != Ended::Rejected {}
        this
    }

    #[inline]
    fn call(&self, work: impl FnOnce() -> Result<(), ()>) -> Ended {
        match self.0.call(work) {
            Ok(()) => Ended::Well,
            Err(recloser::Error::Inner(())) => Ended::Failed,
            Err(recloser::Error::Rejected) => Ended::Rejected,
        }
    }
}

/// `breaker` 2.x, which is for tasks: polled once.
pub struct Breaker2x(Breaker2);

impl Subject for Breaker2x {
    const NAME: &'static str = "breaker";
}

impl Guard for Breaker2x {
    fn closed() -> Self {
        let config = CircuitBreakerConfig::builder()
            .consecutive_failures(1_000)
            .failure_rate_threshold(0.95)
            .sliding_window_size(100)
            .minimum_calls(10)
            .backoff(BackoffStrategy::Fixed(HOUR));
        Self(Breaker2::new(config.build()))
    }

    fn open() -> Self {
        let this = Self::closed();
        this.0.trip();
        this
    }

    #[inline]
    fn call(&self, work: impl FnOnce() -> Result<(), ()>) -> Ended {
        use breaker::CircuitBreakerError as Error;
        match poll_once(self.0.call(|| async { work() })) {
            Ok(()) => Ended::Well,
            Err(Error::CircuitOpen | Error::Rejected) => Ended::Rejected,
            Err(_) => Ended::Failed,
        }
    }
}
