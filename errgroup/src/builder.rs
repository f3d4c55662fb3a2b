//! The options of a group, the same for threads and tasks.

use crate::error::BuildError;
use crate::join::FirstError;
use crate::primitives::Arc;
use crate::token::CancelToken;
use std::convert::Infallible;
use std::time::{Duration, Instant};

/// What becomes of a task's panic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum OnPanic {
    /// The siblings are cancelled and joined, then the panic goes on in whoever joins, with its
    /// own payload.
    #[default]
    Resume,
    /// It counts as an error: the policy is told.
    Error,
    /// The process is aborted, once the panic hook has run.
    Abort,
}

/// The options of a group, of threads or of tasks.
///
/// # Examples
///
/// ```
/// use lockgate_errgroup::Builder;
/// use std::time::Duration;
///
/// let builder = Builder::<lockgate_errgroup::join::FirstError<String>>::new()
///     .limit(8)
///     .backlog(64)
///     .timeout(Duration::from_secs(30))
///     .name("deploy");
/// ```
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing by itself"]
pub struct Builder<J> {
    pub(crate) limit: Option<usize>,
    pub(crate) backlog: Option<usize>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) timeout: Option<Duration>,
    pub(crate) token: Option<CancelToken>,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) on_panic: OnPanic,
    pub(crate) run_all: bool,
    pub(crate) observe: bool,
    pub(crate) stack_size: Option<usize>,
    pub(crate) join: J,
}

impl<E> Builder<FirstError<E>> {
    /// No limit, and the first error cancels the rest and is returned.
    pub const fn new() -> Self {
        Self::with(FirstError::new())
    }
}

impl<E> Default for Builder<FirstError<E>> {
    fn default() -> Self {
        Self::new()
    }
}

// For one type alone, so that `Builder::new().join_with(..)` need not say whose errors the policy
// that it replaces would have kept.
impl Builder<FirstError<Infallible>> {
    /// Another policy: what is made of the tasks' results. [`with`](Self::with) begins with it.
    pub fn join_with<J>(self, join: J) -> Builder<J> {
        self.replace_join(join)
    }
}

impl<J> Builder<J> {
    /// No limit, and `join` for the policy: what is made of the tasks' results.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "sync")] {
    /// use lockgate_errgroup::{Builder, join::AllOk, thread};
    ///
    /// let squares = thread::scope(Builder::with(AllOk::new()).limit(2), |g| {
    ///     for n in 1..=3 {
    ///         g.spawn(move |_| Ok::<_, String>(n * n));
    ///     }
    /// });
    /// assert_eq!(squares.unwrap(), [1, 4, 9]);
    /// # }
    /// ```
    pub const fn with(join: J) -> Self {
        Self {
            limit: None,
            backlog: None,
            deadline: None,
            timeout: None,
            token: None,
            name: None,
            on_panic: OnPanic::Resume,
            run_all: false,
            observe: false,
            stack_size: None,
            join,
        }
    }

    /// At most so many tasks run at a time. 1 or more; 0 is a [`BuildError`]. It can be changed
    /// while the group runs, by `set_limit`; but an owning group of tasks that was made without a
    /// limit has no queue, and there that is a [`LimitError`](crate::LimitError): begin with
    /// `usize::MAX`.
    pub const fn limit(mut self, limit: usize) -> Self {
        self.limit = Some(limit);
        self
    }

    /// At most so many tasks are accepted beyond those that run; `spawn` waits beyond that. The
    /// default is 8 times the limit, and 4000 at the least. With 0, as in Go, `spawn` waits until
    /// the task can start.
    ///
    /// A spawner that waits is woken when half of it is free: one wake-up for many tasks.
    pub const fn backlog(mut self, backlog: usize) -> Self {
        self.backlog = Some(backlog);
        self
    }

    /// The group is cancelled at this moment, with the cause [`Deadline`](crate::Cause::Deadline).
    pub const fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The group is cancelled so long after it began.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The group's token is a child of this one.
    pub fn token(mut self, parent: &CancelToken) -> Self {
        self.token = Some(parent.clone());
        self
    }

    /// A name for the group: its threads carry it.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// What becomes of a task's panic.
    pub const fn on_panic(mut self, on_panic: OnPanic) -> Self {
        self.on_panic = on_panic;
        self
    }

    /// Tasks start even if the group is cancelled, as in Go. They are told by their token.
    pub const fn run_all(mut self) -> Self {
        self.run_all = true;
        self
    }

    /// Snapshots tell how old tasks are, for one reading of the clock for each task.
    pub const fn observe(mut self) -> Self {
        self.observe = true;
        self
    }

    /// The stack of each thread, in bytes. Tasks have none.
    pub const fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    pub(crate) fn replace_join<K>(self, join: K) -> Builder<K> {
        let Self { limit, backlog, deadline, timeout, token, name, .. } = self;
        let Self { on_panic, run_all, observe, stack_size, .. } = self;
        Builder {
            limit,
            backlog,
            deadline,
            timeout,
            token,
            name,
            on_panic,
            run_all,
            observe,
            stack_size,
            join,
        }
    }

    /// The first knob that is out of its range.
    pub(crate) const fn check(&self) -> Result<(), BuildError> {
        match self.limit {
            Some(0) => Err(BuildError::ZeroLimit),
            _ => Ok(()),
        }
    }
}
