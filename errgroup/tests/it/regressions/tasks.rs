use super::Notes;
use crate::support::tasks::{Boxed, in_parallel, on_runtimes, paused, payload_of, poll, until};
use crate::support::{Bomb, Counter, LONG, SHORT, cancelled, failed, now};
use lockgate_errgroup::join::FirstError;
use lockgate_errgroup::task::Group;
use lockgate_errgroup::{Builder, CancelToken, Cause, Error, OnPanic, TaskState};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll};
use std::time::Duration;

const LIMITS: [Option<usize>; 3] = [None, Some(1), Some(4)];

pub(super) fn with_limit<E>(limit: Option<usize>) -> Builder<FirstError<E>> {
    limit.map_or_else(Builder::new, |limit| Builder::new().limit(limit))
}

pub(super) fn group<E: Send + 'static>(limit: Option<usize>) -> Group<(), E> {
    Group::build(with_limit(limit)).unwrap()
}

/// conc's `ResultPool`: a panicked task's result was a zero among the others.
#[test]
fn a_panic_is_no_result() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let builder = with_limit::<std::convert::Infallible>(limit).on_panic(OnPanic::Error);
            let group = Group::build(builder.join_with(Notes::default())).unwrap();
            for index in 0..100 {
                group
                    .spawn(move |_| async move {
                        assert!(index % 10 != 3, "{index}");
                        Ok(index)
                    })
                    .await;
            }
            let notes = group.join().await;
            assert_eq!((notes.values.len(), notes.panics.len()), (90, 10));
            assert!(notes.panics.iter().all(|index| index % 10 == 3));
            assert!(notes.cause.is_none(), "the policy takes panics easy");
        }
    });
}

/// conc#106: a panic did not cancel.
#[test]
fn a_panic_cancels() {
    on_runtimes(|| async {
        for on_panic in [OnPanic::Resume, OnPanic::Error] {
            for limit in [None, Some(2)] {
                let builder = with_limit::<()>(limit).on_panic(on_panic);
                let group = Group::<(), ()>::build(builder).unwrap();
                let token = group.token().clone();
                group
                    .spawn(|cx| async move {
                        cx.token().cancelled().await;
                        Ok(())
                    })
                    .await;
                group.spawn(|_| async { panic!("it cancels") }).await;
                token.cancelled().await;
                assert!(matches!(token.cause(), Some(Cause::Panic { index: 1, .. })));
                group.wait_idle().await;
            }
        }
    });
}

/// conc#91: what is derived from a parent stays there.
#[test]
fn groups_come_and_go_under_one_parent() {
    on_runtimes(|| async {
        let parent = CancelToken::new();
        for _ in 0..20_000 {
            let group = Group::<(), ()>::build(with_limit(None).token(&parent)).unwrap();
            group.join().await.unwrap();
        }
        let group = Group::<(), ()>::build(with_limit(None).token(&parent)).unwrap();
        parent.cancel();
        assert!(matches!(cancelled(group.join().await), Cause::Requested));
    });
}

/// Tokio's `JoinSet` keeps what is finished until somebody asks for it (hickory-dns#1818).
#[test]
fn a_task_that_has_ended_leaves_nothing() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let kept = Arc::new(());
            let group = Group::<Arc<()>, ()>::build(with_limit(limit)).unwrap();
            for _ in 0..1000 {
                let kept = Arc::clone(&kept);
                group.spawn(|_| async { Ok(kept) }).await;
            }
            group.wait_idle().await;
            assert_eq!(Arc::strong_count(&kept), 1);
            let snapshot = group.snapshot();
            assert_eq!((snapshot.running, snapshot.queued), (0, 0));
            assert!(snapshot.tasks.is_empty());
            group.join().await.unwrap();
        }
    });
}

/// `JoinSet::join_all` panics if a task was aborted (svix/diom#730).
#[test]
fn a_join_after_an_abort_does_not_panic() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let (dropped, group) = (Counter::new(), group::<()>(limit));
            for _ in 0..10 {
                let capture = dropped.on_drop();
                group
                    .spawn(move |_| async move {
                        let _capture = &capture;
                        std::future::pending().await
                    })
                    .await;
            }
            group.abort();
            let cause = cancelled(group.join().await);
            assert_eq!(cause.to_string(), "the group was aborted");
            assert_eq!(dropped.value(), 10);
        }
    });
}

/// MystenLabs/sui#27319: drain, then go on.
#[test]
fn a_group_is_drained_and_goes_on() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let (ran, group) = (Counter::new(), group::<()>(limit));
            for round in 1..=3 {
                for _ in 0..10 {
                    let ran = ran.clone();
                    group
                        .spawn(move |_| async move {
                            tokio::task::yield_now().await;
                            ran.add();
                            Ok(())
                        })
                        .await;
                }
                group.wait_idle().await;
                assert_eq!(ran.value(), 10 * round);
            }
        }
    });
}

/// tokio#6547, tokio#6759, noworkers: a task that spawns while the group is joined.
#[test]
fn what_a_task_spawns_during_the_join_is_joined() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let (ran, gate) = (Counter::new(), CancelToken::new());
            let group = group::<&str>(limit);
            let (counted, held) = (ran.clone(), gate.clone());
            group
                .spawn(move |cx| async move {
                    held.cancelled().await;
                    for _ in 0..10 {
                        let counted = counted.clone();
                        cx.spawn(move |_| async move {
                            tokio::task::yield_now().await;
                            counted.add();
                            Ok(())
                        })
                        .await;
                    }
                    Ok(())
                })
                .await;
            let mut joining = group.join();
            assert!(poll(&mut joining).is_pending());
            gate.cancel();
            joining.await.unwrap();
            assert_eq!(ran.value(), 10);
        }
    });
}

/// tokio#6759, the other half: who comes after the end is told.
#[test]
fn a_spawn_after_the_cancel_is_refused() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let group = group::<()>(limit);
            group.token().cancel();
            for _ in 0..3 {
                assert!(group.spawn(|_| async { unreachable!() }).await.is_rejected());
            }
            assert!(group.join().await.is_err());
        }
    });
}

/// tokio#7222: the drop of a `TaskTracker` neither aborts nor waits.
#[test]
fn a_dropped_group_and_a_dropped_join_abort() {
    on_runtimes(|| async {
        for limit in LIMITS {
            for joins in [false, true] {
                let (dropped, group) = (Counter::new(), group::<()>(limit));
                let token = group.token().clone();
                for _ in 0..3 {
                    let capture = dropped.on_drop();
                    group
                        .spawn(move |_| async move {
                            let _capture = &capture;
                            std::future::pending().await
                        })
                        .await;
                }
                if joins {
                    let mut joining = group.join();
                    assert!(poll(&mut joining).is_pending());
                    drop(joining);
                } else {
                    drop(group);
                }
                assert_eq!(token.cause().unwrap().to_string(), "the group was dropped");
                until("they are dropped", || dropped.value() == 3).await;
            }
        }
    });
}

/// moro is concurrent, and not parallel: these two wait for each other, blocking.
#[test]
fn tasks_run_in_parallel() {
    in_parallel(|| async {
        for limit in [None, Some(2)] {
            let (together, group) = (Arc::new(Barrier::new(2)), group::<()>(limit));
            for _ in 0..2 {
                let together = Arc::clone(&together);
                group
                    .spawn(move |_| async move {
                        together.wait();
                        Ok(())
                    })
                    .await;
            }
            group.join().await.unwrap();
        }
    });
}

/// async-scoped deadlocks where scopes nest deeper than there are threads.
#[test]
fn groups_nest_as_deep_as_one_likes() {
    fn nested(depth: usize) -> Boxed<usize> {
        Box::pin(async move {
            if depth == 0 {
                return 0;
            }
            let (deepest, group) = (Counter::new(), group::<()>(Some(1)));
            let counted = deepest.clone();
            group
                .spawn(move |_| async move {
                    (0..nested(depth - 1).await).for_each(|_| {
                        counted.add();
                    });
                    Ok(())
                })
                .await;
            group.join().await.unwrap();
            deepest.value() + 1
        })
    }
    on_runtimes(|| async { assert_eq!(nested(50).await, 50) });
}

/// futures-rs#2866: from 31 futures on, `try_join_all` waits for the first ones before it
/// looks at the error that is there.
#[test]
fn an_error_ends_many_at_once() {
    paused(|| async {
        let (start, group) = (tokio::time::Instant::now(), group::<&str>(None));
        for index in 0..40 {
            group
                .spawn(move |cx| async move {
                    if index == 39 {
                        return Err("at once");
                    }
                    let nap = tokio::time::sleep(Duration::from_millis(500));
                    cx.token().run(nap).await.map_err(|_| "cancelled")
                })
                .await;
        }
        assert_eq!(failed(group.join().await), Some((39, "at once")));
        assert_eq!(start.elapsed(), Duration::ZERO);
    });
}

/// futures-rs#2886: one of the futures that are dropped panics as it is. The others are
/// dropped all the same, the group is over, and the panic is the task's.
#[test]
fn a_drop_that_panics_keeps_no_other_from_being_dropped() {
    on_runtimes(|| async {
        for limit in [None, Some(4)] {
            let (dropped, bombs) = (Counter::new(), Counter::new());
            let group = group::<()>(limit);
            for index in 0..12 {
                let capture = dropped.on_drop();
                let bomb = (index % 3 == 1).then(|| Bomb(bombs.clone()));
                group
                    .spawn(move |_| async move {
                        let _captured = (&capture, &bomb);
                        std::future::pending().await
                    })
                    .await;
            }
            if limit.is_none() {
                // They wait, so that it is the abort that drops them.
                until("all wait", || group.snapshot().tasks.len() == 12).await;
            } else {
                until("some wait", || group.snapshot().running == 4).await;
            }
            group.abort();
            group.wait_idle().await;
            assert_eq!((dropped.value(), bombs.value()), (12, 4), "{limit:?}");
            if limit.is_none() {
                let payload = payload_of(group.join()).await;
                assert_eq!(payload.downcast_ref(), Some(&"the payload's drop panicked"));
            }
        }
    });
}

/// noworkers: a panic ended the wait, while siblings went on, uncancelled.
#[test]
fn a_panic_does_not_end_the_join_early() {
    on_runtimes(|| async {
        for limit in [None, Some(2)] {
            let (started, ended) = (Counter::new(), Counter::new());
            let group = group::<()>(limit);
            let (starts, ends) = (started.clone(), ended.clone());
            group
                .spawn(move |cx| async move {
                    starts.add();
                    cx.token().cancelled().await;
                    for _ in 0..100 {
                        tokio::task::yield_now().await;
                    }
                    ends.add();
                    Ok(())
                })
                .await;
            until("it runs", || started.value() == 1).await;
            group.spawn(|_| async { panic!("early") }).await;
            let payload = payload_of(group.join()).await;
            assert_eq!(payload.downcast_ref(), Some(&"early"));
            assert_eq!(ended.value(), 1);
        }
    });
}

/// noworkers: the error was made a text, and anyhow's.
#[test]
fn an_error_comes_back_as_it_was() {
    #[derive(Debug)]
    struct NotEvenAnError(Box<u32>);
    on_runtimes(|| async {
        let group = Group::<(), NotEvenAnError>::new();
        group.spawn(|_| async { Err(NotEvenAnError(Box::new(7))) }).await;
        let error = group.join().await.unwrap_err().into_task_error().unwrap();
        assert_eq!(*error.0, 7);
    });
}

/// noworkers: whatever is added is spawned, and waits for its turn as a task of the runtime.
#[test]
fn a_spawner_is_held_back() {
    on_runtimes(|| async {
        let builder = with_limit::<()>(Some(2)).backlog(3);
        let group = Group::<(), ()>::build(builder).unwrap();
        for _ in 0..5 {
            assert!(poll(&mut group.spawn(|_| std::future::pending())).is_ready());
        }
        let mut sixth = group.spawn(|_| std::future::pending());
        assert!(poll(&mut sixth).is_pending());
        until("two run", || group.snapshot().running == 2).await;
        assert_eq!(group.snapshot().queued, 3);
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        assert_eq!(tasks, 2, "as many as the limit");
    });
}

/// neilotoole/errgroup#6: spawns and waits from different tasks.
#[test]
fn many_tasks_spawn_and_wait() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let builder = with_limit::<()>(limit).backlog(1);
            let group = Arc::new(Group::<(), ()>::build(builder).unwrap());
            let ran = Counter::new();
            let mut others = Vec::new();
            for _ in 0..3 {
                let (spawner, ran) = (Arc::clone(&group), ran.clone());
                others.push(tokio::spawn(async move {
                    for _ in 0..200 {
                        let ran = ran.clone();
                        spawner
                            .spawn(move |_| async move {
                                ran.add();
                                Ok(())
                            })
                            .await;
                    }
                }));
                let waiter = Arc::clone(&group);
                others.push(tokio::spawn(async move {
                    for _ in 0..50 {
                        waiter.wait_idle().await;
                        tokio::task::yield_now().await;
                    }
                }));
            }
            for other in others {
                other.await.unwrap();
            }
            group.wait_idle().await;
            assert_eq!(ran.value(), 600);
        }
    });
}

/// neilotoole/errgroup#11: an error while the queue is full.
#[test]
fn an_error_with_a_full_queue() {
    on_runtimes(|| async {
        for limit in [1, 2] {
            let (ran, started, gate) = (Counter::new(), Counter::new(), CancelToken::new());
            let builder = with_limit(Some(limit)).backlog(3);
            let group = Group::<(), &str>::build(builder).unwrap();
            for _ in 0..limit {
                let (held, starts) = (gate.clone(), started.clone());
                group
                    .spawn(move |_| async move {
                        starts.add();
                        held.cancelled().await;
                        Err("the error")
                    })
                    .await;
            }
            until("they run", || started.value() == limit).await;
            for _ in 0..3 {
                let ran = ran.clone();
                group
                    .spawn(move |_| async move {
                        ran.add();
                        Ok(())
                    })
                    .await;
            }
            assert!(group.try_spawn(|_| async { Ok(()) }).unwrap_err().is_full());
            gate.cancel();
            assert_eq!(failed(group.join().await).unwrap().1, "the error");
            assert_eq!(ran.value(), 0);
        }
    });
}

/// task-group polls every child for each that is woken.
#[test]
fn a_wake_up_polls_one_task() {
    struct Polls<F>(F, Counter);
    impl<F: Future + Unpin> Future for Polls<F> {
        type Output = F::Output;
        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
            let polled = Pin::new(&mut self.0).poll(cx);
            // Afterwards: who is counted is registered, and will be woken.
            self.1.add();
            polled
        }
    }
    const TASKS: usize = 500;
    on_runtimes(|| async {
        for limit in [None, Some(TASKS)] {
            let (polls, group) = (Counter::new(), group::<()>(limit));
            let gates: Vec<_> = (0..TASKS).map(|_| CancelToken::new()).collect();
            for gate in &gates {
                let wait = Polls(gate.clone().cancelled_owned(), polls.clone());
                group
                    .spawn(|_| async {
                        wait.await;
                        Ok(())
                    })
                    .await;
            }
            until("all were polled", || polls.value() == TASKS).await;
            for gate in &gates {
                gate.cancel();
            }
            group.join().await.unwrap();
            assert_eq!(polls.value(), 2 * TASKS);
        }
    });
}

/// A join with a deadline that was told of another cancel first, and missed the deadline: a
/// task that does not end kept it waiting for ever.
#[test]
fn a_join_ends_at_the_deadline_though_the_group_failed_before() {
    on_runtimes(|| async {
        for limit in [None, Some(2)] {
            let builder = with_limit(limit).timeout(SHORT);
            let group = Group::<(), &str>::build(builder).unwrap();
            group.spawn(|_| std::future::pending()).await;
            group.spawn(|_| async { Err("before") }).await;
            assert_eq!(failed(group.join().await), Some((1, "before")));

            let parent = CancelToken::new();
            let builder = with_limit(limit).timeout(SHORT).token(&parent);
            let group = Group::<(), &str>::build(builder).unwrap();
            group.spawn(|_| std::future::pending()).await;
            until("it waits", || {
                assert!(!group.token().is_cancelled(), "the deadline was too short");
                group.snapshot().tasks.iter().any(|task| task.state == TaskState::Waiting)
            })
            .await;
            parent.cancel();
            match group.join().await.unwrap_err() {
                Error::Stragglers(tasks) => assert_eq!(tasks.len(), 1),
                other => panic!("{other}"),
            }
        }
    });
}

/// The same without a task that is left: nothing waits for the deadline.
#[test]
fn a_join_does_not_wait_for_the_deadline() {
    on_runtimes(|| async {
        let start = now();
        let group = Group::<(), &str>::build(with_limit(None).timeout(LONG)).unwrap();
        group.spawn(|_| async { Err("before") }).await;
        assert_eq!(failed(group.join().await), Some((0, "before")));
        assert!(start.elapsed() < LONG);
    });
}

/// A wait for idleness that was polled when the last task had just ended took the others'
/// wake-up with it.
#[test]
fn of_several_who_wait_all_are_woken() {
    in_parallel(|| async {
        let group = Arc::new(group::<()>(None));
        let (over, waits) = (CancelToken::new(), Counter::new());
        let waiters: Vec<_> = (0..3)
            .map(|_| {
                let (group, over, waits) = (Arc::clone(&group), over.clone(), waits.clone());
                tokio::spawn(async move {
                    while !over.is_cancelled() {
                        group.wait_idle().await;
                        waits.add();
                        tokio::task::yield_now().await;
                    }
                })
            })
            .collect();
        for _ in 0..20_000 {
            group.spawn(|_| async { Ok(()) }).await;
            tokio::task::yield_now().await;
        }
        over.cancel();
        for waiter in waiters {
            waiter.await.unwrap();
        }
        assert!(waits.value() > 0);
    });
}
