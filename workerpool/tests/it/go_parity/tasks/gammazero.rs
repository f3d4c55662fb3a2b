//! gammazero/workerpool.

use crate::support::{Counter, occupied, on_both, turns_until};
use futures::FutureExt;
use lockgate_workerpool::JobError;
use lockgate_workerpool::task::{Pool, Queue};
use tokio::task::yield_now;

#[test]
fn stop_race() {
    on_both(|| async {
        let pool = Pool::new(20).unwrap();
        let gate = occupied(&pool, 20).await;
        let stoppers: Vec<_> = (0..5)
            .map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    pool.shutdown().await;
                    assert_eq!(pool.metrics().workers, 0);
                })
            })
            .collect();
        turns_until(|| pool.is_shut_down()).await;
        assert_eq!(pool.metrics().workers, 20, "nobody goes before the jobs are over");
        gate.open(20);
        for stopper in stoppers {
            stopper.await.unwrap();
        }
    });
}

/// What is said of the queue is no more than what was put there.
#[test]
fn waiting_queue_size_race() {
    on_both(|| async {
        const JOBS: usize = 2000;
        let pool = Pool::builder().limit(4).queue(Queue::Unbounded).build().unwrap();
        let submitters: Vec<_> = (0..4)
            .map(|_| {
                let pool = pool.clone();
                tokio::spawn(async move {
                    for _ in 0..JOBS / 4 {
                        pool.spawn(yield_now()).await.unwrap();
                        let metrics = pool.metrics();
                        let seen = metrics.queued as u64 + metrics.completed;
                        assert!(seen <= metrics.submitted, "{metrics:?}");
                        assert!(metrics.running + metrics.idle <= metrics.workers);
                    }
                })
            })
            .collect();
        for submitter in submitters {
            submitter.await.unwrap();
        }
        pool.wait_idle().await;
        assert_eq!((pool.metrics().queued, pool.metrics().completed), (0, JOBS as u64));
    });
}

#[test]
fn pause() {
    on_both(|| async {
        let pool = Pool::new(25).unwrap();
        let ran = Counter::default();
        assert_eq!(pool.submit(async { 1 }).await.unwrap().await.unwrap(), 1);
        assert!(pool.pause());
        let runs = ran.clone();
        let mut job = pool.submit(async move { runs.add() }).await.unwrap();
        for _ in 0..20 {
            yield_now().await;
        }
        assert!((&mut job).now_or_never().is_none());
        assert_eq!((ran.value(), pool.metrics().queued), (0, 1));
        // Twice is once.
        assert!(pool.pause());
        pool.resume();
        assert_eq!(job.await.unwrap(), 1);
        assert!(pool.pause());
        let job = pool.submit(async { 2 }).await.unwrap();
        pool.shutdown().await;
        assert_eq!(job.await.unwrap(), 2, "the end ends a pause");
        assert!(!pool.pause());
    });
}

#[test]
fn worker_leak() {
    on_both(|| async {
        let live = tokio::runtime::Handle::current().metrics();
        let before = live.num_alive_tasks();
        let pool = Pool::new(8).unwrap();
        let gate = occupied(&pool, 8).await;
        assert_eq!(live.num_alive_tasks(), before + 8);
        for _ in 0..100 {
            pool.spawn(async {}).await.unwrap();
        }
        gate.open(8);
        pool.shutdown().await;
        assert_eq!(pool.metrics().completed, 108);
        turns_until(|| live.num_alive_tasks() == before).await;
    });
}

#[test]
fn overflow() {
    on_both(|| async {
        let pool = Pool::builder().limit(2).queue(Queue::Unbounded).build().unwrap();
        let gate = occupied(&pool, 2).await;
        let mut queued = Vec::new();
        for n in 0..64 {
            queued.push(pool.submit(async move { n }).await.unwrap());
        }
        let returned = pool.shutdown_now();
        gate.open(2);
        pool.shutdown().await;
        assert_eq!(returned.len(), 64, "what did not start is handed back");
        for job in returned {
            job.await;
        }
        for (n, job) in (0..).zip(queued) {
            assert_eq!(job.await.unwrap(), n);
        }
    });
}

#[test]
fn panic_do() {
    on_both(|| async {
        let pool = Pool::new(1).unwrap();
        let job = pool.submit(async { panic!("Oops!") }).await.unwrap();
        let Err::<(), _>(JobError::Panicked(panicked)) = job.await else { panic!("it panicked") };
        assert_eq!(panicked.message(), Some("Oops!"));
        assert_eq!(*panicked.into_payload().downcast::<&str>().unwrap(), "Oops!");
        assert_eq!(pool.submit(async { 1 }).await.unwrap().await.unwrap(), 1);
    });
}
