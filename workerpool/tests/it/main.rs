//! Black box: what users see.
#![cfg(feature = "sync")]
#![allow(missing_docs, reason = "tests")]

mod policies;
mod shutdown;
mod support;
mod threads;
