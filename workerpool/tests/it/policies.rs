//! What becomes of jobs for which there is no room, and in what order the others run.

use crate::support::{Counter, Gate, until};
use lockgate_workerpool::thread::{Pool, Queue, Reject};
use lockgate_workerpool::{JobError, Reason, WaitError};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// A pool of one worker, which is busy until the gate opens, and a queue of `bound`.
fn busy(bound: usize, reject: Reject) -> (Pool<'static>, Gate) {
    let builder = Pool::builder().threads(1).queue(Queue::Bounded(bound)).reject(reject);
    occupy(builder.build().unwrap())
}

fn occupy(pool: Pool<'static>) -> (Pool<'static>, Gate) {
    let (gate, started) = (Gate::default(), Counter::default());
    let (waits, starts) = (gate.clone(), started.clone());
    pool.spawn(move || {
        starts.add();
        waits.pass();
    })
    .unwrap();
    until("it runs", || started.value() == 1);
    (pool, gate)
}

#[test]
fn a_queue_takes_as_many_as_it_says() {
    for bound in [0, 1, 7, 100] {
        let (pool, gate) = busy(bound, Reject::Fail);
        let jobs: Vec<_> = (0..bound).map(|n| pool.submit(move || n).unwrap()).collect();
        let rejected = pool.submit(|| 0).unwrap_err();
        assert_eq!(rejected.reason, Reason::Full);
        assert_eq!(rejected.to_string(), "job rejected: the queue is full");
        assert_eq!(pool.try_submit(|| 0).unwrap_err().reason, Reason::Full);
        assert_eq!(pool.metrics().queued, bound);
        gate.open();
        assert!(jobs.into_iter().enumerate().all(|(n, job)| job.wait().unwrap() == n));
        assert_eq!(pool.metrics().rejected, 2);
    }
}

#[test]
fn a_handoff_takes_what_a_worker_is_free_for() {
    let builder = Pool::builder().threads(0..=2).queue(Queue::Handoff).reject(Reject::Fail);
    let (pool, gate) = occupy(builder.build().unwrap());
    let waits = gate.clone();
    pool.spawn(move || waits.pass()).unwrap();
    assert_eq!(pool.spawn(|| ()).unwrap_err().reason, Reason::Full);
    gate.open();
    pool.wait_idle().wait();
    pool.spawn(|| ()).unwrap();
}

#[test]
fn block_waits_for_a_place() {
    let (pool, gate) = busy(1, Reject::Block);
    pool.spawn(|| ()).unwrap();
    assert!(pool.try_submit(|| ()).is_err());
    let submitter = pool.clone();
    let thread = std::thread::spawn(move || submitter.submit(|| 5).unwrap().wait().unwrap());
    until("it waits", || pool.metrics().waiting == 1);
    gate.open();
    assert_eq!(thread.join().unwrap(), 5);
}

#[test]
fn a_job_that_submits_into_a_full_queue_runs_the_other_itself() {
    let (pool, gate) = busy(1, Reject::Block);
    let (inner, ran) = (pool.clone(), Counter::default());
    let runs = ran.clone();
    let job = pool.submit(move || {
        // One place, and one job too many for it.
        let queued = inner.submit(|| 1).unwrap();
        let thread = std::thread::current().id();
        let nested = inner.submit(move || std::thread::current().id() == thread).unwrap();
        runs.add();
        assert!(nested.wait().unwrap(), "it ran at once, on the same thread");
        queued
    });
    gate.open();
    assert_eq!(job.unwrap().wait().unwrap().wait().unwrap(), 1);
    assert_eq!(ran.value(), 1);
}

#[test]
fn jobs_that_nest_too_deep_are_refused() {
    fn nest(pool: &Pool<'static>, depth: usize) -> (usize, Reason) {
        let inner = pool.clone();
        match pool.submit(move || nest(&inner, depth + 1)) {
            Ok(job) => job.wait().unwrap(),
            Err(rejected) => (depth, rejected.reason),
        }
    }
    let builder = Pool::builder().threads(1).queue(Queue::Handoff);
    let pool = builder.build().unwrap();
    until("the worker is there", || pool.metrics().idle == 1);
    assert_eq!(nest(&pool, 0), (65, Reason::TooDeep));
}

#[test]
fn caller_runs() {
    let (pool, gate) = busy(1, Reject::CallerRuns);
    pool.spawn(|| ()).unwrap();
    let caller = std::thread::current().id();
    let job = pool.submit(move || std::thread::current().id() == caller).unwrap();
    assert!(job.is_finished());
    assert!(job.wait().unwrap());
    let ran = Counter::default();
    let runs = ran.clone();
    pool.spawn(move || {
        runs.add();
    })
    .unwrap();
    assert_eq!(ran.value(), 1);
    gate.open();
}

#[test]
fn drop_newest() {
    let (pool, gate) = busy(1, Reject::DropNewest);
    let oldest = pool.submit(|| 1).unwrap();
    let newest = pool.submit(|| 2).unwrap();
    assert!(matches!(newest.wait(), Err(JobError::Dropped)));
    gate.open();
    assert_eq!(oldest.wait().unwrap(), 1);
    assert_eq!(pool.metrics().rejected, 1);
}

#[test]
fn drop_oldest() {
    let builder = Pool::builder().threads(1).lanes(2).queue(Queue::Bounded(2));
    let (pool, gate) = occupy(builder.reject(Reject::DropOldest).build().unwrap());
    let urgent = pool.submit(|| 1).unwrap();
    let later = pool.lane(1).submit(|| 2).unwrap();
    let newest = pool.lane(1).submit(|| 3).unwrap();
    assert!(matches!(later.wait(), Err(JobError::Dropped)), "the oldest where it matters least");
    gate.open();
    assert_eq!((urgent.wait().unwrap(), newest.wait().unwrap()), (1, 3));
}

#[test]
fn lanes_go_in_order() {
    let (pool, gate) = occupy(Pool::builder().threads(1).lanes(3).build().unwrap());
    let order = Arc::new(Mutex::new(Vec::new()));
    for (place, lane) in [2, 0, 1, 0, 2, 1].into_iter().enumerate() {
        let order = Arc::clone(&order);
        pool.lane(lane).spawn(move || order.lock().unwrap().push((lane, place))).unwrap();
    }
    assert_eq!(pool.metrics().lanes, [2, 2, 2]);
    gate.open();
    pool.wait_idle().wait();
    assert_eq!(*order.lock().unwrap(), [(0, 1), (0, 3), (1, 2), (1, 5), (2, 0), (2, 4)]);
}

#[test]
fn the_least_urgent_lane_does_not_starve() {
    let (pool, gate) = occupy(Pool::builder().threads(1).lanes(2).build().unwrap());
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |lane| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(lane)
    };
    pool.lane(1).spawn(note(1)).unwrap();
    for _ in 0..200 {
        pool.lane(0).spawn(note(0)).unwrap();
    }
    gate.open();
    pool.wait_idle().wait();
    let turn = order.lock().unwrap().iter().position(|lane| *lane == 1).unwrap();
    assert!(turn < 61, "it came after {turn} urgent ones");
}

#[test]
#[should_panic(expected = "lane 3 of a pool that has 3")]
fn a_lane_that_is_not_there() {
    let pool = Pool::builder().threads(1).lanes(3).build().unwrap();
    let _ = pool.lane(3);
}

#[test]
fn places_are_reserved_in_turn() {
    let (pool, gate) = busy(1, Reject::Fail);
    let slot = pool.reserve().wait().unwrap();
    let timeout = pool.reserve().wait_timeout(Duration::from_millis(2)).unwrap_err();
    assert_eq!(timeout, WaitError::Timeout);
    assert!(pool.try_submit(|| ()).is_err(), "the place is taken");
    let job = slot.submit(|| 9).unwrap();
    assert!(pool.try_submit(|| ()).is_err());
    assert!(job.abort());
    drop(pool.reserve().wait().unwrap());
    drop(pool.reserve().wait_deadline(Instant::now()).unwrap().submit(|| ()).unwrap());
    gate.open();
}

#[test]
fn an_aborted_job_gives_its_place_and_what_it_captured_back() {
    let (pool, gate) = busy(3, Reject::Fail);
    let dropped = Counter::default();
    let jobs: Vec<_> = (0..3)
        .map(|_| {
            let capture = dropped.on_drop();
            pool.submit(move || drop(capture)).unwrap()
        })
        .collect();
    assert!(pool.try_submit(|| ()).is_err());
    assert!(jobs[1].abort());
    assert_eq!(dropped.value(), 1);
    assert!(!jobs[1].abort(), "once");
    drop(pool.try_submit(|| ()).unwrap());
    assert!(pool.try_submit(|| ()).is_err());
    gate.open();
    let ends: Vec<_> = jobs.into_iter().map(|job| job.wait().is_ok()).collect();
    assert_eq!(ends, [true, false, true]);
    assert_eq!(pool.metrics().aborted, 1);
}

#[test]
fn a_job_that_runs_is_not_aborted() {
    let (pool, gate) = (Pool::new(1).unwrap(), Gate::default());
    let (waits, started) = (gate.clone(), Counter::default());
    let starts = started.clone();
    let job = pool.submit(move || {
        starts.add();
        waits.pass();
        3
    });
    let job = job.unwrap();
    until("it runs", || started.value() == 1);
    assert!(!job.abort());
    gate.open();
    assert_eq!(job.wait().unwrap(), 3);
}

#[test]
fn a_deadline_that_has_passed_keeps_a_job_from_starting() {
    let (pool, gate) = busy(4, Reject::Fail);
    let (ran, dropped) = (Counter::default(), Counter::default());
    let (runs, capture) = (ran.clone(), dropped.on_drop());
    let late = pool
        .submitter()
        .deadline(Instant::now())
        .submit(move || {
            drop(capture);
            runs.add()
        })
        .unwrap();
    let in_time = Instant::now() + crate::support::PATIENCE;
    let early = pool.submitter().deadline(in_time).submit(|| 1).unwrap();
    gate.open();
    assert!(matches!(late.wait(), Err(JobError::Expired)));
    assert_eq!(early.wait().unwrap(), 1);
    assert_eq!((ran.value(), dropped.value()), (0, 1));
    pool.wait_idle().wait();
    assert_eq!(pool.metrics().expired, 1);
}
