//! The black-box tests: what a user of the crate can rely on.
//!
//! No test sleeps to establish a condition.

mod each;
mod leaks;
mod policies;
mod serde;
mod wait_group;
