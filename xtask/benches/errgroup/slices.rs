//! The items of a slice, in two threads. One operation is one item; starting the threads is in
//! everybody's figure but rayon's.

use crate::harness::{Sample, Scenario, Unit, clock, entries};
use crate::ours::Ours;
use crate::subject::Slices;
use crate::tally;
use crate::thread_rivals::{Guided, Index, RayonIter};
use std::hint::black_box;
use std::time::Instant;

const THREADS: usize = 2;
const TINY_ITEMS: usize = 50_000;
const ITEMS: usize = 5_000;
/// Steps of the longer body: about a microsecond.
const STEPS: u64 = 1_000;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(format!("slices/{name}"), Unit::Wall).sample_ms(20);
    vec![
        entries!(scenario("tiny"), each(TINY_ITEMS, 0): Ours, Index, Guided, RayonIter),
        entries!(scenario("microsecond"), each(ITEMS, STEPS): Ours, Index, Guided, RayonIter),
    ]
}

fn each<S: Slices>(items: usize, steps: u64) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let slices = ops.div_ceil(items as u64);
        let slice = vec![1; items];
        let total = slices * items as u64;
        let time = tally::assert_counts(S::NAME, total, || {
            let start = Instant::now();
            for _ in 0..slices {
                S::for_each(THREADS, &slice, &|item| {
                    black_box(clock::work(steps));
                    tally::add(*item);
                });
            }
            start.elapsed()
        });
        Sample::time(total, time)
    }
}
