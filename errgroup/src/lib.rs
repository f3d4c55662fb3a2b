//! Groups of threads and of async tasks that fail together, and the token that stops them.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "sync", feature = "async")),
    allow(dead_code, reason = "without a way to wait, only what never waits is reachable")
)]

mod builder;
mod cause;
mod core;
#[cfg(all(feature = "sync", not(all(test, lockgate_loom))))]
mod cores;
mod error;
pub mod join;
#[cfg(feature = "sync")]
mod parker;
mod pool;
mod primitives;
#[cfg(all(feature = "async", not(all(test, lockgate_loom))))]
mod runtime;
#[cfg(all(test, lockgate_loom))]
#[path = "tests/group_runtime.rs"]
mod runtime;
mod snapshot;
mod state;
#[cfg(feature = "async")]
pub mod task;
#[cfg(test)]
mod tests;
#[cfg(feature = "sync")]
pub mod thread;
#[cfg(not(all(test, lockgate_loom)))]
mod timer;
#[cfg(all(test, lockgate_loom))]
#[path = "tests/token_timer.rs"]
mod timer;
mod token;
mod waiters;

pub use builder::{Builder, OnPanic};
pub use cause::Cause;
pub use error::{
    BuildError, Cancelled, Error, LimitError, Panicked, Rejected, Spawned, TaskId, TrySpawnError,
    WaitTimeoutError,
};
pub use snapshot::{LiveTask, Snapshot, TaskState};
#[cfg(feature = "async")]
pub use token::Run;
pub use token::{
    CancelToken, Condvar, DropGuard, Registration, Sleep, WaitCancelled, WaitCancelledOwned,
};
