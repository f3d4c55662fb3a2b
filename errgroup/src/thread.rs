//! Groups of threads: in a [`scope`], whose tasks may borrow, or a [`Group`] of its own.

#[cfg(not(all(test, lockgate_loom)))]
mod crew;
#[cfg(all(test, lockgate_loom))]
pub(crate) mod crew;
mod cx;
mod group;
mod scope;

pub use cx::{Cx, Named};
pub use group::{Group, Joining};
pub use scope::scope;
