//! Pools of tasks: jobs that belong together.

use crate::support::{Counter, TaskGate, on_both, runtime};
use futures::FutureExt;
use lockgate_workerpool::task::{Group, Pool, Queue, Reject};
use lockgate_workerpool::{GroupError, JobError, Reason};
use std::time::Instant;
use tokio::task::yield_now;

/// A job of the group that runs until the gate is open, and has started.
async fn occupy(group: &Group<u32>) -> TaskGate {
    let gate = TaskGate::new();
    let waits = gate.clone();
    let job = async move {
        waits.pass().await;
        Ok(())
    };
    group.spawn(job).await.unwrap();
    gate.come(1).await;
    gate
}

#[test]
fn a_group_is_over_when_all_its_jobs_are() {
    on_both(|| async {
        let pool = Pool::builder().limit(2).queue(Queue::Bounded(3)).build().unwrap();
        let (group, ran) = (pool.group::<()>(), Counter::default());
        let mut jobs = Vec::new();
        for n in 0..100 {
            let runs = ran.clone();
            let job = async move {
                if n % 3 == 0 {
                    yield_now().await;
                }
                runs.add();
                Ok(n)
            };
            jobs.push(group.submit(job).await.unwrap());
        }
        group.await.unwrap();
        assert_eq!(ran.value(), 100);
        for (n, job) in (0..).zip(jobs) {
            assert_eq!(job.await.unwrap(), n);
        }
        pool.group::<()>().await.unwrap();
    });
}

#[test]
fn the_first_error_aborts_what_has_not_started() {
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        let (group, dropped) = (pool.group(), Counter::default());
        let gate = occupy(&group).await;
        let failing = group.submit(async { Err::<(), _>(7) }).await.unwrap();
        let mut others = Vec::new();
        for _ in 0..200 {
            let capture = dropped.on_drop();
            let job = async move {
                drop(capture);
                Ok(())
            };
            others.push(group.submit(job).await.unwrap());
        }
        let beside = pool.submit(async { "not of the group" }).await.unwrap();
        assert_eq!(group.pending(), 202);
        gate.open(1);
        assert!(matches!(group.await, Err(GroupError::Failed(7))));
        assert_eq!(dropped.value(), 200);
        assert!(matches!(failing.await, Err(JobError::Failed)));
        for job in others {
            assert!(matches!(job.await, Err(JobError::Aborted)));
        }
        assert_eq!(beside.await.unwrap(), "not of the group");
        pool.wait_idle().await;
        let metrics = pool.metrics();
        assert_eq!((metrics.failed, metrics.aborted, metrics.completed), (1, 200, 2));
    });
}

#[test]
fn a_group_waits_for_what_runs_when_another_fails() {
    on_both(|| async {
        let pool = Pool::new(2).unwrap();
        let mut group = pool.group();
        let gate = occupy(&group).await;
        group.spawn(async { Err(3) }).await.unwrap();
        while !group.is_cancelled() {
            yield_now().await;
        }
        assert!((&mut group).now_or_never().is_none());
        gate.open(1);
        assert!(matches!(group.await, Err(GroupError::Failed(3))));
    });
}

#[test]
fn a_group_that_is_cancelled_takes_no_more() {
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        let group = pool.group::<u32>();
        let gate = occupy(&group).await;
        let queued = group.submit(async { Ok(1) }).await.unwrap();
        group.cancel();
        assert!(matches!(queued.await, Err(JobError::Aborted)));
        let rejected = group.submit(async { Ok(5) }).await.unwrap_err();
        assert_eq!(rejected.reason, Reason::Cancelled);
        assert_eq!(rejected.to_string(), "job rejected: the group is cancelled");
        assert_eq!(rejected.into_job().await, Ok(5));
        gate.open(1);
        assert!(matches!(group.await, Err(GroupError::Cancelled)));
        assert_eq!(pool.run(async { 1 }).await.unwrap(), 1, "the pool goes on");
        assert_eq!(pool.metrics().rejected, 1);
    });
}

#[test]
fn a_panic_is_an_error_of_the_group() {
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        let group = pool.group::<u32>();
        let gate = occupy(&group).await;
        let quiet = async { std::panic::resume_unwind(Box::new("told")) };
        let panics = group.submit::<_, ()>(quiet).await.unwrap();
        gate.open(1);
        let error = group.await.unwrap_err();
        assert_eq!(error.to_string(), "the job panicked: told");
        let panicked = panics.await.unwrap_err();
        assert!(matches!(panicked, JobError::Panicked(it) if it.message() == Some("told")));
        pool.wait_idle().await;
        assert_eq!(pool.metrics().panicked, 1);
    });
}

/// Of those that run too: an abort ends a task where it waits.
#[test]
fn a_job_that_does_not_run_to_its_end_is_an_error_of_the_group() {
    on_both(|| async {
        for end in ["abort what waits", "abort what runs", "purge"] {
            let pool = Pool::new(1).unwrap();
            let group = pool.group::<u32>();
            let gate = TaskGate::new();
            let waits = gate.clone().pass().map(Ok::<_, u32>);
            let running = group.submit(waits).await.unwrap();
            gate.come(1).await;
            let one = group.submit(async { Ok(1) }).await.unwrap();
            let other = group.submit(async { Ok(2) }).await.unwrap();
            match end {
                "abort what waits" => assert!(one.abort()),
                "abort what runs" => assert!(running.abort()),
                _ => drop(pool.purge()),
            }
            assert!(matches!(other.await, Err(JobError::Aborted)));
            gate.open(1);
            assert!(matches!(group.await, Err(GroupError::Job(JobError::Aborted))), "{end}");
        }
        let pool = Pool::new(1).unwrap();
        let group = pool.group::<u32>();
        let gate = occupy(&group).await;
        let job = group.submit(async { Ok(1) }).await.unwrap();
        futures::future::join_all(pool.purge()).await;
        gate.open(1);
        assert_eq!(job.await.unwrap(), 1, "run by hand");
        group.await.unwrap();
    });
}

#[test]
fn a_group_ends_with_its_pool_and_with_its_runtime() {
    on_both(|| async {
        for now in [false, true] {
            let pool = Pool::builder().limit(1).queue(Queue::Bounded(3)).build().unwrap();
            let group = pool.group::<u32>();
            let gate = occupy(&group).await;
            for _ in 0..3 {
                group.spawn(async { Ok(()) }).await.unwrap();
            }
            if now {
                drop(pool.shutdown_now());
            } else {
                drop(pool.shutdown());
            }
            gate.open(1);
            match (now, group.await) {
                (false, Ok(())) | (true, Err(GroupError::Job(JobError::Aborted))) => {}
                (_, other) => panic!("{now} {other:?}"),
            }
            pool.shutdown().await;
        }
    });
    for threads in [1, 2] {
        let runtime = runtime(threads);
        let (group, jobs) = runtime.block_on(async {
            let pool = Pool::new(1).unwrap();
            let group = pool.group::<u32>();
            occupy(&group).await;
            let job = group.submit(async { Ok(()) }).await.unwrap();
            (group, [job])
        });
        drop(runtime);
        let ended = group.now_or_never().expect("nothing of it is left");
        // Which of the two ends first is not said: what waits, or what ran.
        assert!(matches!(ended, Err(GroupError::Job(JobError::NoRuntime))), "{ended:?}");
        for job in jobs {
            assert!(job.now_or_never().unwrap().is_err());
        }
    }
}

#[test]
fn a_full_queue_does_with_a_group_s_jobs_what_the_pool_says() {
    on_both(|| async {
        for reject in [Reject::Fail, Reject::CallerRuns, Reject::DropNewest, Reject::DropOldest] {
            let builder = Pool::builder().limit(1).queue(Queue::Bounded(1)).reject(reject);
            let pool = builder.build().unwrap();
            let group = pool.group::<u32>();
            let gate = occupy(&group).await;
            let oldest = group.submit(async { Ok(1) }).await.unwrap();
            let newest = group.submit(async { Ok(2) }).await;
            match reject {
                Reject::Fail => {
                    assert_eq!(newest.unwrap_err().reason, Reason::Full);
                    gate.open(1);
                    assert_eq!(oldest.await.unwrap(), 1);
                    group.await.unwrap();
                }
                Reject::CallerRuns => {
                    assert_eq!(newest.unwrap().await.unwrap(), 2);
                    gate.open(1);
                    group.await.unwrap();
                }
                _ => {
                    let newest = newest.unwrap();
                    let dropped = if reject == Reject::DropNewest { newest } else { oldest };
                    assert!(matches!(dropped.await, Err(JobError::Dropped)));
                    gate.open(1);
                    assert!(matches!(group.await, Err(GroupError::Job(JobError::Dropped))));
                }
            }
        }
    });
}

/// A request that is dropped in line, or in the middle of the job that it runs, is counted out.
#[test]
fn a_request_that_is_dropped_leaves_its_group() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Handoff).build().unwrap();
        let (group, dropped) = (pool.group::<u32>(), Counter::default());
        let gate = occupy(&group).await;
        let held = dropped.on_drop();
        let job = async move {
            drop(held);
            Ok(())
        };
        let mut waits = group.submit(job);
        assert!((&mut waits).now_or_never().is_none());
        assert_eq!((group.pending(), pool.metrics().waiting), (2, 1));
        drop(waits);
        assert_eq!((group.pending(), pool.metrics().waiting, dropped.value()), (1, 0, 1));
        drop(group.submit(async { Ok(()) }));
        gate.open(1);
        group.await.unwrap();

        let builder = Pool::builder().limit(1).queue(Queue::Handoff).reject(Reject::CallerRuns);
        let pool = builder.build().unwrap();
        let group = pool.group::<u32>();
        let gate = occupy(&group).await;
        let mut here = group.submit(std::future::pending::<Result<(), u32>>());
        assert!((&mut here).now_or_never().is_none(), "it runs here, and waits");
        drop(here);
        assert_eq!(group.pending(), 1);
        gate.open(1);
        assert!(matches!(group.await, Err(GroupError::Job(JobError::Aborted))));
    });
}

/// Where a cancel comes while a request stands in line, the job is aborted, and nobody else is told of it.
#[test]
fn a_cancel_reaches_a_job_that_has_no_place_yet() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Handoff).build().unwrap();
        let (group, dropped) = (pool.group::<u32>(), Counter::default());
        let gate = occupy(&group).await;
        let held = dropped.on_drop();
        let job = async move {
            drop(held);
            Ok(())
        };
        let mut waits = group.submit(job);
        assert!((&mut waits).now_or_never().is_none());
        group.cancel();
        assert_eq!((dropped.value(), group.pending()), (1, 1));
        gate.open(1);
        let job = waits.await.expect("it was accepted, and aborted");
        assert!(matches!(job.await, Err(JobError::Aborted)));
        assert!(matches!(group.await, Err(GroupError::Cancelled)));
        pool.wait_idle().await;
        pool.shutdown().await;
        assert_eq!((pool.metrics().rejected, pool.metrics().queued), (0, 0));
    });
}

/// It never comes into the queue, so it is nobody's void place there.
#[test]
fn a_job_that_is_over_before_it_has_a_place_is_counted_once() {
    on_both(|| async {
        for ends in ["dropped", "closed", "newest"] {
            let reject = if ends == "newest" { Reject::DropNewest } else { Reject::Block };
            let builder = Pool::builder().limit(1).queue(Queue::Bounded(1)).reject(reject);
            let pool = builder.build().unwrap();
            let group = pool.group::<u32>();
            let gate = occupy(&pool.group::<u32>()).await;
            pool.spawn(async {}).await.unwrap();
            let mut waits = group.submit(async { Ok(()) });
            if ends != "newest" {
                assert!((&mut waits).now_or_never().is_none());
                group.cancel();
                assert_eq!((pool.metrics().queued, pool.metrics().submitted), (1, 2), "{ends}");
            }
            match ends {
                "dropped" => drop(waits),
                "closed" => {
                    drop(pool.shutdown());
                    let job = waits.await.expect("it was accepted, and aborted");
                    assert!(matches!(job.await, Err(JobError::Aborted)));
                }
                _ => drop(waits.await.unwrap()),
            }
            let metrics = pool.metrics();
            let counted = if ends == "newest" { (1, 2, 1) } else { (1, 3, 0) };
            assert_eq!((metrics.queued, metrics.submitted, metrics.rejected), counted, "{ends}");
            gate.open(1);
            assert!(group.await.is_err());
            pool.wait_idle().await;
            assert_eq!((pool.metrics().queued, pool.metrics().completed), (0, 2), "{ends}");
        }
    });
}

#[test]
fn jobs_submit_to_their_own_group() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Bounded(1)).build().unwrap();
        let (group, ran) = (pool.group::<u32>(), Counter::default());
        for _ in 0..3 {
            let (handle, runs) = (group.handle(), ran.clone());
            let outer = async move {
                // There is room for one; the others run inside.
                for _ in 0..4 {
                    let runs = runs.clone();
                    let inner = async move {
                        yield_now().await;
                        runs.add();
                        Ok(())
                    };
                    handle.spawn(inner).await.unwrap();
                }
                Ok(())
            };
            group.spawn(outer).await.unwrap();
        }
        group.await.unwrap();
        assert_eq!(ran.value(), 12);
    });
}

#[test]
fn a_group_that_is_dropped_is_detached() {
    on_both(|| async {
        let (pool, ran) = (Pool::new(1).unwrap(), Counter::default());
        let group = pool.group::<u32>();
        let gate = occupy(&group).await;
        for n in 0..4 {
            let runs = ran.clone();
            let job = async move {
                runs.add();
                if n == 1 { Err(n) } else { Ok(()) }
            };
            group.spawn(job).await.unwrap();
        }
        drop(group);
        gate.open(1);
        pool.wait_idle().await;
        assert_eq!(ran.value(), 2, "the second failed, and the others did not start");
    });
}

#[test]
fn a_group_keeps_nothing_of_jobs_that_are_over() {
    on_both(|| async {
        let (pool, dropped) = (Pool::new(1).unwrap(), Counter::default());
        let group = pool.group::<u32>();
        for _ in 0..2_000 {
            let value = dropped.on_drop();
            drop(group.submit(async move { Ok(value) }).await.unwrap().await.unwrap());
        }
        group.await.unwrap();
        assert_eq!(dropped.value(), 2_000);
        let group = pool.group::<u32>();
        let value = dropped.on_drop();
        drop(group.submit(async move { Ok(value) }).await.unwrap());
        drop(group);
        pool.shutdown().await;
        drop(pool);
        assert_eq!(dropped.value(), 2_001, "no job keeps its group, and no group its jobs");
    });
}

#[cfg(feature = "sync")]
#[test]
fn a_thread_waits_for_a_group() {
    let runtime = runtime(2);
    let pool = Pool::builder().limit(2).runtime(runtime.handle().clone()).build().unwrap();
    let group = pool.group::<u32>();
    for _ in 0..50 {
        group.spawn(async { Ok(()) }).wait().unwrap();
    }
    group.wait().unwrap();
    let group = pool.group::<u32>();
    let gate = TaskGate::new();
    let job = group.submit(gate.clone().pass().map(Ok::<_, u32>)).wait().unwrap();
    let group = group.wait_deadline(Instant::now()).unwrap_err();
    gate.open(1);
    job.wait().unwrap();
    group.wait_timeout(crate::support::PATIENCE).unwrap().unwrap();
}

#[cfg(not(feature = "sync"))]
#[test]
fn a_group_is_a_future_alone() {
    let _ = Instant::now();
    on_both(|| async { Pool::new(1).unwrap().group::<u32>().await.unwrap() });
}
