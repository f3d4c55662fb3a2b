//! Scopes of tasks: they borrow, they are concurrent, and they end before they return.

use lockgate_errgroup::task::{scope, scope_local, scope_local_with, scope_with};
use lockgate_errgroup::{Builder, Cancelled, Cause, Error};
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
