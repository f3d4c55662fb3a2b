//! LOOM: stands in for `timer.rs` in models, where no time passes and a static cannot have a lock.

use std::task::Waker;
use std::time::Instant;

pub(crate) struct Key;

pub(crate) fn insert(_: Instant, _: Waker) -> Key {
    unreachable!("no model sleeps in real time")
}

pub(crate) fn remove(_: &Key) -> Option<Waker> {
    None
}

pub(crate) fn rearm(_: &Key, _: &Waker) -> bool {
    false
}
