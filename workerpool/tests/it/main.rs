//! Black box: what users see.
#![cfg(any(feature = "sync", feature = "async"))]
#![allow(clippy::disallowed_methods, reason = "tests sleep on purpose and measure time")]

#[cfg(feature = "sync")]
mod adaptive;
#[cfg(feature = "sync")]
mod conservation;
mod go_parity;
#[cfg(feature = "sync")]
mod group;
#[cfg(feature = "sync")]
mod map;
#[cfg(all(feature = "sync", feature = "metrics"))]
mod metered;
#[cfg(feature = "sync")]
mod policies;
#[cfg(feature = "sync")]
mod properties;
#[cfg(feature = "rayon")]
mod rayon;
#[cfg(feature = "metrics")]
mod recorder;
mod regressions;
#[cfg(all(feature = "sync", feature = "serde"))]
mod serde;
#[cfg(feature = "sync")]
mod shutdown;
#[cfg(all(feature = "sync", feature = "tracing"))]
mod spans;
#[cfg(feature = "stealing")]
mod stealing;
#[cfg(feature = "tracing")]
mod subscriber;
mod support;
#[cfg(feature = "async")]
mod task_pool;
#[cfg(feature = "async")]
mod task_pool_batches;
#[cfg(feature = "async")]
mod task_pool_cancel;
#[cfg(feature = "async")]
mod task_pool_ends;
#[cfg(feature = "async")]
mod task_pool_groups;
#[cfg(feature = "async")]
mod task_pool_laws;
#[cfg(feature = "async")]
mod task_pool_maps;
#[cfg(feature = "async")]
mod task_pool_policies;
#[cfg(feature = "async")]
mod task_pool_seen;
#[cfg(all(feature = "sync", feature = "async"))]
mod tasks;
#[cfg(feature = "sync")]
mod threads;
#[cfg(feature = "sync")]
mod timings;
#[cfg(feature = "sync")]
mod turns;
#[cfg(feature = "sync")]
mod workers;
