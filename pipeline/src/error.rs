//! What can go wrong: with options, with a stage, with a pipeline.

use std::any::Any;
use std::borrow::Cow;
use std::error::Error;
use std::{fmt, io};

/// What ends a pipeline before its source does, inside of it.
pub enum Fault<E> {
    /// A stage failed, and its policy says that this is the end.
    Failed(Failed<E>),
    /// A stage panicked: the payload.
    Panicked(Box<dyn Any + Send>),
    /// A buffer is full, and its rule says that this is the end.
    Overflowed(Overflowed),
    /// Nobody wants more.
    Cancelled,
}

impl<E> Fault<E> {
    /// The same with another error.
    pub(crate) fn map<F>(self, convert: impl FnOnce(E) -> F) -> Fault<F> {
        match self {
            Self::Failed(Failed { stage, index, error }) => {
                Fault::Failed(Failed { stage, index, error: convert(error) })
            }
            Self::Panicked(payload) => Fault::Panicked(payload),
            Self::Overflowed(overflowed) => Fault::Overflowed(overflowed),
            Self::Cancelled => Fault::Cancelled,
        }
    }
}

impl<E> fmt::Debug for Fault<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Failed(_) => "Failed",
            Self::Panicked(_) => "Panicked",
            Self::Overflowed(_) => "Overflowed",
            Self::Cancelled => "Cancelled",
        })
    }
}

/// A stage's error, and the item that it is about.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Failed<E> {
    /// The name of the stage.
    pub stage: Cow<'static, str>,
    /// Which of the stage's items it was, counted from 0.
    pub index: u64,
    /// What its function returned.
    pub error: E,
}

impl<E> fmt::Debug for Failed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failed")
            .field("stage", &self.stage)
            .field("index", &self.index)
            .finish_non_exhaustive()
    }
}

impl<E: fmt::Display> fmt::Display for Failed<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, index, error } = self;
        write!(f, "stage `{stage}` failed at item {index}: {error}")
    }
}

impl<E: Error + 'static> Error for Failed<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.error)
    }
}

/// A buffer that was full, with the rule [`Overflow::Fail`](crate::Overflow::Fail).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Overflowed {
    /// The name of the buffer's stage.
    pub stage: Cow<'static, str>,
    /// Which of its items had no place, counted from 0.
    pub index: u64,
    /// How many items it holds.
    pub capacity: usize,
}

impl fmt::Display for Overflowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, index, capacity } = self;
        write!(f, "stage `{stage}`, which holds {capacity}, had no place for item {index}")
    }
}

impl Error for Overflowed {}

/// A pipeline that was not started.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// An option is out of range.
    OutOfRange {
        /// The stage.
        stage: Cow<'static, str>,
        /// The option.
        option: &'static str,
        /// What was asked for.
        value: usize,
        /// The least that is accepted.
        least: usize,
        /// The most that is accepted.
        most: usize,
    },
    /// The system refuses a thread.
    Thread {
        /// The stage.
        stage: Cow<'static, str>,
        /// What the system says.
        error: io::Error,
    },
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { stage, option, value, least, most } => {
                write!(f, "{option} of stage `{stage}` is {value}, not one of {least} to {most}")
            }
            Self::Thread { stage, error } => {
                write!(f, "no thread for stage `{stage}`: {error}")
            }
        }
    }
}

impl Error for BuildError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::OutOfRange { .. } => None,
            Self::Thread { error, .. } => Some(error),
        }
    }
}

/// Why a pipeline did not come to its end.
#[non_exhaustive]
pub enum RunError<E> {
    /// It was not started.
    Build(BuildError),
    /// A stage failed.
    Failed(Failed<E>),
    /// A buffer was full.
    Overflowed(Overflowed),
    /// It was aborted.
    Aborted,
}

impl<E> RunError<E> {
    /// The stage's error, if it is one.
    #[must_use]
    pub fn into_failed(self) -> Option<Failed<E>> {
        match self {
            Self::Failed(failed) => Some(failed),
            _ => None,
        }
    }
}

impl<E> fmt::Debug for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build(error) => f.debug_tuple("Build").field(error).finish(),
            Self::Failed(failed) => f.debug_tuple("Failed").field(failed).finish(),
            Self::Overflowed(error) => f.debug_tuple("Overflowed").field(error).finish(),
            Self::Aborted => f.write_str("Aborted"),
        }
    }
}

impl<E: fmt::Display> fmt::Display for RunError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Build(error) => error.fmt(f),
            Self::Failed(failed) => failed.fmt(f),
            Self::Overflowed(error) => error.fmt(f),
            Self::Aborted => f.write_str("the pipeline was aborted"),
        }
    }
}

impl<E: Error + 'static> Error for RunError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Build(error) => Some(error),
            Self::Failed(failed) => Some(failed),
            Self::Overflowed(error) => Some(error),
            Self::Aborted => None,
        }
    }
}

impl<E> From<BuildError> for RunError<E> {
    fn from(error: BuildError) -> Self {
        Self::Build(error)
    }
}
