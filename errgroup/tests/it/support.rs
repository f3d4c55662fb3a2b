//! What the tests of groups have in common: waiting without sleeping, what is counted when it is
//! dropped, panics that are looked at.
#![cfg_attr(
    not(all(feature = "sync", feature = "async")),
    allow(dead_code, unused_imports, reason = "some helpers are for one world only")
)]

use lockgate_errgroup::{CancelToken, Cause, Error};
use std::any::Any;
use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what has to happen before it calls it a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Longer than any test: who waits for its end waits in vain.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// A deadline that a test waits for: long enough for what it does before, on a busy machine too.
pub(crate) const SHORT: Duration = Duration::from_secs(1);

#[allow(clippy::disallowed_methods, reason = "a test of deadlines needs instants")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// Waits for what another thread is about to do.
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let start = now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::yield_now();
    }
}

/// Runs `body` on a thread of its own, so that a deadlock fails the test instead of hanging it.
pub(crate) fn within_patience<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    thread::spawn(move || done.send(catch_unwind(AssertUnwindSafe(body))));
    match result.recv_timeout(PATIENCE).expect("it does not end: a deadlock") {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The payload of `body`'s panic.
pub(crate) fn payload_of<T>(body: impl FnOnce() -> T) -> Box<dyn Any + Send> {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(_) => panic!("it has to panic"),
        Err(payload) => payload,
    }
}

/// What a panic of `body` said.
pub(crate) fn panic_of<T>(body: impl FnOnce() -> T) -> String {
    match payload_of(body).downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a panic with a text")).to_owned(),
    }
}

/// The first error of a group, with the index of its task.
pub(crate) fn failed<E: Debug>(outcome: Result<(), Error<E>>) -> Option<(usize, E)> {
    match outcome {
        Ok(()) => None,
        Err(Error::Task { index, error, .. }) => Some((index, error)),
        Err(other) => panic!("no task's error: {other:?}"),
    }
}

/// Why the group was cancelled from outside.
pub(crate) fn cancelled<E: Debug>(outcome: Result<(), Error<E>>) -> Cause {
    match outcome {
        Err(Error::Cancelled(cause)) => cause,
        other => panic!("it was not cancelled from outside: {other:?}"),
    }
}

/// The index of the task that ended the group, by an error or a panic.
pub(crate) fn culprit(token: &CancelToken) -> Option<usize> {
    match token.cause()? {
        Cause::Task { index, .. } | Cause::Panic { index, .. } => Some(index),
        other => panic!("it was not a task: {other}"),
    }
}

/// Counts, and is shared.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// One more; how many there are now.
    pub(crate) fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn value(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// What counts one more when it is dropped.
    pub(crate) fn on_drop(&self) -> CountsDrop {
        CountsDrop(self.clone())
    }
}

#[derive(Debug)]
pub(crate) struct CountsDrop(Counter);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// Its drop panics, with one more of its kind, and counts itself.
#[derive(Debug)]
pub(crate) struct Bomb(pub(crate) Counter);

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.add();
        if !thread::panicking() {
            std::panic::panic_any("the payload's drop panicked");
        }
    }
}

/// How many run at a time: now, and at most.
#[derive(Debug, Default)]
pub(crate) struct Gauge {
    now: AtomicUsize,
    peak: AtomicUsize,
}

impl Gauge {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn enter(&self) -> Inside<'_> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        Inside(self)
    }

    /// The peak since it was asked last.
    pub(crate) fn take_peak(&self) -> usize {
        self.peak.swap(0, Ordering::SeqCst)
    }
}

#[derive(Debug)]
pub(crate) struct Inside<'a>(&'a Gauge);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Numbers that look random and are the same in each run.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % bound
    }
}

#[cfg(feature = "async")]
pub(crate) mod tasks {
    use super::{PATIENCE, now, within_patience};
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};
    use tokio::runtime::{Builder, Runtime};

    /// A future that any task may poll.
    pub(crate) type Boxed<O> = Pin<Box<dyn Future<Output = O> + Send>>;

    pub(crate) fn current_thread() -> Runtime {
        Builder::new_current_thread().enable_time().build().unwrap()
    }

    pub(crate) fn multi_thread() -> Runtime {
        Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
    }

    /// Runs a test on a runtime of one thread, and on one of several.
    pub(crate) fn on_runtimes<Fut: Future<Output = ()>>(
        test: impl Fn() -> Fut + Send + Sync + 'static,
    ) {
        let test = Arc::new(test);
        for runtime in [current_thread, multi_thread] {
            let test = Arc::clone(&test);
            within_patience(move || runtime().block_on(test()));
        }
    }

    /// Runs a test on a runtime of several threads.
    pub(crate) fn in_parallel<Fut: Future<Output = ()>>(
        test: impl FnOnce() -> Fut + Send + 'static,
    ) {
        within_patience(move || multi_thread().block_on(test()));
    }

    /// Runs a test on one thread, where time passes when nothing else is to be done.
    pub(crate) fn paused<Fut: Future<Output = ()>>(test: impl FnOnce() -> Fut + Send + 'static) {
        within_patience(move || {
            Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .unwrap()
                .block_on(test());
        });
    }

    /// Waits for what other tasks are about to do.
    pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
        let start = now();
        while !condition() {
            assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
            tokio::task::yield_now().await;
        }
    }

    /// Polls once, for nobody.
    pub(crate) fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// The payload of a panic while `future` was polled.
    pub(crate) async fn payload_of<F: Future>(future: F) -> Box<dyn std::any::Any + Send> {
        use futures::FutureExt as _;
        match std::panic::AssertUnwindSafe(future).catch_unwind().await {
            Ok(_) => panic!("it has to panic"),
            Err(payload) => payload,
        }
    }
}
