//! What rill's tests ask of ends, sources and buffers.

use super::{each_way, failed, five_and_six, input};
use crate::support::{Flag, leak, until};
use lockgate_pipeline::{RunError, opts, thread};
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

#[test]
fn err_empty() {
    let report = thread::from_iter(0..0_u32).try_par_map(2, five_and_six).run().unwrap();
    assert_eq!(report.stages[0].taken, 0);
}

#[test]
fn err_no_errors() {
    let report = thread::from_iter(10..30).try_par_map(opts("f"), five_and_six).run().unwrap();
    assert_eq!((report.stages[0].taken, report.stages[0].given), (20, 20));
}

/// The error at 5, not the one at 6; and the source is not emptied.
#[test]
fn err_error() {
    let asked = AtomicUsize::new(0);
    let source = (0..1_000_000).inspect(|_| {
        asked.fetch_add(1, Ordering::SeqCst);
    });
    let pipe = thread::from_iter(source)
        .try_par_map(opts("f").workers(5).chunk(1).window(16), five_and_six);
    let bound = pipe.max_in_flight();
    let failed = failed(pipe.run());
    assert_eq!((failed.error.as_str(), failed.index), ("err005", 5));
    let asked = asked.into_inner();
    assert!(asked <= 5 + bound, "{asked} of {bound}");
}

#[test]
fn first_empty() {
    assert_eq!(thread::from_iter(0..0).par_map(5, |n| n).find(|_| true).unwrap(), None);
}

/// "value is first" and "unclosed": what comes after it, without end, does not matter.
#[test]
fn first_value_is_first() {
    let fails_later = |n: u32| if n == 10 { Err(n) } else { Ok(n) };
    let stage = opts("f").workers(5).window(7);
    let first = thread::from_iter(0..).try_par_map(stage, fails_later).find(|_| true);
    assert_eq!(first.unwrap(), Some(0));
}

/// rill#90: it said that there was one.
#[test]
fn first_error_is_first() {
    let fails = |n: u32| if n == 0 { Err("err000") } else { Ok(n) };
    let first = thread::from_iter(0..).try_par_map(opts("f").workers(5), fails).find(|_| true);
    assert_eq!(failed(first).error, "err000");
}

#[test]
fn for_each_no_errors() {
    each_way(|stage, _| {
        let sum = AtomicUsize::new(0);
        let add = |n| {
            sum.fetch_add(n, Ordering::SeqCst);
            Ok::<_, String>(())
        };
        thread::from_iter(0..20).try_par_map(stage, add).run().unwrap();
        assert_eq!(sum.into_inner(), 20 * 19 / 2);
    });
}

/// Calls that are made after the one that fails: none for one worker, no more than the window for more.
#[test]
fn for_each_error_in_func() {
    each_way(|stage, _| {
        let (is_over, extra) = (Flag::default(), AtomicUsize::new(0));
        let fails = |n: u32| {
            if is_over.is_set() {
                extra.fetch_add(1, Ordering::SeqCst);
            }
            if n == 100 {
                is_over.set();
                return Err("err100");
            }
            Ok(())
        };
        let is_alone = format!("{stage:?}").contains("workers: 1,");
        let is_ordered = !format!("{stage:?}").contains("AsDone");
        let pipe = thread::from_iter(0..1_000_000).try_par_map(stage, fails);
        let bound = pipe.max_in_flight();
        let failed = failed(pipe.run());
        assert_eq!((failed.error, failed.index), ("err100", 100));
        // Unordered, nothing but the stop itself holds the others up.
        let most = if is_alone { 0 } else { bound };
        let extra = extra.into_inner();
        assert!(extra <= most || !is_alone && !is_ordered, "{extra} calls, not {most}");
    });
}

#[test]
fn for_each_error_in_input() {
    each_way(|stage, _| {
        let calls = AtomicUsize::new(0);
        let input = (0..1_000).map(|n| if n == 100 { Err("err100") } else { Ok(n) });
        let ran = thread::from_iter(input)
            .try_map(|item| item)
            .try_par_map(stage, |n: usize| Ok(calls.fetch_max(n, Ordering::SeqCst)))
            .run();
        assert_eq!(failed(ran).error, "err100");
        assert_eq!(calls.into_inner(), 99);
    });
}

/// One worker calls in order, each call after the one before.
#[test]
fn for_each_one_is_deterministic() {
    for chunk in [1, 7] {
        let (next, threads) = (AtomicUsize::new(0), Mutex::new(HashSet::new()));
        let in_order = |n: usize| {
            assert_eq!(next.load(Ordering::Relaxed), n);
            next.store(n + 1, Ordering::Relaxed);
            threads.lock().unwrap().insert(std::thread::current().id());
            Ok::<_, ()>(())
        };
        let stage = opts("one").workers(1).chunk(chunk).unordered();
        thread::from_iter(0..500).try_par_map(stage, in_order).run().unwrap();
        assert_eq!(threads.into_inner().unwrap().len(), 1);
    }
}

/// `TestAny` and `TestAll` by one table: a source without end unless nothing decides.
#[test]
fn any_and_all() {
    each_way(|stage, is_ordered| {
        let upto = |end: u32, fails_at: u32| {
            let fails = move |n| if n == fails_at { Err(n) } else { Ok(n) };
            thread::from_iter(0..end).try_par_map(stage.clone(), fails)
        };
        let (never, ever) = (u32::MAX, u32::MAX);
        assert!(!upto(0, never).any(|_| true).unwrap(), "empty");
        assert!(upto(0, never).all(|_| false).unwrap(), "empty");
        assert!(!upto(100, never).any(|n| n > 100).unwrap(), "none satisfy");
        assert!(upto(100, never).all(|n| n < 100).unwrap(), "all satisfy");
        assert!(upto(ever, never).any(|n| n == 50).unwrap(), "match");
        assert!(!upto(ever, never).all(|n| n != 50).unwrap(), "counterexample");
        assert_eq!(failed(upto(100, 60).any(|_| false)).error, 60, "error");
        // rill#86: it said yes.
        assert_eq!(failed(upto(100, 60).all(|_| true)).error, 60, "error");
        if is_ordered && !format!("{stage:?}").contains("AsDone") {
            assert!(upto(ever, 60).any(|n| n == 50).unwrap(), "match is first");
            assert!(!upto(ever, 60).all(|n| n != 50).unwrap(), "counterexample is first");
            assert_eq!(failed(upto(ever, 60).any(|n| n == 61)).error, 60, "error is first");
            assert_eq!(failed(upto(ever, 60).all(|n| n != 61)).error, 60, "error is first");
        }
    });
}

#[test]
fn reduce_empty_and_single() {
    each_way(|stage, _| {
        let calls = AtomicUsize::new(0);
        let reduce = |items: &[u32]| {
            let pipe = thread::from_iter(items.to_vec()).par_map(stage.clone(), |n| n);
            pipe.reduce(|a, b| (calls.fetch_add(1, Ordering::SeqCst), a + b).1).unwrap()
        };
        assert_eq!((reduce(&[]), reduce(&[5])), (None, Some(5)));
        assert_eq!(calls.load(Ordering::SeqCst), 0);
        assert_eq!(reduce(&[5, 6, 7]), Some(18));
        assert_eq!(calls.into_inner(), 2);
    });
}

/// rill#72: lost, where it was the only item.
#[test]
fn reduce_single_error_and_error_in_input() {
    each_way(|stage, _| {
        let sum = |items: std::ops::Range<u32>| {
            let fails = |n| if n == 200 { Err("err200") } else { Ok(n) };
            thread::from_iter(items).try_par_map(stage.clone(), fails).reduce(|a, b| a + b)
        };
        assert_eq!(failed(sum(200..201)).error, "err200");
        assert_eq!(failed(sum(0..1_000)).error, "err200");
        assert_eq!(sum(0..100).unwrap(), Some(99 * 100 / 2));
    });
}

/// Not commutative: the order is that of the stream.
#[test]
fn reduce_ordering() {
    let all =
        thread::from_iter(0..1_000).par_map(opts("f").workers(5).window(9), |n| n.to_string());
    let expected: String = (0..1_000).map(|n| n.to_string()).collect();
    assert_eq!(all.reduce(|a, b| a + &b).unwrap(), Some(expected));
}

/// With an error in the place of an item, which is met in its turn; and with what is no error.
#[test]
fn from_seq_and_from_slice() {
    for size in [0, 1, 64, 65, 1_000] {
        let slice: Vec<usize> = (0..size).collect();
        let copied: Vec<usize> = thread::from_iter(&slice).par_map(3, |n| *n).collect().unwrap();
        assert_eq!(copied, slice);
        let with_error = slice.iter().map(|n| Ok(*n)).chain(Some(Err("err")));
        let mut seen = Vec::new();
        let ran = thread::from_iter(with_error).try_par_map(3, |n| n).for_each(|n| seen.push(n));
        assert_eq!((failed(ran).error, seen), ("err", slice));
    }
}

#[test]
fn to_slice_errors() {
    let mut seen = Vec::new();
    let ran = thread::from_iter(input()).try_par_map(5, |n| five_and_six(n?));
    assert_eq!(failed(ran.for_each(|n| seen.push(n))).error, "err005");
    assert_eq!(seen, [0, 1, 2, 3, 4]);
    let ran = thread::from_iter(input()).try_par_map(5, |n| five_and_six(n?));
    assert_eq!(failed(ran.collect::<Vec<_>>()).error, "err005");
}

#[test]
fn to_seq2_normal_and_early_exit() {
    let results = || thread::from_iter(0..20).try_par_map(3, five_and_six).into_iter();
    let all: Vec<_> =
        results().map(|item| item.map_err(|e| e.into_failed().unwrap().error)).collect();
    let expected: Vec<_> = (0..5).map(Ok).chain([Err("err005".to_owned())]).collect();
    assert_eq!(all, expected);
    // "early exit" and "unclosed".
    let stopped = leak(AtomicUsize::new(0));
    for item in thread::from_iter(0_u32..).par_map(3, |n| n).into_iter() {
        stopped.store(1 + item.unwrap() as usize, Ordering::SeqCst);
        if stopped.load(Ordering::SeqCst) == 10 {
            break;
        }
    }
    assert_eq!(stopped.load(Ordering::SeqCst), 10);
}

#[test]
fn from_chan_and_drain() {
    let (sender, receiver) = mpsc::sync_channel(3);
    let sends = std::thread::spawn(move || (0..20).for_each(|n| sender.send(n).unwrap()));
    let report = thread::from_iter(receiver).par_map(opts("f").workers(5), |n: u32| n).run();
    assert_eq!(report.unwrap().stages[0].given, 20);
    sends.join().unwrap();
}

/// "normal" and "closed": what is dropped takes nothing any more.
#[test]
fn discard() {
    let (asked, sender) = (leak(AtomicUsize::new(0)), mpsc::channel());
    let source = std::iter::repeat_with(|| asked.fetch_add(1, Ordering::SeqCst));
    let results = thread::from_iter(source).par_map(3, |n| n).into_iter();
    until(|| asked.load(Ordering::SeqCst) > 0);
    drop(results);
    let before = asked.load(Ordering::SeqCst);
    drop(sender.0);
    let closed = thread::from_iter(sender.1).par_map(3, |n: u32| n).into_iter();
    drop(closed);
    assert_eq!(asked.load(Ordering::SeqCst), before);
}

/// It takes as many as it may while nobody reads, and no more.
#[test]
fn buffer_capacity() {
    for capacity in [1, 5, 100] {
        let asked = leak(AtomicUsize::new(0));
        let source = std::iter::repeat_with(|| asked.fetch_add(1, Ordering::SeqCst));
        let mut results = thread::from_iter(source).buffer(capacity).into_iter();
        until(|| asked.load(Ordering::SeqCst) == capacity);
        assert_eq!(results.next().unwrap().unwrap(), 0);
        assert!(asked.load(Ordering::SeqCst) <= capacity + 1);
        drop(results);
    }
}

/// "zero size" is none there, and an error here; so are no workers.
#[test]
fn validations() {
    let is_refused = |ran| matches!(ran, Err(RunError::Build(_)));
    assert!(is_refused(thread::from_iter(0..9).buffer(0).run()));
    assert!(is_refused(thread::from_iter(0..9).par_map(0, |n| n).run()));
    assert!(is_refused(thread::from_iter(0..9).par_map(opts("f").workers(0), |n| n).run()));
    assert!(thread::from_iter(0..9).buffer(1).par_map(1, |n| n).run().is_ok());
}

/// As many at once as was said: all of them, since they wait for each other.
#[test]
fn loop_concurrency() {
    for workers in [1, 5] {
        for is_ordered in [true, false] {
            let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let stage = opts("f").workers(workers).chunk(1);
            let stage = if is_ordered { stage } else { stage.unordered() };
            let enter = |_| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                until(|| most.load(Ordering::SeqCst) >= workers);
                now.fetch_sub(1, Ordering::SeqCst);
            };
            thread::from_iter(0..100).par_map(stage, enter).run().unwrap();
            assert_eq!(most.into_inner(), workers);
        }
    }
}
