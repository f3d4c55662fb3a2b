//! White box: the pure state machine and, in a model, the protocols around it. Each model hunts one
//! race, is named after it, and has a mutant in `xtask/mutants/workerpool` that it must catch.

#[cfg(not(lockgate_loom))]
mod engine;
#[cfg(lockgate_loom)]
mod loom_ends;
#[cfg(lockgate_loom)]
mod loom_jobs;
#[cfg(lockgate_loom)]
mod loom_places;
#[cfg(lockgate_loom)]
mod loom_support;
#[cfg(not(lockgate_loom))]
mod state;
#[cfg(not(lockgate_loom))]
mod timings;
