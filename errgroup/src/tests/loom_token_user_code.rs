//! What is the user's and comes back to the token when it is dropped: wakers and causes. Under a
//! lock that would never end.

use super::token_support::{assert_alone, node, poll_with, queued};
use crate::primitives::{Arc, Explore, explore, thread};
use crate::{CancelToken, Cause};
use std::error::Error;
use std::fmt;
use std::task::{Wake, Waker};

/// Uses the token when it is woken and when it goes.
#[derive(Debug)]
struct Owner(CancelToken);

impl Owner {
    fn waker(token: &CancelToken) -> Waker {
        Waker::from(Arc::new(Self(token.clone())))
    }

    fn cause(token: &CancelToken) -> Cause {
        Cause::error(Self(token.clone()))
    }
}

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("owner")
    }
}

impl Error for Owner {}

impl Drop for Owner {
    fn drop(&mut self) {
        assert!(node(&self.0).dependents() <= 2);
    }
}

/// A waker is replaced, and another goes with its wait, while the token is cancelled.
#[test]
fn dropped_wakers_come_back() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let mut replaced = token.clone().cancelled_owned();
        let mut dropped = token.clone().cancelled_owned();
        assert!(poll_with(&mut replaced, &Owner::waker(&token)).is_pending());
        assert!(poll_with(&mut dropped, &Owner::waker(&token)).is_pending());
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        let _ = poll_with(&mut replaced, Waker::noop());
        drop(dropped);
        assert!(canceller.join().unwrap());
        drop(replaced);
        assert_alone(&token);
    });
}

/// A new waker turns out not to be needed, because the token is cancelled meanwhile.
#[test]
fn unneeded_waker_comes_back() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let mut moved = queued(token.clone().cancelled_owned());
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        let _ = poll_with(&mut moved, &Owner::waker(&token));
        let mut fresh = token.clone().cancelled_owned();
        let _ = poll_with(&mut fresh, &Owner::waker(&token));
        assert!(canceller.join().unwrap());
        drop((moved, fresh));
        assert_alone(&token);
    });
}

/// A cause that comes too late is dropped, at the token and beneath it.
#[test]
fn late_cause_comes_back() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let canceller = {
            let token = token.clone();
            thread::spawn(move || token.cancel())
        };
        let child = token.child();
        assert!(canceller.join().unwrap());
        assert!(!child.cancel_with(Owner::cause(&child)));
        assert!(!token.cancel_with(Owner::cause(&token)));
        drop(child);
        assert_alone(&token);
    });
}

/// The canceller is the last owner of a child that was cancelled before, and drops its cause.
#[test]
fn last_owner_is_the_canceller() {
    explore(Explore::All, || {
        let token = CancelToken::new();
        let child = token.child();
        child.cancel_with(Owner::cause(&token));
        let dropper = thread::spawn(move || {
            // LOOM: sees no `Arc`, so this is the step that comes before or after the canceller's.
            node(&child).dependents();
            drop(child);
        });
        token.cancel();
        dropper.join().unwrap();
        assert_alone(&token);
    });
}
