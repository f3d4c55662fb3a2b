//! Worker pools: bounded, observable, and they shut down when told. Jobs run on threads; **threads and
//! async tasks** submit them and wait for them alike.
//!
//! ```
//! # #[cfg(feature = "sync")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use lockgate_workerpool::thread::Pool;
//!
//! let pool = Pool::new(4)?;
//! let jobs: Vec<_> = (1..=3).map(|n| pool.submit(move || n * n)).collect::<Result<_, _>>()?;
//! let squares: Vec<u32> = jobs.into_iter().map(|job| job.wait()).collect::<Result<_, _>>()?;
//! assert_eq!(squares, [1, 4, 9]);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sync"))]
//! # fn main() {}
//! ```
//!
//! # Threads and tasks
//!
//! | | a thread | a task |
//! |---|---|---|
//! | hand over a job, by the pool's policy | `pool.submit(job)?` | `pool.reserve().await?.submit(job)?` |
//! | its result | `job.wait()?` | `job.await?` |
//! | a place, a job and its result in one | `pool.run(job).wait()?` | `pool.run(job).await?` |
//! | until nothing is to be done | `pool.wait_idle().wait()` | `pool.wait_idle().await` |
//! | until the last worker has ended | `pool.shutdown().wait()?` | `pool.shutdown().await` |
//!
//! A *request* (`reserve`, `run`, `wait_idle`) does nothing until it is waited for, and dropping it
//! cancels. A *handle* (`Job`, `Shutdown`) is for what is under way already, and dropping it detaches.
//!
//! # Semantics
//!
//! * **Order.** Jobs of a lane start in the order in which they were accepted, but for what a worker
//!   has set aside for itself: at the most 32 jobs, and at the most a quarter of its fair share of the
//!   queue. With several lanes nothing is set aside. Lane 0 goes first; each 61st job is taken from the
//!   least urgent lane.
//! * **Bounds.** At the most as many jobs as there are workers run, and as many as the queue says wait.
//!   Submitters that wait are served in the order in which they came.
//! * **Panics** are caught: they are the result of the job's handle, or go to `on_panic`. No worker
//!   ends for one.
//! * **The end.** `shutdown` runs what was accepted, `shutdown_now` gives it back. Dropping the last
//!   clone of a pool is a shutdown that is waited for, unless a job of the pool drops it. Whatever is
//!   submitted afterwards comes back as `Rejected`.
//! * **Where there is no thread.** Zero threads and ranges without a worker are errors of the builder and of
//!   `resize`. Where the system refuses a thread, a pool that has workers goes on with those; one that has
//!   none gives the job back. A second shutdown is the first.
//! * **Waiting inside.** A job that waits for another of its pool runs it if it has not started. One
//!   that runs elsewhere is waited for, and if every worker would wait so, that is
//!   `JobError::WouldDeadlock`.
//! * **Cancel safety.** Every wait may be dropped at any time: a turn in line goes to the next, a job
//!   of `run` that has not started is aborted, everything else goes on.
//!
//! # When not to use it
//!
//! To split one computation over all cores, use rayon: its `join` costs a few nanoseconds, a job of a
//! pool some fifty. For many tasks that wait for the network, use an async runtime.
//!
//! # Coming from Go
//!
//! | Go | here |
//! |---|---|
//! | `jobs := make(chan func(), 1024)` and n goroutines that range over it | `Pool::builder().threads(n).queue(Queue::Bounded(1024))` |
//! | `jobs <- f` | `pool.spawn(f)?` |
//! | `select { case jobs <- f: default: }` | `pool.try_submit(f)` |
//! | a reply channel for each job | `pool.submit(f)?.wait()?` |
//! | `close(jobs); wg.Wait()` | `pool.shutdown().wait()?` |
//!
//! # Features
//!
//! `sync` (default): pools of threads and blocking waits. `async` (default): every wait is a future
//! too, on any executor. `tracing`: a span for each job, under the span of whoever submitted it; events
//! for panics, rejections and shutdowns. `metrics`: a meter that tells what has changed. `serde`: pools in
//! configuration files.
//!
//! # Memory ordering
//!
//! What happened before a job was submitted happens before the job; what the job did happens before
//! its result is there, before `wait_idle` is over and before the end of the pool is seen.
//!
//! How it works, with every hazard and the model that shows it: `DESIGN.md` of this crate.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "sync", feature = "serde"))]
mod config;
#[cfg(all(feature = "sync", not(all(test, lockgate_loom))))]
mod cores;
#[cfg(feature = "sync")]
mod engine;
#[cfg(feature = "sync")]
mod error;
#[cfg(feature = "sync")]
mod job;
#[cfg(feature = "sync")]
mod lanes;
#[cfg(all(feature = "sync", feature = "metrics"))]
pub mod metered;
#[cfg(feature = "sync")]
mod metrics;
#[cfg(feature = "sync")]
mod parker;
#[cfg(feature = "sync")]
mod primitives;
#[cfg(feature = "sync")]
mod snapshot;
#[cfg(feature = "sync")]
mod state;
#[cfg(all(test, feature = "sync"))]
mod tests;
#[cfg(feature = "sync")]
pub mod thread;
#[cfg(feature = "sync")]
mod timings;
#[cfg(feature = "sync")]
mod trace;
#[cfg(feature = "sync")]
mod waiters;
#[cfg(feature = "sync")]
mod watch;

#[cfg(feature = "sync")]
pub use crate::metrics::Metrics;
#[cfg(all(feature = "sync", feature = "serde"))]
pub use config::{PoolConfig, ThreadsConfig};
#[cfg(feature = "sync")]
pub use error::{
    BuildError, Closed, JobError, Panicked, Reason, Rejected, RejectedBatch, ResizeError, RunError,
    ShutdownError, WaitError,
};
#[cfg(feature = "sync")]
pub use snapshot::{JobState, LiveJob, LiveWorker, Snapshot, WorkerState};
#[cfg(feature = "sync")]
pub use thread::{Queue, Reject};
#[cfg(feature = "sync")]
pub use timings::{Histogram, Times, Timings};
