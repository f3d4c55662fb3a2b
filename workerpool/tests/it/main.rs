//! Black box: what users see.
#![cfg(feature = "sync")]
#![allow(clippy::disallowed_methods, reason = "tests sleep on purpose and measure time")]

mod go_parity;
#[cfg(feature = "metrics")]
mod metered;
mod policies;
mod properties;
mod regressions;
#[cfg(feature = "serde")]
mod serde;
mod shutdown;
#[cfg(feature = "tracing")]
mod spans;
mod support;
#[cfg(feature = "async")]
mod tasks;
mod threads;
mod timings;
mod turns;
