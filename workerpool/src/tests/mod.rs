//! White box: the pure state machine and, in a model, the protocols around it. Each model hunts one
//! race, is named after it, and has a mutant in `xtask/mutants/workerpool` that it must catch.

#[cfg(not(lockgate_loom))]
mod engine;
#[cfg(lockgate_loom)]
mod loom_ends;
#[cfg(lockgate_loom)]
mod loom_groups;
#[cfg(lockgate_loom)]
mod loom_inside;
#[cfg(lockgate_loom)]
mod loom_jobs;
#[cfg(lockgate_loom)]
mod loom_maps;
#[cfg(lockgate_loom)]
mod loom_places;
#[cfg(lockgate_loom)]
mod loom_stealing;
#[cfg(lockgate_loom)]
mod loom_support;
#[cfg(all(feature = "async", lockgate_loom))]
mod loom_task_many;
#[cfg(all(feature = "async", lockgate_loom))]
mod loom_tasks;
#[cfg(not(lockgate_loom))]
mod state;
#[cfg(not(lockgate_loom))]
mod stealing;
#[cfg(not(lockgate_loom))]
mod timings;
#[cfg(not(lockgate_loom))]
mod tune;
