//! Pools of threads.

mod batch;
mod builder;
mod handle;
pub(crate) mod house;
mod owner;
mod pool;
mod scope;
mod slot;
mod strand;
pub(crate) mod submit;
pub(crate) mod task;

pub use builder::{Builder, Queue, Reject, Threads};
pub use handle::Job;
pub use owner::{Shutdown, WaitIdle};
pub use pool::{Pool, Returned};
pub use scope::{Scope, scope};
pub use slot::{Reserve, Run, Slot};
pub use strand::{Keyed, Subpool};
pub use submit::Submitter;
