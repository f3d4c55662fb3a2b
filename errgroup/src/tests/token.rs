//! What hangs on a token, and what is left of it.

use super::token_support::{cause, dependents, node};
use crate::CancelToken;
use crate::primitives::Deadline;
use crate::timer;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const LONG: Duration = Duration::from_secs(3600);

/// There is one timer for the whole process: tests that look into it go one after the other.
fn timer_alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn timer_entries() -> usize {
    timer::state().2
}

#[test]
fn children_leave_nothing_behind() {
    let token = CancelToken::new();
    let children: Vec<_> = (0..1000).map(|_| token.child()).collect();
    assert_eq!(dependents(&token), 1000);
    drop(children);
    assert_eq!(dependents(&token), 0);
    assert_eq!(Arc::strong_count(node(&token)), 1);
}

#[test]
fn a_middle_node_stays_as_long_as_something_is_beneath() {
    let token = CancelToken::new();
    let middle = token.child();
    let lower = middle.child();
    let leaf = lower.child();
    drop((middle, lower));
    assert_eq!(dependents(&token), 1);
    let wait = leaf.clone().cancelled_owned();
    drop(leaf);
    assert_eq!(dependents(&token), 1);
    drop(wait);
    assert_eq!(dependents(&token), 0);
    assert_eq!(Arc::strong_count(node(&token)), 1);
}

#[test]
fn a_cancelled_tree_is_freed() {
    let token = CancelToken::new();
    let children = [token.child(), token.child()];
    let leaf = children[0].child();
    token.cancel();
    assert_eq!(dependents(&token), 0);
    drop(children);
    assert_eq!(Arc::strong_count(node(&token)), 2, "the leaf's middle");
    drop(leaf);
    assert_eq!(Arc::strong_count(node(&token)), 1);
    drop(token.child());
    assert_eq!(Arc::strong_count(node(&token)), 1);
}

#[test]
fn any_of_leaves_nothing_behind() {
    let tokens = [CancelToken::new(), CancelToken::new(), CancelToken::new().child()];
    let either = CancelToken::any_of(&tokens);
    let nested = CancelToken::any_of([&either, &tokens[0]]);
    assert_eq!(dependents(&tokens[0]), 2);
    drop(either);
    assert_eq!(dependents(&tokens[1]), 1);
    drop(nested);
    for token in &tokens {
        assert_eq!((dependents(token), Arc::strong_count(node(token)) <= 2), (0, true));
    }
}

#[test]
fn callbacks_and_guards_leave_nothing_behind() {
    let token = CancelToken::new();
    let registration = token.on_cancel(|| {});
    assert_eq!(dependents(&token), 1);
    drop(registration);
    assert!(token.on_cancel(|| {}).unregister());
    drop(token.clone().drop_guard().disarm());
    assert_eq!((dependents(&token), Arc::strong_count(node(&token))), (0, 1));
}

#[test]
fn unnoticed_deadline_beneath_came_first() {
    let token = CancelToken::new();
    let child = token.child_with_timeout(Duration::ZERO);
    let grandchild = child.child();
    assert!(token.cancel_with("in time for the parent"));
    assert_eq!(cause(&token), "in time for the parent");
    assert_eq!(cause(&child), "the deadline passed");
    assert_eq!(cause(&grandchild), "the deadline passed");
}

#[test]
fn a_token_that_is_done_with_leaves_the_timer() {
    let _alone = timer_alone();
    let before = timer_entries();
    let owner = Arc::new(());
    for parent in [CancelToken::never(), CancelToken::new()] {
        let token = parent.child_with_timeout(LONG);
        let owned = Arc::clone(&owner);
        token.on_cancel(move || drop(owned)).detach();
        assert_eq!(timer_entries(), before + 1);
        drop(token);
        assert_eq!((timer_entries(), Arc::strong_count(&owner)), (before, 1));
    }
}

#[test]
fn the_timer_has_an_entry_as_long_as_somebody_needs_it() {
    let _alone = timer_alone();
    let before = timer_entries();
    let token = CancelToken::with_timeout(LONG);
    assert_eq!(timer_entries(), before, "nobody waits");
    let registrations = [(); 3].map(|()| token.on_cancel(|| {}));
    assert_eq!(timer_entries(), before + 1, "one for all");
    drop(registrations);
    assert_eq!(timer_entries(), before);
    let registration = token.on_cancel(|| {});
    token.cancel();
    assert_eq!(timer_entries(), before);
    drop(registration);
}

/// Until it is so, for no longer than ten seconds.
#[track_caller]
fn eventually(is_so: impl Fn() -> bool) {
    let end = Deadline::after(Duration::from_secs(10)).expect("the clock goes on");
    while !is_so() {
        assert!(!end.has_passed(), "still not so");
        std::thread::yield_now();
    }
}

#[test]
fn the_timer_thread_ends() {
    let _alone = timer_alone();
    let token = CancelToken::with_timeout(LONG);
    let registration = token.on_cancel(|| {});
    eventually(|| timer::state().1);
    drop(registration);
    assert!(timer::state().0, "it stays for a moment");
    eventually(|| !timer::state().0);
    drop(token.on_cancel(|| {}));
    assert!(timer::state().0, "it is started again");
}

#[test]
fn an_earlier_deadline_is_served_first() {
    let _alone = timer_alone();
    let late = CancelToken::with_timeout(LONG);
    let registration = late.on_cancel(|| {});
    eventually(|| timer::state().1);
    let (sender, receiver) = std::sync::mpsc::channel();
    let early = CancelToken::with_timeout(Duration::from_millis(1));
    early.on_cancel(move || sender.send(()).expect("somebody listens")).detach();
    receiver.recv_timeout(Duration::from_secs(10)).expect("it is served");
    assert!(!late.is_cancelled());
    drop(registration);
}

/// The stack of a test is two megabytes.
#[test]
fn deep_chains_do_not_recurse() {
    let top = CancelToken::new();
    let mut leaf = top.child();
    for _ in 0..100_000 {
        leaf = leaf.child();
    }
    let wait = leaf.clone();
    top.cancel();
    assert!(wait.is_cancelled() && !leaf.cancel());
    drop((wait, leaf));
    let mut leaf = top.shield();
    for _ in 0..100_000 {
        leaf = leaf.child();
    }
    drop(leaf);
}

#[test]
fn places_are_given_once() {
    let token = CancelToken::new();
    let mut children: Vec<_> = (0..10).map(|_| Some(token.child())).collect();
    for at in [3, 0, 9, 4, 3, 7, 0] {
        children[at] = None;
        assert_eq!(dependents(&token), 9);
        children[at] = Some(token.child());
        children[(at + 1) % 10] = None;
        children[(at + 2) % 10] = None;
        children[(at + 2) % 10] = Some(token.child());
        children[(at + 1) % 10] = Some(token.child());
        assert_eq!(dependents(&token), 10);
    }
    token.cancel();
    assert!(children.iter().flatten().all(CancelToken::is_cancelled));
}

#[cfg(feature = "async")]
mod tasks {
    use super::super::token_support::{dependents, poll};
    use super::{LONG, timer_alone, timer_entries};
    use crate::CancelToken;
    use std::future::pending;
    use std::task::Poll;

    #[test]
    fn waits_leave_nothing_behind() {
        let _alone = timer_alone();
        let before = timer_entries();
        let token = CancelToken::with_timeout(LONG);
        let mut waits: Vec<_> = (0..10).map(|_| token.cancelled()).collect();
        assert!(waits.iter_mut().all(|wait| poll(wait).is_pending()));
        assert!(waits.iter_mut().all(|wait| poll(wait).is_pending()));
        assert_eq!((dependents(&token), timer_entries()), (10, before + 1));
        drop(waits);
        assert_eq!((dependents(&token), timer_entries()), (0, before));

        let mut sleep = token.sleep(LONG);
        assert!(poll(&mut sleep).is_pending());
        assert!(poll(&mut sleep).is_pending());
        assert_eq!((dependents(&token), timer_entries()), (1, before + 1));
        drop(sleep);
        assert_eq!((dependents(&token), timer_entries()), (0, before));

        let mut run = Box::pin(token.run(pending::<()>()));
        assert!(poll(&mut run).is_pending());
        assert_eq!((dependents(&token), timer_entries()), (1, before + 1));
        drop(run);
        assert_eq!((dependents(&token), timer_entries()), (0, before));
    }

    #[test]
    fn a_future_that_does_not_wait_takes_no_place() {
        let token = CancelToken::new();
        let mut run = Box::pin(token.run(async { dependents(&token) }));
        assert!(matches!(poll(&mut run), Poll::Ready(Ok(0))));
    }

    #[test]
    fn a_cancelled_token_wins_over_a_ready_future() {
        let token = CancelToken::new();
        token.cancel();
        let mut run = Box::pin(token.run(std::future::ready(7)));
        assert!(matches!(poll(&mut run), Poll::Ready(Err(_))));
    }
}
