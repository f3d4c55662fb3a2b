//! Go's `Sometimes`: what is done the first few times, every so often, or after a while.

use crate::clock::{Clock, Monotonic, Timestamp};
use crate::primitives::Mutex;
use std::fmt;
use std::time::Duration;

/// Runs something now and then: the first few times, every so many times, or when a while has
/// passed. For log lines and metrics in hot loops.
///
/// A call runs if any of the three says so, and the first call always runs. The interval counts from
/// the end of the last run.
///
/// What runs is not under a lock, so it may come back here. While one thread runs it, another may
/// run it too if its own call says so; only the interval is not over before the end of a run.
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::Sometimes;
/// # use std::time::Duration;
/// let log = Sometimes::new().first(3).every(1_000).interval(Duration::from_secs(10));
/// let mut lines = 0;
/// for _ in 0..2_000 {
///     log.run(|| lines += 1);
/// }
/// assert_eq!(lines, 4); // three, and the 1 001st
/// ```
pub struct Sometimes<C = Monotonic> {
    first: u64,
    /// 0: never by count.
    every: u64,
    /// `None`: never by time.
    interval: Option<Duration>,
    clock: C,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    calls: u64,
    last: Timestamp,
    /// Runs by the interval's word that are not over.
    running: bool,
}

impl Sometimes {
    /// Runs the first time and never again, unless it is told more.
    #[must_use]
    pub fn new() -> Self {
        Self::with_clock(Monotonic::new())
    }
}

impl Default for Sometimes {
    fn default() -> Self {
        Self::new()
    }
}

impl<C: Clock> Sometimes<C> {
    /// The same, by a clock of the caller's.
    #[must_use]
    pub fn with_clock(clock: C) -> Self {
        let state = State { calls: 0, last: Timestamp::default(), running: false };
        Self { first: 0, every: 0, interval: None, clock, state: Mutex::new(state) }
    }

    /// The first `n` calls run.
    #[must_use]
    pub fn first(mut self, n: u64) -> Self {
        self.first = n;
        self
    }

    /// One call in `n` runs, beginning with the first; 0 is never.
    #[must_use]
    pub fn every(mut self, n: u64) -> Self {
        self.every = n;
        self
    }

    /// A call runs when so much time has passed since the last run. Zero is always.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Runs `f`, or not. The clock is read only if the interval decides, and after a run if there is
    /// one.
    ///
    /// # Panics
    ///
    /// If `f` does. It counts as a run.
    pub fn run<R>(&self, f: impl FnOnce() -> R) -> Option<R> {
        if !self.begin() {
            return None;
        }
        // Also if `f` panics: the next interval begins when it is over.
        let _end = End(self);
        Some(f())
    }

    fn begin(&self) -> bool {
        let mut state = self.state.lock();
        let nth = state.calls;
        state.calls = nth.saturating_add(1);
        let by_count = nth == 0 || nth < self.first || (self.every > 0 && nth % self.every == 0);
        let runs = by_count
            || self.interval.is_some_and(|interval| {
                !state.running && self.clock.now().saturating_duration_since(state.last) >= interval
            });
        state.running |= runs;
        runs
    }
}

struct End<'a, C: Clock>(&'a Sometimes<C>);

impl<C: Clock> Drop for End<'_, C> {
    fn drop(&mut self) {
        let Sometimes { interval, clock, state, .. } = self.0;
        let now = interval.map(|_| clock.now());
        let mut state = state.lock();
        state.running = false;
        if let Some(now) = now {
            state.last = now;
        }
    }
}

impl<C> fmt::Debug for Sometimes<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sometimes")
            .field("first", &self.first)
            .field("every", &self.every)
            .field("interval", &self.interval)
            .finish_non_exhaustive()
    }
}
