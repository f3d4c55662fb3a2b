//! Several threads on one semaphore, without an order of turns (for that see `turns.rs`).

use crate::floor::Floor;
use crate::harness::threads::{Padded, Placement, Quota, together};
use crate::harness::{Sample, Scenario, Unit, clock, entries};
use crate::ours::Ours;
use crate::rivals::{AsyncLock, Asyncband, AsyncbandBlockOn, ParkingLot, Std, Tokio, TokioBlockOn};
use crate::subject::{Gate, Wait, assert_free};
use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many operations a thread takes from the quota at a time.
const PORTION: i64 = 64;
/// Far more permits than threads: nobody ever waits, and only the cache lines are contended.
const AMPLE: usize = 64;

pub fn scenarios() -> Vec<Scenario> {
    let pinned = |name: &str| {
        Scenario::new(format!("threads/{name}"), Unit::Wall).sample_ms(10).needs_two_cores()
    };
    let mut scenarios = vec![
        entries!(pinned("ample/try"), ample_try():
            Ours, Floor, Tokio, Asyncband, AsyncLock, ParkingLot, Std),
        entries!(pinned("ample/wait"), pinned_pair(AMPLE):
            Ours, Floor, Tokio, TokioBlockOn, AsyncbandBlockOn, AsyncLock, ParkingLot, Std),
        entries!(pinned("tight").sample_ms(20), pinned_pair(1):
            Ours, Floor, Tokio, TokioBlockOn, AsyncbandBlockOn, AsyncLock, ParkingLot, Std),
    ];
    for threads in [4, 8, 16] {
        let name = format!("threads/crowd-{threads}");
        let scenario = Scenario::new(name, Unit::Cpu).sample_ms(40).needs_cpu_clock();
        scenarios.push(entries!(scenario, crowd(threads):
            Ours, Tokio, TokioBlockOn, AsyncbandBlockOn, AsyncLock, ParkingLot));
    }
    scenarios
}

fn ample_try<G: Gate>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let gate = Padded(G::new(AMPLE));
        let quota = Quota::new(ops, PORTION);
        let (elapsed, given) = together(2, Placement::Pinned, |_| {
            let mut given = 0;
            drain(&quota, || {
                let permit = black_box(&gate.0).try_acquire(1);
                given += u64::from(permit.is_some());
            });
            given
        });
        assert_eq!(given.iter().sum::<u64>(), ops);
        assert_free(&gate.0, AMPLE);
        Sample::time(ops, elapsed.wall)
    }
}

/// Two threads that do nothing but take a permit and give it back.
fn pinned_pair<W: Wait>(permits: usize) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let gate = Padded(W::new(permits));
        let quota = Quota::new(ops, PORTION);
        let (elapsed, given) =
            together(2, Placement::Pinned, |_| drain(&quota, || drop(black_box(&gate.0).wait(1))));
        assert_eq!(given.iter().sum::<u64>(), ops);
        assert_free(&gate.0, permits);
        Sample::time(ops, elapsed.wall)
    }
}

/// More threads than cores, placed by the kernel, on one permit. Nobody sees to it that anybody
/// waits, so a thread may do thousands of operations before its core is taken away: a figure with
/// two modes, for the record (`turns.rs` has the one that is stable).
fn crowd<W: Wait>(threads: usize) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let gate = Padded(W::new(1));
        let holders = Padded(AtomicUsize::new(0));
        let quota = Quota::new(ops, 1);
        let (elapsed, given) = together(threads, Placement::Free, |_| {
            drain(&quota, || {
                let permit = gate.0.wait(1);
                let others = holders.0.fetch_add(1, Ordering::Relaxed);
                assert_eq!(others, 0, "{}: more holders than permits", W::NAME);
                black_box(clock::work(clock::SHORT));
                holders.0.fetch_sub(1, Ordering::Relaxed);
                drop(permit);
            })
        });
        assert_eq!(given.iter().sum::<u64>(), ops);
        assert_free(&gate.0, 1);
        Sample::time(ops, elapsed.cpu)
    }
}

fn drain(quota: &Quota, mut operation: impl FnMut()) -> u64 {
    let mut done = 0;
    loop {
        let portion = quota.take();
        if portion == 0 {
            return done;
        }
        for _ in 0..portion {
            operation();
        }
        done += portion;
    }
}
