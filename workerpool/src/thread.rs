//! Pools of threads.

mod adapt;
mod batch;
mod builder;
mod chunk;
pub(crate) mod group;
mod handle;
pub(crate) mod house;
mod map;
mod owner;
mod pool;
mod scope;
mod slot;
mod strand;
pub(crate) mod submit;
pub(crate) mod task;
mod workers;

pub use crate::policy::{Queue, Reject};
pub use builder::{Builder, Engine, Threads};
pub use group::{Group, GroupHandle};
pub use handle::Job;
#[cfg(feature = "async")]
pub use map::NextResult;
pub use map::{Map, Unordered};
pub use owner::{Shutdown, WaitIdle};
pub use pool::{Pool, Returned};
pub use scope::{Scope, scope};
pub use slot::{Reserve, Run, Slot};
pub use strand::{Keyed, Subpool};
pub use submit::Submitter;
pub use workers::{PushSlot, ReservePush, Workers};
