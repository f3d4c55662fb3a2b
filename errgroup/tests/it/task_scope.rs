//! Scopes of tasks: they borrow, they are concurrent, and they end before they return.

use lockgate_errgroup::task::{scope, scope_local, scope_local_with, scope_with};
use lockgate_errgroup::{Builder, CancelToken, Cancelled, Cause, Error, Snapshot, TaskState};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};

#[tokio::test]
async fn tasks_borrow_what_outlives_the_scope() {
    let hits = AtomicUsize::new(0);
    let names = vec!["a".to_owned(), "bc".to_owned()];
    let (hits_ref, names_ref) = (&hits, &names);
    scope(|g| async move {
        for name in names_ref {
            g.spawn(move |_| async move {
                tokio::task::yield_now().await;
                hits_ref.fetch_add(name.len(), Ordering::Relaxed);
                Ok::<(), ()>(())
            })
            .await;
        }
    })
    .await
    .unwrap();
    assert_eq!(hits.into_inner(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scope_may_itself_be_spawned() {
    let total = tokio::spawn(async {
        let hits = AtomicUsize::new(0);
        let hits_ref = &hits;
        scope(|g| async move {
            for _ in 0..1000 {
                g.spawn(move |_| async move {
                    tokio::task::yield_now().await;
                    hits_ref.fetch_add(1, Ordering::Relaxed);
                    Ok::<(), ()>(())
                })
                .await;
            }
        })
        .await
        .unwrap();
        hits.into_inner()
    });
    assert_eq!(total.await.unwrap(), 1000);
}

#[tokio::test]
async fn the_limit_bounds_what_is_polled_at_a_time() {
    let (now, most) = (Cell::new(0), Cell::new(0));
    let (now, most) = (&now, &most);
    scope_local_with(Builder::new().limit(3).backlog(2), |g| async move {
        for _ in 0..100 {
            g.spawn(move |_| async move {
                now.set(now.get() + 1);
                most.set(most.get().max(now.get()));
                tokio::task::yield_now().await;
                now.set(now.get() - 1);
                Ok::<(), ()>(())
            })
            .await;
        }
    })
    .await
    .unwrap();
    assert_eq!((now.get(), most.get()), (0, 3));
}

#[tokio::test]
async fn local_tasks_need_not_be_send() {
    let count = Rc::new(Cell::new(0));
    let shared = Rc::clone(&count);
    scope_local(|g| async move {
        for _ in 0..3 {
            let shared = Rc::clone(&shared);
            g.spawn(|_| async move {
                shared.set(shared.get() + 1);
                Ok::<(), ()>(())
            })
            .await;
        }
    })
    .await
    .unwrap();
    assert_eq!(count.get(), 3);
}

#[tokio::test]
async fn the_first_error_cancels_the_rest_and_is_returned() {
    let error = scope(|g| async move {
        for n in 0..10 {
            g.spawn(move |g| async move {
                if n == 4 {
                    return Err("four".to_owned());
                }
                g.token().cancelled().await;
                Err::<(), _>(g.check().unwrap_err().to_string())
            })
            .await;
        }
    })
    .await
    .unwrap_err();
    assert!(matches!(error, Error::Task { index: 4, ref error, .. } if error == "four"));
}

#[tokio::test]
async fn a_task_spawns_into_its_own_scope_at_any_limit() {
    let hits = AtomicUsize::new(0);
    let hits_ref = &hits;
    scope_with(Builder::new().limit(1).backlog(0), |g| async move {
        g.spawn(move |g| async move {
            for _ in 0..1000 {
                g.spawn(move |_| async move {
                    hits_ref.fetch_add(1, Ordering::Relaxed);
                    Ok::<(), Cancelled>(())
                })
                .await;
            }
            Ok(())
        })
        .await;
    })
    .await
    .unwrap();
    assert_eq!(hits.into_inner(), 1000);
}

#[tokio::test]
async fn a_spawner_that_waits_is_woken_by_the_cancel() {
    let mut rejected = false;
    let seen = &mut rejected;
    let outcome = scope_with(Builder::new().limit(1).backlog(0), |g| async move {
        g.spawn(|g| async move {
            tokio::task::yield_now().await;
            g.token().cancel_with("enough");
            tokio::task::yield_now().await;
            Ok::<(), ()>(())
        })
        .await;
        *seen = g.spawn(|_| async { Ok(()) }).await.is_rejected();
    })
    .await;
    assert!(rejected);
    assert!(matches!(outcome, Err(Error::Cancelled(Cause::Message(text))) if text == "enough"));
}

#[tokio::test]
async fn the_body_panics_and_its_tasks_end_first() {
    let ended = AtomicUsize::new(0);
    let ended_ref = &ended;
    let scope =
        scope_with(Builder::<lockgate_errgroup::join::FirstError<()>>::new(), |g| async move {
            g.spawn(move |g| async move {
                g.token().cancelled().await;
                ended_ref.fetch_add(1, Ordering::Relaxed);
                Ok::<(), ()>(())
            })
            .await;
            tokio::task::yield_now().await;
            panic!("the body");
        });
    let caught = futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(scope)).await;
    let payload = caught.unwrap_err();
    assert_eq!(payload.downcast_ref::<&str>(), Some(&"the body"));
    assert_eq!(ended.into_inner(), 1);
}

#[tokio::test]
async fn a_dropped_scope_drops_its_tasks() {
    struct Counted<'a>(&'a AtomicUsize);
    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let drops = AtomicUsize::new(0);
    let drops_ref = &drops;
    let mut pending = Box::pin(scope_with(Builder::new().limit(2), |g| async move {
        for _ in 0..5 {
            let counted = Counted(drops_ref);
            g.spawn(move |g| async move {
                let _counted = counted;
                g.token().cancelled().await;
                Ok::<(), ()>(())
            })
            .await;
        }
    }));
    assert!(futures::poll!(pending.as_mut()).is_pending());
    drop(pending);
    assert_eq!(drops.into_inner(), 5);
}

fn lines(snapshot: &Snapshot) -> Vec<(String, TaskState, Option<&'static str>)> {
    let line =
        |task: &lockgate_errgroup::LiveTask| (task.id.to_string(), task.state, task.waits_for);
    snapshot.tasks.iter().map(line).collect()
}

#[tokio::test]
async fn a_snapshot_tells_who_runs_and_what_for() {
    use TaskState::{Queued, Running, Waiting};
    for observes in [false, true] {
        let builder = Builder::new().limit(2).backlog(5).name("pages");
        let builder = if observes { builder.observe() } else { builder };
        let gate = CancelToken::new();
        let gate = &gate;
        scope_with(builder, |g| async move {
            assert_eq!(g.snapshot().to_string(), "pages: 0 running, 0 queued");
            g.named("home")
                .spawn(move |g| async move {
                    let outer = g.waiting_for("a page");
                    let inner = g.waiting_for("the gate");
                    gate.cancelled().await;
                    drop(inner);
                    let own = |state, what| ("task 0 (home)".to_owned(), state, what);
                    assert_eq!(lines(&g.snapshot())[0], own(Running, Some("a page")));
                    drop(outer);
                    assert_eq!(lines(&g.snapshot())[0], own(Running, None));
                    Ok(())
                })
                .await;
            for name in [None, Some("about")] {
                let wait = move |_| async move {
                    gate.cancelled().await;
                    Ok::<(), &str>(())
                };
                match name {
                    None => drop(g.spawn(wait).await),
                    Some(name) => drop(g.named(name).spawn(wait).await),
                }
            }
            // The tasks have their turn.
            tokio::task::yield_now().await;
            let snapshot = g.snapshot();
            assert_eq!((snapshot.limit, snapshot.backlog), (2, 5));
            assert_eq!((snapshot.running, snapshot.queued), (2, 1));
            let wanted = [
                ("task 0 (home)".to_owned(), Waiting, Some("the gate")),
                ("task 1".to_owned(), Waiting, None),
                ("task 2 (about)".to_owned(), Queued, None),
            ];
            assert_eq!(lines(&snapshot), wanted);
            let ages: Vec<_> = snapshot.tasks.iter().map(|task| task.age.is_some()).collect();
            assert_eq!(ages, [observes, observes, false]);
            // Who was called and was not polled yet is about to run.
            gate.cancel();
            assert_eq!(lines(&g.snapshot())[1].1, Running);
            tokio::task::yield_now().await;
            tokio::task::yield_now().await;
            assert!(g.snapshot().tasks.is_empty(), "{}", g.snapshot());
            assert_eq!((g.snapshot().running, g.snapshot().queued), (0, 0));
        })
        .await
        .unwrap();
    }
}

/// A place that has been used before shows whoever has it now.
#[tokio::test]
async fn a_snapshot_follows_the_places() {
    scope_local_with(Builder::new().limit(3), |g| async move {
        for round in 0..3_usize {
            let before = round * 3;
            for _ in 0..3 {
                g.spawn(move |g| async move {
                    tokio::task::yield_now().await;
                    let own = g.id().cloned().unwrap();
                    let running: Vec<_> = g
                        .snapshot()
                        .tasks
                        .into_iter()
                        .filter(|task| task.state == TaskState::Running)
                        .collect();
                    assert!(running.iter().any(|task| task.id == own));
                    Ok::<(), ()>(())
                })
                .await;
            }
            while !g.snapshot().tasks.is_empty() {
                let seen = g.snapshot();
                assert!(seen.tasks.iter().all(|task| task.id.index() >= before), "{seen}");
                tokio::task::yield_now().await;
            }
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn errors_and_causes_tell_the_name() {
    let token = CancelToken::new();
    let seen = &token;
    let error = scope_local(|g| async move {
        let parent = g.token().clone();
        g.named("broken").try_spawn(|_| async { Err::<(), _>("no") }).unwrap();
        g.token().cancelled().await;
        seen.cancel_with(parent.cause().unwrap());
    })
    .await
    .unwrap_err();
    assert_eq!(error.to_string(), "task 0 (broken): no");
    let Some(Cause::Task { index: 0, name: Some(name) }) = token.cause() else {
        panic!("{:?}", token.cause())
    };
    assert_eq!(&*name, "broken");
}
