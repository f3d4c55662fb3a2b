//! What the tests share: items that are counted, and waits for conditions.

use std::sync::Arc;
use std::sync::atomic::{AtomicIsize, AtomicUsize, Ordering};
use std::thread;

/// Counts what lives, and how much did at the most.
#[derive(Clone, Debug, Default)]
pub(crate) struct Census {
    live: Arc<AtomicIsize>,
    most: Arc<AtomicIsize>,
    made: Arc<AtomicUsize>,
}

/// An item of a census.
#[derive(Debug)]
pub(crate) struct Counted {
    pub(crate) n: u32,
    census: Census,
}

impl Census {
    pub(crate) fn item(&self, n: u32) -> Counted {
        let live = self.live.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(live, Ordering::SeqCst);
        self.made.fetch_add(1, Ordering::SeqCst);
        Counted { n, census: self.clone() }
    }

    pub(crate) fn live(&self) -> isize {
        self.live.load(Ordering::SeqCst)
    }

    pub(crate) fn most(&self) -> isize {
        self.most.load(Ordering::SeqCst)
    }

    pub(crate) fn made(&self) -> usize {
        self.made.load(Ordering::SeqCst)
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.census.item(self.n)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let before = self.census.live.fetch_sub(1, Ordering::SeqCst);
        assert!(before > 0, "item {} is dropped twice", self.n);
    }
}

/// Waits until `is_so`, for as long as it takes.
pub(crate) fn until(is_so: impl Fn() -> bool) {
    while !is_so() {
        thread::yield_now();
    }
}

/// A flag that is waited for.
#[derive(Debug, Default)]
pub(crate) struct Flag(AtomicUsize);

impl Flag {
    pub(crate) fn set(&self) {
        self.0.store(1, Ordering::SeqCst);
    }

    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst) == 1
    }

    pub(crate) fn wait(&self) {
        until(|| self.is_set());
    }
}

/// For what a pipeline in the background shares with its test.
pub(crate) fn leak<T>(shared: T) -> &'static T {
    Box::leak(Box::new(shared))
}
