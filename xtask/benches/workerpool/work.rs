//! What jobs do, and how it is known that all have.

use std::cell::Cell;
use std::hint;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// Counts the jobs of one pool. Each of its threads has a line of its own, which nobody else writes, so
/// that counting costs every subject the same next to nothing: no shared count, no clone per job.
pub struct Tally {
    lanes: [Lane; Tally::LANES],
    used: AtomicUsize,
    /// The job that was submitted last has run.
    ended: AtomicBool,
}

#[derive(Default)]
#[repr(align(128))]
struct Lane(AtomicU64);

impl Tally {
    /// Threads that a pool may have, in the course of time.
    const LANES: usize = 256;

    /// For as long as the process lives: jobs carry a plain reference.
    pub fn leak() -> &'static Self {
        Box::leak(Box::new(Self {
            lanes: [const { Lane(AtomicU64::new(0)) }; Self::LANES],
            used: AtomicUsize::new(0),
            ended: AtomicBool::new(false),
        }))
    }

    /// The calling thread belongs to the pool that this counts, and to no other.
    pub fn count(&'static self) {
        thread_local!(static LANE: Cell<Option<&'static Lane>> = const { Cell::new(None) });
        let lane = LANE.get().unwrap_or_else(|| {
            let lane = &self.lanes[self.used.fetch_add(1, Ordering::Relaxed)];
            LANE.set(Some(lane));
            lane
        });
        lane.0.store(lane.0.load(Ordering::Relaxed) + 1, Ordering::Release);
    }

    pub fn total(&self) -> u64 {
        let used = self.used.load(Ordering::Acquire).min(Self::LANES);
        self.lanes[..used].iter().map(|lane| lane.0.load(Ordering::Acquire)).sum()
    }

    /// What is submitted last: it tells the thread that waits.
    pub fn end(&self, waits: &Thread) {
        self.ended.store(true, Ordering::Release);
        waits.unpark();
    }

    /// Waits until so many have run in all. Whoever submits sleeps until the last job has run, so
    /// that it takes no time from the workers; of those before it a few may still be on the way.
    pub fn wait(&self, total: u64) {
        while !self.ended.swap(false, Ordering::Acquire) {
            thread::park();
        }
        while self.total() < total {
            thread::yield_now();
        }
        assert_eq!(self.total(), total, "every job runs once");
    }

    /// Waits until so many have run in all, where no job is known to be the last.
    pub fn look(&self, total: u64) {
        const LOOK: Duration = Duration::from_micros(20);
        while self.total() < total {
            thread::sleep(LOOK);
        }
        assert_eq!(self.total(), total, "every job runs once");
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
