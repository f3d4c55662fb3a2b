//! What went wrong elsewhere: one test per defect, with the issue that tells its story.
//!
//! | what cannot occur here, or is tested elsewhere | reference | why, or where |
//! |---|---|---|
//! | a call that fails changes the state | go#52584 | `laws::what_is_denied_changes_nothing` |
//! | a float or a truncated duration loses a token | go#34861 | a rate is a fraction: `go_parity::test_limiter_no_truncation_errors`, `laws::reservations_are_due_exactly` |
//! | nobody can ask for the tokens, set them, or learn how long a wait took | go#50035, go#68677, go#68719 | `tokens`, `set_tokens`, and what a wait gives: [`laws`](crate::laws), [`waiting`](crate::waiting) |
//! | the clock cannot be replaced in tests | cadence#6030, temporal#4591 | `Manual`, and any `Clock`: `waiting::tasks_of_a_runtime::a_clock_of_ones_own_runs_under_paused_time` |
//! | the quota cannot change but by a new limiter with a fresh burst | governor#273, governor#39 | [`reconfigure`](crate::reconfigure) |
//! | nothing can be given back | governor#186 | `refund`, `cancel`: [`laws`](crate::laws) |
//! | a default clock that is not monotonic across cores | governor#299, quanta#111 | `Instant` is the default; a clock that jumps anyway is below |
//! | a sliding window was expected | governor#219 | the crate's page says what a bucket grants in a window: burst + rate · Δ |
//! | memory without bound under keys that an attacker chooses | governor#171, librefang#3668, pubky#127, affinidi#808 | one limiter keeps nothing per caller; `Keyed` has a bound, and tests of its own |
//! | no way to ask without waiting | leaky-bucket#20 | `try_acquire` |
//! | an interval of less than a millisecond panics | leaky-bucket | [`errors`](crate::errors): from 1 ns on |
//! | a `core` task that sleeps for all others, and is dropped or misused | leaky-bucket#26, leaky-bucket#9 | nobody sleeps for anybody else: a place in line is a moment |
//! | a count of whole tokens times a scale saturates | ratelimit 2.0 | units are chosen so that burst and rate fit, at construction: [`errors`](crate::errors) |
//! | every clone has a state of its own, or there is no clone | tower#794, tower#833, axum#2634, axum#3682 | a limiter is shared by reference or in an `Arc`, and is not `Clone`; the layers share it |
//! | `Retry-After` in whole seconds, rounded down to 0 | tower_governor | durations are exact here (`laws::a_denial_names_the_very_nanosecond`); rounding up is the layer's, and tested there |
//! | the leftmost `X-Forwarded-For` is believed | status-list-server#238, rari#117 | no header is read by a limiter |
//! | a request of a negative number adds tokens | bucket4j#417 | numbers have no sign |
//! | a client that batches takes more than there is | bucket4j#501, bucket4j#20 | nothing is batched; each request is one exchange |
//! | time as a signed number that may be negative | resilience4j#66 | moments count from the clock's origin and are not negative |
//! | contention on one lock | guava#6205 | a figure: `cargo xtask bench ratelimit` |
//! | a limiter cannot say no without sleeping | uber-go/ratelimit#79 | `try_acquire` |
//! | the wall clock, which somebody may set | throttlecrab | `Instant` is the default |

use crate::support::{at_ms, limiter, ms, now, quota, secs, take_all};
use lockgate_ratelimit::clock::{Clock, Manual, Timestamp};
use lockgate_ratelimit::{AcquireError, Quota, Rate, RateLimiter};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// A clock that is read late, by a different time on every call: what threads see that are
/// interrupted between reading the time and acting on it.
struct Late(Manual, AtomicU64);

impl Clock for Late {
    fn now(&self) -> Timestamp {
        let state = self.1.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let late = (state ^ state >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40;
        Timestamp::from_nanos(self.0.now().as_nanos().saturating_sub(late % 50_000_000))
    }
}

/// go#71360 ("exceeded 5000x"), go#65508, go#56287, go#56263, go#56145, go#45245, go#23145,
/// tikv/pd#10744, tikv/pd#10745, pragmatica#1315, cadence#6030: who comes late writes an older
/// time, and the next one is credited the same stretch again.
#[test]
fn a_time_that_was_read_late_mints_nothing() {
    const THREADS: usize = 4;
    const STEPS: u64 = 200;
    let clock = Manual::new();
    clock.set(at_ms(1_000));
    let limiter = RateLimiter::with_clock(quota(1_000, 5), Late(clock.clone(), AtomicU64::new(7)));
    let (barrier, granted) = (Barrier::new(THREADS + 1), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..2_000 {
                    let n = u64::from(limiter.try_acquire(1).is_ok());
                    granted.fetch_add(n, Ordering::Relaxed);
                }
            });
        }
        barrier.wait();
        for _ in 0..STEPS {
            clock.advance(ms(1));
            thread::yield_now();
        }
    });
    // 50 ms before the limiter was made, the clock may have been read for it.
    let most = 5 + STEPS + 50;
    assert!((5..=most).contains(&granted.into_inner()));
}

/// The same, step by step: back and forth over one stretch of time, a thousand times.
#[test]
fn a_stretch_of_time_counts_once() {
    let (limiter, clock) = limiter(quota(10, 5));
    clock.set(at_ms(1_000));
    assert_eq!(take_all(&limiter), 5);
    let mut granted = 0;
    for _ in 0..1_000 {
        clock.set(at_ms(900));
        granted += take_all(&limiter);
        clock.set(at_ms(1_100));
        granted += take_all(&limiter);
    }
    assert_eq!(granted, 1);
}

/// quanta#111, filtermail#166, filtermail#167: 1.6 s back, and good requests were refused long after.
#[test]
fn a_clock_that_jumps_denies_no_longer_than_it_is_wrong() {
    let (limiter, clock) = limiter(quota(100, 10));
    clock.set(at_ms(10_000));
    assert_eq!(take_all(&limiter), 10);
    // A change at the right time, and one at the wrong one.
    limiter.set_rate(Rate::per_second(100));
    clock.set(at_ms(8_400));
    assert_eq!(take_all(&limiter), 0);
    limiter.set_rate(Rate::per_second(100));
    clock.set(at_ms(10_050));
    assert_eq!(take_all(&limiter), 5);
    clock.set(at_ms(10_300));
    assert_eq!(take_all(&limiter), 10);
}

/// go#56924, go#69419: cancelling restored the wrong number. The shortest schedule in which Go
/// gives back three tokens for one.
#[test]
fn a_cancelled_reservation_gives_back_no_more_than_it_took() {
    let (limiter, _) = limiter(quota(1, 5));
    let mut made: Vec<_> =
        [5, 5, 5, 5, 4, 1].into_iter().map(|n| Some(limiter.reserve(n).unwrap())).collect();
    let due = |units| Timestamp::default() + secs(units);
    assert_eq!(made[5].as_ref().unwrap().ready_at(), due(20));
    let mut cancel = |k: usize| made[k].take().unwrap().cancel();
    assert_eq!((cancel(4), cancel(1)), (3, 0));
    let earlier = limiter.reserve(1).unwrap();
    assert_eq!(earlier.ready_at(), due(18));
    let before = limiter.tokens();
    assert!(cancel(5) <= 1);
    assert!(limiter.tokens() <= before + 1.0);
    earlier.commit();
    for reservation in made.into_iter().flatten() {
        reservation.commit();
    }
}

/// cadence#6030: what was granted at once could not be cancelled, so several limits could not be
/// asked as one.
#[test]
fn what_was_granted_at_once_can_be_given_back() {
    let (limiter, clock) = limiter(quota(10, 3));
    assert_eq!(limiter.reserve(3).unwrap().cancel(), 3);
    assert_eq!(limiter.tokens(), 3.0);
    assert!(limiter.try_acquire(3).is_ok());
    clock.advance(ms(100));
    limiter.refund(3);
    assert_eq!(limiter.tokens(), 3.0);
}

/// go#71154: the time for many tokens at a low rate ran over. governor multiplied with wrapping.
#[test]
fn a_wait_beyond_all_time_is_never_and_not_soon() {
    let (limiter, _) = limiter(Quota::every(DAY * 366).burst(u32::MAX).initial(0));
    for n in [1_000, 1 << 20, u32::MAX] {
        assert!(limiter.try_acquire(n).unwrap_err().is_never());
        assert_eq!(limiter.reserve(n).unwrap_err(), AcquireError::TooLong { wait: None });
    }
    let wait = limiter.try_acquire(100).unwrap_err().retry_after();
    assert_eq!(wait, Some(DAY * 36_600));
    assert_eq!(limiter.tokens(), 0.0);
}

/// governor: `t * (burst - 1)` wraps. At 1 in 365 days a burst of 585 admits 1169 and one of 586
/// admits 1; at 1 a day 213 504 admits 427 007, and u32::MAX 121 186.
#[test]
fn a_slow_rate_with_a_large_burst_grants_the_burst() {
    for (period, burst) in [
        (DAY * 365, 585),
        (DAY * 365, 586),
        (DAY, 213_504),
        (DAY, u32::MAX),
        (Duration::from_nanos(1), u32::MAX),
        (DAY * 366, u32::MAX),
    ] {
        let (limiter, _) = limiter(Quota::every(period).burst(burst));
        assert!(limiter.try_acquire(burst - 1).is_ok());
        assert_eq!(take_all(&limiter), 1, "{period:?} {burst}");
        assert_eq!(limiter.try_up_to(u32::MAX), 0);
    }
}

/// governor: an interval in whole nanoseconds makes 300 M/s 11 % faster, 600 M/s 67 %, and halves
/// 2·10⁹/s. governor#203: more than 10⁹/s.
#[test]
fn a_high_rate_is_the_rate_that_was_asked_for() {
    for per_second in [3_000_000, 300_000_000, 600_000_000, 999_999_937, 2_000_000_000, u32::MAX] {
        let (limiter, clock) = limiter(quota(per_second, u32::MAX).initial(0));
        let mut granted = 0_u64;
        for _ in 0..10_000 {
            clock.advance(Duration::from_nanos(7_919));
            granted += u64::from(limiter.drain());
        }
        let exact = u128::from(per_second) * 79_190_000 / 1_000_000_000;
        assert_eq!(u128::from(granted), exact, "{per_second} a second");
    }
}

/// ratelimit 2.0: what was left over was dropped at every look, so half was lost under polling:
/// 1/60 s every 119 µs, 7/60 s every 17 µs, 1/h every 7.1 ms, 1/day every 170 ms.
#[test]
fn polling_loses_nothing() {
    let us = Duration::from_micros;
    for (tokens, period, poll) in [
        (1, secs(60), us(119)),
        (7, secs(60), us(97)),
        (1, secs(3_600), us(7_100)),
        (1, DAY, ms(170)),
    ] {
        let (limiter, clock) = limiter(Quota::per(tokens, period).burst(2).initial(0));
        let mut granted = 0;
        let polls = (2 * period.as_nanos() / poll.as_nanos()) as u32 + 1;
        for _ in 0..polls {
            clock.advance(poll);
            granted += u32::from(limiter.try_acquire(1).is_ok());
        }
        assert_eq!(granted, 2 * tokens, "{tokens} in {period:?} polled every {poll:?}");
    }
}

/// ratelimit 2.0: a new rate counted for the time before it, too: a second at 1/s, and then 1000/s,
/// gave 999 tokens.
#[test]
fn a_new_rate_does_not_count_for_the_past() {
    let (limiter, clock) = limiter(quota(1, 10_000).initial(0));
    clock.advance(secs(1));
    limiter.set_rate(Rate::per_second(1_000));
    assert_eq!(limiter.tokens(), 1.0);
    clock.advance(ms(2));
    assert_eq!(take_all(&limiter), 3);
}

/// ratelimit 2.0: time was taken before its tokens were put in, so that others were denied what
/// was there. rustcommon#64: or found what was not.
#[test]
fn when_there_is_one_for_each_everybody_gets_one() {
    const THREADS: u32 = 4;
    let (limiter, clock) = limiter(quota(1_000, THREADS).initial(0));
    let barrier = Barrier::new(THREADS as usize + 1);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..300 {
                        barrier.wait();
                        assert!(limiter.try_acquire(1).is_ok());
                        barrier.wait();
                        assert!(limiter.try_acquire(1).is_err());
                        barrier.wait();
                    }
                })
            })
            .collect();
        for _ in 0..300 {
            clock.advance(ms(THREADS.into()));
            barrier.wait();
            barrier.wait();
            barrier.wait();
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    });
}

/// governor#249, governor#107: after a pause, one more than the burst. governor#16: 1.5 times the
/// quota. leaky-bucket#30: any number after a long one; unfair, twice the burst.
#[test]
fn a_pause_saves_up_the_burst_and_no_more() {
    for idle in [ms(50), ms(55), ms(300), secs(3_600), DAY * 3_000] {
        let (limiter, clock) = limiter(quota(100, 5));
        for _ in 0..3 {
            clock.advance(idle);
            assert_eq!(take_all(&limiter), 5, "after {idle:?}");
            clock.advance(ms(10) - Duration::from_nanos(1));
            assert_eq!(take_all(&limiter), 0, "after {idle:?}");
            clock.advance(Duration::from_nanos(1));
        }
    }
}

/// bucket4j#51: after a long time without a call the count was negative. uber-go/ratelimit#106,
/// #119, #122: after one, there was no limit any more.
#[test]
fn a_long_time_without_a_call_is_nothing_special() {
    let (limiter, clock) = limiter(quota(1_000_000, 100));
    for days in [1, 365, 3_650, 36_500] {
        clock.advance(DAY * days);
        assert_eq!(limiter.tokens(), 100.0);
        for _ in 0..1_000 {
            assert!(limiter.try_acquire(100).is_ok());
            assert!(limiter.try_acquire(1).is_err());
            clock.advance(Duration::from_micros(100));
        }
    }
}

/// governor#102, governor#157: what was left was reported wrong.
#[test]
fn what_is_left_goes_down_one_by_one_and_comes_back() {
    let (limiter, clock) = limiter(quota(10, 20));
    for left in (0..20).rev() {
        assert!(limiter.try_acquire(1).is_ok());
        assert_eq!(limiter.tokens(), f64::from(left));
    }
    for there in 1..=20 {
        clock.advance(ms(100));
        assert_eq!(limiter.tokens(), f64::from(there));
    }
    clock.advance(ms(100));
    assert_eq!(limiter.tokens(), 20.0);
}

/// ratelimit_meter#36: the time to come back was that of one token, whatever was asked for and
/// whatever the burst. bucket4j#88: the part of a token that is there did not count.
#[test]
fn the_time_to_come_back_counts_burst_request_and_fraction() {
    let (limiter, clock) = limiter(quota(1, 10));
    assert!(limiter.try_acquire(8).is_ok());
    clock.advance(ms(200));
    for n in 3..=10_u32 {
        let wait = limiter.try_acquire(n).unwrap_err().retry_after();
        assert_eq!(wait, Some(secs(u64::from(n) - 2) - ms(200)));
    }
}

/// bucket4j#220: more than the bucket holds got a finite time. Guava: it got the tokens, and others
/// paid.
#[test]
fn more_than_the_burst_is_never() {
    let (limiter, _) = limiter(Quota::per(3, secs(2)));
    let denied = limiter.try_acquire(4).unwrap_err();
    assert!(denied.is_never() && denied.retry_after().is_none());
    let error = AcquireError::ExceedsBurst { requested: 4, burst: 3 };
    assert_eq!(limiter.reserve(4).unwrap_err(), error);
    assert_eq!(limiter.tokens(), 3.0);
}

/// tower: a window that starts anew, so 199 in 15 ms at 100 in 400 ms. tower#842: a sliding one was
/// asked for. resilience4j#822, #824: permissions of two cycles in one.
#[test]
fn there_is_no_edge_at_which_two_windows_meet() {
    let (limiter, clock) = limiter(Quota::per(100, ms(400)).initial(0));
    let mut granted = Vec::new();
    for now in 0..4_000 {
        clock.set(at_ms(now));
        // Idle, and then everything at once: around every edge that there might be.
        if now % 400 > 380 || now % 400 < 15 {
            granted.extend(std::iter::repeat_n(now, take_all(&limiter) as usize));
        }
    }
    assert!(granted.len() > 900, "{}", granted.len());
    for window in granted.windows(105) {
        assert!(window[104] - window[0] > 15, "105 at {window:?}");
    }
}

/// axum-limit#2: one token came back, however long the wait.
#[test]
fn supply_is_in_proportion_to_time() {
    let (limiter, clock) = limiter(quota(100, 50));
    for (idle, there) in [(100, 10), (10, 1), (333, 33), (7, 1), (500, 50)] {
        limiter.drain();
        clock.advance(ms(idle));
        assert_eq!(limiter.drain(), there);
    }
}

/// async-speed-limit: to hit exactly zero cost a whole extra wait.
#[test]
fn taking_the_last_token_costs_nothing_extra() {
    let (limiter, clock) = limiter(quota(1_000, 10));
    assert!(limiter.try_acquire(10).is_ok());
    assert_eq!(limiter.tokens(), 0.0);
    assert_eq!(limiter.try_acquire(1).unwrap_err().retry_after(), Some(ms(1)));
    clock.advance(ms(1));
    assert!(limiter.try_acquire(1).is_ok());
    assert_eq!(limiter.tokens(), 0.0);
}

/// resilience4j#1244: all limiters began when the first did. resilience4j#61, #62: and had nothing
/// in their first cycle.
#[test]
fn a_limiter_begins_when_it_is_made() {
    let clock = Manual::new();
    for start in [0, 1, 999, 12_345] {
        clock.set(at_ms(start));
        let full = RateLimiter::with_clock(quota(10, 5), clock.clone());
        let empty = RateLimiter::with_clock(quota(10, 5).initial(0), clock.clone());
        assert_eq!((take_all(&full), take_all(&empty)), (5, 0));
        clock.set(at_ms(start + 100));
        assert_eq!((take_all(&full), take_all(&empty)), (1, 1));
    }
}

/// resilience4j#2489: a limit that fell below what was there ended the supply for good.
/// resilience4j#1073: it was not heeded before the next cycle.
#[test]
fn a_burst_that_falls_below_what_is_there_is_heeded_at_once_and_harms_nothing() {
    let (limiter, clock) = limiter(quota(10, 50));
    limiter.set_burst(3);
    assert_eq!(take_all(&limiter), 3);
    for _ in 0..5 {
        clock.advance(ms(200));
        assert_eq!(take_all(&limiter), 2);
    }
}

/// uber-go/ratelimit#90, #124, and its pull request 60: slack that could be used twice, once too
/// often, or not at all.
#[test]
fn what_was_saved_up_is_spent_once() {
    let (limiter, clock) = limiter(quota(100, 10));
    let mut granted = take_all(&limiter);
    clock.advance(ms(50));
    for _ in 0..100 {
        granted += take_all(&limiter);
        clock.advance(ms(10));
    }
    granted += take_all(&limiter);
    assert_eq!(granted, 10 + 105);
}

/// ratelimit 2.0: changing rate and period "atomically" were two stores.
#[test]
fn a_quota_is_replaced_in_one_step() {
    let (limiter, _) = limiter(quota(10, 5));
    let other = Quota::new(Rate::per(7, secs(60)), 9);
    limiter.replace(other, lockgate_ratelimit::Inherit::AsIs);
    assert_eq!(limiter.quota(), other);
    // While others look: `reconfigure::nobody_sees_half_a_change`.
}

/// resilience4j#1283, #1968, #2194: a time-out that cannot be met was slept through.
#[cfg(feature = "sync")]
#[test]
fn a_time_out_that_cannot_be_met_is_not_slept_through() {
    let limiter = RateLimiter::new(Quota::every(DAY));
    assert!(limiter.try_acquire(1).is_ok());
    let start = now();
    assert!(limiter.acquire(1).wait_timeout(secs(3_600)).unwrap_err().is_too_long());
    assert!(start.elapsed() < secs(60));
}

/// The same where nobody blocks: `reserve_within` is `reservePermission`.
#[test]
fn a_reservation_that_would_take_too_long_is_refused_at_once() {
    let limiter = RateLimiter::new(Quota::every(DAY));
    assert!(limiter.try_acquire(1).is_ok());
    let start = now();
    assert!(limiter.reserve_within(1, secs(3_600)).unwrap_err().is_too_long());
    assert!(start.elapsed() < secs(60));
}

#[cfg(feature = "async")]
mod waits {
    use crate::support::tasks::{Task, poll};
    use crate::support::{Wakes, at_ms, limiter, ms, quota};
    use lockgate_ratelimit::RateLimiter;
    use lockgate_ratelimit::clock::{Clock, Manual, Timer, Timestamp};
    use std::collections::VecDeque;
    use std::future::{Ready, ready};
    use std::task::Poll;
    use std::time::Instant;

    /// A timer that rings whenever it is asked.
    struct Hasty(Manual);

    impl Clock for Hasty {
        fn now(&self) -> Timestamp {
            self.0.now()
        }
    }

    impl Timer for Hasty {
        type Sleep = Ready<()>;

        fn sleep_until(&self, _: Timestamp) -> Ready<()> {
            ready(())
        }

        fn instant(&self, _: Timestamp) -> Option<Instant> {
            None
        }
    }

    /// tower-resilience#363, #394: a second wait was taken for success.
    #[test]
    fn a_timer_that_rings_early_grants_nothing() {
        let clock = Manual::new();
        let limiter = RateLimiter::with_clock(quota(10, 1).initial(0), Hasty(clock.clone()));
        let wakes = Wakes::new();
        let mut wait = limiter.acquire(1);
        for round in 1..=20 {
            assert!(poll(&mut wait, &wakes.waker()).is_pending());
            assert_eq!(wakes.count(), round, "it comes again");
        }
        clock.set(at_ms(100));
        assert_eq!(poll(&mut wait, &wakes.waker()), Poll::Ready(Ok(ms(100))));
    }

    /// leaky-bucket: eight tasks at 100/s for 4 s, one of them got 359, the others 1 each. governor:
    /// 20 to 47 of 47, and one wait of 873 ms where 64 would do.
    #[test]
    fn nobody_takes_more_than_his_turn() {
        const TASKS: usize = 64;
        let (limiter, clock) = limiter(quota(1_000, 1).initial(0));
        let mut line: VecDeque<_> =
            (0..TASKS).map(|number| (number, 0, Task::spawned(limiter.acquire(1)))).collect();
        let mut granted = [0_u32; TASKS];
        for now in 1..=3_000 {
            clock.set(at_ms(now));
            let (number, since, task) = line.pop_front().unwrap();
            let waited = task.output().unwrap();
            assert_eq!(waited, ms(now - since));
            assert!(waited <= ms(TASKS as u64), "{waited:?}");
            granted[number] += 1;
            line.push_back((number, now, Task::spawned(limiter.acquire(1))));
        }
        let (least, most) = (granted.iter().min().unwrap(), granted.iter().max().unwrap());
        assert!(most - least <= 1, "{granted:?}");
    }

    /// leaky-bucket#9, and its deadlines from when somebody woke up: 13 to 56 % below the rate.
    #[test]
    fn waking_up_late_costs_no_rate() {
        let (limiter, clock) = limiter(quota(1_000, 4).initial(0));
        let mut granted = 0;
        let mut line: VecDeque<_> = (0..8).map(|_| Task::spawned(limiter.acquire(1))).collect();
        // Each look is late, by 0 to 2.9 ms.
        for look in 1..=1_000_u64 {
            clock.set(at_ms(3 * look) + ms(1) * (look * 7 % 30) as u32 / 10);
            while !line[0].still_waits() {
                line.pop_front().unwrap().output().unwrap();
                granted += 1;
                line.push_back(Task::spawned(limiter.acquire(1)));
            }
        }
        assert!((2_990..=3_010).contains(&granted), "{granted}");
    }

    /// leaky-bucket#39: a failed attempt wrote back what it had read, and tokens were lost or came
    /// twice while others waited.
    #[test]
    fn attempts_that_fail_beside_waits_leave_no_trace() {
        let (limiter, clock) = limiter(quota(1_000, 4).initial(0));
        let mut granted = 0;
        for now in 1..=1_000 {
            let (one, two) = (Task::spawned(limiter.acquire(1)), limiter.acquire(2));
            assert!(limiter.try_acquire(1).is_err());
            drop(two);
            clock.set(at_ms(now));
            assert!(limiter.try_acquire(1).is_err());
            granted += u64::from(one.output().is_ok());
            assert!(limiter.try_acquire(1).is_err());
        }
        assert_eq!((granted, limiter.tokens()), (1_000, 0.0));
        clock.set(at_ms(1_004));
        assert!(limiter.try_acquire(4).is_ok());
    }
}
