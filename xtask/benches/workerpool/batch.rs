//! Whether what finds out the best size finds it: sizes that are fixed, beside the one that adapts.

use crate::harness::{Role, Sample, Scenario, Subject, Unit, entries};
use crate::rivals::THREADS;
use crate::work::{Tally, busy, steps};
use lockgate_workerpool::BatchSize;
use lockgate_workerpool::thread::{Builder, Pool};
use std::thread;
use std::time::{Duration, Instant};

/// How many items each sample has at the least: all of the largest batches, for each worker some.
const LEAST_ITEMS: u64 = 4_000;

pub fn scenarios() -> Vec<Scenario> {
    // Long enough for a climb from the first size to the best to be a part of it, and no more.
    let scenario = |name: &str| Scenario::new(name, Unit::Wall).sample_ms(400);
    let nanos = |nanos| steps(Duration::from_nanos(nanos));
    let (short, long) = (nanos(100), nanos(2_000));
    let cpu = move |_| busy(short);
    let sleep = |_| thread::sleep(Duration::from_micros(50));
    let mixed = move |item: u64| match item % 100 {
        0 => thread::sleep(Duration::from_micros(50)),
        1..10 => busy(long),
        _ => busy(short),
    };
    vec![
        entries!(scenario("auto/cpu"), map(cpu): Auto, Of1, Of10, Of100, Of1000),
        entries!(scenario("auto/sleep"), map(sleep): Auto, Of1, Of10, Of100, Of1000),
        entries!(scenario("auto/mixed"), map(mixed): Auto, Of1, Of10, Of100, Of1000),
        entries!(scenario("auto/workers"), spawn(): Adaptive, By2, By4, By8, By16, By32, By64),
    ]
}

/// How many items make a job.
trait Batches: Subject + 'static {
    const SIZE: BatchSize;
}

/// How many workers there are.
trait Crew: Subject + 'static {
    fn builder() -> Builder;
}

struct Auto;

impl Subject for Auto {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Batches for Auto {
    const SIZE: BatchSize = BatchSize::Auto;
}

struct Adaptive;

impl Subject for Adaptive {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Crew for Adaptive {
    fn builder() -> Builder {
        Pool::builder().threads(2..=64).adaptive()
    }
}

macro_rules! fixed_batches {
    ($($name:ident of $size:literal),*) => {$(
        struct $name;

        impl Subject for $name {
            const NAME: &'static str = concat!("batches of ", $size);
        }

        impl Batches for $name {
            const SIZE: BatchSize = BatchSize::Fixed($size);
        }
    )*};
}
fixed_batches!(Of1 of 1, Of10 of 10, Of100 of 100, Of1000 of 1000);

macro_rules! fixed_crews {
    ($($name:ident by $threads:literal),*) => {$(
        struct $name;

        impl Subject for $name {
            const NAME: &'static str = concat!($threads, " workers");
        }

        impl Crew for $name {
            fn builder() -> Builder {
                Pool::builder().threads($threads)
            }
        }
    )*};
}
fixed_crews!(By2 by 2, By4 by 4, By8 by 8, By16 by 16, By32 by 32, By64 by 64);

/// One operation is an item of a map; each map begins to find out anew.
fn map<B: Batches>(work: impl Fn(u64) + Copy + Send + Sync + 'static) -> impl FnMut(u64) -> Sample {
    let mut pool = None;
    move |items| {
        let items = items.max(LEAST_ITEMS);
        let pool = pool.get_or_insert_with(|| Pool::new(THREADS).expect("two threads"));
        let start = Instant::now();
        let results = pool.map_batched(0..items, B::SIZE, move |item| {
            work(item);
            item
        });
        let sum: u64 = results.map(|result| result.expect("no item panics")).sum();
        let time = start.elapsed();
        assert_eq!(sum, items * (items - 1) / 2, "{}: the sum", B::NAME);
        Sample::time(items, time)
    }
}

/// One operation is a job that sleeps for a millisecond. What was found out stays.
fn spawn<C: Crew>() -> impl FnMut(u64) -> Sample {
    let (mut pool, tally) = (None, Tally::leak());
    move |jobs| {
        let pool = pool.get_or_insert_with(|| C::builder().build().expect("threads"));
        let (jobs, before) = (jobs.max(64), tally.total());
        let start = Instant::now();
        for _ in 0..jobs {
            let job = move || {
                thread::sleep(Duration::from_millis(1));
                tally.count();
            };
            pool.spawn(job).expect("the pool is open");
        }
        pool.wait_idle().wait();
        let time = start.elapsed();
        tally.look(before + jobs);
        Sample::time(jobs, time)
    }
}
