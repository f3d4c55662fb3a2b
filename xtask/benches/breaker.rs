//! `lockgate-breaker` beside the floor and its rivals.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and no model runs it")]

#[allow(dead_code, reason = "the benches of other crates use the rest")]
mod harness;

#[path = "breaker/calls.rs"]
mod calls;
#[path = "breaker/memory.rs"]
mod memory;
#[path = "breaker/naive.rs"]
mod naive;
#[path = "breaker/ours.rs"]
mod ours;
#[path = "breaker/rivals.rs"]
mod rivals;
#[path = "breaker/subject.rs"]
mod subject;
#[path = "breaker/tower.rs"]
mod tower;

fn main() {
    harness::main(|| {
        [calls::scenarios(), tower::scenarios(), memory::scenarios()]
            .into_iter()
            .flatten()
            .collect()
    });
}
