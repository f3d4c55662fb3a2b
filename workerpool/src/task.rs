//! Pools of tasks: at the most so many futures at once, on a runtime of tokio's.
//!
//! The words are those of `thread::Pool`, and so are the rules: the same queue, the same
//! policies, lanes, pauses and ends. What is different:
//!
//! * A job is a future. It is polled by one of at the most `limit` tasks of the runtime, which take one
//!   job after the other: a job costs no spawn of its own.
//! * Whatever has to wait is a *request*: `pool.submit(future).await?` waits for a place by the pool's
//!   policy, before anything is spawned.
//! * What runs can be aborted: a task is dropped where it waits next.
//! * A job that awaits another of its pool, or a group, keeps its place meanwhile. What it `run`s or maps over
//!   its own pool is polled inside of it.
//! * There are no threads to be named, and none to be joined.
//!
//! ```
//! use lockgate_workerpool::task::Pool;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let pool = Pool::new(10)?;
//! let job = pool.submit(async { 6 * 7 }).await?;
//! assert_eq!(job.await?, 42);
//! pool.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod batch;
mod builder;
mod cell;
mod group;
mod handle;
mod house;
mod map;
mod placing;
mod pool;
mod rest;
mod returned;
mod runner;
mod slot;
mod strand;
mod submit;
mod work;

pub use crate::policy::{Queue, Reject};
pub use batch::{SpawnBatch, SubmitBatch};
pub use builder::Builder;
pub use group::{Group, GroupHandle, GroupSpawn, GroupSubmit};
pub use handle::Job;
pub use map::{Map, NextResult, Unordered};
pub use pool::Pool;
pub use rest::{Shutdown, WaitIdle};
pub use returned::Returned;
pub use slot::{Reserve, Run, Slot};
pub use strand::{Keyed, Subpool};
pub use submit::{Spawn, Submit, Submitter};
