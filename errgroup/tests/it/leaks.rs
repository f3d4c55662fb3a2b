//! The guard that fails a test whose groups outlive it.
#![cfg(all(feature = "test-util", feature = "sync"))]

use lockgate_errgroup::thread::{Group, scope};
use lockgate_errgroup::{Builder, LeakGuard};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

fn group(name: &'static str) -> Group<(), ()> {
    Group::build(Builder::new().name(name)).unwrap()
}

#[test]
fn groups_that_are_joined_are_no_leaks() {
    let leaks = LeakGuard::new();
    scope(Builder::new(), |g| {
        g.spawn(|_| Ok::<_, ()>(()));
    })
    .unwrap();
    let joined = group("joined");
    joined.spawn(|_| Ok(()));
    joined.join().wait().unwrap();
    leaks.check().unwrap();
}

#[test]
fn a_thread_that_still_runs_is_a_leak() {
    let leaks = LeakGuard::new().grace(Duration::ZERO);
    let (release, released) = mpsc::channel::<()>();
    let (started, starts) = mpsc::channel();
    let stuck = group("stuck");
    stuck.spawn(move |_| {
        started.send(()).unwrap();
        let _ = released.recv();
        Ok(())
    });
    starts.recv().unwrap();
    drop(stuck);
    assert_eq!(leaks.check().unwrap_err().names().collect::<Vec<_>>(), [Some("stuck")]);
    let panic = catch_unwind(AssertUnwindSafe(|| drop(leaks))).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "1 group outlives the test: stuck");
    drop(release);
}

#[test]
fn a_thread_that_is_about_to_end_is_waited_for() {
    let _leaks = LeakGuard::new().grace(Duration::from_secs(30));
    let group = group("dropped");
    group.spawn(|cx| {
        cx.token().cancelled().wait();
        Ok(())
    });
    drop(group);
}

#[test]
fn each_guard_has_its_own_groups() {
    let before = group("before");
    let outer = LeakGuard::new();
    let kept = Group::<(), ()>::new();
    let inner = LeakGuard::new().grace(Duration::ZERO);
    let named = group("inner");
    std::thread::spawn(|| group("of another thread")).join().map(drop).unwrap();
    assert_eq!(inner.check().unwrap_err().to_string(), "1 group outlives the test: inner");
    drop(named);
    drop(inner);
    let late = group("late");
    let text = "2 groups outlive the test: one without a name, late";
    assert_eq!(outer.check().unwrap_err().to_string(), text);
    drop((kept, late));
    outer.check().unwrap();
    drop(before);
}

#[test]
fn it_does_not_panic_while_the_test_does() {
    let mut leaked = None;
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _leaks = LeakGuard::new().grace(Duration::ZERO);
        leaked = Some(group("leaked"));
        std::panic::resume_unwind(Box::new("the test's own"));
    }))
    .unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"the test's own"));
}
