//! pond v2.

use crate::support::{Counter, TaskGate, occupied, on_both, turns_until};
use futures::FutureExt;
use lockgate_workerpool::task::{Pool, Queue, Reject};
use lockgate_workerpool::{GroupError, JobError, Reason, ResizeError};
use std::sync::{Arc, Mutex};
use tokio::task::yield_now;

#[test]
fn stop_and_wait_should_not_deadlock_when_context_canceled_with_queued_tasks() {
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        let gate = occupied(&pool, 1).await;
        let mut queued = Vec::new();
        for n in 0..10 {
            queued.push(pool.submit(async move { n }).await.unwrap());
        }
        drop(pool.shutdown_now());
        gate.open(1);
        pool.shutdown().await;
        for job in queued {
            assert!(matches!(job.await, Err(JobError::Aborted)));
        }
    });
}

#[test]
fn subpool_stop_and_wait_should_not_deadlock_when_context_canceled_with_queued_tasks() {
    on_both(|| async {
        let pool = Pool::new(4).unwrap();
        let (part, gate) = (pool.subpool(1), TaskGate::new());
        let running = part.submit(gate.clone().pass()).await.unwrap();
        gate.come(1).await;
        // These stand aside: there is room for other workers, and it is not their turn.
        let mut queued = Vec::new();
        for n in 0..10 {
            queued.push(part.submit(async move { n }).await.unwrap());
        }
        drop(pool.shutdown_now());
        gate.open(1);
        pool.shutdown().await;
        running.await.unwrap();
        for job in queued {
            assert!(matches!(job.await, Err(JobError::Aborted)));
        }
        assert_eq!(part.pending(), 0);
    });
}

#[test]
fn task_group_wait_should_not_deadlock_when_context_canceled_with_queued_tasks() {
    on_both(|| async {
        let pool = Pool::new(2).unwrap();
        let gate = occupied(&pool, 2).await;
        let mut group = pool.group::<()>();
        let mut jobs = Vec::new();
        for n in 0..10 {
            jobs.push(group.submit(async move { Ok(n) }).await.unwrap());
        }
        assert!((&mut group).now_or_never().is_none(), "it waits");
        drop(pool.shutdown_now());
        assert!(matches!(group.await, Err(GroupError::Job(JobError::Aborted))));
        for job in jobs {
            assert!(matches!(job.await, Err(JobError::Aborted)));
        }
        gate.open(2);
        pool.shutdown().await;
    });
}

#[test]
fn submit_while_stopping() {
    on_both(|| async {
        let pool = Pool::new(10).unwrap();
        let gate = occupied(&pool, 10).await;
        let accepted = pool.submit(async { 1 }).await.unwrap();
        let stop = pool.shutdown();
        assert_eq!(pool.submit(async { 2 }).await.unwrap_err().reason, Reason::Closed);
        assert_eq!(pool.spawn(async {}).await.unwrap_err().reason, Reason::Closed);
        gate.open(10);
        stop.await;
        assert_eq!(accepted.await.unwrap(), 1);
    });
}

#[test]
fn submit_while_stopping_has_no_race() {
    on_both(|| async {
        for _ in 0..50 {
            let (pool, ran) = (Pool::new(3).unwrap(), Counter::default());
            let mut submitters = Vec::new();
            for _ in 0..4 {
                let (pool, ran) = (pool.clone(), ran.clone());
                submitters.push(tokio::spawn(async move {
                    let mut accepted = 0;
                    loop {
                        let runs = ran.clone();
                        if pool.spawn(async move { runs.tick() }).await.is_err() {
                            break accepted;
                        }
                        accepted += 1;
                        yield_now().await;
                    }
                }));
            }
            pool.submit(async {}).await.unwrap().await.unwrap();
            pool.shutdown().await;
            let mut accepted = 0;
            for submitter in submitters {
                accepted += submitter.await.unwrap();
            }
            assert_eq!(ran.value(), accepted, "accepted is run");
        }
    });
}

#[test]
fn pool_with_queue_size_zero() {
    on_both(|| async {
        let builder = Pool::builder().limit(1).queue(Queue::Handoff).reject(Reject::Fail);
        let pool = builder.build().unwrap();
        let gate = occupied(&pool, 1).await;
        assert_eq!(pool.try_submit(async {}).unwrap_err().reason, Reason::Full);
        gate.open(1);
        pool.wait_idle().await;
        assert_eq!(pool.try_submit(async { 5 }).unwrap().await.unwrap(), 5);
    });
}

#[test]
fn pool_with_queue_size_one() {
    on_both(|| async {
        let builder = Pool::builder().limit(1).queue(Queue::Bounded(1)).reject(Reject::Fail);
        let pool = builder.build().unwrap();
        let gate = occupied(&pool, 1).await;
        let queued = pool.try_submit(async { 5 }).unwrap();
        assert_eq!(pool.try_submit(async {}).unwrap_err().reason, Reason::Full);
        gate.open(1);
        assert_eq!(queued.await.unwrap(), 5);
    });
}

#[test]
fn pool_resize() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Unbounded).build().unwrap();
        let gate = occupied(&pool, 1).await;
        for _ in 0..9 {
            pool.spawn(gate.clone().pass()).await.unwrap();
        }
        assert_eq!((pool.metrics().running, pool.metrics().queued), (1, 9));
        pool.resize(3).unwrap();
        gate.come(2).await;
        turns_until(|| pool.metrics().queued == 7).await;
        pool.resize(1).unwrap();
        gate.open(10);
        pool.wait_idle().await;
        turns_until(|| pool.metrics().workers <= 1).await;
        assert_eq!((pool.metrics().completed, pool.limit()), (10, 1));
    });
}

#[test]
fn pool_resize_to_zero() {
    on_both(|| async {
        let pool = Pool::new(2).unwrap();
        assert!(matches!(pool.resize(0), Err(ResizeError::Limit(0))));
        assert_eq!(pool.limit(), 2, "nothing has changed");
    });
}

/// The bound of the queue stays what it was.
#[test]
fn pool_resize_with_queue_size() {
    on_both(|| async {
        let builder = Pool::builder().limit(2).queue(Queue::Bounded(1)).reject(Reject::Fail);
        let pool = builder.build().unwrap();
        let gate = occupied(&pool, 2).await;
        pool.spawn(async {}).await.unwrap();
        assert!(pool.spawn(async {}).await.is_err());
        pool.resize(1).unwrap();
        assert!(pool.spawn(async {}).await.is_err());
        pool.resize(3).unwrap();
        turns_until(|| pool.metrics().completed == 1).await;
        gate.open(2);
    });
}

#[test]
fn task_invokes_goexit() {
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        for _ in 0..10 {
            let job = async { std::panic::resume_unwind(Box::new(())) };
            match pool.submit(job).await.unwrap().await {
                Err(JobError::Panicked(panicked)) => assert_eq!(panicked.message(), None),
                Err(other) => panic!("{other:?}"),
                Ok(()) => unreachable!("it has no end"),
            }
        }
        assert_eq!(pool.submit(async { 3 }).await.unwrap().await.unwrap(), 3);
        assert_eq!(pool.metrics().workers, 1, "it is still there");
    });
}

/// Subpools may promise more than the pool has; what they have in common is the pool's.
#[test]
fn subpool_with_overlapping_concurrency() {
    on_both(|| async {
        let pool = Pool::builder().limit(5).queue(Queue::Unbounded).build().unwrap();
        let parts = [pool.subpool(3), pool.subpool(4)];
        let most: Arc<Mutex<[usize; 3]>> = Arc::default();
        let running: Arc<Mutex<[usize; 3]>> = Arc::default();
        for turn in 0..400 {
            let of = turn % 2;
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            let job = async move {
                let note = |by: fn(usize) -> usize| {
                    let mut running = running.lock().unwrap();
                    running[of] = by(running[of]);
                    running[2] = by(running[2]);
                    let mut most = most.lock().unwrap();
                    (0..3).for_each(|at| most[at] = most[at].max(running[at]));
                };
                note(|count| count + 1);
                yield_now().await;
                note(|count| count - 1);
            };
            parts[of].spawn(job).await.unwrap();
        }
        pool.wait_idle().await;
        let most = *most.lock().unwrap();
        assert!(most[0] <= 3 && most[1] <= 4 && most[2] <= 5, "{most:?}");
        assert_eq!(pool.metrics().completed, 400);
    });
}

/// What a job captured is gone when the job is over, though the queue keeps its memory.
#[test]
fn buffer_with_pointer_to_large_object() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Unbounded).build().unwrap();
        let gate = occupied(&pool, 1).await;
        let large = Arc::new(vec![0_u8; 1 << 20]);
        let mut jobs = Vec::new();
        for _ in 0..100 {
            let large = Arc::clone(&large);
            jobs.push(pool.submit(async move { large.len() }).await.unwrap());
        }
        assert_eq!(Arc::strong_count(&large), 101);
        gate.open(1);
        pool.wait_idle().await;
        assert_eq!(Arc::strong_count(&large), 1, "handles keep results, and nothing else");
        for job in jobs {
            assert_eq!(job.await.unwrap(), 1 << 20);
        }
    });
}
