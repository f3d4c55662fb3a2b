//! A clock that stands still until it is moved.

use super::{Clock, Timer, Timestamp};
use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::primitives::{Arc, Mutex};
use crate::waiters::{WakeBatch, WakePanic};
use std::collections::BTreeMap;
use std::future::Future;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

/// A clock for tests: it stands still until it is moved, and then wakes the threads and the tasks
/// whose moment has come.
///
/// Clones are the same clock.
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::{Quota, RateLimiter, clock::Manual};
/// # use std::time::Duration;
/// let clock = Manual::new();
/// let limiter = RateLimiter::with_clock(Quota::per_second(1), clock.clone());
/// assert!(limiter.try_acquire(1).is_ok());
/// assert!(limiter.try_acquire(1).is_err());
/// clock.advance(Duration::from_secs(1));
/// assert!(limiter.try_acquire(1).is_ok());
/// ```
#[derive(Clone, Debug, Default)]
pub struct Manual(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    now: AtomicU64,
    sleepers: Mutex<Sleepers>,
}

impl Default for Shared {
    fn default() -> Self {
        Self { now: AtomicU64::new(0), sleepers: Mutex::new(Sleepers::default()) }
    }
}

#[derive(Debug, Default)]
struct Sleepers {
    /// The first is due first; the second number only tells apart.
    alarms: BTreeMap<(u64, u64), Waker>,
    next: u64,
}

// Wakers are called, cloned and dropped outside the lock: a panic of one leaves nothing half done.
impl UnwindSafe for Shared {}
impl RefUnwindSafe for Shared {}

impl Manual {
    /// A clock that stands at [`Timestamp::default`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Moves it forward, and wakes whoever waits for a moment up to the new one.
    pub fn advance(&self, by: Duration) {
        let now = self.now() + by;
        self.set(now);
    }

    /// Moves it, forward or back, and wakes whoever waits for a moment up to the new one.
    pub fn set(&self, now: Timestamp) {
        let mut due = WakeBatch::default();
        {
            let mut sleepers = self.0.sleepers.lock();
            // ORDERING: Release, for whoever reads the clock by itself; who registers does so
            // under the lock.
            self.0.now.store(now.as_nanos(), Ordering::Release);
            while let Some(first) = sleepers.alarms.first_entry() {
                if first.key().0 > now.as_nanos() {
                    break;
                }
                due.push(first.remove());
            }
        }
        let mut panic = WakePanic::default();
        due.wake_all(&mut panic);
        panic.resume();
    }

    /// How many wait for a moment to come.
    #[must_use]
    pub fn sleepers(&self) -> usize {
        self.0.sleepers.lock().alarms.len()
    }

    /// The first moment that somebody waits for.
    #[must_use]
    pub fn next_alarm(&self) -> Option<Timestamp> {
        let sleepers = self.0.sleepers.lock();
        sleepers.alarms.first_key_value().map(|((at, _), _)| Timestamp::from_nanos(*at))
    }
}

impl Clock for Manual {
    fn now(&self) -> Timestamp {
        // ORDERING: Acquire pairs with the Release in `set`.
        Timestamp::from_nanos(self.0.now.load(Ordering::Acquire))
    }
}

impl Timer for Manual {
    type Sleep = ManualSleep;

    fn sleep_until(&self, at: Timestamp) -> ManualSleep {
        ManualSleep { clock: self.clone(), at: at.as_nanos(), key: None }
    }

    fn instant(&self, _: Timestamp) -> Option<Instant> {
        None
    }
}

/// A wait for a moment of a [`Manual`] clock.
#[derive(Debug)]
#[must_use = "a wait does nothing unless it is polled"]
pub struct ManualSleep {
    clock: Manual,
    at: u64,
    key: Option<(u64, u64)>,
}

impl Future for ManualSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let waker = cx.waker().clone();
        let old;
        {
            let mut sleepers = this.clock.0.sleepers.lock();
            // ORDERING: Relaxed: it is written under the lock.
            if this.clock.0.now.load(Ordering::Relaxed) >= this.at {
                old = this.key.take().and_then(|key| sleepers.alarms.remove(&key));
                drop(sleepers);
                drop(old);
                return Poll::Ready(());
            }
            let key = *this.key.get_or_insert_with(|| {
                sleepers.next += 1;
                (this.at, sleepers.next)
            });
            old = sleepers.alarms.insert(key, waker);
        }
        drop(old);
        Poll::Pending
    }
}

impl Drop for ManualSleep {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let waker = self.clock.0.sleepers.lock().alarms.remove(&key);
            drop(waker);
        }
    }
}
