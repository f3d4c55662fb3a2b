//! Reservations that are cancelled, and rates that change, while another thread uses the limiter.

use crate::go::GoMutex;
use crate::harness::threads::{Padded, Placement, Quota, together};
use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::Ours;
use crate::rivals::Ratelimit2;
use crate::subject::{Limit, Reserve, SetRate};
use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub fn scenarios() -> Vec<Scenario> {
    let one = |name: &str| Scenario::new(name, Unit::Wall);
    let two = |name: &str| Scenario::new(name, Unit::Wall).sample_ms(10).needs_two_cores();
    vec![
        entries!(one("reserve-cancel/alone"), reserve_cancel(1, Placement::Free): Ours, GoMutex),
        entries!(two("reserve-cancel/two-threads"), reserve_cancel(2, Placement::Pinned):
            Ours, GoMutex),
        entries!(one("set-rate/alone"), set_rate(): Ours, GoMutex, Ratelimit2),
        entries!(two("set-rate/under-load"), set_rate_under_load(): Ours, GoMutex, Ratelimit2),
        entries!(two("try-under-set-rate"), try_under_set_rate(): Ours, GoMutex, Ratelimit2),
    ]
}

/// On an empty bucket: every reservation is for later, and all come back.
fn reserve_cancel<L: Reserve>(threads: usize, placement: Placement) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let limiter = Padded(L::new(Limit { burst: 10, ..Limit::SCARCE }));
        assert!(limiter.0.try_acquire(10));
        let quota = Quota::new(ops, 64);
        let (elapsed, waits) = together(threads, placement, |_| {
            let mut shortest = Duration::MAX;
            loop {
                let portion = quota.take();
                if portion == 0 {
                    return shortest;
                }
                for _ in 0..portion {
                    shortest = shortest.min(black_box(&limiter.0).reserve_and_cancel(1));
                }
            }
        });
        // What is cancelled is there again: nobody ever has to wait for two.
        assert!(waits.iter().all(|wait| *wait > Duration::from_secs(3000)), "{}", L::NAME);
        assert!(!limiter.0.try_acquire(1), "{}: tokens appeared", L::NAME);
        Sample::time(ops, elapsed.wall)
    }
}

const RATES: [u32; 2] = [1_000_000, 2_000_000];

fn set_rate<L: SetRate>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let limiter = L::new(Limit::per_second(RATES[0], 100));
        let start = Instant::now();
        for op in 0..ops {
            black_box(&limiter).set_rate(RATES[op as usize % 2]);
        }
        Sample::time(ops, start.elapsed())
    }
}

/// One operation is one change; another thread takes what there is meanwhile.
fn set_rate_under_load<L: SetRate>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let limiter = Padded(L::new(Limit::per_second(RATES[0], 100)));
        let over = AtomicBool::new(false);
        let (_, times) = together(2, Placement::Pinned, |me| {
            let start = Instant::now();
            if me == 0 {
                for op in 0..ops {
                    limiter.0.set_rate(RATES[op as usize % 2]);
                }
                over.store(true, Ordering::Relaxed);
            } else {
                while !over.load(Ordering::Relaxed) {
                    black_box(limiter.0.try_acquire(1));
                }
            }
            start.elapsed()
        });
        Sample::time(ops, times[0])
    }
}

/// One operation is one request; another thread changes the rate all the time.
fn try_under_set_rate<L: SetRate>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let limiter = Padded(L::new(Limit::per_second(RATES[0], 100)));
        let over = AtomicBool::new(false);
        let (_, times) = together(2, Placement::Pinned, |me| {
            let start = Instant::now();
            if me == 0 {
                for _ in 0..ops {
                    black_box(limiter.0.try_acquire(1));
                }
                over.store(true, Ordering::Relaxed);
            } else {
                for op in 0_usize.. {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    limiter.0.set_rate(RATES[op % 2]);
                }
            }
            start.elapsed()
        });
        Sample::time(ops, times[0])
    }
}
