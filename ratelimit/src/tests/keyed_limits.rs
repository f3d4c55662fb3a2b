//! What a limiter by key keeps from its users: promises, places and locks.

use crate::clock::Manual;
use crate::{Inherit, Keyed, Policy, Quota};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;
#[cfg(feature = "async")]
use {
    crate::KeyedAcquire,
    std::future::Future,
    std::pin::Pin,
    std::task::{Context, Poll, Waker},
};

type Seeded = BuildHasherDefault<DefaultHasher>;
type Limiter = Keyed<u32, Manual, Seeded>;
#[cfg(feature = "async")]
type Wait<'a> = KeyedAcquire<&'a Limiter, u32, Manual, Seeded>;

const SEC: Duration = Duration::from_secs(1);

fn keyed(quota: Quota, capacity: usize, policy: Policy) -> (Manual, Limiter) {
    let clock = Manual::new();
    clock.advance(SEC);
    let builder = Keyed::builder(quota).capacity(capacity).policy(policy);
    (clock.clone(), builder.clock(clock).hasher(Seeded::default()).build().unwrap())
}

#[cfg(feature = "async")]
fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

#[cfg(feature = "async")]
fn queued(limiter: &Limiter, key: u32, n: u32) -> Wait<'_> {
    let mut wait = limiter.acquire(key, n);
    assert!(poll(&mut wait).is_pending());
    wait
}

#[cfg(feature = "async")]
#[test]
fn a_wait_gives_back_what_nobody_behind_it_was_promised() {
    let (clock, limiter) = keyed(Quota::every(SEC), 100, Policy::DenyNew);
    assert!(limiter.try_acquire(&1, 1).is_ok());
    let (first, second, third) =
        (queued(&limiter, 1, 1), queued(&limiter, 1, 1), queued(&limiter, 1, 1));
    drop(first);
    assert_eq!(limiter.tokens(&1), -3.0);
    drop(third);
    assert_eq!(limiter.tokens(&1), -2.0);
    drop(second);
    assert_eq!(limiter.tokens(&1), -1.0);
    // One whose moment has passed has used its tokens, whether it was polled or not.
    let late = queued(&limiter, 1, 1);
    clock.advance(2 * SEC + Duration::from_nanos(1));
    drop(late);
    assert!(limiter.tokens(&1) < 0.001);
}

#[cfg(feature = "async")]
#[test]
fn a_key_that_starts_anew_gets_nothing_back_from_before() {
    let (_, limiter) = keyed(Quota::every(SEC), 100, Policy::DenyNew);
    assert!(limiter.try_acquire(&1, 1).is_ok());
    let before = queued(&limiter, 1, 1);
    assert!(limiter.reset(&1));
    assert!(limiter.try_acquire(&1, 1).is_ok());
    let mut after = queued(&limiter, 1, 1);
    assert_eq!(limiter.tokens(&1), -1.0);
    drop(before);
    assert_eq!(limiter.tokens(&1), -1.0);
    assert!(poll(&mut after).is_pending());
}

#[test]
fn those_without_a_place_share_a_bucket() {
    let (clock, limiter) = keyed(Quota::per_second(1).burst(10), 8, Policy::SharedOverflow);
    assert!((0..8).all(|key| limiter.try_acquire(&key, 10).is_ok()));
    assert!((100..104).all(|key| limiter.try_acquire(&key, 2).is_ok()));
    assert!(limiter.try_acquire(&104, 3).is_err());
    assert!(limiter.try_acquire(&100, 2).is_ok());
    let denied = limiter.try_acquire(&105, 1).unwrap_err();
    assert_eq!((denied.reason(), denied.retry_after()), (crate::DeniedReason::NotYet, Some(SEC)));
    assert!((0..8).all(|key| limiter.tokens(&key) == 0.0));
    // A place becomes free: the first that gets it does not have more than the bucket it shared.
    clock.advance(4 * SEC);
    assert!(limiter.reset(&3));
    assert!(limiter.try_acquire(&100, 5).is_err());
    assert_eq!((limiter.len(), limiter.tokens(&100)), (8, 4.0));
    assert!(limiter.try_acquire(&100, 4).is_ok());
    // And what it takes from now on is its own.
    assert!(limiter.try_acquire(&101, 4).is_ok());
}

/// Whatever is swept, dropped or full again: who is promised tokens is not forgotten.
#[cfg(feature = "async")]
#[test]
fn whoever_is_promised_tokens_is_never_dropped() {
    let (_, limiter) = keyed(Quota::every(SEC), 8, Policy::EvictFullest);
    assert!((0..8).all(|key| limiter.try_acquire(&key, 1).is_ok()));
    let waits: Vec<_> = (0..8).map(|key| queued(&limiter, key, 1)).collect();
    assert!((10..100).all(|key| limiter.try_acquire(&key, 1).is_err()));
    assert!((0..8).all(|key| limiter.tokens(&key) == -1.0));
    drop(waits);
    assert!((10..100).all(|key| limiter.try_acquire(&key, 1).is_ok()));
}

/// A quota of a key's own is taken away, and the bucket is full and gone before the one who waited
/// looks: he would not know when it was his turn. So it is not gone before.
#[cfg(feature = "async")]
#[test]
fn a_line_of_its_own_lasts_as_long_as_somebody_waits() {
    let (clock, limiter) = keyed(Quota::every(3600 * SEC), 8, Policy::DenyNew);
    limiter.set_override(1, Quota::every(SEC));
    assert!(limiter.try_acquire(&1, 1).is_ok());
    clock.advance(100 * SEC);
    assert!(limiter.try_acquire(&1, 1).is_ok());
    let mut wait = queued(&limiter, 1, 1);
    clock.advance(2 * SEC);
    assert!(limiter.remove_override(&1));
    limiter.sweep();
    assert_eq!(limiter.len(), 1);
    assert!(poll(&mut wait).is_ready());
    limiter.sweep();
    assert_eq!(limiter.len(), 0);
}

/// Uses the limiter while it is cloned and dropped, once there is one.
#[derive(PartialEq, Eq, Hash)]
struct Reentrant(u32);

static LIMITER: OnceLock<Keyed<Reentrant, Manual, Seeded>> = OnceLock::new();
static USED: AtomicBool = AtomicBool::new(false);

fn reenter() {
    if let Some(limiter) = LIMITER.get() {
        assert!(limiter.len() <= limiter.capacity());
        // ORDERING: Relaxed: one thread uses it.
        USED.store(true, Ordering::Relaxed);
    }
}

impl Clone for Reentrant {
    fn clone(&self) -> Self {
        reenter();
        Self(self.0)
    }
}

impl Drop for Reentrant {
    fn drop(&mut self) {
        reenter();
    }
}

#[test]
fn keys_are_cloned_and_dropped_outside_the_lock() {
    let (done, finished) = mpsc::channel();
    std::thread::spawn(move || {
        let clock = Manual::new();
        let limiter = LIMITER.get_or_init(|| {
            let builder = Keyed::builder(Quota::every(SEC)).capacity(8).clock(clock.clone());
            builder.policy(Policy::EvictFullest).hasher(Seeded::default()).build().unwrap()
        });
        for key in 0..100 {
            assert!(limiter.try_acquire(&Reentrant(key), 1).is_ok());
        }
        clock.advance(SEC);
        for key in 0..30 {
            assert!(limiter.try_acquire(&Reentrant(key), 1).is_ok());
        }
        assert!(limiter.reset(&Reentrant(29)));
        limiter.set_override(Reentrant(28), Quota::every(2 * SEC));
        limiter.set_override(Reentrant(28), Quota::every(SEC));
        assert!(limiter.remove_override(&Reentrant(28)));
        limiter.set_quota(Quota::every(3 * SEC), Inherit::AsIs);
        clock.advance(3 * SEC);
        limiter.sweep();
        assert!(limiter.is_empty());
        let _ = limiter.try_acquire(&Reentrant(0), 1);
        limiter.set_quota(Quota::INF, Inherit::AsIs);
        // ORDERING: Relaxed, as above.
        assert!(USED.load(Ordering::Relaxed));
        done.send(()).unwrap();
    });
    let in_time = finished.recv_timeout(Duration::from_secs(60));
    assert!(in_time.is_ok(), "it waits for itself, or failed");
}

/// The clock steps back by as much as a bucket takes to fill. What is granted then is not yet paid
/// for by the time that somebody saw before, so nobody makes room whom that time calls full.
#[test]
fn who_is_full_is_judged_by_the_time_of_whoever_asks() {
    let (clock, limiter) = keyed(Quota::every(SEC), 8, Policy::DenyNew);
    let start = crate::clock::Clock::now(&clock);
    assert!((0..5).all(|key| limiter.try_acquire(&key, 1).is_ok()));
    clock.advance(2 * SEC);
    // The sweep comes with every fourth, so nobody is dropped yet.
    assert!(limiter.try_acquire(&5, 1).is_ok());
    assert_eq!(limiter.len(), 6);
    clock.set(start + SEC);
    assert!((0..5).all(|key| limiter.try_acquire(&key, 1).is_ok()));
    limiter.sweep();
    assert_eq!(limiter.len(), 6);
    let newcomers = (10..50).filter(|key| limiter.try_acquire(key, 1).is_ok());
    assert_eq!(newcomers.count(), 2);
    assert!((0..5).all(|key| limiter.try_acquire(&key, 1).is_err()));
}
