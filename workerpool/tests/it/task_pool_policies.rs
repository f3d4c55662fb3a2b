//! Pools of tasks: what becomes of a job that finds no room.

use crate::support::{Counter, TaskGate, on_both};
use futures::FutureExt;
use lockgate_workerpool::task::{Pool, Queue, Reject};
use lockgate_workerpool::{Closed, JobError, Reason, RunError};
use std::future::pending;
use tokio::task::yield_now;

/// A pool whose one worker waits at the gate, and whose queue of one is full.
async fn full(reject: Reject) -> (Pool, TaskGate, lockgate_workerpool::task::Job<u32>) {
    let pool = Pool::builder().limit(1).queue(Queue::Bounded(1)).reject(reject).build().unwrap();
    let gate = TaskGate::new();
    pool.spawn(gate.clone().pass()).await.unwrap();
    gate.come(1).await;
    let queued = pool.submit(async { 1 }).await.unwrap();
    assert_eq!(pool.try_submit(async {}).unwrap_err().reason, Reason::Full);
    (pool, gate, queued)
}

#[test]
fn block_waits_in_the_order_of_asking() {
    on_both(|| async {
        let (pool, gate, queued) = full(Reject::Block).await;
        let (mut first, mut second) = (pool.submit(async { 2 }), pool.submit(async { 3 }));
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        assert_eq!(pool.metrics().waiting, 2);
        gate.open(1);
        assert_eq!(queued.await.unwrap(), 1);
        let first = first.await.unwrap();
        assert_eq!(first.await.unwrap(), 2);
        assert_eq!(second.await.unwrap().await.unwrap(), 3);
    });
}

#[test]
fn fail_gives_the_job_back() {
    on_both(|| async {
        let (pool, gate, queued) = full(Reject::Fail).await;
        let refused = pool.submit(async { 2 }).await.unwrap_err();
        assert_eq!(refused.reason, Reason::Full);
        assert_eq!(refused.into_job().await, 2);
        let refused = pool.spawn(async {}).await.unwrap_err();
        refused.into_job().await;
        gate.open(1);
        assert_eq!(queued.await.unwrap(), 1);
        // One was refused where the queue was filled.
        assert_eq!(pool.metrics().rejected, 3);
    });
}

#[test]
fn caller_runs_it_where_it_is_submitted() {
    on_both(|| async {
        let (pool, gate, queued) = full(Reject::CallerRuns).await;
        let job = async {
            yield_now().await;
            2
        };
        let job = pool.submit(job).await.unwrap();
        assert!(job.is_finished() && !queued.is_finished());
        assert_eq!(job.await.unwrap(), 2);
        let panics = pool.submit(async { panic!("here") }).await.unwrap();
        assert!(matches!(panics.await, Err(JobError::Panicked(_))));
        pool.spawn(async { yield_now().await }).await.unwrap();
        gate.open(1);
        assert_eq!(queued.await.unwrap(), 1);
        pool.wait_idle().await;
        let metrics = pool.metrics();
        assert_eq!((metrics.submitted, metrics.completed, metrics.panicked), (5, 4, 1));
    });
}

#[test]
fn drop_newest_and_drop_oldest_say_so() {
    on_both(|| async {
        let (pool, gate, queued) = full(Reject::DropNewest).await;
        let dropped = Counter::default();
        let held = dropped.on_drop();
        let newest = pool.submit(async move { drop(held) }).await.unwrap();
        assert_eq!(dropped.value(), 1);
        assert!(matches!(newest.await, Err(JobError::Dropped)));
        pool.spawn(async { panic!("it is not run") }).await.unwrap();
        gate.open(1);
        assert_eq!(queued.await.unwrap(), 1);

        let (pool, gate, queued) = full(Reject::DropOldest).await;
        let newest = pool.submit(async { 2 }).await.unwrap();
        assert!(matches!(queued.await, Err(JobError::Dropped)));
        gate.open(1);
        assert_eq!(newest.await.unwrap(), 2);
    });
}

#[test]
fn handoff_takes_a_job_when_somebody_is_free() {
    on_both(|| async {
        let pool = Pool::builder().limit(2).queue(Queue::Handoff).build().unwrap();
        let gate = TaskGate::new();
        for _ in 0..2 {
            assert!(pool.try_submit(gate.clone().pass()).is_ok());
        }
        assert_eq!(pool.try_submit(async {}).unwrap_err().reason, Reason::Full);
        gate.open(1);
        assert_eq!(pool.run(async { 3 }).await.unwrap(), 3);
        gate.open(1);
    });
}

#[test]
fn a_job_that_submits_into_a_full_queue_runs_the_other_itself() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Handoff).build().unwrap();
        let inner = pool.clone();
        let outer = async move {
            let first = inner.submit(async { yield_now().await }).await.unwrap();
            assert!(first.is_finished());
            let deeper = inner.clone();
            inner.run(async move { deeper.run(async { 4 }).await.unwrap() + 1 }).await.unwrap()
        };
        assert_eq!(pool.run(outer).await.unwrap(), 5);
    });
}

#[test]
fn jobs_that_nest_too_deep_are_refused() {
    fn nest(pool: Pool, depth: u32) -> futures::future::BoxFuture<'static, u32> {
        let next = pool.clone();
        async move {
            match pool.run(nest(next, depth + 1)).await {
                Ok(deepest) => deepest,
                Err(RunError::Rejected(rejected)) => {
                    assert_eq!(rejected.reason, Reason::TooDeep);
                    depth
                }
                Err(error) => panic!("{error}"),
            }
        }
        .boxed()
    }
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        assert_eq!(pool.run(nest(pool.clone(), 1)).await.unwrap(), 65);
    });
}

#[test]
fn a_slot_is_a_place_that_nobody_else_gets() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Handoff).build().unwrap();
        let slot = pool.reserve().await.unwrap();
        assert_eq!(pool.try_submit(async {}).unwrap_err().reason, Reason::Full);
        let mut waits = pool.reserve();
        assert!((&mut waits).now_or_never().is_none());
        drop(slot);
        assert_eq!(waits.await.unwrap().submit(async { 5 }).unwrap().await.unwrap(), 5);
        let slot = pool.reserve().await.unwrap();
        let mut waits = pool.reserve();
        assert!((&mut waits).now_or_never().is_none());
        let ends = pool.shutdown();
        assert_eq!(waits.await.unwrap_err(), Closed);
        assert_eq!(slot.submit(async { 6 }).unwrap_err().reason, Reason::Closed);
        ends.await;
    });
}

#[test]
fn who_gives_up_a_turn_hands_it_on() {
    on_both(|| async {
        let (pool, gate, queued) = full(Reject::Block).await;
        let held = Counter::default();
        let capture = held.on_drop();
        let mut first = pool.submit(async move { drop(capture) });
        let mut second = pool.submit(async { 3 });
        assert!((&mut first).now_or_never().is_none() && (&mut second).now_or_never().is_none());
        gate.open(1);
        queued.await.unwrap();
        pool.wait_idle().await;
        drop(first);
        assert_eq!(held.value(), 1);
        assert_eq!(second.await.unwrap().await.unwrap(), 3);
        // One that is never polled takes nothing.
        drop(pool.submit(pending::<()>()));
        drop(pool.reserve());
        assert_eq!(pool.run(async { 4 }).await.unwrap(), 4);
    });
}

#[cfg(feature = "sync")]
#[test]
fn a_thread_that_runs_a_job_itself_lends_it_the_runtime() {
    let runtime = crate::support::runtime(2);
    let pool = Pool::builder().limit(1).queue(Queue::Handoff).reject(Reject::CallerRuns);
    let pool = pool.runtime(runtime.handle().clone()).build().unwrap();
    let gate = TaskGate::new();
    pool.spawn(gate.clone().pass()).wait().unwrap();
    let job = async {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        std::thread::current().id()
    };
    let job = pool.submit(job).wait().unwrap();
    assert_eq!(job.wait().unwrap(), std::thread::current().id());
    gate.open(1);
    pool.shutdown().wait().unwrap();
}
