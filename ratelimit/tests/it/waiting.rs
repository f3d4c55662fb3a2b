//! Who waits, how long, and in which order.
#![cfg(any(feature = "sync", feature = "async"))]

use crate::support::{World, at_ms, in_both_worlds, limiter, ms, quota, secs};
use lockgate_ratelimit::{AcquireError, Quota, Rate};
use std::time::Duration;

in_both_worlds![
    what_is_there_is_given_without_a_timer,
    everybody_is_served_in_order_of_arrival,
    a_large_request_among_small_ones_is_not_starved,
    nobody_overtakes_who_waits,
    a_deadline_that_cannot_be_met_fails_at_once_and_takes_nothing,
    a_deadline_that_can_be_met_to_the_nanosecond_is_met,
    a_deadline_bounds_the_waiting_and_not_the_asking,
    what_can_never_be_granted_fails_at_once,
    a_wait_where_nothing_is_supplied_waits_for_better_times,
    a_closed_limiter_refuses,
    a_wait_says_how_long_it_took,
    a_clock_that_steps_back_makes_waits_longer,
];

fn what_is_there_is_given_without_a_timer<W: World>() {
    let (limiter, clock) = limiter(quota(10, 3));
    assert_eq!(W::at_once(limiter.acquire_owned(2)), Ok(Duration::ZERO));
    assert_eq!(W::at_once(limiter.acquire_owned(0)), Ok(Duration::ZERO));
    assert_eq!((limiter.tokens(), clock.sleepers()), (1.0, 0));
}

/// One every millisecond, and always the one who came first.
fn everybody_is_served_in_order_of_arrival<W: World>() {
    let (limiter, clock) = limiter(quota(1000, 1).initial(0));
    let mut line: Vec<_> = (0..24).map(|_| W::queue(&limiter, limiter.acquire_owned(1))).collect();
    for turn in 1..=24 {
        clock.set(at_ms(turn));
        let first = line.remove(0);
        assert_eq!(W::outcome(first), Ok(ms(turn)));
        assert!(line.iter_mut().all(W::still_waits));
    }
}

/// governor's `until_n_ready(100)` beside eight loops of `until_ready`: one grant in 3 s.
fn a_large_request_among_small_ones_is_not_starved<W: World>() {
    let (limiter, clock) = limiter(quota(100, 100).initial(0));
    let mut small: Vec<_> = (0..8).map(|_| W::queue(&limiter, limiter.acquire_owned(1))).collect();
    let mut large = W::queue(&limiter, limiter.acquire_owned(100));
    for turn in 1..108 {
        clock.set(at_ms(10 * turn));
        if turn <= 8 {
            // Whoever is served comes again, behind the large one.
            assert_eq!(W::outcome(small.remove(0)), Ok(ms(10 * turn)));
            small.push(W::queue(&limiter, limiter.acquire_owned(1)));
        }
        assert!(W::still_waits(&mut large), "after {turn}");
        assert!(small.iter_mut().all(W::still_waits));
    }
    clock.set(at_ms(1080));
    assert_eq!(W::outcome(large), Ok(ms(1080)));
    for (index, waiting) in small.into_iter().enumerate() {
        clock.set(at_ms(1090 + 10 * index as u64));
        assert_eq!(W::outcome(waiting), Ok(ms(1080)));
    }
}

fn nobody_overtakes_who_waits<W: World>() {
    let (limiter, clock) = limiter(quota(10, 10).initial(4));
    let waiting = W::queue(&limiter, limiter.acquire_owned(10));
    for _ in 0..5 {
        clock.advance(ms(100));
        assert!(limiter.try_acquire(1).is_err());
        assert_eq!(limiter.try_up_to(1), 0);
    }
    clock.advance(ms(100));
    assert_eq!(W::outcome(waiting), Ok(ms(600)));
}

fn a_deadline_that_cannot_be_met_fails_at_once_and_takes_nothing<W: World>() {
    let (limiter, clock) = limiter(quota(10, 5).initial(1));
    let wait = Some(ms(200));
    for max in [Duration::ZERO, ms(1), ms(200) - Duration::from_nanos(1)] {
        let outcome = W::at_once(limiter.acquire_owned(3).within(max));
        assert_eq!(outcome, Err(AcquireError::TooLong { wait }));
        let outcome = W::at_once(limiter.acquire_owned(3).by(at_ms(0) + max));
        assert_eq!(outcome, Err(AcquireError::TooLong { wait }));
    }
    assert_eq!((limiter.tokens(), clock.sleepers()), (1.0, 0));
}

fn a_deadline_that_can_be_met_to_the_nanosecond_is_met<W: World>() {
    let (limiter, clock) = limiter(quota(10, 5).initial(1));
    let within = W::queue(&limiter, limiter.acquire_owned(3).within(ms(200)));
    let by = W::queue(&limiter, limiter.acquire_owned(1).by(at_ms(300)));
    clock.set(at_ms(200));
    assert_eq!(W::outcome(within), Ok(ms(200)));
    clock.set(at_ms(300));
    assert_eq!(W::outcome(by), Ok(ms(300)));
}

/// A deadline says how long the caller would wait. Where there is nothing to wait for, it is not
/// looked at: a time-out of zero is `try_acquire`.
fn a_deadline_bounds_the_waiting_and_not_the_asking<W: World>() {
    let (limiter, clock) = limiter(quota(10, 5));
    clock.set(at_ms(1_000));
    assert_eq!(W::at_once(limiter.acquire_owned(1).within(Duration::ZERO)), Ok(Duration::ZERO));
    assert_eq!(W::at_once(limiter.acquire_owned(1).by(at_ms(1))), Ok(Duration::ZERO));
    // Counted from when it was made, not from the first poll.
    limiter.drain();
    let wait = limiter.acquire_owned(1).within(ms(150));
    limiter.consume_debt(1).unwrap();
    clock.advance(ms(60));
    let left = Some(ms(140));
    assert_eq!(W::at_once(wait), Err(AcquireError::TooLong { wait: left }));
}

fn what_can_never_be_granted_fails_at_once<W: World>() {
    let (limiter, _) = limiter(quota(10, 5));
    for requested in [6, u32::MAX] {
        let error = AcquireError::ExceedsBurst { requested, burst: 5 };
        assert_eq!(W::at_once(limiter.acquire_owned(requested)), Err(error));
    }
    limiter.set_rate(Rate::ZERO);
    assert!(limiter.try_acquire(5).is_ok());
    let never = W::at_once(limiter.acquire_owned(1).within(Duration::MAX));
    assert_eq!(never, Err(AcquireError::TooLong { wait: None }));
}

fn a_wait_where_nothing_is_supplied_waits_for_better_times<W: World>() {
    let (limiter, clock) = limiter(Quota::ZERO.burst(2));
    assert!(limiter.try_acquire(2).is_ok());
    let mut waiting = W::queue(&limiter, limiter.acquire_owned(2));
    clock.advance(secs(1_000_000));
    assert!(W::still_waits(&mut waiting));
    limiter.refund(2);
    assert_eq!(W::outcome(waiting), Ok(secs(1_000_000)));
}

fn a_closed_limiter_refuses<W: World>() {
    let (limiter, _) = limiter(quota(10, 5));
    limiter.close();
    assert!(limiter.is_closed());
    assert_eq!(W::at_once(limiter.acquire_owned(1)), Err(AcquireError::Closed));
    assert_eq!(W::at_once(limiter.acquire_owned(0)), Ok(Duration::ZERO));
}

/// golang/go#68719: Go's `Wait` does not say how long it took.
fn a_wait_says_how_long_it_took<W: World>() {
    let (limiter, clock) = limiter(quota(10, 1));
    clock.set(at_ms(40));
    assert_eq!(W::at_once(limiter.acquire_owned(1)), Ok(Duration::ZERO));
    let waiting = W::queue(&limiter, limiter.acquire_owned(1));
    clock.set(at_ms(777));
    assert_eq!(W::outcome(waiting), Ok(ms(737)), "who looks late has waited longer");
}

fn a_clock_that_steps_back_makes_waits_longer<W: World>() {
    let (limiter, clock) = limiter(quota(10, 1));
    clock.set(at_ms(5_000));
    assert!(limiter.try_acquire(1).is_ok());
    let mut waiting = W::queue(&limiter, limiter.acquire_owned(1));
    clock.set(at_ms(0));
    clock.set(at_ms(5_099));
    assert!(W::still_waits(&mut waiting));
    clock.set(at_ms(5_100));
    assert_eq!(W::outcome(waiting), Ok(ms(100)));
}

#[cfg(feature = "sync")]
mod blocking {
    use crate::support::{now, secs, within_patience};
    use lockgate_ratelimit::{AcquireError, Quota, RateLimiter};
    use std::time::Duration;

    /// The clock is the real one, and so are the bounds: generous.
    #[test]
    fn a_time_out_that_is_too_short_does_not_wait_for_it() {
        let limiter = RateLimiter::new(Quota::per_minute(1));
        assert_eq!(limiter.acquire(1).wait_timeout(secs(3600)), Ok(Duration::ZERO));
        let start = now();
        let timeout = limiter.acquire(1).wait_timeout(secs(50));
        let deadline = limiter.acquire(1).wait_deadline(now() + secs(50));
        assert!(start.elapsed() < secs(25));
        for error in [timeout, deadline] {
            let Err(AcquireError::TooLong { wait: Some(wait) }) = error else {
                panic!("{error:?}");
            };
            assert!(wait > secs(50) && wait <= secs(60));
        }
        assert!(limiter.tokens() >= 0.0, "nothing was taken");
    }

    #[test]
    fn real_time_passes_and_nobody_is_early() {
        within_patience(|| {
            let limiter = RateLimiter::new(Quota::per_second(500).burst(1));
            let start = now();
            for _ in 0..=20 {
                limiter.acquire(1).wait_timeout(secs(20)).unwrap();
            }
            assert!(start.elapsed() >= Duration::from_millis(40));
            let waited = limiter.acquire(1).wait_deadline(now() + secs(20)).unwrap();
            assert!(waited <= start.elapsed());
        });
    }
}

#[cfg(feature = "async")]
mod tasks_of_a_runtime {
    use crate::support::{at_ms, limiter, ms, now, quota, secs};
    use lockgate_ratelimit::clock::{Clock, Timer, Timestamp};
    use lockgate_ratelimit::{Quota, RateLimiter};
    use std::cell::RefCell;
    use std::future::{Future, poll_fn};
    use std::pin::{Pin, pin};
    use std::rc::Rc;
    use std::sync::Arc;
    use std::time::{Duration, Instant};
    use tokio::task::LocalSet;

    /// One full round and another one: every task once, in order of arrival, and no grant is late
    /// by more than the step of the clock.
    #[tokio::test]
    async fn ten_thousand_tasks_take_turns() {
        const TASKS: u64 = 10_000;
        const STEP: u64 = 10;
        let (limiter, clock) = limiter(quota(1000, 1).initial(0));
        let order = Rc::new(RefCell::new(Vec::new()));
        let set = LocalSet::new();
        for number in 0..TASKS {
            let (limiter, order) = (Arc::clone(&limiter), Rc::clone(&order));
            set.spawn_local(async move {
                for _ in 0..2 {
                    limiter.acquire(1).await.unwrap();
                    order.borrow_mut().push(number);
                }
            });
        }
        let granted = Rc::clone(&order);
        set.run_until(async move {
            let settled = |count: u64| {
                let granted = Rc::clone(&granted);
                async move {
                    while (granted.borrow().len() as u64) < count {
                        tokio::task::yield_now().await;
                    }
                }
            };
            // Everybody is in line before the clock moves.
            while limiter.tokens() > -(TASKS as f64) {
                tokio::task::yield_now().await;
            }
            for now in (STEP..=2 * TASKS).step_by(STEP as usize) {
                clock.set(at_ms(now));
                settled(now).await;
                assert_eq!(granted.borrow().len() as u64, now);
            }
        })
        .await;
        set.await;
        let round = || 0..TASKS;
        assert!(order.borrow().iter().copied().eq(round().chain(round())));
    }

    /// A clock as a user may write one: it follows tokio's time, also where that is paused.
    struct TokioTime(tokio::time::Instant);

    impl Clock for TokioTime {
        fn now(&self) -> Timestamp {
            Timestamp::default() + self.0.elapsed()
        }
    }

    impl Timer for TokioTime {
        type Sleep = Pin<Box<tokio::time::Sleep>>;

        fn sleep_until(&self, at: Timestamp) -> Self::Sleep {
            let at = self.0 + Duration::from_nanos(at.as_nanos());
            Box::pin(tokio::time::sleep_until(at))
        }

        fn instant(&self, _: Timestamp) -> Option<Instant> {
            None
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_of_ones_own_runs_under_paused_time() {
        const TASKS: usize = 64;
        let clock = TokioTime(tokio::time::Instant::now());
        let limiter = Arc::new(RateLimiter::with_clock(quota(1000, 1).initial(0), clock));
        let counts = Rc::new(RefCell::new([0_u32; TASKS]));
        let set = LocalSet::new();
        for number in 0..TASKS {
            let (limiter, counts) = (Arc::clone(&limiter), Rc::clone(&counts));
            set.spawn_local(async move {
                while limiter.acquire(1).await.is_ok() {
                    counts.borrow_mut()[number] += 1;
                }
            });
        }
        set.run_until(tokio::time::sleep(secs(3) + Duration::from_micros(500))).await;
        let counts = *counts.borrow();
        assert_eq!(counts.iter().sum::<u32>(), 3000);
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(most - least <= 1, "{counts:?}");
    }

    /// Under paused time a timer fires long before its moment has really come: a clock of real time
    /// that trusts it spins (5 548 times in 50 ms were counted elsewhere).
    #[tokio::test(start_paused = true)]
    async fn the_default_clock_rests_under_paused_time() {
        let limiter = RateLimiter::new(Quota::every(ms(500)));
        limiter.acquire(1).await.unwrap();
        let start = now();
        let mut wait = pin!(limiter.acquire(1));
        let mut polls = 0;
        let waited = poll_fn(|cx| {
            polls += 1;
            wait.as_mut().poll(cx)
        })
        .await
        .unwrap();
        assert!(waited > Duration::ZERO && waited <= start.elapsed());
        assert!(polls <= 10, "{polls} polls");
    }

    /// How to choose the burst: with a timer of 1 ms, one task that waits again and again gets its
    /// rate if the bucket holds what comes meanwhile, and loses the rest where it does not.
    #[tokio::test]
    async fn a_lone_task_needs_a_burst_for_what_comes_while_its_timer_sleeps() {
        for (burst, least, most) in [(11, 9_990, 10_011), (1, 0, 2_100)] {
            let (limiter, clock) = limiter(quota(10_000, burst).initial(0));
            let granted = Rc::new(RefCell::new(0));
            let count = Rc::clone(&granted);
            let set = LocalSet::new();
            set.spawn_local(async move {
                while limiter.acquire(1).await.is_ok() {
                    *count.borrow_mut() += 1;
                }
            });
            set.run_until(async {
                for now in 1..=1_000 {
                    while clock.sleepers() == 0 {
                        tokio::task::yield_now().await;
                    }
                    clock.set(at_ms(now));
                }
                tokio::task::yield_now().await;
            })
            .await;
            let granted = *granted.borrow();
            assert!((least..=most).contains(&granted), "burst {burst}: {granted}");
        }
    }
}
