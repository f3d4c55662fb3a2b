//! Defects of this crate that a test found. Each stays found.

use crate::support::{Flag, leak, until};
use lockgate_pipeline::{RunError, opts, thread};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// A value that panics when it is dropped.
struct Touchy;

impl Drop for Touchy {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic_any("dropped");
        }
    }
}

/// What was left of an expansion waited in a worker until the source gave the next item.
#[test]
fn the_rest_of_an_expansion_does_not_wait_for_the_next_item() {
    for chunk in 1..7 {
        let (sender, receiver) = mpsc::channel();
        let mut results = thread::from_iter(receiver)
            .flat_map(|n: u32| [n; 5])
            .par_map(opts("all").chunk(chunk), |n| n)
            .flat_map(|n| [n; 3])
            .par_map(opts("more").workers(2).chunk(chunk), |n| n)
            .into_iter();
        for n in 0..4 {
            sender.send(n).unwrap();
            for _ in 0..15 {
                assert_eq!(results.next().unwrap().unwrap(), n);
            }
        }
        drop(sender);
        assert!(results.next().is_none());
    }
}

/// After a panic of an operator behind the last stage, the iterator went on.
#[test]
fn a_panic_of_the_last_operator_ends_the_iterator() {
    let fused = |n: u32| if n == 3 { panic_any("three") } else { n };
    let mut with_stage = thread::from_iter(0..10).par_map(2, |n| n).map(fused).into_iter();
    let mut without = thread::from_iter(0..10).map(fused).into_iter();
    let ends = |next: &mut dyn FnMut() -> Option<u32>| {
        for n in 0..3 {
            assert_eq!(next(), Some(n));
        }
        let caught = catch_unwind(AssertUnwindSafe(&mut *next));
        assert_eq!(caught.unwrap_err().downcast_ref(), Some(&"three"));
        assert_eq!(next(), None);
    };
    ends(&mut || with_stage.next().map(Result::unwrap));
    ends(&mut || without.next().map(Result::unwrap));
}

/// The same where the iterator borrows: whoever caught the panic inside heard of no error afterwards.
#[test]
fn a_panic_of_the_last_operator_is_heard_of_outside() {
    let fused = |n: u32| if n == 3 { panic_any("three") } else { n };
    let ran = catch_unwind(|| {
        thread::from_iter(0..10).par_map(2, |n| n).map(fused).with_iter(|items| {
            let seen = catch_unwind(AssertUnwindSafe(|| items.by_ref().count()));
            (seen.ok(), items.next())
        })
    });
    assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"three"));
}

/// Whoever waited for a pipeline in the background slept for ever if its source panicked when it was
/// dropped.
#[test]
fn a_source_that_panics_when_it_is_dropped_is_heard_of() {
    let touchy = Touchy;
    let source = (0..10).inspect(move |_| {
        let _ = &touchy;
    });
    let handle = thread::from_iter(source).spawn().unwrap();
    let ended = catch_unwind(AssertUnwindSafe(|| handle.wait()));
    assert_eq!(ended.unwrap_err().downcast_ref(), Some(&"dropped"));
}

/// A name that no thread may have was a panic.
#[test]
fn any_text_is_a_name() {
    let name = "a\0b";
    let report = thread::from_iter(0..3).par_map(opts(name), |n| n).run().unwrap();
    assert_eq!(report.stage(name).unwrap().given, 3);
    assert!(thread::from_iter(0..3).par_map(opts(name), |n| n).into_iter().all(|n| n.is_ok()));
}

/// States of workers that panicked when they were dropped took the place of an error.
#[test]
fn an_error_outlives_states_that_panic_when_they_are_dropped() {
    let entered = AtomicUsize::new(0);
    let ran = thread::from_iter(0..100)
        .par_map_init(
            opts("touchy").workers(3).chunk(1),
            || Touchy,
            |_, n| {
                // Each worker has a state of its own.
                entered.fetch_add(1, Ordering::SeqCst);
                until(|| entered.load(Ordering::SeqCst) >= 3);
                n
            },
        )
        .try_map(|n| if n == 50 { Err("fifty") } else { Ok(n) })
        .run();
    assert_eq!(ran.unwrap_err().into_failed().unwrap().error, "fifty");
}

/// After an abort, operators behind the last stage went on with what was left of a chunk.
#[test]
fn an_abort_starts_no_operator() {
    let (calls, goes_on) = leak((AtomicUsize::new(0), Flag::default()));
    let operator = |_: &u32| {
        calls.fetch_add(1, Ordering::SeqCst);
        goes_on.wait();
    };
    let pipe = || thread::from_iter(0..1_000).par_map(opts("all").chunk(64), |n| n);
    let last = pipe().inspect(operator).spawn().unwrap();
    until(|| calls.load(Ordering::SeqCst) == 1);
    let between = pipe().inspect(operator).par_map(opts("next").chunk(64), |n| n).spawn().unwrap();
    until(|| calls.load(Ordering::SeqCst) == 2);
    let first = thread::from_iter(0..1_000).inspect(operator);
    let first = first.par_map(opts("next").chunk(64), |n| n).spawn().unwrap();
    until(|| calls.load(Ordering::SeqCst) == 3);
    for pipeline in [&last, &between, &first] {
        pipeline.abort();
    }
    goes_on.set();
    for pipeline in [last, between, first] {
        assert!(matches!(pipeline.wait(), Err(RunError::Aborted)));
    }
    assert_eq!(calls.load(Ordering::SeqCst), 3);
}

/// After an abort, a batch that was not full went on to the next operator.
#[test]
fn an_abort_gives_no_rest_of_a_batch() {
    let (taken, goes_on, batches) =
        leak((AtomicUsize::new(0), Flag::default(), AtomicUsize::new(0)));
    let handle = thread::from_iter(0_u64..)
        .inspect(|_| {
            if taken.fetch_add(1, Ordering::SeqCst) == 9 {
                goes_on.wait();
            }
        })
        .chunks(1_000_000)
        .inspect(|_| {
            batches.fetch_add(1, Ordering::SeqCst);
        })
        .spawn()
        .unwrap();
    until(|| taken.load(Ordering::SeqCst) == 10);
    handle.abort();
    goes_on.set();
    assert!(matches!(handle.wait(), Err(RunError::Aborted)));
    assert_eq!(batches.load(Ordering::SeqCst), 0);
}

/// Items behind one that failed, in its chunk, were in no column of the report.
#[cfg(feature = "async")]
#[test]
fn items_behind_one_that_failed_are_counted() {
    let fails = |n: u32| if n == 10 { Err(n) } else { Ok(n) };
    let stage = opts("fails").workers(1).chunk(64).window(256);
    let mut handle = thread::from_iter(0..1_000).try_par_map(stage, fails).spawn().unwrap();
    assert!(futures::executor::block_on(&mut handle).is_err());
    let report = handle.report();
    let stage = report.stage("fails").unwrap();
    assert_eq!((stage.given, stage.failed), (10, 1));
    assert_eq!(stage.taken, stage.given + stage.failed + stage.dropped, "{stage:?}");
}

/// An expansion without end, of which nothing comes any more, was not left.
#[test]
fn an_expansion_without_end_is_left() {
    let found = thread::from_iter(0..1)
        .flat_map(|_| 0_u64..)
        .filter(|n| *n < 3)
        // One by one: what an expansion gave waits for what it gives next in the same chunk.
        .par_map(opts("all").workers(2).chunk(1), |n| n)
        .find(|n| *n == 2);
    assert_eq!(found.unwrap(), Some(2));
}
