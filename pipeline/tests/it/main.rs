//! Black box: what users see.
#![cfg(feature = "sync")]
#![allow(clippy::disallowed_methods, reason = "tests look at the clock")]

mod batch;
mod buffer;
mod ends;
mod errors;
mod join;
mod laws;
mod operators;
mod partition;
mod properties;
mod regressions;
mod support;
