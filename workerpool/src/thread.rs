//! Pools of threads.

mod builder;
mod handle;
mod house;
mod pool;
mod scope;
mod slot;
mod submit;
mod task;

pub use builder::{Builder, Queue, Reject};
pub use handle::Job;
pub use pool::{Pool, Returned, Shutdown, WaitIdle};
pub use scope::{Scope, scope};
pub use slot::{Reserve, Slot};
pub use submit::Submitter;
