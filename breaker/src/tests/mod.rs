//! White box: what only the crate itself can see.

#[cfg(not(lockgate_loom))]
mod gauge;
#[cfg(not(lockgate_loom))]
mod state;
#[cfg(not(lockgate_loom))]
mod windows;

#[cfg(lockgate_loom)]
mod loom_control;
#[cfg(lockgate_loom)]
mod loom_probes;
#[cfg(lockgate_loom)]
mod loom_told;
#[cfg(lockgate_loom)]
mod loom_windows;
#[cfg(lockgate_loom)]
mod support;
