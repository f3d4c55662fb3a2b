//! Go's tests of `Sometimes`, by behaviour, one for each of its examples and tests; and what ours
//! adds: it may be called from inside.

use lockgate_ratelimit::Sometimes;
use lockgate_ratelimit::clock::{Clock, Manual, Timestamp};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Which of `calls` calls run, numbered from 1.
fn runs<C: Clock>(sometimes: &Sometimes<C>, calls: usize) -> Vec<usize> {
    (1..=calls).filter(|_| sometimes.run(|| ()).is_some()).collect()
}

#[test]
fn example_sometimes_once() {
    assert_eq!(runs(&Sometimes::new(), 10), [1]);
}

#[test]
fn example_sometimes_first() {
    assert_eq!(runs(&Sometimes::new().first(2), 3), [1, 2]);
}

#[test]
fn example_sometimes_every() {
    assert_eq!(runs(&Sometimes::new().every(2), 5), [1, 3, 5]);
}

#[test]
fn example_sometimes_interval() {
    let clock = Manual::new();
    let sometimes = Sometimes::with_clock(clock.clone()).interval(Duration::from_secs(1));
    assert_eq!(runs(&sometimes, 2), [1]);
    clock.advance(Duration::from_secs(1));
    assert_eq!(runs(&sometimes, 2), [1]);
}

#[test]
fn example_sometimes_mix() {
    let clock = Manual::new();
    let sometimes =
        Sometimes::with_clock(clock.clone()).first(2).every(2).interval(Duration::from_secs(2));
    assert_eq!(runs(&sometimes, 3), [1, 2, 3]);
    clock.advance(Duration::from_secs(2));
    // The fourth by the interval, the fifth by the count; the sixth by neither.
    assert_eq!(runs(&sometimes, 3), [1, 2]);
}

/// Go's `TestSometimesZero`.
#[test]
fn test_sometimes_zero() {
    assert_eq!(runs(&Sometimes::new().first(0).every(0), 3), [1]);
    assert_eq!(runs(&Sometimes::new().interval(Duration::ZERO), 3), [1, 2, 3]);
}

/// Go's `TestSometimesMax`. Its third, `TestSometimesNegative`, cannot be written here.
#[test]
fn test_sometimes_max() {
    let clock = Manual::new();
    let sometimes = Sometimes::with_clock(clock.clone())
        .first(u64::MAX)
        .every(u64::MAX)
        .interval(Duration::MAX);
    assert_eq!(runs(&sometimes, 3), [1, 2, 3]);
    let sometimes = Sometimes::with_clock(clock.clone()).every(u64::MAX).interval(Duration::MAX);
    clock.set(Timestamp::from_nanos(u64::MAX));
    assert_eq!(runs(&sometimes, 3), [1]);
}

#[test]
fn it_may_be_called_from_inside() {
    let sometimes = Sometimes::new().every(2);
    let inner = sometimes.run(|| (sometimes.run(|| 1), sometimes.run(|| 2)));
    assert_eq!(inner, Some((None, Some(2))));
}

#[test]
fn the_interval_counts_from_the_end_also_of_a_panic() {
    let clock = Manual::new();
    let sometimes = Sometimes::with_clock(clock.clone()).interval(Duration::from_secs(2));
    let run = || {
        sometimes.run(|| {
            clock.advance(Duration::from_secs(5));
            panic!("on purpose")
        })
    };
    assert!(catch_unwind(AssertUnwindSafe(run)).is_err());
    assert!(runs(&sometimes, 1).is_empty());
    clock.advance(Duration::from_secs(2));
    assert_eq!(runs(&sometimes, 2), [1]);
}

/// A clock that counts how often it is read.
struct Counted(AtomicUsize);

impl Clock for Counted {
    fn now(&self) -> Timestamp {
        self.0.fetch_add(1, Ordering::Relaxed);
        Timestamp::default()
    }
}

#[test]
fn without_an_interval_no_clock_is_read() {
    let counted = std::sync::Arc::new(Counted(AtomicUsize::new(0)));
    let sometimes = Sometimes::with_clock(std::sync::Arc::clone(&counted)).every(3);
    assert_eq!(runs(&sometimes, 7), [1, 4, 7]);
    assert_eq!(counted.0.load(Ordering::Relaxed), 0);
}
