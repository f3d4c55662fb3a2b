//! Yes or no at once: what every request pays. The clock is most of it, so each scenario compares
//! limiters by the same clock.

use crate::floor::Floor;
use crate::go::GoMutex;
use crate::harness::threads::{Padded, Placement, Quota, together};
use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::{Ours, OursCached, OursQuanta};
use crate::rivals::{GovernorInstant, GovernorQuanta, GovernorUpkeep, LeakyBucket, Ratelimit2};
use crate::subject::{Decide, Limit};
use std::hint::black_box;
use std::time::Instant;

/// How many operations a thread takes from the quota at a time.
const PORTION: i64 = 64;

pub fn scenarios() -> Vec<Scenario> {
    let one = |name: &str| Scenario::new(name, Unit::Wall);
    let two = |name: &str| Scenario::new(name, Unit::Wall).sample_ms(10).needs_two_cores();
    vec![
        entries!(one("allow/instant"), allow(1):
            Ours, Floor, GovernorInstant, GoMutex, Ratelimit2, LeakyBucket),
        entries!(one("allow/quanta"), allow(1): OursQuanta, GovernorQuanta),
        entries!(one("allow-10/instant"), allow(10):
            Ours, Floor, GovernorInstant, GoMutex, Ratelimit2),
        entries!(one("deny/instant"), deny(): Ours, Floor, GovernorInstant, GoMutex, Ratelimit2),
        entries!(one("deny/quanta"), deny(): OursQuanta, GovernorQuanta),
        entries!(one("allow/cached"), allow(1): OursCached, GovernorQuanta, GovernorUpkeep),
        entries!(one("deny/cached"), deny(): OursCached, GovernorQuanta, GovernorUpkeep),
        entries!(two("allow/instant/two-threads"), allow_two():
            Ours, Floor, GovernorInstant, GoMutex, Ratelimit2),
        entries!(two("allow/quanta/two-threads"), allow_two(): OursQuanta, GovernorQuanta),
        entries!(two("deny/quanta/two-threads"), deny_two(): OursQuanta, GovernorQuanta),
    ]
}

pub fn allow<L: Decide>(n: u32) -> impl FnMut(u64) -> Sample {
    // Made when it is needed: some have a thread.
    let mut limiter = None;
    move |ops| {
        let limiter = &*limiter.get_or_insert_with(|| L::new(Limit::AMPLE));
        let mut granted = 0;
        let start = Instant::now();
        for _ in 0..ops {
            granted += u64::from(black_box(limiter).try_acquire(n));
        }
        let time = start.elapsed();
        assert_eq!(granted, ops, "{}: there is enough for all", L::NAME);
        Sample::time(ops, time)
    }
}

pub fn deny<L: Decide>() -> impl FnMut(u64) -> Sample {
    let mut limiter = None;
    move |ops| {
        let limiter = &*limiter.get_or_insert_with(|| {
            let limiter = L::new(Limit::SCARCE);
            assert!(limiter.try_acquire(1), "{}: the first is there", L::NAME);
            limiter
        });
        let mut granted = 0;
        let start = Instant::now();
        for _ in 0..ops {
            granted += u64::from(black_box(limiter).try_acquire(1));
        }
        let time = start.elapsed();
        assert_eq!(granted, 0, "{}: more than there was", L::NAME);
        Sample::time(ops, time)
    }
}

fn allow_two<L: Decide>() -> impl FnMut(u64) -> Sample {
    let limiter = Padded(L::new(Limit::AMPLE));
    move |ops| pair(&limiter.0, ops, ops)
}

fn deny_two<L: Decide>() -> impl FnMut(u64) -> Sample {
    let limiter = Padded(L::new(Limit::SCARCE));
    assert!(limiter.0.try_acquire(1), "{}: the first is there", L::NAME);
    move |ops| pair(&limiter.0, ops, 0)
}

fn pair<L: Decide>(limiter: &L, ops: u64, expected: u64) -> Sample {
    let quota = Quota::new(ops, PORTION);
    let (elapsed, granted) = together(2, Placement::Pinned, |_| {
        let mut granted = 0;
        loop {
            let portion = quota.take();
            if portion == 0 {
                return granted;
            }
            for _ in 0..portion {
                granted += u64::from(black_box(limiter).try_acquire(1));
            }
        }
    });
    assert_eq!(granted.iter().sum::<u64>(), expected, "{}", L::NAME);
    Sample::time(ops, elapsed.wall)
}
