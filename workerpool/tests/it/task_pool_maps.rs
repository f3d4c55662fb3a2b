//! Pools of tasks: one closure over many items.

use crate::support::{Counter, TaskGate, on_both, runtime};
use futures::FutureExt;
use lockgate_workerpool::task::{Pool, Queue, Reject};
use lockgate_workerpool::{BatchSize, JobError, MapError, Reason};
use std::pin::pin;
use tokio::task::yield_now;

const REJECTS: [Reject; 5] =
    [Reject::Block, Reject::Fail, Reject::CallerRuns, Reject::DropNewest, Reject::DropOldest];
const QUEUES: [Queue; 4] =
    [Queue::Handoff, Queue::Bounded(1), Queue::Bounded(100), Queue::Unbounded];
const SIZES: [BatchSize; 4] =
    [BatchSize::Fixed(1), BatchSize::Fixed(7), BatchSize::PerCore, BatchSize::Auto];

/// What it takes to see an item again.
#[derive(Debug, PartialEq, Eq)]
struct Parcel(usize);

/// Waits now and then.
async fn work(n: usize) -> usize {
    if n % 3 == 0 {
        yield_now().await;
    }
    n
}

#[test]
fn every_item_has_its_result_in_its_place() {
    on_both(|| async {
        for (reject, queue) in REJECTS.into_iter().flat_map(|it| QUEUES.map(|queue| (it, queue))) {
            let pool = Pool::builder().limit(2).queue(queue).reject(reject).build().unwrap();
            for size in SIZES {
                let parcels = (0..200).map(Parcel);
                let double = |Parcel(n): Parcel| async move { work(n).await * 2 };
                let all = pool.map_batched(parcels, size, double).await.unwrap();
                let expected = (0..200).map(|n| n * 2);
                assert!(all.into_iter().eq(expected), "{reject:?} {queue:?} {size:?}");
            }
            assert!(pool.map(0..0, work).await.unwrap().is_empty());
            pool.wait_idle().await;
            let metrics = pool.metrics();
            assert_eq!((metrics.rejected, metrics.waiting, metrics.queued), (0, 0, 0));
        }
    });
}

#[test]
fn unordered_gives_each_as_it_comes() {
    on_both(|| async {
        let (pool, gate) = (Pool::new(2).unwrap(), TaskGate::new());
        let waits = gate.clone();
        let job = move |n: usize| {
            let waits = waits.clone();
            async move {
                if n == 0 {
                    waits.pass().await;
                }
                n * 3
            }
        };
        let mut map = pool.map(0..8, job).unordered();
        let mut seen = Vec::new();
        for _ in 0..7 {
            seen.push(map.next_result().await.unwrap().unwrap());
        }
        gate.open(1);
        assert_eq!(map.next_result().await.unwrap().unwrap(), (0, 0), "nobody waits for it");
        seen.sort_unstable();
        assert!(seen.into_iter().eq((1..8).map(|n| (n, n * 3))));
        assert!(map.next_result().await.is_none() && map.next_result().await.is_none());
    });
}

#[test]
fn a_job_maps_over_its_own_pool() {
    on_both(|| async {
        for (reject, queue) in REJECTS.into_iter().flat_map(|it| QUEUES.map(|queue| (it, queue))) {
            for limit in [1, 2] {
                let builder = Pool::builder().limit(limit).queue(queue).reject(reject);
                let pool = builder.build().unwrap();
                let sum = |inner: Pool, unordered: bool| async move {
                    let leaf = inner.clone();
                    let leaves = move |n: usize| {
                        let leaf = leaf.clone();
                        async move { leaf.map(0..n, work).await.unwrap().into_iter().sum::<usize>() }
                    };
                    let map = inner.map_batched(0..20_usize, BatchSize::Fixed(3), leaves);
                    let mut sum = 0;
                    if unordered {
                        let mut map = map.unordered();
                        while let Some(result) = map.next_result().await {
                            sum += result.unwrap().1;
                        }
                    } else {
                        sum = map.await.unwrap().into_iter().sum();
                    }
                    sum
                };
                let expected = (0..20).map(|n: usize| (0..n).sum::<usize>()).sum::<usize>();
                let one = pool.try_submit(sum(pool.clone(), true)).ok();
                for job in [one, pool.try_submit(sum(pool.clone(), false)).ok()] {
                    match job {
                        None => {}
                        Some(job) => match job.await {
                            Ok(found) => {
                                assert_eq!(found, expected, "{reject:?} {queue:?} {limit}")
                            }
                            Err(JobError::Dropped) => {}
                            Err(error) => panic!("{error} {reject:?} {queue:?} {limit}"),
                        },
                    }
                }
                pool.shutdown().await;
                let metrics = pool.metrics();
                let over = metrics.completed + metrics.failed + metrics.aborted;
                assert!(metrics.submitted - over <= metrics.rejected, "{metrics:?}");
                assert_eq!((metrics.workers, metrics.queued), (0, 0));
            }
        }
    });
}

#[test]
fn a_panic_is_that_item_s_alone() {
    on_both(|| async {
        let pool = Pool::new(2).unwrap();
        // Where it is called, in a poll, and when it is dropped.
        let told = |n: usize| {
            if n % 30 == 7 {
                std::panic::resume_unwind(Box::new("no sevens"));
            }
            let drops = Drops(n % 30 == 27);
            async move {
                let _drops = drops;
                yield_now().await;
                if n % 30 == 17 {
                    std::panic::resume_unwind(Box::new("no sevens"));
                }
                n
            }
        };
        for size in [BatchSize::Fixed(1), BatchSize::Fixed(4), BatchSize::Auto] {
            let (mut wrong, mut index) = (Vec::new(), 0);
            let mut map = pool.map_batched(0..50, size, told);
            while let Some(result) = map.next_result().await {
                match result {
                    Ok(n) => assert_eq!(n, index),
                    Err(error) => {
                        assert!(error.item.is_none(), "the closure has it");
                        assert!(matches!(error.error, JobError::Panicked(_)));
                        let text = format!("item {index}: the job panicked: no sevens");
                        assert_eq!(error.to_string(), text);
                        wrong.push(error.index);
                    }
                }
                index += 1;
            }
            assert_eq!((wrong, index), (vec![7, 17, 27, 37, 47], 50));
            let first = pool.map_batched(0..50, size, told).await.unwrap_err();
            assert_eq!(first.index, 7, "the first");
        }
        pool.wait_idle().await;
        assert!(pool.metrics().failed > 0);
    });
}

/// Panics when it is dropped.
struct Drops(bool);

impl Drop for Drops {
    fn drop(&mut self) {
        if self.0 && !std::thread::panicking() {
            std::panic::resume_unwind(Box::new("no sevens"));
        }
    }
}

#[test]
fn a_shutdown_gives_every_item_back_that_was_not_used() {
    on_both(|| async {
        let (pool, gate) = (Pool::new(1).unwrap(), TaskGate::new());
        let waits = gate.clone();
        let job = move |Parcel(n)| waits.clone().pass().map(move |()| n);
        let mut map = pool.map_batched((0..40).map(Parcel), BatchSize::Fixed(2), job);
        assert!(map.next_result().now_or_never().is_none());
        gate.come(1).await;
        assert_eq!(pool.metrics().queued, 3);
        drop(pool.shutdown_now());
        gate.open(2);
        let (mut used, mut aborted, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(result) = map.next_result().await {
            match result {
                Ok(n) => used.push(n),
                Err(MapError { index, item, error: JobError::Aborted, .. }) => {
                    assert_eq!(item, Some(Parcel(index)));
                    aborted.push(index);
                }
                Err(MapError {
                    index, item, error: JobError::Rejected(Reason::Closed), ..
                }) => {
                    assert_eq!(item, Some(Parcel(index)));
                    refused.push(index);
                }
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!(used, [0, 1], "the batch that ran");
        assert_eq!(aborted, [2, 3, 4, 5, 6, 7], "those that were in the queue");
        assert!(refused.into_iter().eq(8..40), "and those that were not");
    });
}

/// What a batch had done when its runtime ended is there, and so is what it had not begun with.
#[test]
fn the_end_of_the_runtime_gives_every_item_back_that_was_not_used() {
    for threads in [1, 2] {
        let runtime = runtime(threads);
        let pool = Pool::builder().limit(1).runtime(runtime.handle().clone()).build().unwrap();
        let gate = TaskGate::new();
        let waits = gate.clone();
        let job = move |Parcel(n)| {
            let waits = waits.clone();
            async move {
                if n == 2 {
                    waits.pass().await;
                }
                n
            }
        };
        let mut map = pool.map_batched((0..60).map(Parcel), BatchSize::Fixed(5), job);
        assert!(map.next_result().now_or_never().is_none());
        runtime.block_on(gate.come(1));
        drop(runtime);
        let mut all = Vec::new();
        while let Some(result) = map.next_result().now_or_never().expect("all of it is over") {
            all.push(result);
        }
        assert_eq!(all.len(), 60);
        for (at, result) in all.into_iter().enumerate() {
            match (at, result) {
                (0 | 1, Ok(n)) => assert_eq!(n, at),
                (2, Err(error)) => {
                    assert!(error.item.is_none(), "the closure has it");
                    assert!(matches!(error.error, JobError::NoRuntime));
                }
                (3.., Err(error)) => {
                    assert_eq!((error.index, error.item), (at, Some(Parcel(at))));
                    assert!(matches!(
                        error.error,
                        JobError::NoRuntime | JobError::Rejected(Reason::Closed)
                    ));
                }
                (at, result) => panic!("{at}: {result:?}"),
            }
        }
    }
}

#[test]
fn a_batch_that_is_dropped_for_others_is_submitted_again() {
    on_both(|| async {
        let builder = Pool::builder().limit(1).queue(Queue::Bounded(2)).reject(Reject::DropOldest);
        let (pool, gate) = (builder.build().unwrap(), TaskGate::new());
        let waits = gate.clone();
        let mut all = pin!(
            pool.map((0..10).map(Parcel), move |Parcel(n)| waits.clone().pass().map(move |()| n))
        );
        assert!(all.as_mut().now_or_never().is_none());
        gate.come(1).await;
        assert_eq!(pool.metrics().queued, 2);
        for _ in 0..2 {
            pool.spawn(async {}).await.unwrap();
        }
        assert_eq!(pool.metrics().rejected, 2);
        gate.open(10);
        assert!(all.await.unwrap().into_iter().eq(0..10));
    });
}

#[test]
fn a_map_that_is_dropped_aborts_what_has_not_started() {
    on_both(|| async {
        let (pool, gate) = (Pool::new(1).unwrap(), TaskGate::new());
        let (started, dropped) = (Counter::default(), Counter::default());
        let (waits, starts) = (gate.clone(), started.clone());
        let items: Vec<_> = (0..100).map(|_| dropped.on_drop()).collect();
        let job = move |item| {
            let second = starts.add() == 2;
            let waits = waits.clone();
            async move {
                if second {
                    waits.pass().await;
                }
                drop(item);
            }
        };
        let mut map = pool.map(items, job);
        assert!(map.next_result().await.unwrap().is_ok());
        gate.come(1).await;
        drop(map);
        assert_eq!(dropped.value(), 99, "but for the one that runs");
        gate.open(1);
        pool.wait_idle().await;
        assert_eq!((dropped.value(), started.value()), (100, 2));
        assert_eq!(pool.metrics().queued, 0);
    });
}

/// At each of its polls, inside the pool and outside: no item is lost, none is used twice.
#[test]
fn a_map_may_be_dropped_at_every_poll() {
    on_both(|| async {
        for (inside, queue) in
            [(false, Queue::Bounded(1)), (true, Queue::Bounded(1)), (true, Queue::Handoff)]
        {
            for polls in 0..12 {
                let pool = Pool::builder().limit(2).queue(queue).build().unwrap();
                let (begun, dropped) = (Counter::default(), Counter::default());
                let items: Vec<_> = (0..6).map(|_| dropped.on_drop()).collect();
                let begins = begun.clone();
                let job = move |item| {
                    begins.add();
                    async move {
                        yield_now().await;
                        drop(item);
                    }
                };
                let inner = pool.clone();
                let polled = async move {
                    let mut map = inner.map_batched(items, BatchSize::Fixed(2), job);
                    for _ in 0..polls {
                        match (&mut map).now_or_never() {
                            None => yield_now().await,
                            Some(all) => return assert_eq!(all.unwrap().len(), 6),
                        }
                    }
                };
                if inside {
                    pool.run(polled).await.unwrap();
                } else {
                    polled.await;
                }
                pool.wait_idle().await;
                pool.shutdown().await;
                let metrics = pool.metrics();
                assert_eq!(dropped.value(), 6, "each once: {inside} {queue:?} {polls}");
                assert!(begun.value() <= 6);
                let over = metrics.completed + metrics.failed + metrics.aborted;
                assert_eq!((metrics.submitted, metrics.queued), (over, 0), "{metrics:?}");
            }
        }
    });
}

/// It stands in line outside, and then goes on in the only job that there may be.
#[test]
fn a_map_that_was_polled_outside_goes_on_inside() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Handoff).build().unwrap();
        let (inner, gate) = (pool.clone(), TaskGate::new());
        let (waits, (gives, takes)) = (gate.clone(), tokio::sync::oneshot::channel());
        let job = async move {
            waits.pass().await;
            let map: Owned = takes.await.unwrap();
            map.await
        };
        let outer = pool.submit(job).await.unwrap();
        gate.come(1).await;
        let mut map: Owned = Box::pin(async move { inner.map(0..5, work).await.unwrap() });
        assert!((&mut map).now_or_never().is_none());
        assert_eq!(pool.metrics().waiting, 1);
        gate.open(1);
        assert!(gives.send(map).is_ok());
        assert_eq!(outer.await.unwrap(), [0, 1, 2, 3, 4]);
    });
}

type Owned = std::pin::Pin<Box<dyn Future<Output = Vec<usize>> + Send>>;

#[test]
fn memory_is_bounded_by_the_workers() {
    on_both(|| async {
        let (pool, pulled) = (Pool::new(2).unwrap(), Counter::default());
        let pulls = pulled.clone();
        let items = std::iter::repeat_with(move || pulls.add());
        let mut map = pool.map_batched(items, BatchSize::Fixed(5), work);
        assert_eq!(pulled.value(), 0, "a request does nothing until it is waited for");
        for expected in 1..=500 {
            assert_eq!(map.next_result().await.unwrap().unwrap(), expected);
            assert!(pulled.value() <= expected + 5 * 4 * 2 + 5, "{} of {expected}", pulled.value());
        }
    });
}

#[test]
fn a_subpool_s_map_keeps_to_its_cap_and_a_name_is_its_batches_name() {
    on_both(|| async {
        let pool = Pool::builder().limit(3).queue(Queue::Bounded(2)).build().unwrap();
        let (part, running) = (pool.subpool(1), Counter::default());
        let (begins, inner) = (running.clone(), pool.clone());
        let job = move |n| {
            let (begun, ended) = (begins.add(), begins.clone());
            let snapshot = inner.snapshot();
            async move {
                assert_eq!(begun % 2, 1, "alone");
                assert!(snapshot.jobs.iter().all(|job| job.name.as_deref() == Some("part")));
                assert!(!snapshot.jobs.is_empty());
                yield_now().await;
                ended.add();
                n
            }
        };
        let all = part.submitter().named("part").map(0..100, job).await.unwrap();
        assert!(all.into_iter().eq(0..100));
        assert!(pool.snapshot().jobs.is_empty());
    });
}

#[test]
fn a_wait_for_the_next_that_is_dropped_loses_nothing() {
    on_both(|| async {
        let (pool, gate) = (Pool::new(1).unwrap(), TaskGate::new());
        let waits = gate.clone();
        let mut map = pool.map(0..20, move |n| waits.clone().pass().map(move |()| n));
        assert!(map.next_result().now_or_never().is_none());
        assert!(map.next_result().now_or_never().is_none());
        gate.open(20);
        for expected in 0..20 {
            assert_eq!(map.next_result().await.unwrap().unwrap(), expected);
        }
        assert!(map.next_result().await.is_none());
    });
}

#[test]
fn a_map_does_not_stand_in_line_while_its_results_are_used() {
    on_both(|| async {
        let pool = Pool::builder().limit(1).queue(Queue::Bounded(1)).build().unwrap();
        let mut map = pool.map(0..50, work);
        assert_eq!(map.next_result().await.unwrap().unwrap(), 0);
        pool.wait_idle().await;
        assert_eq!(pool.metrics().waiting, 0);
        drop(pool.reserve().await.unwrap());
        drop(map);
    });
}

#[test]
#[should_panic(expected = "batches of 0 items: it must be 1 or more")]
fn a_batch_of_nothing() {
    runtime(1).block_on(async {
        let pool = Pool::new(1).unwrap();
        drop(pool.map_batched(0..3, BatchSize::Fixed(0), work));
    });
}

#[cfg(feature = "sync")]
#[test]
fn a_thread_waits_for_a_map() {
    let runtime = runtime(2);
    let builder = Pool::builder().limit(2).queue(Queue::Bounded(1));
    let pool = builder.runtime(runtime.handle().clone()).build().unwrap();
    for size in SIZES {
        assert!(pool.map_batched(0..200, size, work).wait().unwrap().into_iter().eq(0..200));
    }
    let all: Vec<_> = Iterator::map(pool.map(0..50, work), Result::unwrap).collect();
    assert!(all.into_iter().eq(0..50));
    let mut seen: Vec<_> = pool.map(0..50, work).unordered().flatten().collect();
    seen.sort_unstable();
    assert!(seen.into_iter().eq((0..50).map(|n| (n, n))));
}
