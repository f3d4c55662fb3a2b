//! Keys that come, are dropped, are used, and are waited for, all at once.

use crate::clock::{Clock, Timer, Timestamp};
use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::primitives::{Arc, Explore, explore, thread};
use crate::{AcquireError, Inherit, Keyed, KeyedAcquireOwned, Policy, Quota};
use std::future::{Future, Pending, pending};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

type Limiter<K> = Keyed<K, Hand, BuildHasherDefault<DefaultHasher>>;

/// A clock that a thread of the model moves. Nobody is woken by it.
#[derive(Clone)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn set(&self, now: u64) {
        // ORDERING: Relaxed: a clock publishes nothing.
        self.0.store(now, Ordering::Relaxed);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        // ORDERING: Relaxed: any value will do, an old one too.
        Timestamp::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

impl Timer for Hand {
    type Sleep = Pending<()>;

    fn sleep_until(&self, _: Timestamp) -> Self::Sleep {
        pending()
    }

    fn instant(&self, _: Timestamp) -> Option<Instant> {
        None
    }
}

/// Eight places for keys that get a token in ten nanoseconds and hold one. It is 100 o'clock.
fn limiter<K>(policy: Policy) -> (Hand, Arc<Limiter<K>>) {
    let hand = Hand(Arc::new(AtomicU64::new(100)));
    let quota = Quota::every(Duration::from_nanos(10));
    let builder = Keyed::builder(quota).capacity(8).policy(policy).clock(hand.clone());
    let limiter = builder.hasher(BuildHasherDefault::default()).build().unwrap();
    assert_eq!(limiter.capacity(), 8);
    (hand, Arc::new(limiter))
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn queued(
    limiter: &Arc<Limiter<u32>>,
    key: u32,
) -> KeyedAcquireOwned<u32, Hand, BuildHasherDefault<DefaultHasher>> {
    let mut wait = limiter.acquire_owned(key, 1);
    assert!(poll(&mut wait).is_pending());
    wait
}

/// Two bring the same new key, and both find that it is not there before they copy it: it gets one
/// bucket, and one of them its token.
#[test]
fn two_bring_the_same_new_key() {
    explore(Explore::All, || {
        let (_, limiter) = limiter::<Box<u32>>(Policy::DenyNew);
        let other = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.try_acquire(&Box::new(7), 1).is_ok())
        };
        let one = limiter.try_acquire(&Box::new(7), 1).is_ok();
        assert_ne!(one, other.join().unwrap());
        assert_eq!(limiter.len(), 1);
    });
}

/// A key is dropped because it is full, while somebody who read the clock before asks for it: it
/// comes back as it was when it was dropped, and not as it was by the old time, by which it would
/// be full once more too early.
#[test]
fn a_key_is_dropped_while_a_late_one_asks_for_it() {
    explore(Explore::All, || {
        let (hand, limiter) = limiter::<u32>(Policy::DenyNew);
        assert!((0..8).all(|key| limiter.try_acquire(&key, 1).is_ok()));
        let late = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.try_acquire(&7, 1).is_ok())
        };
        hand.set(110);
        // All eight are full by now.
        limiter.sweep();
        let late = late.join().unwrap();
        let then = limiter.try_acquire(&7, 1).is_ok();
        // One token came since 100 o'clock.
        assert_ne!(late, then);
    });
}

/// A new key needs a place while the only key that could be dropped is promised a token.
#[test]
fn a_key_is_dropped_while_it_is_promised_a_token() {
    explore(Explore::All, || {
        let (_, limiter) = limiter::<u32>(Policy::EvictFullest);
        assert!((0..8).all(|key| limiter.try_acquire(&key, 1).is_ok()));
        let waits: Vec<_> = (0..7).map(|key| queued(&limiter, key)).collect();
        let newcomer = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.try_acquire(&9, 1).is_ok())
        };
        let mut wait = limiter.acquire(7, 1);
        match poll(&mut wait) {
            // It was there, and stays there.
            Poll::Pending => {
                assert!(!newcomer.join().unwrap());
                assert_eq!(limiter.tokens(&7), -1.0);
            }
            // It was dropped for the other and took that one's place: both owe nothing.
            Poll::Ready(outcome) => {
                assert_eq!(outcome, Ok(Duration::ZERO));
                assert!(newcomer.join().unwrap());
                assert_eq!(limiter.tokens(&7), 0.0);
            }
        }
        assert!((0..7).all(|key| limiter.tokens(&key) == -1.0));
        drop(wait);
        drop(waits);
        assert!((0..7).all(|key| limiter.tokens(&key) == 0.0));
        assert_eq!(limiter.len(), 8);
    });
}

/// The quota changes while a wait begins: it is judged by the new one, or told of it.
#[test]
fn the_quota_changes_while_a_wait_begins() {
    explore(Explore::All, || {
        let (_, limiter) = limiter::<u32>(Policy::DenyNew);
        assert!(limiter.try_acquire(&1, 1).is_ok());
        let changer = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.set_quota(Quota::INF, Inherit::AsIs))
        };
        assert_eq!(limiter.acquire(1, 1).wait(), Ok(Duration::ZERO));
        changer.join().unwrap();
    });
}

/// The same for a quota of the key's own.
#[test]
fn an_override_comes_while_a_wait_begins() {
    explore(Explore::All, || {
        let (_, limiter) = limiter::<u32>(Policy::DenyNew);
        assert!(limiter.try_acquire(&1, 1).is_ok());
        let changer = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.set_override(1, Quota::INF))
        };
        assert_eq!(limiter.acquire(1, 1).wait(), Ok(Duration::ZERO));
        changer.join().unwrap();
    });
}

/// It is closed while a wait begins, which then fails.
#[test]
fn close_meets_a_wait() {
    explore(Explore::All, || {
        let (_, limiter) = limiter::<u32>(Policy::DenyNew);
        assert!(limiter.try_acquire(&1, 1).is_ok());
        let closer = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.close())
        };
        assert_eq!(limiter.acquire(1, 1).wait(), Err(AcquireError::Closed));
        closer.join().unwrap();
    });
}

/// A wait is dropped while the quota changes: its token comes back once, in either unit.
#[test]
fn a_wait_is_dropped_while_the_quota_changes() {
    explore(Explore::All, || {
        let (_, limiter) = limiter::<u32>(Policy::DenyNew);
        assert!(limiter.try_acquire(&1, 1).is_ok());
        let wait = queued(&limiter, 1);
        assert_eq!(limiter.tokens(&1), -1.0);
        let changer = {
            let limiter = Arc::clone(&limiter);
            let slow = Quota::every(Duration::from_nanos(1000));
            thread::spawn(move || limiter.set_quota(slow, Inherit::AsIs))
        };
        drop(wait);
        changer.join().unwrap();
        assert_eq!(limiter.tokens(&1), 0.0);
        // Nobody is in line any more, and a wait that comes is served.
        limiter.set_quota(Quota::INF, Inherit::AsIs);
        assert!(poll(&mut limiter.acquire(1, 1)).is_ready());
    });
}
