//! What went wrong elsewhere: one test per defect, with the issue that tells its story.
//!
//! | what cannot occur here | reference | why |
//! |---|---|---|
//! | collecting results that costs a copy of all for each | conc's `ResultPool` | the group keeps no results: its policy does, and gets each once |
//! | a zero in the place of a result that a panic took | conc's `ResultPool` | a policy is told of results alone, and of panics as panics: `a_panic_is_no_result` |
//! | a group that may not be configured after its first task | conc's pools | the builder is used up by the group |
//! | streams without errors or contexts | conc#105 | no streams here |
//! | use after free of the scope's own data | rust#98498, rust#94644, futures-rs#2886, futures-rs#2863 | no `unsafe`, and what is shared is counted; `pitfalls::p04_*`, `pitfalls::p05_*` |
//! | the end of a scope before the thread-locals' | rust#116237 | `pitfalls::p08_*` |
//! | a panic where the system refuses a thread | `std::thread::scope` | `laws`: it runs where it was spawned |
//! | `Result<Result<T, E>, JoinError>` | tokio's `JoinSet` | a panic is no result, and neither is an abort |
//! | a spawn that needs `&mut`, so that nobody spawns while the group is joined | tokio#6547 | `Cx`, `&Group`; tests below |
//! | tasks of `spawn_blocking` that outlive their group | tokio#6802 | no such spawn; a group of threads is joined |
//! | a race between "is it closed?", the close and a spawn | tokio#6759 | a join takes the group, and tasks that spawn are counted themselves; tests below |
//! | a scope that blocks a worker, and panics on a runtime of one thread | tokio-scoped#3, tokio-scoped#5 | tasks own what they use; scopes are for threads |
//! | a scope that is unsound when it is forgotten | async-scoped | the same; `pitfalls::p15_*` |
//! | an executor, or a runtime's every feature, that comes with the group | spawn_groups, noworkers | tokio's `rt` alone, and for tasks alone |
//! | a subsystem tree, two signals to stop | tokio-graceful, tokio-graceful-shutdown | groups nest by tokens; `shutdown(grace)`, in `laws` |
//! | a parent that is polled by its child, a token without a tree | goish, baml | the token's tests |
//! | workers that miss a hand-off | neilotoole/errgroup#6, #11 | models; tests below |
#![cfg(any(feature = "sync", feature = "async"))]

use lockgate_errgroup::join::Join;
use lockgate_errgroup::{BuildError, Cause, Panicked, TaskId};
use std::ops::ControlFlow;

/// A policy that writes down what it is told.
#[derive(Debug, Default)]
struct Notes {
    values: Vec<usize>,
    panics: Vec<usize>,
    cause: Option<Cause>,
    stragglers: usize,
}

impl Join<usize, ()> for Notes {
    type Output = Self;

    fn complete(&mut self, index: usize, result: Result<usize, ()>) -> ControlFlow<()> {
        assert_eq!(result, Ok(index));
        self.values.push(index);
        ControlFlow::Continue(())
    }

    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        self.panics.push(panicked.task().index());
        ControlFlow::Continue(())
    }

    fn cancelled(&mut self, cause: Cause) {
        self.cause = Some(cause);
    }

    fn stragglers(&mut self, tasks: Vec<TaskId>) {
        self.stragglers = tasks.len();
    }

    fn finish(mut self) -> Self {
        self.values.sort_unstable();
        self
    }

    fn refuse(self, error: BuildError) -> Self {
        panic!("{error}")
    }
}

#[cfg(feature = "sync")]
mod threads;

#[cfg(feature = "async")]
mod left_behind;

#[cfg(feature = "async")]
mod tasks;
