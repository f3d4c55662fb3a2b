//! One error type for each operation that can fail, shared by threads and tasks.

use crate::cause::Cause;
use crate::primitives::{Arc, Mutex};
use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The token was cancelled, and why.
#[derive(Clone, Debug)]
pub struct Cancelled {
    cause: Cause,
}

impl Cancelled {
    pub(crate) const fn new(cause: Cause) -> Self {
        Self { cause }
    }

    /// Why the token was cancelled.
    #[must_use]
    pub const fn cause(&self) -> &Cause {
        &self.cause
    }

    /// The cause itself.
    #[must_use]
    pub fn into_cause(self) -> Cause {
        self.cause
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled: {}", self.cause)
    }
}

impl StdError for Cancelled {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match &self.cause {
            Cause::Error(error) => Some(&**error),
            _ => None,
        }
    }
}

/// What a group with the policy [`FirstError`](crate::join::FirstError) ended with.
#[derive(Debug)]
#[non_exhaustive]
pub enum Error<E> {
    /// A task failed: the first one in time.
    Task {
        /// The task, counted from 0 in the order of the spawns.
        index: usize,
        /// The task's name, if it has one.
        name: Option<Arc<str>>,
        /// What it failed with.
        error: E,
    },
    /// No task failed, but the group was cancelled from outside: by its parent, its deadline or
    /// somebody who holds its token.
    Cancelled(Cause),
    /// A task panicked, and the group takes panics for errors.
    Panicked(Panicked),
    /// The deadline passed while these tasks still ran.
    Stragglers(Vec<TaskId>),
    /// The builder was asked for what cannot be. Nothing ran.
    Build(BuildError),
}

impl<E> Error<E> {
    /// The task's own error, if that is what ended the group.
    #[must_use]
    pub fn into_task_error(self) -> Option<E> {
        match self {
            Self::Task { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Why the group was cancelled from outside, if it was.
    #[must_use]
    pub const fn cause(&self) -> Option<&Cause> {
        match self {
            Self::Cancelled(cause) => Some(cause),
            _ => None,
        }
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task { index, name, error } => {
                write!(f, "{}: {error}", Subject(*index, name.as_deref()))
            }
            Self::Cancelled(cause) => write!(f, "the group was cancelled: {cause}"),
            Self::Panicked(panicked) => panicked.fmt(f),
            Self::Stragglers(tasks) => stragglers(tasks, f),
            Self::Build(error) => error.fmt(f),
        }
    }
}

// `E` is not asked to be an error, which `anyhow::Error` and boxed errors are not. So the task's
// error is part of the text instead of being the source.
impl<E: fmt::Debug + fmt::Display> StdError for Error<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Cancelled(Cause::Error(error)) => Some(&**error),
            _ => None,
        }
    }
}

fn stragglers(tasks: &[TaskId], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("the deadline passed with these still running: ")?;
    for (place, task) in tasks.iter().enumerate() {
        let comma = if place == 0 { "" } else { ", " };
        write!(f, "{comma}{task}")?;
    }
    Ok(())
}

/// Which task of a group.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct TaskId {
    pub(crate) index: usize,
    pub(crate) name: Option<Arc<str>>,
}

impl TaskId {
    /// The task, counted from 0 in the order of the spawns.
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }

    /// The task's name, if it has one.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Subject(self.index, self.name()).fmt(f)
    }
}

/// A task in a message.
struct Subject<'a>(usize, Option<&'a str>);

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(index, name) = self;
        match name {
            Some(name) => write!(f, "task {index} ({name})"),
            None => write!(f, "task {index}"),
        }
    }
}

/// A panic of a task, caught.
#[derive(Debug)]
pub struct Panicked {
    task: TaskId,
    /// A mutex because payloads are `Send` and not `Sync`, and an error should be both.
    /// INVARIANT: `Some` until `into_payload` or the drop.
    payload: Mutex<Option<Payload>>,
}

/// What a panic carries.
pub(crate) type Payload = Box<dyn Any + Send>;

impl Panicked {
    pub(crate) fn new(task: TaskId, payload: Payload) -> Self {
        Self { task, payload: Mutex::new(Some(payload)) }
    }

    /// The task that panicked.
    #[must_use]
    pub const fn task(&self) -> &TaskId {
        &self.task
    }

    /// The text of the panic, where it is a text.
    #[must_use]
    pub fn message(&self) -> Option<String> {
        let payload = self.payload.lock();
        let payload = payload.as_ref()?;
        let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
        text.or_else(|| payload.downcast_ref::<String>().cloned())
    }

    /// What [`std::panic::resume_unwind`] takes.
    #[must_use]
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        let payload = self.payload.lock().take();
        payload.unwrap_or_else(|| Box::new("the payload is gone"))
    }

    /// Lets the panic go on in this thread.
    pub fn resume(self) -> ! {
        std::panic::resume_unwind(self.into_payload())
    }
}

impl Drop for Panicked {
    fn drop(&mut self) {
        let payload = self.payload.lock().take();
        drop_payload(payload);
    }
}

/// Drops a payload whose own drop may panic: one panic more must not unwind through whoever
/// holds the group together (rust-lang/rust#157969: a scope that returned before its jobs).
pub(crate) fn drop_payload<D>(payload: D) {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    if let Err(second) = dropped {
        // This one's drop may panic too. It is leaked: there is no end to it otherwise.
        std::mem::forget(second);
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(message) => write!(f, "{} panicked: {message}", self.task),
            None => write!(f, "{} panicked", self.task),
        }
    }
}

impl StdError for Panicked {}

/// The builder was asked for what cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BuildError {
    /// A limit of 0: nothing could ever run.
    ZeroLimit,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ZeroLimit => f.write_str("limit is 0, and has to be 1 or more"),
        }
    }
}

impl StdError for BuildError {}

/// Why a task was not accepted, with what was to run.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrySpawnError<F> {
    /// As many tasks run as the limit allows.
    Full(F),
    /// The group is cancelled.
    Cancelled(F),
}

impl<F> TrySpawnError<F> {
    /// What was to run.
    pub fn into_inner(self) -> F {
        match self {
            Self::Full(task) | Self::Cancelled(task) => task,
        }
    }

    /// Whether the limit was reached.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        matches!(self, Self::Full(_))
    }
}

impl<F> fmt::Debug for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() { "Full(..)" } else { "Cancelled(..)" })
    }
}

impl<F> fmt::Display for TrySpawnError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "as many tasks run as the limit allows",
            Self::Cancelled(_) => "the group is cancelled",
        })
    }
}

impl<F> StdError for TrySpawnError<F> {}

/// A task was not accepted because the group is cancelled.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rejected<F>(pub F);

impl<F> fmt::Debug for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Rejected(..)")
    }
}

impl<F> fmt::Display for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the group is cancelled")
    }
}

impl<F> StdError for Rejected<F> {}

/// What [`spawn`](crate::thread::Cx::spawn) says. It may be ignored: the task runs, and its
/// result goes to the group.
pub struct Spawned<F>(pub(crate) Result<TaskId, Rejected<F>>);

impl<F> Spawned<F> {
    /// Which task it is, if it was accepted.
    #[must_use]
    pub fn id(&self) -> Option<&TaskId> {
        self.0.as_ref().ok()
    }

    /// Whether the group was cancelled, so that the task was not accepted and will not run.
    #[must_use]
    pub const fn is_rejected(&self) -> bool {
        self.0.is_err()
    }

    /// Which task it is.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with what was to run, if the group is cancelled.
    pub fn accepted(self) -> Result<TaskId, Rejected<F>> {
        self.0
    }
}

impl<F> fmt::Debug for Spawned<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Spawned").field(&self.0).finish()
    }
}

/// A limit that is out of its range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LimitError {
    /// A limit of 0: nothing could ever run.
    Zero,
    /// The group was made without a limit, and spawns its tasks without a queue. One of
    /// `usize::MAX` can be changed.
    Unlimited,
}

impl LimitError {
    pub(crate) const fn check(limit: usize) -> Result<(), Self> {
        if limit == 0 { Err(Self::Zero) } else { Ok(()) }
    }
}

impl fmt::Display for LimitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Zero => "limit is 0, and has to be 1 or more",
            Self::Unlimited => "the group was made without a limit",
        })
    }
}

impl StdError for LimitError {}

/// The token was not cancelled before the deadline of a
/// [`wait_timeout`](crate::WaitCancelled::wait_timeout), nor had the moment come of a
/// [`Sleep`](crate::Sleep).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WaitTimeoutError(pub(crate) ());

impl fmt::Display for WaitTimeoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("deadline passed while waiting for a cancel or a moment")
    }
}

impl StdError for WaitTimeoutError {}
