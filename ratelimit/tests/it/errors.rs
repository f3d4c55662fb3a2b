//! What goes wrong, what it says, and what can be asked of it.

use crate::support::{limiter, panic_of, quota, secs};
use lockgate_ratelimit::{
    AcquireError, DeniedReason, Quota, QuotaError, Rate, RateLimiter, TokensError,
};
use std::error::Error;
use std::time::Duration;

/// What the family asks of a message: lower case, no period, no line break.
fn message(error: impl Error + Send + Sync + Clone + PartialEq + 'static) -> String {
    assert_eq!(error.clone(), error);
    assert!(error.source().is_none());
    assert!(!format!("{error:?}").is_empty());
    let text = error.to_string();
    let boxed: Box<dyn Error + Send + Sync> = error.into();
    assert_eq!(boxed.to_string(), text);
    assert!(!text.starts_with(char::is_uppercase), "{text}");
    assert!(!text.ends_with('.') && !text.contains('\n'), "{text}");
    text
}

const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

#[test]
fn a_bad_rate_is_named_together_with_the_range() {
    let rate = |tokens, period| message(Rate::try_per(tokens, period).unwrap_err());
    assert_eq!(rate(0, secs(1)), "a rate of 0 tokens is out of the range 1 to u32::MAX");
    assert_eq!(rate(1, secs(0)), "a period of 0ns is out of the range 1 ns to 366 days");
    let long = YEAR + Duration::from_nanos(1);
    assert_eq!(rate(1, long), format!("a period of {long:?} is out of the range 1 ns to 366 days"));
    assert_eq!(
        rate(1, Duration::MAX),
        format!("a period of {:?} is out of the range 1 ns to 366 days", Duration::MAX)
    );
    assert_eq!(
        rate(11, Duration::from_nanos(1)),
        "11 tokens in 1ns are more than 10 in a nanosecond"
    );
    assert_eq!(
        rate(u32::MAX, Duration::from_nanos(429_496_729)),
        "4294967295 tokens in 429.496729ms are more than 10 in a nanosecond"
    );
}

#[test]
fn the_ends_of_every_range_are_good() {
    let ns = Duration::from_nanos;
    for (tokens, period) in
        [(1, ns(1)), (10, ns(1)), (1, YEAR), (u32::MAX, YEAR), (u32::MAX, ns(429_496_730))]
    {
        let quota = Quota::try_per(tokens, period).unwrap();
        assert_eq!((quota.rate(), quota.burst_size()), (Rate::per(tokens, period), tokens));
        for burst in [0, 1, u32::MAX] {
            let quota = quota.burst(burst).initial(burst);
            assert_eq!((quota.burst_size(), quota.initial_tokens()), (burst, burst));
        }
    }
}

#[test]
fn a_quota_says_the_same_as_its_rate_and_checks_its_start() {
    assert_eq!(Quota::try_per(0, secs(1)), Err(QuotaError::NoTokens));
    assert_eq!(
        Quota::try_per(1, Duration::ZERO),
        Err(QuotaError::Period { period: Duration::ZERO })
    );
    let error = Quota::per_second(5).try_initial(6).unwrap_err();
    assert_eq!(error, QuotaError::InitialAboveBurst { initial: 6, burst: 5 });
    assert_eq!(message(error), "6 initial tokens are out of the range 0 to 5, the burst");
    assert_eq!(Quota::ZERO.try_initial(0).unwrap().initial_tokens(), 0);
}

/// Where there is no `Result`, a panic says the range.
#[test]
fn constructors_without_a_result_panic_with_the_range() {
    let period = "a period is 1 ns to 366 days";
    let tokens = "a rate has 1 to u32::MAX tokens; for none, Rate::ZERO";
    assert_eq!(panic_of(|| Rate::per(0, secs(1))), tokens);
    assert_eq!(panic_of(|| Rate::per_second(0)), tokens);
    assert_eq!(panic_of(|| Rate::per_minute(0)), tokens);
    assert_eq!(panic_of(|| Quota::per(0, secs(1))), tokens);
    assert_eq!(panic_of(|| Quota::per_second(0)), tokens);
    assert_eq!(panic_of(|| Quota::per_minute(0)), tokens);
    assert_eq!(panic_of(|| Rate::every(Duration::ZERO)), period);
    assert_eq!(panic_of(|| Quota::every(Duration::ZERO)), period);
    assert_eq!(panic_of(|| Quota::every(YEAR * 2)), period);
    assert_eq!(
        panic_of(|| Quota::per(11, Duration::from_nanos(1))),
        "a rate is at most 10 tokens in a nanosecond"
    );
    let initial = "the initial tokens are at most the burst";
    assert_eq!(panic_of(|| Quota::per_second(5).initial(6)), initial);
    assert_eq!(panic_of(|| Quota::per_second(5).initial(5).burst(4)), initial);
}

#[test]
fn a_denial_says_why_and_when() {
    let (limiter, clock) = limiter(quota(10, 2));
    assert!(limiter.try_acquire(2).is_ok());
    let denied = limiter.try_acquire(1).unwrap_err();
    assert_eq!(denied.reason(), DeniedReason::NotYet);
    assert_eq!((denied.retry_after(), denied.is_never()), (Some(secs(1) / 10), false));
    assert_eq!(message(denied), "over the limit, retry after 100ms");
    let shown = format!("{denied:?}");
    assert!(shown.contains("NotYet") && shown.contains("100ms"), "{shown}");

    let exceeds = limiter.try_acquire(3).unwrap_err();
    assert_eq!(exceeds.reason(), DeniedReason::ExceedsBurst { requested: 3, burst: 2 });
    assert_eq!((exceeds.retry_after(), exceeds.is_never()), (None, true));
    assert_eq!(message(exceeds), "3 tokens are more than the burst of 2");

    limiter.pause_for(secs(2));
    clock.advance(secs(1));
    let paused = limiter.try_acquire(1).unwrap_err();
    assert_eq!(paused.reason(), DeniedReason::Paused);
    assert_eq!(message(paused), "the limiter is paused, retry after 1.1s");

    limiter.close();
    let closed = limiter.try_acquire(1).unwrap_err();
    assert_eq!((closed.reason(), closed.is_never()), (DeniedReason::Closed, true));
    assert_eq!(message(closed), "the limiter is closed");
}

#[test]
fn a_denial_where_nothing_is_supplied_is_for_ever() {
    let (limiter, _) = limiter(Quota::ZERO.burst(1));
    assert!(limiter.try_acquire(1).is_ok());
    let denied = limiter.try_acquire(1).unwrap_err();
    assert_eq!((denied.reason(), denied.is_never()), (DeniedReason::NotYet, true));
    assert_eq!(message(denied), "over the limit, and nothing is supplied");
}

#[test]
fn every_error_of_waiting_says_what_happened() {
    let wait = Some(Duration::from_millis(1500));
    for (error, text, too_long) in [
        (AcquireError::Closed, "the limiter is closed", false),
        (
            AcquireError::ExceedsBurst { requested: 9, burst: 4 },
            "9 tokens are more than the burst of 4",
            false,
        ),
        (AcquireError::TooLong { wait }, "it would take 1.5s, longer than allowed", true),
        (AcquireError::TooLong { wait: None }, "it would never be granted", true),
    ] {
        assert_eq!(message(error), text);
        assert_eq!(error.is_too_long(), too_long);
    }
}

#[test]
fn more_tokens_than_the_bucket_holds_are_named_together_with_the_range() {
    let (limiter, _) = limiter(quota(10, 4));
    let error: TokensError = limiter.set_tokens(5).unwrap_err();
    assert_eq!(message(error), "5 tokens are out of the range 0 to 4, the burst");
    assert_eq!(limiter.tokens(), 4.0);
    limiter.set_tokens(4).unwrap();
    limiter.set_tokens(0).unwrap();
    assert_eq!(limiter.tokens(), 0.0);
}

/// The debt of a slow limiter cannot grow without end, and the one that is one too many takes
/// nothing.
#[test]
fn a_debt_beyond_what_can_be_kept_is_refused_whole() {
    let (limiter, _) = limiter(Quota::every(YEAR));
    let mut level = limiter.tokens();
    let error = loop {
        match limiter.consume_debt(u32::MAX) {
            Ok(()) => assert!(limiter.tokens() < level),
            Err(error) => break error,
        }
        level = limiter.tokens();
    };
    assert_eq!(limiter.tokens(), level);
    assert_eq!(message(error), "4294967295 tokens more are a larger debt than a limiter can keep");
}

#[test]
fn errors_are_small_and_plain_values() {
    fn size<E: Copy + Eq + Send + Sync + Unpin + 'static>() -> usize {
        size_of::<E>()
    }
    assert!(size::<AcquireError>() <= 24);
    assert!(size::<QuotaError>() <= 24);
    assert!(size::<TokensError>() <= 8);
}

#[test]
fn what_is_shown_says_what_is_there() {
    let (limiter, _) = limiter(quota(10, 4).initial(3));
    let shown = format!("{limiter:?}");
    assert!(shown.starts_with("RateLimiter"), "{shown}");
    for part in ["Rate::per(10, 1s)", "burst: 4", "tokens: 3.0"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    let reservation = limiter.reserve(2).unwrap();
    assert!(format!("{reservation:?}").contains("tokens: 2"));
    let wait = limiter.acquire(1);
    assert!(format!("{wait:?}").contains("waits: false"), "{wait:?}");
    assert_eq!(format!("{:?} {:?}", Rate::INF, Rate::ZERO), "Rate::INF Rate::ZERO");
    assert!(!format!("{:?}", RateLimiter::new(Quota::INF)).is_empty());
}
