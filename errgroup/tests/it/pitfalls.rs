//! The pitfalls of groups, in the order in which they were collected: one test for each, for
//! threads and for tasks where both have it.
//!
//! | pitfall | why there is no test |
//! |---|---|
//! | P8 for tasks: destructors of thread-locals | a runtime's threads outlive the group |
//! | P16 for threads: a blocking spawn inside of a runtime | `thread::Cx::spawn` says that it blocks; `task::Group::spawn` is a future, tested below |
//! | P19 for threads: the order of spawners that block | nothing tells from outside that one stands in line. It is the line of the tasks, where the order is tested; for threads, that nobody starves |
//! | P18: builds with `panic = "abort"` | a panic ends the process before anybody catches it, with `OnPanic` of any kind; the test harness itself unwinds. Nothing else here relies on unwinding |
#![cfg(any(feature = "sync", feature = "async"))]

#[cfg(feature = "sync")]
mod threads;

#[cfg(feature = "async")]
mod tasks;
