//! Layers for [tower](https://docs.rs/tower) services: a client that keeps to a rate, and a server
//! that keeps its clients to one.
//!
//! | | waits | turns away |
//! |---|---|---|
//! | client | [`RateLimitLayer`]: is not ready until it is its turn | [`shed`](RateLimitLayer::shed): the request fails |
#![cfg_attr(
    feature = "http",
    doc = "| server, by key | [`max_wait`](KeyedRateLimitLayer::max_wait): the response comes later | [`KeyedRateLimitLayer`]: 429 with `Retry-After` |"
)]
#![cfg_attr(not(feature = "http"), doc = "| server, by key | with the feature `http` | |")]

mod client;
#[cfg(feature = "http")]
mod keyed_future;
#[cfg(feature = "http")]
mod reject;
#[cfg(feature = "http")]
mod server;

pub use client::{RateLimitLayer, RateLimitService, ResponseFuture};
#[cfg(feature = "http")]
pub use keyed_future::KeyedResponseFuture;
#[cfg(feature = "http")]
pub use reject::{RejectReason, RejectWith, Rejection, StatusOnly};
#[cfg(feature = "http")]
pub use server::{KeyedRateLimitLayer, KeyedRateLimitService, MissingKey};

/// What [`RateLimitService`] fails with, as most of tower's services do: the inner service's error,
/// or one of this crate's, to be told apart by `downcast_ref`.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
