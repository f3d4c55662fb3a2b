//! Buffers that are full.

use crate::support::{Census, Flag, until};
use lockgate_pipeline::{BuildError, Overflow, RunError, thread};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many items, one at a time; the flag is set when the one who took them has passed them all on.
fn items(count: u32, end: &Flag) -> impl Iterator<Item = u32> + Send {
    let mut next = 0;
    std::iter::from_fn(move || {
        if next == count {
            end.set();
            return None;
        }
        next += 1;
        Some(next - 1)
    })
}

/// What comes through if nobody reads on before the source has ended.
fn held_up(overflow: Overflow) -> Vec<u32> {
    let end = Flag::default();
    let mut seen = Vec::new();
    let report = thread::from_iter(items(100, &end))
        .buffer(4)
        .overflow(overflow)
        .for_each(|n| {
            end.wait();
            seen.push(n);
        })
        .unwrap();
    let buffer = report.stage("buffer").unwrap();
    assert_eq!((buffer.taken, buffer.given), (100, seen.len() as u64));
    assert_eq!(buffer.given + buffer.overflowed, 100);
    assert!(seen.is_sorted(), "{seen:?}");
    assert!((4..=5).contains(&seen.len()), "the buffer, and the one that is looked at: {seen:?}");
    seen
}

#[test]
fn the_latest_items_stay() {
    assert!(held_up(Overflow::DropOldest).ends_with(&[96, 97, 98, 99]));
}

#[test]
fn the_first_items_stay() {
    assert!(held_up(Overflow::DropNewest).starts_with(&[0, 1, 2, 3]));
}

#[test]
fn a_full_buffer_is_an_error_after_what_it_holds() {
    /// Sets a flag when it is dropped.
    struct Last(Arc<Flag>);
    impl Drop for Last {
        fn drop(&mut self) {
            self.0.set();
        }
    }
    let gone = Arc::new(Flag::default());
    let last = Last(Arc::clone(&gone));
    let mut next = 0;
    let source = std::iter::from_fn(move || {
        let _ = &last;
        next += 1;
        Some(next - 1)
    });
    let mut seen = Vec::new();
    let ran = thread::from_iter(source).buffer(4).overflow(Overflow::Fail).for_each(|n: u32| {
        gone.wait();
        seen.push(n);
    });
    let Err(RunError::Overflowed(error)) = ran else { panic!("{ran:?}") };
    assert!(seen.iter().copied().eq(0..u32::try_from(error.index).unwrap()), "{seen:?} {error}");
    assert_eq!((&*error.stage, error.capacity), ("buffer", 4));
    assert!((4..=5).contains(&seen.len()));
    let text = "stage `buffer`, which holds 4, had no place for item ";
    assert!(RunError::<String>::Overflowed(error).to_string().starts_with(text));
}

#[test]
fn nothing_is_dropped_while_there_is_room() {
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Fail] {
        let all: Vec<u32> = thread::from_iter(0..1_000)
            .buffer(1_000)
            .overflow(overflow)
            .par_map(2, |n| n)
            .collect()
            .unwrap();
        assert!(all.into_iter().eq(0..1_000), "{overflow:?}");
    }
    let all: Vec<u32> =
        thread::from_iter(0..1_000).buffer(3).overflow(Overflow::Block).collect().unwrap();
    assert!(all.into_iter().eq(0..1_000));
}

/// A buffer that waits holds what was said, and the source goes no further.
#[test]
fn a_buffer_that_waits_stops_its_source() {
    let census = Census::default();
    let pipe = thread::from_iter(0..10_000).map(|n| census.item(n));
    let pipe = pipe.buffer(10).overflow(Overflow::Block);
    let bound = pipe.max_in_flight();
    let first = pipe.with_iter(|items| {
        let first = items.next().unwrap();
        // Ten have places, the rest was taken and waits for one.
        until(|| census.live() == 20);
        first.n
    });
    assert_eq!(first.unwrap(), 0);
    assert!(census.most() <= bound as isize, "{} > {bound}", census.most());
    assert_eq!(census.live(), 0);
}

/// Whatever ends it, each item is dropped once, and an infinite source ends.
#[test]
fn every_item_is_dropped_once() {
    for overflow in [Overflow::Block, Overflow::DropOldest, Overflow::DropNewest, Overflow::Fail] {
        for end in 0..3 {
            let census = Census::default();
            let items = census.clone();
            let mut results = thread::from_iter(0_u32..)
                .map(move |n| items.item(n))
                .buffer(8)
                .overflow(overflow)
                .par_map(2, |item| item)
                .into_iter();
            let seen = AtomicUsize::new(0);
            let ended = catch_unwind(AssertUnwindSafe(|| {
                for result in results.by_ref() {
                    let Ok(_item) = result else { break };
                    if seen.fetch_add(1, Ordering::SeqCst) == 20 {
                        match end {
                            0 => break,
                            1 => panic_any("enough"),
                            _ => {}
                        }
                    }
                    if end == 2 && seen.load(Ordering::SeqCst) == 200 {
                        break;
                    }
                }
            }));
            drop(results);
            assert!(end == 1 || ended.is_ok());
            assert_eq!(census.live(), 0, "{overflow:?}, {end}");
        }
    }
}

#[test]
fn a_fault_before_a_buffer_comes_after_what_it_holds() {
    let mut results = thread::from_iter(0..10)
        .try_map(|n| if n == 6 { Err("six") } else { Ok(n) })
        .buffer(10)
        .overflow(Overflow::DropNewest)
        .into_iter();
    let all: Vec<u32> = results.by_ref().take(6).map(Result::unwrap).collect();
    assert_eq!(all, [0, 1, 2, 3, 4, 5]);
    assert_eq!(results.next().unwrap().unwrap_err().into_failed().unwrap().error, "six");
    assert!(results.next().is_none());
}

#[test]
fn a_panic_before_a_buffer_keeps_its_payload() {
    let caught = catch_unwind(|| {
        let items = thread::from_iter(0..10).map(|n| if n == 6 { panic_any(n) } else { n });
        items.buffer(4).overflow(Overflow::DropOldest).run()
    });
    assert_eq!(caught.unwrap_err().downcast_ref(), Some(&6));
}

#[test]
fn a_buffer_of_nothing_is_an_error() {
    for overflow in [Overflow::Block, Overflow::DropOldest] {
        let ran = thread::from_iter(0..3).buffer(0).overflow(overflow).run();
        let Err(RunError::Build(BuildError::OutOfRange { option, value, .. })) = ran else {
            panic!("{ran:?}")
        };
        assert_eq!((option, value), ("window", 0));
    }
}

#[test]
fn an_abort_ends_a_buffer_that_drops() {
    let seen = &*Box::leak(Box::new(AtomicUsize::new(0)));
    let pipeline = thread::from_iter(0_u64..)
        .buffer(4)
        .overflow(Overflow::DropOldest)
        .inspect(|_| {
            seen.fetch_add(1, Ordering::SeqCst);
        })
        .spawn()
        .unwrap();
    until(|| seen.load(Ordering::SeqCst) > 10);
    pipeline.abort();
    assert!(matches!(pipeline.wait(), Err(RunError::Aborted)));
}
