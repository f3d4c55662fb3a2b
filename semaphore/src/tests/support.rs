//! What models and tests share: polling by hand, wakers made by hand, what the permits guard,
//! and what has to hold at the end.

use crate::primitives::Arc;
use crate::primitives::atomic::{AtomicUsize, Ordering, Witness};
use crate::state::Word;
use crate::{Acquire, AcquireOwned, IdleOwned, Semaphore};
use std::future::Future;
use std::ops::Deref;
use std::pin::Pin;
use std::task::{Context, Poll, Wake, Waker};

/// Polls once with a waker that does nothing: what is granted later is found by a later poll.
pub(super) fn poll<F: Future + Unpin>(wait: &mut F) -> Poll<F::Output> {
    poll_with(wait, Waker::noop())
}

pub(super) fn poll_with<F: Future + Unpin>(wait: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(wait).poll(&mut Context::from_waker(waker))
}

/// The outcome of a wait that must be over.
#[track_caller]
pub(super) fn ready<F: Future + Unpin>(mut wait: F) -> F::Output {
    match poll(&mut wait) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => panic!("the wait should be over"),
    }
}

/// A request for `n` that stands in line.
#[track_caller]
pub(super) fn queue(sem: &Arc<Semaphore>, n: usize) -> AcquireOwned {
    queued(sem.acquire_owned(n))
}

/// `wait`, polled once and found to have to wait.
#[track_caller]
pub(super) fn queued<S: Deref<Target = Semaphore>>(mut wait: Acquire<S>) -> Acquire<S> {
    assert!(poll(&mut wait).is_pending(), "it should have to wait");
    wait
}

/// A wait for idleness that stands in line.
#[track_caller]
pub(super) fn queue_idle(sem: &Arc<Semaphore>) -> IdleOwned {
    let mut wait = sem.wait_idle_owned();
    assert!(poll(&mut wait).is_pending(), "it should have to wait");
    wait
}

/// Everything came back: all permits are free, no flag stands but CLOSED where it should, and
/// nobody is in line.
#[track_caller]
pub(super) fn assert_at_rest(sem: &Semaphore, limit: usize) {
    assert_word_at_rest(sem, Word::open(limit), limit);
    assert!(!sem.is_closed());
}

/// [`assert_at_rest`] for a semaphore that was closed.
#[track_caller]
pub(super) fn assert_closed_at_rest(sem: &Semaphore, limit: usize) {
    assert_word_at_rest(sem, Word(Word::open(limit).0 | crate::state::CLOSED), limit);
    assert!(sem.is_closed());
}

#[track_caller]
fn assert_word_at_rest(sem: &Semaphore, word: Word, limit: usize) {
    assert_eq!(sem.snapshot(), word, "permits and flags");
    assert_eq!((sem.limit(), sem.available()), (limit, limit));
    assert_eq!((sem.in_use(), sem.waiters()), (0, 0));
    assert!(sem.line.lock().is_empty());
}

/// What a single permit guards: a number that is written without care.
///
/// An entry is a load and a store instead of an addition, so one is lost if two holders meet or
/// if a holder does not see what the one before it did: this shows exclusion and ordering alike.
pub(super) struct Ledger(Witness);

impl Ledger {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Witness::new(0)))
    }

    pub(super) fn enter(&self) {
        let entries = self.entries();
        // ORDERING: Relaxed on purpose: whatever makes it visible is the semaphore's doing.
        self.0.store(entries + 1, Ordering::Relaxed);
    }

    pub(super) fn entries(&self) -> usize {
        // ORDERING: as in `enter`.
        self.0.load(Ordering::Relaxed)
    }
}

/// Counts what is held at the same time.
pub(super) struct Gauge {
    held: AtomicUsize,
    limit: usize,
}

impl Gauge {
    pub(super) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { held: AtomicUsize::new(0), limit })
    }

    /// Holds `weight` and lets go again.
    #[track_caller]
    pub(super) fn pass(&self, weight: usize) {
        // ORDERING: Relaxed: an addition sees the latest value, and what left before a permit
        // came here has left this before, too.
        let before = self.held.fetch_add(weight, Ordering::Relaxed);
        assert!(before + weight <= self.limit, "{before} held, {weight} more granted");
        self.held.fetch_sub(weight, Ordering::Relaxed);
    }
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
