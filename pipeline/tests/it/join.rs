//! Two pipelines that become one.

use crate::support::{Census, Flag, until};
use lockgate_pipeline::{RunError, opts, thread};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn merge_gives_everything_and_keeps_the_order_of_each() {
    for count in [0, 1, 2_000] {
        let left = thread::from_iter(0..count).par_map(2, |n| (0, n));
        let right = thread::from_iter(0..count).map(|n| (1, n));
        let all: Vec<(u8, u32)> = left.merge(right).par_map(2, |item| item).collect().unwrap();
        for side in 0..2 {
            let of_side = all.iter().filter(|item| item.0 == side).map(|item| item.1);
            assert!(of_side.eq(0..count), "{count}");
        }
        assert_eq!(all.len(), 2 * count as usize);
    }
}

/// One that gives nothing does not hold up the other.
#[test]
fn merge_does_not_wait_for_the_other() {
    let (left, right) = (mpsc::channel(), mpsc::channel());
    let mut all = thread::from_iter(left.1).merge(thread::from_iter(right.1)).into_iter();
    for n in 0..1_000_u32 {
        let sender = if n % 3 == 0 { &left.0 } else { &right.0 };
        sender.send(n).unwrap();
        assert_eq!(all.next().unwrap().unwrap(), n);
    }
    drop(left.0);
    right.0.send(7).unwrap();
    assert_eq!(all.next().unwrap().unwrap(), 7);
    drop(right.0);
    assert!(all.next().is_none());
}

/// A failure of one ends both, an infinite one included, and what came before it comes through.
#[test]
fn merge_fails_with_either() {
    for is_left in [true, false] {
        let endless = thread::from_iter(1_000_u32..).try_map(Ok);
        let fails = thread::from_iter(0..10).try_map(|n| if n == 6 { Err("six") } else { Ok(n) });
        let mut small = Vec::new();
        let mut keep = |n: u32| {
            if n < 1_000 {
                small.push(n);
            }
        };
        let ran = if is_left {
            fails.merge(endless).for_each(&mut keep)
        } else {
            endless.merge(fails).for_each(&mut keep)
        };
        assert_eq!(ran.unwrap_err().into_failed().unwrap().error, "six");
        assert_eq!(small, [0, 1, 2, 3, 4, 5]);
    }
}

#[test]
fn merge_keeps_the_payload_of_a_panic() {
    let caught = catch_unwind(|| {
        let panics = thread::from_iter(0_u32..).map(|n| if n == 60 { panic_any(n) } else { n });
        thread::from_iter(0_u32..).merge(panics).run()
    });
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&60_u32));
}

#[test]
fn merge_drops_every_item_once() {
    for end in 0..2 {
        let census = Census::default();
        let (one, other) = (census.clone(), census.clone());
        let left = thread::from_iter(0..).map(move |n| one.item(n));
        let right = thread::from_iter(0..).map(move |n| other.item(n)).par_map(2, |item| item);
        let merged = left.merge(right);
        let bound = merged.max_in_flight();
        let mut items = merged.into_iter();
        let seen = catch_unwind(AssertUnwindSafe(|| {
            let mut few = items.by_ref().take(700);
            if end == 1 {
                drop(few.next());
                panic_any(1);
            }
            few.count()
        }));
        assert!(end == 1 || seen.unwrap() == 700);
        drop(items);
        assert!(census.most() <= bound as isize, "{} > {bound}", census.most());
        assert_eq!(census.live(), 0);
    }
}

#[test]
fn merge_drains_and_aborts() {
    let seen = &*Box::leak(Box::new((AtomicUsize::new(0), AtomicUsize::new(0))));
    let endless = || {
        thread::from_iter(0_u64..).inspect(|_| {
            seen.0.fetch_add(1, Ordering::SeqCst);
        })
    };
    let merged = || {
        let merged = endless().merge(endless()).inspect(|_| {
            seen.1.fetch_add(1, Ordering::SeqCst);
        });
        merged.spawn().unwrap()
    };
    let pipeline = merged();
    until(|| seen.1.load(Ordering::SeqCst) > 10);
    pipeline.drain();
    pipeline.wait().unwrap();
    assert_eq!(seen.0.load(Ordering::SeqCst), seen.1.load(Ordering::SeqCst));
    let pipeline = merged();
    pipeline.abort();
    assert!(matches!(pipeline.wait(), Err(RunError::Aborted)));
}

/// Like the iterator's, whichever ends first, fused and between stages.
#[test]
fn zip_is_the_iterators() {
    for (left, right) in [(0, 0), (0, 5), (5, 0), (100, 300), (300, 100), (64, 64)] {
        let expected: Vec<(u32, u32)> = (0..left).zip(0..right).collect();
        let zipped: Vec<_> =
            thread::from_iter(0..left).zip(thread::from_iter(0..right)).collect().unwrap();
        assert_eq!(zipped, expected);
        let stage = |count| thread::from_iter(0..count).par_map(opts("side").workers(2), |n| n);
        let zipped: Vec<_> =
            stage(left).zip(stage(right)).par_map(2, |pair| pair).collect().unwrap();
        assert_eq!(zipped, expected);
        let flat = stage(left).flat_map(|n| [n, n]).zip(stage(right).chunks(3).unbatch());
        let expected: Vec<_> = (0..left).flat_map(|n| [n, n]).zip(0..right).collect();
        assert_eq!(flat.take(10_000).collect::<Vec<_>>().unwrap(), expected);
    }
}

/// An item that waits for its other half is not lost when a batch's time is over.
#[test]
fn zip_loses_nothing_to_the_clock() {
    let side = || thread::from_iter(0..2_000_u32).par_map(2, |n| n);
    let all: Vec<(u32, u32)> =
        side().zip(side()).batch(7, Duration::ZERO).unbatch().collect().unwrap();
    assert!(all.into_iter().eq((0..2_000).zip(0..2_000)));
}

/// A pair goes on although the next one is not there yet.
#[test]
fn zip_does_not_wait_with_what_it_has() {
    let (sender, receiver) = mpsc::channel();
    let left = thread::from_iter(receiver).prefetch(64);
    let zipped = left.zip(thread::from_iter(0_u32..)).par_map(opts("next").chunk(64), |pair| pair);
    let mut zipped = zipped.into_iter();
    for n in 0..100 {
        sender.send(n).unwrap();
        assert_eq!(zipped.next().unwrap().unwrap(), (n, n));
    }
    drop(sender);
    assert!(zipped.next().is_none());
}

#[test]
fn zip_fails_like_the_iterator() {
    let fails =
        |at| thread::from_iter(0..10).try_map(move |n| if n == at { Err(n) } else { Ok(n) });
    for (left, right, expected) in [(6, 7, 6), (7, 6, 6), (6, 6, 6), (3, 99, 3)] {
        let mut pairs = 0;
        let ran = fails(left).zip(fails(right)).for_each(|_| pairs += 1);
        assert_eq!(ran.unwrap_err().into_failed().unwrap().error, expected);
        assert_eq!(pairs, expected);
    }
}

#[test]
fn zip_ends_an_infinite_other() {
    let census = Census::default();
    let other = thread::from_iter(0..).map(|n| census.item(n)).par_map(2, |item| item);
    let gone = Flag::default();
    let zipped = thread::from_iter(0..10).zip(other).inspect(|_| gone.set());
    let bound = zipped.max_in_flight();
    assert_eq!(zipped.count().unwrap(), 10);
    gone.wait();
    assert!(census.most() <= bound as isize);
    assert_eq!(census.live(), 0);
}
