//! `lockgate-ratelimit` beside the floor and its rivals.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and no model runs it")]

#[allow(dead_code, reason = "the benches of other crates use the rest")]
mod harness;

#[path = "ratelimit/change.rs"]
mod change;
#[path = "ratelimit/decide.rs"]
mod decide;
#[path = "ratelimit/floor.rs"]
mod floor;
#[path = "ratelimit/go.rs"]
mod go;
#[path = "ratelimit/keyed.rs"]
mod keyed;
#[path = "ratelimit/lone.rs"]
mod lone;
#[path = "ratelimit/ours.rs"]
mod ours;
#[path = "ratelimit/rivals.rs"]
mod rivals;
#[path = "ratelimit/subject.rs"]
mod subject;
#[path = "ratelimit/waiting.rs"]
mod waiting;

fn main() {
    harness::main(|| {
        [
            decide::scenarios(),
            change::scenarios(),
            keyed::scenarios(),
            waiting::scenarios(),
            lone::scenarios(),
        ]
        .into_iter()
        .flatten()
        .collect()
    });
}
