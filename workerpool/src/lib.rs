//! Worker pools: bounded, observable, and they shut down when told. Jobs are closures that run on
//! threads (`thread::Pool`), or futures that run on tokio (`task::Pool`); **threads and async tasks**
//! submit them and wait for them alike.
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
//! A pool of threads, used by
//!
//! | | a thread | a task |
//! |---|---|---|
//! | hand over a job, by the pool's policy | `pool.submit(job)?` | `pool.reserve().await?.submit(job)?` |
//! | its result | `job.wait()?` | `job.await?` |
//! | a place, a job and its result in one | `pool.run(job).wait()?` | `pool.run(job).await?` |
//! | one closure over many items | `pool.map(items, f).wait()?`, or iterate | `pool.map(items, f).await?` |
//! | jobs that fail together | `group.wait()?` | `group.await?` |
//! | until nothing is to be done | `pool.wait_idle().wait()` | `pool.wait_idle().await` |
//! | until the last worker has ended | `pool.shutdown().wait()?` | `pool.shutdown().await` |
//!
//! A pool of tasks, used by
//!
//! | | a task | a thread outside of the runtime |
//! |---|---|---|
//! | hand over a job, by the pool's policy | `pool.submit(future).await?` | `pool.submit(future).wait()?` |
//! | the same, if there is room | `pool.try_submit(future)?` | `pool.try_submit(future)?` |
//! | its result | `job.await?` | `job.wait()?` |
//! | a place, a job and its result in one | `pool.run(future).await?` | `pool.run(future).wait()?` |
//! | one closure over many items | `pool.map(items, f).await?`, or `next_result()` | `pool.map(items, f).wait()?`, or iterate |
//! | jobs that fail together | `group.await?` | `group.wait()?` |
//! | until nothing is to be done | `pool.wait_idle().await` | `pool.wait_idle().wait()` |
//! | until the last worker has ended | `pool.shutdown().await` | `pool.shutdown().wait()?` |
//!
//! What the pools have:
//!
//! | | `thread::Pool` | `task::Pool` |
//! |---|---|---|
//! | `submit`, `spawn`, `submit_batch`, `spawn_batch`; a group's `submit` and `spawn` | calls, which block by the policy | requests |
//! | `try_submit`, `reserve`, `run`, lanes, deadlines, policies | yes | yes |
//! | `map`, `map_batched`, `BatchSize`, `unordered` | items and closure may borrow, in a `scope` | `'static`; the closure gives a future |
//! | `group` | whoever waits inside runs its jobs | whoever awaits inside keeps its place |
//! | `subpool`, `keyed` | yes | yes |
//! | `named`, `snapshot`, `observe`, `timings`, `meter`, spans | yes | yes; a task has no thread to be named |
//! | `resize`, `pause`, `resume`, `purge`, `wait_idle`, shutdowns | yes; by a range of threads | yes; by a limit |
//! | `Job::abort` | what has not started | what runs too, where it waits next |
//! | `adaptive`, `Engine::Stealing`, `Workers`, `PoolConfig`, `on_start`, `on_stop` | yes | no |
//!
//! A *request* (`reserve`, `run`, `map`, `wait_idle`, and a task pool's `submit` and `spawn`) does nothing
//! until it is waited for, and dropping it cancels. A *handle* (`Job`, `Group`, `Shutdown`) is for what is
//! under way already, and dropping it detaches.
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
//!   clone of a pool of threads is a shutdown that is waited for, unless a job of the pool drops it; of
//!   a pool of tasks, one that nobody waits for. Whatever is submitted afterwards comes back as
//!   `Rejected`. If the runtime of a pool of tasks ends first, what was accepted and is not over ends
//!   with `JobError::NoRuntime`.
//! * **Abort.** A job that has not started never does. A task that runs is dropped where it waits next;
//!   a closure that runs is not disturbed.
//! * **Maps** give each item one outcome, whatever the queue and its policy are, and hand an item back
//!   that their closure did not get. Those of tasks poll the items of a batch one after the other. How many items make a job is said, or found out
//!   (`BatchSize::Auto`).
//! * **Groups.** The first error of a group aborts its jobs that have not started, tasks and closures alike.
//!   What runs may ask whether its group is cancelled.
//! * **Where there is no thread.** Zero threads and ranges without a worker are errors of the builder and of
//!   `resize`. Where the system refuses a thread, a pool that has workers goes on with those; one that has
//!   none gives the job back. A second shutdown is the first.
//! * **Waiting inside.** A job that waits for another of its pool runs it if it has not started. One
//!   that runs elsewhere is waited for, and if every worker would wait so, that is
//!   `JobError::WouldDeadlock`. A task says `run` for that, which polls the other job inside of it; one
//!   that awaits the handle of another keeps its place meanwhile.
//! * **Cancel safety.** Every wait may be dropped at any time: a turn in line goes to the next, a job
//!   of `run` that has not started is aborted, everything else goes on.
//!
//! # Which engine when
//!
//! `Builder::engine` says how jobs reach the workers.
//!
//! * `Engine::Shared`, which is the default: one queue. For jobs that come from outside, one by one
//!   or in batches, and wherever the order of submission matters, or priorities.
//! * `Engine::Stealing` (feature `stealing`): for jobs that submit jobs. What a job submits stays with
//!   its worker, the newest first, and costs no more than a lock that is free; others take the older
//!   half when they have nothing to do. The rest of the semantics above is the same, the order
//!   excepted.
//!
//! A job of a tree of jobs, each of which submits two, took 17 ns with stealing, 76 ns with one queue
//! of 1024 (most run inside the one that submits them, because the queue is full), 100 ns with one
//! without end, 47 ns by rayon's `spawn` and 235 ns by tokio's (two cores of a virtual machine,
//! `inside/stealing` of the benches).
//!
//! # When not to use it
//!
//! * **rayon directly**: one computation that is split over all cores. Its `join` and its iterators cost a
//!   few nanoseconds where a job of a pool costs some fifty to a hundred, and it needs no queue. A pool beside it
//!   is for what blocks, has to be bounded or comes from many sides; `rayon::map` (feature `rayon`) is for a
//!   map where both are there. Rayon has no bound, no priorities, and runs a stranger's job where one waits.
//! * **tokio directly**: `tokio::spawn` for tasks of which any number may be under way at once, and that live
//!   as long as a connection does; `spawn_blocking` for a call now and then that blocks. A pool is for what
//!   comes faster than it can be done: it says no, or lets the submitter wait, before there is a task.
//! * **A semaphore** where tasks are there already, and only a part of each is to be bounded; **an error
//!   group** for work that fails together, and ends with the function that began it.
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
//! | `for _, batch := range chunks(items, 10)` and a `WaitGroup` | `pool.map_batched(items, BatchSize::Fixed(10), f).wait()?` |
//! | "what is the best batch size?" | `BatchSize::Auto` |
//! | `errgroup.Group` with `SetLimit` | `pool.group()` |
//! | ants: `NewPool(n)`, `Submit(f)` | `Pool::builder().threads(0..=n).queue(Queue::Handoff)`, `pool.spawn(f)?` |
//! | ants: `WithNonblocking`, `ErrPoolOverload` | `Reject::Fail`, or `try_submit`; `Reason::Full` |
//! | ants: `NewPoolWithFunc(n, f)`, `Invoke(v)` | `Workers::new(n, f)?`, `workers.push(v)?` |
//! | ants: `Tune(n)`, by hand or by a tuner of one's own | `pool.resize(n..=n)?`, or `Builder::adaptive` |
//! | ants: `WithExpiryDuration`, `WithPanicHandler`, `Release`, `ReleaseTimeout` | `keep_alive`, `on_panic`, `shutdown`, `shutdown_timeout` |
//! | pond: `NewPool(n, WithQueueSize(q))` | `Pool::builder().threads(n).queue(Queue::Bounded(q))` |
//! | pond: `Go(f)`, `Submit(f).Wait()`, `TrySubmit(f)` | `spawn(f)?`, `submit(f)?.wait()?`, `try_submit(f)` |
//! | pond: `NewGroup`, `NewSubpool(n)`, `NewResultPool` | `group()`, `subpool(n)`; every `submit` has a result |
//! | pond: `Resize(n)`, `StopAndWait()` | `resize(n..=n)?`, `shutdown().wait()?` |
//! | gammazero: `SubmitWait(f)`, `Pause(ctx)`, `Stop()`, `StopWait()` | `run(f).wait()?`, `pause()`, `shutdown_now()`, `shutdown().wait()?` |
//!
//! A context that ends a pool is `shutdown_now` here, which hands back what waits.
//!
//! # Coming from Java
//!
//! | `java.util.concurrent` | here |
//! |---|---|
//! | `ThreadPoolExecutor(core, max, keepAlive, queue, handler)` | `Pool::builder().threads(core..=max).keep_alive(d).queue(..).reject(..)` |
//! | `LinkedBlockingQueue()`, `ArrayBlockingQueue(n)`, `SynchronousQueue` | `Queue::Unbounded`, `Bounded(n)`, `Handoff` |
//! | `AbortPolicy`, `CallerRunsPolicy`, `DiscardPolicy`, `DiscardOldestPolicy` | `Reject::Fail`, `CallerRuns`, `DropNewest`, `DropOldest`; and `Block`, which Java lacks |
//! | `execute`, `submit`, `invokeAll` | `spawn`, `submit`, `submit_batch` or `map` |
//! | `Future.get()`, `get(timeout)`, `cancel(false)` | `Job::wait`, `wait_timeout`, `abort` |
//! | `shutdown`, `shutdownNow`, `awaitTermination` | `shutdown`, `shutdown_now`, `shutdown_timeout` |
//! | `beforeExecute` and `afterExecute`, `terminated` | spans of `tracing` and `on_panic`, `shutdown().wait()` |
//! | `getActiveCount`, `getQueue().size()`, `getCompletedTaskCount` | `metrics()`: `running`, `queued`, `completed` |
//! | `PriorityBlockingQueue` | `lanes(n)` and `pool.lane(i)`, of which none starves |
//!
//! Java's executor queues before it grows past `core`, so that with a queue without end `max` means nothing. A pool
//! grows first: a worker is started, up to the most, whenever a job finds nobody free.
//!
//! # Features
//!
//! `sync` (default): pools of threads and blocking waits. `async` (default): pools of tasks, on tokio's
//! `rt`; every wait is a future too, on any executor. `stealing`: `Engine::Stealing`; brings nothing.
//! `rayon`: `rayon::map`, for a map on a rayon pool that is there already, by threads and tasks.
//! `tracing`: a span for each job, under the span of whoever submitted it; events for panics, rejections
//! and shutdowns. `metrics`: a meter that tells what has changed. `serde`: pools in configuration files.
//!
//! # Memory ordering
//!
//! What happened before a job was submitted happens before the job; what the job did happens before
//! its result is there, before `wait_idle` is over and before the end of the pool is seen.
//!
//! How it works, with every hazard and the model that shows it: `DESIGN.md` of this crate.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "sync", feature = "async"))]
mod batch_size;
#[cfg(all(feature = "sync", feature = "serde"))]
mod config;
#[cfg(all(feature = "sync", not(all(test, lockgate_loom))))]
mod cores;
#[cfg(any(feature = "sync", feature = "async"))]
mod desk;
#[cfg(any(feature = "sync", feature = "async"))]
#[cfg_attr(not(feature = "sync"), allow(dead_code, reason = "tasks do not use all of it"))]
mod engine;
#[cfg(any(feature = "sync", feature = "async"))]
mod error;
#[cfg(any(feature = "sync", feature = "async"))]
mod group;
#[cfg(any(feature = "sync", feature = "async"))]
mod hooks;
#[cfg(feature = "sync")]
mod job;
#[cfg(any(feature = "sync", feature = "async"))]
mod judge;
#[cfg(any(feature = "sync", feature = "async"))]
mod kept;
#[cfg(any(feature = "sync", feature = "async"))]
mod knobs;
#[cfg(any(feature = "sync", feature = "async"))]
mod lanes;
#[cfg(any(feature = "sync", feature = "async"))]
mod map;
#[cfg(all(any(feature = "sync", feature = "async"), feature = "metrics"))]
pub mod metered;
#[cfg(any(feature = "sync", feature = "async"))]
mod metrics;
#[cfg(feature = "sync")]
mod parker;
#[cfg(any(feature = "sync", feature = "async"))]
mod policy;
#[cfg(any(feature = "sync", feature = "async"))]
mod primitives;
#[cfg(feature = "rayon")]
pub mod rayon;
#[cfg(all(feature = "async", not(all(test, lockgate_loom))))]
mod runtime;
#[cfg(all(test, feature = "async", lockgate_loom))]
#[path = "tests/task_runtime.rs"]
mod runtime;
#[cfg(any(feature = "sync", feature = "async"))]
mod snapshot;
#[cfg(any(feature = "sync", feature = "async"))]
#[cfg_attr(not(feature = "sync"), allow(dead_code, reason = "tasks do not use all of it"))]
mod state;
#[cfg(any(feature = "sync", feature = "async"))]
mod strand;
#[cfg(feature = "async")]
pub mod task;
#[cfg(all(test, feature = "sync"))]
mod tests;
#[cfg(feature = "sync")]
pub mod thread;
#[cfg(any(feature = "sync", feature = "async"))]
mod timings;
#[cfg(any(feature = "sync", feature = "async"))]
mod trace;
#[cfg(any(feature = "sync", feature = "async"))]
mod tune;
#[cfg(any(feature = "sync", feature = "async"))]
mod waiters;
#[cfg(any(feature = "sync", feature = "async"))]
mod watch;

#[cfg(any(feature = "sync", feature = "async"))]
pub use crate::metrics::Metrics;
#[cfg(any(feature = "sync", feature = "async"))]
pub use batch_size::BatchSize;
#[cfg(all(feature = "sync", feature = "serde"))]
pub use config::{PoolConfig, ThreadsConfig};
#[cfg(any(feature = "sync", feature = "async"))]
pub use error::{
    BuildError, Closed, JobError, Panicked, Reason, Rejected, RejectedBatch, ResizeError, RunError,
    ShutdownError, WaitError,
};
#[cfg(any(feature = "sync", feature = "async"))]
pub use error::{GroupError, MapError};
#[cfg(any(feature = "sync", feature = "async"))]
pub use policy::{Queue, Reject};
#[cfg(any(feature = "sync", feature = "async"))]
pub use snapshot::{JobState, LiveJob, LiveWorker, Snapshot, WorkerState};
#[cfg(feature = "sync")]
pub use thread::Engine;
#[cfg(any(feature = "sync", feature = "async"))]
pub use timings::{Histogram, Times, Timings};
