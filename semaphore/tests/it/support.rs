//! What the tests have in common: two worlds behind one trait, and waiting without sleeping.
#![cfg_attr(
    not(all(feature = "sync", feature = "async")),
    allow(dead_code, unused_imports, reason = "some helpers are for one world only")
)]

use lockgate_semaphore::{AcquireError, AcquireOwned, OwnedPermit, Semaphore};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what has to happen before it calls it a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) type Outcome = Result<OwnedPermit, AcquireError>;

#[allow(clippy::disallowed_methods, reason = "a test of deadlines needs instants")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) fn semaphore(permits: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(permits))
}

pub(crate) fn bounded(permits: usize, max_waiters: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::builder(permits).max_waiters(max_waiters).build().unwrap())
}

/// `(available, in_use, waiters)`.
pub(crate) fn figures(sem: &Semaphore) -> (usize, usize, usize) {
    (sem.available(), sem.in_use(), sem.waiters())
}

/// Waits for what another thread is about to do.
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    let start = now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain until {what}");
        thread::yield_now();
    }
}

pub(crate) fn until_waiters(sem: &Semaphore, waiters: usize) {
    until("the requests are in line", || sem.waiters() == waiters);
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

/// What a panic of `body` said.
pub(crate) fn panic_of(body: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body)).expect_err("it has to panic");
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a panic with a text")).to_owned(),
    }
}

/// A waker that counts how often it was called.
#[derive(Debug, Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// How a request waits. A law holds in both worlds, so its test is written once.
pub(crate) trait World {
    /// A request that stands in line.
    type Waiting;

    /// Sends a request that has to queue, and comes back when it stands in line.
    fn queue(sem: &Semaphore, wait: AcquireOwned) -> Self::Waiting;

    /// What a request got that was served or failed, and hence woken.
    fn outcome(waiting: Self::Waiting) -> Outcome;

    /// What a request gets that has no need to queue.
    fn at_once(wait: AcquireOwned) -> Outcome;
}

/// Runs tests that are generic over their [`World`] in every world that the features give.
#[cfg(any(feature = "sync", feature = "async"))]
macro_rules! in_both_worlds {
    ($($test:ident),+ $(,)?) => {
        #[cfg(feature = "sync")]
        mod threads {
            $(#[test] fn $test() { super::$test::<crate::support::threads::Threads>(); })+
        }
        #[cfg(feature = "async")]
        mod tasks {
            $(#[test] fn $test() { super::$test::<crate::support::tasks::Tasks>(); })+
        }
    };
}
#[cfg(any(feature = "sync", feature = "async"))]
pub(crate) use in_both_worlds;

#[cfg(feature = "sync")]
pub(crate) mod threads {
    use super::{Outcome, PATIENCE, World, until_waiters};
    use lockgate_semaphore::{AcquireOwned, Semaphore};
    use std::sync::mpsc;
    use std::thread;

    /// Every request blocks a thread of its own.
    pub(crate) struct Threads;

    pub(crate) fn spawn_wait(wait: AcquireOwned) -> mpsc::Receiver<Outcome> {
        let (done, outcome) = mpsc::channel();
        thread::spawn(move || done.send(wait.wait()));
        outcome
    }

    impl World for Threads {
        type Waiting = mpsc::Receiver<Outcome>;

        fn queue(sem: &Semaphore, wait: AcquireOwned) -> Self::Waiting {
            let ahead = sem.waiters();
            let outcome = spawn_wait(wait);
            until_waiters(sem, ahead + 1);
            outcome
        }

        fn outcome(waiting: Self::Waiting) -> Outcome {
            waiting.recv_timeout(PATIENCE).expect("a request that is settled comes back")
        }

        fn at_once(wait: AcquireOwned) -> Outcome {
            Self::outcome(spawn_wait(wait))
        }
    }
}

#[cfg(feature = "async")]
pub(crate) mod tasks {
    use super::{Outcome, Wakes, World};
    use lockgate_semaphore::{AcquireOwned, Semaphore};
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    /// Every request is a future, polled by hand.
    pub(crate) struct Tasks;

    /// A future with a waker of its own.
    pub(crate) struct Task<F> {
        future: F,
        pub(crate) wakes: Arc<Wakes>,
    }

    pub(crate) fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(waker))
    }

    impl<F: Future + Unpin> Task<F> {
        pub(crate) fn new(future: F) -> Self {
            Self { future, wakes: Wakes::new() }
        }

        pub(crate) fn poll(&mut self) -> Poll<F::Output> {
            poll(&mut self.future, &self.wakes.waker())
        }

        /// The first poll of what has to wait.
        #[track_caller]
        pub(crate) fn queued(future: F) -> Self {
            let mut task = Self::new(future);
            assert!(task.poll().is_pending(), "it has to wait");
            task
        }

        /// The last poll of what was woken.
        #[track_caller]
        pub(crate) fn woken(mut self) -> F::Output {
            assert_eq!(self.wakes.count(), 1, "it is woken, and once");
            self.ready()
        }

        #[track_caller]
        pub(crate) fn ready(&mut self) -> F::Output {
            match self.poll() {
                Poll::Ready(output) => output,
                Poll::Pending => panic!("it has nothing to wait for"),
            }
        }

        /// Whether it was not woken and still waits.
        pub(crate) fn is_waiting(&mut self) -> bool {
            self.wakes.count() == 0 && self.poll().is_pending()
        }
    }

    impl World for Tasks {
        type Waiting = Task<AcquireOwned>;

        fn queue(sem: &Semaphore, wait: AcquireOwned) -> Self::Waiting {
            let ahead = sem.waiters();
            let task = Task::queued(wait);
            assert_eq!(sem.waiters(), ahead + 1);
            task
        }

        fn outcome(waiting: Self::Waiting) -> Outcome {
            waiting.woken()
        }

        fn at_once(wait: AcquireOwned) -> Outcome {
            Task::new(wait).ready()
        }
    }
}
