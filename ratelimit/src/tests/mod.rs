//! White box: the state machine by itself, and the models. Each model hunts one race, is named
//! after it, and has a mutant in `xtask/mutants/ratelimit` that it must catch.

#[cfg(not(lockgate_loom))]
mod core;
#[cfg(not(lockgate_loom))]
mod envelope;
#[cfg(not(lockgate_loom))]
mod keyed;
#[cfg(not(lockgate_loom))]
mod state;
mod support;
