//! Pools of tasks: aborts, and requests and handles that are dropped.

use crate::support::{Counter, TaskGate, on_both};
use futures::FutureExt;
use lockgate_workerpool::JobError;
use lockgate_workerpool::task::{Pool, Queue, Reject};
use std::future::pending;
use tokio::task::yield_now;

#[test]
fn an_abort_ends_a_job_that_waits_at_once() {
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        pool.pause();
        let (ran, dropped) = (Counter::default(), Counter::default());
        let (runs, held) = (ran.clone(), dropped.on_drop());
        let job = pool.submit(async move {
            let _held = held;
            runs.add()
        });
        let job = job.await.unwrap();
        assert!(job.abort());
        assert_eq!((dropped.value(), job.is_finished(), job.abort()), (1, true, false));
        assert!(matches!(job.await, Err(JobError::Aborted)));
        pool.resume();
        pool.wait_idle().await;
        assert_eq!((ran.value(), pool.metrics().aborted), (0, 1));
    });
}

#[test]
fn an_abort_ends_a_job_that_runs_where_it_waits() {
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        let (gate, dropped) = (TaskGate::new(), Counter::default());
        let (waits, held) = (gate.clone(), dropped.on_drop());
        let job = pool.submit(async move {
            let _held = held;
            waits.pass().await;
            pending::<()>().await
        });
        let job = job.await.unwrap();
        gate.come(1).await;
        assert!(job.abort());
        assert!(matches!(job.await, Err(JobError::Aborted)));
        assert_eq!(dropped.value(), 1, "what it held is gone before its result is there");
        assert_eq!(pool.run(async { 2 }).await.unwrap(), 2, "its place is free");
        pool.wait_idle().await;
        let metrics = pool.metrics();
        assert_eq!((metrics.aborted, metrics.completed, metrics.workers), (1, 1, 1));
    });
}

#[test]
fn a_job_that_is_aborted_while_it_is_polled_ends_as_it_does() {
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        // It aborts itself, which is as close to it as one can come.
        for waits in [false, true] {
            let (give, take) =
                tokio::sync::oneshot::channel::<lockgate_workerpool::task::Job<u32>>();
            let job = async move {
                assert!(take.await.unwrap().abort());
                if waits {
                    yield_now().await;
                }
                8
            };
            let (ended, ends) = tokio::sync::oneshot::channel();
            let job = async move {
                let result = job.await;
                let _ = ended.send(());
                result
            };
            let job = pool.submit(job).await.unwrap();
            give.send(job).unwrap();
            assert_eq!(ends.await.is_ok(), !waits, "only one that waits is dropped");
        }
        pool.wait_idle().await;
        let metrics = pool.metrics();
        assert_eq!((metrics.completed, metrics.aborted), (1, 1));
    });
}

#[test]
fn a_handle_that_is_dropped_detaches() {
    on_both(|| async {
        let pool = Pool::new(2).unwrap();
        let ran = Counter::default();
        for _ in 0..20 {
            let runs = ran.clone();
            drop(
                pool.submit(async move {
                    yield_now().await;
                    runs.add()
                })
                .await
                .unwrap(),
            );
        }
        pool.wait_idle().await;
        assert_eq!(ran.value(), 20);
    });
}

#[test]
fn run_that_is_dropped_aborts_what_has_not_started() {
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        let (gate, dropped) = (TaskGate::new(), Counter::default());
        pool.spawn(gate.clone().pass()).await.unwrap();
        gate.come(1).await;
        let held = dropped.on_drop();
        let mut request = pool.run(async move { drop(held) });
        assert_eq!(pool.metrics().queued, 0, "a request does nothing by itself");
        assert!((&mut request).now_or_never().is_none());
        assert_eq!(pool.metrics().queued, 1);
        drop(request);
        assert_eq!(dropped.value(), 1);
        gate.open(1);
        pool.wait_idle().await;
        // One that runs goes on.
        let done = Counter::default();
        let (adds, waits) = (done.clone(), gate.clone());
        let mut request = pool.run(async move {
            waits.pass().await;
            adds.add()
        });
        assert!((&mut request).now_or_never().is_none());
        gate.come(1).await;
        drop(request);
        gate.open(1);
        pool.wait_idle().await;
        let metrics = pool.metrics();
        assert_eq!((done.value(), metrics.completed, metrics.aborted), (1, 2, 1));
    });
}

#[test]
fn what_a_caller_runs_ends_with_its_request() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Handoff).reject(Reject::CallerRuns);
        let pool = pool.build().unwrap();
        let gate = TaskGate::new();
        pool.spawn(gate.clone().pass()).await.unwrap();
        let dropped = Counter::default();
        let held = dropped.on_drop();
        let mut request = pool.submit(async move {
            let _held = held;
            pending::<()>().await
        });
        assert!((&mut request).now_or_never().is_none());
        drop(request);
        assert_eq!(dropped.value(), 1);
        gate.open(1);
        pool.shutdown().await;
    });
}

/// Each request, polled so often and then dropped: nothing is lost, and nobody waits for ever.
#[test]
fn a_request_may_be_dropped_at_every_poll() {
    on_both(|| async {
        for polls in 0..6 {
            for policy in [Reject::Block, Reject::Fail, Reject::CallerRuns, Reject::DropOldest] {
                let pool = Pool::builder().limit(1).queue(Queue::Bounded(1)).reject(policy);
                let pool = pool.build().unwrap();
                let (made, dropped) = (8, Counter::default());
                let job = |dropped: &Counter| {
                    let held = dropped.on_drop();
                    async move {
                        let _held = held;
                        yield_now().await;
                        yield_now().await;
                    }
                };
                let mut submits: Vec<_> =
                    (0..made / 2).map(|_| pool.submit(job(&dropped))).collect();
                let mut runs: Vec<_> = (0..made / 2).map(|_| pool.run(job(&dropped))).collect();
                let mut handles = Vec::new();
                for _ in 0..polls {
                    submits.retain_mut(|submit| match submit.now_or_never() {
                        None => true,
                        Some(handed) => {
                            handles.extend(handed.ok());
                            false
                        }
                    });
                    runs.retain_mut(|run| run.now_or_never().is_none());
                    yield_now().await;
                }
                drop((submits, runs));
                for handle in handles {
                    match handle.await {
                        Ok(()) | Err(JobError::Dropped) => {}
                        Err(error) => panic!("{error}"),
                    }
                }
                pool.shutdown().await;
                assert_eq!(dropped.value(), made, "after {polls} polls, {policy:?}");
                let metrics = pool.metrics();
                assert_eq!((metrics.waiting, metrics.queued, metrics.workers), (0, 0, 0));
            }
        }
    });
}
