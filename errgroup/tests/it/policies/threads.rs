//! The policies in groups of threads.

use super::text;
use crate::support::{Counter, SHORT, within_patience};
use lockgate_errgroup::join::{
    AllErrors, AllOk, AllResults, Discard, FirstOk, MaxErrors, Quorum, Supervise, completions,
};
use lockgate_errgroup::{BuildError, Builder, CancelToken, Cause, Error, OnPanic, thread};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

#[test]
fn names_are_in_the_messages() {
    let errors = thread::scope(Builder::with(AllErrors::new()).on_panic(OnPanic::Error), |g| {
        g.named("db").spawn(|_| Err::<(), _>("refused"));
        g.named("web").spawn(|_| panic!("a bug"));
    })
    .unwrap_err();
    let text = "2 errors: task 0 (db): refused; task 1 (web) panicked: a bug";
    assert_eq!(errors.to_string(), text);
}

#[test]
fn a_panic_is_one_of_the_results() {
    let builder = Builder::with(AllResults::new()).on_panic(OnPanic::Error).limit(2);
    let results = thread::scope(builder, |g| {
        g.spawn(|_| Ok::<_, &str>(0));
        g.named("web").spawn(|_| panic!("a bug"));
        g.spawn(|_| Err("two"));
    });
    assert_eq!(text(results.unwrap()), ["0", "task 1 (web) panicked: a bug", "task 2: two"]);
}

#[test]
fn a_panic_that_is_no_error_goes_on_whatever_the_policy() {
    let run = || {
        thread::scope(Builder::with(Discard), |g| {
            g.spawn(|_| -> Result<(), ()> { std::panic::panic_any(7_u8) });
        })
    };
    let payload = std::panic::catch_unwind(run).unwrap_err();
    assert_eq!(payload.downcast_ref::<u8>(), Some(&7));
}

/// The tasks that were accepted and did not start are in the list.
#[test]
fn tasks_that_did_not_start_are_cancelled_with_the_cause() {
    let results = thread::scope(Builder::with(AllResults::of(3)).limit(1), |g| {
        let (started, go) = (Barrier::new(2), Barrier::new(2));
        let (started, go) = (std::sync::Arc::new(started), std::sync::Arc::new(go));
        let theirs = (started.clone(), go.clone());
        g.spawn(move |_| {
            theirs.0.wait();
            theirs.1.wait();
            Ok::<_, &str>(0)
        });
        started.wait();
        g.spawn(|_| Ok(1));
        g.spawn(|_| Ok(2));
        g.token().cancel_with("enough");
        go.wait();
    });
    let cancelled = "the group was cancelled: enough";
    assert_eq!(text(results.unwrap()), ["0", cancelled, cancelled]);
}

#[test]
fn the_first_success_cancels_the_rest() {
    let won = thread::scope(Builder::with(FirstOk::new()), |g| {
        g.spawn(|cx| {
            cx.token().cancelled().wait();
            Ok("too late")
        });
        g.spawn(|_| Err("broken"));
        g.spawn(|_| Ok("won"));
    });
    assert_eq!(won.unwrap(), "won");
}

#[test]
fn a_quorum_does_not_wait_for_the_slow() {
    let won = thread::scope(Builder::with(Quorum::new(2)), |g| {
        for n in 0..4 {
            g.spawn(move |cx| {
                if n % 2 == 0 {
                    cx.token().cancelled().wait();
                }
                Ok::<_, ()>(n)
            });
        }
    });
    assert_eq!(won.unwrap(), [1, 3]);
}

#[test]
fn one_error_too_many_cancels_the_rest() {
    let ran = AtomicUsize::new(0);
    let errors = thread::scope(Builder::with(MaxErrors::new(2)).limit(1), |g| {
        let ran = &ran;
        for _ in 0..10 {
            g.spawn(move |_| {
                ran.fetch_add(1, Ordering::Relaxed);
                Err::<(), _>("down")
            });
        }
    })
    .unwrap_err();
    assert_eq!((errors.len(), ran.into_inner()), (3, 3));
}

#[test]
fn supervised_tasks_do_not_end_each_other() {
    let builder = Builder::with(Supervise::new()).on_panic(OnPanic::Error).limit(1);
    let report = thread::scope(builder, |g| {
        g.spawn(|_| panic!("a bug"));
        g.named("db").spawn(|_| Err("down"));
        g.spawn(|_| Ok(()));
    })
    .unwrap();
    assert_eq!((report.succeeded, report.failed, report.panicked), (1, 1, 1));
    let text: Vec<_> = report.latest.iter().map(ToString::to_string).collect();
    assert_eq!(text, ["task 0 panicked: a bug", "task 1 (db): down"]);
    assert!(report.cancelled.is_none());
}

#[test]
fn a_policy_is_told_of_the_cancel_from_outside() {
    let report = thread::scope(Builder::with(Supervise::<()>::new()), |g| {
        g.token().cancel_with("shutdown");
        assert!(g.spawn(|_| Ok(())).is_rejected());
    });
    let cause = report.unwrap().cancelled.unwrap();
    assert_eq!(cause.to_string(), "shutdown");
}

/// `onTimeout`: what there is by then is the outcome, and who still runs is told by name.
#[test]
fn on_timeout_there_are_partial_results() {
    within_patience(|| {
        // A machine that is too busy for the time-out is given a longer one.
        let in_time = [1, 5, 25].into_iter().find_map(|times| {
            let builder = Builder::with(AllResults::of(2)).timeout(SHORT * times);
            let group = thread::Group::build(builder).unwrap();
            let (gate, started) = (CancelToken::new(), Counter::new());
            let (held, starts) = (gate.clone(), started.clone());
            group.spawn_named("slow", move |_| {
                starts.add();
                held.cancelled().wait();
                Ok::<_, &str>(0)
            });
            group.spawn(|_| Ok(1));
            let results = text(group.join().wait().unwrap());
            gate.cancel();
            (started.value() == 1 && results[1] == "1").then_some(results)
        });
        let text = "the deadline passed with these still running: task 0 (slow)";
        assert_eq!(in_time.unwrap(), [text, "1"]);
    });
}

#[test]
fn all_ok_is_for_many() {
    let squares = thread::scope(Builder::with(AllOk::new()).limit(2), |g| {
        for n in 0..1000_u64 {
            g.spawn(move |_| Ok::<_, ()>(n * n));
        }
    });
    assert_eq!(squares.unwrap(), (0..1000).map(|n| n * n).collect::<Vec<_>>());
}

#[test]
fn a_limit_of_none_is_refused() {
    let refused = thread::scope(Builder::with(AllOk::<(), ()>::new()).limit(0), |_| {
        unreachable!("nothing runs")
    });
    assert!(matches!(refused, Err(Error::Build(BuildError::ZeroLimit))));
}

#[test]
fn completions_come_as_tasks_end() {
    let (policy, results) = completions(8);
    let [first, second] = [(); 2].map(|()| Barrier::new(2));
    let delivered = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut results = results;
            let mut next = || results.iter().next();
            assert_eq!(next().unwrap().0.index(), 1);
            first.wait();
            let (task, result) = next().unwrap();
            assert_eq!(
                (task.name(), result.unwrap_err().to_string()),
                (Some("late"), "task 0 (late): slow".to_owned())
            );
            second.wait();
            assert_eq!(next().unwrap().1.unwrap(), 2);
            assert!(next().is_none());
        });
        thread::scope(Builder::with(policy), |g| {
            let (first, second) = (&first, &second);
            g.named("late").spawn(move |_| {
                first.wait();
                Err("slow")
            });
            g.spawn(|_| Ok(1));
            g.spawn(move |_| {
                second.wait();
                Ok(2)
            });
        })
    });
    assert_eq!(delivered.unwrap().delivered, 3);
}

#[test]
fn completions_that_nobody_takes_cancel_the_group() {
    let (policy, results) = completions(8);
    drop(results);
    let token = thread::scope(Builder::with(policy), |g| {
        g.spawn(|_| Ok::<_, ()>(()));
        g.token().cancelled().wait();
        assert!(matches!(g.token().cause(), Some(Cause::Task { index: 0, .. })));
    });
    assert!(token.unwrap().cancelled.is_none());
}
