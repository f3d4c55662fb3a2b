//! Groups of threads: in a [`scope`], whose tasks may borrow, or a [`Group`] of its own.

pub(crate) mod crew;
mod cx;
#[cfg(not(all(test, lockgate_loom)))]
mod each;
mod group;
mod scope;

pub use cx::{Cx, Named};
#[cfg(not(all(test, lockgate_loom)))]
pub use each::{EachCx, Items, Pull, for_each, map, pull};
pub use group::{Group, Joining};
pub use scope::scope;
