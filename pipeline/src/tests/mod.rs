//! White box: the pure state machine and, in a model, the protocols around it. Each model hunts one
//! race, is named after it, and has a mutant in `xtask/mutants/pipeline` that it must catch.

#[cfg(not(lockgate_loom))]
mod batch;
#[cfg(not(lockgate_loom))]
mod edge;
#[cfg(not(lockgate_loom))]
mod lane;
#[cfg(lockgate_loom)]
mod loom_cancel;
#[cfg(lockgate_loom)]
mod loom_ends;
#[cfg(lockgate_loom)]
mod loom_flow;
#[cfg(lockgate_loom)]
mod loom_queue;
#[cfg(lockgate_loom)]
mod loom_shape;
#[cfg(not(lockgate_loom))]
mod partition;
#[cfg(not(lockgate_loom))]
mod ring;
#[cfg(not(lockgate_loom))]
mod state;
#[cfg(lockgate_loom)]
mod support;
