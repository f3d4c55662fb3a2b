//! No queue at all: two threads that share a counter of jobs to do.

use crate::harness::threads::{Padded, Placement, together};
use crate::harness::{Role, Sample, Subject};
use crate::rivals::THREADS;
use crate::work::busy;
use std::sync::atomic::{AtomicU64, Ordering};

pub struct Floor;

impl Subject for Floor {
    const NAME: &'static str = "floor";
    const ROLE: Role = Role::Floor;
}

/// The threads are there before the clock starts, as a pool's are.
pub fn floor(steps: u64) -> impl FnMut(u64) -> Sample {
    move |jobs| {
        let next = Padded(AtomicU64::new(0));
        let (elapsed, counts) = together(THREADS, Placement::Free, |_| {
            let lane = Padded(AtomicU64::new(0));
            while next.0.fetch_add(1, Ordering::Relaxed) < jobs {
                busy(steps);
                lane.0.store(lane.0.load(Ordering::Relaxed) + 1, Ordering::Release);
            }
            lane.0.into_inner()
        });
        assert_eq!(counts.iter().sum::<u64>(), jobs, "every job runs once");
        Sample::time(jobs, elapsed.wall)
    }
}
