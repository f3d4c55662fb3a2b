//! The black-box tests: what a user of the crate can rely on.
//!
//! No test sleeps to establish a condition. Whether a request stands in line is asked of
//! [`Semaphore::waiters`](lockgate_semaphore::Semaphore::waiters), and whether somebody was woken
//! of a waker that counts.

mod auto_traits;
mod bad_input;
mod both_worlds;
mod cancellation;
mod deadlines;
mod errors;
mod go_parity;
mod idle;
mod laws;
mod permits;
mod properties;
mod regressions;
mod stress;
mod support;
mod wakers;
