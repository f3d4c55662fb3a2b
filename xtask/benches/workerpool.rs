//! `lockgate-workerpool` beside the floor and its rivals: two threads, and one that submits.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and no model runs it")]

#[allow(dead_code, reason = "the benches of other crates use the rest")]
mod harness;

#[path = "workerpool/batch.rs"]
mod batch;
#[path = "workerpool/floor.rs"]
mod floor;
#[path = "workerpool/inside.rs"]
mod inside;
#[path = "workerpool/jobs.rs"]
mod jobs;
#[path = "workerpool/ours.rs"]
mod ours;
#[path = "errgroup/place.rs"]
mod place;
#[path = "workerpool/rivals.rs"]
mod rivals;
#[path = "workerpool/shutdown.rs"]
mod shutdown;
#[path = "workerpool/subject.rs"]
mod subject;
#[path = "workerpool/talk.rs"]
mod talk;
#[path = "errgroup/tally.rs"]
mod tally;
#[path = "workerpool/tasks.rs"]
mod tasks;
#[path = "workerpool/work.rs"]
mod work;

fn main() {
    harness::main(|| {
        let all = [
            jobs::scenarios(),
            shutdown::scenarios(),
            talk::scenarios(),
            tasks::scenarios(),
            batch::scenarios(),
            inside::scenarios(),
        ];
        all.into_iter().flatten().collect()
    });
}
