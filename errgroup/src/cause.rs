//! Why a token was cancelled.

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::sync::Arc;

/// Why a [`CancelToken`](crate::CancelToken) was cancelled. The first cause wins, and children
/// inherit it. A clone costs one count, or a copy of an owned
/// text.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Cause {
    /// [`cancel`](crate::CancelToken::cancel) was called: no reason given.
    Requested,
    /// [`cancel_with`](crate::CancelToken::cancel_with) gave this text.
    Message(Cow<'static, str>),
    /// [`cancel_with`](crate::CancelToken::cancel_with) gave this error.
    Error(Arc<dyn Error + Send + Sync>),
    /// The token's deadline passed.
    Deadline,
    /// A [`DropGuard`](crate::DropGuard) was dropped.
    Dropped,
    /// A task of the group ended the group: by an error, or because its policy had enough.
    Task {
        /// The task, counted from 0 in the order of the spawns.
        index: usize,
        /// The task's name, if it has one.
        name: Option<Arc<str>>,
    },
    /// A task of the group panicked.
    Panic {
        /// The task, counted from 0 in the order of the spawns.
        index: usize,
        /// The task's name, if it has one.
        name: Option<Arc<str>>,
    },
    /// The group has ended, and its token with it.
    Finished,
}

impl Cause {
    /// A cause that is an error.
    pub fn error(error: impl Error + Send + Sync + 'static) -> Self {
        Self::Error(Arc::new(error))
    }
}

impl From<&'static str> for Cause {
    fn from(text: &'static str) -> Self {
        Self::Message(Cow::Borrowed(text))
    }
}

impl From<String> for Cause {
    fn from(text: String) -> Self {
        Self::Message(Cow::Owned(text))
    }
}

impl From<Box<dyn Error + Send + Sync>> for Cause {
    fn from(error: Box<dyn Error + Send + Sync>) -> Self {
        Self::Error(Arc::from(error))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, name, how) = match self {
            Self::Requested => return f.write_str("cancelled on request"),
            Self::Message(text) => return f.write_str(text),
            Self::Error(error) => return error.fmt(f),
            Self::Deadline => return f.write_str("the deadline passed"),
            Self::Dropped => return f.write_str("its guard was dropped"),
            Self::Finished => return f.write_str("the group has ended"),
            Self::Task { index, name } => (index, name, "ended the group"),
            Self::Panic { index, name } => (index, name, "panicked"),
        };
        match name {
            Some(name) => write!(f, "task {index} ({name}) {how}"),
            None => write!(f, "task {index} {how}"),
        }
    }
}
