//! What jobs do, and how it is known that all have.

use std::hint;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Counts the jobs that ran. Each thread has a line of its own, so that counting costs every subject
/// the same little.
#[derive(Clone, Default)]
pub struct Tally(Arc<[Lane; Tally::LANES]>);

#[derive(Default)]
#[repr(align(128))]
struct Lane(AtomicU64);

impl Tally {
    const LANES: usize = 8;

    pub fn count(&self) {
        thread_local!(static LANE: usize = {
            static NEXT: AtomicU64 = AtomicU64::new(0);
            NEXT.fetch_add(1, Ordering::Relaxed) as usize % Tally::LANES
        });
        LANE.with(|lane| self.0[*lane].0.fetch_add(1, Ordering::Release));
    }

    fn total(&self) -> u64 {
        self.0.iter().map(|lane| lane.0.load(Ordering::Acquire)).sum()
    }

    /// Waits until so many have run. Every subject is waited for in this way: it costs the thread
    /// that submits, which has nothing else to do, and no worker.
    pub fn wait(&self, jobs: u64) {
        while self.total() < jobs {
            thread::yield_now();
        }
        assert_eq!(self.total(), jobs, "every job runs once");
    }
}

/// Works for about so long, without a look at the clock: as many steps as were measured to take it.
pub fn busy(steps: u64) {
    let mut state = steps;
    for _ in 0..steps {
        state = hint::black_box(state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1));
    }
}

/// How many steps of [`busy`] take `time`.
pub fn steps(time: Duration) -> u64 {
    const STEPS: u64 = 1_000_000;
    let measure = || {
        let start = Instant::now();
        busy(STEPS);
        start.elapsed()
    };
    let best = (0..5).map(|_| measure()).min().unwrap_or_default();
    (time.as_nanos() as u64 * STEPS / (best.as_nanos() as u64).max(1)).max(1)
}
