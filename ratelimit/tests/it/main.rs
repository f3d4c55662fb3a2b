//! Black box: what the crate's users can see. One binary, so that it links once.

mod keyed;
#[cfg(feature = "async")]
mod keyed_laws;
