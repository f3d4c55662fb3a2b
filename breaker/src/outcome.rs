//! What a call's result means to the circuit.

use std::time::Duration;

/// What a call's result means to the circuit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// The other side is well. A request that it refused for good reasons is one, too.
    Success,
    /// The other side is not well.
    Failure,
    /// This says nothing of the other side: it is not counted, and a probe's place is free again.
    Ignore,
    /// The other side has said how long to leave it alone: the circuit opens for so long, whatever the
    /// policy.
    TripFor(Duration),
}

/// Tells what the result of a call means to the circuit.
///
/// Every closure `Fn(&Result<T, E>) -> Outcome` does.
///
/// # Examples
///
/// ```
/// # use lockgate_breaker::{Breaker, Classify, Outcome};
/// /// For all calls that fail by an `io::Error`, whatever they give.
/// struct Io;
///
/// impl<T> Classify<T, std::io::Error> for Io {
///     fn classify(&self, result: &Result<T, std::io::Error>) -> Outcome {
///         match result {
///             Ok(_) => Outcome::Success,
///             Err(error) if error.kind() == std::io::ErrorKind::NotFound => Outcome::Success,
///             Err(error) if error.kind() == std::io::ErrorKind::Interrupted => Outcome::Ignore,
///             Err(_) => Outcome::Failure,
///         }
///     }
/// }
///
/// let breaker = Breaker::new("disk");
/// let _ = breaker.call_with(&Io, || std::fs::read("/no/such/file"));
/// assert_eq!(breaker.snapshot().consecutive_failures, 0);
/// ```
pub trait Classify<T, E> {
    /// What `result` means.
    fn classify(&self, result: &Result<T, E>) -> Outcome;
}

impl<T, E, F: Fn(&Result<T, E>) -> Outcome> Classify<T, E> for F {
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        self(result)
    }
}

/// `Ok` is a success and `Err` a failure.
#[derive(Clone, Copy, Debug, Default)]
pub struct ErrIsFailure;

impl<T, E> Classify<T, E> for ErrIsFailure {
    #[inline]
    fn classify(&self, result: &Result<T, E>) -> Outcome {
        if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    }
}

/// What a breaker made of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Recorded {
    /// It was counted.
    Counted,
    /// It was counted, and this transition followed from it.
    Opened,
    /// It was counted, and this transition followed from it.
    Closed,
    /// It says nothing, or nothing is counted now.
    Ignored,
    /// The state has changed since its call was admitted: it belongs to the past, and changed nothing.
    Stale,
}

/// What becomes of a call of which the result is never told: its permit or its future was dropped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum DropPolicy {
    /// A failure if it had taken as long as [`call_deadline`](crate::Builder::call_deadline) says, and
    /// ignored if not: a time-out around the call is the other side's fault, a client that hung up is not.
    #[default]
    Timed,
    /// Ignored, however long it took.
    Ignore,
    /// A failure.
    Failure,
}
