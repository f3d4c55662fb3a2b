//! A circuit breaker for threads and async tasks that costs nothing when closed and never wedges.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod backoff;
mod breaker;
pub mod clock;
mod core;
#[cfg(all(feature = "sync", not(all(test, lockgate_loom))))]
mod cores;
mod error;
mod events;
mod gauge;
mod outcome;
#[cfg(feature = "sync")]
mod parker;
mod permit;
mod policy;
mod primitives;
#[cfg(feature = "async")]
mod run;
mod state;
mod window;

#[cfg(test)]
mod tests;

pub use backoff::Backoff;
pub use breaker::{Breaker, Builder, Snapshot};
pub use error::{BuildError, Error, Rejected};
pub use events::{Listener, Reason, Transition};
pub use outcome::{Classify, DropPolicy, ErrIsFailure, Outcome, Recorded};
pub use permit::{OwnedPermit, Permit};
pub use policy::{Policy, Window};
#[cfg(feature = "async")]
pub use run::Run;
pub use state::State;
pub use window::Counts;
