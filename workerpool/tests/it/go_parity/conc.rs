//! sourcegraph/conc, `pool/pool_test.go` and `pool/result_pool_test.go`.

use crate::support::Counter;
use lockgate_workerpool::JobError;
use lockgate_workerpool::thread::{Pool, Queue};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

#[test]
fn panics_do_not_exhaust_goroutines() {
    let pool = Pool::new(2).unwrap();
    let jobs: Vec<_> = (0..10).map(|_| pool.submit(|| panic!("super bad thing"))).collect();
    for job in jobs {
        assert!(matches!(job.unwrap().wait(), Err(JobError::Panicked(_))));
    }
    pool.wait_idle().wait();
    assert_eq!((pool.metrics().panicked, pool.metrics().workers), (10, 2));
}

#[test]
fn deterministic_order() {
    let pool = Pool::builder().threads(8).queue(Queue::Unbounded).build().unwrap();
    let jobs = (0..1000).map(|n| {
        let job = move || {
            if n % 7 == 0 {
                thread::yield_now();
            }
            n
        };
        pool.submit(job).unwrap()
    });
    let jobs: Vec<_> = jobs.collect();
    assert!(jobs.into_iter().map(|job| job.wait().unwrap()).eq(0..1000));
}

#[test]
fn reuse() {
    let pool = Pool::new(3).unwrap();
    for round in 1..=5 {
        let done = Counter::default();
        for _ in 0..100 {
            let done = done.clone();
            pool.spawn(move || {
                done.add();
            })
            .unwrap();
        }
        pool.wait_idle().wait();
        assert_eq!((done.value(), pool.metrics().completed), (100, round * 100));
    }
}

#[test]
fn limit() {
    for threads in [1, 10, 100] {
        let pool = Pool::builder().threads(0..=threads).build().unwrap();
        let running: Arc<(AtomicUsize, AtomicUsize)> = Arc::default();
        for _ in 0..threads * 10 {
            let running = Arc::clone(&running);
            let job = move || {
                let (now, most) = &*running;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
            };
            pool.spawn(job).unwrap();
        }
        pool.wait_idle().wait();
        assert!(pool.metrics().workers <= threads);
        assert_eq!(pool.metrics().completed, threads as u64 * 10);
        assert!((1..=threads).contains(&running.1.load(Ordering::SeqCst)));
    }
}
