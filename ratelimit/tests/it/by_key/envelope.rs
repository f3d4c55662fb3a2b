//! No key is granted more than its quota, whatever the others, the table and the clock do.

use super::by_key;
use crate::support::{quota, secs};
use lockgate_ratelimit::clock::{Clock, Timestamp};
use lockgate_ratelimit::{Policy, RateLimiter};
use proptest::prelude::*;
use proptest::test_runner::Config;
use std::time::Duration;

#[derive(Clone, Debug)]
enum Step {
    Take { key: u64, n: u32 },
    Flood { from: u64, keys: u64 },
    Advance { micros: u64 },
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..6_u64, 0..8_u32).prop_map(|(key, n)| Step::Take { key, n }),
        1 => (100..1_000_u64, 1..40_u64).prop_map(|(from, keys)| Step::Flood { from, keys }),
        3 => (0..400_000_u64).prop_map(|micros| Step::Advance { micros }),
        1 => Just(Step::Sweep),
    ]
}

const RATE: u32 = 7;
const BURST: u32 = 6;

proptest! {
    #![proptest_config(Config { cases: 300, failure_persistence: None, ..Config::default() })]

    /// As long as there is room, a key cannot tell that it is not alone: forgetting it when it is
    /// full, and finding it again, changes no answer by a nanosecond.
    #[test]
    fn a_key_is_a_limiter(steps in proptest::collection::vec(step(), 1..120)) {
        let (limiter, clock) = by_key(quota(RATE, BURST), 10_000, Policy::DenyNew);
        let alone: Vec<_> = (0..6)
            .map(|_| RateLimiter::with_clock(quota(RATE, BURST), clock.clone()))
            .collect();
        for step in steps {
            match step {
                Step::Take { key, n } => {
                    let answer = limiter.try_acquire(&key, n).map_err(|no| no.retry_after());
                    let alone = &alone[key as usize];
                    prop_assert_eq!(answer, alone.try_acquire(n).map_err(|no| no.retry_after()));
                    prop_assert!((limiter.tokens(&key) - alone.tokens()).abs() < 1e-6);
                }
                Step::Flood { from, keys } => {
                    for key in from..from + keys {
                        let _ = limiter.try_acquire(&key, 1);
                    }
                }
                Step::Advance { micros } => clock.advance(Duration::from_micros(micros)),
                Step::Sweep => limiter.sweep(),
            }
        }
    }

    /// With hardly any room, on a clock that also steps back: never more than burst + rate · Δ. Nor
    /// does a key lose its place to a flood and come again with a full bucket.
    #[test]
    fn a_full_table_mints_nothing(
        steps in proptest::collection::vec(step(), 1..150),
        capacity in 1..20_usize,
        shared in any::<bool>(),
        back in 0..300_000_u64,
    ) {
        let policy = if shared { Policy::SharedOverflow } else { Policy::DenyNew };
        let (limiter, clock) = by_key(quota(RATE, BURST), capacity, policy);
        let mut grants: Vec<Vec<(u64, u32)>> = vec![Vec::new(); 6];
        let mut latest = 0;
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Take { key, n } => {
                    if limiter.try_acquire(&key, n).is_ok() {
                        grants[key as usize].push((latest, n));
                    }
                }
                Step::Flood { from, keys } => {
                    for key in from..from + keys {
                        let _ = limiter.try_acquire(&key, 1);
                    }
                }
                Step::Advance { micros } if number % 5 == 4 => {
                    let now = clock.now().as_nanos().saturating_sub(back * 1_000);
                    clock.set(Timestamp::from_nanos(now));
                    let _ = micros;
                }
                Step::Advance { micros } => clock.advance(Duration::from_micros(micros)),
                Step::Sweep => limiter.sweep(),
            }
            latest = latest.max(clock.now().as_nanos());
        }
        let second = secs(1).as_nanos() as u64;
        for grants in &grants {
            let total: u64 = grants.iter().map(|(_, n)| u64::from(*n)).sum();
            let allowed = u64::from(BURST) + u64::from(RATE) * latest / second;
            prop_assert!(total <= allowed, "{} granted where {} are allowed", total, allowed);
        }
    }
}
