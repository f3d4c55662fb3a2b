//! Counts what tasks did, in every scenario alike: a few nanoseconds, since each thread has a
//! cache line of its own, almost always.

use crate::harness::threads::Padded;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

const LANES: usize = 16;

static COUNTS: [Padded<AtomicU64>; LANES] = [const { Padded(AtomicU64::new(0)) }; LANES];
static NEXT: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    static LANE: usize = NEXT.fetch_add(1, Ordering::Relaxed) % LANES;
}

/// One task has run.
#[inline]
pub fn count() {
    add(1);
}

#[inline]
pub fn add(tasks: u64) {
    LANE.with(|lane| COUNTS[*lane].0.fetch_add(tasks, Ordering::Relaxed));
}

fn total() -> u64 {
    COUNTS.iter().map(|count| count.0.load(Ordering::Relaxed)).sum()
}

/// Asserts that `run` counts so many.
pub fn assert_counts<R>(name: &str, expected: u64, run: impl FnOnce() -> R) -> R {
    let before = total();
    let result = run();
    assert_eq!(total() - before, expected, "{name}: tasks that ran");
    result
}
