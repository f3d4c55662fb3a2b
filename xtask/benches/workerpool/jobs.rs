//! One thread submits, two run.

use crate::harness::{Role, Sample, Scenario, Subject, Unit, entries};
use crate::ours::Ours;
use crate::rivals::{
    ByHand, ByHandUnbounded, Rayon, RustyPool, SpawnBlocking, THREADS, ThreadPool, Tokio,
};
use crate::subject::{Batch, Spawn, Submit};
use crate::work::{Tally, busy, steps};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const BATCH: u64 = 64;
/// Handles that are waited for together.
const TOGETHER: u64 = 512;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(name, Unit::Wall).sample_ms(20);
    let us = |micros| steps(Duration::from_micros(micros));
    vec![
        entries!(scenario("spawn/empty"), spawn(0):
            Ours, ByHand, ByHandUnbounded, Rayon, ThreadPool, RustyPool, Tokio, SpawnBlocking)
        .entry::<Floor>(floor(0)),
        entries!(scenario("spawn/1us"), spawn(us(1)):
            Ours, ByHand, ByHandUnbounded, Rayon, ThreadPool, RustyPool)
        .entry::<Floor>(floor(us(1))),
        entries!(scenario("spawn/10us"), spawn(us(10)):
            Ours, ByHand, ByHandUnbounded, Rayon, ThreadPool, RustyPool)
        .entry::<Floor>(floor(us(10))),
        entries!(scenario("batched/empty"), batched(0): Ours)
            .entry::<ByHand>(spawn::<ByHand>(0))
            .entry::<Floor>(floor(0)),
        entries!(scenario("batched/1us"), batched(us(1)): Ours)
            .entry::<ByHand>(spawn::<ByHand>(us(1)))
            .entry::<Floor>(floor(us(1))),
        entries!(scenario("submit/empty"), submit(): Ours, ByHand, RustyPool),
        entries!(scenario("round-trip/hot"), round_trip(Duration::ZERO): Ours, ByHand, RustyPool),
        entries!(scenario("round-trip/idle"), round_trip(Duration::from_millis(1)):
            Ours, ByHand, RustyPool),
    ]
}

/// No queue at all: two threads that share a counter.
struct Floor;

impl Subject for Floor {
    const NAME: &'static str = "floor";
    const ROLE: Role = Role::Floor;
}

fn floor(steps: u64) -> impl FnMut(u64) -> Sample {
    move |jobs| {
        let (next, tally) = (AtomicU64::new(0), Tally::default());
        let start = Instant::now();
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    while next.fetch_add(1, Ordering::Relaxed) < jobs {
                        busy(steps);
                        tally.count();
                    }
                });
            }
        });
        let time = start.elapsed();
        tally.wait(jobs);
        Sample::time(jobs, time)
    }
}

/// One operation is a job whose result nobody wants.
fn spawn<P: Spawn>(steps: u64) -> impl FnMut(u64) -> Sample {
    let mut pool = None;
    move |jobs| {
        let (pool, tally) = (pool.get_or_insert_with(P::new), Tally::default());
        let start = Instant::now();
        for _ in 0..jobs {
            let tally = tally.clone();
            pool.spawn(move || {
                busy(steps);
                tally.count();
            });
        }
        tally.wait(jobs);
        Sample::time(jobs, start.elapsed())
    }
}

/// One operation is a job of a batch.
fn batched<P: Batch>(steps: u64) -> impl FnMut(u64) -> Sample {
    let mut pool = None;
    move |jobs| {
        let (pool, tally) = (pool.get_or_insert_with(P::new), Tally::default());
        let batches = jobs.div_ceil(BATCH);
        let start = Instant::now();
        for _ in 0..batches {
            let job = |tally: Tally| {
                move || {
                    busy(steps);
                    tally.count();
                }
            };
            pool.batch((0..BATCH).map(|_| job(tally.clone())).collect());
        }
        tally.wait(batches * BATCH);
        Sample::time(batches * BATCH, start.elapsed())
    }
}

/// One operation is a job and its result; so many are submitted before the first is waited for.
fn submit<P: Submit>() -> impl FnMut(u64) -> Sample {
    let mut pool = None;
    move |jobs| {
        let pool = pool.get_or_insert_with(P::new);
        let rounds = jobs.div_ceil(TOGETHER);
        let mut handles = Vec::with_capacity(TOGETHER as usize);
        let start = Instant::now();
        let mut sum = 0;
        for _ in 0..rounds {
            handles.extend((0..TOGETHER).map(|number| pool.submit(move || number)));
            sum += handles.drain(..).map(P::wait).sum::<u64>();
        }
        let time = start.elapsed();
        assert_eq!(sum, rounds * (TOGETHER * (TOGETHER - 1) / 2), "{}: the sum", P::NAME);
        Sample::time(rounds * TOGETHER, time)
    }
}

/// One operation is a job that is waited for before the next comes, which is after `idle`.
fn round_trip<P: Submit>(idle: Duration) -> impl FnMut(u64) -> Sample {
    let mut pool = None;
    move |jobs| {
        let pool = pool.get_or_insert_with(P::new);
        let mut time = Duration::ZERO;
        for number in 0..jobs {
            if !idle.is_zero() {
                thread::sleep(idle);
            }
            let start = Instant::now();
            let result = P::wait(pool.submit(move || number));
            time += start.elapsed();
            assert_eq!(result, number, "{}: the result", P::NAME);
        }
        Sample::time(jobs, time)
    }
}
