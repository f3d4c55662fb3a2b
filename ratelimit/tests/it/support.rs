//! What the tests have in common: two worlds behind one trait, on a clock that stands still.
#![cfg_attr(
    not(all(feature = "sync", feature = "async")),
    allow(dead_code, unused_imports, reason = "some helpers are for one world only")
)]

use lockgate_ratelimit::clock::{Manual, Timestamp};
use lockgate_ratelimit::{AcquireError, AcquireOwned, Quota, Rate, RateLimiter};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

/// How long a test waits for what has to happen before it calls it a failure.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) type Outcome = Result<Duration, AcquireError>;
pub(crate) type Limiter = Arc<RateLimiter<Manual>>;
pub(crate) type Wait = AcquireOwned<Manual>;

#[allow(clippy::disallowed_methods, reason = "patience is measured in real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A moment of a [`Manual`] clock.
pub(crate) fn at_ms(millis: u64) -> Timestamp {
    Timestamp::default() + ms(millis)
}

/// A limiter, and the clock that it goes by, which stands at 0.
pub(crate) fn limiter(quota: Quota) -> (Limiter, Manual) {
    let clock = Manual::new();
    (Arc::new(RateLimiter::with_clock(quota, clock.clone())), clock)
}

/// So many a second, and a burst.
pub(crate) const fn quota(per_second: u32, burst: u32) -> Quota {
    Quota::new(Rate::per_second(per_second), burst)
}

/// Takes one at a time until it is denied, and says how often that went well.
pub(crate) fn take_all(limiter: &RateLimiter<Manual>) -> u32 {
    let mut taken = 0;
    while limiter.try_acquire(1).is_ok() {
        taken += 1;
        assert!(taken <= 10_000_000, "it grants without end");
    }
    taken
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
    match result.recv_timeout(PATIENCE).expect("it does not end") {
        Ok(value) => value,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// What a panic of `body` said.
pub(crate) fn panic_of<T>(body: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(body)).err().expect("it has to panic");
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

    /// Sends a request that has to wait, and comes back when it has its place in line.
    fn queue(limiter: &Limiter, wait: Wait) -> Self::Waiting;

    /// Whether it has not been told anything that ends it.
    fn still_waits(waiting: &mut Self::Waiting) -> bool;

    /// What a request got whose time has come, or that has failed, and that hence was woken.
    fn outcome(waiting: Self::Waiting) -> Outcome;

    /// What a request gets that has no need to wait.
    fn at_once(wait: Wait) -> Outcome;
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
    use super::{Limiter, Outcome, PATIENCE, Wait, World, until};
    use lockgate_ratelimit::Rate;
    use std::sync::mpsc;
    use std::thread;

    /// Every request blocks a thread of its own.
    pub(crate) struct Threads;

    impl World for Threads {
        type Waiting = mpsc::Receiver<Outcome>;

        fn queue(limiter: &Limiter, wait: Wait) -> Self::Waiting {
            let before = (limiter.tokens(), limiter.clock().sleepers());
            let (done, outcome) = mpsc::channel();
            thread::spawn(move || done.send(wait.wait()));
            let rate = limiter.quota().rate();
            // Without a limit, there is nothing that gets less.
            let in_line = || rate.is_infinite() || limiter.tokens() < before.0;
            until("the request is in line", in_line);
            if rate != Rate::ZERO {
                // Else what the clock says next may be news to a thread that has read it already.
                until("the thread sleeps", || limiter.clock().sleepers() > before.1);
            }
            outcome
        }

        /// A thread that is about to end its wait in error may not have done so yet; that is
        /// seen in the other world.
        fn still_waits(waiting: &mut Self::Waiting) -> bool {
            matches!(waiting.try_recv(), Err(mpsc::TryRecvError::Empty))
        }

        fn outcome(waiting: Self::Waiting) -> Outcome {
            waiting.recv_timeout(PATIENCE).expect("a request whose time has come comes back")
        }

        fn at_once(wait: Wait) -> Outcome {
            let (done, outcome) = mpsc::channel();
            thread::spawn(move || done.send(wait.wait()));
            Self::outcome(outcome)
        }
    }
}

#[cfg(feature = "async")]
pub(crate) mod tasks {
    use super::{Limiter, Outcome, Wait, Wakes, World};
    use std::future::Future;
    use std::pin::Pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    /// Every request is a future that is polled when it was woken, and never else.
    pub(crate) struct Tasks;

    /// A future with a waker of its own.
    pub(crate) struct Task<F: Future> {
        future: F,
        pub(crate) wakes: Arc<Wakes>,
        seen: usize,
        output: Option<F::Output>,
    }

    pub(crate) fn poll<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(waker))
    }

    impl<F: Future<Output: Unpin> + Unpin> Task<F> {
        /// A future after its first poll.
        pub(crate) fn spawned(future: F) -> Self {
            let mut task = Self { future, wakes: Wakes::new(), seen: 0, output: None };
            task.poll();
            task
        }

        fn poll(&mut self) {
            if let Poll::Ready(output) = poll(&mut self.future, &self.wakes.waker()) {
                self.output = Some(output);
            }
        }

        /// Does what an executor would: polls while it is woken.
        pub(crate) fn run(&mut self) {
            while self.output.is_none() && self.wakes.count() > self.seen {
                self.seen = self.wakes.count();
                self.poll();
            }
        }

        pub(crate) fn still_waits(&mut self) -> bool {
            self.run();
            self.output.is_none()
        }

        #[track_caller]
        pub(crate) fn output(mut self) -> F::Output {
            self.run();
            self.output.expect("it is over, and was woken for it")
        }
    }

    impl World for Tasks {
        type Waiting = Task<Wait>;

        fn queue(limiter: &Limiter, wait: Wait) -> Self::Waiting {
            let before = limiter.tokens();
            let mut task = Task::spawned(wait);
            assert!(task.still_waits(), "it has to wait");
            assert!(limiter.tokens() < before || limiter.quota().rate().is_infinite());
            task
        }

        fn still_waits(waiting: &mut Self::Waiting) -> bool {
            waiting.still_waits()
        }

        fn outcome(waiting: Self::Waiting) -> Outcome {
            waiting.output()
        }

        fn at_once(wait: Wait) -> Outcome {
            Task::spawned(wait).output()
        }
    }
}
