//! Whatever ends early gives back what nobody behind it was made to wait for, and no more.
#![cfg(feature = "async")]

use crate::support::tasks::{Task, poll};
use crate::support::{Wait, Wakes, at_ms, limiter, ms, quota, take_all};
use lockgate_ratelimit::{AcquireError, Quota, Rate};
use proptest::prelude::*;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

#[test]
fn a_wait_does_nothing_before_it_is_polled() {
    let (limiter, clock) = limiter(quota(10, 2));
    let wait = limiter.acquire(2);
    assert_eq!((limiter.tokens(), clock.sleepers()), (2.0, 0));
    assert!(limiter.try_acquire(2).is_ok());
    drop(wait);
    assert_eq!(limiter.tokens(), 0.0);
}

/// In line and last: all of it comes back. In line and not last: what lies behind keeps its
/// moments, so only what they do not need.
#[test]
fn a_wait_that_is_dropped_in_line_gives_back_what_it_can() {
    let (limiter, clock) = limiter(quota(10, 4).initial(0));
    let last = Task::spawned(limiter.acquire(4));
    clock.set(at_ms(100));
    drop(last);
    assert_eq!(limiter.tokens(), 1.0);

    let front = Task::spawned(limiter.acquire(4));
    let behind = Task::spawned(limiter.acquire(1));
    assert_eq!(limiter.tokens(), -4.0);
    drop(front);
    assert_eq!(limiter.tokens(), -1.0, "one of four was promised to whoever came later");
    clock.set(at_ms(500));
    assert_eq!(behind.output(), Ok(ms(400)), "who keeps the moment that he was told");
}

#[test]
fn a_wait_that_is_dropped_after_its_turn_has_used_its_tokens() {
    let (limiter, clock) = limiter(quota(10, 4).initial(0));
    let wait = Task::spawned(limiter.acquire(2));
    clock.set(at_ms(201));
    assert_eq!(wait.wakes.count(), 1);
    drop(wait);
    assert_eq!(take_all(&limiter), 0);
}

#[test]
fn a_wait_that_is_over_gives_nothing_back() {
    let (limiter, _) = limiter(quota(10, 4));
    let mut wait = limiter.acquire(3);
    assert_eq!(poll(&mut wait, Waker::noop()), Poll::Ready(Ok(Duration::ZERO)));
    drop(wait);
    assert_eq!(limiter.tokens(), 1.0);
}

#[test]
#[should_panic(expected = "not polled again after it was ready")]
fn a_wait_is_not_polled_again_after_it_was_ready() {
    let (limiter, _) = limiter(quota(10, 4));
    let mut wait = limiter.acquire(1);
    assert!(poll(&mut wait, Waker::noop()).is_ready());
    let _ = poll(&mut wait, Waker::noop());
}

/// What is dropped leaves no timer, no waker and no place behind.
#[test]
fn a_wait_that_is_dropped_leaves_nothing_behind() {
    let (limiter, clock) = limiter(quota(10, 4).initial(0));
    let wakes = Wakes::new();
    for _ in 0..100 {
        let mut wait = limiter.acquire(4);
        assert!(poll(&mut wait, &wakes.waker()).is_pending());
        drop(wait);
    }
    assert_eq!((limiter.tokens(), clock.sleepers(), Arc::strong_count(&wakes)), (0.0, 0, 1));
    limiter.close();
    assert_eq!(wakes.count(), 0);
}

/// leaky-bucket: a polled future that is forgotten blocks everybody. Here its tokens are used up,
/// and that is all.
#[test]
fn a_wait_that_is_forgotten_holds_up_nobody() {
    let (limiter, clock) = limiter(quota(10, 1).initial(0));
    let mut forgotten = limiter.acquire_owned(1);
    assert!(poll(&mut forgotten, Waker::noop()).is_pending());
    std::mem::forget(forgotten);
    let behind = Task::spawned(limiter.acquire(1));
    clock.set(at_ms(200));
    assert_eq!(behind.output(), Ok(ms(200)));
    limiter.set_rate(Rate::per_second(20));
    clock.set(at_ms(250));
    assert!(limiter.try_acquire(1).is_ok());
    limiter.close();
}

/// A wait that nobody polls is passed by those behind it.
#[test]
fn a_wait_that_is_not_polled_holds_up_nobody() {
    let (limiter, clock) = limiter(quota(10, 1).initial(0));
    let idle = Task::spawned(limiter.acquire(1));
    let behind = Task::spawned(limiter.acquire(1));
    clock.set(at_ms(200));
    assert_eq!(behind.output(), Ok(ms(200)));
    assert_eq!(idle.output(), Ok(ms(200)));
}

#[test]
fn the_waker_of_the_last_poll_is_the_one_that_counts() {
    let (limiter, clock) = limiter(quota(10, 1).initial(0));
    let mut wait = limiter.acquire(1);
    let (first, second, third) = (Wakes::new(), Wakes::new(), Wakes::new());
    assert!(poll(&mut wait, &first.waker()).is_pending());
    assert!(poll(&mut wait, &second.waker()).is_pending());
    // Told of the change …
    limiter.set_rate(Rate::per_second(5));
    assert_eq!((first.count(), second.count()), (0, 1));
    assert!(poll(&mut wait, &third.waker()).is_pending());
    // … and of the time.
    clock.set(at_ms(200));
    assert_eq!((first.count(), second.count(), third.count()), (0, 1, 1));
    assert_eq!((Arc::strong_count(&first), Arc::strong_count(&second)), (1, 1));
    assert_eq!(poll(&mut wait, &third.waker()), Poll::Ready(Ok(ms(200))));
    assert_eq!(Arc::strong_count(&third), 1);
}

#[test]
fn polling_without_need_changes_nothing() {
    let (limiter, clock) = limiter(quota(10, 1).initial(0));
    let wakes = Wakes::new();
    let mut wait = limiter.acquire(1);
    for _ in 0..50 {
        assert!(poll(&mut wait, &wakes.waker()).is_pending());
        assert_eq!((limiter.tokens(), clock.sleepers()), (-1.0, 1));
    }
    clock.set(at_ms(100));
    assert_eq!(wakes.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_time_out_around_a_wait_cancels_it() {
    let (limiter, clock) = limiter(quota(10, 3).initial(0));
    let outcome = tokio::time::timeout(ms(50), limiter.acquire(3)).await;
    assert!(outcome.is_err());
    assert_eq!((limiter.tokens(), clock.sleepers()), (0.0, 0));
}

#[tokio::test]
async fn the_loser_of_a_select_is_cancelled() {
    let (limiter, _) = limiter(quota(10, 3).initial(0));
    tokio::select! {
        biased;
        _ = limiter.acquire(3) => unreachable!("there are none"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(limiter.tokens(), 0.0);
}

/// A cancelled wait, with its end in every order against those of its neighbours.
#[derive(Clone, Copy, Debug)]
enum Op {
    Start(u32),
    Drop(usize),
    Poll(usize),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (1_u32..6).prop_map(Op::Start),
        3 => (0_usize..8).prop_map(Op::Drop),
        2 => (0_usize..8).prop_map(Op::Poll),
        3 => (1_u64..8).prop_map(Op::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    /// Dropped at any poll: whoever is left keeps the moment that he was told, nobody is lost, and
    /// the tokens add up: what was supplied is in the bucket, was granted, or went with a wait that
    /// could not give it back.
    #[test]
    fn drops_at_any_poll_move_nobody(ops in prop::collection::vec(op(), 1..40)) {
        const NS: Duration = Duration::from_nanos(1);
        let (limiter, clock) = limiter(Quota::per(1, NS).burst(6).initial(0));
        let mut line: Vec<(Wait, u32, f64)> = Vec::new();
        let mut now = 0.0;
        for op in ops {
            match op {
                Op::Start(n) => {
                    let mut wait = limiter.acquire_owned(n);
                    let polled = poll(&mut wait, Waker::noop());
                    if polled.is_pending() {
                        let due = now - limiter.tokens();
                        line.push((wait, n, due));
                    }
                }
                Op::Drop(k) if !line.is_empty() => {
                    let before = limiter.tokens();
                    let (wait, n, due) = line.remove(k % line.len());
                    drop(wait);
                    let back = limiter.tokens() - before;
                    let most = if due < now { 0.0 } else { f64::from(n) };
                    prop_assert!((0.0..=most).contains(&back), "{back} of {n} came back");
                }
                Op::Poll(k) if !line.is_empty() => {
                    let index = k % line.len();
                    let (wait, _, due) = &mut line[index];
                    let polled = poll(wait, Waker::noop());
                    prop_assert_eq!(polled.is_ready(), *due <= now);
                    if polled.is_ready() {
                        drop(line.remove(index));
                    }
                }
                Op::Pass(by) => {
                    clock.advance(NS * by as u32);
                    now += by as f64;
                }
                Op::Drop(_) | Op::Poll(_) => {}
            }
        }
        for (wait, ..) in &mut line {
            clock.advance(Duration::from_micros(1));
            let polled = poll(wait, Waker::noop());
            prop_assert!(matches!(polled, Poll::Ready(Ok(_))));
        }
    }
}

/// An error ends a wait as a drop does: it gives its place back.
#[test]
fn a_wait_that_fails_in_line_gives_its_place_back() {
    let (limiter, clock) = limiter(quota(10, 3).initial(0));
    let wait = Task::spawned(limiter.acquire(3).within(ms(300)));
    limiter.pause_until(at_ms(1));
    assert_eq!(wait.output(), Err(AcquireError::TooLong { wait: Some(ms(301)) }));
    assert_eq!((limiter.tokens(), clock.sleepers()), (0.0, 0));
}

/// Pinned on the stack, as `select!` and `pin!` do.
#[tokio::test]
async fn a_wait_may_be_polled_by_reference_and_go_on_later() {
    let (limiter, clock) = limiter(quota(10, 1).initial(0));
    let mut wait = pin!(limiter.acquire(1));
    tokio::select! {
        biased;
        _ = &mut wait => unreachable!("there is none"),
        () = std::future::ready(()) => {}
    }
    assert_eq!(limiter.tokens(), -1.0);
    clock.set(at_ms(100));
    assert_eq!(wait.await, Ok(ms(100)));
}
