//! What hangs on a token, and what is left of it.

use super::token_support::{dependents, node};
use crate::CancelToken;
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
    timer::state().1
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

#[test]
fn the_timer_thread_ends() {
    let _alone = timer_alone();
    let token = CancelToken::with_timeout(LONG);
    drop(token.on_cancel(|| {}));
    assert!(timer::state().0, "it stays for a moment");
    while timer::state().0 {
        std::thread::yield_now();
    }
    drop(token.on_cancel(|| {}));
    assert!(timer::state().0, "it is started again");
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
}
