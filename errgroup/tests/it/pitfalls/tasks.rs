use crate::support::tasks::{on_runtimes, payload_of, poll, until};
use crate::support::{Bomb, Counter, CountsDrop, cancelled, culprit, failed, panic_of};
use lockgate_errgroup::join::FirstError;
use lockgate_errgroup::task::Group;
use lockgate_errgroup::{BuildError, Builder, CancelToken, Cause, LimitError};
use std::sync::{Arc, Mutex};

type Text = Builder<FirstError<&'static str>>;

/// With and without a limit: tasks are started in two ways.
const LIMITS: [Option<usize>; 3] = [None, Some(1), Some(4)];

fn with_limit<E>(limit: Option<usize>) -> Builder<FirstError<E>> {
    limit.map_or_else(Builder::new, |limit| Builder::new().limit(limit))
}

fn group<E: Send + 'static>(limit: Option<usize>) -> Group<(), E> {
    Group::build(with_limit(limit)).unwrap()
}

#[test]
fn p01_a_victim_does_not_mask_the_error() {
    on_runtimes(|| async {
        for limit in [None, Some(4)] {
            for _ in 0..50 {
                let group = group(limit);
                let (started, token) = (Counter::new(), group.token().clone());
                for _ in 0..3 {
                    let started = started.clone();
                    group
                        .spawn(move |cx| async move {
                            started.add();
                            cx.token().cancelled().await;
                            Err("victim")
                        })
                        .await;
                }
                until("they run", || started.value() == 3).await;
                group.spawn(|_| async { Err("the cause") }).await;
                assert_eq!(failed(group.join().await), Some((3, "the cause")));
                assert_eq!(culprit(&token), Some(3));
            }
        }
    });
}

#[test]
fn p01_an_echo_does_not_mask_the_cause() {
    on_runtimes(|| async {
        let policy = FirstError::<&str>::new().echo(|error| *error == "cancelled");
        let group = Group::<(), _, _>::build(Builder::new().join_with(policy)).unwrap();
        let started = Counter::new();
        let starts = started.clone();
        group
            .spawn(move |cx| async move {
                starts.add();
                cx.token().cancelled().await;
                Err("cancelled")
            })
            .await;
        until("it runs", || started.value() == 1).await;
        group.token().cancel_with("shutting down");
        assert_eq!(cancelled(group.join().await).to_string(), "shutting down");
    });
}

#[test]
fn p02_a_spawner_that_waits_is_woken_by_the_cancel() {
    on_runtimes(|| async {
        for what in ["cancel", "parent", "deadline"] {
            let parent = CancelToken::new();
            let mut builder = Text::new().limit(1).backlog(0).token(&parent);
            if what == "deadline" {
                builder = builder.timeout(crate::support::SHORT);
            }
            let group = Group::<(), _>::build(builder).unwrap();
            group.spawn(|_| std::future::pending()).await;
            let dropped = Counter::new();
            let capture = dropped.on_drop();
            let mut spawn = group.spawn(move |_| async move {
                drop(capture);
                Ok(())
            });
            assert!(poll(&mut spawn).is_pending(), "the limit is reached");
            match what {
                "cancel" => assert!(group.token().cancel()),
                "parent" => assert!(parent.cancel()),
                _ => {}
            }
            let spawned = spawn.await;
            assert!(spawned.is_rejected());
            assert_eq!(dropped.value(), 0, "the closure comes back");
            drop(spawned);
            assert_eq!(dropped.value(), 1);
        }
    });
}

#[test]
fn p02_a_place_that_comes_after_the_cancel_starts_nothing() {
    on_runtimes(|| async {
        let group = Group::<(), _>::build(Text::new().limit(1).backlog(0)).unwrap();
        let (go, gate) = tokio::sync::oneshot::channel::<()>();
        let (started, ended) = (Counter::new(), Counter::new());
        let (starts, ends) = (started.clone(), ended.on_drop());
        group
            .spawn(|_| async move {
                let _ends = ends;
                starts.add();
                let _ = gate.await;
                Ok(())
            })
            .await;
        until("it runs", || started.value() == 1).await;
        let dropped = Counter::new();
        let capture = dropped.on_drop();
        let mut spawn = group.spawn(move |_| async move {
            drop(capture);
            Ok(())
        });
        assert!(poll(&mut spawn).is_pending(), "the limit is reached");
        assert!(group.token().cancel());
        go.send(()).unwrap();
        until("its place is free", || ended.value() == 1).await;
        until("its end is known", || group.snapshot().running == 0).await;
        let spawned = spawn.await;
        assert!(spawned.is_rejected());
        assert_eq!(dropped.value(), 0, "the closure comes back");
    });
}

#[test]
fn p03_the_token_says_that_the_group_is_over() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let group = group::<()>(limit);
            let token = group.token().clone();
            group.spawn(|_| async { Ok(()) }).await;
            group.join().await.unwrap();
            assert!(matches!(token.cause(), Some(Cause::Finished)));
        }
    });
}

#[test]
fn p04_what_a_task_captured_and_returned_is_dropped_before_the_join_returns() {
    const TASKS: usize = 50;
    on_runtimes(|| async {
        for limit in LIMITS {
            let (captured, returned) = (Counter::new(), Counter::new());
            let builder = with_limit::<CountsDrop>(limit).run_all();
            let group = Group::build(builder).unwrap();
            for index in 0..TASKS {
                let (capture, result) = (captured.on_drop(), returned.on_drop());
                group
                    .spawn(move |_| async move {
                        tokio::task::yield_now().await;
                        let _capture = &capture;
                        if index % 2 == 0 { Ok(result) } else { Err(result) }
                    })
                    .await;
            }
            let outcome = group.join().await;
            assert_eq!(captured.value(), TASKS);
            assert_eq!(returned.value(), TASKS - 1, "but for the error that is returned");
            drop(outcome.unwrap_err());
            assert_eq!(returned.value(), TASKS);
        }
    });
}

#[test]
fn p04_what_was_not_started_is_dropped_too() {
    on_runtimes(|| async {
        let (captured, group) = (Counter::new(), group::<&str>(Some(1)));
        group
            .spawn(|cx| async move {
                cx.token().cancelled().await;
                Ok(())
            })
            .await;
        until("it waits", || group.snapshot().running == 1).await;
        for _ in 0..10 {
            let capture = captured.on_drop();
            group
                .spawn(move |_| async move {
                    drop(capture);
                    Err("it must not start")
                })
                .await;
        }
        group.token().cancel();
        assert!(matches!(cancelled(group.join().await), Cause::Requested));
        assert_eq!(captured.value(), 10);
    });
}

#[test]
fn p05_nothing_is_left_of_a_group_that_was_joined() {
    on_runtimes(|| async {
        for limit in LIMITS {
            for _ in 0..100 {
                let (shared, group) = (Arc::new(()), group::<()>(limit));
                for _ in 0..2 {
                    let shared = Arc::clone(&shared);
                    group
                        .spawn(move |_| async move {
                            let _shared = &shared;
                            Ok(())
                        })
                        .await;
                }
                group.join().await.unwrap();
                assert_eq!(Arc::strong_count(&shared), 1);
            }
        }
    });
}

#[test]
fn p06_a_payload_whose_drop_panics() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let (bombs, group) = (Counter::new(), Group::build(with_limit(limit).run_all()));
            let group: Group<(), ()> = group.unwrap();
            for _ in 0..3 {
                let bomb = Bomb(bombs.clone());
                group.spawn(|_| async { std::panic::panic_any(bomb) }).await;
            }
            let payload = payload_of(group.join()).await;
            assert_eq!(bombs.value(), 2, "the first goes on");
            let bomb = payload.downcast::<Bomb>().unwrap();
            assert_eq!(panic_of(|| drop(bomb)), "the payload's drop panicked");
        }
    });
}

#[test]
fn p06_results_and_captures_whose_drop_panics() {
    on_runtimes(|| async {
        for limit in [None, Some(1)] {
            for what in ["value", "capture", "aborted capture", "refused capture"] {
                let group = Group::<Option<Bomb>, ()>::build(with_limit(limit)).unwrap();
                let bombs = Counter::new();
                let bomb = Bomb(bombs.clone());
                match what {
                    "value" => drop(group.spawn(|_| async { Ok(Some(bomb)) }).await),
                    "capture" => {
                        let task = async move {
                            let _bomb = &bomb;
                            Ok(None)
                        };
                        group.spawn(|_| task).await;
                    }
                    "aborted capture" => {
                        let task = async move {
                            let _bomb = &bomb;
                            std::future::pending().await
                        };
                        group.spawn(|_| task).await;
                        until("it waits", || group.snapshot().running == 1).await;
                        group.abort();
                    }
                    _ => {
                        group
                            .spawn(|cx| async move {
                                cx.token().cancelled().await;
                                Ok(None)
                            })
                            .await;
                        group.spawn(|_| async { Ok(Some(bomb)) }).await;
                        group.token().cancel();
                    }
                }
                let payload = payload_of(group.join()).await;
                let said = payload.downcast_ref::<&str>().copied();
                assert_eq!(said, Some("the payload's drop panicked"), "{what}, {limit:?}");
                assert_eq!(bombs.value(), 1, "{what}, {limit:?}");
            }
        }
    });
}

/// There is no body: the group is dropped by the panic, and aborts its tasks.
#[test]
fn p07_a_panic_that_drops_the_group_aborts_its_tasks() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let dropped = Counter::new();
            let capture = dropped.on_drop();
            let payload = payload_of(async move {
                let group = group::<()>(limit);
                group
                    .spawn(move |_| async move {
                        let _capture = &capture;
                        std::future::pending().await
                    })
                    .await;
                panic!("the owner's panic");
            })
            .await;
            assert_eq!(payload.downcast_ref(), Some(&"the owner's panic"));
            until("the task is dropped", || dropped.value() == 1).await;
        }
    });
}

#[test]
fn p09_a_parent_that_was_cancelled_before_lets_nothing_run() {
    on_runtimes(|| async {
        let parent = CancelToken::new();
        parent.cancel_with("too late");
        for limit in LIMITS {
            let builder = with_limit::<()>(limit).token(&parent);
            let group = Group::<(), ()>::build(builder).unwrap();
            assert!(group.spawn(|_| async { unreachable!() }).await.is_rejected());
            assert!(!group.try_spawn(|_| async { unreachable!() }).unwrap_err().is_full());
            assert_eq!(cancelled(group.join().await).to_string(), "too late");
        }
    });
}

#[test]
fn p10_an_error_after_the_parents_cancel_is_reported() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let parent = CancelToken::new();
            let builder = with_limit(limit).token(&parent);
            let group = Group::<(), &str>::build(builder).unwrap();
            let started = Counter::new();
            let starts = started.clone();
            group
                .spawn(move |cx| async move {
                    starts.add();
                    cx.token().cancelled().await;
                    Err("its own")
                })
                .await;
            until("it runs", || started.value() == 1).await;
            parent.cancel();
            assert_eq!(failed(group.join().await), Some((0, "its own")));
        }
    });
}

#[test]
fn p11_a_task_may_end_the_group_before_its_spawn_returns() {
    on_runtimes(|| async {
        for limit in LIMITS {
            for _ in 0..100 {
                let group = group(limit);
                let spawned = group.spawn(|_| async { Err("at once") }).await;
                assert_eq!(spawned.id().map(|id| id.index()), Some(0));
                assert_eq!(failed(group.join().await), Some((0, "at once")));
            }
        }
    });
}

#[test]
fn p12_an_outer_cancel_is_not_swallowed_by_an_inner_group() {
    on_runtimes(|| async {
        for inner_fails in [false, true] {
            let (after, started) = (Counter::new(), Counter::new());
            let outer = group::<&str>(None);
            let (after_it, starts) = (after.clone(), started.clone());
            outer
                .spawn(move |cx| async move {
                    let builder = Text::new().token(cx.token());
                    let inner = Group::<(), _>::build(builder).unwrap();
                    inner
                        .spawn(move |cx| async move {
                            starts.add();
                            cx.token().cancelled().await;
                            if inner_fails { Err("inner") } else { Ok(()) }
                        })
                        .await;
                    let error = inner.join().await.unwrap_err();
                    assert_eq!(error.cause().is_none(), inner_fails);
                    cx.check().expect_err("the outer cancel is still there");
                    after_it.add();
                    Ok(())
                })
                .await;
            until("the inner task runs", || started.value() == 1).await;
            outer.token().cancel_with("the outer cancel");
            assert_eq!(cancelled(outer.join().await).to_string(), "the outer cancel");
            assert_eq!(after.value(), 1);
        }
    });
}

#[test]
fn p12_an_inner_cancel_stays_inside() {
    on_runtimes(|| async {
        let outer = group::<&str>(None);
        outer
            .spawn(|cx| async move {
                let inner = Group::<(), _>::build(Text::new().token(cx.token())).unwrap();
                inner.spawn(|_| async { Err("inner") }).await;
                assert_eq!(failed(inner.join().await), Some((0, "inner")));
                cx.check().map_err(|_| "the outer group is not concerned")
            })
            .await;
        outer.join().await.unwrap();
    });
}

#[test]
fn p13_a_limit_of_zero_is_an_error() {
    on_runtimes(|| async {
        let error = Group::<(), ()>::build(Builder::new().limit(0)).unwrap_err();
        assert_eq!(error, BuildError::ZeroLimit);
        let (limited, unlimited) = (group::<()>(Some(1)), group::<()>(None));
        assert_eq!(limited.set_limit(0), Err(LimitError::Zero));
        assert_eq!(unlimited.set_limit(0), Err(LimitError::Zero));
        assert_eq!(unlimited.set_limit(1), Err(LimitError::Unlimited));
    });
}

/// The wait is dropped, and made again, and the group goes on.
#[test]
fn p14_a_group_goes_on_after_a_wait() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let (ran, group) = (Counter::new(), group(limit));
            for round in 1..=3 {
                let (gate, ran_here) = (CancelToken::new(), ran.clone());
                let held = gate.clone();
                group
                    .spawn(move |_| async move {
                        held.cancelled().await;
                        ran_here.add();
                        Ok(())
                    })
                    .await;
                assert!(poll(&mut group.wait_idle()).is_pending());
                gate.cancel();
                group.wait_idle().await;
                assert_eq!(ran.value(), round);
            }
            group.spawn(|_| async { Err("the end") }).await;
            assert_eq!(failed(group.join().await), Some((3, "the end")));
        }
    });
}

/// It leaks, and nothing else: its tasks own what they use.
#[test]
fn p15_a_group_may_be_forgotten() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let (dropped, gate) = (Counter::new(), CancelToken::new());
            let (capture, held, forgotten) = (dropped.on_drop(), gate.clone(), group(limit));
            let token = forgotten.token().clone();
            forgotten
                .spawn(move |cx| async move {
                    let _capture = &capture;
                    held.cancelled().await;
                    cx.check().map_err(|_| "it goes on")
                })
                .await;
            std::mem::forget(forgotten);
            gate.cancel();
            until("the task has ended", || dropped.value() == 1).await;
            assert!(!token.is_cancelled());
            // The same for a join.
            let joining = group::<()>(limit).join();
            std::mem::forget(joining);
        }
    });
}

/// At the limit the spawn is pending, and the thread goes on with other tasks: here with the
/// only one that can make room.
#[test]
fn p16_a_spawn_that_waits_blocks_nobody_of_the_runtime() {
    on_runtimes(|| async {
        let group = Arc::new(Group::build(Text::new().limit(1).backlog(0)).unwrap());
        let gate = CancelToken::new();
        let held = gate.clone();
        group
            .spawn(move |_| async move {
                held.cancelled().await;
                Ok(())
            })
            .await;
        let spawner = Arc::clone(&group);
        let waiting = tokio::spawn(async move {
            spawner.spawn(|_| async { Ok(()) }).await.accepted().map_err(drop).unwrap().index()
        });
        let other = tokio::spawn(async move { gate.cancel() });
        assert!(other.await.unwrap());
        assert_eq!(waiting.await.unwrap(), 1);
        group.wait_idle().await;
    });
}

#[test]
fn p17_what_is_kept_of_failures_is_bounded() {
    const TASKS: usize = 500;
    on_runtimes(|| async {
        for limit in LIMITS {
            let builder = with_limit::<CountsDrop>(limit).run_all();
            let (errors, group) = (Counter::new(), Group::<(), _>::build(builder).unwrap());
            for _ in 0..TASKS {
                let error = errors.on_drop();
                group.spawn(move |_| async { Err(error) }).await;
            }
            group.wait_idle().await;
            assert_eq!(errors.value(), TASKS - 1);
            drop(group.join().await.unwrap_err());
            assert_eq!(errors.value(), TASKS);

            let builder = with_limit::<()>(limit).run_all();
            let (panics, group) = (Counter::new(), Group::<(), _>::build(builder).unwrap());
            for _ in 0..TASKS {
                let payload = panics.on_drop();
                let task = async { std::panic::resume_unwind(Box::new(payload)) };
                group.spawn(|_| task).await;
            }
            group.wait_idle().await;
            assert!(panics.value() >= TASKS - 64, "{} are dropped", panics.value());
            let payload = payload_of(group.join()).await;
            assert_eq!(panics.value(), TASKS - 1, "the first goes on");
            drop(payload);
        }
    });
}

#[test]
fn p19_the_oldest_spawner_is_served_first() {
    const SPAWNERS: usize = 40;
    on_runtimes(|| async {
        let group = Group::<(), _>::build(Text::new().limit(1).backlog(0)).unwrap();
        let (order, gate) = (Arc::new(Mutex::new(Vec::new())), CancelToken::new());
        let held = gate.clone();
        group
            .spawn(move |_| async move {
                held.cancelled().await;
                Ok(())
            })
            .await;
        let mut line: Vec<_> = (0..SPAWNERS)
            .map(|number| {
                let order = Arc::clone(&order);
                group.spawn(move |_| async move {
                    order.lock().unwrap().push(number);
                    Ok(())
                })
            })
            .collect();
        // In the order of the first polls, and not in that of the calls.
        line.reverse();
        for spawn in &mut line {
            assert!(poll(spawn).is_pending());
        }
        assert!(group.try_spawn(|_| async { Err("it overtook") }).unwrap_err().is_full());
        gate.cancel();
        futures::future::join_all(line).await;
        group.wait_idle().await;
        let wanted: Vec<_> = (0..SPAWNERS).rev().collect();
        assert_eq!(*order.lock().unwrap(), wanted);
    });
}
