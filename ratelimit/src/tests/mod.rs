//! White box: the state machine by itself, and the models. Each model hunts one race, is named
//! after it, and has a mutant in `xtask/mutants/ratelimit` that it must catch.

#[cfg(not(lockgate_loom))]
mod core;
#[cfg(not(lockgate_loom))]
mod envelope;
#[cfg(not(lockgate_loom))]
mod exact;
mod keyed;
#[cfg(not(lockgate_loom))]
mod keyed_limits;
#[cfg(not(lockgate_loom))]
mod keyed_table;
#[cfg(lockgate_loom)]
mod loom_change;
#[cfg(lockgate_loom)]
mod loom_grant;
#[cfg(lockgate_loom)]
mod loom_keyed;
#[cfg(lockgate_loom)]
mod loom_promise;
#[cfg(all(lockgate_loom, feature = "async"))]
mod loom_wait;
#[cfg(not(lockgate_loom))]
mod road;
#[cfg(not(lockgate_loom))]
mod state;
#[allow(dead_code, reason = "what only models or only tests need")]
mod support;
