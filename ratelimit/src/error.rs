//! One error per operation, the same for threads and tasks.

use crate::state::{Curve, supply_time};
use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A [`Rate`](crate::Rate) or a [`Quota`](crate::Quota) that no limiter can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum QuotaError {
    /// No tokens in a period. Say [`Rate::ZERO`](crate::Rate::ZERO) if that is meant.
    NoTokens,
    /// A period of zero, or of more than 366 days.
    Period {
        /// The period that was given.
        period: Duration,
    },
    /// More than ten tokens in a nanosecond.
    TooFast {
        /// The tokens that were given …
        tokens: u32,
        /// … for this period.
        period: Duration,
    },
    /// More tokens at the start than the bucket holds.
    InitialAboveBurst {
        /// The tokens at the start.
        initial: u32,
        /// The most that the bucket holds.
        burst: u32,
    },
}

impl QuotaError {
    /// The panic of a `const` constructor, which cannot format.
    pub(crate) const fn panic(&self) -> ! {
        match self {
            Self::NoTokens => panic!("a rate has 1 to u32::MAX tokens; for none, Rate::ZERO"),
            Self::Period { .. } => panic!("a period is 1 ns to 366 days"),
            Self::TooFast { .. } => panic!("a rate is at most 10 tokens in a nanosecond"),
            Self::InitialAboveBurst { .. } => panic!("the initial tokens are at most the burst"),
        }
    }
}

impl fmt::Display for QuotaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTokens => f.write_str("a rate of 0 tokens is out of the range 1 to u32::MAX"),
            Self::Period { period } => {
                write!(f, "a period of {period:?} is out of the range 1 ns to 366 days")
            }
            Self::TooFast { tokens, period } => {
                write!(f, "{tokens} tokens in {period:?} are more than 10 in a nanosecond")
            }
            Self::InitialAboveBurst { initial, burst } => {
                write!(f, "{initial} initial tokens are out of the range 0 to {burst}, the burst")
            }
        }
    }
}

impl Error for QuotaError {}

/// Why [`try_acquire`](crate::RateLimiter::try_acquire) got nothing.
///
/// Making one reads no clock and divides nothing: that is left to
/// [`retry_after`](Self::retry_after).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Denied {
    reason: DeniedReason,
    /// The curve by which it was judged, where it says when to come again.
    later: Later,
}

/// Why a request was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeniedReason {
    /// The tokens are not there yet.
    NotYet,
    /// The limiter is [paused](crate::RateLimiter::pause_until).
    Paused,
    /// More than the burst was asked for, so it could never be granted.
    ExceedsBurst {
        /// The tokens asked for.
        requested: u32,
        /// The most that the bucket holds.
        burst: u32,
    },
    /// The limiter is closed.
    Closed,
    /// All places for new keys of a [`Keyed`](crate::Keyed) limiter are taken, by keys that are not
    /// full again.
    TableFull,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Later {
    now: u64,
    start: u64,
    missing: u64,
    step: u64,
    period: u64,
}

impl Denied {
    /// Supply has to go on until `to`.
    #[inline]
    pub(crate) fn not_yet(curve: &Curve, now: u64, to: u64) -> Self {
        let Curve { start, base, step, period, .. } = *curve;
        Self::later(now, start, to.saturating_sub(base), step, period)
    }

    /// Supply has to go on by `missing` units since `start`, with `step` of them in a period.
    #[inline]
    pub(crate) const fn later(now: u64, start: u64, missing: u64, step: u64, period: u64) -> Self {
        Self { reason: DeniedReason::NotYet, later: Later { now, start, missing, step, period } }
    }

    pub(crate) fn paused(curve: &Curve, now: u64, to: u64) -> Self {
        Self { reason: DeniedReason::Paused, ..Self::not_yet(curve, now, to) }
    }

    /// Whoever has a place needs it until supply has reached `to`.
    pub(crate) fn table_full(curve: &Curve, now: u64, to: u64) -> Self {
        Self { reason: DeniedReason::TableFull, ..Self::not_yet(curve, now, to) }
    }

    pub(crate) const fn never(reason: DeniedReason) -> Self {
        Self { reason, later: Later { now: 0, start: 0, missing: 1, step: 0, period: 1 } }
    }

    /// Why.
    #[must_use]
    pub const fn reason(&self) -> DeniedReason {
        self.reason
    }

    /// After which time the same request would be granted, if nobody else took anything and
    /// nothing changed: then, and not a nanosecond before. `None`: never.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let Later { now, start, missing, step, period } = self.later;
        let nanos = match (missing, step) {
            (0, _) => 0,
            (_, 0) => return None,
            _ => supply_time(missing, step, period)?,
        };
        let at = nanos.checked_add(start)?;
        Some(Duration::from_nanos(at.saturating_sub(now)))
    }

    /// Whether the same request can never be granted, as things are.
    #[must_use]
    pub fn is_never(&self) -> bool {
        self.retry_after().is_none()
    }
}

impl fmt::Debug for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Denied")
            .field("reason", &self.reason)
            .field("retry_after", &self.retry_after())
            .finish()
    }
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.reason, self.retry_after()) {
            (DeniedReason::ExceedsBurst { requested, burst }, _) => exceeds(f, requested, burst),
            (DeniedReason::Closed, _) => f.write_str("the limiter is closed"),
            (DeniedReason::Paused, Some(after)) => {
                write!(f, "the limiter is paused, retry after {after:?}")
            }
            (DeniedReason::TableFull, Some(after)) => {
                write!(f, "no place for another key, retry after {after:?}")
            }
            (DeniedReason::TableFull, None) => f.write_str("no place for another key"),
            (_, Some(after)) => write!(f, "over the limit, retry after {after:?}"),
            (_, None) => f.write_str("over the limit, and nothing is supplied"),
        }
    }
}

impl Error for Denied {}

/// Why a wait or a reservation failed, for a thread or a task alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AcquireError {
    /// More than the burst was asked for, so it could never be granted.
    ExceedsBurst {
        /// The tokens asked for.
        requested: u32,
        /// The most that the bucket holds.
        burst: u32,
    },
    /// It would take longer than the caller allows. It says so at once, and has taken nothing.
    TooLong {
        /// How long it would take; `None` if it is never, as things are, or longer than 2^53
        /// nanoseconds, which is all that can be promised.
        wait: Option<Duration>,
    },
    /// The limiter was closed before the tokens were there.
    Closed,
    /// All places for new keys of a [`Keyed`](crate::Keyed) limiter are taken, by keys that are not
    /// full again.
    TableFull,
}

impl AcquireError {
    /// Whether it failed for lack of time.
    #[must_use]
    pub const fn is_too_long(&self) -> bool {
        matches!(self, Self::TooLong { .. })
    }
}

impl fmt::Display for AcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ExceedsBurst { requested, burst } => exceeds(f, requested, burst),
            Self::TooLong { wait: Some(wait) } => {
                write!(f, "it would take {wait:?}, longer than allowed")
            }
            Self::TooLong { wait: None } => f.write_str("it would never be granted"),
            Self::Closed => f.write_str("the limiter is closed"),
            Self::TableFull => f.write_str("no place for another key"),
        }
    }
}

impl Error for AcquireError {}

fn exceeds(f: &mut fmt::Formatter<'_>, requested: u32, burst: u32) -> fmt::Result {
    write!(f, "{requested} tokens are more than the burst of {burst}")
}

/// More tokens than the bucket holds, given to
/// [`set_tokens`](crate::RateLimiter::set_tokens).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokensError {
    pub(crate) tokens: u32,
    pub(crate) burst: u32,
}

impl fmt::Display for TokensError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tokens, burst } = self;
        write!(f, "{tokens} tokens are out of the range 0 to {burst}, the burst")
    }
}

impl Error for TokensError {}

/// A debt that would take more than a hundred days to pay, asked of
/// [`consume_debt`](crate::RateLimiter::consume_debt). Nothing was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DebtError {
    pub(crate) tokens: u32,
}

impl fmt::Display for DebtError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens more are a larger debt than a limiter can keep", self.tokens)
    }
}

impl Error for DebtError {}

/// A capacity that no [`Keyed`](crate::Keyed) limiter can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CapacityError {
    pub(crate) capacity: usize,
}

impl fmt::Display for CapacityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a capacity of {} keys is out of the range 1 to {}", self.capacity, u32::MAX)
    }
}

impl Error for CapacityError {}
