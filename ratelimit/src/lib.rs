//! A token bucket for threads and async tasks that waits in order, changes at run time, and never
//! grants too much.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "sync", feature = "async")),
    allow(dead_code, reason = "without a way to wait, only what never waits is reachable")
)]

mod acquire;
pub mod clock;
#[cfg(feature = "serde")]
mod config;
mod core;
#[cfg(all(feature = "sync", not(all(test, lockgate_loom))))]
mod cores;
mod error;
#[cfg(feature = "http")]
pub mod http;
mod keyed;
mod limiter;
#[cfg(feature = "sync")]
mod parker;
mod primitives;
mod quota;
mod reservation;
mod state;
#[cfg(test)]
mod tests;
mod timer;
#[cfg(feature = "tower")]
pub mod tower;
mod trace;
mod waiters;

pub use acquire::{Acquire, AcquireOwned};
pub use error::{
    AcquireError, CapacityError, DebtError, Denied, DeniedReason, QuotaError, TokensError,
};
pub use keyed::{Keyed, KeyedAcquire, KeyedAcquireOwned, KeyedBuilder, Policy, ipv6_prefix};
pub use limiter::RateLimiter;
pub use quota::{Quota, Rate};
pub use reservation::Reservation;
pub use state::Inherit;
