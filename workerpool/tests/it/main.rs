//! Black box: what users see.
#![cfg(any(feature = "sync", feature = "async"))]
#![allow(clippy::disallowed_methods, reason = "tests sleep on purpose and measure time")]

#[cfg(feature = "sync")]
mod adaptive;
#[cfg(feature = "sync")]
mod group;
#[cfg(feature = "sync")]
mod map;
#[cfg(feature = "sync")]
mod policies;
#[cfg(feature = "rayon")]
mod rayon;
#[cfg(feature = "sync")]
mod shutdown;
#[cfg(feature = "stealing")]
mod stealing;
mod support;
#[cfg(feature = "async")]
mod task_pool;
#[cfg(feature = "async")]
mod task_pool_cancel;
#[cfg(feature = "async")]
mod task_pool_ends;
#[cfg(feature = "async")]
mod task_pool_laws;
#[cfg(feature = "async")]
mod task_pool_policies;
#[cfg(all(feature = "sync", feature = "async"))]
mod tasks;
#[cfg(feature = "sync")]
mod threads;
#[cfg(feature = "sync")]
mod turns;
#[cfg(feature = "sync")]
mod workers;
