//! What a client makes of what a server tells it.

use super::fields::{RATELIMIT, RATELIMIT_POLICY};
use super::structured::{Item, parse_list};
use crate::clock::Clock;
use crate::limiter::RateLimiter;
use http::header::{AsHeaderName, DATE, HeaderMap, RETRY_AFTER};
use std::time::{Duration, SystemTime};

/// What a response says of the server's limits, and how a client's limiter follows it.
///
/// Read are `Retry-After`, in seconds or as a date, and the [IETF draft][draft]'s `RateLimit`. A
/// field that is not as it should be is ignored. `X-RateLimit-*` are not read, because nobody can
/// say whether `Reset` is a date or a number of seconds.
///
/// [draft]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::http::Advice;
/// # use lockgate_ratelimit::{Quota, RateLimiter};
/// # use std::time::Duration;
/// let limiter = RateLimiter::new(Quota::per_second(10));
/// # let response = http::Response::builder().header("retry-after", "30").body(()).unwrap();
/// // ... a response has come ...
/// Advice::read(response.headers()).at_most(Duration::from_secs(3600)).follow(&limiter);
/// assert!(limiter.try_acquire(1).unwrap_err().retry_after() > Some(Duration::from_secs(29)));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Advice {
    /// When to come again, counted from the response.
    pub retry_after: Option<Duration>,
    /// The limits that the response has passed, those that count requests.
    pub limits: Vec<ServiceLimit>,
}

/// An item of `RateLimit`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServiceLimit {
    /// The policy's name.
    pub name: String,
    /// What is left.
    pub remaining: u64,
    /// How long until there is more.
    pub reset: Option<Duration>,
}

impl Advice {
    /// Reads the headers of a response that has just come.
    ///
    /// A `Retry-After` that is a date is compared with the response's `Date`, so that it does not
    /// matter whether the clocks of client and server agree; without one, with the client's clock.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        Self::read_at(headers, SystemTime::now())
    }

    /// [`read`](Self::read), for a response that came at another time.
    #[must_use]
    pub fn read_at(headers: &HeaderMap, now: SystemTime) -> Self {
        let limits = list(headers, RATELIMIT);
        let policies = list(headers, RATELIMIT_POLICY);
        let limits = limits.iter().filter(|limit| counts_requests(&limit.name, &policies));
        Self {
            retry_after: text(headers, RETRY_AFTER)
                .and_then(|text| retry_after(text, headers, now)),
            limits: limits.filter_map(service_limit).collect(),
        }
    }

    /// Believes no time longer than `max`: a server that is broken could stop a client for years.
    #[must_use]
    pub fn at_most(mut self, max: Duration) -> Self {
        let limits = self.limits.iter_mut().filter_map(|limit| limit.reset.as_mut());
        for time in limits.chain(self.retry_after.as_mut()) {
            *time = max.min(*time);
        }
        self
    }

    /// How long it asks for no requests at all: `Retry-After`, if it is there; else the longest
    /// reset of a limit of which nothing is left.
    #[must_use]
    pub fn pause(&self) -> Option<Duration> {
        let exhausted = self.limits.iter().filter(|limit| limit.remaining == 0);
        self.retry_after.or_else(|| exhausted.filter_map(|limit| limit.reset).max())
    }

    /// Does what it says, and nothing that it does not say.
    ///
    /// * If less is left than is in the limiter's bucket, the difference is taken out. If more is
    ///   left, nothing is put in: the server has not seen yet what is under way.
    /// * If it asks for a [pause](Self::pause), the limiter is
    ///   [paused](RateLimiter::pause_until), unless it is so for longer already: responses overtake
    ///   one another. A pause of nothing is none.
    ///
    /// Otherwise the limiter's own rate goes on, and is the caller's to [set](RateLimiter::set_rate).
    pub fn follow<C: Clock>(&self, limiter: &RateLimiter<C>) {
        if let Some(remaining) = self.limits.iter().map(|limit| limit.remaining).min() {
            let there = limiter.tokens();
            // Where more is promised than is there, it is negative, and nothing is taken.
            let excess = there.floor() - remaining as f64;
            if there.is_finite() && excess >= 1.0 {
                limiter.try_up_to(excess as u32);
            }
        }
        if let Some(pause) = self.pause().filter(|pause| !pause.is_zero()) {
            limiter.pause_for_at_least(pause);
        }
    }
}

fn text(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// All items of a list, which may be spread over several lines. One that is wrong spoils all.
fn list(headers: &HeaderMap, name: impl AsHeaderName) -> Vec<Item> {
    let lines: Result<Vec<&str>, _> =
        headers.get_all(name).iter().map(|value| value.to_str()).collect();
    lines.ok().and_then(|lines| parse_list(&lines.join(","))).unwrap_or_default()
}

/// Whether a policy is about requests, which it is unless it says otherwise.
fn counts_requests(name: &str, policies: &[Item]) -> bool {
    let policy = policies.iter().find(|policy| policy.name == name);
    policy.and_then(|policy| policy.text("qu")).is_none_or(|unit| unit == "requests")
}

fn service_limit(item: &Item) -> Option<ServiceLimit> {
    let reset = item.count("t").map(Duration::from_secs);
    Some(ServiceLimit { name: item.name.clone(), remaining: item.count("r")?, reset })
}

fn retry_after(value: &str, headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a very long time.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let at = httpdate::parse_http_date(value).ok()?;
    let date = text(headers, DATE).and_then(|date| httpdate::parse_http_date(date).ok());
    // One that has passed means now.
    Some(at.duration_since(date.unwrap_or(now)).unwrap_or_default())
}
