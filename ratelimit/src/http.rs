//! Limits in HTTP: what a server tells of them, what a client makes of it, and whose request it is.
//!
//! Nothing here needs a runtime: it reads and writes the headers of the
//! [http](https://docs.rs/http) crate, which servers and clients of both worlds use.

mod advice;
mod fields;
mod key;
mod structured;

pub use advice::{Advice, ServiceLimit};
pub use fields::{NameError, RateLimitFields, Standing, set_retry_after};
pub use key::{ForwardedFor, HeaderKey, KeyExtractor, PeerIp};
