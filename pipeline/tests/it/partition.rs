//! A line for each key.

use crate::support::{Census, Flag, until};
use lockgate_pipeline::{BuildError, RunError, opts, thread};
use proptest::prelude::*;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Each key's items are in their order.
fn are_in_order(items: &[u32], keys: u32) -> bool {
    let mut last = HashMap::new();
    items.iter().all(|n| last.insert(n % keys, *n) < Some(*n))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// The same items, and each key's in their order, before and after other stages.
    #[test]
    fn the_order_of_each_key_is_kept(
        count in 0_u32..400,
        keys in 1_u32..20,
        workers in 1_usize..5,
        window in 1_usize..40,
        chunk in 1_usize..9,
        has_stage: bool,
    ) {
        let part = opts("part").workers(workers).window(window).chunk(chunk);
        let items = thread::from_iter(0..count).prefetch(7);
        let mut all: Vec<u32> = if has_stage {
            let items = items.par_map(opts("a").workers(2).window(9), |n| n);
            let parted = items.par_partition_by(part, |n| n % keys, |n| n);
            parted.par_map(opts("b").workers(2).window(9), |n| n).collect().unwrap()
        } else {
            items.par_partition_by(part, |n| n % keys, |n| n).collect().unwrap()
        };
        prop_assert!(are_in_order(&all, keys), "{all:?}");
        all.sort_unstable();
        prop_assert!(all.into_iter().eq(0..count));
    }
}

/// Calls for different keys run at the same time, and those of one key never do.
#[test]
fn keys_do_not_wait_for_each_other() {
    let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let of_key: Vec<AtomicUsize> = (0..64).map(|_| AtomicUsize::new(0)).collect();
    thread::from_iter(0..640_usize)
        .par_partition_by(
            opts("keys").workers(2).chunk(1).window(640),
            |n| n % 64,
            |n| {
                assert_eq!(of_key[n % 64].fetch_add(1, Ordering::SeqCst), 0);
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // All keys belong to one worker once in 2^63 times.
                until(|| most.load(Ordering::SeqCst) == 2);
                running.fetch_sub(1, Ordering::SeqCst);
                of_key[n % 64].fetch_sub(1, Ordering::SeqCst);
            },
        )
        .run()
        .unwrap();
    assert_eq!(most.into_inner(), 2);
}

#[test]
fn no_more_is_in_flight_than_is_said() {
    for window in [1, 2, 3, 16] {
        let census = Census::default();
        let pipe = thread::from_iter(0..500).map(|n| census.item(n)).par_partition_by(
            opts("keys").workers(3).window(window),
            |item| item.n % 7,
            |item| item,
        );
        let bound = pipe.max_in_flight();
        pipe.for_each(drop).unwrap();
        assert!(census.most() <= bound as isize, "{} > {bound}", census.most());
        assert_eq!((census.live(), census.made()), (0, 500));
    }
}

/// A key that takes long stops the source at the window, and no sooner.
#[test]
fn a_blocked_key_holds_no_more_than_the_window() {
    let (taken, other) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let count = thread::from_iter(0..100)
        .inspect(|_| {
            taken.fetch_add(1, Ordering::SeqCst);
        })
        .par_partition_by(
            opts("keys").workers(2).window(16).chunk(1),
            |_| 0,
            |_| {
                if other.fetch_add(1, Ordering::SeqCst) == 0 {
                    until(|| taken.load(Ordering::SeqCst) == 16);
                }
            },
        )
        .count();
    assert_eq!(count.unwrap(), 100);
}

/// An item that was given does not wait for the next one.
#[test]
fn an_item_that_was_given_does_not_wait_for_the_next() {
    let (sender, receiver) = mpsc::channel();
    let mut results =
        thread::from_iter(receiver).par_partition_by(2, |n: &u64| *n, |n| n * 2).into_iter();
    for n in 0..100 {
        sender.send(n).unwrap();
        assert_eq!(results.next().unwrap().unwrap(), n * 2);
    }
    drop(sender);
    assert!(results.next().is_none());
}

#[test]
fn a_panic_keeps_its_payload() {
    for place in 0..4 {
        let census = Census::default();
        let at = |here: u32, n: u32| {
            if here == place && n == 60 {
                panic_any(n);
            }
        };
        let seen = AtomicUsize::new(0);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            thread::from_iter(0..100)
                .inspect(|n| at(0, *n))
                .map(|n| census.item(n))
                .par_partition_by(
                    opts("keys").workers(2),
                    |item| at(1, item.n),
                    |item| {
                        at(2, item.n);
                        item
                    },
                )
                .for_each(|item| {
                    at(3, item.n);
                    seen.fetch_add(1, Ordering::SeqCst);
                })
        }));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&60_u32), "place {place}");
        // One key: what came before has come through.
        assert_eq!(seen.into_inner(), 60, "place {place}");
        assert_eq!(census.live(), 0, "place {place}");
    }
}

/// A failure before the stage comes after everything that came before it.
#[test]
fn a_failure_before_it_comes_last() {
    let mut results = thread::from_iter(0..100_u32)
        .try_par_map(2, |n| if n == 60 { Err(n) } else { Ok(n) })
        .par_partition_by(3, |n| n % 5, |n| n)
        .into_iter();
    let mut all: Vec<u32> = results.by_ref().map_while(Result::ok).collect();
    assert!(are_in_order(&all, 5));
    all.sort_unstable();
    assert!(all.into_iter().eq(0..60));
    assert!(results.next().is_none());
}

#[test]
fn an_infinite_source_ends() {
    let census = Census::default();
    let items = census.clone();
    let mut results = thread::from_iter(0..)
        .map(move |n| items.item(n))
        .par_partition_by(3, |item| item.n % 5, |item| item)
        .into_iter();
    assert!(results.next().unwrap().is_ok());
    drop(results);
    assert_eq!(census.live(), 0);
    let seen = &*Box::leak(Box::new((AtomicUsize::new(0), AtomicUsize::new(0))));
    let counted = || {
        thread::from_iter(0_u64..)
            .inspect(|_| {
                seen.0.fetch_add(1, Ordering::SeqCst);
            })
            .par_partition_by(2, |n| *n, |n| n)
            .inspect(|_| {
                seen.1.fetch_add(1, Ordering::SeqCst);
            })
            .spawn()
            .unwrap()
    };
    let pipeline = counted();
    until(|| seen.1.load(Ordering::SeqCst) > 10);
    pipeline.drain();
    pipeline.wait().unwrap();
    assert_eq!(seen.0.load(Ordering::SeqCst), seen.1.load(Ordering::SeqCst));
    let pipeline = counted();
    pipeline.abort();
    assert!(matches!(pipeline.wait(), Err(RunError::Aborted)));
}

/// After an abort nothing is started, although items are there.
#[test]
fn an_abort_starts_nothing_new() {
    let (calls, goes_on) = &*Box::leak(Box::new((AtomicUsize::new(0), Flag::default())));
    let pipeline = thread::from_iter(0_u64..)
        .par_partition_by(
            opts("stuck").workers(1).chunk(4),
            |n| *n,
            |_| {
                calls.fetch_add(1, Ordering::SeqCst);
                goes_on.wait();
            },
        )
        .spawn()
        .unwrap();
    until(|| calls.load(Ordering::SeqCst) == 1);
    pipeline.abort();
    goes_on.set();
    assert!(matches!(pipeline.wait(), Err(RunError::Aborted)));
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

#[test]
fn numbers_out_of_range_are_errors() {
    for (odd, expected) in [(opts("odd").workers(0), "workers"), (opts("odd").window(0), "window")]
    {
        let ran = thread::from_iter(0..3).par_partition_by(odd, |n| *n, |n| n).run();
        let Err(RunError::Build(BuildError::OutOfRange { stage, option, value: 0, .. })) = ran
        else {
            panic!("{ran:?}")
        };
        assert_eq!((&*stage, option), ("odd", expected));
    }
}

#[test]
fn the_report_says_what_was_done() {
    let report = thread::from_iter(0..100)
        .par_partition_by(opts("keys").workers(2), |n| n % 3, |n| n)
        .run()
        .unwrap();
    assert_eq!(report.stages.len(), 1);
    let keys = report.stage("keys").unwrap();
    assert_eq!((keys.workers, keys.taken, keys.given, keys.dropped), (2, 100, 100, 0));
}
