//! The black-box tests: what a user of the crate can rely on.
//!
//! No test sleeps to establish a condition.

mod each;
mod policies;
mod wait_group;
