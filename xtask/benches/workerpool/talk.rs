//! What talks on worker pools compare: a hundred items one after the other, each in a thread or a task
//! of its own, and in a pool of ten.

use crate::harness::{Role, Sample, Scenario, Subject, Unit};
use crate::work::{busy, steps};
use lockgate_workerpool::thread::Pool;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const ITEMS: u64 = 100;
const WORKERS: usize = 10;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(name, Unit::Wall).sample_ms(20);
    let computes = steps(Duration::from_micros(10));
    vec![
        all(scenario("talk/compute-10us"), Item::Computes(computes)),
        all(scenario("talk/wait-1ms"), Item::Waits(Duration::from_millis(1))),
    ]
}

fn all(scenario: Scenario, item: Item) -> Scenario {
    scenario
        .entry::<Kept>(with(item, Kept::new, Kept::process))
        .entry::<Anew>(with(item, || (), Anew::process))
        .entry::<Sequential>(with(item, || (), Sequential::process))
        .entry::<Threads>(with(item, || (), Threads::process))
        .entry::<Tasks>(with(item, Tasks::new, Tasks::process))
}

/// What is done with an item: compute, or wait as for an answer from elsewhere.
#[derive(Clone, Copy)]
enum Item {
    Computes(u64),
    Waits(Duration),
}

impl Item {
    fn process(self) {
        match self {
            Self::Computes(steps) => busy(steps),
            Self::Waits(time) => thread::sleep(time),
        }
    }

    async fn process_in_task(self) {
        match self {
            Self::Computes(steps) => busy(steps),
            Self::Waits(time) => tokio::time::sleep(time).await,
        }
    }
}

/// One operation is one item of a hundred that are processed together.
fn with<S>(item: Item, new: fn() -> S, process: fn(&S, Item) -> u64) -> impl FnMut(u64) -> Sample {
    let mut subject = None;
    move |ops| {
        let subject = subject.get_or_insert_with(new);
        let rounds = ops.div_ceil(ITEMS);
        let start = Instant::now();
        let processed: u64 = (0..rounds).map(|_| process(subject, item)).sum();
        let time = start.elapsed();
        assert_eq!(processed, rounds * ITEMS, "every item is processed");
        Sample::time(processed, time)
    }
}

/// A pool that is there, as a program has it that goes on.
struct Kept(Pool<'static>);

impl Subject for Kept {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Kept {
    fn new() -> Self {
        Self(Pool::new(WORKERS).expect("ten threads"))
    }

    fn process(&self, item: Item) -> u64 {
        let done = Arc::new(AtomicU64::new(0));
        let job = |_| {
            let done = Arc::clone(&done);
            move || {
                item.process();
                done.fetch_add(1, Ordering::Relaxed);
            }
        };
        self.0.spawn_batch((0..ITEMS).map(job)).expect("the pool is open");
        self.0.wait_idle().wait();
        done.load(Ordering::Relaxed)
    }
}

/// A pool for each hundred, as the talk makes it.
struct Anew;

impl Subject for Anew {
    const NAME: &'static str = "ours, made anew";
}

impl Anew {
    fn process(_: &(), item: Item) -> u64 {
        Kept::new().process(item)
    }
}

struct Sequential;

impl Subject for Sequential {
    const NAME: &'static str = "one after the other";
}

impl Sequential {
    fn process(_: &(), item: Item) -> u64 {
        (0..ITEMS).for_each(|_| item.process());
        ITEMS
    }
}

struct Threads;

impl Subject for Threads {
    const NAME: &'static str = "std::thread for each";
}

impl Threads {
    fn process(_: &(), item: Item) -> u64 {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..ITEMS).map(|_| scope.spawn(move || item.process())).collect();
            threads.into_iter().map(|thread| thread.join().expect("none panics")).count() as u64
        })
    }
}

/// On a runtime with two workers.
struct Tasks(tokio::runtime::Runtime);

impl Subject for Tasks {
    const NAME: &'static str = "tokio::spawn for each";
}

impl Tasks {
    fn new() -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        Self(builder.worker_threads(2).enable_time().build().expect("two threads"))
    }

    fn process(&self, item: Item) -> u64 {
        self.0.block_on(async {
            let tasks: Vec<_> = (0..ITEMS).map(|_| tokio::spawn(item.process_in_task())).collect();
            let mut done = 0;
            for task in tasks {
                task.await.expect("none panics");
                done += 1;
            }
            done
        })
    }
}
