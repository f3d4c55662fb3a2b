//! Random pipelines beside the chain of iterators that they should be.
//!
//! | | what | where |
//! |---|---|---|
//! | P1 | ordered, it is the iterator chain, errors included | here, `chains` |
//! | P2 | unordered, it is the same items | here, `chains` |
//! | P3 | of each policy: what went in is what came out, was skipped, sent away or dropped | here |
//! | P4 | a panic anywhere: the same payload, no hang, no leak | `chains`, `laws::a_panic_keeps_its_payload` |
//! | P5 | left at any point: the threads have ended, and the source gave no more than the bound | here |
//! | P6 | calls at once, and items under way, are no more than was said | `in_flight`, `laws` |
//! | P7 | each item is dropped once | here, `chains`, `laws::every_item_is_dropped_once` |
//! | P8 | a drain delivers everything; an abort nothing new | here, `laws` |
//! | P9 | batches: none is empty, none too large; `unbatch` is the inverse | here. Their time: no subject yet |
//! | P10 | the order of each key | no subject yet |
//! | P11 | no call starts after an abort | `laws::an_abort_starts_nothing_new`, `own_defects::an_abort_starts_no_operator` |
//! | P12 | one worker calls in order | `go_parity::consume::for_each_one_is_deterministic` |
//! | P13 | a slow consumer stops the source | `laws::a_slow_consumer_stops_the_source` |
//! | P14, P15 | a stage and its consumer share a semaphore; stages go on while nobody reads | `regressions` |
//! | P16 | a future that is dropped loses nothing | no subject yet: there is no stream |
//! | P17 | a cancel while the source waits | it is waited for, as the crate page says; errors are heard of before: `regressions::an_error_is_heard_of_while_the_source_waits` |
//! | P18 | pipelines inside of pipelines | `ends::pipelines_nest` |
//! | P19 | items of no size, large ones, ones that can only be moved | `laws::nothing_hangs`; here |
//! | P20 | a reduction that is not commutative | `go_parity::consume::reduce_ordering` |

use crate::support::{Census, leak, until};
use lockgate_pipeline::{Errors, Opts, Retry, RunError, StageReport, dead_letter, skip, thread};
use proptest::prelude::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

fn options() -> impl Strategy<Value = Opts> {
    let window = prop::option::of(1..40_usize);
    let chunk = prop::option::of(1..9_usize);
    (1..5_usize, window, chunk).prop_map(|(workers, window, chunk)| {
        let opts = Opts::from(workers);
        let opts = window.map_or(opts.clone(), |window| opts.window(window));
        chunk.map_or(opts.clone(), |chunk| opts.chunk(chunk))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// P1: two stages with operators between them, and an error somewhere, or none.
    #[test]
    fn ordered_is_the_iterator_chain(
        first in options(),
        second in options(),
        items in 0..300_u32,
        modulus in 1..7_u32,
        take in 0..300_usize,
        fails_at in prop::option::of(0..300_u32),
    ) {
        let mut expected = Vec::new();
        let mut error = None;
        for n in (0..items).filter(|n| n % modulus == 0).flat_map(|n| vec![n; n as usize % 3]).take(take) {
            if fails_at.is_some_and(|at| n >= at) {
                error = Some(n);
                break;
            }
            expected.push(n);
        }
        let mut seen = Vec::new();
        let ran = thread::from_iter(0..items)
            .par_map(first, |n| n)
            .filter(|n| n % modulus == 0)
            .flat_map(|n| vec![n; n as usize % 3])
            .take(take as u64)
            .try_par_map(second, |n| if fails_at.is_some_and(|at| n >= at) { Err(n) } else { Ok(n) })
            .for_each(|n| seen.push(n));
        prop_assert_eq!(seen, expected);
        prop_assert_eq!(ran.err().and_then(|error| error.into_failed()).map(|f| f.error), error);
    }

    /// P2: unordered, the same items.
    #[test]
    fn unordered_is_the_same_items(
        first in options(), second in options(), items in 0..300_u32,
    ) {
        let mut seen: Vec<u32> = thread::from_iter(0..items)
            .par_map(first.unordered(), |n| n)
            .par_flat_map(second.unordered(), |n| vec![n; n as usize % 3])
            .collect()
            .unwrap();
        seen.sort_unstable();
        prop_assert!(seen.into_iter().eq((0..items).flat_map(|n| vec![n; n as usize % 3])));
    }

    /// P5, P6, P7: left at any point, nothing leaks, and no more is under way than is said.
    #[test]
    fn left_at_any_point(
        first in options(), second in options(), leave in 0..200_usize, is_ordered in any::<bool>(),
    ) {
        let census = Census::default();
        let items = census.clone();
        let second = if is_ordered { second } else { second.unordered() };
        let pipe = thread::from_iter(0..)
            .map(move |n| items.item(n))
            .par_map(first, |item| item)
            .par_map(second, |item| item);
        let bound = pipe.max_in_flight();
        let mut results = pipe.into_iter();
        for n in 0..leave {
            let item = results.next().unwrap().unwrap();
            prop_assert!(!is_ordered || item.n as usize == n);
        }
        drop(results);
        prop_assert_eq!(census.live(), 0);
        prop_assert!(census.most() as usize <= bound, "{} > {}", census.most(), bound);
    }
    /// P5: what the source was asked for is no more than what was read, and what may be under way.
    #[test]
    fn the_source_gives_no_more_than_the_bound(
        first in options(), second in options(), leave in 0..200_usize,
    ) {
        let asked = AtomicUsize::new(0);
        let source = std::iter::repeat_with(|| asked.fetch_add(1, Ordering::SeqCst));
        let pipe = thread::from_iter(source).par_map(first, |n| n).par_map(second, |n| n);
        let bound = pipe.max_in_flight();
        let read = pipe.with_iter(|items| items.take(leave).count()).unwrap();
        prop_assert_eq!(read, leave);
        let asked = asked.into_inner();
        prop_assert!(asked <= leave + bound, "{} > {} + {}", asked, leave, bound);
    }

    /// P3: each policy, with retries or without: nothing is lost, and everything is counted.
    #[test]
    fn nothing_is_lost_whatever_the_policy(
        opts in options(), is_ordered in any::<bool>(), items in 0..200_u32, modulus in 1..7_u32, times in 0..3_u32,
    ) {
        let census = Census::default();
        let opts = if is_ordered { opts } else { opts.unordered() };
        let fails = |n: u32| n % modulus == 0;
        let stage = || {
            thread::from_iter(0..items)
                .map(|n| census.item(n))
                .try_par_map(opts.clone().name("stage"), |item| if fails(item.n) { Err(item.n) } else { Ok(item.n) })
                .retry(Retry::times(times))
        };
        let failing: Vec<u32> = (0..items).filter(|n| fails(*n)).collect();
        let passing: Vec<u32> = (0..items).filter(|n| !fails(*n)).collect();
        let (failed, retried) = (failing.len() as u64 * u64::from(times + 1), failing.len() as u64 * u64::from(times));
        let check = |stage: &StageReport, given: usize| {
            assert_eq!((stage.taken, stage.given), (u64::from(items), given as u64));
            assert_eq!((stage.failed, stage.retried, stage.dropped), (failed, retried, 0));
        };
        let mut seen = Vec::new();
        let ran = stage().on_error(skip()).for_each(|n| seen.push(n)).unwrap();
        check(&ran.stages[0], passing.len());
        prop_assert_eq!(ran.stages[0].skipped, failing.len() as u64);
        prop_assert_eq!(sorted(seen), passing.clone());

        let errors = Errors::at_most(failing.len());
        let ran = stage().on_error(errors.clone()).run().unwrap();
        check(&ran.stages[0], passing.len());
        let held: Vec<u32> = errors.take().into_iter().map(|failed| failed.error).collect();
        prop_assert_eq!(held, failing.clone());

        let (letters, dead) = mpsc::channel();
        let ran = stage().on_error(dead_letter(letters)).run().unwrap();
        check(&ran.stages[0], passing.len());
        let dead: Vec<u32> = dead.iter().map(|letter| {
            assert_eq!((letter.input.n, u64::from(letter.error)), (letter.error, letter.index));
            letter.error
        }).collect();
        prop_assert_eq!(sorted(dead), failing.clone());

        let mut seen = Vec::new();
        let ran = stage().fallback(|n| n).for_each(|n| seen.push(n)).unwrap();
        check(&ran.stages[0], items as usize);
        prop_assert_eq!(ran.stages[0].replaced, failing.len() as u64);
        prop_assert!(sorted(seen).into_iter().eq(0..items));

        let first = stage().run().err().and_then(RunError::into_failed).map(|failed| failed.error);
        prop_assert_eq!(first.is_some(), !failing.is_empty());
        prop_assert!(!is_ordered || first == failing.first().copied());
        prop_assert_eq!(census.live(), 0);
    }

    /// P8: a drain at any point delivers what was taken, in batches too; an abort leaves nothing.
    #[test]
    fn drained_or_aborted_at_any_point(
        first in options(), second in options(), at in 0..150_usize, size in 1..20_usize, is_drain in any::<bool>(),
    ) {
        let census = Census::default();
        let items = census.clone();
        let seen = leak(Mutex::new(Vec::new()));
        let pipeline = thread::from_iter(0..)
            .map(move |n| items.item(n))
            .par_map(first, |item| item)
            .chunks(size)
            .par_map(second, |batch| batch)
            .inspect(|batch| seen.lock().unwrap().extend(batch.iter().map(|item| item.n)))
            .spawn()
            .unwrap();
        until(|| census.made() >= at);
        if is_drain {
            pipeline.drain();
            pipeline.wait().unwrap();
            prop_assert_eq!(seen.lock().unwrap().len(), census.made());
        } else {
            pipeline.abort();
            prop_assert!(matches!(pipeline.wait(), Err(RunError::Aborted)));
        }
        let seen = seen.lock().unwrap();
        prop_assert!(seen.iter().copied().eq(0..seen.len() as u32));
        prop_assert_eq!(census.live(), 0);
    }

    /// P9.
    #[test]
    fn batches_are_full_but_the_last(
        opts in options(), items in 0..200_u32, size in prop_oneof![1..50_usize, Just(usize::MAX)],
    ) {
        let source = || thread::from_iter(0..items).par_map(opts.clone(), |n| n).chunks(size);
        let batches: Vec<Vec<u32>> = source().collect().unwrap();
        prop_assert!(batches.iter().all(|batch| !batch.is_empty() && batch.len() <= size));
        prop_assert!(batches.iter().rev().skip(1).all(|batch| batch.len() == size));
        prop_assert!(batches.concat().into_iter().eq(0..items));
        let again: Vec<u32> = source().unbatch().par_map(opts.clone(), |n| n).collect().unwrap();
        prop_assert!(again.into_iter().eq(0..items));
    }
}

fn sorted(mut items: Vec<u32>) -> Vec<u32> {
    items.sort_unstable();
    items
}

/// P19: closures, which can only be moved, and called once.
#[test]
fn items_that_can_only_be_moved() {
    let calls = (0..500_u32).map(|n| Box::new(move || n * 2) as Box<dyn FnOnce() -> u32 + Send>);
    let called = thread::from_iter(calls)
        .buffer(7)
        .chunks(3)
        .par_flat_map(2, |batch| batch)
        .par_map(3, |call| call());
    assert!(called.collect::<Vec<_>>().unwrap().into_iter().eq((0..1_000).step_by(2)));
}
