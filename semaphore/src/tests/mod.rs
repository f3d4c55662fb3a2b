//! White box: the state machine by itself, and the models. Each model hunts one race, is named
//! after it, and has a mutant in `xtask/mutants/semaphore` that it must catch.

#[cfg(lockgate_loom)]
mod loom_cancel;
#[cfg(lockgate_loom)]
mod loom_close;
#[cfg(lockgate_loom)]
mod loom_handoff;
#[cfg(lockgate_loom)]
mod loom_idle;
#[cfg(lockgate_loom)]
mod loom_order;
#[cfg(lockgate_loom)]
mod loom_resize;
#[cfg(lockgate_loom)]
mod loom_timeout;
#[cfg(lockgate_loom)]
mod loom_wakers;
#[cfg(not(lockgate_loom))]
mod state;
#[cfg(feature = "async")]
#[cfg_attr(not(lockgate_loom), allow(dead_code, reason = "what only models guard"))]
mod support;
#[cfg(all(not(lockgate_loom), feature = "async"))]
mod wakers;
