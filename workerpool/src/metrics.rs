//! What a pool counts.

use crate::engine::Outcome;

/// The numbers of a pool, at one moment.
///
/// Taken under the lock of the queue: they fit together. What workers count for themselves
/// (`completed` … `expired`) is added up when it is asked for; a job counts when its worker looks for
/// the next one, which may be a moment after its handle has the result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Workers that exist or are being started.
    pub workers: usize,
    /// Workers that have a job.
    pub running: usize,
    /// Workers that sleep.
    pub idle: usize,
    /// Jobs that were accepted and not started, in all lanes.
    pub queued: usize,
    /// The same for each lane, the most urgent first. What a worker has set aside for itself, or
    /// what waits for its turn in a subpool or behind its key, is in `queued` alone.
    pub lanes: Vec<usize>,
    /// Submitters that wait for a place.
    pub waiting: usize,
    /// Jobs that were accepted, ever.
    pub submitted: u64,
    /// Jobs that ran to their end, failed ones not included.
    pub completed: u64,
    /// Jobs that gave an error, of those that give a `Result` to the pool: a group's.
    pub failed: u64,
    /// Jobs that panicked.
    pub panicked: u64,
    /// Jobs that were accepted and did not run: aborted, handed back, or taken out and run by
    /// whoever waited for them.
    pub aborted: u64,
    /// Jobs whose deadline passed before they started.
    pub expired: u64,
    /// Jobs that were refused, and those that were dropped for others.
    pub rejected: u64,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) completed: u64,
    pub(crate) failed: u64,
    pub(crate) panicked: u64,
    pub(crate) expired: u64,
    pub(crate) void: u64,
}

impl Counts {
    #[inline]
    pub(crate) const fn note(&mut self, outcome: Outcome) {
        *match outcome {
            Outcome::Completed => &mut self.completed,
            Outcome::Failed => &mut self.failed,
            Outcome::Panicked => &mut self.panicked,
            Outcome::Expired => &mut self.expired,
            Outcome::Void => &mut self.void,
        } += 1;
    }

    pub(crate) const fn add(&mut self, other: &Self) {
        self.completed += other.completed;
        self.failed += other.failed;
        self.panicked += other.panicked;
        self.expired += other.expired;
        self.void += other.void;
    }
}
