//! The tests of Go's `golang.org/x/time/rate`, by name and by what they assert.
//!
//! A unit of time `d` is 100 ms, and moments are counted in it. Where Go passes a time, the clock
//! is moved there; where it has a context, a thread has a deadline and a task is dropped.
//!
//! Three times we grant less, where Go's own comments say that it violates the limit: after the
//! time has moved back ([`test_limiter_jump_backwards`], [`test_reserve_jump_back`],
//! [`test_reserve_jump_back_cancel`], and the end of [`test_reserve_set_burst`]). Go rewinds its
//! `last` with the clock, and supplies the same stretch again.
//!
//! | what cannot be expressed | why |
//! |---|---|
//! | `Every` of zero and of less: no limit | an error: [`test_every`]; a duration is not negative, and who wants no limit says `Rate::INF` |
//! | `Every(math.MaxInt64)` | 292 years; a period is at most 366 days, an error beyond: [`test_every`] |
//! | `Limit(1e-10)` of `TestTinyLimit` | once in 317 years; the slowest that there is stands in: [`test_tiny_limit`] |
//! | `TestCancelInvalid`: cancelling what was refused | a refusal is an error, with nothing to cancel; the rest of it stands in [`test_cancel_invalid`] |
//! | a context that was cancelled before: an error, though tokens are there | a wait that is dropped before it is polled, which takes nothing: [`test_wait_simple`] |
//! | `BenchmarkAllowN`, `BenchmarkWaitNNoDelay`, `BenchmarkSometimes` | figures: `cargo xtask bench ratelimit` |
//! | `TestSometimes*`, `ExampleSometimes_*` | they go with `Sometimes`, not with the limiter |

use crate::support::{at_ms, limiter, ms, quota, secs};
use lockgate_ratelimit::clock::{Manual, Timestamp};
use lockgate_ratelimit::{
    AcquireError, Denied, DeniedReason, Quota, QuotaError, Rate, RateLimiter, Reservation,
};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

/// The unit of time, in milliseconds.
const D: u64 = 100;

fn t(units: u64) -> Timestamp {
    at_ms(units * D)
}

fn d(units: u64) -> Duration {
    ms(units * D)
}

/// A limiter with a clock that is moved before each question.
struct Lim {
    limiter: RateLimiter<Manual>,
    clock: Manual,
}

impl Lim {
    fn new(quota: Quota) -> Self {
        let clock = Manual::new();
        Self { limiter: RateLimiter::with_clock(quota, clock.clone()), clock }
    }

    fn at(&self, units: u64) -> &RateLimiter<Manual> {
        self.clock.set(t(units));
        &self.limiter
    }

    /// A row of Go's tables: when, what is there, what is asked for, what comes of it.
    #[track_caller]
    fn rows(&self, rows: &[(u64, f64, u32, bool)]) {
        for &(when, tokens, n, ok) in rows {
            let limiter = self.at(when);
            assert_eq!(limiter.tokens(), tokens, "tokens at t{when}");
            assert_eq!(limiter.try_acquire(n).is_ok(), ok, "{n} at t{when}");
        }
    }

    /// A reservation that has to be due at the given time.
    #[track_caller]
    fn reserve(&self, when: u64, n: u32, due: u64) -> Reservation<'_, Manual> {
        let reservation = self.at(when).reserve(n).unwrap();
        assert_eq!(reservation.ready_at(), t(due), "{n} at t{when}");
        reservation
    }

    /// The same, and the caller acts on it.
    #[track_caller]
    fn commit(&self, when: u64, n: u32, due: u64) {
        assert_eq!(self.reserve(when, n, due).commit(), t(due));
    }
}

#[test]
fn test_limit() {
    assert_ne!(Rate::per_second(10), Rate::INF);
    assert!(!Rate::per_second(10).is_infinite());
}

#[test]
fn test_every() {
    let ns = Duration::from_nanos;
    for (interval, limit) in [
        (ns(1), 1e9),
        (ns(1_000), 1e6),
        (ms(1), 1e3),
        (ms(10), 100.0),
        (ms(100), 10.0),
        (secs(1), 1.0),
        (secs(2), 0.5),
        (ms(2500), 0.4),
        (secs(4), 0.25),
        (secs(10), 0.1),
    ] {
        let rate = Rate::every(interval);
        let error = (rate.per_second_f64() - limit).abs() / limit;
        assert!(error < 1e-9, "{interval:?} gave {}", rate.per_second_f64());
        assert_eq!(rate.interval(), Some(interval));
    }
    for period in [Duration::ZERO, ns(i64::MAX as u64)] {
        assert_eq!(Rate::try_per(1, period), Err(QuotaError::Period { period }));
    }
}

#[test]
fn test_limiter_burst_1() {
    Lim::new(quota(10, 1)).rows(&[
        (0, 1.0, 1, true),
        (0, 0.0, 1, false),
        (0, 0.0, 1, false),
        (1, 1.0, 1, true),
        (1, 0.0, 1, false),
        (1, 0.0, 1, false),
        (2, 1.0, 2, false),
        (2, 1.0, 1, true),
        (2, 0.0, 1, false),
    ]);
}

#[test]
fn test_limiter_burst_3() {
    Lim::new(quota(10, 3)).rows(&[
        (0, 3.0, 2, true),
        (0, 1.0, 2, false),
        (0, 1.0, 1, true),
        (0, 0.0, 1, false),
        (1, 1.0, 4, false),
        (2, 2.0, 1, true),
        (3, 2.0, 1, true),
        (4, 2.0, 1, true),
        (4, 1.0, 1, true),
        (4, 0.0, 1, false),
        (4, 0.0, 1, false),
        (9, 3.0, 3, true),
        (9, 0.0, 0, true),
    ]);
}

/// Go has 2 tokens when the time moves back to t0, and grants 5 from t0 to t2, which is one above
/// burst + rate · time. Here the supply of t0 to t1 counts once.
#[test]
fn test_limiter_jump_backwards() {
    Lim::new(quota(10, 3)).rows(&[
        (1, 3.0, 1, true),
        (0, 1.0, 1, true),
        (0, 0.0, 1, false),
        (0, 0.0, 1, false),
        (1, 1.0, 1, true),
        (1, 0.0, 1, false),
        (1, 0.0, 1, false),
        (2, 1.0, 1, true),
        (2, 0.0, 1, false),
        (2, 0.0, 1, false),
    ]);
}

/// 0.769… a second, one in 1.3 s, which no float holds. Here it is a fraction.
#[test]
fn test_limiter_no_truncation_errors() {
    let lim = Lim::new(Quota::new(Rate::per(10, secs(13)), 1));
    assert!(lim.limiter.try_acquire(1).is_ok());
    assert_eq!(
        lim.limiter.try_acquire(1).map_err(|denied| denied.retry_after()),
        Err(Some(ms(1300)))
    );
}

#[test]
fn test_simultaneous_requests() {
    const THREADS: usize = 15;
    let lim = Lim::new(quota(1, 5));
    let (start, granted) = (Barrier::new(THREADS), AtomicU32::new(0));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                start.wait();
                if lim.limiter.try_acquire(1).is_ok() {
                    granted.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(granted.into_inner(), 5);
}

#[test]
fn test_long_running_qps() {
    let lim = Lim::new(quota(100, 100));
    let (mut granted, steps) = (0, 5_000 / 2);
    for step in 0..=steps {
        lim.clock.set(at_ms(2 * step));
        granted += u32::from(lim.limiter.try_acquire(1).is_ok());
    }
    let ideal = 100.0 + 100.0 * (2 * steps) as f64 / 1e3;
    assert!((0.999 * ideal..=ideal + 1.0).contains(&granted.into()), "{granted} of {ideal}");
}

#[test]
fn test_simple_reserve() {
    let lim = Lim::new(quota(10, 2));
    lim.commit(0, 2, 0);
    lim.commit(0, 2, 2);
    lim.commit(3, 2, 4);
}

#[test]
fn test_mix() {
    let lim = Lim::new(quota(10, 2));
    assert_eq!(
        lim.at(0).reserve(3).unwrap_err(),
        AcquireError::ExceedsBurst { requested: 3, burst: 2 }
    );
    lim.commit(0, 2, 0);
    lim.rows(&[(1, 1.0, 2, false)]);
    lim.commit(1, 2, 2);
    lim.rows(&[(1, -1.0, 1, false), (3, 1.0, 1, true)]);
}

#[test]
fn test_cancel_invalid() {
    let lim = Lim::new(quota(10, 2));
    lim.commit(0, 2, 0);
    assert!(lim.at(0).reserve(3).is_err());
    lim.commit(0, 2, 2);
}

#[test]
fn test_cancel_last() {
    let lim = Lim::new(quota(10, 2));
    lim.commit(0, 2, 0);
    let reservation = lim.reserve(0, 2, 2);
    lim.at(1);
    assert_eq!(reservation.cancel(), 2);
    lim.commit(1, 2, 2);
}

#[test]
fn test_cancel_too_late() {
    let lim = Lim::new(quota(10, 2));
    lim.commit(0, 2, 0);
    let reservation = lim.reserve(0, 2, 2);
    lim.at(3);
    assert_eq!(reservation.cancel(), 0);
    lim.commit(3, 2, 4);
}

#[test]
fn test_cancel_0_tokens() {
    let lim = Lim::new(quota(10, 2));
    lim.commit(0, 2, 0);
    let reservation = lim.reserve(0, 1, 1);
    lim.commit(0, 1, 2);
    assert_eq!(reservation.cancel(), 0);
    lim.commit(0, 1, 3);
}

#[test]
fn test_cancel_1_token() {
    let lim = Lim::new(quota(10, 2));
    lim.commit(0, 2, 0);
    let reservation = lim.reserve(0, 2, 2);
    lim.commit(0, 1, 3);
    lim.at(2);
    assert_eq!(reservation.cancel(), 1);
    lim.commit(2, 2, 4);
}

#[test]
fn test_cancel_multi() {
    let lim = Lim::new(quota(10, 4));
    lim.commit(0, 4, 0);
    let a = lim.reserve(0, 3, 3);
    lim.commit(0, 1, 4);
    let c = lim.reserve(0, 1, 5);
    lim.at(1);
    assert_eq!(c.cancel(), 1);
    assert_eq!(a.cancel(), 2);
    lim.commit(1, 3, 5);
}

/// After the jump, each is due one later than in Go, which counts the token of t0 to t1 twice.
#[test]
fn test_reserve_jump_back() {
    let lim = Lim::new(quota(10, 2));
    lim.commit(1, 2, 1);
    lim.commit(0, 1, 2);
    lim.commit(2, 2, 4);
    assert!(lim.at(0).reserve(3).is_err());
    lim.commit(2, 1, 5);
    assert!(lim.at(0).reserve_within(2, d(1)).unwrap_err().is_too_long());
    lim.commit(2, 1, 6);
}

/// t4 in Go, whose comment says that it should violate the limit and the burst. Here it does not.
#[test]
fn test_reserve_jump_back_cancel() {
    let lim = Lim::new(quota(10, 2));
    lim.commit(1, 2, 1);
    let reservation = lim.reserve(1, 2, 3);
    lim.commit(1, 1, 4);
    lim.at(0);
    assert_eq!(reservation.cancel(), 1);
    lim.commit(1, 2, 5);
}

#[test]
fn test_reserve_set_limit() {
    let lim = Lim::new(quota(5, 2));
    lim.commit(0, 2, 0);
    lim.commit(0, 2, 4);
    lim.at(2).set_rate(Rate::per_second(10));
    lim.commit(2, 1, 4);
}

/// The last call moves the time back from t3 to t0. In Go it is due at t9; asked at t3, at t12 in Go
/// as well. Here it is due at t12, whenever it is asked.
#[test]
fn test_reserve_set_burst() {
    let lim = Lim::new(quota(5, 2));
    lim.commit(0, 2, 0);
    lim.commit(0, 2, 4);
    lim.at(3).set_burst(4);
    lim.commit(0, 4, 12);
}

#[test]
fn test_reserve_set_limit_cancel() {
    let lim = Lim::new(quota(5, 2));
    lim.commit(0, 2, 0);
    let reservation = lim.reserve(0, 2, 4);
    lim.at(2).set_rate(Rate::per_second(10));
    assert_eq!(reservation.cancel(), 2);
    lim.commit(2, 2, 3);
}

#[test]
fn test_reserve_max() {
    let lim = Lim::new(quota(10, 2));
    let within = |n| lim.at(0).reserve_within(n, d(1)).map(Reservation::commit);
    assert_eq!(within(2), Ok(t(0)));
    assert_eq!(within(1), Ok(t(1)));
    assert_eq!(within(1), Err(AcquireError::TooLong { wait: Some(d(2)) }));
}

#[test]
fn test_zero_limit() {
    let (limiter, clock) = limiter(Quota::new(Rate::ZERO, 1));
    assert!(limiter.try_acquire(1).is_ok());
    clock.advance(secs(1_000_000));
    assert!(limiter.try_acquire(1).unwrap_err().is_never());
}

#[test]
fn test_tiny_limit() {
    const SLOWEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
    assert!(Rate::try_per(1, secs(10_000_000_000)).is_err());
    let (limiter, clock) = limiter(Quota::every(SLOWEST));
    assert!(limiter.try_acquire(1).is_ok());
    let again = |denied: Denied| (denied.reason(), denied.retry_after());
    assert_eq!(limiter.try_acquire(1).map_err(again), Err((DeniedReason::NotYet, Some(SLOWEST))));
    clock.advance(SLOWEST);
    assert!(limiter.try_acquire(1).is_ok());
}

#[cfg(any(feature = "sync", feature = "async"))]
mod waits {
    use super::{d, t};
    use crate::support::{World, in_both_worlds, limiter, quota};
    use lockgate_ratelimit::{AcquireError, Quota, Rate};
    use std::time::Duration;

    in_both_worlds![
        test_wait_simple,
        test_wait_cancel,
        test_wait_timeout,
        test_wait_inf,
        test_set_after_zero_limit,
    ];

    fn test_wait_simple<W: World>() {
        let (limiter, clock) = limiter(quota(10, 3));
        drop(limiter.acquire_owned(1));
        assert_eq!(
            W::at_once(limiter.acquire_owned(4)),
            Err(AcquireError::ExceedsBurst { requested: 4, burst: 3 })
        );
        assert_eq!(W::at_once(limiter.acquire_owned(2)), Ok(Duration::ZERO));
        let mut waiting = W::queue(&limiter, limiter.acquire_owned(3));
        clock.set(t(1));
        assert!(W::still_waits(&mut waiting));
        clock.set(t(2));
        assert_eq!(W::outcome(waiting), Ok(d(2)));
    }

    /// What ends a thread's wait is that it learns that it would take too long; a task's wait may
    /// simply be dropped, see [`test_wait_cancel_of_a_task`](super::test_wait_cancel_of_a_task).
    fn test_wait_cancel<W: World>() {
        let (limiter, clock) = limiter(quota(10, 3));
        assert_eq!(W::at_once(limiter.acquire_owned(2)), Ok(Duration::ZERO));
        let waiting = W::queue(&limiter, limiter.acquire_owned(3).within(d(2)));
        clock.set(t(1));
        limiter.set_rate(Rate::per_second(5));
        assert_eq!(W::outcome(waiting), Err(AcquireError::TooLong { wait: Some(d(2)) }));
        assert_eq!(W::at_once(limiter.acquire_owned(2)), Ok(Duration::ZERO));
        assert_eq!(limiter.tokens(), 0.0);
    }

    fn test_wait_timeout<W: World>() {
        let (limiter, clock) = limiter(quota(10, 3));
        assert_eq!(W::at_once(limiter.acquire_owned(2).within(d(1))), Ok(Duration::ZERO));
        assert_eq!(
            W::at_once(limiter.acquire_owned(3).within(d(1))),
            Err(AcquireError::TooLong { wait: Some(d(2)) })
        );
        assert_eq!((limiter.tokens(), clock.sleepers()), (1.0, 0));
    }

    fn test_wait_inf<W: World>() {
        let (limiter, _) = limiter(Quota::INF);
        assert_eq!(W::at_once(limiter.acquire_owned(3)), Ok(Duration::ZERO));
    }

    fn test_set_after_zero_limit<W: World>() {
        let (limiter, clock) = limiter(Quota::new(Rate::ZERO, 1));
        assert!(limiter.try_acquire(1).is_ok());
        assert!(limiter.try_acquire(1).is_err());
        limiter.set_rate(Rate::per_second(10));
        let waiting = W::queue(&limiter, limiter.acquire_owned(1));
        clock.set(t(1));
        assert_eq!(W::outcome(waiting), Ok(d(1)));
    }
}

#[test]
#[cfg(feature = "async")]
fn test_wait_cancel_of_a_task() {
    use crate::support::tasks::Task;

    let (limiter, clock) = limiter(quota(10, 3));
    assert_eq!(Task::spawned(limiter.acquire(2)).output(), Ok(Duration::ZERO));
    let mut waiting = Task::spawned(limiter.acquire(3));
    clock.set(t(1));
    assert!(waiting.still_waits());
    drop(waiting);
    assert_eq!(Task::spawned(limiter.acquire(2)).output(), Ok(Duration::ZERO));
}
