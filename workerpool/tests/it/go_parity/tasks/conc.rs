//! sourcegraph/conc.

use crate::support::{Counter, on_both};
use lockgate_workerpool::JobError;
use lockgate_workerpool::task::{Pool, Queue};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::task::yield_now;

#[test]
fn panics_do_not_exhaust_goroutines() {
    on_both(|| async {
        let pool = Pool::new(2).unwrap();
        let mut jobs = Vec::new();
        for _ in 0..10 {
            jobs.push(pool.submit(async { panic!("super bad thing") }).await.unwrap());
        }
        for job in jobs {
            assert!(matches!(job.await, Err::<(), _>(JobError::Panicked(_))));
        }
        assert_eq!(pool.run(async { 1 }).await.unwrap(), 1);
        pool.wait_idle().await;
        assert_eq!((pool.metrics().panicked, pool.metrics().completed), (10, 1));
    });
}

#[test]
fn deterministic_order() {
    on_both(|| async {
        let pool = Pool::builder().limit(8).queue(Queue::Unbounded).build().unwrap();
        let work = |n: u32| async move {
            if n % 7 == 0 {
                yield_now().await;
            }
            n
        };
        let jobs = pool.submit_batch((0..1000).map(work)).await.unwrap();
        for (n, job) in (0..).zip(jobs) {
            assert_eq!(job.await.unwrap(), n);
        }
        let all = pool.map(0..1000, work).await.unwrap();
        assert!(all.into_iter().eq(0..1000));
    });
}

#[test]
fn reuse() {
    on_both(|| async {
        let pool = Pool::new(3).unwrap();
        for round in 1..=5 {
            let done = Counter::default();
            for _ in 0..100 {
                let done = done.clone();
                pool.spawn(async move { done.tick() }).await.unwrap();
            }
            pool.wait_idle().await;
            assert_eq!((done.value(), pool.metrics().completed), (100, round * 100));
        }
    });
}

#[test]
fn limit() {
    on_both(|| async {
        for limit in [1, 10, 100] {
            let pool = Pool::new(limit).unwrap();
            let running: Arc<(AtomicUsize, AtomicUsize)> = Arc::default();
            for _ in 0..limit * 10 {
                let running = Arc::clone(&running);
                let job = async move {
                    let (now, most) = &*running;
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    yield_now().await;
                    now.fetch_sub(1, Ordering::SeqCst);
                };
                pool.spawn(job).await.unwrap();
            }
            pool.wait_idle().await;
            assert!(pool.metrics().workers <= limit);
            assert_eq!(pool.metrics().completed, limit as u64 * 10);
            assert!((1..=limit).contains(&running.1.load(Ordering::SeqCst)));
        }
    });
}
