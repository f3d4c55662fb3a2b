//! Waits: every change of the limiter, and the clock, reach those who come to wait.

use crate::clock::Manual;
use crate::primitives::future::block_on;
use crate::primitives::{Arc, Explore, explore, thread};
use crate::{AcquireError, AcquireOwned, Quota, Rate, RateLimiter};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// With an empty bucket; a token in a second.
fn empty() -> (Arc<RateLimiter<Manual>>, Manual) {
    let clock = Manual::new();
    let limiter = RateLimiter::with_clock(Quota::every(SECOND), clock.clone());
    assert!(limiter.try_acquire(1).is_ok());
    (Arc::new(limiter), clock)
}

/// One comes to wait while the limit goes: he is told, or finds it gone.
#[test]
fn wait_meets_a_change() {
    explore(Explore::All, || {
        let (limiter, _) = empty();
        let changer = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.set_rate(Rate::INF))
        };
        assert_eq!(block_on(limiter.acquire(1)), Ok(Duration::ZERO));
        changer.join().unwrap();
        assert!(limiter.core.nobody_waits());
    });
}

/// One comes to wait while the limiter is closed.
#[test]
fn wait_meets_close() {
    explore(Explore::All, || {
        let (limiter, clock) = empty();
        let closer = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.close())
        };
        assert_eq!(block_on(limiter.acquire(1)), Err(AcquireError::Closed));
        closer.join().unwrap();
        assert!(limiter.core.nobody_waits());
        assert_eq!(clock.sleepers(), 0);
    });
}

/// One comes to wait while tokens are put back: they are his.
#[test]
fn wait_meets_a_refund() {
    explore(Explore::All, || {
        let (limiter, _) = empty();
        let refunder = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.refund(1))
        };
        assert_eq!(block_on(limiter.acquire(1)), Ok(Duration::ZERO));
        refunder.join().unwrap();
        assert!(limiter.try_acquire(1).is_err());
    });
}

/// One sets his alarm while the clock comes to its moment.
#[test]
fn wait_meets_the_clock() {
    explore(Explore::All, || {
        let (limiter, clock) = empty();
        let mover = {
            let clock = clock.clone();
            thread::spawn(move || clock.advance(SECOND))
        };
        let waited = block_on(limiter.acquire(1)).unwrap();
        assert!(waited == SECOND || waited.is_zero());
        mover.join().unwrap();
        assert_eq!(clock.sleepers(), 0);
    });
}

/// A thread waits: the same state machine, driven by parking.
#[cfg(feature = "sync")]
#[test]
fn thread_that_waits_meets_a_change() {
    explore(Explore::All, || {
        let (limiter, _) = empty();
        let changer = {
            let limiter = Arc::clone(&limiter);
            thread::spawn(move || limiter.set_rate(Rate::INF))
        };
        assert_eq!(limiter.acquire(1).wait(), Ok(Duration::ZERO));
        changer.join().unwrap();
        assert!(limiter.core.nobody_waits());
    });
}

/// A wait is dropped while the limiter changes: its place is given back and nobody is registered.
#[test]
fn dropped_wait_meets_a_change() {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Waker};
    explore(Explore::All, || {
        let (limiter, clock) = empty();
        let mut wait = limiter.acquire_owned(1);
        let poll = |wait: &mut AcquireOwned<Manual>| {
            let polled = Pin::new(wait).poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
        };
        poll(&mut wait);
        let dropper = thread::spawn(move || {
            poll(&mut wait);
            drop(wait);
        });
        limiter.set_rate(Rate::every(2 * SECOND));
        dropper.join().unwrap();
        assert!(limiter.core.nobody_waits());
        clock.advance(2 * SECOND);
        assert!(limiter.try_acquire(1).is_ok());
    });
}
