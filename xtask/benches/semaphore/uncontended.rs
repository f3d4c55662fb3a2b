//! One thread, always a free permit: what every user pays. One operation takes a permit and gives
//! it back.

use crate::floor::Floor;
use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::Ours;
use crate::rivals::{AsyncLock, Asyncband, AsyncbandBlockOn, ParkingLot, Std, Tokio, TokioBlockOn};
use crate::subject::{Await, Gate, Wait, assert_free};
use std::hint::black_box;
use std::time::Instant;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(format!("uncontended/{name}"), Unit::Wall);
    vec![
        entries!(scenario("try"), try_pairs():
            Ours, Floor, Tokio, Asyncband, AsyncLock, ParkingLot, Std),
        entries!(scenario("wait"), wait_pairs():
            Ours, Floor, Tokio, TokioBlockOn, AsyncbandBlockOn, AsyncLock, ParkingLot, Std),
        entries!(scenario("await"), await_pairs():
            Ours, Floor, Tokio, Asyncband, AsyncLock),
    ]
}

fn try_pairs<G: Gate>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let gate = G::new(1);
        let mut given = 0;
        let start = Instant::now();
        for _ in 0..ops {
            // Else the compiler could see that nobody else knows this semaphore.
            let permit = black_box(&gate).try_acquire(1);
            given += u64::from(permit.is_some());
        }
        let time = start.elapsed();
        assert_eq!(given, ops);
        assert_free(&gate, 1);
        Sample::time(ops, time)
    }
}

fn wait_pairs<W: Wait>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let gate = W::new(1);
        let start = Instant::now();
        for _ in 0..ops {
            let _permit = black_box(&gate).wait(1);
        }
        let time = start.elapsed();
        assert_free(&gate, 1);
        Sample::time(ops, time)
    }
}

/// In one task of tokio's: where tokio's semaphore is used, its cooperative budget is charged.
fn await_pairs<A: Await>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let gate = A::new(1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let time = runtime.block_on(async {
            let start = Instant::now();
            for _ in 0..ops {
                let _permit = A::permit(black_box(&gate).acquire(1).await);
            }
            start.elapsed()
        });
        assert_free(&gate, 1);
        Sample::time(ops, time)
    }
}
