//! gammazero/workerpool, `workerpool_test.go`.

use super::occupy;
use crate::support::{Counter, ends, until};
use lockgate_workerpool::JobError;
use lockgate_workerpool::thread::{Pool, Queue};
use std::thread;
use std::time::Duration;

#[test]
fn stop_race() {
    ends(|| {
        let pool = Pool::new(20).unwrap();
        let gate = occupy(&pool, 20);
        let stoppers: Vec<_> = (0..5)
            .map(|_| {
                let pool = pool.clone();
                thread::spawn(move || pool.shutdown().wait().unwrap())
            })
            .collect();
        until("it is closed", || pool.is_shut_down());
        assert_eq!(pool.metrics().workers, 20, "nobody goes before the jobs are over");
        gate.open();
        for stopper in stoppers {
            stopper.join().unwrap();
            assert_eq!(pool.metrics().workers, 0);
        }
    });
}

/// What is said of the queue is no more than what was put there.
#[test]
fn waiting_queue_size_race() {
    ends(|| {
        const JOBS: usize = 2000;
        let pool = Pool::builder().threads(4).queue(Queue::Unbounded).build().unwrap();
        let submitters: Vec<_> = (0..4)
            .map(|_| {
                let pool = pool.clone();
                thread::spawn(move || {
                    for _ in 0..JOBS / 4 {
                        pool.spawn(thread::yield_now).unwrap();
                        let metrics = pool.metrics();
                        let seen = metrics.queued as u64 + metrics.completed;
                        assert!(seen <= metrics.submitted, "{metrics:?}");
                        assert!(metrics.running + metrics.idle <= metrics.workers);
                    }
                })
            })
            .collect();
        submitters.into_iter().for_each(|it| it.join().unwrap());
        pool.wait_idle().wait();
        assert_eq!(pool.metrics().queued, 0);
    });
}

#[test]
fn pause() {
    ends(|| {
        let pool = Pool::new(25).unwrap();
        let ran = Counter::default();
        let running = pool.submit(|| 1).unwrap();
        assert_eq!(running.wait().unwrap(), 1);
        assert!(pool.pause());
        let runs = ran.clone();
        let job = pool.submit(move || runs.add()).unwrap();
        let job = job.wait_timeout(Duration::from_millis(5)).unwrap_err();
        assert_eq!((ran.value(), pool.metrics().queued), (0, 1));
        // Twice is once.
        assert!(pool.pause());
        pool.resume();
        assert_eq!(job.wait().unwrap(), 1);
        pool.pause();
        let job = pool.submit(|| 2).unwrap();
        pool.shutdown().wait().unwrap();
        assert_eq!(job.wait().unwrap(), 2, "the end ends a pause");
        assert!(!pool.pause());
    });
}

#[test]
fn worker_leak() {
    let alive = Counter::default();
    let (starts, stopped) = (alive.clone(), Counter::default());
    let stops = stopped.clone();
    let builder = Pool::builder().threads(8).on_start(move || {
        starts.add();
    });
    let pool = builder
        .on_stop(move || {
            stops.add();
        })
        .build()
        .unwrap();
    for _ in 0..100 {
        pool.spawn(|| ()).unwrap();
    }
    pool.shutdown().wait().unwrap();
    assert_eq!((alive.value(), stopped.value()), (8, 8));
}

#[test]
fn overflow() {
    ends(|| {
        let pool = Pool::builder().threads(2).queue(Queue::Unbounded).build().unwrap();
        let gate = occupy(&pool, 2);
        let queued: Vec<_> = (0..64).map(|n| pool.submit(move || n).unwrap()).collect();
        let returned = pool.shutdown_now();
        gate.open();
        pool.shutdown().wait().unwrap();
        assert_eq!(returned.len(), 64, "what did not start is handed back");
        returned.into_iter().for_each(|job| job.run());
        assert!(queued.into_iter().enumerate().all(|(n, job)| job.wait().unwrap() == n));
    });
}

#[test]
fn panic_do() {
    let pool = Pool::new(1).unwrap();
    let job = pool.submit(|| panic!("Oops!")).unwrap();
    let Err(JobError::Panicked(panicked)) = job.wait() else { panic!("it panicked") };
    assert_eq!(panicked.message(), Some("Oops!"));
    assert_eq!(*panicked.into_payload().downcast::<&str>().unwrap(), "Oops!");
    assert_eq!(pool.submit(|| 1).unwrap().wait().unwrap(), 1);
}
