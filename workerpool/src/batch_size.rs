//! How many items make a job.

#[cfg(feature = "sync")]
use crate::primitives::usable_cores;
use crate::tune::{Range, Tuner};
use std::time::Duration;

/// How many items of a `map_batched` make one job.
///
/// A job costs some fifty to a hundred nanoseconds, whatever it does: items that take less want
/// company. But items of one batch run one after the other, and what is in a batch cannot be shared out at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum BatchSize {
    /// So many; 1 or more.
    Fixed(usize),
    /// As many as there are cores that this process may use.
    PerCore,
    /// Found out: begins with 10, measures how many items are done in a second, and doubles until
    /// that brings less than 5 % more; holds, and tries half and double now and then. At most
    /// 16 384.
    ///
    /// One size is judged by 2 ms or more, so that short maps end as they began: with batches of 10.
    #[default]
    Auto,
}

impl BatchSize {
    /// The size to begin with, and who is to change it.
    pub(crate) fn begin(self, workers: usize) -> (usize, Option<Tuner>) {
        match self {
            Self::Fixed(size) => {
                assert!(size > 0, "batches of 0 items: it must be 1 or more");
                (size, None)
            }
            Self::PerCore => (usable_cores(), None),
            Self::Auto => {
                // Batches that run beside each other end out of turn: the more, the more samples.
                let samples = u32::try_from(workers.saturating_mul(8)).unwrap_or(u32::MAX);
                let tuner = Tuner::new(Range {
                    first: 10,
                    least: 1,
                    most: 1 << 14,
                    samples: samples.clamp(16, 512),
                    time: Duration::from_millis(2),
                });
                (tuner.size(), Some(tuner))
            }
        }
    }
}

/// What spins asks more closely; here nothing does.
#[cfg(not(feature = "sync"))]
fn usable_cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
