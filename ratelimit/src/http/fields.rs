//! What a server tells of its limits.

use super::structured::quote;
use crate::clock::Clock;
use crate::error::Denied;
use crate::keyed::Keyed;
use crate::limiter::RateLimiter;
use crate::quota::Quota;
use http::header::{HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use std::error::Error;
use std::fmt;
use std::hash::{BuildHasher, Hash};
use std::time::Duration;

pub(super) const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");
pub(super) const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LEGACY_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const LEGACY_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const LEGACY_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The largest integer of a structured field.
const LARGEST: u128 = 999_999_999_999_999;
const SECOND: u128 = 1_000_000_000;

/// Seconds for a header: rounded up, and at least one.
///
/// A client that comes again when a shorter time is over is denied again; and one that is told 0
/// comes again at once.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0)).max(1)
}

/// Sets `Retry-After` to whole seconds: rounded up, so that who keeps to it is not early, and at
/// least 1.
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::http::set_retry_after;
/// # use std::time::Duration;
/// let mut headers = http::HeaderMap::new();
/// set_retry_after(&mut headers, Duration::from_millis(20));
/// assert_eq!(headers["retry-after"], "1");
/// ```
pub fn set_retry_after(headers: &mut HeaderMap, after: Duration) {
    headers.insert(RETRY_AFTER, whole_seconds(after).into());
}

/// How it stands with a bucket, as far as a client may know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Standing {
    /// What is allowed.
    pub quota: Quota,
    /// Whole tokens that could be taken now; none while the limiter is paused or closed.
    pub remaining: u32,
    /// After which time there will be more; `None` if there never will, because the bucket is full,
    /// or nothing is supplied.
    pub more_after: Option<Duration>,
}

impl Standing {
    /// Of a limiter, at this moment.
    pub fn of<C: Clock>(limiter: &RateLimiter<C>) -> Self {
        Self::asked(limiter.quota(), || limiter.tokens(), |n| limiter.peek(n))
    }

    /// Of a key, at this moment.
    pub fn of_key<K, C, S>(limiter: &Keyed<K, C, S>, key: &K) -> Self
    where
        K: Eq + Hash + Clone,
        C: Clock,
        S: BuildHasher,
    {
        Self::asked(limiter.quota_of(key), || limiter.tokens(key), |n| limiter.peek(key, n))
    }

    fn asked(
        quota: Quota,
        tokens: impl Fn() -> f64,
        peek: impl Fn(u32) -> Result<(), Denied>,
    ) -> Self {
        if quota.rate().is_infinite() {
            return Self { quota, remaining: u32::MAX, more_after: None };
        }
        let (remaining, next) = match peek(1) {
            Err(denied) => (0, Err(denied)),
            Ok(()) => {
                // Saturating: a cast from floating point does.
                let remaining = (tokens() as u32).max(1);
                (remaining, peek(remaining.saturating_add(1)))
            }
        };
        let more_after = next.err().and_then(|denied| denied.retry_after());
        Self { quota, remaining, more_after }
    }
}

/// Writes a limit into the headers of a response.
///
/// | field | by | for example |
/// |---|---|---|
/// | `RateLimit-Policy` | [IETF draft][draft] | `"default";q=100;w=60` |
/// | `RateLimit` | the same | `"default";r=42;t=1` |
/// | `X-RateLimit-Limit`, `-Remaining`, `-Reset` | habit, if [asked for](Self::legacy) | `100`, `42`, `1` |
///
/// * `w` is the time in which an empty bucket is filled, in whole seconds and at least one; `q` is
///   what is supplied in it, or the burst if that is more. So `q` ÷ `w` is the rate, or a little
///   less, and `r` is never more than `q`.
/// * `r` is what could be taken now, and `t` are the seconds, rounded up, until there is one more.
///   A full bucket has no `t`.
/// * The IETF's fields are added to those that are there, for they are lists: a response may have
///   passed several limits. Of the others, those with the smaller remainder stay.
/// * Of a limiter without limit, nothing is told.
///
/// [draft]: https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::http::{RateLimitFields, Standing};
/// # use lockgate_ratelimit::{Quota, RateLimiter};
/// let limiter = RateLimiter::new(Quota::per_minute(100));
/// limiter.try_acquire(58)?;
/// let mut headers = http::HeaderMap::new();
/// RateLimitFields::new("default")?.write(&Standing::of(&limiter), &mut headers);
/// assert_eq!(headers["ratelimit-policy"], r#""default";q=100;w=60"#);
/// assert_eq!(headers["ratelimit"], r#""default";r=42;t=1"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct RateLimitFields {
    /// With its quotes.
    name: String,
    legacy: bool,
}

impl RateLimitFields {
    /// Of a policy of this name.
    ///
    /// # Errors
    ///
    /// [`NameError`], if it has other than printable ASCII characters: no header could hold it.
    pub fn new(name: &str) -> Result<Self, NameError> {
        match quote(name) {
            Some(name) => Ok(Self { name, legacy: false }),
            None => Err(NameError { name: name.to_owned() }),
        }
    }

    /// Writes `X-RateLimit-Limit`, `X-RateLimit-Remaining` and `X-RateLimit-Reset` as well, the last
    /// in seconds from now. (Some servers write a date instead: there is no standard.)
    #[must_use]
    pub const fn legacy(mut self) -> Self {
        self.legacy = true;
        self
    }

    /// Adds the fields to those of a response.
    pub fn write(&self, standing: &Standing, headers: &mut HeaderMap) {
        let Standing { quota, remaining, more_after } = standing;
        let Some((q, window)) = policy(quota) else { return };
        let name = &self.name;
        let t = more_after.map(whole_seconds);
        let window = window.map_or_else(String::new, |seconds| format!(";w={seconds}"));
        let reset = t.map_or_else(String::new, |seconds| format!(";t={seconds}"));
        append(headers, RATELIMIT_POLICY, &format!("{name};q={q}{window}"));
        append(headers, RATELIMIT, &format!("{name};r={remaining}{reset}"));
        if self.legacy && !has_less(headers, *remaining) {
            headers.insert(LEGACY_LIMIT, q.into());
            headers.insert(LEGACY_REMAINING, (*remaining).into());
            headers.insert(LEGACY_RESET, t.unwrap_or(0).into());
        }
    }
}

fn append(headers: &mut HeaderMap, name: HeaderName, text: &str) {
    // INVARIANT: a name is printable, and so is the rest.
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.append(name, value);
    }
}

/// Whether a limit that was passed before leaves less.
fn has_less(headers: &HeaderMap, remaining: u32) -> bool {
    let there = headers.get(LEGACY_REMAINING).and_then(|value| value.to_str().ok());
    there.and_then(|text| text.parse::<u64>().ok()).is_some_and(|there| there < remaining.into())
}

/// Quota and window of a policy, where there is one.
fn policy(quota: &Quota) -> Option<(u64, Option<u64>)> {
    if quota.rate().is_infinite() {
        return None;
    }
    let burst = u64::from(quota.burst_size());
    let (tokens, period) = quota.rate().parts();
    if tokens == 0 {
        return Some((burst, None));
    }
    let (tokens, period) = (u128::from(tokens), u128::from(period));
    let seconds = (u128::from(burst) * period).div_ceil(tokens * SECOND).max(1);
    let supplied = tokens * seconds * SECOND / period;
    let whole = |number: u128| u64::try_from(number).ok().filter(|_| number <= LARGEST);
    match (whole(supplied), whole(seconds)) {
        (Some(supplied), Some(seconds)) => Some((supplied.max(burst), Some(seconds))),
        // A window of millions of years is no news to anybody.
        _ => Some((burst, None)),
    }
}

/// A name for a policy that no header can hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameError {
    name: String,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name {:?} has characters that are not printable ASCII", self.name)
    }
}

impl Error for NameError {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quota::Rate;

    #[test]
    fn a_policy_has_the_rate_and_at_least_the_burst() {
        let year = Duration::from_secs(366 * 86_400);
        for (quota, expected) in [
            (Quota::per_minute(100), Some((100, Some(60)))),
            (Quota::per_second(100), Some((100, Some(1)))),
            (Quota::per_second(100).burst(20), Some((100, Some(1)))),
            (Quota::per_second(10).burst(100), Some((100, Some(10)))),
            (Quota::per_second(10).burst(15), Some((20, Some(2)))),
            (Quota::per(3, Duration::from_secs(2)).burst(100), Some((100, Some(67)))),
            (Quota::per(7, Duration::from_secs(60)).burst(1), Some((1, Some(9)))),
            (Quota::per(10, Duration::from_millis(100)), Some((100, Some(1)))),
            (Quota::per_second(5).burst(0), Some((5, Some(1)))),
            (Quota::per(10, Duration::from_nanos(1)), Some((10_000_000_000, Some(1)))),
            (Quota::new(Rate::every(year), u32::MAX), Some((u64::from(u32::MAX), None))),
            (Quota::ZERO.burst(7), Some((7, None))),
            (Quota::INF, None),
        ] {
            assert_eq!(policy(&quota), expected, "{quota:?}");
        }
    }

    #[test]
    fn seconds_are_rounded_up_and_never_zero() {
        for (time, seconds) in [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_secs(1), 1),
            (Duration::new(1, 1), 2),
            (Duration::from_millis(59_999), 60),
            (Duration::MAX, u64::MAX),
        ] {
            assert_eq!(whole_seconds(time), seconds, "{time:?}");
        }
    }
}
