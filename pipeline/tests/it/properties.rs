//! Random pipelines beside the chain of iterators that they should be.

use crate::support::Census;
use lockgate_pipeline::{Opts, thread};
use proptest::prelude::*;

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
}
