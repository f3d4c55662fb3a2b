//! What holds whoever asks: the rules of the bucket, without waiting.

use crate::support::{at_ms, limiter, ms, quota, secs, take_all};
use lockgate_ratelimit::clock::{Clock, Timestamp};
use lockgate_ratelimit::{DeniedReason, Quota, Rate, RateLimiter};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const NS: Duration = Duration::from_nanos(1);

#[test]
fn a_bucket_starts_full_or_as_it_is_told() {
    assert_eq!(take_all(&limiter(quota(10, 7)).0), 7);
    assert_eq!(take_all(&limiter(quota(10, 7).initial(3)).0), 3);
    assert_eq!(take_all(&limiter(quota(10, 7).initial(0)).0), 0);
    assert_eq!(take_all(&limiter(Quota::per_second(9)).0), 9);
    assert_eq!(take_all(&limiter(Quota::every(secs(1))).0), 1);
    assert_eq!(take_all(&limiter(Quota::from(Rate::per_second(9))).0), 1);
    assert_eq!(take_all(&limiter(Quota::ZERO).0), 0);
}

#[test]
fn a_request_for_nothing_always_succeeds() {
    let (limiter, _) = limiter(Quota::ZERO);
    assert!(limiter.try_acquire(0).is_ok());
    assert_eq!(limiter.reserve(0).unwrap().delay(), Duration::ZERO);
    limiter.close();
    assert!(limiter.try_acquire(0).is_ok());
}

#[test]
fn without_a_limit_no_clock_is_read() {
    struct Counted(AtomicU64);
    impl Clock for Counted {
        fn now(&self) -> Timestamp {
            Timestamp::from_nanos(self.0.fetch_add(1, Ordering::Relaxed))
        }
    }
    let limiter = RateLimiter::with_clock(Quota::INF, Counted(AtomicU64::new(0)));
    let reads = || limiter.clock().0.load(Ordering::Relaxed);
    let before = reads();
    for n in [0, 1, u32::MAX] {
        assert!(limiter.try_acquire(n).is_ok());
    }
    assert_eq!(reads(), before);
    limiter.set_rate(Rate::per_second(1));
    let before = reads();
    assert!(limiter.try_acquire(0).is_ok());
    assert_eq!(reads(), before);
    assert!(limiter.try_acquire(1).is_err(), "a burst of 0");
}

#[test]
fn without_a_limit_everything_is_granted() {
    let (limiter, _) = limiter(Quota::INF);
    for n in [1, u32::MAX, 7] {
        assert!(limiter.try_acquire(n).is_ok());
        assert_eq!(limiter.try_up_to(n), n);
        assert_eq!(limiter.reserve(n).unwrap().delay(), Duration::ZERO);
    }
    limiter.consume_debt(u32::MAX).unwrap();
    limiter.refund(u32::MAX);
    assert_eq!((limiter.tokens(), limiter.drain()), (f64::INFINITY, 0));
    assert!(limiter.quota().rate().is_infinite());
}

#[test]
fn what_is_denied_changes_nothing() {
    let (limiter, clock) = limiter(quota(10, 5));
    assert!(limiter.try_acquire(4).is_ok());
    for _ in 0..1000 {
        assert_eq!(limiter.try_acquire(2).unwrap_err().retry_after(), Some(ms(100)));
        assert!(limiter.try_acquire(6).unwrap_err().is_never());
        assert!(limiter.reserve_within(3, ms(199)).is_err());
    }
    assert_eq!(limiter.tokens(), 1.0);
    clock.advance(ms(100));
    assert!(limiter.try_acquire(2).is_ok());
}

/// At the moment that a denial names it succeeds, and a nanosecond earlier it does not.
#[test]
fn a_denial_names_the_very_nanosecond() {
    for (tokens, period) in
        [(1, secs(1)), (3, secs(1)), (7, secs(60)), (1, secs(86_400)), (999_983, secs(1))]
    {
        for n in [1, 2, 5] {
            let (limiter, clock) = limiter(Quota::per(tokens, period).burst(5));
            assert!(limiter.try_acquire(5).is_ok());
            clock.advance(Duration::from_nanos(17));
            let after = limiter.try_acquire(n).unwrap_err().retry_after().unwrap();
            clock.advance(after - NS);
            assert!(limiter.try_acquire(n).is_err(), "{n} of {tokens} in {period:?}");
            assert_eq!(limiter.peek(n).unwrap_err().retry_after(), Some(NS));
            clock.advance(NS);
            assert!(limiter.peek(n).is_ok());
            assert!(limiter.try_acquire(n).is_ok(), "{n} of {tokens} in {period:?}");
        }
    }
}

#[test]
fn looking_takes_nothing() {
    let (limiter, _) = limiter(quota(10, 3));
    for _ in 0..10 {
        assert!(limiter.peek(3).is_ok());
        let never = limiter.peek(4).unwrap_err();
        assert_eq!(never.reason(), DeniedReason::ExceedsBurst { requested: 4, burst: 3 });
    }
    assert_eq!(limiter.tokens(), 3.0);
}

#[test]
fn as_many_as_there_are_are_whole_ones() {
    let (limiter, clock) = limiter(quota(10, 5));
    assert_eq!((limiter.try_up_to(2), limiter.try_up_to(9), limiter.try_up_to(9)), (2, 3, 0));
    clock.advance(ms(250));
    assert_eq!(limiter.drain(), 2);
    assert_eq!(limiter.tokens(), 0.5);
    clock.advance(ms(50));
    assert_eq!(limiter.drain(), 1);
    assert_eq!((limiter.tokens(), limiter.drain()), (0.0, 0));
}

#[test]
fn a_bucket_never_holds_more_than_its_burst() {
    let (limiter, clock) = limiter(quota(1000, 20).initial(0));
    clock.advance(secs(100_000));
    assert_eq!(limiter.tokens(), 20.0);
    assert_eq!(take_all(&limiter), 20);
    limiter.refund(50);
    assert_eq!(limiter.tokens(), 20.0);
    limiter.refund(u32::MAX);
    assert_eq!(take_all(&limiter), 20);
}

/// What runs over the brim is rounded down to the unit in which it is counted: up, and the last token
/// would come two nanoseconds later, which is never while the clock stands still.
#[test]
fn a_full_bucket_gives_its_burst_one_by_one_while_the_clock_stands_at_any_moment() {
    for odd in (1..2_000).map(|k| ms(1_000) + NS * (k * 7_919)) {
        let (limiter, clock) = limiter(quota(100, 5));
        clock.advance(odd);
        assert_eq!(take_all(&limiter), 5);
        clock.advance(ms(10));
        assert_eq!(take_all(&limiter), 1, "an interval later the next one is there");
    }
}

#[test]
fn a_refund_may_be_granted_again() {
    let (limiter, _) = limiter(quota(10, 5));
    assert!(limiter.try_acquire(4).is_ok());
    limiter.refund(2);
    assert_eq!(take_all(&limiter), 3);
}

#[test]
fn a_debt_is_paid_by_those_who_come_later() {
    let (limiter, clock) = limiter(quota(10, 5));
    limiter.consume_debt(12).unwrap();
    assert_eq!(limiter.tokens(), -7.0);
    assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(ms(800)));
    clock.advance(ms(800));
    assert_eq!(take_all(&limiter), 1);
}

#[test]
fn what_is_set_is_what_is_there() {
    let (limiter, clock) = limiter(quota(10, 5));
    limiter.set_tokens(2).unwrap();
    assert_eq!(take_all(&limiter), 2);
    limiter.set_tokens(5).unwrap();
    assert_eq!(limiter.tokens(), 5.0);
    limiter.consume_debt(9).unwrap();
    clock.advance(ms(100));
    assert_eq!(limiter.tokens(), -3.0);
}

/// Nobody overtakes: what is reserved is gone, also for one who would fit in between.
#[test]
fn nobody_overtakes_a_reservation() {
    let (limiter, clock) = limiter(quota(10, 5));
    let first = limiter.reserve(5).unwrap();
    let large = limiter.reserve(5).unwrap();
    let small = limiter.reserve(1).unwrap();
    clock.advance(ms(300));
    assert!(limiter.try_acquire(1).is_err());
    assert_eq!(limiter.try_up_to(1), 0);
    let due = [first.commit(), large.commit(), small.commit()];
    assert_eq!(due, [at_ms(0), at_ms(500), at_ms(600)]);
}

#[test]
fn reservations_are_due_exactly() {
    let ns = Duration::from_nanos;
    for (tokens, period) in [
        (1, secs(86_400)),
        (7, secs(60)),
        (3, secs(1)),
        (999_983, ns(1_000_000_007)),
        (300_000_000, secs(1)),
        (2_000_000_000, secs(1)),
        (u32::MAX, secs(1)),
        (10, ns(1)),
    ] {
        // As many as come in a nanosecond must have room.
        let (limiter, clock) = limiter(Quota::per(tokens, period).burst(16).initial(0));
        for k in 1..=20_000_u64 {
            let due = limiter.reserve(1).unwrap().commit();
            let exact = (u128::from(k) * period.as_nanos()).div_ceil(tokens.into());
            assert_eq!(u128::from(due.as_nanos()), exact, "{k} of {tokens} in {period:?}");
            clock.set(due);
        }
    }
}

/// Whatever ends before it is acted on gives back what nobody behind it was made to wait for.
#[test]
fn a_reservation_that_is_dropped_is_cancelled() {
    let (limiter, _) = limiter(quota(10, 2));
    limiter.reserve(2).unwrap().commit();
    drop(limiter.reserve(2).unwrap());
    assert_eq!(limiter.tokens(), 0.0);
    let reservation = limiter.reserve(1).unwrap();
    assert_eq!((reservation.tokens(), reservation.delay()), (1, ms(100)));
    assert_eq!(reservation.cancel(), 1);
}

/// There is no moment for it, so nobody is told one.
#[test]
fn a_reservation_where_nothing_is_supplied_is_refused() {
    let (limiter, _) = limiter(Quota::ZERO.burst(2));
    limiter.reserve(2).unwrap().commit();
    let error = limiter.reserve(1).unwrap_err();
    assert!(error.is_too_long());
    assert_eq!(limiter.tokens(), 0.0);
}

#[test]
fn a_clock_that_steps_back_grants_less_and_recovers() {
    let (limiter, clock) = limiter(quota(1000, 10));
    clock.set(at_ms(5_000));
    assert_eq!(take_all(&limiter), 10);
    clock.set(at_ms(3_400));
    assert_eq!(take_all(&limiter), 0);
    let back = limiter.try_acquire(1).unwrap_err().retry_after();
    assert_eq!(back, Some(ms(1_601)));
    clock.set(at_ms(5_003));
    assert_eq!(take_all(&limiter), 3);
}

/// No test of timing: whoever is first, there are as many as there are.
#[test]
fn threads_share_exactly_what_is_there() {
    const THREADS: usize = 4;
    let (limiter, clock) = limiter(quota(1000, 100));
    let (start, granted) = (Barrier::new(THREADS), AtomicU64::new(0));
    for round in 0..100 {
        clock.set(at_ms(1_000 * round));
        granted.store(0, Ordering::Relaxed);
        thread::scope(|scope| {
            for n in 1..=THREADS as u32 {
                let (limiter, start, granted) = (&limiter, &start, &granted);
                scope.spawn(move || {
                    start.wait();
                    for _ in 0..40 {
                        if limiter.try_acquire(n).is_ok() {
                            granted.fetch_add(n.into(), Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        assert_eq!(granted.load(Ordering::Relaxed) as f64 + limiter.tokens(), 100.0);
        limiter.drain();
    }
}

/// The crate's own clocks have one origin, so a moment of one may be asked of another.
#[test]
fn moments_are_made_of_instants_and_of_numbers() {
    let moment = Timestamp::from_nanos(1_500);
    assert_eq!(moment.as_nanos(), 1_500);
    assert_eq!(moment + NS, Timestamp::from_nanos(1_501));
    assert_eq!(moment.saturating_duration_since(moment + secs(1)), Duration::ZERO);
    assert_eq!((moment + Duration::MAX).as_nanos(), u64::MAX);
    let limiter = RateLimiter::new(Quota::per_minute(1));
    let later = crate::support::now() + secs(3600);
    limiter.pause_until(later);
    let denied = limiter.try_acquire(1).unwrap_err();
    assert_eq!(denied.reason(), DeniedReason::Paused);
    assert!(denied.retry_after().is_some_and(|after| after > secs(3000) && after <= secs(3600)));
}
