//! The engine whose workers keep what their jobs submit.

use crate::support::{Counter, Gate, PATIENCE, until};
use lockgate_workerpool::thread::{Engine, Job, Pool, Queue, Reject, scope};
use lockgate_workerpool::{BuildError, JobError, Reason};
use std::sync::{Arc, Mutex};
use std::time::Duration;

fn stealing(threads: usize) -> Pool<'static> {
    Pool::builder().threads(threads).engine(Engine::Stealing).build().unwrap()
}

/// A tree of jobs; counts those that ran and those that were refused.
fn grow(pool: &Pool<'static>, depth: u32, ran: &Counter, refused: &Counter) {
    ran.add();
    if depth == 0 {
        return;
    }
    for _ in 0..2 {
        let (inner, counts, refuses) = (pool.clone(), ran.clone(), refused.clone());
        if pool.spawn(move || grow(&inner, depth - 1, &counts, &refuses)).is_err() {
            refused.add();
        }
    }
}

#[test]
fn a_tree_of_jobs_runs_each_once() {
    for queue in [Queue::Unbounded, Queue::Bounded(1024), Queue::Bounded(3), Queue::Handoff] {
        let builder = Pool::builder().threads(3).queue(queue).engine(Engine::Stealing);
        let (pool, ran, refused) =
            (builder.build().unwrap(), Counter::default(), Counter::default());
        let (inner, counts, refuses) = (pool.clone(), ran.clone(), refused.clone());
        pool.spawn(move || grow(&inner, 12, &counts, &refuses)).unwrap();
        pool.wait_idle().wait();
        assert_eq!((ran.value(), refused.value()), ((1 << 13) - 1, 0), "{queue:?}");
        let metrics = pool.metrics();
        assert_eq!((metrics.submitted, metrics.completed), ((1 << 13) - 1, (1 << 13) - 1));
        assert_eq!((metrics.queued, metrics.running), (0, 0));
    }
}

#[test]
fn the_newest_goes_first_and_what_comes_from_outside_keeps_its_order() {
    let (pool, gate) = (stealing(1), Gate::default());
    let (inner, waits, order) = (pool.clone(), gate.clone(), Arc::new(Mutex::new(Vec::new())));
    let note = |job: u32| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(job)
    };
    let jobs = (note(1), note(2), note(3));
    pool.spawn(move || {
        waits.pass();
        inner.spawn(jobs.0).unwrap();
        inner.spawn(jobs.1).unwrap();
        inner.spawn(jobs.2).unwrap();
    })
    .unwrap();
    pool.spawn(note(10)).unwrap();
    pool.spawn(note(11)).unwrap();
    gate.open();
    pool.wait_idle().wait();
    assert_eq!(*order.lock().unwrap(), [3, 2, 1, 10, 11]);
}

#[test]
fn a_job_whose_parent_blocks_is_run_by_another_worker() {
    let (pool, gate) = (stealing(2), Gate::default());
    let (inner, opens) = (pool.clone(), gate.clone());
    let job = pool.submit(move || {
        inner.spawn(move || opens.open()).unwrap();
        gate.pass();
    });
    job.unwrap().wait_timeout(PATIENCE).unwrap().unwrap();
}

#[test]
fn a_job_waits_for_those_that_it_submits() {
    fn sum(pool: &Pool<'static>, from: u64, to: u64) -> u64 {
        if to - from < 4 {
            return (from..to).sum();
        }
        let (middle, left, right) = ((from + to) / 2, pool.clone(), pool.clone());
        let low = pool.submit(move || sum(&left, from, middle)).unwrap();
        let high = pool.submit(move || sum(&right, middle, to)).unwrap();
        low.wait().unwrap() + high.wait().unwrap()
    }
    let pool = stealing(2);
    let inner = pool.clone();
    let total = pool.submit(move || sum(&inner, 0, 20_000)).unwrap().wait().unwrap();
    assert_eq!(total, 20_000 * 19_999 / 2);
    pool.wait_idle().wait();
    let metrics = pool.metrics();
    assert_eq!((metrics.completed, metrics.aborted), (metrics.submitted, 0));
}

#[test]
fn a_bound_holds_inside_as_outside() {
    let builder = Pool::builder().threads(1).queue(Queue::Bounded(3)).reject(Reject::Fail);
    let pool = builder.engine(Engine::Stealing).build().unwrap();
    let inner = pool.clone();
    let (full, gate, filled) = (Counter::default(), Gate::default(), Counter::default());
    let (fulls, waits, fills) = (full.clone(), gate.clone(), filled.clone());
    pool.spawn(move || {
        for _ in 0..5 {
            match inner.spawn(|| ()) {
                Ok(()) => {
                    fills.add();
                }
                Err(rejected) => {
                    assert_eq!(rejected.reason, Reason::Full);
                    fulls.add();
                }
            }
        }
        waits.pass();
    })
    .unwrap();
    until("it has tried", || full.value() == 2);
    assert_eq!(filled.value(), 3);
    assert_eq!(pool.try_submit(|| ()).unwrap_err().reason, Reason::Full);
    assert_eq!(pool.metrics().queued, 3);
    gate.open();
    pool.wait_idle().wait();
    assert_eq!(pool.metrics().completed, 4);
}

#[test]
fn a_purge_and_an_abort_reach_what_a_worker_keeps() {
    let (pool, gate) = (stealing(1), Gate::default());
    let (inner, waits, kept) = (pool.clone(), gate.clone(), Arc::new(Mutex::new(Vec::new())));
    let keeps = Arc::clone(&kept);
    pool.spawn(move || {
        keeps.lock().unwrap().extend((0..5).map(|n| inner.submit(move || n).unwrap()));
        waits.pass();
    })
    .unwrap();
    until("they are there", || kept.lock().unwrap().len() == 5);
    let jobs: Vec<Job<'static, i32>> = std::mem::take(&mut *kept.lock().unwrap());
    assert!(jobs[2].abort());
    let purged = pool.purge();
    assert_eq!(purged.len(), 4);
    purged.into_iter().take(1).for_each(|job| job.run());
    gate.open();
    let ends: Vec<_> = jobs.into_iter().map(Job::wait).collect();
    assert_eq!(ends.iter().filter(|end| end.is_ok()).count(), 1);
    assert_eq!(ends.iter().filter(|end| matches!(end, Err(JobError::Aborted))).count(), 4);
}

#[test]
fn a_scope_steals_too() {
    let numbers: Vec<u64> = (0..1000).collect();
    let builder = Pool::builder().threads(2).engine(Engine::Stealing);
    let total = scope(builder, |pool| {
        let jobs = numbers.chunks(10).map(|part| pool.submit(move || part.iter().sum::<u64>()));
        let jobs: Vec<_> = jobs.collect::<Result<_, _>>().unwrap();
        jobs.into_iter().map(|job| job.wait().unwrap()).sum::<u64>()
    });
    assert_eq!(total.unwrap(), 999 * 500);
}

#[test]
fn what_stealing_cannot_keep_is_refused() {
    let builder = || Pool::builder().threads(1).engine(Engine::Stealing);
    let error = builder().lanes(2).build().unwrap_err();
    assert!(matches!(error, BuildError::StealingLanes(2)));
    assert_eq!(error.to_string(), "lanes is 2: it must be 1 where workers steal");
    let error = builder().reject(Reject::DropOldest).build().unwrap_err();
    assert!(matches!(error, BuildError::StealingReject(Reject::DropOldest)));
    assert!(error.to_string().starts_with("reject is DropOldest: it must be"), "{error}");
}

/// A generator that is good enough to disturb schedules.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

/// What was accepted ran, panicked, came back, or was aborted: nothing is lost, nothing runs twice.
#[test]
fn trees_meet_pauses_purges_resizes_panics_and_the_end() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let queue = match random.below(4) {
            0 => Queue::Handoff,
            1 => Queue::Bounded(1 + random.below(40) as usize),
            2 => Queue::Bounded(1024),
            _ => Queue::Unbounded,
        };
        let reject = match random.below(4) {
            0 => Reject::Fail,
            1 => Reject::CallerRuns,
            2 => Reject::DropNewest,
            _ => Reject::Block,
        };
        let builder = Pool::builder().threads(0..=3).keep_alive(Duration::from_micros(200));
        let pool = builder.queue(queue).reject(reject).engine(Engine::Stealing).build().unwrap();
        let ledger = Arc::new(Ledger::default());
        for _ in 0..random.below(6) + 1 {
            ledger.submit(&pool, 1 + random.below(8) as u32, random.below(1 << 20));
        }
        let mut returned = 0;
        for _ in 0..random.below(12) {
            match random.below(5) {
                0 => {
                    pool.pause();
                    std::thread::sleep(Duration::from_micros(random.below(100)));
                    pool.resume();
                }
                1 => returned += pool.purge().len(),
                2 => {
                    let most = 1 + random.below(5) as usize;
                    pool.resize(0..=most).unwrap();
                }
                3 => ledger.submit(&pool, random.below(8) as u32, random.below(1 << 20)),
                _ => std::thread::sleep(Duration::from_micros(random.below(300))),
            }
        }
        match random.below(3) {
            0 => returned += pool.shutdown_now().len(),
            1 => drop(pool.shutdown()),
            _ => pool.wait_idle().wait(),
        }
        pool.shutdown_timeout(PATIENCE).unwrap();
        let metrics = pool.metrics();
        let (accepted, ran) = (ledger.accepted.value(), ledger.ran.value());
        let dropped = ledger.dropped.value() - ran;
        // A job that is dropped for want of room, or comes back in an error, was accepted by nobody.
        let context = format!("seed {seed}, {queue:?}, {reject:?}: {metrics:?}");
        assert_eq!(metrics.queued + metrics.workers, 0, "{context}");
        assert_eq!(
            ledger.made.value(),
            ledger.dropped.value(),
            "a closure is dropped once: {context}"
        );
        assert_eq!(accepted - ran, dropped - ledger.refused.value(), "{context}");
        let over = metrics.completed + metrics.panicked;
        assert_eq!(over, ran as u64, "{context}");
        assert_eq!(metrics.submitted, over + metrics.aborted, "{context}");
        assert_eq!(metrics.aborted, returned as u64, "{context}");
    }
}

#[derive(Default)]
struct Ledger {
    made: Counter,
    accepted: Counter,
    refused: Counter,
    ran: Counter,
    dropped: Counter,
}

impl Ledger {
    /// Submits a tree of jobs, some of which panic.
    fn submit(self: &Arc<Self>, pool: &Pool<'static>, depth: u32, dice: u64) {
        let (ledger, inner) = (Arc::clone(self), pool.clone());
        self.made.add();
        let counts = self.dropped.on_drop();
        let job = move || {
            let _counts = counts;
            ledger.ran.add();
            for child in 0..2 * u64::from(depth > 0) {
                ledger.submit(&inner, depth - 1, dice / 3 + child * 7);
            }
            drop(inner);
            if dice % 11 == 5 {
                std::panic::resume_unwind(Box::new("quiet"));
            }
        };
        match pool.spawn(job) {
            Ok(()) => self.accepted.add(),
            Err(_) => self.refused.add(),
        };
    }
}

#[test]
fn what_the_last_hook_of_a_worker_submits_runs() {
    let slot: Arc<Mutex<Option<Pool<'static>>>> = Arc::default();
    let (taken, ran) = (Arc::clone(&slot), Counter::default());
    let counts = ran.clone();
    let builder = Pool::builder().threads(0..=1).keep_alive(Duration::from_millis(5));
    let stop = move || {
        let pool = taken.lock().unwrap().take();
        if let Some(pool) = pool {
            let counts = counts.clone();
            pool.spawn(move || counts.tick()).unwrap();
        }
    };
    let pool = builder.engine(Engine::Stealing).on_stop(stop).build().unwrap();
    *slot.lock().unwrap() = Some(pool.clone());
    pool.submit(|| ()).unwrap().wait().unwrap();
    until("the hook's job runs", || ran.value() == 1);
    pool.wait_idle().wait();
}

#[test]
fn a_seat_is_named_after_its_worker() {
    let pool = Pool::builder().threads(2).name("io").engine(Engine::Stealing).build().unwrap();
    until("both are there", || pool.snapshot().workers.len() == 2);
    let mut names: Vec<_> =
        pool.snapshot().workers.iter().filter_map(|it| it.name.clone()).collect();
    names.sort();
    assert!(names.iter().map(|name| &**name).eq(["io-0", "io-1"]), "{names:?}");
}
