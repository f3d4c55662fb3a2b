//! The tests of rill (0526448) and of conc's `stream` and `iter` (5f936ab), by behaviour: named after
//! theirs. Where theirs sleep to force an order, here one item waits for another.
//!
//! What is different throughout: there an error is an item among others, and the consumer decides. Here
//! it ends the pipeline unless the stage's policy says otherwise, so theirs that count values and errors
//! have a policy that collects. There `nil` is a channel that never gives; here it cannot be said. There a
//! consumer that leaves early has to have the rest drained, and a source that goes on is a leak
//! ("unclosed" expects one); here it stops.
//!
//! | rill's | here |
//! |---|---|
//! | `transform_test.go`: `TestMap`, `TestFilter`, `TestFilterMap`, `TestFlatMap`, `TestCatch` | `map_*`, `filter_*`, `filter_map_*`, `flat_map_*`, `catch_*` |
//! | `batch_test.go`: `TestBatch`, `TestUnbatch` | `batch_*`, `unbatch_*`; "with timeout" and "zero timeout panics": no subject yet, there is no timeout; a batch of no item is refused in `operators` |
//! | `consume_test.go`: `TestErr`, `TestFirst`, `TestForEach`, `TestAny`, `TestAll` | `err_*`, `first_*`, `for_each_*`, `any_*`, `all_*`; "value alongside error": a `Result` is one or the other |
//! | `reduce_test.go`: `TestReduce` | `reduce_*`; "concurrency" and "error in func": no subject yet, `reduce` runs on one thread and cannot fail |
//! | `reduce_test.go`: `TestMapReduce` | no subject yet |
//! | `merge_test.go`: `TestMerge`, `TestSplit2`, `TestTee` | no subject yet |
//! | `iter_test.go`: `TestFromSeq`, `TestFromSeq2`, `TestToSeq2` | `from_seq_*`, `to_seq2_*` |
//! | `wrap_test.go`: `TestFromSlice`, `TestToSlice`, `TestFromChan` | `from_slice_*`, `to_slice_*`, `from_chan_*` |
//! | `wrap_test.go`: `TestFromChans`, `TestToChans`, `TestGenerate`, `TestWrap` | no subject: errors have no channel of their own; what generates is an iterator |
//! | `util_test.go`: `TestDrain`, `TestDiscard`, `TestBuffer`, `TestValidations` | `drain`, `discard`, `buffer_*`, `validations` |
//! | `internal/core`: `TestLoop` | `loop_*`; `TestFilterMap`, `TestDrain`, `TestDiscard`, `TestBuffer` are as above |
//! | `internal/core`: `TestMerge`, `TestSendNB`, `TestDurableMutex`, `TestPool`; `internal/list` | there is no such part |
//!
//! | conc's | here |
//! |---|---|
//! | `stream_test.go`: `TestStream` | `stream_*` |
//! | `iter_test.go`, `map_test.go`: `TestForEachIdx`, `TestForEach`, `TestMap`, `TestMapErr` | `iter_*`; `TestIterator`, "safe for reuse": a pipeline is used once, by type |
//! | `panics`, `pool`, `waitgroup` | no part of a pipeline |

use crate::support::{Flag, leak, until};
use lockgate_pipeline::{Errors, Failed, Opts, RunError, opts, skip, thread};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Both orders, and one worker or five; whether what comes out is in order.
fn each_way(test: impl Fn(Opts, bool)) {
    for workers in [1, 5] {
        let stage = || opts("f").workers(workers).chunk(1);
        test(stage().ordered(), true);
        test(stage().unordered(), workers == 1);
        test(opts("f").workers(workers), true);
    }
}

/// Errors at 5 and 6 by the function, at 15 in the input.
fn input() -> impl Iterator<Item = Result<u32, String>> {
    (0..20).map(|n| if n == 15 { Err("err015".to_owned()) } else { Ok(n) })
}

fn five_and_six(n: u32) -> Result<u32, String> {
    if n == 5 || n == 6 { Err(format!("err{n:03}")) } else { Ok(n) }
}

fn held(errors: &Errors<String>) -> Vec<String> {
    errors.take().into_iter().map(|failed| failed.error).collect()
}

fn sorted<T: Ord>(mut items: Vec<T>, is_ordered: bool) -> Vec<T> {
    if is_ordered {
        assert!(items.is_sorted());
    }
    items.sort_unstable();
    items
}

fn failed<T, E>(ran: Result<T, RunError<E>>) -> Failed<E> {
    match ran {
        Err(RunError::Failed(failed)) => failed,
        _ => panic!("it has not failed"),
    }
}

#[test]
fn map_correctness() {
    each_way(|stage, is_ordered| {
        let errors = Errors::at_most(3);
        let values: Vec<String> = thread::from_iter(input())
            .try_par_map(stage, |n| five_and_six(n?).map(|n| format!("{n:03}")))
            .on_error(errors.clone())
            .collect()
            .unwrap();
        let expected = (0..20).filter(|n| ![5, 6, 15].contains(n)).map(|n| format!("{n:03}"));
        assert!(sorted(values, is_ordered).into_iter().eq(expected));
        assert_eq!(held(&errors), ["err005", "err006", "err015"]);
    });
}

/// Each seventh item, with more than one worker, is done after the next one.
fn late(n: u32, stage: &Opts, done: &[Flag]) {
    let is_alone = format!("{stage:?}").contains("workers: 1,");
    if n % 7 == 0 && !is_alone {
        done[n as usize + 1].wait();
    }
    done[n as usize].set();
}

/// Runs a stage in both orders while items overtake each other.
fn overtaking(run: impl Fn(Opts, &(dyn Fn(u32) + Sync)) -> Vec<u32>) {
    for workers in [1, 5] {
        let stage = opts("f").workers(workers).chunk(1);
        let done: Vec<Flag> = (0..100).map(|_| Flag::default()).collect();
        let got = run(stage.clone(), &|n| late(n, &stage, &done));
        assert!(got.is_sorted() && !got.is_empty(), "{got:?}");
        if workers == 1 {
            continue;
        }
        // The first one is not done before another one has come out.
        let is_first_out = Flag::default();
        let entered = AtomicUsize::new(0);
        let mixed = run(stage.unordered(), &|n| {
            entered.fetch_add(1, Ordering::SeqCst);
            match n {
                0 => is_first_out.wait(),
                // The window is not that large: something has been read.
                _ if entered.load(Ordering::SeqCst) > 90 => is_first_out.set(),
                _ => {}
            }
        });
        assert!(!mixed.is_sorted(), "{mixed:?}");
        let count = |items: &[u32]| items.iter().copied().collect::<HashSet<_>>();
        assert_eq!(count(&mixed), count(&got));
    }
}

#[test]
fn map_ordering() {
    overtaking(|stage, overtake| {
        let mut seen = Vec::new();
        let errors = Errors::at_most(50);
        thread::from_iter(0..98)
            .try_par_map(stage, |n| {
                overtake(n);
                if n % 2 == 1 { Err(n) } else { Ok(n) }
            })
            .on_error(errors.clone())
            .for_each(|n| seen.push(n))
            .unwrap();
        assert!(errors.take().iter().map(|failed| failed.error).eq((1..98).step_by(2)));
        seen
    });
}

#[test]
fn filter_correctness() {
    each_way(|stage, is_ordered| {
        let errors = Errors::at_most(3);
        let values: Vec<u32> = thread::from_iter(input())
            .try_par_map(stage, |n| five_and_six(n?).map(|n| (n % 2 == 0).then_some(n)))
            .on_error(errors.clone())
            .filter_map(|kept| kept)
            .collect()
            .unwrap();
        let expected = (0..20).filter(|n| n % 2 == 0 && *n != 6);
        assert!(sorted(values, is_ordered).into_iter().eq(expected));
        assert_eq!(held(&errors), ["err005", "err006", "err015"]);
    });
}

#[test]
fn filter_ordering() {
    overtaking(|stage, overtake| {
        let kept = thread::from_iter(0..98).par_flat_map(stage, |n| {
            overtake(n);
            (n % 3 == 0).then_some(n)
        });
        kept.collect().unwrap()
    });
}

#[test]
fn filter_map_correctness() {
    each_way(|stage, is_ordered| {
        let values: Vec<String> = thread::from_iter(0..20)
            .par_flat_map(stage, |n| (n % 2 == 0).then(|| format!("{n:03}")))
            .collect()
            .unwrap();
        let expected = (0..20).step_by(2).map(|n| format!("{n:03}"));
        assert!(sorted(values, is_ordered).into_iter().eq(expected));
    });
}

#[test]
fn flat_map_correctness() {
    each_way(|stage, is_ordered| {
        let values: Vec<u32> = thread::from_iter(0..20)
            .par_flat_map(stage, |n| (n * 10..n * 10 + n % 4).collect::<Vec<_>>())
            .collect()
            .unwrap();
        let expected = (0..20).flat_map(|n| n * 10..n * 10 + n % 4);
        assert!(sorted(values, is_ordered).into_iter().eq(expected));
    });
}

#[test]
fn flat_map_ordering() {
    overtaking(|stage, overtake| {
        let many = thread::from_iter(0..98).par_flat_map(stage, |n| {
            overtake(n);
            [n, n, n]
        });
        many.collect().unwrap()
    });
}

/// An error is swallowed, replaced by another, or by a value.
#[test]
fn catch_correctness() {
    each_way(|stage, is_ordered| {
        let run = || thread::from_iter(input()).try_par_map(stage.clone(), |n| five_and_six(n?));
        let swallowed: Vec<u32> = run().on_error(skip()).collect().unwrap();
        let expected = (0..20).filter(|n| ![5, 6, 15].contains(n));
        assert!(sorted(swallowed, is_ordered).into_iter().eq(expected));
        let replaced = run().fallback(|error| error[3..].parse().unwrap());
        let replaced: Vec<u32> = replaced.collect().unwrap();
        assert!(sorted(replaced, is_ordered).into_iter().eq(0..20));
        let other = failed(run().map_err(|error| error.replace("err", "other")).run()).error;
        assert!(["other005", "other006", "other015"].contains(&&*other), "{other}");
    });
}

#[test]
fn batch_empty() {
    each_way(|stage, _| {
        let batches = thread::from_iter(0..0).par_map(stage, |n: u32| n).chunks(10).count();
        assert_eq!(batches.unwrap(), 0);
    });
}

/// By size, at the end, and at an error, which an empty batch does not precede.
#[test]
fn batch_no_timeout() {
    let batches = |items: std::ops::Range<u32>, fails_at: u32| {
        let mut batches = Vec::new();
        let ran = thread::from_iter(items)
            .try_par_map(opts("f").workers(3), |n| if n == fails_at { Err(n) } else { Ok(n) })
            .chunks(4)
            .for_each(|batch| batches.push(batch));
        (batches, ran.err().map(|error| error.into_failed().unwrap().error))
    };
    assert_eq!(batches(11..17, 99), (vec![vec![11, 12, 13, 14], vec![15, 16]], None));
    assert_eq!(batches(11..25, 17), (vec![vec![11, 12, 13, 14], vec![15, 16]], Some(17)));
    assert_eq!(batches(11..25, 15), (vec![vec![11, 12, 13, 14]], Some(15)));
    assert_eq!(batches(11..25, 11), (vec![], Some(11)));
}

#[test]
fn unbatch_correctness() {
    let batches = [vec![1, 2], vec![], vec![10, 11, 12], vec![13, 14]];
    each_way(|stage, is_ordered| {
        let all: Vec<u32> =
            thread::from_iter(batches.clone()).par_map(stage, |b| b).unbatch().collect().unwrap();
        assert_eq!(sorted(all, is_ordered), [1, 2, 10, 11, 12, 13, 14]);
    });
}

#[test]
fn unbatch_inverse_of_batch() {
    each_way(|stage, is_ordered| {
        let all: Vec<u32> =
            thread::from_iter(0..10).par_map(stage, |n| n).chunks(3).unbatch().collect().unwrap();
        assert!(sorted(all, is_ordered).into_iter().eq(0..10));
    });
}

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

#[test]
fn stream_simple() {
    let mut all = Vec::new();
    thread::from_iter(0..5).par_map(5, |n| n * 2).for_each(|n| all.push(n)).unwrap();
    assert_eq!(all, [0, 2, 4, 6, 8]);
}

/// "nil callback": tasks that give nothing are run all the same.
#[test]
fn stream_no_callback() {
    let count = AtomicUsize::new(0);
    let ran = thread::from_iter(0..5).par_flat_map(5, |_| {
        count.fetch_add(1, Ordering::SeqCst);
        None::<()>
    });
    assert_eq!(ran.count().unwrap(), 0);
    assert_eq!(count.into_inner(), 5);
}

/// Tasks at most five at once, callbacks one after the other.
#[test]
fn stream_max_goroutines() {
    let (tasks, callbacks) = (AtomicUsize::new(0), AtomicUsize::new(0));
    thread::from_iter(0..50)
        .par_map(opts("five").workers(5).chunk(1), |_| {
            assert!(tasks.fetch_add(1, Ordering::SeqCst) < 5);
            std::thread::yield_now();
            tasks.fetch_sub(1, Ordering::SeqCst);
        })
        .for_each(|()| {
            assert_eq!(callbacks.fetch_add(1, Ordering::SeqCst), 0);
            std::thread::yield_now();
            callbacks.fetch_sub(1, Ordering::SeqCst);
        })
        .unwrap();
}

#[test]
fn stream_panic_in_task_is_propagated() {
    let ran = catch_unwind(|| thread::from_iter([1]).par_map(5, |_| panic_any("task")).run());
    assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"task"));
}

/// "panic in callback is propagated", and "does not block producers", who have ended.
#[test]
fn stream_panic_in_callback_is_propagated() {
    let running = AtomicUsize::new(0);
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let task = |n| {
            running.fetch_add(1, Ordering::SeqCst);
            running.fetch_sub(1, Ordering::SeqCst);
            n
        };
        let tasks = thread::from_iter(0..1_000).par_map(opts("five").workers(5).window(8), task);
        tasks.for_each(|_| panic_any("callback"))
    }));
    assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"callback"));
    assert_eq!(running.into_inner(), 0);
}

#[test]
fn iter_mutating_inputs() {
    let mut items = vec![1, 2, 3, 4, 5];
    thread::from_iter(&mut items).par_map(2, |item| *item += 1).run().unwrap();
    assert_eq!(items, [2, 3, 4, 5, 6]);
}

#[test]
fn iter_huge_inputs() {
    let inputs: Vec<u64> = (0..100_000).collect();
    let outputs: Vec<u64> = thread::from_iter(&inputs).par_map(4, |n| n + 1).collect().unwrap();
    assert!(outputs.into_iter().eq(1..100_001));
}

/// "multiple errors are propagated".
#[test]
fn iter_multiple_errors() {
    let errors = Errors::at_most(usize::MAX);
    let even: Vec<u32> = thread::from_iter(1..=5)
        .try_par_map(5, |n| if n % 2 == 0 { Ok(n) } else { Err(n) })
        .on_error(errors.clone())
        .collect()
        .unwrap();
    assert_eq!(even, [2, 4]);
    assert_eq!(errors.take().into_iter().map(|failed| failed.error).collect::<Vec<_>>(), [1, 3, 5]);
}
