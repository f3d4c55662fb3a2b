//! Groups of threads: in a [`scope`], whose tasks may borrow, or a [`Group`] of its own.

pub(crate) mod crew;
mod cx;
mod group;
mod scope;

pub use cx::{Cx, Named};
pub use group::{Group, Joining};
pub use scope::scope;
