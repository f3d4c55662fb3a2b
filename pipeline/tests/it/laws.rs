//! What holds for every pipeline: the guarantees of the crate page, one by one.

use lockgate_pipeline::{BuildError, RunError, opts, thread};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Guarantee 1.
#[test]
fn an_ordered_pipeline_is_the_iterator_chain() {
    let expected: Vec<u64> =
        (0..10_000_u64).map(|n| n * n).filter(|n| n % 3 == 0).flat_map(|n| [n, n + 1]).collect();
    let got: Vec<u64> = thread::from_iter(0..10_000_u64)
        .par_map(3, |n| n * n)
        .filter(|n| n % 3 == 0)
        .par_flat_map(opts("pairs").workers(2).window(7), |n| [n, n + 1])
        .collect()
        .unwrap();
    assert_eq!(got, expected);
}

#[test]
fn the_lowest_failing_index_decides() {
    for workers in [1, 2, 5] {
        let seen = &mut Vec::new();
        let failed = thread::from_iter(0..1000_u32)
            .try_par_map(workers, |n| if n % 100 == 77 { Err(n) } else { Ok(n) })
            .for_each(|n| seen.push(n))
            .unwrap_err()
            .into_failed()
            .unwrap();
        assert_eq!((failed.error, failed.index), (77, 77));
        assert!(seen.iter().copied().eq(0..77), "{seen:?}");
    }
}

#[test]
fn no_worker_is_an_error() {
    let ran = thread::from_iter(0..10).par_map(opts("none").workers(0), |n| n).run();
    let Err(RunError::Build(BuildError::OutOfRange { stage, option, value, .. })) = ran else {
        panic!("{ran:?}")
    };
    assert_eq!((&*stage, option, value), ("none", "workers", 0));
}

#[test]
fn a_panic_keeps_its_payload() {
    let caught = std::panic::catch_unwind(|| {
        thread::from_iter(0..100)
            .par_map(2, |n| if n == 50 { std::panic::panic_any(42_u8) } else { n })
            .run()
    });
    assert_eq!(caught.unwrap_err().downcast_ref::<u8>(), Some(&42));
}

/// Guarantee 4.
#[test]
fn dropping_the_iterator_ends_an_infinite_source() {
    let mut results =
        thread::from_iter(0_u64..).par_map(2, |n| n + 1).par_map(3, |n| n + 1).into_iter();
    assert_eq!(results.next().unwrap().unwrap(), 2);
    drop(results);
}

#[test]
fn an_item_that_was_given_does_not_wait_for_the_next() {
    let (sender, receiver) = mpsc::channel();
    let mut results = thread::from_iter(receiver).par_map(2, |n: u64| n * 2).into_iter();
    for n in 0..100 {
        sender.send(n).unwrap();
        assert_eq!(results.next().unwrap().unwrap(), n * 2);
    }
    drop(sender);
    assert!(results.next().is_none());
}

/// Guarantee 3.
#[test]
fn no_more_is_in_flight_than_is_said() {
    let (live, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let pipe = thread::from_iter(0..5000_u32)
        .inspect(|_| {
            let now = live.fetch_add(1, Ordering::Relaxed) + 1;
            most.fetch_max(now, Ordering::Relaxed);
        })
        .par_map(opts("a").workers(3).window(16), |n| n)
        .par_map(opts("b").workers(2).window(5).chunk(2), |n| n);
    let bound = pipe.max_in_flight();
    pipe.for_each(|_| {
        live.fetch_sub(1, Ordering::Relaxed);
    })
    .unwrap();
    let most = most.into_inner();
    assert!(most <= bound, "{most} > {bound}");
}
