//! A weighted, FIFO-fair semaphore on which threads and async tasks wait in one queue.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "sync", feature = "async")),
    allow(dead_code, reason = "without a way to wait, only what never waits is reachable")
)]

mod acquire;
mod builder;
mod error;
mod idle;
mod permit;
mod primitives;
mod protocol;
mod semaphore;
mod state;
#[cfg(test)]
mod tests;
mod waiters;

pub use acquire::{Acquire, AcquireOwned};
pub use builder::Builder;
pub use error::{
    AcquireError, AcquireTimeoutError, IdleTimeoutError, LimitError, TryAcquireError, WeightError,
};
pub use idle::{Idle, IdleOwned};
pub use permit::{OwnedPermit, Permit};
pub use semaphore::Semaphore;
