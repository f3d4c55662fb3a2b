//! Conservation of what is made of jobs: groups, maps, named jobs, and values of `Workers`. Whatever is
//! done to the pool meanwhile, each is run once or comes back once, and is dropped once.

use crate::support::{Counter, CountsDrop, ends};
use lockgate_workerpool::BatchSize;
use lockgate_workerpool::thread::{Pool, Queue, Reject, Workers};
use proptest::collection::vec;
use proptest::prelude::{
    Just, ProptestConfig, Strategy, prop_assert, prop_assert_eq, prop_oneof, proptest,
};
use std::thread;

#[derive(Clone, Copy, Debug)]
enum Control {
    Resize(usize, usize),
    Pause,
    Resume,
    /// Runs so many of those that it gets by hand.
    Purge(usize),
    Yield,
}

#[derive(Clone, Copy, Debug)]
enum End {
    Quiet,
    Shutdown,
    Now,
}

fn controls() -> impl Strategy<Value = Vec<Control>> {
    let one = prop_oneof![
        (0..3_usize, 1..4_usize).prop_map(|(min, more)| Control::Resize(min, min + more)),
        Just(Control::Pause),
        Just(Control::Resume),
        (0..4_usize).prop_map(Control::Purge),
        Just(Control::Yield),
    ];
    vec(one, 0..20)
}

/// What somebody submits.
#[derive(Clone, Copy, Debug)]
enum Submit {
    Named,
    /// A group of so many jobs, of which the one with this number fails, or panics.
    Group(usize, usize, bool),
    /// A map of so many items, so many to a batch, of which the one with this number panics.
    Map(usize, usize, usize),
}

fn submits() -> impl Strategy<Value = Vec<Submit>> {
    let one = prop_oneof![
        Just(Submit::Named),
        (0..8_usize, 0..16_usize, proptest::bool::ANY)
            .prop_map(|(size, fails, panics)| Submit::Group(size, fails, panics)),
        (0..12_usize, 1..4_usize, 0..24_usize)
            .prop_map(|(size, batch, panics)| Submit::Map(size, batch, panics)),
    ];
    vec(one, 0..8)
}

/// Things that are made, run and dropped.
#[derive(Clone, Default)]
struct Fates {
    made: Counter,
    ran: Counter,
    dropped: Counter,
    /// Of items and values: what came back.
    returned: Counter,
    /// Jobs that were accepted, and refused.
    accepted: Counter,
    refused: Counter,
}

impl Fates {
    fn make(&self) -> CountsDrop {
        self.made.add();
        self.dropped.on_drop()
    }

    fn note<T, F>(&self, submitted: Result<T, F>) {
        if submitted.is_ok() { &self.accepted } else { &self.refused }.add();
    }
}

fn submit_all(pool: &Pool<'static>, fates: &Fates, steps: &[Submit]) {
    for step in steps {
        match *step {
            Submit::Named => {
                let (ran, made) = (fates.ran.clone(), fates.make());
                let job = move || {
                    let _made = made;
                    ran.tick();
                };
                fates.note(pool.named("named").spawn(job));
            }
            Submit::Group(size, fails, panics) => group(pool, fates, size, fails, panics),
            Submit::Map(size, batch, panics) => map(pool, fates, size, batch, panics),
        }
    }
}

fn group(pool: &Pool<'static>, fates: &Fates, size: usize, fails: usize, panics: bool) {
    let group = pool.group::<()>();
    for number in 0..size {
        let (ran, made) = (fates.ran.clone(), fates.make());
        let job = move || {
            let _made = made;
            ran.tick();
            match number == fails {
                true if panics => std::panic::resume_unwind(Box::new("quiet")),
                true => Err(()),
                false => Ok(()),
            }
        };
        fates.note(group.spawn(job));
    }
    assert!(group.pending() <= size);
    // It ends, whatever became of its jobs.
    drop(group.wait());
}

fn map(pool: &Pool<'static>, fates: &Fates, size: usize, batch: usize, panics: usize) {
    let items: Vec<_> = (0..size).map(|number| (number, fates.make())).collect();
    let ran = fates.ran.clone();
    let results = pool.map_batched(items, BatchSize::Fixed(batch), move |(number, made)| {
        ran.tick();
        if number == panics {
            std::panic::resume_unwind(Box::new("quiet"));
        }
        drop(made);
        number
    });
    for (index, result) in results.enumerate() {
        match result {
            Ok(number) => assert_eq!(number, index),
            Err(error) => {
                assert_eq!(error.index, index);
                if error.item.is_some() {
                    fates.returned.add();
                }
            }
        }
    }
}

fn control_all(pool: &Pool<'static>, steps: &[Control]) {
    for step in steps {
        match *step {
            Control::Resize(min, max) => pool.resize(min..=max).unwrap(),
            Control::Pause => drop(pool.pause()),
            Control::Resume => pool.resume(),
            Control::Purge(run) => pool.purge().into_iter().take(run).for_each(|job| job.run()),
            Control::Yield => thread::yield_now(),
        }
    }
}

fn live(
    pool: &Pool<'static>,
    fates: &Fates,
    submitters: &[Vec<Submit>],
    controls: &[Control],
    end: End,
) {
    thread::scope(|threads| {
        for steps in submitters {
            threads.spawn(|| submit_all(pool, fates, steps));
        }
        control_all(pool, controls);
        match end {
            End::Quiet => pool.resume(),
            End::Shutdown => drop(pool.shutdown()),
            End::Now => drop(pool.shutdown_now()),
        }
    });
    pool.shutdown().wait().unwrap();
}

fn config() -> ProptestConfig {
    let cases = std::env::var("CASES").map_or(100, |cases| cases.parse().unwrap());
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn queues() -> impl Strategy<Value = Queue> {
    prop_oneof![Just(Queue::Handoff), (1..9_usize).prop_map(Queue::Bounded), Just(Queue::Unbounded)]
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn groups_maps_and_named_jobs_lose_nothing(
        submitters in vec(submits(), 1..=3),
        controls in controls(),
        threads in 1..4_usize,
        queue in queues(),
        reject in prop_oneof![Just(Reject::Block), Just(Reject::Fail), Just(Reject::CallerRuns)],
        end in prop_oneof![Just(End::Quiet), Just(End::Shutdown), Just(End::Now)],
    ) {
        let builder = Pool::builder().threads(0..=threads).queue(queue).reject(reject);
        let fates = Fates::default();
        let metrics = {
            let (pool, fates) = (builder.build().unwrap(), fates.clone());
            ends(move || {
                live(&pool, &fates, &submitters, &controls, end);
                pool.metrics()
            })
        };
        prop_assert_eq!(fates.dropped.value(), fates.made.value());
        prop_assert!(fates.ran.value() + fates.returned.value() <= fates.made.value());
        prop_assert_eq!((metrics.queued, metrics.running, metrics.waiting), (0, 0, 0));
        let ran = metrics.completed + metrics.failed + metrics.panicked;
        prop_assert_eq!(metrics.submitted, ran + metrics.aborted + metrics.expired);
        // Batches of maps count too.
        prop_assert!(metrics.submitted >= fates.accepted.value() as u64);
        prop_assert!(metrics.rejected >= fates.refused.value() as u64);
    }

    #[test]
    fn values_of_workers_are_handled_once_or_come_back(
        pushers in vec(vec(0..5_usize, 0..20), 1..=3),
        controls in controls(),
        threads in 1..4_usize,
        queue in queues(),
        reject in prop_oneof![Just(Reject::Block), Just(Reject::Fail), Just(Reject::CallerRuns)],
        end in prop_oneof![Just(End::Quiet), Just(End::Shutdown), Just(End::Now)],
    ) {
        let fates = Fates::default();
        let handled = fates.ran.clone();
        let handler = move |(number, made): (usize, CountsDrop)| {
            handled.tick();
            if number == 4 {
                std::panic::resume_unwind(Box::new("quiet"));
            }
            drop(made);
        };
        let builder = Pool::builder().threads(0..=threads).queue(queue).reject(reject);
        let workers = builder.build_workers(handler).unwrap();
        let metrics = {
            let fates = fates.clone();
            ends(move || {
                feed(&workers, &fates, &pushers, &controls, end);
                workers.metrics()
            })
        };
        let over = fates.ran.value() + fates.returned.value() + fates.refused.value();
        prop_assert_eq!(fates.made.value(), over);
        prop_assert_eq!(fates.dropped.value(), fates.made.value());
        prop_assert_eq!((metrics.queued, metrics.running, metrics.waiting), (0, 0, 0));
        prop_assert_eq!(metrics.completed + metrics.panicked, fates.ran.value() as u64);
        prop_assert_eq!(metrics.submitted, (fates.ran.value() + fates.returned.value()) as u64);
        prop_assert_eq!(metrics.rejected, fates.refused.value() as u64);
    }
}

/// The life of some `Workers`. A number of 0 is pushed as a batch of three.
fn feed(
    workers: &Workers<(usize, CountsDrop)>,
    fates: &Fates,
    pushers: &[Vec<usize>],
    controls: &[Control],
    end: End,
) {
    let back = |values: Vec<(usize, CountsDrop)>| values.iter().for_each(|_| fates.returned.tick());
    thread::scope(|threads| {
        for numbers in pushers {
            threads.spawn(move || {
                for &number in numbers {
                    if number == 0 {
                        let values: Vec<_> = (0..3).map(|_| (0, fates.make())).collect();
                        let rejected = workers.push_batch(values).err();
                        rejected
                            .iter()
                            .flat_map(|it| &it.rejected)
                            .for_each(|_| fates.refused.tick());
                    } else if workers.push((number, fates.make())).is_err() {
                        fates.refused.tick();
                    }
                }
            });
        }
        for step in controls {
            match *step {
                Control::Resize(min, max) => workers.resize(min..=max).unwrap(),
                Control::Pause => drop(workers.pause()),
                Control::Resume => workers.resume(),
                Control::Purge(_) => back(workers.purge()),
                Control::Yield => thread::yield_now(),
            }
        }
        match end {
            End::Quiet => workers.resume(),
            End::Shutdown => drop(workers.shutdown()),
            End::Now => back(workers.shutdown_now()),
        }
    });
    workers.shutdown().wait().unwrap();
}
