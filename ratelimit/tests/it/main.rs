//! Black box: what the crate's users can see. One binary, so that it links once.
//!
//! No test sleeps to establish a condition. Time is a [`Manual`](lockgate_ratelimit::clock::Manual)
//! clock nearly everywhere, and whether a request has its place in line is asked of
//! [`RateLimiter::tokens`](lockgate_ratelimit::RateLimiter::tokens), which it lowers.

mod auto_traits;
mod both_worlds;
mod cancellation;
mod clocks;
mod envelope;
mod errors;
mod go_parity;
mod laws;
mod model;
mod reconfigure;
mod regressions;
mod several;
mod sometimes;
mod support;
mod throttle;
mod waiting;

mod by_key;
mod keyed;
#[cfg(feature = "async")]
mod keyed_laws;

#[cfg(feature = "http")]
mod http;
#[cfg(feature = "serde")]
mod serde;
#[cfg(all(feature = "http", feature = "tower"))]
mod server;
#[cfg(feature = "tracing")]
mod spans;
#[cfg(feature = "tower")]
mod tower;
