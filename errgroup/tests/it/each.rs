//! `for_each` and `map`: one task for each item.
#![cfg(feature = "sync")]

use lockgate_errgroup::join::{AllErrors, AllOk, AllResults, FirstOk, MaxErrors, Supervise};
use lockgate_errgroup::thread::{for_each, map, pull};
use lockgate_errgroup::{BuildError, Builder, CancelToken, Cause, Error, OnPanic};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;
use std::time::Duration;

/// A deployment to several environments: if one fails, all others are cancelled, and the error is
/// there at once.
#[test]
fn deploy_to_environments_and_the_first_failure_cancels_the_rest() {
    let environments = ["dev", "staging", "canary", "production"];
    let (all_started, cancelled) = (Barrier::new(4), AtomicUsize::new(0));
    let deploy = |name: &str, token: &CancelToken| {
        all_started.wait();
        if name == "canary" {
            return Err(format!("{name}: the image cannot be pulled"));
        }
        // A roll-out that takes its time, unless it is called off.
        match token.sleep(Duration::from_secs(3600)).wait() {
            Ok(()) => Ok(()),
            Err(why) => {
                cancelled.fetch_add(1, Ordering::Relaxed);
                Err(format!("{name}: {why}"))
            }
        }
    };
    let error =
        for_each(Builder::new().limit(4), &environments, |cx, name| deploy(name, cx.token()))
            .unwrap_err();
    assert_eq!(error.to_string(), "task 2: canary: the image cannot be pulled");
    assert_eq!(cancelled.into_inner(), 3, "nobody's victim masks the first failure");
}

/// "How do I collect all errors?"
#[test]
fn collect_all_errors() {
    let items = ["1", "two", "3", "four"];
    let errors = for_each(Builder::with(AllErrors::new()).limit(2), &items, |_, item| {
        item.parse::<u32>().map(drop).map_err(|_| format!("{item} is no number"))
    })
    .unwrap_err();
    assert_eq!(errors.to_string(), "2 errors: task 1: two is no number; task 3: four is no number");
    let indices = errors.iter().map(|error| matches!(error, Error::Task { index: 1 | 3, .. }));
    assert!(indices.clone().count() == 2 && indices.clone().all(|known| known));
}

/// Each operation has a time of its own, and those that keep it are not disturbed by others.
#[test]
fn per_operation_timeout() {
    let all = Builder::with(AllResults::<_, String>::new()).limit(3);
    let results = map(all, &[0, 1, 2], |cx, n| {
        let operation = cx.token().child_with_timeout(Duration::from_millis(5));
        if *n == 1 {
            operation.sleep(Duration::from_secs(3600)).wait().map_err(|why| why.to_string())?;
        }
        Ok(*n)
    })
    .unwrap();
    let text: Vec<_> = results.iter().map(|r| r.as_ref().map_err(ToString::to_string)).collect();
    let late = Err("task 1: cancelled: the deadline passed".to_owned());
    assert_eq!(text, [Ok(&0), late, Ok(&2)]);
}

#[test]
fn every_item_is_there_once_and_at_its_index() {
    for len in [0, 1, 2, 3, 17, 1000, 100_000] {
        let items: Vec<usize> = (0..len).map(|n| n * 3).collect();
        let seen: Vec<_> = items.iter().map(|_| AtomicUsize::new(0)).collect();
        for_each(Builder::new().limit(3), &items, |cx, item| {
            assert_eq!(*item, cx.index() * 3);
            seen[cx.index()].fetch_add(1, Ordering::Relaxed);
            Ok::<_, ()>(())
        })
        .unwrap();
        assert!(seen.iter().all(|times| times.load(Ordering::Relaxed) == 1), "{len} items");
        let values = map(Builder::with(AllOk::new()).limit(2), 0..len, |_, n| Ok::<_, ()>(n * 3));
        assert_eq!(values.unwrap(), items);
        let iterator = items.iter().copied();
        let values =
            map(Builder::with(AllOk::new()).limit(2), pull(iterator), |_, n| Ok::<_, ()>(n));
        assert_eq!(values.unwrap(), items);
    }
}

#[test]
fn what_can_be_iterated_over() {
    let sum = |results: Result<Vec<u32>, Error<()>>| results.unwrap().iter().sum::<u32>();
    let all = || Builder::with(AllOk::new());
    assert_eq!(sum(map(all(), &[1, 2], |_, n| Ok(*n))), 3);
    assert_eq!(sum(map(all(), &vec![1, 2], |_, n| Ok(*n))), 3);
    assert_eq!(sum(map(all(), [1, 2, 3][1..].as_ref(), |_, n| Ok(*n))), 5);
    assert_eq!(sum(map(all(), 5..7, |cx, n| Ok((n * 10 + cx.index()) as u32))), 111);
    // The iterator may own, and need not be `Sync`.
    let cells = (0..3).map(std::cell::Cell::new);
    assert_eq!(sum(map(all(), pull(cells), |_, cell| Ok(cell.get()))), 3);
    let nobody = map(all(), pull(std::iter::empty::<u32>()), |_, n| Ok(n));
    assert_eq!(sum(nobody), 0);
}

#[test]
fn items_after_the_error_are_skipped() {
    for last in [0, 1, 7, 500] {
        let ran = AtomicUsize::new(0);
        let error = for_each(Builder::new().limit(1), 0..1000, |_, n| {
            ran.fetch_add(1, Ordering::Relaxed);
            if n == last { Err("stop") } else { Ok(()) }
        });
        assert!(matches!(error, Err(Error::Task { index, .. }) if index == last));
        assert_eq!(ran.into_inner(), last + 1);
    }
}

#[test]
fn an_iterator_is_not_asked_for_what_is_skipped() {
    let mut asked = 0;
    let counted = std::iter::repeat_with(|| asked += 1);
    let error = for_each(Builder::new().limit(1), pull(counted), |cx, ()| {
        if cx.index() == 3 { Err("enough") } else { Ok(()) }
    });
    assert_eq!(error.unwrap_err().to_string(), "task 3: enough");
    assert_eq!(asked, 4);
}

#[test]
fn run_all_runs_all_the_same() {
    let ran = AtomicUsize::new(0);
    let error = for_each(Builder::new().limit(2).run_all(), 0..100, |_, n| {
        ran.fetch_add(1, Ordering::Relaxed);
        if n == 0 { Err("zero") } else { Ok(()) }
    });
    assert_eq!(error.unwrap_err().to_string(), "task 0: zero");
    assert_eq!(ran.into_inner(), 100);
}

#[test]
fn a_group_that_is_cancelled_runs_nothing() {
    let parent = CancelToken::new();
    parent.cancel_with("shutdown");
    let error = for_each(Builder::new().token(&parent), 0..10, |_, _| -> Result<(), ()> {
        unreachable!("nothing is started")
    });
    assert!(matches!(error, Err(Error::Cancelled(Cause::Message(text))) if text == "shutdown"));
}

#[test]
fn the_deadline_is_seen_between_items() {
    let ran = AtomicUsize::new(0);
    let error =
        for_each(Builder::new().limit(1).timeout(Duration::from_millis(5)), 0..10, |cx, _| {
            ran.fetch_add(1, Ordering::Relaxed);
            cx.token().cancelled().wait();
            Ok::<_, ()>(())
        });
    assert!(matches!(error, Err(Error::Cancelled(Cause::Deadline))));
    assert_eq!(ran.into_inner(), 1);
}

#[test]
fn a_single_item_and_a_limit_of_one_start_no_thread() {
    let me = thread::current().id();
    let here = |builder: Builder<_>, items| {
        for_each(builder, items, |_, _| {
            if thread::current().id() == me { Ok(()) } else { Err("another thread") }
        })
    };
    here(Builder::new(), 0..1).unwrap();
    here(Builder::new().limit(1), 0..100).unwrap();
}

#[test]
fn as_many_run_at_a_time_as_the_limit_says() {
    let (all, names) = (Barrier::new(4), Mutex::new(HashSet::new()));
    for_each(Builder::new().limit(4).name("each"), 0..4, |_, _| {
        all.wait();
        names.lock().unwrap().insert(thread::current().name().map(str::to_owned));
        Ok::<_, ()>(())
    })
    .unwrap();
    assert!(names.into_inner().unwrap().contains(&Some("each".to_owned())));
    let (active, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    for_each(Builder::new().limit(2), 0..1000, |_, _| {
        most.fetch_max(active.fetch_add(1, Ordering::AcqRel) + 1, Ordering::AcqRel);
        active.fetch_sub(1, Ordering::AcqRel);
        Ok::<_, ()>(())
    })
    .unwrap();
    assert!(most.into_inner() <= 2);
}

/// Slow bodies are handed out one by one: none stands behind one that blocks.
#[test]
fn nothing_is_stuck_behind_a_slow_item_at_the_start() {
    let released = CancelToken::new();
    for_each(Builder::new().limit(2), 0..8, |_, n| {
        match n {
            0 => released.cancelled().wait(),
            7 => drop(released.cancel()),
            _ => {}
        }
        Ok::<_, ()>(())
    })
    .unwrap();
}

#[test]
fn a_panic_goes_on_and_nothing_more_is_started() {
    let ran = AtomicUsize::new(0);
    let payload = catch_unwind(AssertUnwindSafe(|| {
        for_each(Builder::new().limit(1), 0..100, |_, n| {
            ran.fetch_add(1, Ordering::Relaxed);
            if n == 40 {
                std::panic::panic_any(7_u8);
            }
            Ok::<_, ()>(())
        })
    }))
    .unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&7_u8));
    assert_eq!(ran.into_inner(), 41);
}

/// What is left of a chunk after a panic is not lost.
#[test]
fn panics_as_errors_do_not_lose_the_items_behind_them() {
    let builder = Builder::with(Supervise::new()).on_panic(OnPanic::Error).limit(2).run_all();
    let report = for_each(builder, 0..5000, |_, n| match n % 100 {
        99 => std::panic::resume_unwind(Box::new("a bug")),
        98 => Err("odd"),
        _ => Ok(()),
    })
    .unwrap();
    assert_eq!((report.succeeded, report.failed, report.panicked), (4900, 50, 50));
    let builder = Builder::with(AllResults::new()).on_panic(OnPanic::Error).limit(1);
    let results = map(builder, pull(0..3), |_, n| {
        if n == 1 { std::panic::resume_unwind(Box::new("a bug")) } else { Ok::<_, ()>(n) }
    })
    .unwrap();
    assert!(matches!(results[1], Err(Error::Panicked(_))));
    assert_eq!((results[0].as_ref().ok(), results[2].as_ref().ok()), (Some(&0), Some(&2)));
}

#[test]
fn an_iterator_that_panics_is_a_task_that_panics() {
    let bad = (0..10).inspect(|n| {
        if *n == 3 {
            std::panic::resume_unwind(Box::new("a bad iterator"));
        }
    });
    let builder = Builder::with(AllResults::new()).on_panic(OnPanic::Error).limit(2);
    let results = map(builder, pull(bad), |_, n| Ok::<_, ()>(n)).unwrap();
    assert_eq!(results.len(), 4);
    let Err(Error::Panicked(panicked)) = &results[3] else { panic!("{results:?}") };
    assert_eq!(panicked.to_string(), "task 3 panicked: a bad iterator");
}

#[test]
fn policies_end_it_early() {
    let ran = AtomicUsize::new(0);
    let found = map(Builder::with(FirstOk::new()).limit(1), 0..1000, |_, n| {
        ran.fetch_add(1, Ordering::Relaxed);
        if n == 5 { Ok(n) } else { Err("not here") }
    });
    assert_eq!((found.unwrap(), ran.into_inner()), (5, 6));
    let errors = for_each(Builder::with(MaxErrors::new(1)).limit(1), 0..1000, |_, _| Err("down"));
    assert_eq!(errors.unwrap_err().len(), 2);
}

#[test]
fn a_limit_of_none_is_refused() {
    let refused = for_each(Builder::new().limit(0), 0..3, |_, _| Ok::<_, ()>(()));
    assert!(matches!(refused, Err(Error::Build(BuildError::ZeroLimit))));
}
