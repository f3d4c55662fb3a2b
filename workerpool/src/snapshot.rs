//! What a pool does at one moment.

use crate::metrics::Metrics;
use crate::primitives::Arc;
use std::fmt;
use std::time::Duration;

/// What a worker does at the moment of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WorkerState {
    /// It has a job.
    Running,
    /// It has none: it sleeps, or looks for one.
    Idle,
}

/// A worker that lives at the moment of a snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LiveWorker {
    /// The name of the pool, with a number. Of a pool of threads it is the thread's, as a debugger
    /// shows it too.
    pub name: Option<Arc<str>>,
    /// What it does.
    pub state: WorkerState,
}

/// What a job does at the moment of a snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum JobState {
    /// Submitted, and not started. One whose submitter waits for a place is among them.
    Queued,
    /// A worker runs it. A task that waits for something is among them.
    Running,
}

/// A job that lives at the moment of a snapshot.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LiveJob {
    /// In the order in which those that are listed were submitted.
    pub id: u64,
    /// The name of the way by which it came in (`named`).
    pub name: Option<Arc<str>>,
    /// Its lane.
    pub lane: usize,
    /// What it does.
    pub state: JobState,
    /// For how long it has been in that state, if the pool observes its jobs.
    pub age: Option<Duration>,
    /// The name of the thread that runs it: a worker, or whoever runs it for the pool. A task has none,
    /// for each poll of it may be on another.
    pub thread: Option<Arc<str>>,
}

/// What a pool does at one moment: its numbers, its workers, and the jobs that it was told to list:
/// those that have a name and, where it was told to `observe`, all.
///
/// Numbers and workers are of one moment, jobs of the next. `Display` makes one line for each worker
/// and job, as a goroutine profile has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Snapshot {
    /// The pool's name.
    pub name: Arc<str>,
    /// Its numbers.
    pub metrics: Metrics,
    /// Its workers, the one that came first first.
    pub workers: Vec<LiveWorker>,
    /// The jobs that are listed, by [`id`](LiveJob::id).
    pub jobs: Vec<LiveJob>,
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Metrics { running, idle, queued, .. } = self.metrics;
        write!(f, "{}: {running} running, {idle} idle, {queued} queued", self.name)?;
        for LiveWorker { name, state } in &self.workers {
            write!(f, "\n  worker {}: {state:?}", name.as_deref().unwrap_or("?"))?;
        }
        for job in &self.jobs {
            write!(f, "\n  job {}", job.id)?;
            if let Some(name) = &job.name {
                write!(f, " {name:?}")?;
            }
            write!(f, ": {:?}", job.state)?;
            if let Some(thread) = &job.thread {
                write!(f, " on {thread}")?;
            }
            if let Some(age) = job.age {
                write!(f, ", {age:.1?}")?;
            }
        }
        Ok(())
    }
}
