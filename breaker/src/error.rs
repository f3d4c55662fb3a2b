//! What can be wrong: with a call, and with what a breaker is built from.

use crate::state::State;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// Why a call was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// What the circuit was then: open, forced open, half open with all its probes under way, or closed
    /// with a [`client_throttle`](crate::Policy::client_throttle) that has drawn this call.
    pub state: State,
    /// When to come again, if that is known: until then every call is rejected, and afterwards there
    /// may be others that come first. Nobody knows when a probe will end, or when somebody who
    /// forced the circuit open will think again.
    pub retry_after: Option<Duration>,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.state {
            State::Closed => f.write_str("the call was throttled")?,
            State::HalfOpen => f.write_str("the circuit is half open and has no probe left")?,
            State::ForcedOpen => f.write_str("the circuit is forced open")?,
            _ => f.write_str("the circuit is open")?,
        }
        match self.retry_after {
            Some(after) => write!(f, "; retry after {after:?}"),
            None => Ok(()),
        }
    }
}

impl StdError for Rejected {}

/// Why a call through a breaker gave no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error<E> {
    /// It was not made.
    Rejected(Rejected),
    /// It was made, and this is its own error.
    Inner(E),
}

impl<E> Error<E> {
    /// The error of the call itself.
    pub fn into_inner(self) -> Option<E> {
        match self {
            Self::Inner(error) => Some(error),
            Self::Rejected(_) => None,
        }
    }

    /// The rejection or the call's own error, in a box, to be told apart by `downcast_ref`. An error that was
    /// boxed already is not boxed again.
    pub fn into_boxed(self) -> Box<dyn StdError + Send + Sync>
    where
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        match self {
            Self::Rejected(rejected) => rejected.into(),
            Self::Inner(error) => error.into(),
        }
    }

    /// Whether the call was not made.
    pub const fn is_rejected(&self) -> bool {
        matches!(self, Self::Rejected(_))
    }
}

impl<E> From<Rejected> for Error<E> {
    fn from(rejected: Rejected) -> Self {
        Self::Rejected(rejected)
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Inner(error) => error.fmt(f),
        }
    }
}

impl<E: StdError> StdError for Error<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Rejected(_) => None,
            Self::Inner(error) => error.source(),
        }
    }
}

/// Why a [`Subscription`](crate::Subscription) has no next transition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// So many came and went before they were fetched. There are more after them.
    Missed(u64),
    /// The breaker is gone.
    Closed,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missed(count) => write!(f, "{count} transitions were missed"),
            Self::Closed => f.write_str("the breaker is gone"),
        }
    }
}

impl StdError for RecvError {}

/// What no breaker can be built from.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum BuildError {
    /// A number that is out of its range.
    Number {
        /// What it was for, as the builder calls it.
        knob: &'static str,
        /// The number that was given.
        given: u64,
        /// The least that is possible.
        least: u64,
        /// The most that is possible.
        most: u64,
    },
    /// A share that is not above 0, or above 1.
    Share {
        /// What it was for.
        knob: &'static str,
        /// The share that was given.
        given: f64,
    },
    /// A jitter below 0 or above 1.
    Jitter {
        /// The part that was given.
        given: f64,
    },
    /// A duration that is out of its range.
    Duration {
        /// What it was for.
        knob: &'static str,
        /// The duration that was given.
        given: Duration,
        /// The least that is possible.
        least: Duration,
        /// The most that is possible.
        most: Duration,
    },
    /// A factor of a throttle that is not above 1, or above 1000.
    Factor {
        /// The factor that was given.
        given: f64,
    },
    /// A bound for what a throttle rejects that is not above 0, or not below 1.
    RejectionRate {
        /// The rate that was given.
        given: f64,
    },
    /// A throttle where it cannot be: among, over or beside this.
    Throttle(&'static str),
    /// Two policies of one breaker that call different durations slow.
    SlowerThan {
        /// The one.
        one: Duration,
        /// The other.
        other: Duration,
    },
    /// A policy made of no policy.
    NoPolicy,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number { knob, given, least, most } => {
                write!(f, "{knob} of {given} is out of the range {least} to {most}")
            }
            Self::Share { knob, given } => {
                write!(f, "{knob} of {given} is out of the range above 0 to 1")
            }
            Self::Jitter { given } => write!(f, "a jitter of {given} is out of the range 0 to 1"),
            Self::Duration { knob, given, least, most } => {
                write!(f, "{knob} of {given:?} is out of the range {least:?} to {most:?}")
            }
            Self::Factor { given } => {
                write!(f, "the factor of a throttle of {given} is out of the range above 1 to 1000")
            }
            Self::RejectionRate { given } => write!(
                f,
                "the largest rejection rate of {given} is out of the range above 0 to less than 1"
            ),
            Self::Throttle(place) => write!(f, "a throttle {place}"),
            Self::SlowerThan { one, other } => {
                write!(f, "calls are slow after {one:?} in one policy and {other:?} in another")
            }
            Self::NoPolicy => f.write_str("any or all of no policy"),
        }
    }
}

impl StdError for BuildError {}
