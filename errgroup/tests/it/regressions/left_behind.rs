//! What is left behind: tasks at the deadline, spawns that are dropped half-way, groups whose
//! join has timed out.

#[cfg(feature = "sync")]
use super::tasks::group;
use super::tasks::with_limit;
use crate::support::tasks::{current_thread, multi_thread, on_runtimes, poll, until};
use crate::support::{Counter, SHORT, now};
#[cfg(feature = "sync")]
use crate::support::{LONG, within_patience};
use lockgate_errgroup::join::AllOk;
use lockgate_errgroup::task::Group;
use lockgate_errgroup::{Builder, Cause, Error};
use std::sync::mpsc;
#[cfg(feature = "sync")]
use {lockgate_errgroup::CancelToken, std::time::Duration};

/// A task that has blocked its thread since its first poll was not known at the deadline: nothing
/// was aborted, and the task lived on for ever.
#[test]
fn a_task_in_its_first_poll_is_aborted_at_the_deadline() {
    multi_thread().block_on(async {
        for limit in [None, Some(2)] {
            let group = Group::<(), ()>::build(with_limit(limit).timeout(SHORT)).unwrap();
            let dropped = Counter::new();
            let capture = dropped.on_drop();
            let (started, starts) = mpsc::channel();
            let (gate, opened) = mpsc::channel::<()>();
            let task = move |_| async move {
                let _here = capture;
                started.send(()).unwrap();
                let _ = opened.recv();
                std::future::pending().await
            };
            group.spawn(task).await;
            starts.recv().unwrap();
            match (limit, group.join().await.unwrap_err()) {
                (None, Error::Cancelled(cause)) => assert!(matches!(cause, Cause::Deadline)),
                (Some(_), Error::Stragglers(tasks)) => assert_eq!(tasks.len(), 1),
                (_, other) => panic!("{other:?}"),
            }
            assert_eq!(dropped.value(), 0, "it still blocks its thread");
            drop(gate);
            until("it is dropped", || dropped.value() == 1).await;
        }
    });
}

/// The same with tasks of which none has started: they started after the join had returned.
#[test]
fn tasks_that_are_queued_are_dropped_at_the_deadline() {
    current_thread().block_on(async {
        for limit in [None, Some(1)] {
            let builder = with_limit::<()>(limit).run_all().deadline(now());
            let group = Group::<(), ()>::build(builder).unwrap();
            let (begun, dropped) = (Counter::new(), Counter::new());
            for _ in 0..3 {
                let (begun, capture) = (begun.clone(), dropped.on_drop());
                let task = move |_| async move {
                    let _here = capture;
                    begun.add();
                    std::future::pending().await
                };
                group.spawn(task).await;
            }
            // Nothing else runs in this thread, and the deadline has passed.
            group.join().await.unwrap_err();
            until("they are dropped", || dropped.value() == 3).await;
            assert_eq!(begun.value(), 0);
        }
    });
}

/// A task that ran inside its spawner, and was dropped half-way by it: nobody was told, and the
/// results were one short.
#[test]
fn a_nested_spawn_that_is_dropped_goes_on() {
    on_runtimes(|| async {
        let group = Group::build(Builder::with(AllOk::<_, ()>::new()).limit(1).backlog(0)).unwrap();
        group
            .spawn(|cx| async move {
                let mut inner = cx.spawn(|cx| async move {
                    tokio::task::yield_now().await;
                    assert_eq!(cx.id().index(), 1);
                    Ok("inner")
                });
                assert!(poll(&mut inner).is_pending());
                drop(inner);
                Ok("outer")
            })
            .await;
        assert_eq!(group.join().await.unwrap(), ["outer", "inner"]);
    });
}

/// The same where the group is cancelled or aborted meanwhile, and with the whole nest dropped.
#[test]
fn a_nested_spawn_that_is_dropped_ends_with_its_group() {
    on_runtimes(|| async {
        for abort in [false, true] {
            let group = Group::build(with_limit::<()>(Some(1)).backlog(0)).unwrap();
            let dropped = Counter::new();
            let capture = dropped.on_drop();
            let task = |cx: lockgate_errgroup::task::Cx<(), ()>| async move {
                let inner = cx.spawn(|cx| async move {
                    let innermost = cx.spawn(move |_| async move {
                        let _here = capture;
                        std::future::pending().await
                    });
                    innermost.await;
                    Ok(())
                });
                tokio::select! {
                    _ = inner => {}
                    () = cx.token().cancelled() => {}
                }
                Ok(())
            };
            group.spawn(task).await;
            until("it waits", || !group.snapshot().tasks.is_empty()).await;
            if abort {
                group.abort();
            } else {
                group.token().cancel();
            }
            group.wait_idle().await;
            assert_eq!(dropped.value(), 1);
            group.join().await.unwrap_err();
        }
    });
}

/// A wait that blocks could not be bounded: whoever did not want to wait for ever had to poll.
#[cfg(feature = "sync")]
#[test]
fn blocking_waits_end_at_their_deadline_and_give_the_group_back() {
    within_patience(|| {
        let runtime = multi_thread();
        let _inside = runtime.enter();
        for limit in [None, Some(2)] {
            let group = group::<()>(limit);
            let gate = CancelToken::new();
            let opened = gate.clone();
            let spawned = group.try_spawn(|_| async move {
                opened.cancelled().await;
                Ok(())
            });
            spawned.unwrap();
            for timeout in [Duration::ZERO, Duration::from_millis(2)] {
                group.wait_idle().wait_timeout(timeout).unwrap_err();
                group.wait_idle().wait_deadline(now() + timeout).unwrap_err();
            }
            let group = group.join().wait_timeout(Duration::from_millis(2)).unwrap_err();
            let group = group.join().wait_deadline(now()).unwrap_err();
            assert!(!group.token().is_cancelled(), "it goes on");
            gate.cancel();
            group.wait_idle().wait_timeout(LONG).unwrap();
            group.wait_idle().wait_timeout(Duration::ZERO).unwrap();
            group.wait_idle().wait_deadline(now()).unwrap();
            group.wait_idle().wait_timeout(Duration::MAX).unwrap();
            group.join().wait_timeout(Duration::ZERO).unwrap().unwrap();
        }
    });
}

/// The same with threads.
#[cfg(feature = "sync")]
#[test]
fn a_join_of_threads_ends_at_its_deadline_and_gives_the_group_back() {
    within_patience(|| {
        let group = lockgate_errgroup::thread::Group::<(), ()>::new();
        let gate = CancelToken::new();
        let opened = gate.clone();
        group.spawn(move |_| {
            opened.cancelled().wait();
            Ok(())
        });
        let group = group.join().wait_deadline(now()).unwrap_err();
        let group = group.join().wait_deadline(now() + Duration::from_millis(2)).unwrap_err();
        gate.cancel();
        group.join().wait_deadline(now() + LONG).unwrap().unwrap();
    });
}

/// The wait for an idle group of threads could not be bounded, nor be awaited.
#[cfg(feature = "sync")]
#[test]
fn a_wait_for_idle_threads_ends_at_its_deadline() {
    within_patience(|| {
        let group = lockgate_errgroup::thread::Group::<(), ()>::new();
        let gate = CancelToken::new();
        let opened = gate.clone();
        group.spawn(move |_| {
            opened.cancelled().wait();
            Ok(())
        });
        for timeout in [Duration::ZERO, Duration::from_millis(2)] {
            let busy = group.wait_idle().wait_timeout(timeout).unwrap_err();
            assert_eq!(busy.to_string(), "deadline passed while waiting for a group to be empty");
            group.wait_idle().wait_deadline(now() + timeout).unwrap_err();
        }
        let mut moment = group.wait_idle();
        assert!(poll(&mut moment).is_pending());
        gate.cancel();
        group.wait_idle().wait_timeout(LONG).unwrap();
        // One that was in line is told of the moment, whatever comes after it.
        let gate = CancelToken::new();
        let opened = gate.clone();
        group.spawn(move |_| {
            opened.cancelled().wait();
            Ok(())
        });
        assert!(poll(&mut moment).is_ready());
        drop(moment);
        assert!(poll(&mut group.wait_idle()).is_pending());
        gate.cancel();
        current_thread().block_on(group.wait_idle());
        group.wait_idle().wait_timeout(Duration::ZERO).unwrap();
        group.wait_idle().wait_deadline(now()).unwrap();
        group.wait_idle().wait_timeout(Duration::MAX).unwrap();
        group.wait_idle().wait();
        group.join().wait().unwrap();
    });
}
