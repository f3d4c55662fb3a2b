//! The black-box tests: what a user of the crate can rely on.
//!
//! No test sleeps to establish a condition, and each is given up after a while
//! (`support::within_patience`): a deadlock fails a test instead of hanging it.

mod go_parity;
mod laws;
mod pitfalls;
mod properties;
mod regressions;
mod support;
mod token;
mod token_go;
mod token_properties;
mod token_regressions;
mod token_traits;

mod aborts;
mod each;
mod leaks;
mod policies;
mod serde;
#[cfg(all(feature = "tracing", any(feature = "async", feature = "sync")))]
mod spans;
#[cfg(feature = "async")]
mod task_scope;
mod wait_group;
