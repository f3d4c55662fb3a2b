//! One thread submits, two run.

use crate::floor::{Floor, floor};
use crate::harness::{Sample, Scenario, Unit, clock, entries};
use crate::ours::Ours;
use crate::rivals::{ByHand, ByHandUnbounded, Rayon, RustyPool, SpawnBlocking, ThreadPool, Tokio};
use crate::subject::{Batch, Spawn, Submit};
use crate::work::{Tally, busy, steps};
use std::thread;
use std::time::{Duration, Instant};

const MILLISECOND: Duration = Duration::from_millis(1);
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
        entries!(scenario("batched/results"), with_results(): Ours)
            .entry::<ByHand>(submit::<ByHand>())
            .entry::<RustyPool>(submit::<RustyPool>()),
        entries!(scenario("round-trip/hot"), round_trip(): Ours, ByHand, RustyPool),
        entries!(Scenario::new("round-trip/idle", Unit::Wall), after_rest(MILLISECOND):
            Ours, ByHand, RustyPool),
        entries!(Scenario::new("cpu/one-per-ms", Unit::Cpu).needs_cpu_clock(), sparse():
            Ours, ByHand, Rayon, RustyPool),
    ]
}

/// One operation is a job whose result nobody wants.
fn spawn<P: Spawn>(steps: u64) -> impl FnMut(u64) -> Sample {
    let (mut pool, tally) = (None, Tally::leak());
    move |jobs| {
        let pool = pool.get_or_insert_with(P::new);
        let (before, me) = (tally.total(), thread::current());
        let start = Instant::now();
        for _ in 0..jobs {
            pool.spawn(move || {
                busy(steps);
                tally.count();
            });
        }
        pool.spawn(move || tally.end(&me));
        tally.wait(before + jobs);
        Sample::time(jobs, start.elapsed())
    }
}

/// One operation is a job of a batch.
fn batched<P: Batch>(steps: u64) -> impl FnMut(u64) -> Sample {
    let (mut pool, tally) = (None, Tally::leak());
    move |jobs| {
        let pool = pool.get_or_insert_with(P::new);
        let (before, me) = (tally.total(), thread::current());
        let batches = jobs.div_ceil(BATCH);
        let start = Instant::now();
        for _ in 0..batches {
            let job = |_| {
                move || {
                    busy(steps);
                    tally.count();
                }
            };
            pool.batch((0..BATCH).map(job));
        }
        pool.spawn(move || tally.end(&me));
        tally.wait(before + batches * BATCH);
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

/// The same, all of them in one batch.
fn with_results<P: Batch>() -> impl FnMut(u64) -> Sample {
    let mut pool = None;
    move |jobs| {
        let pool = pool.get_or_insert_with(P::new);
        let rounds = jobs.div_ceil(TOGETHER);
        let start = Instant::now();
        let mut sum = 0;
        for _ in 0..rounds {
            let handles = pool.batch_of_results((0..TOGETHER).map(|number| move || number));
            sum += handles.into_iter().map(P::wait).sum::<u64>();
        }
        let time = start.elapsed();
        assert_eq!(sum, rounds * (TOGETHER * (TOGETHER - 1) / 2), "{}: the sum", P::NAME);
        Sample::time(rounds * TOGETHER, time)
    }
}

/// One operation is a job that is waited for before the next comes.
fn round_trip<P: Submit>() -> impl FnMut(u64) -> Sample {
    let mut pool = None;
    move |jobs| {
        let pool = pool.get_or_insert_with(P::new);
        let start = Instant::now();
        for number in 0..jobs {
            assert_eq!(P::wait(pool.submit(move || number)), number, "{}: the result", P::NAME);
        }
        Sample::time(jobs, start.elapsed())
    }
}

/// The same, each after a rest. The median of a sample counts: a core that is taken away for a moment
/// is nobody's fault.
fn after_rest<P: Submit>(rest: Duration) -> impl FnMut(u64) -> Sample {
    let mut pool = None;
    move |jobs| {
        let pool = pool.get_or_insert_with(P::new);
        let once = |number| {
            thread::sleep(rest);
            let start = Instant::now();
            let result = P::wait(pool.submit(move || number));
            let time = start.elapsed();
            assert_eq!(result, number, "{}: the result", P::NAME);
            time
        };
        let mut times: Vec<_> = (0..jobs).map(once).collect();
        times.sort_unstable();
        Sample::count(jobs, times[times.len() / 2].as_secs_f64() * 1e9 * jobs as f64)
    }
}

/// One operation is a job that comes alone, a millisecond after the last: what the process takes of
/// its cores, beside the sleep of the one that submits.
fn sparse<P: Spawn>() -> impl FnMut(u64) -> Sample {
    let (mut pool, tally) = (None, Tally::leak());
    move |jobs| {
        let pool = pool.get_or_insert_with(P::new);
        let before = tally.total();
        let start = clock::cpu_time().expect("the scenario is skipped without");
        for _ in 0..jobs {
            pool.spawn(|| tally.count());
            thread::sleep(MILLISECOND);
        }
        let time = clock::cpu_time().expect("as before") - start;
        tally.look(before + jobs);
        Sample::time(jobs, time)
    }
}
