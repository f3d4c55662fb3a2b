//! pond v2, `pool_test.go`, `subpool_test.go`, `group_test.go` and `linkedbuffer_test.go`.

use super::occupy;
use crate::support::{Counter, Gate, ends, until};
use lockgate_workerpool::thread::{Pool, Queue, Reject};
use lockgate_workerpool::{GroupError, JobError, Reason, ResizeError};
use std::sync::{Arc, Mutex};
use std::thread;

#[test]
fn stop_and_wait_should_not_deadlock_when_context_canceled_with_queued_tasks() {
    ends(|| {
        let pool = Pool::new(1).unwrap();
        let gate = occupy(&pool, 1);
        let queued: Vec<_> = (0..10).map(|n| pool.submit(move || n).unwrap()).collect();
        drop(pool.shutdown_now());
        gate.open();
        pool.shutdown().wait().unwrap();
        assert!(queued.into_iter().all(|job| matches!(job.wait(), Err(JobError::Aborted))));
    });
}

#[test]
fn subpool_stop_and_wait_should_not_deadlock_when_context_canceled_with_queued_tasks() {
    ends(|| {
        let pool = Pool::new(4).unwrap();
        let part = pool.subpool(1);
        let (gate, started) = (Gate::default(), Counter::default());
        let (waits, starts) = (gate.clone(), started.clone());
        let running = part.submit(move || {
            starts.add();
            waits.pass();
        });
        until("it runs", || started.value() == 1);
        // These stand aside: other workers are free, and it is not their turn.
        let queued: Vec<_> = (0..10).map(|n| part.submit(move || n).unwrap()).collect();
        drop(pool.shutdown_now());
        gate.open();
        pool.shutdown().wait().unwrap();
        running.unwrap().wait().unwrap();
        assert!(queued.into_iter().all(|job| matches!(job.wait(), Err(JobError::Aborted))));
        assert_eq!(part.pending(), 0);
    });
}

#[test]
fn task_group_wait_should_not_deadlock_when_context_canceled_with_queued_tasks() {
    ends(|| {
        let pool = Pool::new(2).unwrap();
        let gate = occupy(&pool, 2);
        let group = pool.group::<()>();
        let jobs: Vec<_> = (0..10).map(|n| group.submit(move || Ok(n)).unwrap()).collect();
        let stops = pool.clone();
        let stopper = thread::spawn(move || drop(stops.shutdown_now()));
        assert!(matches!(group.wait(), Err(GroupError::Job(JobError::Aborted))));
        for job in jobs {
            assert!(matches!(job.wait(), Err(JobError::Aborted)));
        }
        stopper.join().unwrap();
        gate.open();
    });
}

#[test]
fn submit_while_stopping() {
    ends(|| {
        let pool = Pool::new(10).unwrap();
        let gate = occupy(&pool, 10);
        let accepted = pool.submit(|| 1).unwrap();
        let stop = pool.shutdown();
        let rejected = pool.submit(|| 2).unwrap_err();
        assert_eq!(rejected.reason, Reason::Closed);
        assert_eq!(pool.spawn(|| ()).unwrap_err().reason, Reason::Closed);
        gate.open();
        stop.wait().unwrap();
        assert_eq!(accepted.wait().unwrap(), 1);
    });
}

#[test]
fn submit_while_stopping_has_no_race() {
    for _ in 0..50 {
        ends(|| {
            let pool = Pool::new(3).unwrap();
            let ran = Counter::default();
            let submitters: Vec<_> = (0..4)
                .map(|_| {
                    let (pool, ran) = (pool.clone(), ran.clone());
                    thread::spawn(move || {
                        let count = || {
                            let ran = ran.clone();
                            pool.spawn(move || {
                                ran.add();
                            })
                        };
                        (0..).take_while(|_| count().is_ok()).count()
                    })
                })
                .collect();
            pool.submit(|| ()).unwrap().wait().unwrap();
            pool.shutdown().wait().unwrap();
            let accepted: usize = submitters.into_iter().map(|it| it.join().unwrap()).sum();
            assert_eq!(ran.value(), accepted, "accepted is run");
        });
    }
}

#[test]
fn pool_with_queue_size_zero() {
    let builder = Pool::builder().threads(1).queue(Queue::Handoff).reject(Reject::Fail);
    let pool = builder.build().unwrap();
    let gate = occupy(&pool, 1);
    assert_eq!(pool.try_submit(|| ()).unwrap_err().reason, Reason::Full);
    gate.open();
    pool.wait_idle().wait();
    assert_eq!(pool.try_submit(|| 5).unwrap().wait().unwrap(), 5);
}

#[test]
fn pool_with_queue_size_one() {
    let builder = Pool::builder().threads(1).queue(Queue::Bounded(1)).reject(Reject::Fail);
    let pool = builder.build().unwrap();
    let gate = occupy(&pool, 1);
    let queued = pool.try_submit(|| 5).unwrap();
    assert_eq!(pool.try_submit(|| ()).unwrap_err().reason, Reason::Full);
    gate.open();
    assert_eq!(queued.wait().unwrap(), 5);
}

#[test]
fn pool_resize() {
    ends(|| {
        let pool = Pool::builder().threads(1).queue(Queue::Unbounded).build().unwrap();
        let gate = occupy(&pool, 1);
        let started = Counter::default();
        for _ in 0..9 {
            let (waits, starts) = (gate.clone(), started.clone());
            let job = move || {
                starts.add();
                waits.pass();
            };
            pool.spawn(job).unwrap();
        }
        assert_eq!((pool.metrics().running, pool.metrics().queued), (1, 9));
        pool.resize(3..=3).unwrap();
        until("two more run", || started.value() == 2);
        assert_eq!(pool.metrics().queued, 7);
        pool.resize(1..=1).unwrap();
        gate.open();
        pool.wait_idle().wait();
        until("two have gone", || pool.metrics().workers == 1);
        assert_eq!((started.value(), pool.threads()), (9, 1..=1));
    });
}

#[test]
fn pool_resize_to_zero() {
    let pool = Pool::new(2).unwrap();
    let error = pool.resize(0..=0).unwrap_err();
    assert!(matches!(error, ResizeError::Threads { min: 0, max: 0 }));
    assert_eq!(pool.threads(), 2..=2, "nothing has changed");
}

/// The bound of the queue stays what it was.
#[test]
fn pool_resize_with_queue_size() {
    let builder = Pool::builder().threads(2).queue(Queue::Bounded(1)).reject(Reject::Fail);
    let pool = builder.build().unwrap();
    let gate = occupy(&pool, 2);
    pool.spawn(|| ()).unwrap();
    assert!(pool.spawn(|| ()).is_err());
    pool.resize(1..=1).unwrap();
    assert!(pool.spawn(|| ()).is_err());
    pool.resize(3..=3).unwrap();
    until("the third takes it", || pool.metrics().completed == 1);
    gate.open();
}

#[test]
fn task_invokes_goexit() {
    let pool = Pool::new(1).unwrap();
    for _ in 0..10 {
        let job = pool.submit(|| std::panic::resume_unwind(Box::new(()))).unwrap();
        match job.wait() {
            Err(JobError::Panicked(panicked)) => assert_eq!(panicked.message(), None),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(pool.submit(|| 3).unwrap().wait().unwrap(), 3);
    assert_eq!(pool.metrics().workers, 1, "it is still there");
}

/// Subpools may promise more than the pool has; what they have in common is the pool's.
#[test]
fn subpool_with_overlapping_concurrency() {
    ends(|| {
        let pool = Pool::builder().threads(5).queue(Queue::Unbounded).build().unwrap();
        let parts = [pool.subpool(3), pool.subpool(4)];
        let most: Arc<Mutex<[usize; 3]>> = Arc::default();
        let running: Arc<Mutex<[usize; 3]>> = Arc::default();
        for turn in 0..400 {
            let of = turn % 2;
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            let job = move || {
                let note = |by: fn(usize) -> usize| {
                    let mut running = running.lock().unwrap();
                    running[of] = by(running[of]);
                    running[2] = by(running[2]);
                    let mut most = most.lock().unwrap();
                    (0..3).for_each(|at| most[at] = most[at].max(running[at]));
                };
                note(|count| count + 1);
                thread::yield_now();
                note(|count| count - 1);
            };
            parts[of].spawn(job).unwrap();
        }
        pool.wait_idle().wait();
        let most = *most.lock().unwrap();
        assert!(most[0] <= 3 && most[1] <= 4 && most[2] <= 5, "{most:?}");
        assert_eq!(pool.metrics().completed, 400);
    });
}

/// What a job captured is gone when the job is over, though the queue keeps its memory.
#[test]
fn buffer_with_pointer_to_large_object() {
    let pool = Pool::builder().threads(1).queue(Queue::Unbounded).build().unwrap();
    let gate = occupy(&pool, 1);
    let large = Arc::new(vec![0_u8; 1 << 20]);
    let jobs: Vec<_> = (0..100)
        .map(|_| {
            let large = Arc::clone(&large);
            pool.submit(move || large.len()).unwrap()
        })
        .collect();
    assert_eq!(Arc::strong_count(&large), 101);
    gate.open();
    pool.wait_idle().wait();
    assert_eq!(Arc::strong_count(&large), 1, "handles keep results, and nothing else");
    assert!(jobs.into_iter().all(|job| job.wait().unwrap() == 1 << 20));
}
