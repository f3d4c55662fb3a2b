//! Layers for [tower](https://docs.rs/tower) services: a breaker before one, or one for each key.
//!
//! | | asks before | keeps apart |
//! |---|---|---|
//! | [`BreakerLayer`] | `poll_ready` and `call` | nothing: one circuit for all requests |
//! | [`KeyedBreakerLayer`] | `call`, for before there is a request there is no key | what a function of the request tells apart: hosts, tenants |
//!
//! A request that is rejected fails with [`Error::Rejected`](crate::Error::Rejected), which says in which state the
//! circuit is and when to come again; what the inner service fails with is [`Error::Inner`](crate::Error::Inner). So the
//! layers outside see which it was: a retry has no business with a rejection before its time. Where the
//! inner error is boxed already, [`Error::into_boxed`](crate::Error::into_boxed) makes one box of both.
//!
//! # The order of the layers
//!
//! `retry(breaker(timeout(call)))`. With the time-out inside, a call that takes too long is a failure that the
//! breaker sees; with it outside, only a dropped future, which counts as the
//! [`DropPolicy`](crate::DropPolicy) says.

mod future;
mod keyed;
mod service;

pub use future::ResponseFuture;
pub use keyed::{KeyedBreakerLayer, KeyedBreakerService};
pub use service::{BreakerLayer, BreakerService};
