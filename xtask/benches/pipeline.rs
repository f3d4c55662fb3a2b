//! `lockgate-pipeline` beside iterators, channels by hand and its rivals.

#![forbid(unsafe_code)]
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock and no model runs it")]

#[allow(dead_code, reason = "the benches of other crates use the rest")]
mod harness;

#[path = "pipeline/chain.rs"]
mod chain;
#[path = "pipeline/hop.rs"]
mod hop;
#[path = "pipeline/order.rs"]
mod order;
#[path = "pipeline/work.rs"]
mod work;

fn main() {
    harness::main(|| {
        let all = [chain::scenarios(), hop::scenarios(), work::scenarios(), order::scenarios()];
        all.into_iter().flatten().collect()
    });
}
