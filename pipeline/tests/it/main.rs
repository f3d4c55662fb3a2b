//! Black box: what users see.
#![cfg(feature = "sync")]
#![allow(clippy::disallowed_methods, reason = "tests look at the clock")]

mod chains;
mod ends;
mod errors;
mod go_parity;
mod in_flight;
mod laws;
mod operators;
mod own_defects;
mod properties;
mod regressions;
mod support;
