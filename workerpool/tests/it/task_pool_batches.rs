//! Pools of tasks: many jobs at once.

use crate::support::{Counter, TaskGate, on_both};
use futures::FutureExt;
use lockgate_workerpool::task::{Pool, Queue, Reject};
use lockgate_workerpool::{JobError, Reason};
use std::time::Instant;
use tokio::task::yield_now;

const REJECTS: [Reject; 5] =
    [Reject::Block, Reject::Fail, Reject::CallerRuns, Reject::DropNewest, Reject::DropOldest];

/// One that keeps the only worker busy.
async fn occupy(pool: &Pool) -> TaskGate {
    let gate = TaskGate::new();
    pool.spawn(gate.clone().pass()).await.unwrap();
    gate.come(1).await;
    gate
}

#[test]
fn each_of_a_batch_has_its_result() {
    on_both(|| async {
        for queue in [Queue::Handoff, Queue::Bounded(1), Queue::Bounded(7), Queue::Unbounded] {
            let pool = Pool::builder().limit(2).queue(queue).build().unwrap();
            let job = |n| async move {
                yield_now().await;
                n * 2
            };
            let jobs = pool.submit_batch((0..100).map(job)).await.unwrap();
            for (n, job) in (0..).zip(jobs) {
                assert_eq!(job.await.unwrap(), n * 2);
            }
            let none = std::iter::empty::<std::future::Ready<u8>>();
            assert!(pool.submit_batch(none).await.unwrap().is_empty());
            let ran = Counter::default();
            let runs = |_| {
                let ran = ran.clone();
                async move { ran.tick() }
            };
            pool.spawn_batch((0..100).map(runs)).await.unwrap();
            pool.wait_idle().await;
            assert_eq!((ran.value(), pool.metrics().submitted), (100, 200));
        }
    });
}

#[test]
fn a_batch_without_room_is_done_with_what_the_pool_says() {
    on_both(|| async {
        for reject in REJECTS {
            let builder = Pool::builder().limit(1).queue(Queue::Bounded(2)).reject(reject);
            let pool = builder.build().unwrap();
            let gate = occupy(&pool).await;
            let mut batch = pool.submit_batch((0..5).map(|n| async move { n }));
            match ((&mut batch).now_or_never(), reject) {
                (None, Reject::Block) => {
                    assert_eq!((pool.metrics().queued, pool.metrics().waiting), (2, 1));
                    gate.open(1);
                    for (n, job) in (0..).zip(batch.await.unwrap()) {
                        assert_eq!(job.await.unwrap(), n);
                    }
                }
                (Some(Err(refused)), Reject::Fail) => {
                    assert_eq!((refused.accepted.len(), refused.reason), (2, Reason::Full));
                    assert_eq!(refused.to_string(), "3 of 5 jobs rejected: the queue is full");
                    assert_eq!(pool.metrics().rejected, 3);
                    for (n, job) in (2..).zip(refused.rejected) {
                        assert_eq!(job.await, n, "they come back, in their order");
                    }
                    gate.open(1);
                    for (n, job) in (0..).zip(refused.accepted) {
                        assert_eq!(job.await.unwrap(), n);
                    }
                }
                (Some(Ok(jobs)), reject) => {
                    gate.open(1);
                    let mut dropped = Vec::new();
                    for (n, job) in (0..).zip(jobs) {
                        match job.await {
                            Ok(found) => assert_eq!(found, n),
                            Err(JobError::Dropped) => dropped.push(n),
                            Err(error) => panic!("{error}"),
                        }
                    }
                    let expected = match reject {
                        Reject::DropNewest => vec![2, 3, 4],
                        Reject::DropOldest => vec![0, 1, 2],
                        _ => vec![],
                    };
                    assert_eq!(dropped, expected, "{reject:?}");
                }
                (found, reject) => panic!("{reject:?} {found:?}"),
            }
            pool.shutdown().await;
        }
    });
}

/// Also of those that run inside, in the one that submits them.
#[test]
fn a_job_submits_a_batch_to_its_own_pool() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Bounded(2)).build().unwrap();
        let inner = pool.clone();
        let job = async move {
            let jobs = inner.submit_batch((0..10).map(|n| async move { n })).await.unwrap();
            jobs.iter().filter(|job| job.is_finished()).count()
        };
        assert_eq!(pool.run(job).await.unwrap(), 8, "there is room for two");
        pool.wait_idle().await;
        assert_eq!(pool.metrics().completed, 11);
    });
}

#[test]
fn a_batch_that_is_dropped_keeps_what_was_accepted() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Bounded(2)).build().unwrap();
        let gate = occupy(&pool).await;
        let (ran, dropped) = (Counter::default(), Counter::default());
        let job = |_| {
            let (runs, held) = (ran.clone(), dropped.on_drop());
            async move {
                runs.tick();
                drop(held);
            }
        };
        let mut submits = pool.submit_batch((0..5).map(job));
        assert!((&mut submits).now_or_never().is_none());
        drop(submits);
        assert_eq!((dropped.value(), pool.metrics().waiting), (3, 0));
        let mut spawns = pool.spawn_batch((0..3).map(job));
        assert!((&mut spawns).now_or_never().is_none(), "there is no room for any");
        drop(spawns);
        assert_eq!((dropped.value(), pool.metrics().waiting), (6, 0));
        gate.open(1);
        pool.wait_idle().await;
        assert_eq!((ran.value(), dropped.value()), (2, 8));
    });
}

#[test]
fn a_shutdown_gives_the_rest_of_a_batch_back() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Bounded(2)).build().unwrap();
        let gate = occupy(&pool).await;
        let mut batch = pool.submit_batch((0..5).map(|n| async move { n }));
        assert!((&mut batch).now_or_never().is_none());
        drop(pool.shutdown());
        let refused = batch.await.unwrap_err();
        assert_eq!((refused.rejected.len(), refused.reason), (3, Reason::Closed));
        gate.open(1);
        for (n, job) in (0..).zip(refused.accepted) {
            assert_eq!(job.await.unwrap(), n, "what was accepted runs");
        }
        let refused = pool.spawn_batch([std::future::ready(())]).await.unwrap_err();
        assert_eq!((refused.rejected.len(), refused.reason), (1, Reason::Closed));
        pool.shutdown().await;
    });
}

/// A panic of one that has a deadline, and no handle, is told too.
#[test]
fn panics_of_all_that_have_no_handle_are_told() {
    on_both(|| async {
        let told = Counter::default();
        let tells = told.clone();
        let pool = Pool::builder().limit(1).on_panic(move |_| tells.tick()).build().unwrap();
        let quiet = || async { std::panic::resume_unwind(Box::new("quiet")) };
        let late = Instant::now() + crate::support::PATIENCE;
        pool.spawn(quiet()).await.unwrap();
        pool.submitter().deadline(late).spawn(quiet()).await.unwrap();
        pool.named("named").spawn(quiet()).await.unwrap();
        pool.spawn_batch([quiet()]).await.unwrap();
        pool.submitter().deadline(late).spawn_batch([quiet()]).await.unwrap();
        drop(pool.submit(quiet()).await.unwrap());
        pool.wait_idle().await;
        assert_eq!((told.value(), pool.metrics().panicked), (5, 6));
    });
}

#[cfg(feature = "sync")]
#[test]
fn a_thread_submits_a_batch() {
    use lockgate_workerpool::WaitError;
    let runtime = crate::support::runtime(2);
    let builder = Pool::builder().limit(2).queue(Queue::Bounded(1));
    let pool = builder.runtime(runtime.handle().clone()).build().unwrap();
    let jobs = pool.submit_batch((0..50).map(|n| async move { n })).wait().unwrap();
    assert!(jobs.into_iter().map(|job| job.wait().unwrap()).eq(0..50));
    pool.spawn_batch((0..50).map(|_| async {})).wait().unwrap();
    pool.wait_idle().wait();
    pool.pause();
    drop(pool.try_submit(async {}).unwrap());
    let late = pool.reserve().wait_deadline(Instant::now());
    assert!(matches!(late, Err(WaitError::Timeout)));
    pool.resume();
    drop(pool.reserve().wait_timeout(crate::support::PATIENCE).unwrap());
    pool.shutdown().wait().unwrap();
    let closed = pool.reserve().wait_timeout(crate::support::PATIENCE);
    assert!(matches!(closed, Err(WaitError::Failed(_))));
    assert_eq!(pool.metrics().completed, 101);
}
