//! Black box: what the crate's users can see. One binary, so that it links once.
//!
//! No test sleeps to establish a condition: time is a [`Manual`](lockgate_breaker::clock::Manual) clock.

#[cfg(feature = "async")]
mod futures;
mod go_parity;
mod hints;
#[cfg(feature = "http")]
mod http;
mod laws;
#[cfg(feature = "metrics")]
mod metrics;
mod model;
mod registry;
mod regressions;
#[cfg(feature = "serde")]
mod serde;
#[cfg(feature = "tracing")]
mod spans;
mod subscription;
mod support;
mod throttle;
#[cfg(feature = "tower")]
mod tower;
