//! What becomes of items that fail.

use lockgate_pipeline::{Errors, Retry, RunError, dead_letter, opts, skip, thread};
use std::future::{Ready, ready};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Duration;

fn odd(n: u32) -> Result<u32, String> {
    if n % 2 == 0 { Ok(n) } else { Err(format!("{n} is odd")) }
}

#[test]
fn errors_are_skipped_and_counted() {
    let mut even = Vec::new();
    let report = thread::from_iter(0..100)
        .try_par_map(opts("even").workers(3), odd)
        .on_error(skip())
        .for_each(|n| even.push(n))
        .unwrap();
    assert!(even.into_iter().eq((0..100).step_by(2)));
    let stage = report.stage("even").unwrap();
    assert_eq!((stage.taken, stage.given, stage.failed, stage.skipped), (100, 50, 50, 50));
}

#[test]
fn errors_are_collected_up_to_a_number() {
    let errors = Errors::at_most(50);
    let count = thread::from_iter(0..100).try_par_map(3, odd).on_error(errors.clone()).count();
    assert_eq!(count.unwrap(), 50);
    let held = errors.take();
    assert!(held.iter().map(|failed| failed.index).eq((1..100).step_by(2)));
    assert_eq!(held[0].to_string(), "stage `try_par_map` failed at item 1: 1 is odd");
    let errors = Errors::at_most(3);
    let failed = thread::from_iter(0..100).try_par_map(1, odd).on_error(errors.clone()).run();
    assert_eq!(failed.unwrap_err().into_failed().unwrap().index, 7);
    assert_eq!(errors.take().len(), 3);
}

#[test]
fn dead_letters_have_input_index_and_error() {
    let (letters, dead) = mpsc::channel();
    let report =
        thread::from_iter(0..10).try_par_map(2, odd).on_error(dead_letter(letters)).run().unwrap();
    let mut dead: Vec<_> =
        dead.iter().map(|letter| (letter.input, letter.index, letter.error)).collect();
    dead.sort();
    let expected = [1, 3, 5, 7, 9].map(|n| (n, u64::from(n), format!("{n} is odd")));
    assert_eq!(dead, expected);
    let stage = &report.stages[0];
    assert_eq!((stage.dead_lettered, stage.given), (5, 5));
}

#[test]
fn dead_letters_that_nobody_reads_are_a_failure() {
    let (letters, dead) = mpsc::channel();
    drop(dead);
    let ran = thread::from_iter(0..10).try_par_map(2, odd).on_error(dead_letter(letters)).run();
    assert_eq!(ran.unwrap_err().into_failed().unwrap().error, "1 is odd");
}

#[test]
fn a_fallback_takes_the_place_of_the_result() {
    let numbers: Vec<u32> =
        thread::from_iter(0..6).try_par_map(2, odd).fallback(|_| 99).collect().unwrap();
    assert_eq!(numbers, [0, 99, 2, 99, 4, 99]);
}

#[test]
fn a_call_is_made_again_as_often_as_was_said() {
    let calls = Mutex::new(vec![0; 10]);
    let flaky = |n: usize| {
        let mut calls = calls.lock().unwrap();
        calls[n] += 1;
        if calls[n] > n { Ok(n) } else { Err(n) }
    };
    let retry =
        Retry::times(3).backoff(Duration::from_micros(1), Duration::from_micros(4)).jitter();
    let (letters, dead) = mpsc::channel();
    let report = thread::from_iter(0..10)
        .try_par_map(opts("flaky").workers(2), flaky)
        .on_error(dead_letter(letters))
        .retry(retry)
        .run()
        .unwrap();
    let mut failed: Vec<_> = dead.iter().map(|letter| letter.input).collect();
    failed.sort_unstable();
    assert!(failed.into_iter().eq(4..10));
    assert_eq!(calls.into_inner().unwrap(), [1, 2, 3, 4, 4, 4, 4, 4, 4, 4]);
    let stage = report.stage("flaky").unwrap();
    assert_eq!((stage.retried, stage.failed), (1 + 2 + 3 + 6 * 3, 1 + 2 + 3 + 6 * 4));
}

#[test]
fn only_what_is_worth_it_is_tried_again() {
    let calls = AtomicUsize::new(0);
    let fails = |n: u32| {
        calls.fetch_add(1, Ordering::SeqCst);
        Err::<(), _>(n)
    };
    let ran =
        thread::from_iter([7]).try_par_map(1, fails).retry_if(Retry::times(9), |n| *n != 7).run();
    assert!(ran.is_err());
    assert_eq!(calls.into_inner(), 1);
}

#[test]
fn an_abort_ends_a_pause() {
    let failed = &*Box::leak(Box::new(AtomicUsize::new(0)));
    let pipeline = thread::from_iter(0..10)
        .try_par_map(2, |n| {
            failed.fetch_add(1, Ordering::SeqCst);
            Err::<(), _>(n)
        })
        .retry(Retry::times(1).backoff(Duration::from_secs(3600), Duration::from_secs(3600)))
        .spawn()
        .unwrap();
    crate::support::until(|| failed.load(Ordering::SeqCst) == 2);
    pipeline.abort();
    assert!(matches!(pipeline.wait(), Err(RunError::Aborted)));
}

/// A semaphore of the test, which counts who holds it.
struct Permit<'a>(&'a AtomicUsize);

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[test]
fn a_pass_is_held_while_the_function_runs() {
    let held = AtomicUsize::new(0);
    let gate = || -> Ready<Result<Permit<'_>, String>> {
        held.fetch_add(1, Ordering::SeqCst);
        ready(Ok(Permit(&held)))
    };
    let seen: Vec<usize> = thread::from_iter(0..20)
        .try_par_map(1, |_| Ok::<_, String>(held.load(Ordering::SeqCst)))
        .gate(gate)
        .collect()
        .unwrap();
    assert_eq!(seen, [1; 20]);
    assert_eq!(held.load(Ordering::SeqCst), 0);
}

#[test]
fn a_gate_that_is_closed_is_an_error() {
    let ran = thread::from_iter(0..20)
        .try_par_map(2, Ok::<i32, String>)
        .gate(|| ready(Err::<(), _>("closed")))
        .run();
    assert_eq!(ran.unwrap_err().into_failed().unwrap().error, "closed");
}

#[test]
fn an_abort_reaches_a_worker_at_the_gate() {
    let asked = &*Box::leak(Box::new(AtomicUsize::new(0)));
    let pipeline = thread::from_iter(0..20)
        .try_par_map(2, Ok::<i32, String>)
        .gate(|| {
            asked.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<Result<(), String>>()
        })
        .spawn()
        .unwrap();
    crate::support::until(|| asked.load(Ordering::SeqCst) == 2);
    pipeline.abort();
    assert!(matches!(pipeline.wait(), Err(RunError::Aborted)));
}

#[test]
fn a_panic_may_be_an_error() {
    let ran = thread::from_iter(0..20)
        .try_par_map(2, |n| if n == 5 { std::panic::panic_any("five") } else { Ok(n) })
        .panic_as(|payload| payload.downcast_ref::<&str>().map_or("?", |text| *text))
        .run();
    let failed = ran.unwrap_err().into_failed().unwrap();
    assert_eq!((failed.index, failed.error), (5, "five"));
}

#[test]
fn errors_are_converted_on_their_way() {
    let parse = |text: &str| text.parse::<i8>();
    let ran = thread::from_iter(["1", "300"])
        .try_map(parse)
        .map_err(|error| error.to_string())
        .try_par_map(2, |n| if n > 100 { Err("large".to_owned()) } else { Ok(n) })
        .err_into::<Box<dyn std::error::Error + Send + Sync>>()
        .collect::<Vec<_>>();
    let failed = ran.unwrap_err().into_failed().unwrap();
    assert_eq!((failed.index, &*failed.stage), (1, "try_map"));
    assert_eq!(failed.error.to_string(), "number too large to fit in target type");
}

#[test]
fn the_end_may_fail_too() {
    let ran = thread::from_iter(0..20)
        .par_map(2, |n| n)
        .try_for_each(|n| if n == 7 { Err("seven") } else { Ok(()) });
    let failed = ran.unwrap_err().into_failed().unwrap();
    assert_eq!((failed.index, failed.error, &*failed.stage), (7, "seven", "try_for_each"));
}

#[test]
fn an_error_is_the_end_of_a_batch() {
    let mut batches = Vec::new();
    let ran = thread::from_iter(0..20)
        .try_par_map(2, |n| if n == 10 { Err(n) } else { Ok(n) })
        .chunks(4)
        .for_each(|batch| batches.push(batch));
    assert_eq!(ran.unwrap_err().into_failed().unwrap().error, 10);
    assert_eq!(batches, [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
}
