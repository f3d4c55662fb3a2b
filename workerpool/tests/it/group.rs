//! Jobs that belong together.

use crate::support::{Counter, Gate, ends, until};
use lockgate_workerpool::thread::{Group, Pool, Queue, Reject, scope};
use lockgate_workerpool::{GroupError, JobError, Reason};
use std::time::Duration;

/// A job of the group that runs until the gate is open, and has started.
fn occupy(group: &Group<'_, u32>) -> Gate {
    let (gate, started) = (Gate::default(), Counter::default());
    let (waits, starts) = (gate.clone(), started.clone());
    group
        .spawn(move || {
            starts.add();
            waits.pass();
            Ok(())
        })
        .unwrap();
    until("it runs", || started.value() == 1);
    gate
}

#[test]
fn a_group_is_over_when_all_its_jobs_are() {
    let pool = Pool::builder().threads(2).queue(Queue::Bounded(3)).build().unwrap();
    let (group, ran) = (pool.group::<()>(), Counter::default());
    let jobs: Vec<_> = (0..100)
        .map(|n| {
            let runs = ran.clone();
            let job = move || {
                runs.add();
                Ok(n)
            };
            group.submit(job).unwrap()
        })
        .collect();
    group.wait().unwrap();
    assert_eq!(ran.value(), 100);
    assert!(jobs.into_iter().map(|job| job.wait().unwrap()).eq(0..100));
    pool.group::<()>().wait().unwrap();
}

#[test]
fn the_first_error_aborts_what_has_not_started() {
    let pool = Pool::new(1).unwrap();
    let (group, dropped) = (pool.group(), Counter::default());
    let gate = occupy(&group);
    let failing = group.submit(|| Err::<(), _>(7)).unwrap();
    let others: Vec<_> = (0..200)
        .map(|_| {
            let capture = dropped.on_drop();
            group
                .submit(move || {
                    drop(capture);
                    Ok(())
                })
                .unwrap()
        })
        .collect();
    let beside = pool.submit(|| "not of the group").unwrap();
    assert_eq!(group.pending(), 202);
    gate.open();
    assert!(matches!(group.wait(), Err(GroupError::Failed(7))));
    assert_eq!(dropped.value(), 200);
    assert!(matches!(failing.wait(), Err(JobError::Failed)));
    assert!(others.into_iter().all(|job| matches!(job.wait(), Err(JobError::Aborted))));
    assert_eq!(beside.wait().unwrap(), "not of the group");
    pool.wait_idle().wait();
    let metrics = pool.metrics();
    assert_eq!((metrics.failed, metrics.aborted, metrics.completed), (1, 200, 2));
}

/// pond#68: the wait ended before the jobs that ran did.
#[test]
fn wait_waits_for_what_runs_when_another_fails() {
    let pool = Pool::new(2).unwrap();
    let group = pool.group();
    let gate = occupy(&group);
    group.spawn(|| Err(3)).unwrap();
    until("it has failed", || group.is_cancelled());
    let group = group.wait_timeout(Duration::from_millis(5)).unwrap_err();
    gate.open();
    assert!(matches!(group.wait(), Err(GroupError::Failed(3))));
}

#[test]
fn a_group_that_is_cancelled_takes_no_more() {
    let pool = Pool::new(1).unwrap();
    let group = pool.group::<u32>();
    let gate = occupy(&group);
    let queued = group.submit(|| Ok(1)).unwrap();
    group.cancel();
    assert!(matches!(queued.wait(), Err(JobError::Aborted)));
    let rejected = group.submit(|| Ok(5)).unwrap_err();
    assert_eq!(rejected.reason, Reason::Cancelled);
    assert_eq!(rejected.to_string(), "job rejected: the group is cancelled");
    assert_eq!(rejected.into_job()(), Ok(5));
    gate.open();
    assert!(matches!(group.wait(), Err(GroupError::Cancelled)));
    assert_eq!(pool.submit(|| 1).unwrap().wait().unwrap(), 1, "the pool goes on");
}

#[test]
fn a_panic_is_an_error_of_the_group() {
    let pool = Pool::new(1).unwrap();
    let group = pool.group::<u32>();
    let gate = occupy(&group);
    let panics = group.submit(|| -> Result<(), _> { panic!("told") }).unwrap();
    gate.open();
    let error = group.wait().unwrap_err();
    assert_eq!(error.to_string(), "the job panicked: told");
    assert!(matches!(panics.wait(), Err(JobError::Panicked(it)) if it.message() == Some("told")));
    pool.wait_idle().wait();
    assert_eq!(pool.metrics().panicked, 1);
}

#[test]
fn a_job_that_does_not_run_is_an_error_of_the_group() {
    let pool = Pool::new(1).unwrap();
    for end in ["abort", "purge"] {
        let group = pool.group::<u32>();
        let gate = occupy(&group);
        let (one, other) = (group.submit(|| Ok(1)).unwrap(), group.submit(|| Ok(2)).unwrap());
        match end {
            "abort" => assert!(one.abort()),
            _ => drop(pool.purge()),
        }
        assert!(matches!(other.wait(), Err(JobError::Aborted)));
        gate.open();
        assert!(matches!(group.wait(), Err(GroupError::Job(JobError::Aborted))), "{end}");
    }
    let group = pool.group::<u32>();
    let gate = occupy(&group);
    let job = group.submit(|| Ok(1)).unwrap();
    pool.purge().into_iter().for_each(|returned| returned.run());
    gate.open();
    assert_eq!(job.wait().unwrap(), 1, "run by hand");
    group.wait().unwrap();
}

/// pond#61, #138: the wait of a group did not end when the pool was stopped with jobs in the queue.
#[test]
fn wait_ends_when_the_pool_is_shut_down_with_jobs_in_the_queue() {
    for (now, full) in [(false, false), (true, false), (true, true)] {
        let pool = Pool::builder().threads(1).queue(Queue::Bounded(3)).build().unwrap();
        let group = pool.group::<u32>();
        let gate = occupy(&group);
        (0..3).for_each(|_| group.spawn(|| Ok(())).unwrap());
        let handle = group.handle();
        let blocked = full.then(|| std::thread::spawn(move || handle.spawn(|| Ok(()))));
        until("it waits", || pool.metrics().waiting == usize::from(full));
        if now {
            drop(pool.shutdown_now());
        } else {
            pool.shutdown();
        }
        gate.open();
        if let Some(blocked) = blocked {
            // It was admitted, and then the group was cancelled, or the pool closed.
            let ended = blocked.join().unwrap();
            assert!(ended.is_ok() || ended.is_err_and(|it| it.reason == Reason::Closed));
        }
        match (now, group.wait()) {
            (false, Ok(())) | (true, Err(GroupError::Job(JobError::Aborted))) => {}
            (_, other) => panic!("{now} {full} {other:?}"),
        }
        pool.shutdown().wait().unwrap();
    }
}

#[test]
fn a_job_that_waits_for_a_group_runs_that_group_s_jobs_only() {
    let pool = Pool::builder().threads(1).queue(Queue::Unbounded).build().unwrap();
    let (inner, other_ran) = (pool.clone(), Counter::default());
    let other_runs = other_ran.clone();
    let job = pool.submit(move || {
        let (group, ran) = (inner.group::<u32>(), Counter::default());
        let runs = other_runs.clone();
        inner.spawn(move || runs.tick()).unwrap();
        for depth in [1, 2] {
            let (handle, runs) = (group.handle(), ran.clone());
            group
                .spawn(move || {
                    for _ in 0..depth {
                        let runs = runs.clone();
                        let job = move || {
                            runs.tick();
                            Ok(())
                        };
                        handle.spawn(job).unwrap();
                    }
                    Ok(())
                })
                .unwrap();
        }
        group.wait().unwrap();
        (ran.value(), other_runs.value())
    });
    assert_eq!(job.unwrap().wait().unwrap(), (3, 0));
    pool.wait_idle().wait();
    assert_eq!(other_ran.value(), 1);
}

#[test]
fn groups_that_wait_for_each_other_are_told() {
    let pool = Pool::new(2).unwrap();
    let started = Counter::default();
    let groups = [pool.group::<u32>(), pool.group::<u32>()];
    let handles = [groups[1].handle(), groups[0].handle()];
    let jobs: Vec<_> = groups
        .into_iter()
        .zip(handles)
        .map(|(waits_for, own)| {
            let starts = started.clone();
            own.submit(move || {
                starts.add();
                until("both run", || starts.value() == 2);
                Ok(waits_for
                    .wait()
                    .is_err_and(|error| matches!(error, GroupError::Job(JobError::WouldDeadlock))))
            })
            .unwrap()
        })
        .collect();
    let told: Vec<_> = jobs.into_iter().map(|job| job.wait().unwrap()).collect();
    assert!(told.iter().any(|told| *told), "{told:?}");
}

#[test]
fn a_full_queue_does_with_a_group_s_jobs_what_the_pool_says() {
    for reject in [Reject::Fail, Reject::CallerRuns, Reject::DropNewest, Reject::DropOldest] {
        let builder = Pool::builder().threads(1).queue(Queue::Bounded(1)).reject(reject);
        let pool = builder.build().unwrap();
        let group = pool.group::<u32>();
        let gate = occupy(&group);
        let oldest = group.submit(|| Ok(1)).unwrap();
        let newest = group.submit(|| Ok(2));
        match reject {
            Reject::Fail => {
                assert_eq!(newest.unwrap_err().reason, Reason::Full);
                gate.open();
                assert_eq!(oldest.wait().unwrap(), 1);
                group.wait().unwrap();
            }
            Reject::CallerRuns => {
                assert_eq!(newest.unwrap().wait().unwrap(), 2);
                gate.open();
                group.wait().unwrap();
            }
            _ => {
                let dropped = if reject == Reject::DropNewest { newest.unwrap() } else { oldest };
                assert!(matches!(dropped.wait(), Err(JobError::Dropped)));
                gate.open();
                assert!(matches!(group.wait(), Err(GroupError::Job(JobError::Dropped))));
            }
        }
    }
}

#[test]
fn a_group_that_is_dropped_is_detached() {
    let (pool, ran) = (Pool::new(1).unwrap(), Counter::default());
    let group = pool.group::<u32>();
    let gate = occupy(&group);
    for n in 0..4 {
        let runs = ran.clone();
        group
            .spawn(move || {
                runs.add();
                if n == 1 { Err(n) } else { Ok(()) }
            })
            .unwrap();
    }
    drop(group);
    gate.open();
    pool.wait_idle().wait();
    assert_eq!(ran.value(), 2, "the second failed, and the others did not start");
}

#[test]
fn a_group_keeps_nothing_of_jobs_that_are_over() {
    let (pool, dropped) = (Pool::new(1).unwrap(), Counter::default());
    let group = pool.group::<u32>();
    for _ in 0..10_000 {
        let value = dropped.on_drop();
        drop(group.submit(move || Ok(value)).unwrap().wait().unwrap());
    }
    group.wait().unwrap();
    assert_eq!(dropped.value(), 10_000);
    let group = pool.group::<u32>();
    let value = dropped.on_drop();
    drop(group.submit(move || Ok(value)).unwrap());
    drop(group);
    pool.shutdown().wait().unwrap();
    drop(pool);
    assert_eq!(dropped.value(), 10_001, "no job keeps its group, and no group its jobs");
}

#[test]
fn a_scope_s_group_borrows() {
    let total = std::sync::Mutex::new(0);
    scope(Pool::builder().threads(2), |pool| {
        let group = pool.group::<u32>();
        for n in 1..=4 {
            let total = &total;
            group
                .spawn(move || {
                    *total.lock().unwrap() += n;
                    Ok(())
                })
                .unwrap();
        }
        group.wait().unwrap();
    })
    .unwrap();
    assert_eq!(total.into_inner().unwrap(), 10);
}

#[cfg(feature = "async")]
#[test]
fn a_task_waits_for_a_group() {
    let pool = Pool::new(2).unwrap();
    let group = pool.group::<u32>();
    (0..50).for_each(|_| group.spawn(|| Ok(())).unwrap());
    futures::executor::block_on(group).unwrap();
    let group = pool.group::<u32>();
    for n in 0..50 {
        // Those after the error may be rejected.
        let _ = group.spawn(move || if n == 9 { Err(n) } else { Ok(()) });
    }
    assert!(matches!(futures::executor::block_on(group), Err(GroupError::Failed(9))));
}

#[test]
fn a_job_that_a_waiting_worker_runs_before_it_has_a_place_is_counted_once() {
    let pool = Pool::builder().threads(2).queue(Queue::Handoff).reject(Reject::Block);
    let pool = pool.build().unwrap();
    let group = pool.group::<u32>();
    let gate = occupy(&group);
    let (handle, ran) = (group.handle(), Counter::default());
    let waits = pool.submit(move || group.wait()).unwrap();
    until("both workers have a job", || pool.metrics().running == 2);
    let runs = ran.clone();
    // There is no place, and whoever waits for the group runs it meanwhile.
    let submits = std::thread::spawn(move || {
        let job = move || {
            runs.add();
            Ok(())
        };
        handle.spawn(job).is_ok()
    });
    until("it ran", || ran.value() == 1);
    until("its submitter waits for a place", || pool.metrics().waiting == 1);
    let end = pool.shutdown();
    assert!(submits.join().unwrap(), "it was accepted, for it ran");
    gate.open();
    waits.wait().unwrap().unwrap();
    end.wait().unwrap();
    let metrics = pool.metrics();
    assert_eq!((metrics.submitted, metrics.completed), (3, 3));
    assert_eq!((metrics.aborted, metrics.rejected, metrics.queued), (0, 0, 0));
}

#[test]
fn whoever_waits_for_a_group_too_deep_inside_is_told() {
    fn level(pool: &Pool<'static>, deeper: u32) -> Result<(), GroupError<()>> {
        if deeper == 0 {
            let group = pool.group();
            group.spawn(|| Ok(())).unwrap();
            return group.wait();
        }
        let inner = pool.clone();
        pool.submit(move || level(&inner, deeper - 1)).unwrap().wait().unwrap()
    }

    let pool = Pool::builder().threads(1).queue(Queue::Unbounded).build().unwrap();
    let inner = pool.clone();
    let told = ends(move || pool.submit(move || level(&inner, 64)).unwrap().wait().unwrap());
    assert!(matches!(told, Err(GroupError::Job(JobError::WouldDeadlock))), "{told:?}");
}
