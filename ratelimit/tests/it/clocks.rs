//! Clocks that follow real time, late or in steps, and tokio's, which tests can pause.
#![cfg_attr(
    not(feature = "async"),
    allow(unused_imports, reason = "some tests are for one world only")
)]

use crate::support::{ms, secs, until};
use lockgate_ratelimit::clock::{Cached, Clock, Monotonic, Timer, Timestamp};
use lockgate_ratelimit::{Quota, RateLimiter};
use std::time::Duration;

#[test]
fn a_cached_clock_stands_still_until_it_is_refreshed() {
    let clock = Cached::by_hand(ms(1));
    let before = clock.now();
    until("real time goes on", || Monotonic::new().now() > before);
    assert_eq!(clock.now(), before);
    clock.refresh();
    assert!(clock.now() > before);
    assert!(clock.now() <= Monotonic::new().now(), "it is never early");
}

#[test]
fn a_cached_clock_is_refreshed_by_its_thread() {
    let clock = Cached::with_thread(ms(1)).unwrap();
    let before = clock.now();
    until("its thread has run", || clock.now() > before);
}

/// Else whoever waits would find it as it was, and sleep for nothing again and again.
#[test]
fn a_wait_by_a_cached_clock_sleeps_until_it_is_refreshed() {
    let clock = Cached::by_hand(secs(5));
    let at = clock.now() + ms(1);
    let woken = clock.instant(at).unwrap();
    assert!(Timestamp::from(woken) >= at + secs(5));
}

#[cfg(feature = "sync")]
#[test]
fn threads_wait_by_every_clock_that_follows_real_time() {
    fn run<C: Timer>(clock: C) {
        let limiter = RateLimiter::with_clock(Quota::per_second(1000).burst(1), clock);
        let start = limiter.clock().now();
        for _ in 0..3 {
            limiter.acquire(1).wait().unwrap();
        }
        assert!(limiter.clock().now() >= start + ms(2));
    }
    run(Monotonic::new());
    run(Cached::with_thread(ms(1)).unwrap());
    #[cfg(feature = "quanta")]
    run(lockgate_ratelimit::clock::Tsc::new());
}

#[cfg(feature = "quanta")]
#[test]
fn the_counter_goes_with_real_time() {
    let clock = lockgate_ratelimit::clock::Tsc::new();
    let (real, counted) = (Monotonic::new().now(), clock.now());
    until("some time has passed", || Monotonic::new().now() > real + ms(20));
    let (real, counted) = (
        Monotonic::new().now().saturating_duration_since(real),
        clock.now().saturating_duration_since(counted),
    );
    assert!(counted > real / 2 && counted < real * 2, "{counted:?} in {real:?}");
}

#[cfg(feature = "async")]
mod tasks {
    use super::*;
    use lockgate_ratelimit::clock::Tokio;
    use std::future::Future;
    use std::pin::pin;

    /// Polls until it is over, and says how often.
    async fn polls<F: Future>(future: F) -> (u32, F::Output) {
        let mut future = pin!(future);
        let mut polls = 0;
        let output = std::future::poll_fn(|cx| {
            polls += 1;
            future.as_mut().poll(cx)
        });
        let output = output.await;
        (polls, output)
    }

    #[tokio::test(start_paused = true)]
    async fn paused_time_goes_on_to_the_moment() {
        let limiter = RateLimiter::with_clock(Quota::every(secs(3600)), Tokio::new());
        let start = tokio::time::Instant::now();
        for _ in 0..100 {
            limiter.acquire(1).await.unwrap();
        }
        assert_eq!(start.elapsed(), secs(99 * 3600));
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_by_paused_time_is_polled_twice() {
        let limiter = RateLimiter::with_clock(Quota::every(secs(60)), Tokio::new());
        assert_eq!(polls(limiter.acquire(1)).await, (1, Ok(Duration::ZERO)));
        assert_eq!(polls(limiter.acquire(1)).await, (2, Ok(secs(60))));
    }

    /// tokio's paused time runs ahead at once, and the default clock does not: a limiter that asked
    /// the runtime again and again would be polled thousands of times (5 548 in 50 ms were counted
    /// of one).
    #[tokio::test(start_paused = true)]
    async fn real_time_beside_paused_time_does_not_spin() {
        let limiter = RateLimiter::new(Quota::every(ms(500)));
        limiter.acquire(1).await.unwrap();
        let (polls, outcome) = polls(limiter.acquire(1)).await;
        assert!(outcome.unwrap() > Duration::ZERO);
        assert!(polls <= 6, "{polls} polls");
    }

    #[tokio::test]
    async fn a_task_refreshes_a_cached_clock() {
        let clock = Cached::with_task(ms(1));
        let before = clock.now();
        while clock.now() == before {
            tokio::task::yield_now().await;
        }
        let limiter = RateLimiter::with_clock(Quota::per_second(1000).burst(1), clock);
        for _ in 0..3 {
            limiter.acquire(1).await.unwrap();
        }
    }

    /// Without a runtime, a thread of the crate's own keeps the time.
    #[test]
    fn any_executor_will_do() {
        let limiter = RateLimiter::new(Quota::per_second(1000).burst(1));
        futures::executor::block_on(async {
            for _ in 0..3 {
                limiter.acquire(1).await.unwrap();
            }
        });
    }
}
