//! A pool that finds out how many workers are of use.

use crate::support::until;
use lockgate_workerpool::thread::{Pool, Queue};
use std::time::Duration;

#[test]
fn jobs_that_sleep_get_more_workers_and_all_of_them_run() {
    let builder = Pool::builder().threads(1..=32).adaptive().queue(Queue::Unbounded);
    let pool = builder.build().unwrap();
    assert_eq!(pool.threads(), 1..=1);
    let mut jobs = Vec::new();
    until("it has grown", || {
        for _ in 0..64 {
            let job = || std::thread::sleep(Duration::from_micros(500));
            jobs.push(pool.submit(job).unwrap());
        }
        std::thread::sleep(Duration::from_millis(5));
        *pool.threads().end() >= 8
    });
    assert!(*pool.threads().end() <= 32);
    assert!(pool.metrics().workers > 4);
    assert!(jobs.into_iter().all(|job| job.wait().is_ok()));
    pool.shutdown().wait().unwrap();
}

#[test]
fn without_a_backlog_nothing_changes() {
    let pool = Pool::builder().threads(2..=64).adaptive().build().unwrap();
    for n in 0..2000 {
        assert_eq!(pool.submit(move || n).unwrap().wait().unwrap(), n);
    }
    assert_eq!(pool.threads(), 2..=2);
    pool.resize(3..=9).unwrap();
    assert_eq!(pool.threads(), 3..=3, "it begins anew");
}
