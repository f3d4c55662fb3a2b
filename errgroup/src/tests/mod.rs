//! White box: the state machines by themselves, and the models. Each model hunts one race, is
//! named after it, and has a mutant in `xtask/mutants/errgroup` that it must catch.

#[cfg(lockgate_loom)]
mod loom_wait_group;
