//! A value that is pushed allocates nothing.
//!
//! A binary of its own, because it replaces the allocator by one that counts, for each thread by
//! itself.
#![cfg(feature = "sync")]

use allocation_counter::measure;
use lockgate_workerpool::thread::{Queue, Reject, Workers};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often `body` allocates.
fn allocations(body: impl FnOnce()) -> u64 {
    measure(body).count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(Box::new(std::hint::black_box(1)))), 1);
}

/// The queue grows to its length once, and a thread's first wait makes its parker; between those lie
/// stretches that allocate nothing.
#[test]
fn pushing_allocates_nothing_after_the_first_time() {
    const VALUES: u64 = 2_000;
    for queue in [Queue::Bounded(64), Queue::Unbounded] {
        let handled = Arc::new(AtomicU64::new(0));
        let counts = Arc::clone(&handled);
        let builder = Workers::builder().threads(2).queue(queue);
        let workers = builder.build_workers(move |n: u64| {
            counts.fetch_add(n, Ordering::Relaxed);
        });
        let workers = workers.unwrap();
        let stretch = || {
            (0..VALUES).for_each(|_| workers.push(1).unwrap());
            workers.wait_idle().wait();
        };
        let fewest = (0..20).map(|_| allocations(stretch)).min();
        assert_eq!(fewest, Some(0), "{queue:?}");
        assert_eq!(handled.load(Ordering::Relaxed), 20 * VALUES);
    }
}

/// What a worker does for a value, seen from the one thread that does all of it: the handler pushes into
/// a queue that has no room, and handles the value itself.
#[test]
fn handling_allocates_nothing() {
    thread_local!(static COUNT: Cell<u64> = const { Cell::new(0) });
    let builder =
        Workers::builder().threads(0..=1).queue(Queue::Handoff).reject(Reject::CallerRuns);
    let workers = builder.build_workers(|n: u64| COUNT.set(COUNT.get() + n)).unwrap();
    assert!(workers.pause(), "nobody is free");
    let count = allocations(|| (0..100).for_each(|_| workers.push(1).unwrap()));
    assert_eq!((count, COUNT.get()), (0, 100));
}
