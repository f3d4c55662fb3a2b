//! Black box: what users see.
#![cfg(feature = "sync")]
#![allow(clippy::disallowed_methods, reason = "tests sleep on purpose and measure time")]

mod adaptive;
mod group;
mod map;
mod policies;
mod shutdown;
mod support;
#[cfg(feature = "async")]
mod tasks;
mod threads;
mod turns;
mod workers;
