//! `lockgate-semaphore` beside the floor and its rivals.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and no model runs it")]

#[allow(dead_code, reason = "the benches of other crates use the rest")]
mod harness;

#[path = "semaphore/cancel.rs"]
mod cancel;
#[path = "semaphore/floor.rs"]
mod floor;
#[path = "semaphore/go.rs"]
mod go;
#[path = "semaphore/memory.rs"]
mod memory;
#[path = "semaphore/ours.rs"]
mod ours;
#[path = "semaphore/release.rs"]
mod release;
#[path = "semaphore/resize.rs"]
mod resize;
#[path = "semaphore/rivals.rs"]
mod rivals;
#[path = "semaphore/subject.rs"]
mod subject;
#[path = "semaphore/tasks.rs"]
mod tasks;
#[path = "semaphore/threads.rs"]
mod threads;
#[path = "semaphore/turns.rs"]
mod turns;
#[path = "semaphore/uncontended.rs"]
mod uncontended;

fn main() {
    harness::main(|| {
        [
            uncontended::scenarios(),
            threads::scenarios(),
            turns::scenarios(),
            tasks::scenarios(),
            memory::scenarios(),
            cancel::scenarios(),
            release::scenarios(),
            resize::scenarios(),
            go::scenarios(),
        ]
        .into_iter()
        .flatten()
        .collect()
    });
}
