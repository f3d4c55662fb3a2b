//! Groups of threads and of async tasks that fail together, and the token that stops them.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "sync", feature = "async")),
    allow(dead_code, reason = "without a way to wait, only what never waits is reachable")
)]

mod cause;
#[cfg(all(feature = "sync", not(all(test, lockgate_loom))))]
mod cores;
mod error;
#[cfg(feature = "sync")]
mod parker;
mod primitives;
#[cfg(test)]
mod tests;
#[cfg(not(all(test, lockgate_loom)))]
mod timer;
#[cfg(all(test, lockgate_loom))]
#[path = "tests/token_timer.rs"]
mod timer;
mod token;
mod waiters;

pub use cause::Cause;
pub use error::{Cancelled, WaitTimeoutError};
#[cfg(feature = "async")]
pub use token::Run;
pub use token::{
    CancelToken, Condvar, DropGuard, Registration, Sleep, WaitCancelled, WaitCancelledOwned,
};
