//! White box: the pure state machine and, in a model, the protocols around it.

#[cfg(not(lockgate_loom))]
mod state;
