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
//! | `consume_test.go`: `TestErr`, `TestFirst`, `TestForEach`, `TestAny`, `TestAll` | `err_*`, `first_*`, `for_each_*`, `any_and_all` of `consume`; "value alongside error": a `Result` is one or the other |
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

use crate::support::Flag;
use lockgate_pipeline::{Errors, Failed, Opts, RunError, opts, skip, thread};
use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};

mod conc;
mod consume;

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
