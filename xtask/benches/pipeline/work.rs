//! Two workers, and items that take a microsecond, or ten.

use crate::harness::clock::work;
use crate::harness::{Role, Sample, Scenario, Subject, Unit, entries};
use crossbeam_channel::bounded;
use lockgate_pipeline::{Opts, thread as pipeline};
use pariter::IteratorExt;
use rayon::iter::{IntoParallelIterator, ParallelBridge, ParallelIterator};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

const WORKERS: usize = 2;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(name, Unit::Wall).sample_ms(40);
    let (short, long) = (1_000, 10_000);
    vec![
        entries!(
            scenario("work/1us"),
            each(short): Ordered, Ideal, RayonIter, ParMap,
        ),
        entries!(
            scenario("work/1us/unordered"),
            each(short): Unordered, Ideal, RayonBridge, ByHand,
        ),
        entries!(
            scenario("work/10us"),
            each(long): Ordered, Ideal, RayonIter, ParMap,
        ),
        entries!(
            scenario("work/10us/unordered"),
            each(long): Unordered, Ideal, RayonBridge, ByHand,
        ),
    ]
}

/// Works on each item in two threads, and sums the results.
trait Sum: Subject {
    fn sum(items: u64, steps: u64) -> u64;
}

fn each<S: Sum>(steps: u64) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let items = ops.max(512);
        let start = Instant::now();
        let sum = S::sum(items, steps);
        let time = start.elapsed();
        assert_eq!(sum, items * (items - 1) / 2, "{}: the sum", S::NAME);
        Sample::time(items, time)
    }
}

fn busy(n: u64, steps: u64) -> u64 {
    std::hint::black_box(work(steps));
    n
}

struct Ordered;

impl Subject for Ordered {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Sum for Ordered {
    fn sum(items: u64, steps: u64) -> u64 {
        ours(items, steps, WORKERS.into())
    }
}

struct Unordered;

impl Subject for Unordered {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Sum for Unordered {
    fn sum(items: u64, steps: u64) -> u64 {
        ours(items, steps, Opts::from(WORKERS).unordered())
    }
}

fn ours(items: u64, steps: u64, opts: Opts) -> u64 {
    let results = pipeline::from_iter(0..items).par_map(opts, |n| busy(n, steps));
    results.fold(0, |sum, n| sum + n).expect("nothing fails")
}

/// Two threads that take numbers from a counter and keep their sums.
struct Ideal;

impl Subject for Ideal {
    const NAME: &'static str = "two threads and a counter";
    const ROLE: Role = Role::Floor;
}

impl Sum for Ideal {
    fn sum(items: u64, steps: u64) -> u64 {
        let next = AtomicU64::new(0);
        let take = || {
            let numbers = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
            numbers.take_while(|n| *n < items).map(|n| busy(n, steps)).sum::<u64>()
        };
        thread::scope(|scope| {
            let threads = [(); WORKERS].map(|()| scope.spawn(take));
            threads.into_iter().map(|thread| thread.join().expect("it sums")).sum()
        })
    }
}

struct RayonIter;

impl Subject for RayonIter {
    const NAME: &'static str = "rayon par_iter";
}

impl Sum for RayonIter {
    fn sum(items: u64, steps: u64) -> u64 {
        (0..items).into_par_iter().map(|n| busy(n, steps)).sum()
    }
}

struct RayonBridge;

impl Subject for RayonBridge {
    const NAME: &'static str = "rayon par_bridge";
}

impl Sum for RayonBridge {
    fn sum(items: u64, steps: u64) -> u64 {
        (0..items).par_bridge().map(|n| busy(n, steps)).sum()
    }
}

struct ParMap;

impl Subject for ParMap {
    const NAME: &'static str = "pariter parallel_map";
}

impl Sum for ParMap {
    fn sum(items: u64, steps: u64) -> u64 {
        (0..items).parallel_map_custom(|o| o.threads(WORKERS), move |n| busy(n, steps)).sum()
    }
}

/// Two workers between two channels.
struct ByHand;

impl Subject for ByHand {
    const NAME: &'static str = "crossbeam";
}

impl Sum for ByHand {
    fn sum(items: u64, steps: u64) -> u64 {
        let ((give, numbers), (given, results)) = (bounded(1024), bounded(1024));
        thread::scope(|scope| {
            scope.spawn(move || (0..items).try_for_each(|n| give.send(n)));
            for _ in 0..WORKERS {
                let (numbers, given) = (numbers.clone(), given.clone());
                scope.spawn(move || numbers.iter().try_for_each(|n| given.send(busy(n, steps))));
            }
            drop((numbers, given));
            results.iter().sum()
        })
    }
}
