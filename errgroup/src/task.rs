//! Groups of tasks: a [`Group`] on a runtime's threads, or a [`scope`] whose tasks may borrow.

mod alone;
mod crew;
mod cx;
mod each;
mod group;
mod nursery;
mod runner;
mod scope;
mod spawn;

pub use cx::{Cx, Named};
pub use each::{for_each, map};
pub use group::{Group, Idle, Joining};
pub use scope::{
    LocalScope, LocalWork, Scope, ScopedNamed, ScopedSpawn, SendWork, scope, scope_local,
    scope_local_with, scope_with,
};
pub use spawn::Spawn;
