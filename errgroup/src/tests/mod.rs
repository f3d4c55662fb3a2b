//! White box: the state machines by themselves, and the models. Each model hunts one race, is
//! named after it, and has a mutant in `xtask/mutants/errgroup` that it must catch.

#[cfg(lockgate_loom)]
mod group_support;
#[cfg(lockgate_loom)]
mod loom_group_pool;
#[cfg(lockgate_loom)]
mod loom_group_tasks;
#[cfg(lockgate_loom)]
mod loom_group_threads;
#[cfg(lockgate_loom)]
mod loom_group_verdict;
#[cfg(lockgate_loom)]
mod loom_token_callback;
#[cfg(lockgate_loom)]
mod loom_token_condvar;
#[cfg(lockgate_loom)]
mod loom_token_deadline;
#[cfg(lockgate_loom)]
mod loom_token_tree;
#[cfg(lockgate_loom)]
mod loom_token_user_code;
#[cfg(lockgate_loom)]
mod loom_token_wait;
#[cfg(lockgate_loom)]
mod loom_wait_group;
#[cfg(not(lockgate_loom))]
mod state;
#[cfg(not(lockgate_loom))]
mod token;
#[cfg_attr(not(lockgate_loom), allow(dead_code, reason = "what only models need"))]
mod token_support;
