//! Groups of tasks: a [`Group`] on a runtime's threads, or a [`scope`] whose tasks may borrow.

mod alone;
mod crew;
mod cx;
mod group;
mod runner;
mod spawn;

pub use cx::{Cx, Named};
pub use group::{Group, Idle, Joining};
pub use spawn::Spawn;
