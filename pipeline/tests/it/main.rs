//! Black box: what users see.
#![cfg(feature = "sync")]
#![allow(clippy::disallowed_methods, reason = "tests look at the clock")]

mod batch;
mod buffer;
mod chains;
mod ends;
mod errors;
mod go_parity;
mod in_flight;
mod join;
mod laws;
mod operators;
mod own_defects;
mod partition;
mod properties;
mod regressions;
mod support;
