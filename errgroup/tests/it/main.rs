//! The black-box tests: what a user of the crate can rely on.
//!
//! No test sleeps to establish a condition.

mod token;
mod token_go;
mod token_properties;
mod token_regressions;
mod token_traits;

mod policies;
#[cfg(feature = "async")]
mod task_scope;
