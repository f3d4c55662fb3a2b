//! Worker pools: bounded, observable, and they shut down when told.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(all(feature = "sync", not(all(test, lockgate_loom))))]
mod cores;
mod engine;
mod error;
mod job;
mod lanes;
mod metrics;
#[cfg(feature = "sync")]
mod parker;
mod primitives;
mod state;
#[cfg(test)]
mod tests;
#[cfg(feature = "sync")]
pub mod thread;
mod waiters;

pub use error::{
    BuildError, Closed, JobError, Panicked, Reason, Rejected, RejectedBatch, ResizeError, RunError,
    ShutdownError, WaitError,
};
pub use metrics::Metrics;
#[cfg(feature = "sync")]
pub use thread::{Queue, Reject};
