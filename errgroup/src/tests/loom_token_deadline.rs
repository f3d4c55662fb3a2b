//! Deadlines that pass while the token is cancelled. A thread of the model fires the deadline, and
//! plays the timer.

use super::token_support::{Count, assert_alone, cause, dependents, node, queued};
use crate::CancelToken;
use crate::primitives::{Arc, Deadline, Explore, explore, future, thread};

const PASSED: &str = "the deadline passed";

/// Fires the deadline, and then does what the timer does.
fn time(token: &CancelToken, deadline: &Deadline) -> thread::JoinHandle<()> {
    let (token, deadline) = (token.clone(), deadline.clone());
    thread::spawn(move || {
        deadline.fire();
        node(&token).expire();
    })
}

/// T11: the timer and a call cancel at once: one cause, and the callback runs once. A call that
/// wins came before the deadline.
#[test]
fn deadline_meets_cancel() {
    explore(Explore::All, || {
        let deadline = Deadline::unfired();
        let token = CancelToken::with(Some(deadline.clone()));
        let child = token.child();
        let called = Count::new();
        let counted = Arc::clone(&called);
        token.on_cancel(move || counted.add()).detach();
        let timer = time(&token, &deadline);
        let mine = token.cancel_with("called");
        assert!(child.is_cancelled());
        timer.join().unwrap();
        assert_eq!(called.get(), 1);
        assert_eq!(cause(&token), if mine { "called" } else { PASSED });
        drop(child);
        assert_alone(&token);
    });
}

/// T11: the deadline passes, nobody notices, and then the token is cancelled: too late.
#[test]
fn deadline_comes_before_a_later_call() {
    explore(Explore::All, || {
        let deadline = Deadline::unfired();
        let parent = CancelToken::new();
        let token = parent.child_with(Some(deadline.clone()));
        let other = {
            let (token, deadline) = (token.clone(), deadline.clone());
            thread::spawn(move || {
                deadline.fire();
                assert!(!token.cancel_with("too late"));
                assert_eq!(cause(&token), PASSED);
            })
        };
        let looked = token.is_cancelled();
        assert!(!looked || cause(&token) == PASSED);
        other.join().unwrap();
        parent.cancel();
        assert_eq!(cause(&token), PASSED);
    });
}

/// T11: a thread that waits parks until the deadline itself, and is cancelled meanwhile.
#[test]
fn thread_waits_for_the_deadline() {
    explore(Explore::All, || {
        let deadline = Deadline::unfired();
        let token = CancelToken::with(Some(deadline.clone()));
        let firing = thread::spawn(move || deadline.fire());
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel_with("called"))
        };
        token.cancelled().wait();
        let text = cause(&token);
        assert!(text == PASSED || text == "called");
        firing.join().unwrap();
        assert_eq!(canceller.join().unwrap(), text == "called");
        assert_alone(&token);
    });
}

/// T11: nobody cancels: the deadline alone ends the wait of a thread.
#[test]
fn deadline_alone_ends_a_wait() {
    explore(Explore::All, || {
        let deadline = Deadline::unfired();
        let token = CancelToken::with(Some(deadline.clone()));
        let firing = thread::spawn(move || deadline.fire());
        token.block_on(std::future::pending::<()>()).unwrap_err();
        firing.join().unwrap();
        assert_eq!((cause(&token).as_str(), dependents(&token)), (PASSED, 0));
    });
}

/// T11: the same for a plain wait, beneath the token that has the deadline.
#[test]
fn deadline_above_ends_a_wait() {
    explore(Explore::All, || {
        let deadline = Deadline::unfired();
        let token = CancelToken::with(Some(deadline.clone())).child();
        let firing = thread::spawn(move || deadline.fire());
        token.cancelled().wait();
        firing.join().unwrap();
        assert_eq!((cause(&token).as_str(), dependents(&token)), (PASSED, 0));
    });
}

/// T11: a task waits beneath a token whose deadline passes: the timer, which knows the child,
/// wakes it.
#[test]
fn timer_wakes_a_task() {
    explore(Explore::All, || {
        let deadline = Deadline::unfired();
        let token = CancelToken::with(Some(deadline.clone()));
        let wait = queued(token.clone().cancelled_owned());
        let timer = time(&token, &deadline);
        future::block_on(wait);
        timer.join().unwrap();
        assert_eq!(cause(&token), PASSED);
        assert_alone(&token);
    });
}

/// T11: a thread sleeps, and is cancelled when its time is over.
#[test]
fn cancel_meets_the_end_of_a_sleep() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let until = Deadline::unfired();
        let firing = {
            let until = until.clone();
            thread::spawn(move || until.fire())
        };
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        match token.sleep_to(Some(until.clone())).wait() {
            Ok(()) => assert!(until.has_passed()),
            Err(_) => assert!(token.is_cancelled()),
        }
        firing.join().unwrap();
        assert!(canceller.join().unwrap());
        assert_alone(&token);
    });
}
