//! Layers for [tower](https://docs.rs/tower) services: a client that keeps to a rate, and a server
//! that keeps its clients to one.
//!
//! | | waits | turns away |
//! |---|---|---|
//! | client | [`RateLimitLayer`]: is not ready until it is its turn | [`shed`](RateLimitLayer::shed): fails the request |

mod client;

pub use client::{RateLimitLayer, RateLimitService, ResponseFuture};

/// What the services of this crate fail with, as most of tower's do: the inner service's error, or
/// one of this crate's, to be told apart by `downcast_ref`.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
