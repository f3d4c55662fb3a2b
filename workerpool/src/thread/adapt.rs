//! How many workers are best, found out while they work.

use super::builder::Threads;
use super::house::{House, Work};
use crate::primitives::atomic::{AtomicUsize, Ordering};
use crate::primitives::{Arc, Deadline, Mutex};
use crate::tune::{Range, Tuner};
use std::time::{Duration, Instant};

/// So many jobs of each worker make a sample, for which the clock is read once.
const JOBS: usize = 4;

/// What finds it out.
#[derive(Debug)]
pub(crate) struct Adapt {
    /// Jobs that have ended …
    done: AtomicUsize,
    /// … and with how many of them the next sample is complete.
    due: AtomicUsize,
    found: Mutex<Found>,
}

#[derive(Debug)]
struct Found {
    tuner: Tuner,
    min: usize,
    /// The end of the sample before, and how many jobs had ended then.
    since: Option<Instant>,
    done: usize,
}

impl Adapt {
    pub(super) fn new(threads: Threads) -> Self {
        let found = Found { tuner: tuner(threads), min: threads.min, since: None, done: 0 };
        Self { done: AtomicUsize::new(0), due: AtomicUsize::new(0), found: Mutex::new(found) }
    }

    /// Begins anew, within other limits; how many workers to begin with.
    pub(super) fn begin(&self, threads: Threads) -> usize {
        let mut found = self.found.lock();
        (found.tuner, found.min, found.since) = (tuner(threads), threads.min, None);
        found.tuner.size()
    }

    /// A job begins; those before it have ended.
    #[inline]
    pub(super) fn note<W: Work>(&self, house: &Arc<House<'_, W>>) {
        // ORDERING: Relaxed: counts; what is decided by them is decided under the lock.
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        // ORDERING: Relaxed: likewise.
        if done >= self.due.load(Ordering::Relaxed) {
            self.sample(house);
        }
    }

    #[cold]
    fn sample<W: Work>(&self, house: &Arc<House<'_, W>>) {
        // Before the lock: it asks the queue's.
        let waits = house.engine.has_backlog();
        let Some((before, mut limits)) = self.record(waits) else { return };
        if before == limits.1 {
            return;
        }
        loop {
            // INVARIANT: no lock is held: those who wait for places are told.
            house.start(house.engine.resize(limits.0, limits.1));
            // Another sample may have been applied before this one.
            let now = self.limits();
            if now == limits {
                return;
            }
            limits = now;
        }
    }

    /// The number of workers until now, and the limits from now on.
    fn record(&self, waits: bool) -> Option<(usize, (usize, usize))> {
        let mut found = self.found.lock();
        // ORDERING: Relaxed: as in `note`.
        let done = self.done.load(Ordering::Relaxed);
        // ORDERING: Relaxed: it is changed under the lock that is held.
        if done < self.due.load(Ordering::Relaxed) {
            return None;
        }
        let now = Deadline::after(Duration::ZERO)?.instant();
        let (size, jobs) = (found.tuner.size(), done - found.done);
        match found.since.replace(now) {
            Some(before) if waits => {
                let elapsed = now.saturating_duration_since(before);
                found.tuner.record(size, jobs, elapsed);
            }
            // Where nobody waits, throughput is what comes, whoever is there.
            _ => found.tuner.forget_epoch(),
        }
        found.done = done;
        let now = found.tuner.size();
        // ORDERING: Relaxed: whoever reads an older one finds out under the lock.
        self.due.store(done + now.saturating_mul(JOBS), Ordering::Relaxed);
        Some((size, (found.min, now)))
    }

    fn limits(&self) -> (usize, usize) {
        let found = self.found.lock();
        (found.min, found.tuner.size())
    }
}

fn tuner(threads: Threads) -> Tuner {
    let least = threads.min.max(1);
    let time = Duration::from_millis(10);
    Tuner::new(Range { first: least, least, most: threads.max, samples: 4, time })
}
