//! Pools of threads: jobs, results, panics, sizes.

use crate::support::{Counter, Gate, PATIENCE, until};
use lockgate_workerpool::thread::{Pool, Queue, scope};
use lockgate_workerpool::{BuildError, JobError, Reason, ResizeError};
use std::time::{Duration, Instant};

#[test]
fn every_job_runs_once() {
    let pool = Pool::new(3).unwrap();
    let ran = Counter::default();
    for _ in 0..10_000 {
        let ran = ran.clone();
        pool.spawn(move || {
            ran.add();
        })
        .unwrap();
    }
    pool.wait_idle().wait();
    assert_eq!(ran.value(), 10_000);
    let metrics = pool.metrics();
    assert_eq!((metrics.submitted, metrics.completed), (10_000, 10_000));
    assert_eq!((metrics.running, metrics.queued), (0, 0));
}

#[test]
fn results_come_to_their_handles() {
    let pool = Pool::new(2).unwrap();
    let jobs: Vec<_> = (0..2000_usize).map(|n| pool.submit(move || n * n).unwrap()).collect();
    for (n, job) in jobs.into_iter().enumerate() {
        assert_eq!(job.wait().unwrap(), n * n);
    }
}

#[test]
fn a_handle_that_is_dropped_detaches() {
    let pool = Pool::new(1).unwrap();
    let ran = Counter::default();
    let runs = ran.clone();
    drop(pool.submit(move || runs.add()).unwrap());
    drop(pool);
    assert_eq!(ran.value(), 1);
}

#[test]
fn a_panic_stays_with_its_handle_and_kills_no_worker() {
    let told = Counter::default();
    let tells = told.clone();
    let builder = Pool::builder().threads(1).on_panic(move |panicked| {
        assert_eq!(panicked.message(), Some("spawned"));
        tells.add();
    });
    let pool = builder.build().unwrap();
    for _ in 0..3 {
        let job = pool.submit(|| -> u32 { panic!("told") }).unwrap();
        match job.wait() {
            Err(JobError::Panicked(panicked)) => assert_eq!(panicked.message(), Some("told")),
            other => panic!("{other:?}"),
        }
        pool.spawn(|| panic!("spawned")).unwrap();
    }
    assert_eq!(pool.submit(|| 1).unwrap().wait().unwrap(), 1);
    pool.wait_idle().wait();
    assert_eq!(told.value(), 3);
    assert_eq!(pool.metrics().panicked, 6);
    assert_eq!(pool.metrics().workers, 1);
}

#[test]
fn a_wait_with_a_limit_gives_the_handle_back() {
    let (pool, gate) = (Pool::new(1).unwrap(), Gate::default());
    let waits = gate.clone();
    let job = pool.submit(move || waits.pass()).unwrap();
    let job = job.wait_timeout(Duration::from_millis(5)).unwrap_err();
    let job = job.wait_deadline(Instant::now()).unwrap_err();
    gate.open();
    job.wait_timeout(PATIENCE).unwrap().unwrap();
}

#[test]
fn what_cannot_be_built_says_so() {
    let error = Pool::builder().threads(0).build().unwrap_err();
    assert!(matches!(error, BuildError::Threads { min: 0, max: 0 }));
    let (min, max) = (3, 2);
    let error = Pool::builder().threads(min..=max).build().unwrap_err();
    assert_eq!(
        error.to_string(),
        "threads is 3..=2: the end must be 1 or more, and not before the start"
    );
    let error = Pool::builder().threads(1).lanes(0).build().unwrap_err();
    assert_eq!(error.to_string(), "lanes is 0: it must be in 1..=65535");
    assert!(matches!(Pool::builder().lanes(1 << 16).build(), Err(BuildError::Lanes(65536))));
    // No system grants a stack of so many bytes.
    let error = Pool::builder().threads(2).stack_size(1 << 60).build().unwrap_err();
    assert!(matches!(error, BuildError::Spawn(_)));
}

#[test]
fn without_a_worker_a_refused_thread_gives_the_job_back() {
    let pool = Pool::builder().threads(0..=2).stack_size(1 << 60).build().unwrap();
    let rejected = pool.submit(|| 1).unwrap_err();
    assert!(matches!(rejected.reason, Reason::NoThread(_)));
    assert_eq!((rejected.into_job())(), 1);
    assert!(pool.spawn(|| ()).is_err());
    let slot = pool.reserve().wait().unwrap();
    assert!(matches!(slot.submit(|| ()).unwrap_err().reason, Reason::NoThread(_)));
    let metrics = pool.metrics();
    assert_eq!((metrics.workers, metrics.submitted, metrics.rejected), (0, 0, 3));
}

#[test]
fn workers_come_with_jobs_and_go_without() {
    let builder = Pool::builder().threads(0..=3).keep_alive(Duration::from_millis(1));
    let (pool, gate) = (builder.build().unwrap(), Gate::default());
    assert_eq!(pool.metrics().workers, 0);
    for expected in 1..=3 {
        let (waits, started) = (gate.clone(), Counter::default());
        let starts = started.clone();
        pool.spawn(move || {
            starts.add();
            waits.pass();
        })
        .unwrap();
        until("it runs", || started.value() == 1);
        assert_eq!(pool.metrics().workers, expected);
    }
    gate.open();
    until("they have gone", || pool.metrics().workers == 0);
    assert_eq!(pool.submit(|| 7).unwrap().wait().unwrap(), 7);
}

#[test]
fn a_pool_is_resized_while_it_works() {
    let pool = Pool::new(4).unwrap();
    let (min, max) = (2, 1);
    let error = pool.resize(min..=max).unwrap_err();
    assert!(matches!(error, ResizeError::Threads { min: 2, max: 1 }));
    for size in [1, 3, 2, 5, 1] {
        pool.resize(size..=size).unwrap();
        let jobs: Vec<_> = (0..100).map(|n| pool.submit(move || n).unwrap()).collect();
        assert!(jobs.into_iter().enumerate().all(|(n, job)| job.wait().unwrap() == n));
        until("it has that size", || pool.metrics().workers == size);
        assert_eq!(pool.threads(), size..=size);
    }
}

#[test]
fn a_scope_borrows() {
    let mut numbers = [1, 2, 3, 4];
    scope(Pool::builder().threads(2), |pool| {
        for number in &mut numbers {
            pool.spawn(|| *number *= 10).unwrap();
        }
    })
    .unwrap();
    assert_eq!(numbers, [10, 20, 30, 40]);
}

#[test]
fn a_scope_whose_body_panics_ends_its_jobs_first() {
    let ran = Counter::default();
    let outcome = std::panic::catch_unwind(|| {
        scope(Pool::builder().threads(1), |pool| {
            for _ in 0..10 {
                pool.spawn(|| {
                    ran.add();
                })
                .unwrap();
            }
            panic!("the body");
        })
    });
    assert!(outcome.is_err());
    assert_eq!(ran.value(), 10);
}

#[test]
fn a_job_may_wait_for_another_of_its_pool() {
    // One worker: the inner job is taken out of the queue and run where it is waited for.
    let pool = Pool::new(1).unwrap();
    let inner = pool.clone();
    let job = pool.submit(move || {
        let depth: u32 = inner.submit(|| 20).unwrap().wait().unwrap();
        depth + inner.run(|| 22).wait().unwrap()
    });
    assert_eq!(job.unwrap().wait().unwrap(), 42);
    // A job counts when its worker looks for the next one.
    pool.wait_idle().wait();
    let metrics = pool.metrics();
    assert_eq!((metrics.submitted, metrics.completed, metrics.aborted), (3, 3, 0));
}

#[test]
fn two_jobs_that_wait_for_each_other_are_told() {
    use std::sync::mpsc::channel;
    let pool = Pool::new(2).unwrap();
    let (to_first, first_gets) = channel();
    let (to_second, second_gets) = channel();
    let outcomes = channel();
    for (gets, says) in [(first_gets, outcomes.0.clone()), (second_gets, outcomes.0)] {
        let job = pool.submit(move || {
            let other: lockgate_workerpool::thread::Job<'static, ()> = gets.recv().unwrap();
            says.send(matches!(other.wait(), Err(JobError::WouldDeadlock))).unwrap();
        });
        let to = if pool.metrics().submitted == 1 { &to_second } else { &to_first };
        to.send(job.unwrap()).unwrap();
    }
    let told =
        [outcomes.1.recv_timeout(PATIENCE).unwrap(), outcomes.1.recv_timeout(PATIENCE).unwrap()];
    assert_eq!(
        told.iter().filter(|told| **told).count(),
        1,
        "the last one is told, the other gets its result"
    );
}

#[test]
fn a_job_behind_one_that_blocks_is_run_by_another_worker() {
    let pool = Pool::builder().threads(2).queue(Queue::Unbounded).build().unwrap();
    pool.pause();
    let gate = Gate::default();
    let waits = gate.clone();
    let blocks = pool.submit(move || waits.pass()).unwrap();
    let jobs: Vec<_> = (0..64).map(|n| pool.submit(move || n).unwrap()).collect();
    pool.resume();
    assert_eq!(jobs.into_iter().map(|job| job.wait().unwrap()).sum::<i32>(), 64 * 63 / 2);
    gate.open();
    blocks.wait().unwrap();
}

#[test]
fn who_may_go_for_want_of_work_is_said_by_the_limits_of_the_day() {
    let pool = Pool::builder().threads(4).keep_alive(Duration::from_millis(5)).build().unwrap();
    until("all sleep", || pool.metrics().idle == 4);
    pool.resize(2..=4).unwrap();
    until("two have gone", || pool.metrics().workers == 2);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(pool.metrics().workers, 2);
    // Those two have learned that they stay.
    pool.resize(1..=4).unwrap();
    until("one more has gone", || pool.metrics().workers == 1);
    pool.resize(3..=3).unwrap();
    until("all sleep", || pool.metrics().idle == 3);
    std::thread::sleep(Duration::from_millis(20));
    assert_eq!(pool.metrics().workers, 3);
}
