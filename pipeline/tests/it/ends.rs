//! The ends, and what they say.

use lockgate_pipeline::{RunError, opts, thread};
use std::panic::AssertUnwindSafe;

#[test]
fn folds_and_reductions_keep_the_order() {
    let words = ["a", "b", "c", "d"];
    let folded =
        thread::from_iter(words).par_map(2, str::to_owned).fold(String::new(), |a, b| a + &b);
    assert_eq!(folded.unwrap(), "abcd");
    let reduced = thread::from_iter(words).par_map(2, str::to_owned).reduce(|a, b| a + &b);
    assert_eq!(reduced.unwrap().as_deref(), Some("abcd"));
    assert_eq!(thread::from_iter(0..0).par_map(2, |n| n).reduce(|a, b| a + b).unwrap(), None);
    assert_eq!(thread::from_iter([5]).par_map(2, |n| n).reduce(|a, b| a + b).unwrap(), Some(5));
}

#[test]
fn questions_are_answered() {
    let numbers = || thread::from_iter(1..100).par_map(2, |n| n);
    assert!(numbers().any(|n| n == 50).unwrap());
    assert!(!numbers().any(|n| n == 500).unwrap());
    assert!(numbers().all(|n| n > 0).unwrap());
    assert!(!numbers().all(|n| n < 50).unwrap());
    assert_eq!(numbers().find(|n| n % 7 == 0).unwrap(), Some(7));
    assert_eq!(numbers().find(|n| *n > 1000).unwrap(), None);
}

/// An error on the way is no answer, and one behind the answer is none of its business.
#[test]
fn questions_hear_of_errors() {
    let numbers = || {
        let fails = |n| if n == 50 { Err(n) } else { Ok(n) };
        thread::from_iter(1..100).try_par_map(opts("fails").workers(2).window(4), fails)
    };
    assert!(matches!(numbers().all(|n| n > 0), Err(RunError::Failed(_))));
    assert!(matches!(numbers().find(|n| *n > 60), Err(RunError::Failed(_))));
    assert_eq!(numbers().find(|n| *n == 40).unwrap(), Some(40));
}

#[test]
fn an_iterator_that_borrows_ends_before_the_error() {
    let limit = 5;
    let mut seen = Vec::new();
    let ran = thread::from_iter(0..10)
        .try_par_map(2, |n| if n == limit { Err(n) } else { Ok(n) })
        .with_iter(|items| seen.extend(items.by_ref()));
    assert_eq!(ran.unwrap_err().into_failed().unwrap().error, 5);
    assert_eq!(seen, [0, 1, 2, 3, 4]);
}

#[test]
fn the_report_says_what_went_through() {
    let report = thread::from_iter(0..1000_u32)
        .par_map(opts("first").workers(2), |n| n)
        .filter(|n| n % 2 == 0)
        .par_map(opts("second").workers(1), |n| n)
        .run()
        .unwrap();
    let counts: Vec<_> = report
        .stages
        .iter()
        .map(|stage| (&*stage.name, stage.workers, stage.taken, stage.given))
        .collect();
    assert_eq!(counts, [("first", 2, 1000, 1000), ("second", 1, 500, 500)]);
    assert!(report.bottleneck().is_some());
    let table = report.to_string();
    assert!(table.contains("first") && table.lines().count() == 4, "{table}");
    assert!(report.stage("third").is_none());
}

#[test]
fn threads_are_named_by_their_stage() {
    let names: Vec<_> = thread::from_iter(0..3)
        .par_map(opts("hash").workers(2), |_| std::thread::current().name().map(str::to_owned))
        .collect()
        .unwrap();
    let is_named = |name: &Option<String>| matches!(name.as_deref(), Some("hash-0" | "hash-1"));
    assert!(names.iter().all(is_named), "{names:?}");
}

#[test]
fn a_pipeline_in_the_background_ends_by_itself() {
    let report =
        thread::from_iter(0..100).par_map(opts("all").workers(2), |n| n).spawn().unwrap().wait();
    assert_eq!(report.unwrap().stage("all").unwrap().given, 100);
    let failed = thread::from_iter(0..100).try_par_map(2, Err::<(), _>).spawn().unwrap().wait();
    assert_eq!(failed.unwrap_err().into_failed().unwrap().error, 0);
    let panics = thread::from_iter(0..100).par_map(2, |n: u8| std::panic::panic_any(n)).spawn();
    let caught = std::panic::catch_unwind(AssertUnwindSafe(|| panics.unwrap().wait()));
    assert_eq!(caught.unwrap_err().downcast_ref::<u8>(), Some(&0));
}

#[cfg(feature = "async")]
#[test]
fn a_task_waits_for_a_pipeline_of_threads() {
    let handle = thread::from_iter(0..100).par_map(opts("all").workers(2), |n| n).spawn().unwrap();
    let report = futures::executor::block_on(handle).unwrap();
    assert_eq!(report.stage("all").unwrap().given, 100);
}

/// A pipeline inside a stage of another.
#[test]
fn pipelines_nest() {
    let sums: Vec<u32> = thread::from_iter(1..20_u32)
        .par_map(3, |n| {
            thread::from_iter(0..n).par_map(2, |n| n).fold(0, |sum, n| sum + n).unwrap()
        })
        .collect()
        .unwrap();
    assert!(sums.into_iter().eq((1..20).map(|n| n * (n - 1) / 2)));
}
