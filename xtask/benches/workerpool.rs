//! `lockgate-workerpool` beside the floor and its rivals: two threads, and one that submits.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and no model runs it")]

#[allow(dead_code, reason = "the benches of other crates use the rest")]
mod harness;

#[path = "workerpool/inside.rs"]
mod inside;
#[path = "workerpool/jobs.rs"]
mod jobs;
#[path = "workerpool/ours.rs"]
mod ours;
#[path = "workerpool/rivals.rs"]
mod rivals;
#[path = "workerpool/subject.rs"]
mod subject;
#[path = "workerpool/work.rs"]
mod work;

fn main() {
    harness::main(|| jobs::scenarios().into_iter().chain(inside::scenarios()).collect());
}
