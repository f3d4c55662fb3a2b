//! White box: the state machine by itself, and the models. Each model hunts one race, is named
//! after it, and has a mutant in `xtask/mutants/semaphore` that it must catch.

#[cfg(lockgate_loom)]
mod loom_handoff;
#[cfg(not(lockgate_loom))]
mod state;
