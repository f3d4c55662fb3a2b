//! Changes at run time: what becomes of the tokens, and of those who wait.

use crate::support::{at_ms, limiter, ms, quota, secs, take_all};
use lockgate_ratelimit::{Denied, DeniedReason, Inherit, Quota, Rate};
use std::thread;

/// The worked examples of bucket4j's `replaceConfiguration`, and debts.
#[test]
fn what_is_there_is_inherited_as_was_asked() {
    use Inherit::{Additive, AsIs, Proportional, Reset};
    for (inherit, level, from, to, after) in [
        // It grows.
        (AsIs, 40, 100, 200, 40.0),
        (Additive, 40, 100, 200, 140.0),
        (Proportional, 40, 100, 200, 80.0),
        (Reset, 40, 100, 200, 200.0),
        // It shrinks to less than there is …
        (AsIs, 40, 100, 20, 20.0),
        (Additive, 40, 100, 20, 20.0),
        (Proportional, 40, 100, 20, 8.0),
        (Reset, 40, 100, 20, 20.0),
        // … and to more.
        (AsIs, 40, 100, 80, 40.0),
        (Additive, 40, 100, 80, 40.0),
        (Proportional, 40, 100, 80, 32.0),
        (Proportional, 1, 3, 2, 2.0 / 3.0),
        // A debt stays one, whatever the burst, unless something is added.
        (AsIs, -30, 100, 200, -30.0),
        (Additive, -30, 100, 200, 70.0),
        (Proportional, -30, 100, 200, -30.0),
        (Reset, -30, 100, 200, 170.0),
        // From and to nothing.
        (AsIs, 0, 0, 5, 0.0),
        (Additive, 0, 0, 5, 5.0),
        (Proportional, 0, 0, 5, 0.0),
        (Proportional, 5, 5, 0, 0.0),
    ] {
        let (limiter, _) = limiter(quota(10, from));
        limiter.consume_debt((i64::from(from) - level) as u32).unwrap();
        assert_eq!(limiter.tokens(), level as f64);
        limiter.replace(quota(20, to), inherit);
        let case = format!("{inherit:?} {level} of {from} to {to}");
        assert!((limiter.tokens() - after).abs() < 1e-6, "{case}: {}", limiter.tokens());
        assert_eq!(limiter.quota(), quota(20, to), "{case}");
    }
}

#[test]
fn a_reset_starts_as_a_new_limiter_would() {
    let (limiter, _) = limiter(quota(10, 5));
    limiter.replace(quota(10, 8).initial(3), Inherit::Reset);
    assert_eq!(take_all(&limiter), 3);
    // Elsewhere what a new one would start with says nothing.
    limiter.replace(quota(10, 8).initial(8), Inherit::AsIs);
    assert_eq!(take_all(&limiter), 0);
    assert_eq!(Inherit::default(), Inherit::AsIs);
}

#[test]
fn a_rate_counts_from_when_it_is_set() {
    let (limiter, clock) = limiter(quota(10, 100).initial(0));
    clock.advance(secs(1));
    limiter.set_rate(Rate::per_second(50));
    assert_eq!(limiter.tokens(), 10.0);
    clock.advance(secs(1));
    limiter.set_rate(Rate::ZERO);
    clock.advance(secs(100));
    assert_eq!(limiter.tokens(), 60.0);
    assert_eq!(limiter.quota(), Quota::new(Rate::ZERO, 100));
    limiter.set_rate(Rate::per(7, secs(60)));
    clock.advance(secs(60));
    assert!((limiter.tokens() - 67.0).abs() < 1e-6);
}

#[test]
fn a_smaller_burst_spills_and_a_larger_one_adds_nothing() {
    let (limiter, clock) = limiter(quota(10, 10));
    limiter.set_burst(4);
    assert_eq!(limiter.tokens(), 4.0);
    limiter.set_burst(20);
    assert_eq!(limiter.tokens(), 4.0);
    assert_eq!(limiter.quota(), quota(10, 20));
    clock.advance(secs(10));
    assert_eq!(take_all(&limiter), 20);
    limiter.set_burst(0);
    clock.advance(secs(10));
    assert_eq!(take_all(&limiter), 0);
}

/// A change rounds down to a unit, which is two nanoseconds' supply at most: so often it may be
/// changed, and nothing is ever made.
#[test]
fn thousands_of_changes_make_no_tokens_and_lose_next_to_none() {
    let (limiter, clock) = limiter(quota(1, 1_000_000).initial(0));
    let (mut expected, mut lost, mut before) = (0.0, 0.0, 1);
    for rate in [1, 3, 1_000, 999_983, 7, 2, 50_000].into_iter().cycle().take(7_000) {
        limiter.set_rate(Rate::per_second(rate));
        clock.advance(ms(1));
        expected += f64::from(rate) / 1e3;
        lost += f64::from(rate.max(before)) * 2e-9;
        before = rate;
        if expected > 500_000.0 {
            expected -= f64::from(limiter.drain());
        }
    }
    let missing = expected - limiter.tokens();
    assert!((-1e-6..lost).contains(&missing), "{missing} of at most {lost}");
    assert!(lost < 10.0);
}

#[test]
fn without_a_limit_and_back_again() {
    let (limiter, clock) = limiter(quota(10, 5));
    assert_eq!(take_all(&limiter), 5);
    limiter.set_rate(Rate::INF);
    for _ in 0..100 {
        assert!(limiter.try_acquire(u32::MAX).is_ok());
    }
    clock.advance(ms(1));
    limiter.set_rate(Rate::per_second(10));
    assert_eq!(take_all(&limiter), 5, "without a limit it fills at once");
    clock.advance(ms(100));
    assert_eq!(take_all(&limiter), 1);
}

#[test]
fn a_pause_keeps_what_is_there_and_supplies_nothing() {
    let (limiter, clock) = limiter(quota(10, 5).initial(2));
    let asked = |denied: Denied| (denied.reason(), denied.retry_after());
    limiter.pause_until(at_ms(1_000));
    for (n, wait) in [(1, 1_000), (2, 1_000), (3, 1_100)] {
        assert_eq!(
            limiter.try_acquire(n).map_err(asked),
            Err((DeniedReason::Paused, Some(ms(wait))))
        );
    }
    clock.set(at_ms(999));
    assert!(limiter.peek(1).is_err());
    assert_eq!((limiter.try_up_to(5), limiter.drain(), limiter.tokens()), (0, 0, 2.0));
    clock.set(at_ms(1_000));
    assert_eq!(take_all(&limiter), 2);
    clock.set(at_ms(1_100));
    assert_eq!(take_all(&limiter), 1);
}

#[test]
fn the_last_pause_is_the_one_that_counts() {
    let (limiter, clock) = limiter(quota(10, 5));
    limiter.pause_for(secs(10));
    limiter.pause_for(secs(1));
    assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(secs(1)));
    // A change in the middle does not end it.
    limiter.set_rate(Rate::per_second(20));
    limiter.set_burst(9);
    assert_eq!(limiter.try_acquire(1).unwrap_err().reason(), DeniedReason::Paused);
    clock.advance(ms(500));
    limiter.pause_until(at_ms(0));
    assert!(limiter.try_acquire(1).is_ok(), "a moment that has passed ends it");
}

/// A client without a limit of its own still pauses when its server says so.
#[test]
fn a_limiter_without_a_limit_pauses_and_closes() {
    let (limiter, clock) = limiter(Quota::INF);
    limiter.pause_for(secs(2));
    let denied = limiter.try_acquire(7).unwrap_err();
    assert_eq!((denied.reason(), denied.retry_after()), (DeniedReason::Paused, Some(secs(2))));
    assert_eq!(limiter.peek(1).unwrap_err().reason(), DeniedReason::Paused);
    assert_eq!((limiter.try_up_to(9), limiter.drain()), (0, 0));
    assert!(limiter.try_acquire(0).is_ok());
    assert_eq!(limiter.reserve(7).unwrap().commit(), at_ms(2_000));
    assert!(limiter.reserve_within(7, secs(1)).is_err());
    clock.set(at_ms(2_000));
    assert!(limiter.try_acquire(u32::MAX).is_ok());
    assert_eq!(limiter.try_up_to(9), 9);
    limiter.close();
    assert_eq!(limiter.try_acquire(1).unwrap_err().reason(), DeniedReason::Closed);
    assert_eq!(limiter.try_up_to(9), 0);
}

#[test]
fn closed_is_for_good() {
    let (limiter, _) = limiter(quota(10, 5));
    limiter.close();
    limiter.close();
    limiter.set_rate(Rate::per_second(10));
    limiter.set_burst(50);
    limiter.replace(quota(10, 5), Inherit::Reset);
    limiter.refund(5);
    limiter.pause_until(at_ms(0));
    assert!(limiter.is_closed());
    assert_eq!(limiter.try_acquire(1).unwrap_err().reason(), DeniedReason::Closed);
    assert_eq!(limiter.try_up_to(5), 0);
    assert!(limiter.reserve(1).is_err());
}

/// Whoever asks while somebody changes gets one configuration or the other.
#[test]
fn nobody_sees_half_a_change() {
    let slow = Quota::new(Rate::per(1, secs(3600)), 1);
    let fast = Quota::new(Rate::per(999_983, ms(7)), 50_000);
    let (limiter, _) = limiter(slow);
    thread::scope(|scope| {
        let changes = scope.spawn(|| {
            for _ in 0..2_000 {
                limiter.replace(fast, Inherit::Reset);
                limiter.replace(slow, Inherit::Reset);
            }
        });
        while !changes.is_finished() {
            let seen = limiter.quota();
            assert!(seen == slow || seen == fast, "{seen:?}");
            let tokens = limiter.tokens();
            assert!(tokens == 1.0 || tokens == 50_000.0, "{tokens}");
            if let Err(denied) = limiter.peek(2) {
                let exceeds = DeniedReason::ExceedsBurst { requested: 2, burst: 1 };
                assert_eq!(denied.reason(), exceeds);
            }
        }
    });
}

#[cfg(any(feature = "sync", feature = "async"))]
mod waits {
    use crate::support::{World, at_ms, in_both_worlds, limiter, ms, quota, secs};
    use lockgate_ratelimit::{AcquireError, Inherit, Quota, Rate};

    in_both_worlds![
        a_higher_rate_makes_waits_shorter,
        a_lower_rate_makes_waits_longer,
        no_limit_serves_everybody,
        a_deadline_that_a_change_makes_late_fails_when_it_is_learnt,
        a_pause_makes_waits_longer_and_its_end_shorter,
        whoever_asks_during_a_pause_waits_for_its_end,
        without_a_limit_the_end_of_a_pause_is_waited_for,
        tokens_that_are_put_in_serve_those_who_wait_first,
        closing_fails_those_whose_tokens_are_not_there,
        a_smaller_burst_leaves_those_who_wait_in_line,
        a_reset_serves_those_who_wait_first,
        a_refund_takes_nothing_from_those_whose_turn_has_come,
        a_debt_makes_nobody_wait_longer_who_waited_before,
    ];

    fn a_higher_rate_makes_waits_shorter<W: World>() {
        let (limiter, clock) = limiter(quota(10, 2).initial(0));
        let first = W::queue(&limiter, limiter.acquire_owned(1));
        let mut second = W::queue(&limiter, limiter.acquire_owned(2));
        clock.set(at_ms(50));
        limiter.set_rate(Rate::per_second(100));
        clock.set(at_ms(55));
        assert_eq!(W::outcome(first), Ok(ms(55)));
        assert!(W::still_waits(&mut second));
        clock.set(at_ms(75));
        assert_eq!(W::outcome(second), Ok(ms(75)));
    }

    fn a_lower_rate_makes_waits_longer<W: World>() {
        let (limiter, clock) = limiter(quota(10, 2).initial(0));
        let mut waiting = W::queue(&limiter, limiter.acquire_owned(1));
        clock.set(at_ms(50));
        limiter.set_rate(Rate::per_second(1));
        for now in [100, 300, 549] {
            clock.set(at_ms(now));
            assert!(W::still_waits(&mut waiting));
        }
        clock.set(at_ms(550));
        assert_eq!(W::outcome(waiting), Ok(ms(550)));
    }

    fn no_limit_serves_everybody<W: World>() {
        let (limiter, _) = limiter(quota(10, 2).initial(0));
        let waiting: Vec<_> =
            (0..4).map(|_| W::queue(&limiter, limiter.acquire_owned(2))).collect();
        limiter.set_rate(Rate::INF);
        for waiting in waiting {
            assert_eq!(W::outcome(waiting), Ok(ms(0)));
        }
    }

    fn a_deadline_that_a_change_makes_late_fails_when_it_is_learnt<W: World>() {
        let (limiter, clock) = limiter(quota(10, 2).initial(0));
        let patient = W::queue(&limiter, limiter.acquire_owned(1).within(secs(1)));
        let hasty = W::queue(&limiter, limiter.acquire_owned(1).within(ms(200)));
        clock.set(at_ms(50));
        limiter.set_rate(Rate::per_second(2));
        assert_eq!(W::outcome(hasty), Err(AcquireError::TooLong { wait: Some(ms(750)) }));
        assert_eq!(limiter.tokens(), -0.5);
        clock.set(at_ms(300));
        assert_eq!(W::outcome(patient), Ok(ms(300)));
        let never = W::queue(&limiter, limiter.acquire_owned(1).within(secs(1)));
        limiter.set_rate(Rate::ZERO);
        assert_eq!(W::outcome(never), Err(AcquireError::TooLong { wait: None }));
    }

    fn a_pause_makes_waits_longer_and_its_end_shorter<W: World>() {
        let (limiter, clock) = limiter(quota(10, 2).initial(0));
        let first = W::queue(&limiter, limiter.acquire_owned(1));
        let mut second = W::queue(&limiter, limiter.acquire_owned(1));
        clock.set(at_ms(50));
        limiter.pause_until(at_ms(1_000));
        clock.set(at_ms(1_050));
        assert_eq!(W::outcome(first), Ok(ms(1_050)));
        limiter.pause_for(secs(3600));
        clock.set(at_ms(2_000));
        assert!(W::still_waits(&mut second));
        limiter.pause_for(secs(0));
        clock.set(at_ms(2_100));
        assert_eq!(W::outcome(second), Ok(ms(2_100)));
    }

    fn whoever_asks_during_a_pause_waits_for_its_end<W: World>() {
        let (limiter, clock) = limiter(quota(10, 5));
        limiter.pause_until(at_ms(1_000));
        let first = W::queue(&limiter, limiter.acquire_owned(5));
        let second = W::queue(&limiter, limiter.acquire_owned(1));
        let error = AcquireError::TooLong { wait: Some(ms(1_200)) };
        assert_eq!(W::at_once(limiter.acquire_owned(1).within(secs(1))), Err(error));
        clock.set(at_ms(1_000));
        assert_eq!(W::outcome(first), Ok(secs(1)));
        clock.set(at_ms(1_100));
        assert_eq!(W::outcome(second), Ok(ms(1_100)));
    }

    /// And what it did not take, it cannot give back.
    fn without_a_limit_the_end_of_a_pause_is_waited_for<W: World>() {
        let (limiter, clock) = limiter(Quota::new(Rate::INF, 5));
        limiter.pause_until(at_ms(1_000));
        let queue = |n| W::queue(&limiter, limiter.acquire_owned(n));
        let (mut first, second, hasty) = (
            queue(5),
            queue(u32::MAX),
            W::queue(&limiter, limiter.acquire_owned(1).within(ms(1_500))),
        );
        limiter.pause_until(at_ms(2_000));
        assert_eq!(W::outcome(hasty), Err(AcquireError::TooLong { wait: Some(secs(2)) }));
        clock.set(at_ms(1_999));
        assert!(W::still_waits(&mut first));
        clock.set(at_ms(2_000));
        assert_eq!((W::outcome(first), W::outcome(second)), (Ok(secs(2)), Ok(secs(2))));

        limiter.pause_for(secs(1));
        let waiting = queue(5);
        limiter.set_rate(Rate::per_second(10));
        limiter.consume_debt(5).unwrap();
        assert_eq!(limiter.tokens(), 0.0);
        limiter.close();
        assert_eq!(W::outcome(waiting), Err(AcquireError::Closed));
        assert_eq!(limiter.tokens(), 0.0);
    }

    fn tokens_that_are_put_in_serve_those_who_wait_first<W: World>() {
        let (limiter, clock) = limiter(quota(10, 4).initial(0));
        let first = W::queue(&limiter, limiter.acquire_owned(2));
        let second = W::queue(&limiter, limiter.acquire_owned(2));
        let mut third = W::queue(&limiter, limiter.acquire_owned(2));
        limiter.refund(2);
        assert_eq!(W::outcome(first), Ok(ms(0)));
        assert!(limiter.try_acquire(1).is_err());
        limiter.set_tokens(3).unwrap();
        assert_eq!(W::outcome(second), Ok(ms(0)));
        assert!(W::still_waits(&mut third));
        clock.set(at_ms(100));
        assert_eq!(W::outcome(third), Ok(ms(100)));
        assert_eq!(limiter.tokens(), 0.0);
    }

    fn closing_fails_those_whose_tokens_are_not_there<W: World>() {
        let (limiter, clock) = limiter(quota(10, 2).initial(0));
        let due = W::queue(&limiter, limiter.acquire_owned(1));
        let later = W::queue(&limiter, limiter.acquire_owned(1));
        clock.set(at_ms(100));
        limiter.close();
        assert_eq!(W::outcome(due), Ok(ms(100)));
        assert_eq!(W::outcome(later), Err(AcquireError::Closed));
        assert_eq!(clock.sleepers(), 0);
    }

    fn a_smaller_burst_leaves_those_who_wait_in_line<W: World>() {
        let (limiter, clock) = limiter(quota(10, 5).initial(0));
        let large = W::queue(&limiter, limiter.acquire_owned(5));
        limiter.set_burst(2);
        let error = AcquireError::ExceedsBurst { requested: 5, burst: 2 };
        assert_eq!(W::at_once(limiter.acquire_owned(5)), Err(error));
        clock.set(at_ms(500));
        assert_eq!(W::outcome(large), Ok(ms(500)));
    }

    fn a_reset_serves_those_who_wait_first<W: World>() {
        let (limiter, _) = limiter(quota(10, 5).initial(0));
        let waiting = W::queue(&limiter, limiter.acquire_owned(3));
        limiter.replace(Quota::per_second(7), Inherit::Reset);
        assert_eq!(W::outcome(waiting), Ok(ms(0)));
        assert_eq!(limiter.tokens(), 4.0);
    }

    /// Whoever waits for the end of a pause, or has not looked since his turn came, is served before
    /// what is there is set to less.
    fn a_refund_takes_nothing_from_those_whose_turn_has_come<W: World>() {
        let (limiter, clock) = limiter(Quota::new(Rate::ZERO, 5));
        limiter.pause_until(at_ms(100));
        let waiting = W::queue(&limiter, limiter.acquire_owned(2));
        limiter.refund(2);
        limiter.set_tokens(1).unwrap();
        clock.set(at_ms(100));
        assert_eq!(W::outcome(waiting), Ok(ms(100)));
        assert_eq!(limiter.tokens(), 1.0);
    }

    fn a_debt_makes_nobody_wait_longer_who_waited_before<W: World>() {
        let (limiter, clock) = limiter(quota(10, 5).initial(0));
        let before = W::queue(&limiter, limiter.acquire_owned(1));
        limiter.consume_debt(10).unwrap();
        let after = W::queue(&limiter, limiter.acquire_owned(1));
        clock.set(at_ms(100));
        assert_eq!(W::outcome(before), Ok(ms(100)));
        clock.set(at_ms(1_200));
        assert_eq!(W::outcome(after), Ok(ms(1_200)));
    }
}
