//! Pools of tasks: pauses, ends, and the end of the runtime.

use crate::support::{Counter, TaskGate, on_both, runtime};
use futures::FutureExt;
use futures::executor::block_on;
use lockgate_workerpool::task::{Pool, Queue};
use lockgate_workerpool::{Closed, JobError, Reason};
use std::future::pending;
use tokio::task::yield_now;

#[test]
fn a_pause_starts_nothing_and_the_end_ends_it() {
    on_both(|| async {
        let pool = Pool::builder().limit(2).queue(Queue::Bounded(3)).build().unwrap();
        let ran = Counter::default();
        assert!(pool.pause());
        for _ in 0..3 {
            let runs = ran.clone();
            drop(pool.submit(async move { runs.add() }).await.unwrap());
        }
        assert_eq!(pool.try_submit(async {}).unwrap_err().reason, Reason::Full);
        for _ in 0..20 {
            yield_now().await;
        }
        assert_eq!(ran.value(), 0);
        pool.resume();
        pool.wait_idle().await;
        assert_eq!(ran.value(), 3);
        assert!(pool.pause());
        let last = pool.submit(async { 4 }).await.unwrap();
        pool.shutdown().await;
        assert_eq!(last.await.unwrap(), 4);
        assert!(!pool.pause(), "there is nothing to pause");
    });
}

#[test]
fn a_shutdown_runs_what_was_accepted_and_refuses_the_rest() {
    on_both(|| async {
        let pool = Pool::new(2).unwrap();
        let (ran, gate) = (Counter::default(), TaskGate::new());
        for _ in 0..10 {
            let (runs, gate) = (ran.clone(), gate.clone());
            pool.spawn(async move {
                gate.pass().await;
                runs.add();
            })
            .await
            .unwrap();
        }
        let mut ends = pool.shutdown();
        assert!((&mut ends).now_or_never().is_none());
        assert!(pool.is_shut_down());
        assert_eq!(pool.submit(async {}).await.unwrap_err().reason, Reason::Closed);
        assert_eq!(pool.spawn(async {}).await.unwrap_err().reason, Reason::Closed);
        assert_eq!(pool.reserve().await.unwrap_err(), Closed);
        gate.open(10);
        ends.await;
        pool.shutdown().await;
        assert_eq!((ran.value(), pool.metrics().workers), (10, 0));
    });
}

#[test]
fn what_is_handed_back_may_be_run_or_dropped() {
    on_both(|| async {
        for purge in [true, false] {
            let pool = Pool::builder().limit(1).lanes(2).build().unwrap();
            let gate = TaskGate::new();
            pool.spawn(gate.clone().pass()).await.unwrap();
            gate.come(1).await;
            let job = async {
                yield_now().await;
                7
            };
            let run = pool.lane(1).submit(job).await.unwrap();
            let dropped = pool.lane(1).submit(async { 8 }).await.unwrap();
            let halfway = pool.lane(1).submit(pending::<()>()).await.unwrap();
            let returned = if purge { pool.purge() } else { pool.shutdown_now() };
            assert_eq!(pool.metrics().queued, 0);
            let mut returned = returned.into_iter();
            let first = returned.next().unwrap();
            assert_eq!(first.lane(), 1);
            first.await;
            assert_eq!(run.await.unwrap(), 7);
            drop(returned.next());
            assert!(matches!(dropped.await, Err(JobError::Aborted)));
            let mut last = returned.next().unwrap();
            assert!((&mut last).now_or_never().is_none());
            drop(last);
            assert!(matches!(halfway.await, Err(JobError::Aborted)));
            assert!(returned.next().is_none());
            gate.open(1);
            pool.shutdown().await;
            assert_eq!(pool.metrics().completed, 1, "what runs goes on");
        }
    });
}

#[test]
fn the_last_clone_shuts_the_pool_down_and_does_not_wait() {
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        let gate = TaskGate::new();
        pool.spawn(gate.clone().pass()).await.unwrap();
        let job = pool.submit(async { 3 }).await.unwrap();
        drop(pool.clone());
        assert!(!pool.is_shut_down());
        drop(pool);
        assert!(!job.is_finished());
        gate.open(1);
        assert_eq!(job.await.unwrap(), 3);
        // Dropped by its own last job.
        let pool = Pool::new(1).unwrap();
        let own = pool.clone();
        let job = pool.submit(async move { drop(own) }).await.unwrap();
        drop(pool);
        job.await.unwrap();
        let alive = tokio::runtime::Handle::current().metrics();
        while alive.num_alive_tasks() > 0 {
            yield_now().await;
        }
    });
}

#[test]
fn a_runtime_that_ends_leaves_nobody_waiting() {
    for threads in [1, 2] {
        let runtime = runtime(threads);
        let pool = Pool::builder().limit(2).queue(Queue::Bounded(2));
        let pool = pool.runtime(runtime.handle().clone()).build().unwrap();
        let (gate, dropped) = (TaskGate::new(), Counter::default());
        let mut jobs = Vec::new();
        for _ in 0..4 {
            let (gate, held) = (gate.clone(), dropped.on_drop());
            let job = async move {
                let _held = held;
                gate.pass().await;
            };
            jobs.push(block_on(pool.submit(job)).unwrap());
        }
        runtime.block_on(gate.come(2));
        let (mut place, mut submit) = (pool.reserve(), pool.submit(async { 1 }));
        let mut idle = pool.wait_idle();
        assert!((&mut place).now_or_never().is_none());
        assert!((&mut submit).now_or_never().is_none());
        assert!((&mut idle).now_or_never().is_none());
        drop(runtime);
        assert_eq!(dropped.value(), 4);
        for job in jobs {
            assert!(matches!(block_on(job), Err(JobError::NoRuntime)));
        }
        assert_eq!(block_on(place).unwrap_err(), Closed);
        assert_eq!(block_on(submit).unwrap_err().reason, Reason::Closed);
        block_on(idle);
        block_on(pool.shutdown());
        let late = pool.try_submit(async { 2 }).unwrap_err();
        assert_eq!(late.reason, Reason::Closed);
        let metrics = pool.metrics();
        assert_eq!((metrics.workers, metrics.submitted, metrics.aborted), (0, 4, 4));
    }
}

#[test]
fn a_runtime_that_is_over_takes_no_job() {
    let runtime = runtime(1);
    let pool = Pool::builder().limit(2).runtime(runtime.handle().clone()).build().unwrap();
    let slot = block_on(pool.reserve()).unwrap();
    drop(runtime);
    // Nobody knows before the first worker is to be started.
    assert_eq!(slot.submit(async { 1 }).unwrap_err().reason, Reason::Closed);
    assert_eq!(block_on(pool.submit(async { 1 })).unwrap_err().reason, Reason::Closed);
    block_on(pool.shutdown());
    assert_eq!((pool.metrics().submitted, pool.metrics().workers), (0, 0));
}

#[test]
fn workers_that_sleep_end_with_their_runtime_too() {
    let runtime = runtime(1);
    let pool = Pool::builder().limit(2).runtime(runtime.handle().clone()).build().unwrap();
    runtime.block_on(async {
        let gate = TaskGate::new();
        for _ in 0..2 {
            pool.spawn(gate.clone().pass()).await.unwrap();
        }
        gate.come(2).await;
        gate.open(2);
        pool.wait_idle().await;
        while pool.metrics().idle < 2 {
            yield_now().await;
        }
    });
    drop(runtime);
    block_on(pool.shutdown());
    assert_eq!((pool.metrics().workers, pool.metrics().completed), (0, 2));
}

#[cfg(feature = "sync")]
#[test]
fn a_thread_waits_for_the_end_no_longer_than_it_says() {
    use crate::support::PATIENCE;
    use lockgate_workerpool::ShutdownError;
    use std::time::Duration;
    let runtime = runtime(2);
    let pool = Pool::builder().limit(1).runtime(runtime.handle().clone()).build().unwrap();
    let gate = TaskGate::new();
    pool.spawn(gate.clone().pass()).wait().unwrap();
    let inner = pool.clone();
    let inside = pool.submit(async move { inner.shutdown().wait() }).wait().unwrap();
    assert!(!pool.wait_idle().wait_timeout(Duration::from_millis(1)));
    assert_eq!(pool.shutdown_timeout(Duration::from_millis(1)), Err(ShutdownError::Timeout));
    gate.open(1);
    assert_eq!(inside.wait().unwrap(), Err(ShutdownError::Inside));
    assert_eq!(pool.shutdown_timeout(PATIENCE), Ok(()));
}
