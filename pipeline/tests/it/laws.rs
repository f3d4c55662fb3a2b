//! What holds for every pipeline: the guarantees of the crate page, one by one.

use crate::support::{Census, Flag, until};
use lockgate_pipeline::{BuildError, Opts, RunError, opts, thread};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Guarantee 1: an ordered pipeline is the iterator chain.
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

/// Guarantee 1: the first item that fails decides, and what comes before it has come through.
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
        assert_eq!((failed.error, failed.index, &*failed.stage), (77, 77, "try_par_map"));
        assert!(seen.iter().copied().eq(0..77), "{seen:?}");
    }
}

/// Guarantee 1: a later item that fails first does not decide.
#[test]
fn the_lowest_failing_index_decides_even_if_a_later_one_is_faster() {
    let late = Flag::default();
    let failed = thread::from_iter(0..2)
        .try_par_map(opts("both").workers(2).chunk(1), |n| {
            if n == 1 {
                late.set();
            } else {
                late.wait();
            }
            Err::<(), _>(n)
        })
        .run()
        .unwrap_err()
        .into_failed()
        .unwrap();
    assert_eq!((failed.error, failed.index), (0, 0));
}

/// Guarantee 2: an abnormal end is never an end of the items.
#[test]
fn an_abnormal_end_is_no_end_of_stream() {
    for is_ordered in [true, false] {
        let order = |opts: Opts| if is_ordered { opts } else { opts.unordered() };
        let fails = |n: u32| if n == 60 { Err("sixty") } else { Ok(n) };
        let results: Vec<_> = thread::from_iter(0..100)
            .try_par_map(order(opts("fails").workers(3)), fails)
            .par_map(order(opts("next").workers(2)), |n| n)
            .into_iter()
            .collect();
        assert!(matches!(&results.last(), Some(Err(RunError::Failed(_)))), "{results:?}");
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
        let panics = |n: u32| if n == 60 { panic_any("sixty") } else { n };
        let mut results =
            thread::from_iter(0..100).par_map(order(opts("panics").workers(3)), panics).into_iter();
        let payload = loop {
            match catch_unwind(AssertUnwindSafe(|| results.next())) {
                Ok(Some(Ok(_))) => {}
                Ok(end) => panic!("no panic, but {end:?}"),
                Err(payload) => break payload,
            }
        };
        assert_eq!(payload.downcast_ref(), Some(&"sixty"));
        assert!(results.next().is_none());
    }
}

/// Guarantee 3: no more is under way than is said, even while the head takes long.
#[test]
fn no_more_is_in_flight_than_is_said() {
    for is_fixed in [true, false] {
        let census = Census::default();
        let chunk = |opts: Opts| if is_fixed { opts.chunk(2) } else { opts };
        let pipe = thread::from_iter(0..2_000)
            .map(|n| census.item(n))
            .par_map(chunk(opts("a").workers(3).window(16)), |item| item)
            .par_map(chunk(opts("b").workers(2).window(5)), |item| item);
        let bound = pipe.max_in_flight();
        let mut next = 0;
        let ran = pipe.for_each(|item| {
            assert_eq!(item.n, next);
            next += 1;
        });
        ran.unwrap();
        assert!(census.most() <= bound as isize, "{} > {bound}", census.most());
        assert_eq!(census.live(), 0);
    }
}

/// Guarantee 3.
#[test]
fn a_blocked_head_holds_no_more_than_the_window() {
    let (census, entered) = (Census::default(), AtomicUsize::new(0));
    let window = 24;
    let pipe = thread::from_iter(0..1_000).map(|n| census.item(n)).par_map(
        opts("head").workers(2).window(window).chunk(1),
        |item| {
            let count = entered.fetch_add(1, Ordering::SeqCst);
            if item.n == 0 {
                // The other worker goes on as far as it can, and no further.
                until(|| entered.load(Ordering::SeqCst) == window);
                assert!(count < window);
            }
            item
        },
    );
    let bound = pipe.max_in_flight();
    assert_eq!(pipe.count().unwrap(), 1_000);
    assert!(census.most() <= bound as isize, "{} > {bound}", census.most());
}

/// Guarantee 4: dropping the output cancels and joins.
#[test]
fn dropping_the_iterator_ends_an_infinite_source() {
    let census = Census::default();
    let items = census.clone();
    let mut results = thread::from_iter(0..)
        .map(move |n| items.item(n))
        .par_map(2, |item| item)
        .par_map(3, |item| item.n)
        .into_iter();
    assert_eq!(results.next().unwrap().unwrap(), 0);
    drop(results);
    let made = census.made();
    assert_eq!(census.live(), 0, "the threads have ended");
    assert_eq!(census.made(), made);
}

/// Guarantee 4.
#[test]
fn the_end_of_a_search_ends_an_infinite_source() {
    let found = thread::from_iter(0_u64..).par_map(2, |n| n * n).find(|n| *n > 10_000).unwrap();
    assert_eq!(found, Some(101 * 101));
    let first = thread::from_iter(0_u64..).par_map(2, |n| n).take(3).collect::<Vec<_>>().unwrap();
    assert_eq!(first, [0, 1, 2]);
}

/// Guarantee 5: a drain delivers everything, batches that are not full too.
#[test]
fn a_drain_delivers_everything() {
    let (taken, given) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let (taken, given) = (&*Box::leak(Box::new(taken)), &*Box::leak(Box::new(given)));
    let pipeline = thread::from_iter(0_u64..)
        .inspect(|_| {
            taken.fetch_add(1, Ordering::SeqCst);
        })
        .par_map(opts("a").workers(2).window(8), |n| n)
        .chunks(1_000_000)
        .par_map(1, |batch| {
            given.fetch_add(batch.len(), Ordering::SeqCst);
        })
        .spawn()
        .unwrap();
    until(|| taken.load(Ordering::SeqCst) > 10);
    pipeline.drain();
    let report = pipeline.wait().unwrap();
    assert_eq!(taken.load(Ordering::SeqCst), given.load(Ordering::SeqCst));
    assert_eq!(report.stages[1].taken, 1, "{report}");
}

/// Guarantee 5: an abort starts nothing new, and says that it was one.
#[test]
fn an_abort_starts_nothing_new() {
    let (calls, goes_on) = &*Box::leak(Box::new((AtomicUsize::new(0), Flag::default())));
    let pipeline = thread::from_iter(0_u64..)
        .par_map(opts("stuck").workers(2).chunk(4), |_| {
            calls.fetch_add(1, Ordering::SeqCst);
            goes_on.wait();
        })
        .spawn()
        .unwrap();
    until(|| calls.load(Ordering::SeqCst) == 2);
    pipeline.abort();
    goes_on.set();
    assert!(matches!(pipeline.wait(), Err(RunError::Aborted)));
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

/// Guarantee 5, for a pipeline without a stage.
#[test]
fn an_abort_is_no_end_of_a_fused_pipeline() {
    let seen = &*Box::leak(Box::new(AtomicUsize::new(0)));
    let count = |_: &u64| {
        seen.fetch_add(1, Ordering::SeqCst);
    };
    let pipeline = thread::from_iter(0_u64..).inspect(count).spawn().unwrap();
    until(|| seen.load(Ordering::SeqCst) > 10);
    pipeline.abort();
    assert!(matches!(pipeline.wait(), Err(RunError::Aborted)));
    let pipeline = thread::from_iter(0_u64..).inspect(count).spawn().unwrap();
    pipeline.drain();
    pipeline.wait().unwrap();
}

/// Guarantee 6: panics keep their payload, wherever they happen.
#[test]
fn a_panic_keeps_its_payload() {
    type Place = fn(u8, u8) -> u32;
    let panic_at: Place = |here, place| if here == place { panic_any(42_u8) } else { 1 };
    for place in 0..5 {
        let census = Census::default();
        let caught = catch_unwind(|| {
            thread::from_iter((0..100).map(|n| n * panic_at(0, place)))
                .map(|n| census.item(n * panic_at(1, place)))
                .par_map(2, |item| (panic_at(2, place), item).1)
                .inspect(|_| {
                    panic_at(3, place);
                })
                .par_map(opts("last").workers(2).unordered(), |item| item)
                .for_each(|_| {
                    panic_at(4, place);
                })
        });
        assert_eq!(caught.unwrap_err().downcast_ref::<u8>(), Some(&42), "place {place}");
        assert_eq!(census.live(), 0, "place {place}");
    }
}

/// Guarantee 7: no worker is an error when the pipeline starts, whatever starts it.
#[test]
fn numbers_out_of_range_are_errors() {
    let cases = [
        (opts("odd").workers(0), "workers", 0),
        (opts("odd").workers(1025), "workers", 1025),
        (opts("odd").window(0), "window", 0),
        (opts("odd").window(65_537), "window", 65_537),
        (opts("odd").chunk(0), "chunk", 0),
        (opts("odd").chunk(4097), "chunk", 4097),
    ];
    for (odd, expected, number) in cases {
        let ran = thread::from_iter(0..10).par_map(odd.clone(), |n| n).run();
        let Err(RunError::Build(error)) = ran else { panic!("{ran:?}") };
        let BuildError::OutOfRange { stage, option, value, .. } = &error else { panic!("{error}") };
        assert_eq!((&**stage, *option, *value), ("odd", expected, number));
        assert!(error.to_string().contains(&format!("{expected} of stage `odd` is {number}")));
        assert!(thread::from_iter(0..10).par_map(odd.clone(), |n| n).spawn().is_err());
        let items: Vec<_> = thread::from_iter(0..10).par_map(odd, |n| n).into_iter().collect();
        assert!(matches!(&items[..], [Err(RunError::Build(_))]), "{items:?}");
    }
}

/// Guarantee 7: nothing hangs with one worker or more, no item, or items of no size or a large one.
#[test]
fn nothing_hangs() {
    for workers in [1, 2, 7] {
        for is_ordered in [true, false] {
            let opts = Opts::from(workers);
            let opts = if is_ordered { opts } else { opts.unordered() };
            let count = thread::from_iter(0..0).par_map(opts.clone(), |n| n).count();
            assert_eq!(count.unwrap(), 0);
            let nothing = thread::from_iter(std::iter::repeat_n((), 5_000));
            assert_eq!(nothing.par_map(opts.clone(), |()| ()).count().unwrap(), 5_000);
            let large = thread::from_iter(0..100_u8).par_map(opts.clone(), |n| [n; 20_000]);
            let sum = large.par_map(opts, |a| u64::from(a[19_999])).fold(0, |sum, n| sum + n);
            assert_eq!(sum.unwrap(), 99 * 100 / 2);
        }
    }
    let tiny = opts("tiny").workers(3).window(1);
    assert_eq!(thread::from_iter(0..500).par_map(tiny, |n| n).count().unwrap(), 500);
}

/// Guarantee 8: each item is dropped once, whatever ends the pipeline.
#[test]
fn every_item_is_dropped_once() {
    for end in 0..4 {
        let census = Census::default();
        let items = census.clone();
        let act = move |n: u32| match (end, n) {
            (1, 300) => Err(n),
            (2, 300) => panic_any(n),
            _ => Ok(n),
        };
        let mut results = thread::from_iter(0..1_000)
            .map(move |n| items.item(n))
            .par_map(3, |item| item)
            .chunks(7)
            .unbatch()
            .try_par_map(opts("act").workers(2).window(9), move |item| act(item.n).map(|_| item))
            .into_iter();
        let seen = catch_unwind(AssertUnwindSafe(|| match end {
            3 => results.by_ref().take(100).count(),
            _ => results.by_ref().filter(Result::is_ok).count(),
        }));
        let expected = [1_000, 300, usize::MAX, 100][end];
        assert_eq!(seen.unwrap_or(usize::MAX), expected, "end {end}");
        drop(results);
        assert_eq!(census.live(), 0, "end {end}");
    }
}

/// An item that was given does not wait for the next one: a chunk that is not full goes on.
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

/// A slow consumer stops the source, at the bound.
#[test]
fn a_slow_consumer_stops_the_source() {
    let census = Census::default();
    let pipe = thread::from_iter(0..10_000).map(|n| census.item(n)).buffer(10);
    let with = pipe.with_iter(|items| {
        let first = items.next().unwrap();
        // The first one counts until the next is asked for.
        until(|| census.live() == 10);
        first.n
    });
    assert_eq!(with.unwrap(), 0);
    assert_eq!((census.most(), census.live()), (10, 0));
}

/// Workers run at the same time, as many as was said and no more.
#[test]
fn as_many_calls_run_at_once_as_was_said() {
    let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::from_iter(0..100)
        .par_map(opts("three").workers(3).chunk(1), |n| {
            let running = now.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(running, Ordering::SeqCst);
            if n < 3 {
                // The first three wait for each other.
                until(|| most.load(Ordering::SeqCst) == 3);
            }
            now.fetch_sub(1, Ordering::SeqCst);
        })
        .run()
        .unwrap();
    assert_eq!(most.into_inner(), 3);
}
