//! Black box: what users see.
#![cfg(feature = "sync")]
#![allow(clippy::disallowed_methods, reason = "tests sleep on purpose and measure time")]

mod policies;
#[cfg(feature = "rayon")]
mod rayon;
mod shutdown;
#[cfg(feature = "stealing")]
mod stealing;
mod support;
#[cfg(feature = "async")]
mod tasks;
mod threads;
mod turns;
