//! Waits that end, move or go while the token is cancelled.

use super::token_support::{
    Count, Note, assert_alone, cause, dependents, poll_with, queued, waker_fn,
};
use crate::CancelToken;
use crate::primitives::{Arc, Deadline, Explore, explore, future, thread};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// T1: a thread looks, finds the token open and parks, while another cancels it.
#[test]
fn cancel_meets_a_thread_that_waits() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let waiter = {
            let token = token.clone();
            thread::spawn(move || token.cancelled().wait())
        };
        assert!(token.cancel());
        waiter.join().unwrap();
        assert_eq!(dependents(&token), 0);
    });
}

/// T1: the same on a child, for two threads.
#[test]
fn cancel_meets_threads_that_wait_beneath() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let waiters = [token.child(), token.clone()]
            .map(|token| thread::spawn(move || token.cancelled_owned().wait()));
        token.cancel();
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap());
        assert_alone(&token);
    });
}

/// T1: a time-out passes while the token is cancelled, after it or before. Nothing stays behind.
#[test]
fn cancel_meets_a_timeout() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let deadline = Deadline::unfired();
        let timer = {
            let deadline = deadline.clone();
            thread::spawn(move || deadline.fire())
        };
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        if token.cancelled().wait_until(Some(deadline)).is_ok() {
            assert!(token.is_cancelled());
        }
        assert_eq!(dependents(&token), 0);
        timer.join().unwrap();
        assert!(canceller.join().unwrap());
        assert_alone(&token);
    });
}

/// T2: a task is polled with another waker while the token is cancelled: the new waker is called,
/// or the poll that brought it finds the cancel.
#[test]
fn moved_task_meets_cancel() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let wait = queued(token.clone().cancelled_owned());
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        future::block_on(wait);
        assert!(canceller.join().unwrap());
        assert_alone(&token);
    });
}

/// T2: a wait is dropped while the token is cancelled: its waker is called once or never, and
/// dropped in any case.
#[test]
fn dropped_wait_meets_cancel() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let woken = Count::new();
        let waker = {
            let woken = Arc::clone(&woken);
            waker_fn(move || woken.add())
        };
        let mut wait = token.clone().cancelled_owned();
        assert!(poll_with(&mut wait, &waker).is_pending());
        drop(waker);
        let dropper = thread::spawn(move || drop(wait));
        token.cancel();
        dropper.join().unwrap();
        assert!(woken.get() <= 1);
        assert_eq!(Arc::strong_count(&woken), 1, "the waker is dropped");
        assert_alone(&token);
    });
}

/// T2: one wait goes and another takes its place, while a third is polled again: nobody gets
/// another's place.
#[test]
fn waits_come_and_go() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let first = queued(token.clone().cancelled_owned());
        let second = queued(token.clone().cancelled_owned());
        let other = {
            let token = token.clone();
            thread::spawn(move || {
                drop(first);
                queued(token.cancelled_owned())
            })
        };
        let second = queued(second);
        let third = other.join().unwrap();
        assert_eq!(dependents(&token), 2);
        token.cancel();
        future::block_on(second);
        future::block_on(third);
        assert_alone(&token);
    });
}

/// T2: a future is run while its token is cancelled.
#[test]
fn cancel_meets_a_run() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel_with("enough"))
        };
        let outcome = future::block_on(token.run(std::future::pending::<()>()));
        assert_eq!(outcome.unwrap_err().to_string(), "cancelled: enough");
        assert!(canceller.join().unwrap());
        assert_alone(&token);
    });
}

/// T7: whoever finds the token cancelled sees what was done before, and the cause.
#[test]
fn is_cancelled_publishes() {
    explore(Explore::All, || {
        let (token, note) = (CancelToken::new(), Note::new());
        let child = token.child();
        let reader = {
            let (token, note) = (token.clone(), Arc::clone(&note));
            thread::spawn(move || {
                for token in [&token, &child] {
                    if token.is_cancelled() {
                        note.assert_seen();
                        assert_eq!(cause(token), "done");
                    }
                }
            })
        };
        note.write();
        token.cancel_with("done");
        reader.join().unwrap();
    });
}

/// T7: the same for who waits, and for who is called.
#[test]
fn wait_and_callback_publish() {
    explore(Explore::All, || {
        let (token, note) = (CancelToken::new(), Note::new());
        let canceller = {
            let (token, note) = (token.clone(), Arc::clone(&note));
            thread::spawn(move || {
                note.write();
                token.cancel()
            })
        };
        let seen = Arc::clone(&note);
        token.on_cancel(move || seen.assert_seen()).detach();
        token.cancelled().wait();
        note.assert_seen();
        canceller.join().unwrap();
    });
}

/// T13: the first of two wakers panics: the thread that waits as well is woken all the same, the
/// callback is called, and the panic goes on to the canceller.
#[test]
fn panic_in_one_wake_still_wakes_others() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let mut bad = token.clone().cancelled_owned();
        // Not `panic!`: its message, once per schedule, tells nobody anything.
        let waker = waker_fn(|| resume_unwind(Box::new("a waker that panics")));
        assert!(poll_with(&mut bad, &waker).is_pending());
        let called = Count::new();
        let counted = Arc::clone(&called);
        token.on_cancel(move || counted.add()).detach();
        let waiter = {
            let token = token.child();
            thread::spawn(move || token.cancelled_owned().wait())
        };
        let panicked = catch_unwind(AssertUnwindSafe(|| token.cancel())).is_err();
        assert!(panicked, "the panic is not swallowed");
        waiter.join().unwrap();
        assert_eq!(called.get(), 1);
        drop(bad);
        assert_alone(&token);
    });
}

/// T13: a waker that comes back to the token in every way, from inside `wake`.
#[test]
fn waker_comes_back_inside_wake() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let waker = {
            let token = token.child();
            waker_fn(move || {
                assert!(!token.cancel());
                token.cancelled().wait();
                assert!(token.child().is_cancelled());
                drop(token.on_cancel(|| {}));
            })
        };
        let mut wait = token.clone().cancelled_owned();
        assert!(poll_with(&mut wait, &waker).is_pending());
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        let mine = token.cancel();
        assert!(mine != canceller.join().unwrap(), "one of them");
        assert!(poll_with(&mut wait, Waker::noop()).is_ready());
        drop((wait, waker));
        assert_alone(&token);
    });
}
