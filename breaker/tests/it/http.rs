//! What responses mean, and for how long.

use crate::support::{is_rejected, secs, touchy};
use http::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use lockgate_breaker::clock::Manual;
use lockgate_breaker::http::{ByStatus, retry_after};
use lockgate_breaker::{Classify, Error, Outcome, Reason, State};
use proptest::prelude::*;
use std::io;
use std::time::{Duration, SystemTime};

fn response(status: u16, retry_after: Option<&str>) -> Response<()> {
    let mut response = Response::builder().status(status);
    if let Some(after) = retry_after {
        response = response.header(RETRY_AFTER, after);
    }
    response.body(()).unwrap()
}

fn outcome(status: u16, retry_after: Option<&str>) -> Outcome {
    ByStatus::new().classify(&Ok::<_, ()>(response(status, retry_after)))
}

#[test]
fn every_status_has_a_meaning() {
    for status in 100..1000 {
        let expected = match status {
            501 => Outcome::Success,
            500..=599 => Outcome::Failure,
            _ => Outcome::Success,
        };
        assert_eq!(outcome(status, None), expected, "{status}");
        let told = matches!(status, 429 | 503);
        let expected = if told { Outcome::TripFor(secs(7)) } else { expected };
        assert_eq!(outcome(status, Some("7")), expected, "{status} with a time");
    }
}

#[test]
fn no_response_is_a_failure() {
    for error in [io::ErrorKind::ConnectionRefused, io::ErrorKind::TimedOut] {
        let result = Err::<Response<()>, _>(io::Error::from(error));
        assert_eq!(ByStatus::default().classify(&result), Outcome::Failure);
    }
}

/// It asks for nothing: then the status says what it says without.
#[test]
fn a_time_that_is_none() {
    for none in ["0", "", "soon", "-1", "+7", "1.5", "7 s", "Wed, 21 Oct 2015 07:28:00 GMT"] {
        assert_eq!(outcome(503, Some(none)), Outcome::Failure, "{none}");
        assert_eq!(outcome(429, Some(none)), Outcome::Success, "{none}");
    }
    let mut response = response(503, None);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_bytes(b"\xff7").unwrap());
    assert_eq!(ByStatus::new().classify(&Ok::<_, ()>(response)), Outcome::Failure);
}

#[test]
fn a_time_is_believed_up_to_a_bound() {
    assert_eq!(outcome(503, Some("3600")), Outcome::TripFor(secs(3600)));
    for long in ["3601", "99999999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        assert_eq!(outcome(503, Some(long)), Outcome::TripFor(secs(3600)), "{long}");
    }
    let never = ByStatus::new().at_most(Duration::ZERO);
    let told = Ok::<_, ()>(response(503, Some("7")));
    assert_eq!(never.classify(&told), Outcome::Failure);
    let minute = ByStatus::new().at_most(secs(60));
    let headers = response(429, Some("61")).into_parts().0.headers;
    assert_eq!(minute.outcome(StatusCode::TOO_MANY_REQUESTS, &headers), Outcome::TripFor(secs(60)));
}

fn headers(after: &str, date: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(RETRY_AFTER, after.parse().unwrap());
    if let Some(date) = date {
        headers.insert(DATE, date.parse().unwrap());
    }
    headers
}

#[test]
fn dates_are_counted_from_the_response() {
    let now = httpdate::parse_http_date("Wed, 21 Oct 2026 07:00:00 GMT").unwrap();
    for (after, date, wait) in [
        ("Wed, 21 Oct 2026 07:00:30 GMT", None, Some(secs(30))),
        ("Wednesday, 21-Oct-26 07:00:30 GMT", None, Some(secs(30))),
        ("Wed Oct 21 07:00:30 2026", None, Some(secs(30))),
        (" 120 ", None, Some(secs(120))),
        ("Wed, 21 Oct 2026 06:59:59 GMT", None, Some(Duration::ZERO)),
        // The server's clock is two minutes behind.
        ("Wed, 21 Oct 2026 06:58:30 GMT", Some("Wed, 21 Oct 2026 06:58:00 GMT"), Some(secs(30))),
        ("30", Some("Wed, 21 Oct 2026 06:58:00 GMT"), Some(secs(30))),
        ("Wed, 21 Oct 2026 07:00:30 GMT", Some("yesterday"), Some(secs(30))),
        ("tomorrow", None, None),
    ] {
        assert_eq!(retry_after(&headers(after, date), now), wait, "{after}, {date:?}");
    }
    assert_eq!(retry_after(&HeaderMap::new(), now), None);
}

#[test]
fn the_server_says_how_long_it_is_open() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let call = |response| breaker.call_with(&ByStatus::new(), || Ok::<_, io::Error>(response));
    let transitions = crate::support::Log::of(&breaker);

    assert_eq!(call(response(404, None)).unwrap().status(), 404);
    assert_eq!(call(response(501, None)).unwrap().status(), 501);
    assert_eq!(breaker.state(), State::Closed);
    let told = call(response(429, Some("42"))).unwrap();
    assert_eq!(told.status(), 429, "the response is the caller's all the same");
    assert_eq!(breaker.retry_after(), Some(secs(42)));
    clock.advance(secs(41));
    assert!(is_rejected(&breaker));
    clock.advance(secs(1));
    // Still not: the probe is told the time, and not the back-off.
    call(response(503, Some("90"))).unwrap();
    assert_eq!(breaker.retry_after(), Some(secs(90)));
    clock.advance(secs(90));
    call(response(200, None)).unwrap();
    let all = transitions.all();
    let reasons: Vec<_> = all.iter().map(|it| it.reason).collect();
    let tried = Reason::OpenTimeOver;
    assert_eq!(reasons, [Reason::Told, tried, Reason::Told, tried, Reason::Recovered]);
}

#[test]
fn a_connection_that_is_refused_opens_it() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let refused = || Err::<Response<()>, _>(io::Error::from(io::ErrorKind::ConnectionRefused));
    let error = breaker.call_with(&ByStatus::new(), refused).unwrap_err();
    assert!(
        matches!(error, Error::Inner(error) if error.kind() == io::ErrorKind::ConnectionRefused)
    );
    assert_eq!(breaker.state(), State::Open);
}

proptest! {
    /// Whatever a server sends, nothing panics, and no wait is longer than the bound.
    #[test]
    fn no_header_is_dangerous(
        status in 100..1000_u16,
        after in proptest::collection::vec(prop_oneof![32..127_u8, 128..=255_u8], 0..40),
        bound in 0..100_000_u64,
    ) {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_bytes(&after).unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        let outcome = ByStatus::new().at_most(secs(bound)).outcome(status, &headers);
        if let Outcome::TripFor(wait) = outcome {
            prop_assert!(!wait.is_zero() && wait <= secs(bound));
        }
    }

    /// Seconds and dates mean the same.
    #[test]
    fn a_date_is_so_many_seconds_away(from in 0..4_000_000_000_u64, seconds in 0..4_000_000_u64) {
        let now = SystemTime::UNIX_EPOCH + secs(from);
        let date = httpdate::fmt_http_date(now + secs(seconds));
        for text in [date, seconds.to_string()] {
            prop_assert_eq!(retry_after(&headers(&text, None), now), Some(secs(seconds)));
        }
    }
}
