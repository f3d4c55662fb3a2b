//! What is counted of a stage: by its workers, once for each chunk.

use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::primitives::{Deadline, IS_MODEL};
use std::borrow::Cow;
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Stats {
    pub(crate) name: Cow<'static, str>,
    pub(crate) workers: usize,
    counters: [AtomicU64; COUNTERS],
}

/// One of a stage's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Taken,
    Given,
    Failed,
    Retried,
    Skipped,
    DeadLettered,
    Replaced,
    Dropped,
    Overflowed,
    BusyNanos,
    StarvedNanos,
    BlockedNanos,
}

const COUNTERS: usize = Count::BlockedNanos as usize + 1;

impl Stats {
    pub(crate) fn new(name: Cow<'static, str>, workers: usize) -> Self {
        Self { name, workers, counters: std::array::from_fn(|_| AtomicU64::new(0)) }
    }

    pub(crate) fn add(&self, count: Count, amount: u64) {
        // LOOM: a number that nobody acts on would only add schedules.
        if amount > 0 && !IS_MODEL {
            // ORDERING: Relaxed: a number, which publishes nothing.
            self.counters[count as usize].fetch_add(amount, Ordering::Relaxed);
        }
    }

    pub(crate) fn get(&self, count: Count) -> u64 {
        // ORDERING: Relaxed: as in `add`.
        self.counters[count as usize].load(Ordering::Relaxed)
    }
}

/// A stop watch that is read once for each part of a round.
#[derive(Debug)]
pub(crate) struct Watch(Option<Deadline>);

impl Watch {
    pub(crate) fn start() -> Self {
        // LOOM: no time passes in a model.
        Self(if IS_MODEL { None } else { Deadline::after(Duration::ZERO) })
    }

    /// Nanoseconds since the start.
    pub(crate) fn nanos(&self) -> u64 {
        let elapsed = self.0.as_ref().map(Deadline::elapsed).unwrap_or_default();
        u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
    }
}
