//! Black box: what users see.
#![cfg(feature = "sync")]

mod laws;
