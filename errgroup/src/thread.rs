//! Groups of threads: in a [`scope`], whose tasks may borrow, or a [`Group`] of its own.

pub(crate) mod crew;
mod cx;
mod each;
mod group;
mod idle;
mod scope;

pub use cx::{Cx, Named};
pub use each::{EachCx, Items, Pull, for_each, map, pull};
pub use group::{Group, Joining};
pub use idle::Idle;
pub use scope::scope;
