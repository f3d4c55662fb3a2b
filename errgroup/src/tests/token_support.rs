//! What the tests and models of the token share.

use crate::CancelToken;
use crate::primitives::Arc;
use crate::primitives::atomic::{Ordering, Witness};
use crate::token::Node;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

pub(super) fn poll<F: Future + Unpin>(wait: &mut F) -> Poll<F::Output> {
    poll_with(wait, Waker::noop())
}

pub(super) fn poll_with<F: Future + Unpin>(wait: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(wait).poll(&mut Context::from_waker(waker))
}

/// `wait`, polled once and found to have to wait.
#[track_caller]
pub(super) fn queued<F: Future + Unpin>(mut wait: F) -> F {
    assert!(poll(&mut wait).is_pending(), "it should have to wait");
    wait
}

pub(super) fn node(token: &CancelToken) -> &Arc<Node> {
    token.node().expect("it can be cancelled")
}

/// The number of waits, children and callbacks that hang on it.
pub(super) fn dependents(token: &CancelToken) -> usize {
    node(token).dependents()
}

/// Nothing hangs on it, and nobody else owns it.
#[track_caller]
pub(super) fn assert_alone(token: &CancelToken) {
    assert_eq!((dependents(token), Arc::strong_count(node(token))), (0, 1));
}

/// The text of its cause.
#[track_caller]
pub(super) fn cause(token: &CancelToken) -> String {
    token.cause().expect("it is cancelled").to_string()
}

/// A waker that runs a closure.
pub(super) fn waker_fn(run: impl Fn() + Send + Sync + 'static) -> Waker {
    struct Run<F>(F);
    impl<F: Fn() + Send + Sync> Wake for Run<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }
    Waker::from(Arc::new(Run(run)))
}

/// Something that is written without care: whatever makes it visible is the token's doing.
pub(super) struct Note(Witness);

impl Note {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Witness::new(0)))
    }

    pub(super) fn write(&self) {
        // ORDERING: Relaxed on purpose.
        self.0.store(1, Ordering::Relaxed);
    }

    #[track_caller]
    pub(super) fn assert_seen(&self) {
        // ORDERING: as in `write`.
        assert_eq!(self.0.load(Ordering::Relaxed), 1, "what was done before is seen");
    }
}

/// How often something happened.
pub(super) struct Count(Witness);

impl Count {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Witness::new(0)))
    }

    pub(super) fn add(&self) {
        // ORDERING: Relaxed: a count, read by whoever joined the threads.
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> usize {
        // ORDERING: as in `add`.
        self.0.load(Ordering::Relaxed)
    }
}
