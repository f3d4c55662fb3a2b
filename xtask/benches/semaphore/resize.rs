//! The limit goes up and down, alone and while another thread takes permits and gives them back.
//! One operation is one change.

use crate::harness::threads::{Padded, Placement, together};
use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::Ours;
use crate::rivals::{Asyncband, Tokio};
use crate::subject::{Resize, assert_free};
use std::hint::{self, black_box};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

const SMALL: usize = 8;
const LARGE: usize = 16;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(format!("resize-churn/{name}"), Unit::Wall);
    let two = scenario("busy").sample_ms(10).needs_two_cores();
    vec![
        entries!(scenario("alone"), alone(): Ours, Tokio, Asyncband),
        entries!(two, busy(): Ours, Tokio, Asyncband),
    ]
}

fn there_and_back<R: Resize>(gate: &R) {
    gate.resize(SMALL, LARGE);
    gate.resize(LARGE, SMALL);
}

fn alone<R: Resize>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let gate = R::new(SMALL);
        let pairs = ops.div_ceil(2);
        let start = Instant::now();
        for _ in 0..pairs {
            there_and_back(black_box(&gate));
        }
        let time = start.elapsed();
        assert_free(&gate, SMALL);
        Sample::time(pairs * 2, time)
    }
}

/// The other thread holds one permit at most, so that there is never a debt: tokio cannot owe.
fn busy<R: Resize>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let gate = Padded(R::new(SMALL));
        let over = AtomicBool::new(false);
        let pairs = ops.div_ceil(2);
        let (_, times) = together(2, Placement::Pinned, |me| {
            let start = Instant::now();
            if me == 0 {
                (0..pairs).for_each(|_| there_and_back(&gate.0));
                over.store(true, Ordering::Relaxed);
            } else {
                while !over.load(Ordering::Relaxed) {
                    drop(black_box(&gate.0).try_acquire(1).expect("most are free"));
                    hint::spin_loop();
                }
            }
            start.elapsed()
        });
        assert_free(&gate.0, SMALL);
        Sample::time(pairs * 2, times[0])
    }
}
