//! ants, pond and gammazero/workerpool.

use super::busy;
use crate::support::{Counter, Gate, until};
use lockgate_workerpool::thread::{Pool, Queue};
use lockgate_workerpool::{JobError, Reason};
use std::thread;

/// ants#141, 36c4272, 8d03fcf: nobody told submitters that waited of the end. Both ends, here.
#[test]
fn ants_141_release_while_submitters_wait() {
    for now in [false, true] {
        let (pool, gate) = busy(1);
        let queued = pool.submit(|| 1).unwrap();
        let blocked: Vec<_> = (0..8)
            .map(|_| {
                let pool = pool.clone();
                thread::spawn(move || pool.spawn(|| ()).unwrap_err().reason)
            })
            .collect();
        until("they wait", || pool.metrics().waiting == 8);
        if now {
            drop(pool.shutdown_now());
        } else {
            drop(pool.shutdown());
        }
        for thread in blocked {
            assert_eq!(thread.join().unwrap(), Reason::Closed);
        }
        gate.open();
        pool.shutdown().wait().unwrap();
        assert_eq!(queued.wait().is_ok(), !now);
    }
}

/// ants#146, dbcb6a1: every worker panicked, and submitters waited until the pool was swept.
#[test]
fn ants_146_panics_make_room_for_whoever_waits() {
    let pool = Pool::builder().threads(2).queue(Queue::Handoff).build().unwrap();
    let submitters: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            thread::spawn(move || {
                for _ in 0..50 {
                    pool.spawn(|| std::panic::resume_unwind(Box::new("quiet"))).unwrap();
                }
            })
        })
        .collect();
    submitters.into_iter().for_each(|it| it.join().unwrap());
    pool.wait_idle().wait();
    assert_eq!((pool.metrics().panicked, pool.metrics().workers), (200, 2));
}

/// ants#272: a signal came before the wait for it, and only the purge ticker hid it.
#[test]
fn ants_272_no_signal_is_lost_between_the_look_and_the_wait() {
    let pool = Pool::builder().threads(1).queue(Queue::Handoff).build().unwrap();
    let submitters: Vec<_> = (0..3)
        .map(|_| {
            let pool = pool.clone();
            thread::spawn(move || (0..500).for_each(|_| pool.spawn(|| ()).unwrap()))
        })
        .collect();
    submitters.into_iter().for_each(|it| it.join().unwrap());
    pool.wait_idle().wait();
    assert_eq!(pool.metrics().completed, 1500);
}

/// ants#6, fbd1703: a pool that grew by several woke one of those that waited.
#[test]
fn ants_6_growing_serves_as_many_as_there_are_workers() {
    let pool = Pool::builder().threads(1).queue(Queue::Handoff).build().unwrap();
    let (gate, started) = (Gate::default(), Counter::default());
    let submitters: Vec<_> = (0..6)
        .map(|_| {
            let (pool, gate, started) = (pool.clone(), gate.clone(), started.clone());
            thread::spawn(move || {
                let job = move || {
                    started.add();
                    gate.pass();
                };
                pool.spawn(job).unwrap();
            })
        })
        .collect();
    until("one runs, the others wait", || started.value() == 1 && pool.metrics().waiting == 5);
    pool.resize(6..=6).unwrap();
    until("all run", || started.value() == 6);
    gate.open();
    submitters.into_iter().for_each(|it| it.join().unwrap());
}

/// ants#113, 94a7a7f, ef60172: a submit that met the end left a worker behind for ever.
#[test]
fn ants_113_no_worker_outlives_a_submit_that_meets_the_end() {
    for _ in 0..100 {
        let pool = Pool::builder().threads(0..=2).build().unwrap();
        let other = pool.clone();
        let submitter =
            thread::spawn(move || (0..10).filter(|_| other.spawn(|| ()).is_ok()).count());
        pool.shutdown().wait().unwrap();
        let accepted = submitter.join().unwrap();
        // Whoever was accepted came before the end, which was waited for.
        let metrics = pool.metrics();
        assert_eq!((metrics.workers, metrics.completed), (0, accepted as u64));
    }
}

/// pond#61, pond#138, a2e34e8: what waited when the pool was cancelled kept `Wait` from its end.
#[test]
fn pond_138_what_is_taken_out_keeps_nobody_waiting() {
    let (pool, gate) = busy(100);
    let part = pool.subpool(1);
    let jobs: Vec<_> = (0..20).map(|n| part.submit(move || n).unwrap()).collect();
    let waits = pool.clone();
    let waiter = thread::spawn(move || waits.wait_idle().wait());
    drop(pool.purge());
    assert!(jobs.into_iter().all(|job| matches!(job.wait(), Err(JobError::Aborted))));
    gate.open();
    waiter.join().unwrap();
    assert_eq!((pool.metrics().aborted, part.pending()), (20, 0));
    assert_eq!(part.submit(|| 3).unwrap().wait().unwrap(), 3, "the subpool goes on");
}

/// pond#108, 18e306d, 198a10d, 543ed3a: submitters that waited for a small queue hung each other.
#[test]
fn pond_108_many_submitters_share_one_place() {
    for bound in [0, 1, 2] {
        let pool = Pool::builder().threads(1).queue(Queue::Bounded(bound)).build().unwrap();
        let submitters: Vec<_> = (0..8)
            .map(|_| {
                let pool = pool.clone();
                thread::spawn(move || {
                    (0..100).map(|n| pool.submit(move || n).unwrap().wait().unwrap()).sum::<u32>()
                })
            })
            .collect();
        assert!(submitters.into_iter().all(|it| it.join().unwrap() == 4950));
    }
}

/// pond#104, 94bbb62: a submit during the stop was counted by nobody, or panicked.
#[test]
fn pond_104_a_submit_during_the_stop_runs_or_comes_back() {
    for _ in 0..100 {
        let pool = Pool::new(1).unwrap();
        let (other, ran) = (pool.clone(), Counter::default());
        let runs = ran.clone();
        let submitter = thread::spawn(move || other.submit(move || runs.add()));
        pool.shutdown().wait().unwrap();
        match submitter.join().unwrap() {
            Ok(job) => assert_eq!(job.wait().unwrap(), 1),
            Err(rejected) => assert_eq!((ran.value(), (rejected.into_job())()), (0, 1)),
        }
    }
}

/// pond 53914d0: the queue's memory kept what it had given out. Here also what was aborted, and the
/// handle that nobody waits for.
#[test]
fn pond_53914d0_nothing_keeps_what_a_job_captured() {
    let (pool, gate) = busy(100);
    let dropped = Counter::default();
    let jobs: Vec<_> = (0..10)
        .map(|_| {
            let capture = dropped.on_drop();
            pool.submit(move || drop(capture)).unwrap()
        })
        .collect();
    assert!(jobs.iter().take(5).all(|job| job.abort()));
    assert_eq!(dropped.value(), 5);
    gate.open();
    pool.wait_idle().wait();
    assert_eq!(dropped.value(), 10);
    drop(jobs);
}

/// pond#68: `Wait` came back while jobs still ran.
#[test]
fn pond_68_rest_is_when_the_last_job_is_over() {
    let pool = Pool::new(4).unwrap();
    for _ in 0..200 {
        let ended = Counter::default();
        for _ in 0..4 {
            let ended = ended.clone();
            let job = move || {
                thread::yield_now();
                ended.add();
            };
            pool.spawn(job).unwrap();
        }
        pool.wait_idle().wait();
        assert_eq!(ended.value(), 4);
    }
}

/// pond#68, of a group: `Wait` came back when the first error was known, or all had been handed out.
#[test]
fn pond_68_a_group_is_over_when_its_last_job_is() {
    let pool = Pool::builder().threads(4).queue(Queue::Unbounded).build().unwrap();
    for round in 0..100 {
        let (started, running) = (Counter::default(), Counter::default());
        let group = pool.group::<()>();
        for n in 0..8 {
            let (started, ended) = (started.clone(), running.clone());
            let job = move || {
                started.add();
                thread::yield_now();
                ended.add();
                if round % 2 == 1 && n == 0 { Err(()) } else { Ok(()) }
            };
            // An error that is known already refuses those that come later.
            let refused = group.spawn(job).is_err();
            assert!(!refused || round % 2 == 1);
        }
        assert_eq!(group.wait().is_err(), round % 2 == 1);
        assert_eq!(running.value(), started.value(), "what started has ended");
        assert!(round % 2 == 1 || running.value() == 8);
    }
}

/// gammazero 3890c21, 064b8cd, 85cc841: `Stop` came back before the workers had gone.
#[test]
fn gammazero_85cc841_the_end_is_when_the_threads_have_gone() {
    struct Local(Counter);

    impl Drop for Local {
        fn drop(&mut self) {
            thread::yield_now();
            self.0.add();
        }
    }

    thread_local!(static LOCAL: std::cell::RefCell<Option<Local>> = const { std::cell::RefCell::new(None) });

    for by_drop in [false, true] {
        let gone = Counter::default();
        let counts = gone.clone();
        let on_start = move || LOCAL.set(Some(Local(counts.clone())));
        let pool = Pool::builder().threads(4).on_start(on_start).build().unwrap();
        pool.submit(|| ()).unwrap().wait().unwrap();
        if by_drop {
            drop(pool);
        } else {
            pool.shutdown().wait().unwrap();
        }
        assert_eq!(gone.value(), 4, "their locals have gone, so their threads have");
    }
}
