//! Black box: what the crate's users can see. One binary, so that it links once.

#[cfg(feature = "http")]
mod http;
#[cfg(feature = "serde")]
mod serde;
#[cfg(all(feature = "http", feature = "tower"))]
mod server;
#[cfg(feature = "tracing")]
mod spans;
#[cfg(feature = "tower")]
mod tower;
