//! One closure over many items.

use crate::support::{Counter, Gate, until};
use lockgate_workerpool::thread::{Pool, Queue, Reject, scope};
use lockgate_workerpool::{BatchSize, JobError, MapError, Reason};

const REJECTS: [Reject; 5] =
    [Reject::Block, Reject::Fail, Reject::CallerRuns, Reject::DropNewest, Reject::DropOldest];
const QUEUES: [Queue; 4] =
    [Queue::Handoff, Queue::Bounded(1), Queue::Bounded(100), Queue::Unbounded];
const SIZES: [BatchSize; 4] =
    [BatchSize::Fixed(1), BatchSize::Fixed(7), BatchSize::PerCore, BatchSize::Auto];

/// What it takes to see an item again.
#[derive(Debug, PartialEq, Eq)]
struct Parcel(usize);

#[test]
fn every_item_has_its_result_in_its_place() {
    for (reject, queue) in REJECTS.into_iter().flat_map(|it| QUEUES.map(|queue| (it, queue))) {
        let pool = Pool::builder().threads(0..=2).queue(queue).reject(reject).build().unwrap();
        for size in SIZES {
            let parcels = (0..300).map(Parcel);
            let all = pool.map_batched(parcels, size, |Parcel(n)| n * 2).wait().unwrap();
            assert!(all.into_iter().eq((0..300).map(|n| n * 2)), "{reject:?} {queue:?} {size:?}");
        }
        assert!(pool.map(0..0, |n: u8| n).wait().unwrap().is_empty());
        pool.wait_idle().wait();
        let metrics = pool.metrics();
        assert_eq!((metrics.rejected, metrics.waiting, metrics.queued), (0, 0, 0));
    }
}

#[test]
fn unordered_gives_each_as_it_comes() {
    let (pool, gate) = (Pool::new(2).unwrap(), Gate::default());
    let waits = gate.clone();
    let mut map = pool
        .map(0..8, move |n| {
            if n == 0 {
                waits.pass();
            }
            n * 3
        })
        .unordered();
    let mut seen: Vec<_> = (0..7).map(|_| map.next().unwrap().unwrap()).collect();
    gate.open();
    let last = map.next().unwrap().unwrap();
    assert_eq!(last, (0, 0), "nobody waits for the first");
    seen.sort_unstable();
    assert!(seen.into_iter().eq((1..8).map(|n| (n, n * 3))));
    assert!(map.next().is_none() && map.next().is_none());
}

#[test]
fn a_job_maps_over_its_own_pool() {
    for (reject, queue) in REJECTS.into_iter().flat_map(|it| QUEUES.map(|queue| (it, queue))) {
        for workers in [1, 2] {
            let builder = Pool::builder().threads(workers).queue(queue).reject(reject);
            let pool = builder.build().unwrap();
            until("they are there", || pool.metrics().idle == workers);
            let inner = pool.clone();
            let sum = move |unordered: bool| {
                let leaf = inner.clone();
                let map = inner.map_batched(0..20_usize, BatchSize::Fixed(3), move |n| {
                    leaf.map(0..n, |m| m).map(Result::unwrap).sum::<usize>()
                });
                if unordered {
                    map.unordered().map(|it| it.unwrap().1).sum::<usize>()
                } else {
                    map.map(Result::unwrap).sum()
                }
            };
            let expected = (0..20).map(|n: usize| (0..n).sum::<usize>()).sum::<usize>();
            let (one, other) = (sum.clone(), sum);
            let one = pool.submit(move || one(true)).ok();
            let jobs = [one, pool.submit(move || other(false)).ok()];
            for job in jobs.into_iter().flatten() {
                match job.wait() {
                    Ok(found) => assert_eq!(found, expected, "{reject:?} {queue:?} {workers}"),
                    Err(JobError::Dropped) => {}
                    Err(error) => panic!("{error} {reject:?} {queue:?} {workers}"),
                }
            }
        }
    }
}

#[test]
fn a_panic_is_that_item_s_alone() {
    let pool = Pool::new(2).unwrap();
    let f = |n: usize| {
        assert!(n % 10 != 7, "no sevens");
        n
    };
    for size in [BatchSize::Fixed(1), BatchSize::Fixed(4), BatchSize::Auto] {
        let mut wrong = Vec::new();
        for (index, result) in pool.map_batched(0..50, size, f).enumerate() {
            match result {
                Ok(n) => assert_eq!(n, index),
                Err(error) => {
                    assert!(error.item.is_none(), "the closure has it");
                    assert!(matches!(error.error, JobError::Panicked(_)));
                    assert_eq!(
                        error.to_string(),
                        format!("item {index}: the job panicked: no sevens")
                    );
                    wrong.push(error.index);
                }
            }
        }
        assert_eq!(wrong, [7, 17, 27, 37, 47]);
        assert_eq!(pool.map_batched(0..50, size, f).wait().unwrap_err().index, 7, "the first");
    }
    pool.wait_idle().wait();
    assert!(pool.metrics().failed > 0);
}

#[test]
fn a_shutdown_gives_every_item_back_that_was_not_used() {
    let (pool, gate) = (Pool::new(1).unwrap(), Gate::default());
    let (waits, started) = (gate.clone(), Counter::default());
    let starts = started.clone();
    let mut map = pool.map_batched((0..40).map(Parcel), BatchSize::Fixed(2), move |Parcel(n)| {
        starts.add();
        waits.pass();
        n
    });
    let closer = pool.clone();
    let begun = started.clone();
    let closes = std::thread::spawn(move || {
        until("it runs", || begun.value() == 1);
        until("the others wait", || closer.metrics().queued == 3);
        drop(closer.shutdown_now());
        gate.open();
    });
    let (mut used, mut aborted, mut refused) = (Vec::new(), Vec::new(), Vec::new());
    for result in &mut map {
        match result {
            Ok(n) => used.push(n),
            Err(MapError { index, item, error: JobError::Aborted, .. }) => {
                assert_eq!(item, Some(Parcel(index)));
                aborted.push(index);
            }
            Err(MapError { index, item, error: JobError::Rejected(Reason::Closed), .. }) => {
                assert_eq!(item, Some(Parcel(index)));
                refused.push(index);
            }
            Err(error) => panic!("{error}"),
        }
    }
    closes.join().unwrap();
    assert_eq!(used, [0, 1], "the batch that ran");
    assert_eq!(aborted, [2, 3, 4, 5, 6, 7], "those that were in the queue");
    assert!(refused.into_iter().eq(8..40), "and those that were not");
}

#[test]
fn a_batch_that_is_dropped_for_others_is_submitted_again() {
    let builder = Pool::builder().threads(1).queue(Queue::Bounded(2)).reject(Reject::DropOldest);
    let (pool, gate) = (builder.build().unwrap(), Gate::default());
    let (waits, started) = (gate.clone(), Counter::default());
    let starts = started.clone();
    let dropper = pool.clone();
    let drops = std::thread::spawn(move || {
        until("it runs", || started.value() == 1);
        until("others wait", || dropper.metrics().queued == 2);
        (0..2).for_each(|_| dropper.spawn(|| ()).unwrap());
        assert_eq!(dropper.metrics().rejected, 2);
        gate.open();
    });
    let all = pool.map((0..10).map(Parcel), move |Parcel(n)| {
        starts.add();
        waits.pass();
        n
    });
    assert!(all.wait().unwrap().into_iter().eq(0..10));
    drops.join().unwrap();
}

#[test]
fn a_map_that_is_dropped_aborts_what_has_not_started() {
    let (pool, gate) = (Pool::new(1).unwrap(), Gate::default());
    let (waits, started, dropped) = (gate.clone(), Counter::default(), Counter::default());
    let starts = started.clone();
    let items: Vec<_> = (0..100).map(|_| dropped.on_drop()).collect();
    let mut map = pool.map(items, move |item| {
        if starts.add() == 2 {
            waits.pass();
        }
        drop(item);
    });
    assert!(map.next().unwrap().is_ok());
    until("the second runs", || started.value() == 2);
    drop(map);
    assert_eq!(dropped.value(), 99, "but for the one that runs");
    gate.open();
    pool.wait_idle().wait();
    assert_eq!((dropped.value(), started.value()), (100, 2));
    assert_eq!(pool.metrics().queued, 0);
}

#[test]
fn memory_is_bounded_by_the_workers() {
    let (pool, pulled) = (Pool::new(2).unwrap(), Counter::default());
    let pulls = pulled.clone();
    let items = std::iter::repeat_with(move || pulls.add());
    let mut map = pool.map_batched(items, BatchSize::Fixed(5), |n| n);
    assert_eq!(pulled.value(), 0, "a request does nothing until it is waited for");
    for expected in 1..=1000 {
        assert_eq!(map.next().unwrap().unwrap(), expected);
        assert!(pulled.value() <= expected + 5 * 4 * 2 + 5, "{} of {expected}", pulled.value());
    }
}

#[test]
fn a_scope_s_map_borrows() {
    let words = vec![String::from("one"), String::from("three")];
    let shift = 1;
    let lengths = scope(Pool::builder().threads(2), |pool| {
        pool.map(&words, |word| word.len() + shift).wait().unwrap()
    });
    assert_eq!(lengths.unwrap(), [4, 6]);
}

#[test]
fn a_subpool_s_map_keeps_to_its_cap() {
    let pool = Pool::builder().threads(3).queue(Queue::Bounded(2)).build().unwrap();
    let (part, running) = (pool.subpool(1), std::sync::Mutex::new(()));
    let running = std::sync::Arc::new(running);
    let all = part.submitter().map(0..200, move |n| {
        let _alone = running.try_lock().unwrap();
        n
    });
    assert!(all.wait().unwrap().into_iter().eq(0..200));
}

#[test]
#[should_panic(expected = "batches of 0 items: it must be 1 or more")]
fn a_batch_of_nothing() {
    let pool = Pool::new(1).unwrap();
    drop(pool.map_batched(0..3, BatchSize::Fixed(0), |n| n));
}

#[cfg(feature = "async")]
mod tasks {
    use super::*;
    use futures::FutureExt;
    use futures::executor::block_on;

    #[test]
    fn a_task_waits_for_all_or_for_one_after_the_other() {
        let builder = Pool::builder().threads(2).queue(Queue::Bounded(1));
        let pool = builder.build().unwrap();
        for size in SIZES {
            let all = block_on(pool.map_batched(0..500, size, |n| n + 1)).unwrap();
            assert!(all.into_iter().eq(1..501));
        }
        let mut map = pool.map(0..50, |n| n);
        block_on(async {
            for expected in 0..50 {
                assert_eq!(map.next_result().await.unwrap().unwrap(), expected);
            }
            assert!(map.next_result().await.is_none());
        });
        let mut map = pool.map(0..50, |n| n).unordered();
        let mut seen = Vec::new();
        while let Some(result) = block_on(map.next_result()) {
            seen.push(result.unwrap());
        }
        seen.sort_unstable();
        assert!(seen.into_iter().eq((0..50).map(|n| (n, n))));
        let error = block_on(pool.map(0..9, |n| assert!(n != 4))).unwrap_err();
        assert_eq!(error.index, 4);
    }

    #[test]
    fn a_wait_for_the_next_that_is_dropped_loses_nothing() {
        let (pool, gate) = (Pool::new(1).unwrap(), Gate::default());
        let waits = gate.clone();
        let mut map = pool.map(0..20, move |n| {
            waits.pass();
            n
        });
        assert!(map.next_result().now_or_never().is_none());
        assert!(map.next_result().now_or_never().is_none());
        gate.open();
        let all: Vec<_> = std::iter::from_fn(|| block_on(map.next_result())).collect();
        assert!(all.into_iter().map(Result::unwrap).eq(0..20));
    }

    #[test]
    fn a_map_does_not_stand_in_line_while_its_results_are_used() {
        let pool = Pool::builder().threads(1).queue(Queue::Bounded(1)).build().unwrap();
        let mut map = pool.map(0..50, |n| n);
        assert_eq!(block_on(map.next_result()).unwrap().unwrap(), 0);
        pool.wait_idle().wait();
        assert_eq!(pool.metrics().waiting, 0);
        drop(pool.reserve().wait_timeout(crate::support::PATIENCE).unwrap());
        drop(map);
    }
}
