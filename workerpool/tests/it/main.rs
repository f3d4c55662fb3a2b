//! Black box: what users see.
#![cfg(feature = "sync")]
#![allow(clippy::disallowed_methods, reason = "tests sleep on purpose and measure time")]

mod go_parity;
mod policies;
mod properties;
mod regressions;
mod shutdown;
#[cfg(feature = "tracing")]
mod spans;
mod support;
#[cfg(feature = "async")]
mod tasks;
mod threads;
mod timings;
mod turns;
