//! `lockgate-errgroup` beside the floor and its rivals.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and no model runs it")]

#[allow(dead_code, reason = "the benches of other crates use the rest")]
mod harness;

#[path = "errgroup/blocked.rs"]
mod blocked;
#[path = "errgroup/fail.rs"]
mod fail;
#[path = "errgroup/floor.rs"]
mod floor;
#[path = "errgroup/memory.rs"]
mod memory;
#[path = "errgroup/ours.rs"]
mod ours;
#[path = "errgroup/place.rs"]
mod place;
#[path = "errgroup/slices.rs"]
mod slices;
#[path = "errgroup/subject.rs"]
mod subject;
#[path = "errgroup/tally.rs"]
mod tally;
#[path = "errgroup/task_rivals.rs"]
mod task_rivals;
#[path = "errgroup/tasks.rs"]
mod tasks;
#[path = "errgroup/thread_rivals.rs"]
mod thread_rivals;
#[path = "errgroup/threads.rs"]
mod threads;
#[path = "errgroup/token.rs"]
mod token;
#[path = "errgroup/token_rivals.rs"]
mod token_rivals;
#[path = "errgroup/wake.rs"]
mod wake;

fn main() {
    harness::main(|| {
        [
            threads::scenarios(),
            slices::scenarios(),
            tasks::scenarios(),
            fail::scenarios(),
            blocked::scenarios(),
            token::scenarios(),
            wake::scenarios(),
            memory::scenarios(),
        ]
        .into_iter()
        .flatten()
        .collect()
    });
}
