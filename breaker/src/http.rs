//! What the responses of an HTTP server mean to the circuit in front of it.
//!
//! Nothing here needs a runtime: it reads the types of the [http](https://docs.rs/http) crate, which clients of
//! both worlds use.

use crate::outcome::{Classify, Outcome};
use http::header::{DATE, HeaderMap, HeaderName, RETRY_AFTER};
use http::{Response, StatusCode};
use std::time::{Duration, SystemTime};

/// Tells by the status of a response whether the server is well.
///
/// | response | outcome |
/// |---|---|
/// | 429 or 503 with a `Retry-After` that is still to come | [`TripFor`](Outcome::TripFor) so long, 1 hour at [most](Self::at_most) |
/// | else 500 to 599, but for 501 | [`Failure`](Outcome::Failure) |
/// | else | [`Success`](Outcome::Success): it has answered |
/// | none, but an error, such as a connection that was refused | [`Failure`](Outcome::Failure) |
///
/// 501 says of the request that it can never be served, and so nothing of the server's health, as 404 does. A
/// `Retry-After` that is neither a number of seconds nor a date is none.
///
/// # Examples
///
/// ```
/// # use lockgate_breaker::http::ByStatus;
/// # use lockgate_breaker::{Breaker, State};
/// # use std::convert::Infallible;
/// # let get = || {
/// #     let response = http::Response::builder().status(503).header("retry-after", "30");
/// #     Ok::<_, Infallible>(response.body("too busy").unwrap())
/// # };
/// let breaker = Breaker::new("shop");
/// let response = breaker.call_with(&ByStatus::new(), get)?;
/// assert_eq!(response.status(), 503);
/// assert_eq!(breaker.state(), State::Open);
/// assert!(breaker.retry_after().is_some_and(|after| after.as_secs() >= 29));
/// # Ok::<(), lockgate_breaker::Error<Infallible>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ByStatus {
    longest: Duration,
}

impl ByStatus {
    /// As the table says.
    #[must_use]
    pub const fn new() -> Self {
        Self { longest: Duration::from_secs(3600) }
    }

    /// Believes no `Retry-After` that is longer: 1 hour, if not said; none at all, if that is nothing. A server
    /// that is broken could keep its clients away for years.
    #[must_use]
    pub const fn at_most(mut self, longest: Duration) -> Self {
        self.longest = longest;
        self
    }

    /// What a response means that has just come, for clients with types of their own.
    #[must_use]
    pub fn outcome(&self, status: StatusCode, headers: &HeaderMap) -> Outcome {
        let says_when =
            matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        let wait = if says_when { retry_after(headers, SystemTime::now()) } else { None };
        match wait.map(|wait| wait.min(self.longest)) {
            Some(wait) if !wait.is_zero() => Outcome::TripFor(wait),
            _ if status == StatusCode::NOT_IMPLEMENTED => Outcome::Success,
            _ if status.is_server_error() => Outcome::Failure,
            _ => Outcome::Success,
        }
    }
}

impl Default for ByStatus {
    fn default() -> Self {
        Self::new()
    }
}

impl<B, E> Classify<Response<B>, E> for ByStatus {
    fn classify(&self, result: &Result<Response<B>, E>) -> Outcome {
        match result {
            Ok(response) => self.outcome(response.status(), response.headers()),
            Err(_) => Outcome::Failure,
        }
    }
}

/// When a response asks to come again, counted from when it came: its `Retry-After`, in seconds or as a
/// date. A date that has passed is nothing at all to wait.
///
/// A date is compared with the response's `Date`, so that it does not matter whether the clocks of the two
/// sides agree; with `now` where there is none.
#[must_use]
pub fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name: HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let date = |text: &str| httpdate::parse_http_date(text).ok();
    let said = text(RETRY_AFTER)?;
    if !said.is_empty() && said.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number has are a very long time.
        return Some(Duration::from_secs(said.parse().unwrap_or(u64::MAX)));
    }
    let sent = text(DATE).and_then(date).unwrap_or(now);
    Some(date(said)?.duration_since(sent).unwrap_or_default())
}
