//! What the tests of the core have in common.

use crate::core::{Core, Promise};

pub(super) fn take(core: &Core, n: u32, at: u64) -> bool {
    core.try_acquire(n, || at).is_ok()
}

pub(super) fn reserve(core: &Core, n: u32, at: u64) -> Promise {
    core.reserve(n, None, at).unwrap()
}
