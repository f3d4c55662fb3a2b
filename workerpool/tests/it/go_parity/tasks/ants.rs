//! ants v2.

use crate::support::{Counter, TaskGate, occupied, on_both, turns_until};
use futures::FutureExt;
use lockgate_workerpool::task::{Pool, Queue};
use lockgate_workerpool::{JobError, Reason};
use std::sync::{Arc, Mutex};

#[test]
fn max_blocking_submit() {
    on_both(|| async {
        let pool = Pool::builder().limit(10).queue(Queue::Handoff).build().unwrap();
        let gate = occupied(&pool, 10).await;
        let mut blocked = pool.submit(async { 4 });
        assert!((&mut blocked).now_or_never().is_none());
        assert_eq!(pool.metrics().waiting, 1);
        assert_eq!(pool.try_submit(async {}).unwrap_err().reason, Reason::Full);
        // Whoever may not wait for longer drops the request.
        assert!(pool.reserve().now_or_never().is_none());
        assert_eq!(pool.metrics().waiting, 1);
        gate.open(10);
        assert_eq!(blocked.await.unwrap().await.unwrap(), 4);
    });
}

#[test]
fn reboot_new_pool() {
    on_both(|| async {
        let pool = Pool::new(5).unwrap();
        pool.submit(async {}).await.unwrap().await.unwrap();
        pool.shutdown().await;
        assert_eq!(pool.spawn(async {}).await.unwrap_err().reason, Reason::Closed);
        pool.resume();
        pool.resize(2).unwrap();
        let refused = pool.spawn(async {}).await.unwrap_err();
        assert_eq!(refused.reason, Reason::Closed, "it stays so");
        assert_eq!(pool.metrics().workers, 0);
        let again = Pool::new(5).unwrap();
        assert_eq!(again.submit(async { 2 }).await.unwrap().await.unwrap(), 2);
    });
}

/// Those that wait for a worker go on at once.
#[test]
fn pool_tune_scale_up() {
    on_both(|| async {
        let pool = Pool::builder().limit(2).queue(Queue::Handoff).build().unwrap();
        let gate = occupied(&pool, 2).await;
        let done = Counter::default();
        let blocked: Vec<_> = (0..4)
            .map(|_| {
                let (pool, gate, done) = (pool.clone(), gate.clone(), done.clone());
                tokio::spawn(async move {
                    pool.spawn(gate.pass()).await.unwrap();
                    done.add();
                })
            })
            .collect();
        turns_until(|| pool.metrics().waiting == 4).await;
        assert_eq!(pool.metrics().running, 2);
        pool.resize(3).unwrap();
        turns_until(|| done.value() == 1).await;
        gate.come(1).await;
        assert_eq!((pool.metrics().running, pool.metrics().waiting), (3, 3));
        pool.resize(6).unwrap();
        for task in blocked {
            task.await.unwrap();
        }
        gate.open(6);
    });
}

#[test]
fn release_when_running_pool() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Handoff).build().unwrap();
        let gate = occupied(&pool, 1).await;
        let submitters: Vec<_> = (0..30)
            .map(|n| {
                let pool = pool.clone();
                tokio::spawn(async move { pool.submit(async move { n }).await.unwrap_err().reason })
            })
            .collect();
        turns_until(|| pool.metrics().waiting == 30).await;
        let mut ends = pool.shutdown();
        assert!((&mut ends).now_or_never().is_none(), "one runs");
        for submitter in submitters {
            assert_eq!(submitter.await.unwrap(), Reason::Closed);
        }
        gate.open(1);
        ends.await;
    });
}

#[test]
fn panic_handler() {
    on_both(|| async {
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let tells = Arc::clone(&told);
        let builder = Pool::builder().limit(10).on_panic(move |panicked| {
            tells.lock().unwrap().push(panicked.message().unwrap_or("?").into());
        });
        let pool = builder.build().unwrap();
        pool.spawn(async { panic!("Oops!") }).await.unwrap();
        pool.wait_idle().await;
        assert_eq!(*told.lock().unwrap(), ["Oops!"]);
        assert_eq!((pool.metrics().panicked, pool.metrics().running), (1, 0));
    });
}

/// The same where somebody has the handle: it is told, and nobody else.
#[test]
fn panic_handler_of_a_job_with_a_handle() {
    on_both(|| async {
        let told = Counter::default();
        let tells = told.clone();
        let pool = Pool::builder().limit(2).on_panic(move |_| tells.tick()).build().unwrap();
        let job = pool.submit(async { panic!("Oops!") }).await.unwrap();
        assert!(matches!(job.await, Err::<(), _>(JobError::Panicked(_))));
        assert_eq!(told.value(), 0);
    });
}

#[test]
fn pool_panic_without_handler() {
    on_both(|| async {
        let pool = Pool::new(10).unwrap();
        pool.spawn(async { panic!("Oops!") }).await.unwrap();
        assert_eq!(pool.submit(async { 1 }).await.unwrap().await.unwrap(), 1);
        pool.wait_idle().await;
        assert_eq!(pool.metrics().panicked, 1);
        // All ten can still be had.
        let gate = TaskGate::new();
        for _ in 0..10 {
            pool.spawn(gate.clone().pass()).await.unwrap();
        }
        gate.come(10).await;
        assert_eq!(pool.metrics().workers, 10);
        gate.open(10);
    });
}
