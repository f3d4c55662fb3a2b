use super::is_shared_freely;
use crate::support::tasks::{
    Boxed, current_thread, multi_thread, on_runtimes, payload_of, poll, until,
};
use crate::support::{Counter, Dice, Gauge, LONG, SHORT, cancelled, failed, within_patience};
use lockgate_errgroup::join::FirstError;
use lockgate_errgroup::task::{Cx, Group, Idle, Joining};
use lockgate_errgroup::{Builder, CancelToken, Cause, Error, OnPanic, TaskState};
use std::sync::Arc;

type Text = Builder<FirstError<&'static str>>;

const LIMITS: [Option<usize>; 3] = [None, Some(1), Some(4)];

fn with_limit<E>(limit: Option<usize>) -> Builder<FirstError<E>> {
    limit.map_or_else(Builder::new, |limit| Builder::new().limit(limit))
}

fn group<E: Send + 'static>(limit: Option<usize>) -> Group<(), E> {
    Group::build(with_limit(limit)).unwrap()
}

#[test]
fn groups_are_shared_freely() {
    fn may_move<T: Unpin + Send>() {}
    is_shared_freely::<Group<String, String>>();
    is_shared_freely::<Cx<String, String>>();
    is_shared_freely::<Idle<'static, String, String>>();
    is_shared_freely::<Group<std::cell::Cell<u8>, std::cell::Cell<u8>>>();
    may_move::<Joining<String, String, FirstError<String>>>();
    may_move::<Idle<'static, String, String>>();
}

#[test]
fn a_spawn_may_move_and_is_lazy() {
    fn may_move<T: Unpin + Send>(spawn: T) -> T {
        spawn
    }
    on_runtimes(|| async {
        let (group, ran) = (group::<()>(None), Counter::new());
        let counted = ran.clone();
        drop(may_move(group.spawn(move |_| async move {
            counted.add();
            Ok(())
        })));
        group.wait_idle().await;
        group.join().await.unwrap();
        assert_eq!(ran.value(), 0);
    });
}

#[test]
fn the_limit_is_never_exceeded_whatever_it_is() {
    on_runtimes(|| async {
        let (gauge, ran, mut dice) = (Gauge::new(), Counter::new(), Dice(7));
        let group = group::<()>(Some(3));
        let mut spawned = 0;
        for round in 0..40 {
            let limit = 1 + dice.below(6);
            group.set_limit(limit).unwrap();
            // Who runs beyond a lower limit goes on.
            until("few run", || group.snapshot().running <= limit).await;
            gauge.take_peak();
            for _ in 0..50 {
                let (gauge, ran) = (Arc::clone(&gauge), ran.clone());
                group
                    .spawn(move |_| async move {
                        let inside = gauge.enter();
                        tokio::task::yield_now().await;
                        drop(inside);
                        ran.add();
                        Ok(())
                    })
                    .await;
                spawned += 1;
            }
            if round % 2 == 0 {
                until("they ran", || ran.value() == spawned).await;
            }
            let peak = gauge.take_peak();
            assert!(peak <= limit, "{peak} ran in round {round}, beyond {limit}");
        }
        group.join().await.unwrap();
        assert_eq!(ran.value(), spawned);
    });
}

#[test]
fn a_higher_limit_is_used_at_once() {
    on_runtimes(|| async {
        let (group, started, gate) = (group::<()>(Some(1)), Counter::new(), CancelToken::new());
        for _ in 0..4 {
            let (starts, held) = (started.clone(), gate.clone());
            group
                .spawn(move |_| async move {
                    starts.add();
                    held.cancelled().await;
                    Ok(())
                })
                .await;
        }
        until("one runs", || started.value() == 1).await;
        assert_eq!(group.snapshot().queued, 3);
        group.set_limit(3).unwrap();
        until("three run", || started.value() == 3).await;
        group.set_limit(usize::MAX).unwrap();
        until("all run", || started.value() == 4).await;
        gate.cancel();
        group.join().await.unwrap();
    });
}

#[test]
fn the_backlog_is_bounded() {
    on_runtimes(|| async {
        for (limit, backlog) in [(1, 0), (2, 0), (2, 3)] {
            let builder = Text::new().limit(limit).backlog(backlog);
            let group = Group::<(), _>::build(builder).unwrap();
            for _ in 0..limit + backlog {
                assert!(poll(&mut group.spawn(|_| std::future::pending())).is_ready());
            }
            assert!(poll(&mut group.spawn(|_| std::future::pending())).is_pending());
            until("the limit is reached", || {
                let snapshot = group.snapshot();
                (snapshot.running, snapshot.queued) == (limit, backlog)
            })
            .await;
            let snapshot = group.snapshot();
            assert_eq!((snapshot.limit, snapshot.backlog), (limit, backlog));
            assert!(group.try_spawn(|_| std::future::pending()).unwrap_err().is_full());
        }
    });
}

/// A spawn that was given up leaves its place to the next.
#[test]
fn a_spawn_that_is_dropped_leaves_the_line() {
    on_runtimes(|| async {
        let group = Group::<(), _>::build(Text::new().limit(1).backlog(0)).unwrap();
        let gate = CancelToken::new();
        let held = gate.clone();
        group
            .spawn(move |_| async move {
                held.cancelled().await;
                Ok(())
            })
            .await;
        let mut first = group.spawn(|_| async { Err("it was given up") });
        let mut second = group.spawn(|_| async { Ok(()) });
        let mut third = group.spawn(|_| async { Ok(()) });
        assert!(poll(&mut first).is_pending() && poll(&mut second).is_pending());
        assert!(poll(&mut third).is_pending());
        drop(first);
        gate.cancel();
        // The second was promised the place by now, or will be.
        until("the task has ended", || group.snapshot().running == 0).await;
        drop(second);
        assert_eq!(third.await.id().map(|id| id.index()), Some(1));
        group.join().await.unwrap();
    });
}

#[test]
fn a_closure_that_is_not_accepted_comes_back() {
    on_runtimes(|| async {
        let (group, dropped) = (group::<()>(Some(1)), Counter::new());
        group.spawn(|_| std::future::pending()).await;
        let capture = dropped.on_drop();
        let error = group.try_spawn(move |_| {
            drop(capture);
            async { Ok(()) }
        });
        let error = error.unwrap_err();
        assert!(error.is_full());
        group.token().cancel();
        let error = group.try_spawn(error.into_inner()).unwrap_err();
        assert!(!error.is_full());
        let rejected = group.spawn(error.into_inner()).await.accepted().unwrap_err();
        assert_eq!(dropped.value(), 0);
        drop(rejected.0);
        assert_eq!(dropped.value(), 1);
    });
}

fn chain(cx: Cx<(), ()>, left: usize, ran: Counter) -> Boxed<Result<(), ()>> {
    Box::pin(async move {
        ran.add();
        if left > 1 {
            cx.spawn(move |cx| chain(cx, left - 1, ran)).await;
        }
        Ok(())
    })
}

fn tree(cx: Cx<(), ()>, width: usize, depth: u32, ran: Counter) -> Boxed<Result<(), ()>> {
    Box::pin(async move {
        ran.add();
        for _ in 0..if depth > 0 { width } else { 0 } {
            let ran = ran.clone();
            cx.spawn(move |cx| tree(cx, width, depth - 1, ran)).await;
        }
        Ok(())
    })
}

fn nesting() -> [Builder<FirstError<()>>; 5] {
    let limit = |limit| Builder::new().limit(limit);
    [limit(1).backlog(0), limit(1), limit(2).backlog(0), limit(2), Builder::new()]
}

#[test]
fn a_chain_of_spawns_is_as_long_as_one_likes() {
    const LONG: usize = 100_000;
    on_runtimes(|| async {
        for builder in nesting() {
            let (ran, group) = (Counter::new(), Group::build(builder).unwrap());
            let counted = ran.clone();
            group.spawn(move |cx| chain(cx, LONG, counted)).await;
            group.join().await.unwrap();
            assert_eq!(ran.value(), LONG);
        }
    });
}

#[test]
fn a_tree_of_spawns_is_as_wide_as_one_likes() {
    on_runtimes(|| async {
        for (width, depth, nodes) in [(10, 4, 11_111), (50_000, 1, 50_001)] {
            for builder in nesting() {
                let ran = Counter::new();
                let group = Group::build(builder).unwrap();
                let counted = ran.clone();
                group.spawn(move |cx| tree(cx, width, depth, counted)).await;
                group.join().await.unwrap();
                assert_eq!(ran.value(), nodes);
            }
        }
    });
}

#[test]
fn a_million_tasks_run_through_a_limit_of_eight() {
    const TASKS: usize = 1_000_000;
    within_patience(|| {
        multi_thread().block_on(async {
            let (ran, group) = (Counter::new(), group::<()>(Some(8)));
            for _ in 0..TASKS {
                let ran = ran.clone();
                group
                    .spawn(|_| async move {
                        ran.add();
                        Ok(())
                    })
                    .await;
            }
            group.join().await.unwrap();
            assert_eq!(ran.value(), TASKS);
        });
    });
}

#[test]
fn run_all_runs_what_comes_after_the_cancel() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let group = Group::<(), &str>::build(with_limit(limit).run_all()).unwrap();
            let (ran, told) = (Counter::new(), Counter::new());
            group.spawn(|_| async { Err("first") }).await;
            group.token().cancelled().await;
            for _ in 0..10 {
                let (ran, told) = (ran.clone(), told.clone());
                let spawned = group.spawn(move |cx| async move {
                    ran.add();
                    cx.check().map_err(|_| {
                        told.add();
                        "later"
                    })
                });
                assert!(!spawned.await.is_rejected());
            }
            assert_eq!(failed(group.join().await), Some((0, "first")));
            assert_eq!((ran.value(), told.value()), (10, 10));
        }
    });
}

#[test]
fn errors_and_causes_tell_the_name() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let group = group::<&str>(limit);
            let token = group.token().clone();
            group.named("fetch").spawn(|_| async { Err("no route") }).await;
            let error = group.join().await.unwrap_err();
            assert_eq!(error.to_string(), "task 0 (fetch): no route");
            assert_eq!(token.cause().unwrap().to_string(), "task 0 (fetch) ended the group");

            let builder = with_limit(limit).on_panic(OnPanic::Error);
            let group = Group::<(), &str>::build(builder).unwrap();
            let token = group.token().clone();
            group
                .spawn(|cx| async move {
                    assert_eq!(cx.id().to_string(), "task 0");
                    let named = cx.named("parse");
                    named.spawn(|_| async { panic!("at line {}", 3) }).await;
                    Ok(())
                })
                .await;
            let error = group.join().await.unwrap_err();
            assert_eq!(error.to_string(), "task 1 (parse) panicked: at line 3");
            assert_eq!(token.cause().unwrap().to_string(), "task 1 (parse) panicked");
        }
    });
}

#[test]
fn a_join_returns_at_the_deadline_and_names_who_still_runs() {
    on_runtimes(|| async {
        for limit in [None, Some(2)] {
            let dropped = Counter::new();
            let group = Group::<(), &str>::build(with_limit(limit).timeout(SHORT)).unwrap();
            let token = group.token().clone();
            for name in ["a", "b"] {
                let capture = dropped.on_drop();
                group
                    .named(name)
                    .spawn(move |_| async move {
                        let _capture = &capture;
                        std::future::pending().await
                    })
                    .await;
            }
            let text = "the deadline passed with these still running: task 0 (a), task 1 (b)";
            assert_eq!(group.join().await.unwrap_err().to_string(), text);
            assert!(matches!(token.cause(), Some(Cause::Deadline)));
            until("they are aborted", || dropped.value() == 2).await;
        }
    });
}

#[test]
fn what_heeds_the_deadline_is_no_straggler() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let builder = with_limit::<&str>(limit).timeout(LONG);
            let group = Group::<(), &str>::build(builder).unwrap();
            group.spawn(|_| async { Ok(()) }).await;
            group.join().await.unwrap();
        }
    });
}

#[test]
fn shutdown_waits_for_its_grace_and_aborts() {
    on_runtimes(|| async {
        for limit in [None, Some(2)] {
            let (group, ended) = (group::<()>(limit), Counter::new());
            let (started, dropped) = (Counter::new(), Counter::new());
            let (starts, ends) = (started.clone(), ended.clone());
            group
                .spawn(move |cx| async move {
                    starts.add();
                    cx.token().cancelled().await;
                    tokio::task::yield_now().await;
                    ends.add();
                    Ok(())
                })
                .await;
            let (starts, capture) = (started.clone(), dropped.on_drop());
            group
                .spawn(move |_| async move {
                    let _capture = &capture;
                    starts.add();
                    std::future::pending().await
                })
                .await;
            until("both run", || started.value() == 2).await;
            assert!(matches!(cancelled(group.shutdown(SHORT).await), Cause::Requested));
            assert_eq!((ended.value(), dropped.value()), (1, 1));
        }
    });
}

#[test]
fn shutdown_does_not_wait_longer_than_it_has_to() {
    on_runtimes(|| async {
        let group = group::<()>(None);
        group.spawn(|cx| async move { cx.check().map_err(drop) }).await;
        group.wait_idle().await;
        assert!(matches!(cancelled(group.shutdown(LONG).await), Cause::Requested));
    });
}

/// A runtime that shuts down drops tasks wherever they are, polled or not. They are counted
/// out, so that the join ends; and it does not say that all went well.
#[test]
fn a_runtime_that_shuts_down_ends_the_group() {
    within_patience(|| {
        for make in [current_thread, multi_thread] {
            for limit in LIMITS {
                for polled in [false, true] {
                    let (runtime, dropped) = (make(), Counter::new());
                    let starts = Counter::new();
                    let group = runtime.block_on(async {
                        let group = group::<()>(limit);
                        for _ in 0..6 {
                            let (capture, starts) = (dropped.on_drop(), starts.clone());
                            group
                                .spawn(move |_| async move {
                                    let _capture = &capture;
                                    starts.add();
                                    std::future::pending().await
                                })
                                .await;
                        }
                        if polled {
                            until("some run", || starts.value() > 0).await;
                        }
                        group
                    });
                    drop(runtime);
                    assert_eq!(dropped.value(), 6, "{limit:?}, {polled}");
                    let mut joining = group.join();
                    match poll(&mut joining) {
                        std::task::Poll::Ready(Err(Error::Cancelled(cause))) => {
                            assert_eq!(cause.to_string(), "the runtime dropped the group's tasks")
                        }
                        other => panic!("{other:?}, {limit:?}, {polled}"),
                    }
                }
            }
        }
    });
}

/// What is spawned on a runtime that has shut down is not taken for done either.
#[test]
fn a_spawn_after_the_runtimes_end_is_no_success() {
    within_patience(|| {
        for limit in LIMITS {
            let runtime = current_thread();
            let group = runtime.block_on(async { group::<()>(limit) });
            drop(runtime);
            assert!(poll(&mut group.spawn(|_| async { Ok(()) })).is_ready());
            let mut joining = group.join();
            assert!(
                matches!(poll(&mut joining), std::task::Poll::Ready(Err(Error::Cancelled(_)))),
                "{limit:?}"
            );
        }
    });
}

/// A group may be made outside of a runtime, and used within.
#[test]
fn a_group_made_outside_of_a_runtime_spawns_into_the_current_one() {
    within_patience(|| {
        for limit in LIMITS {
            let group = group::<&str>(limit);
            current_thread().block_on(async {
                group.spawn(|_| async { Err("it ran") }).await;
                assert_eq!(failed(group.join().await), Some((0, "it ran")));
            });
        }
    });
}

#[test]
fn a_panic_may_be_an_error() {
    on_runtimes(|| async {
        for limit in LIMITS {
            let builder = with_limit::<()>(limit).on_panic(OnPanic::Error);
            let group = Group::<(), ()>::build(builder).unwrap();
            group.spawn(|_| async { std::panic::panic_any(7_u8) }).await;
            let Err(Error::Panicked(panicked)) = group.join().await else { panic!() };
            assert_eq!((panicked.task().index(), panicked.message()), (0, None));
            assert_eq!(panicked.into_payload().downcast_ref(), Some(&7_u8));

            let builder = with_limit::<()>(limit).on_panic(OnPanic::Resume);
            let group = Group::<(), ()>::build(builder).unwrap();
            // The closure's own panic, before there is a future.
            group.spawn(|_| -> std::future::Ready<_> { panic!("as it was") }).await;
            let payload = payload_of(group.join()).await;
            assert_eq!(payload.downcast_ref(), Some(&"as it was"));
        }
    });
}

#[test]
fn a_snapshot_tells_who_runs_and_what_for() {
    on_runtimes(|| async {
        for observes in [false, true] {
            let builder = Text::new().limit(2).backlog(5).name("pages");
            let builder = if observes { builder.observe() } else { builder };
            let group = Group::<(), _>::build(builder).unwrap();
            assert_eq!(group.snapshot().to_string(), "pages: 0 running, 0 queued");
            let gate = CancelToken::new();
            let held = gate.clone();
            group
                .named("home")
                .spawn(move |cx| async move {
                    let outer = cx.waiting_for("a page");
                    let inner = cx.waiting_for("the gate");
                    held.cancelled().await;
                    drop(inner);
                    assert_eq!(cx.snapshot().tasks[0].waits_for, Some("a page"));
                    drop(outer);
                    assert_eq!(cx.snapshot().tasks[0].waits_for, None);
                    Ok(())
                })
                .await;
            let held = gate.clone();
            group
                .spawn(|_| async move {
                    held.cancelled().await;
                    Ok(())
                })
                .await;
            let state = TaskState::Waiting;
            until("two wait", || {
                group.snapshot().tasks.iter().filter(|task| task.state == state).count() == 2
            })
            .await;
            let held = gate.clone();
            group
                .named("about")
                .spawn(|_| async move {
                    held.cancelled().await;
                    Ok(())
                })
                .await;
            let snapshot = group.snapshot();
            assert_eq!((snapshot.running, snapshot.queued), (2, 1));
            let ids: Vec<_> = snapshot.tasks.iter().map(|task| task.id.to_string()).collect();
            assert_eq!(ids, ["task 0 (home)", "task 1", "task 2 (about)"]);
            assert_eq!(snapshot.tasks[2].state, TaskState::Queued);
            let ages: Vec<_> = snapshot.tasks.iter().map(|task| task.age.is_some()).collect();
            assert_eq!(ages, [observes, observes, false]);
            assert_eq!(snapshot.tasks[0].waits_for, Some("the gate"));
            assert!(snapshot.to_string().contains("waits for the gate"), "{snapshot}");
            gate.cancel();
            group.join().await.unwrap();
        }
    });
}

#[test]
fn a_snapshot_without_a_limit_tells_who_waits() {
    on_runtimes(|| async {
        for observes in [false, true] {
            let builder = Builder::<FirstError<()>>::new();
            let builder = if observes { builder.observe() } else { builder };
            let group = Group::<(), ()>::build(builder).unwrap();
            group
                .named("home")
                .spawn(|cx| async move {
                    let _label = cx.waiting_for("ever");
                    std::future::pending().await
                })
                .await;
            until("it waits", || group.snapshot().tasks.len() == 1).await;
            let snapshot = group.snapshot();
            assert_eq!((snapshot.running, snapshot.queued), (1, 0));
            assert_eq!((snapshot.limit, snapshot.backlog), (usize::MAX, 0));
            let task = &snapshot.tasks[0];
            assert_eq!((task.id.name(), task.state), (Some("home"), TaskState::Waiting));
            assert_eq!((task.age.is_some(), task.waits_for), (observes, Some("ever")));
        }
    });
}

#[test]
fn errors_go_where_errors_go() {
    async fn with_anyhow() -> anyhow::Result<()> {
        let group = Group::<u8, anyhow::Error>::new();
        group.spawn(|_| async { Ok("300".parse()?) }).await;
        Ok(group.join().await?)
    }
    async fn with_a_box() -> Result<(), Box<dyn std::error::Error>> {
        let group = group::<&str>(None);
        group.spawn(|_| async { Err("boxed") }).await;
        Ok(group.join().await?)
    }
    on_runtimes(|| async {
        let error = with_anyhow().await.unwrap_err();
        assert_eq!(error.to_string(), "task 0: number too large to fit in target type");
        assert_eq!(with_a_box().await.unwrap_err().to_string(), "task 0: boxed");
    });
}

/// Joined by a thread that blocks.
#[cfg(feature = "sync")]
#[test]
fn a_thread_joins_a_group_of_tasks() {
    within_patience(|| {
        let runtime = multi_thread();
        for limit in LIMITS {
            let ran = Counter::new();
            let group = runtime.block_on(async {
                let group = group::<&str>(limit);
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
                group
            });
            group.wait_idle().wait();
            assert_eq!(ran.value(), 10);
            runtime.block_on(async { group.spawn(|_| async { Err("the end") }).await });
            assert_eq!(failed(group.join().wait()), Some((10, "the end")));
        }
    });
}
