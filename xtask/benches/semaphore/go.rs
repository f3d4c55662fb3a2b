//! The benchmark of Go's `golang.org/x/sync/semaphore`, by its meaning: take `size` permits of
//! `cap`, `n` times over, then give them back one by one. One operation is the whole sequence, as
//! in Go, so that figures can be laid side by side.

use crate::floor::Floor;
use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::Ours;
use crate::rivals::{AsyncLock, Asyncband, AsyncbandBlockOn, ParkingLot, Std, Tokio};
use crate::subject::{Gate, Wait, assert_free};
use std::hint::black_box;
use std::time::Instant;

const CONFIGURATIONS: [(usize, usize, usize); 10] = [
    (1, 1, 1),
    (2, 1, 1),
    (16, 1, 1),
    (128, 1, 1),
    (2, 2, 1),
    (16, 2, 8),
    (128, 2, 64),
    (2, 1, 2),
    (16, 8, 2),
    (128, 64, 2),
];

pub fn scenarios() -> Vec<Scenario> {
    CONFIGURATIONS.into_iter().flat_map(|(cap, size, n)| both(cap, size, n)).collect()
}

fn both(cap: usize, size: usize, n: usize) -> [Scenario; 2] {
    let scenario = |kind: &str| {
        Scenario::new(format!("go/{kind}-seq/{cap}-{size}-{n}"), Unit::Wall).sample_ms(2)
    };
    let mut tried = entries!(scenario("try-acquire"), sequence(cap, size, n):
        Ours, Floor, Tokio, Asyncband, ParkingLot, Std);
    let mut waited = entries!(scenario("acquire"), sequence_waiting(cap, size, n):
        Ours, Floor, Tokio, AsyncbandBlockOn, ParkingLot, Std);
    // It has no weights.
    if size == 1 {
        tried = entries!(tried, sequence(cap, size, n): AsyncLock);
        waited = entries!(waited, sequence_waiting(cap, size, n): AsyncLock);
    }
    [tried, waited]
}

fn sequence<G: Gate>(cap: usize, size: usize, n: usize) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let gate = G::new(cap);
        let mut held = Vec::with_capacity(n);
        let mut given = 0;
        let start = Instant::now();
        for _ in 0..ops {
            for _ in 0..n {
                held.extend(black_box(&gate).try_acquire(size));
            }
            given += held.len();
            held.clear();
        }
        let time = start.elapsed();
        assert_eq!(given as u64, ops * n as u64);
        drop(held);
        assert_free(&gate, cap);
        Sample::time(ops, time)
    }
}

fn sequence_waiting<W: Wait>(cap: usize, size: usize, n: usize) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let gate = W::new(cap);
        let mut held = Vec::with_capacity(n);
        let start = Instant::now();
        for _ in 0..ops {
            for _ in 0..n {
                held.push(black_box(&gate).wait(size));
            }
            held.clear();
        }
        let time = start.elapsed();
        drop(held);
        assert_free(&gate, cap);
        Sample::time(ops, time)
    }
}
