//! What can go wrong, one type for each kind of operation, in both worlds.

mod many;

pub use many::{GroupError, MapError};

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The pool that was asked for cannot be.
#[derive(Debug)]
#[non_exhaustive]
pub enum BuildError {
    /// `threads` has no place for a worker: the end of the range is 0, or before its start.
    Threads {
        /// The start of the range.
        min: usize,
        /// Its end, included.
        max: usize,
    },
    /// `lanes` is outside of `1..=65535`.
    Lanes(usize),
    /// `lanes` is not 1, and the engine is the one that steals.
    StealingLanes(usize),
    /// `reject` is [`DropOldest`](crate::Reject::DropOldest), and the engine is the one that steals.
    StealingReject(crate::Reject),
    /// `timings` is `Sampled(0)`: of each so many jobs one is timed, and so many is 1 or more.
    Timings(u32),
    /// `lanes` is not 1, and one closure is to be fed with values, which have no lanes.
    WorkersLanes(usize),
    /// `timings` is not `Off`, and one closure is to be fed with values, which are not timed.
    WorkersTimings(crate::Timings),
    /// `observe` was called, and one closure is to be fed with values, which are not listed.
    WorkersObserve,
    /// The system refused a thread. Those that had been started have ended.
    Spawn(io::Error),
    /// `limit` is 0: no task of the pool would ever run.
    Limit(usize),
    /// A pool of tasks was built outside of a runtime, and was given none.
    NoRuntime,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads { min, max } => {
                write!(
                    f,
                    "threads is {min}..={max}: the end must be 1 or more, and not before the start"
                )
            }
            Self::Lanes(lanes) => write!(f, "lanes is {lanes}: it must be in 1..=65535"),
            Self::StealingLanes(lanes) => {
                write!(f, "lanes is {lanes}: it must be 1 where workers steal")
            }
            Self::StealingReject(reject) => write!(
                f,
                "reject is {reject:?}: it must be Block, Fail, CallerRuns or DropNewest where workers steal"
            ),
            Self::WorkersLanes(lanes) => {
                write!(f, "lanes is {lanes}: it must be 1 for workers that are fed with values")
            }
            Self::WorkersTimings(timings) => {
                write!(
                    f,
                    "timings is {timings:?}: it must be Off for workers that are fed with values"
                )
            }
            Self::WorkersObserve => {
                f.write_str("observe is on: it must be off for workers that are fed with values")
            }
            Self::Timings(each) => {
                write!(f, "timings is one of each {each} jobs: it must be one of each 1 or more")
            }
            Self::Spawn(error) => write!(f, "the system refused a thread: {error}"),
            Self::Limit(limit) => write!(f, "limit is {limit}: it must be 1 or more"),
            Self::NoRuntime => f.write_str("there is no tokio runtime here, and none was given"),
        }
    }
}

impl StdError for BuildError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Spawn(error) => Some(error),
            _ => None,
        }
    }
}

/// Why a job was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// There is no room, or others wait for it.
    Full,
    /// The pool was shut down.
    Closed,
    /// A job of the pool submitted into a full queue, more than 64 deep: each of those before it
    /// was run at once where it was submitted, because waiting there might never end.
    TooDeep,
    /// There is no worker, and the system refused a thread.
    NoThread(io::ErrorKind),
    /// The group was cancelled, or one of its jobs has failed.
    Cancelled,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("the queue is full"),
            Self::Closed => f.write_str("the pool is shut down"),
            Self::TooDeep => f.write_str("the queue is full, and 64 jobs run inside each other"),
            Self::NoThread(kind) => write!(f, "there is no worker and no thread: {kind}"),
            Self::Cancelled => f.write_str("the group is cancelled"),
        }
    }
}

/// A job that was not accepted, with the job.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rejected<F> {
    /// What was to be run, as it was given.
    pub job: F,
    /// Why it was not accepted.
    pub reason: Reason,
}

impl<F> Rejected<F> {
    pub(crate) const fn new(job: F, reason: Reason) -> Self {
        Self { job, reason }
    }

    /// What was to be run.
    pub fn into_job(self) -> F {
        self.job
    }
}

impl<F> fmt::Debug for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rejected").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<F> fmt::Display for Rejected<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "job rejected: {}", self.reason)
    }
}

impl<F> StdError for Rejected<F> {}

/// Why a job that was accepted gave no value.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// It panicked. Its worker goes on.
    Panicked(Panicked),
    /// It was aborted, purged or handed back before it started; or, a task, aborted while it ran.
    Aborted,
    /// Its deadline had passed before it started.
    Expired,
    /// It was dropped for want of room, as [`Reject::DropNewest`](crate::Reject::DropNewest) and
    /// [`Reject::DropOldest`](crate::Reject::DropOldest) say.
    Dropped,
    /// Every worker of the pool that has a job would be parked until another's job ends, and this
    /// job runs on one of them.
    WouldDeadlock,
    /// The runtime of its pool was shut down before it was over.
    NoRuntime,
    /// It was not accepted: an item of a map, whose pool was shut down for instance.
    Rejected(Reason),
    /// It gave an error, which its group has.
    Failed,
}

impl fmt::Display for JobError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(panicked) => panicked.fmt(f),
            Self::Aborted => f.write_str("the job was aborted"),
            Self::Expired => f.write_str("the job's deadline passed before it started"),
            Self::Dropped => f.write_str("the job was dropped for want of room"),
            Self::WouldDeadlock => {
                f.write_str("every worker of the pool would wait for a job that another runs")
            }
            Self::NoRuntime => f.write_str("the runtime was shut down before the job was over"),
            Self::Rejected(reason) => write!(f, "the job was rejected: {reason}"),
            Self::Failed => f.write_str("the job gave an error, which its group has"),
        }
    }
}

impl StdError for JobError {}

impl JobError {
    /// The same once more, for another who is to be told. Of a panic only its words are the same.
    pub(crate) fn twin(&self) -> Self {
        match self {
            Self::Panicked(panicked) => {
                let words = panicked.message().unwrap_or("of no words").to_owned();
                Self::Panicked(Panicked::new(Box::new(words)))
            }
            Self::Aborted => Self::Aborted,
            Self::Expired => Self::Expired,
            Self::Dropped => Self::Dropped,
            Self::WouldDeadlock => Self::WouldDeadlock,
            Self::Rejected(reason) => Self::Rejected(*reason),
            Self::Failed => Self::Failed,
            Self::NoRuntime => Self::NoRuntime,
        }
    }
}

/// A job has panicked.
pub struct Panicked {
    payload: Box<dyn Any + Send>,
}

impl Panicked {
    pub(crate) const fn new(payload: Box<dyn Any + Send>) -> Self {
        Self { payload }
    }

    /// What was said, if it was said in words.
    pub fn message(&self) -> Option<&str> {
        let payload = &*self.payload;
        let words = payload.downcast_ref::<&str>().copied();
        words.or_else(|| payload.downcast_ref::<String>().map(String::as_str))
    }

    /// What [`std::panic::resume_unwind`] takes.
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload
    }
}

impl fmt::Debug for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panicked").field("message", &self.message()).finish_non_exhaustive()
    }
}

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message() {
            Some(message) => write!(f, "the job panicked: {message}"),
            None => f.write_str("the job panicked"),
        }
    }
}

impl StdError for Panicked {}

/// The pool is closed, so there will be no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the pool is shut down")
    }
}

impl StdError for Closed {}

/// What a wait with a limit in time ends with when it has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum WaitError<E> {
    /// The time is over.
    Timeout,
    /// It ended in time, with this error.
    Failed(E),
}

impl<E: fmt::Display> fmt::Display for WaitError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout => f.write_str("timed out"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: StdError + 'static> StdError for WaitError<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Timeout => None,
            Self::Failed(error) => Some(error),
        }
    }
}

/// Drops what may panic when it is dropped: one panic more must not unwind through a worker.
pub(crate) fn drop_payload<D>(payload: D) {
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(payload)));
    if let Err(second) = dropped {
        // This one's drop may panic too. It is leaked: there is no end to it otherwise.
        mem::forget(second);
    }
}

/// Why a job that was to be placed and run gave no value.
#[non_exhaustive]
pub enum RunError<F> {
    /// The job was not accepted; here it is.
    Rejected(Rejected<F>),
    /// It was accepted, and gave no value.
    Job(JobError),
}

impl<F> fmt::Display for RunError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Job(error) => error.fmt(f),
        }
    }
}

impl<F> fmt::Debug for RunError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rejected(rejected) => rejected.fmt(f),
            Self::Job(error) => error.fmt(f),
        }
    }
}

impl<F> StdError for RunError<F> {}

/// Why a pool does not have the size that was asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum ResizeError {
    /// The range has no place for a worker: its end is 0, or before its start. Nothing has changed.
    Threads {
        /// The start of the range.
        min: usize,
        /// Its end, included.
        max: usize,
    },
    /// The system refused a thread: the size is as asked, and fewer threads are there.
    Spawn(io::Error),
    /// The limit is 0: no task of the pool would ever run. Nothing has changed.
    Limit(usize),
}

impl fmt::Display for ResizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Threads { min, max } => {
                write!(
                    f,
                    "cannot resize to {min}..={max}: the end must be 1 or more, and not before the start"
                )
            }
            Self::Spawn(error) => write!(f, "the system refused a thread: {error}"),
            Self::Limit(limit) => write!(f, "cannot resize to {limit}: it must be 1 or more"),
        }
    }
}

impl StdError for ResizeError {}

/// Why a shutdown was not seen to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The time is over. The shutdown goes on.
    Timeout,
    /// A job of the pool asked, and would wait for itself. The shutdown goes on.
    Inside,
}

impl fmt::Display for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Timeout => "timed out before the last worker had ended",
            Self::Inside => "a job of the pool cannot wait for the end of the pool",
        })
    }
}

impl StdError for ShutdownError {}

/// Many jobs, of which not all were accepted.
pub struct RejectedBatch<F, J> {
    /// The handles of those that were.
    pub accepted: Vec<J>,
    /// The others, as they were given: all that come after those.
    pub rejected: Vec<F>,
    /// Why they were not accepted.
    pub reason: Reason,
}

impl<F, J> fmt::Debug for RejectedBatch<F, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectedBatch")
            .field("accepted", &self.accepted.len())
            .field("rejected", &self.rejected.len())
            .field("reason", &self.reason)
            .finish()
    }
}

impl<F, J> fmt::Display for RejectedBatch<F, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rejected, accepted) = (self.rejected.len(), self.accepted.len());
        let all = rejected + accepted;
        write!(f, "{rejected} of {all} jobs rejected: {}", self.reason)
    }
}

impl<F, J> StdError for RejectedBatch<F, J> {}
