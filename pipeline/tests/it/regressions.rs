//! Defects of others, each with whose it was.

use crate::support::{Census, Flag};
use lockgate_pipeline::{RunError, opts, thread};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};

/// pariter 0.6: `readahead` spins for ever on an infinite source after it was dropped.
#[test]
fn a_dropped_buffer_stops_its_source() {
    let census = Census::default();
    let items = census.clone();
    let mut results = thread::from_iter(0..).map(move |n| items.item(n)).buffer(8).into_iter();
    assert_eq!(results.next().unwrap().unwrap().n, 0);
    drop(results);
    assert_eq!(census.live(), 0);
}

/// pariter 0.6: the payload of a panic is replaced.
#[test]
fn the_payload_of_a_panic_arrives() {
    let ran = catch_unwind(|| thread::from_iter(0..9).par_map(2, |_: u8| panic_any(9_u8)).run());
    assert_eq!(ran.unwrap_err().downcast_ref::<u8>(), Some(&9));
}

/// pumps 0.1, par-stream 0.10, pipelines 0.4: a stage panics, and the stream ends as if that were all.
#[test]
fn a_panic_is_no_end() {
    let mut results = thread::from_iter(0..100)
        .par_map(2, |n| if n == 50 { panic_any("fifty") } else { n })
        .into_iter();
    let seen = catch_unwind(AssertUnwindSafe(|| results.by_ref().count()));
    assert_eq!(seen.unwrap_err().downcast_ref(), Some(&"fifty"));
}

/// par-stream 0.10: while the head is blocked, everything behind it is held in memory (JDK-8347274 too).
#[test]
fn a_blocked_head_does_not_let_the_source_run_away() {
    let (census, goes_on) = (Census::default(), Flag::default());
    let pipe = thread::from_iter(0..10_000).map(|n| census.item(n)).par_map(
        opts("head").workers(4).window(32),
        |item| {
            if item.n == 0 {
                // Until the other workers have nothing more to take.
                goes_on.wait();
            } else if census.made() >= 32 {
                goes_on.set();
            }
            item
        },
    );
    let bound = pipe.max_in_flight();
    assert_eq!(pipe.count().unwrap(), 10_000);
    assert!(census.most() as usize <= bound, "{} > {bound}", census.most());
}

/// futures-rs#2348, #2740, #2876, #2939: `buffered(0)` hangs.
#[test]
fn nothing_at_a_time_is_an_error() {
    assert!(matches!(thread::from_iter(0..9).par_map(0, |n| n).run(), Err(RunError::Build(_))));
}

/// pumps 0.1: what a buffer holds is lost when it closes.
#[test]
fn a_buffer_that_closes_gives_what_it_holds() {
    let all: Vec<u32> = thread::from_iter(0..100).buffer(64).collect().unwrap();
    assert!(all.into_iter().eq(0..100));
}

/// noodles#405, pipelines 0.4: workers panic because nobody reads any more.
#[test]
fn nobody_panics_because_nobody_reads() {
    let first = thread::from_iter(0..10_000).par_map(3, |n| n).with_iter(|items| items.next());
    assert_eq!(first.unwrap(), Some(0));
}

/// rill#72: an error is lost where there is one item.
#[test]
fn an_error_of_the_only_item_is_heard_of() {
    let reduced = thread::from_iter([1]).try_par_map(2, Err::<u32, _>).reduce(|a, b| a + b);
    assert!(matches!(reduced, Err(RunError::Failed(_))));
}

/// rayon#551, #210: a source that is no range has no order afterwards.
#[test]
fn an_iterator_of_any_kind_keeps_its_order() {
    let source = (0..).filter(|n| n % 3 == 0).take(1_000);
    let all: Vec<i32> = thread::from_iter(source.clone()).par_map(4, |n| n).collect().unwrap();
    assert!(all.into_iter().eq(source));
}

/// rust-ssp: items that are filtered out leave holes in the order.
#[test]
fn what_is_filtered_out_leaves_no_hole() {
    let all: Vec<u32> = thread::from_iter(0..1_000)
        .par_flat_map(opts("none").workers(3).window(4), |n| (n == 999).then_some(n))
        .collect()
        .unwrap();
    assert_eq!(all, [999]);
}
