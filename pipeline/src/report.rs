//! What a pipeline tells of itself.

use crate::primitives::Arc;
use crate::stats::{Count, Stats};
use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

/// What became of a pipeline's items, stage by stage. Stages that fuse have no line of their own.
///
/// Its `Display` is a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The stages with workers of their own, from the source on.
    pub stages: Vec<StageReport>,
    /// From the start of the pipeline until this report.
    pub elapsed: Duration,
}

/// The numbers of one stage. Times are sums over its workers.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StageReport {
    /// Its name.
    pub name: Cow<'static, str>,
    /// How many workers it has.
    pub workers: usize,
    /// Items that were taken from the stage before, and worked on.
    pub taken: u64,
    /// Items that were given to the next stage.
    pub given: u64,
    /// Items for which the stage's function failed, retries included.
    pub failed: u64,
    /// Calls that were made again.
    pub retried: u64,
    /// Failed items that were skipped or collected.
    pub skipped: u64,
    /// Failed items that went to the dead letters.
    pub dead_lettered: u64,
    /// Failed items for which there was a fallback.
    pub replaced: u64,
    /// Items that were taken and dropped because the pipeline had ended.
    pub dropped: u64,
    /// Items that were dropped because a buffer was full: see [`Overflow`](crate::Overflow).
    pub overflowed: u64,
    /// While the stage's function ran.
    pub busy: Duration,
    /// Waiting for items, and running what was fused before the stage.
    pub starved: Duration,
    /// Waiting for the stage after, the window being full.
    pub blocked: Duration,
}

impl Report {
    pub(crate) fn of(stats: &[Arc<Stats>], elapsed: u64) -> Self {
        let stages = stats.iter().map(|stats| StageReport::of(stats)).collect();
        Self { stages, elapsed: Duration::from_nanos(elapsed) }
    }

    /// The stage of this name.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<&StageReport> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// The stage whose workers were busy for the largest part of the time: more workers there are what
    /// helps, if anything does.
    #[must_use]
    pub fn bottleneck(&self) -> Option<&StageReport> {
        let load = |stage: &StageReport| stage.busy / u32::try_from(stage.workers).unwrap_or(1);
        self.stages.iter().max_by_key(|stage| load(stage))
    }
}

impl StageReport {
    fn of(stats: &Stats) -> Self {
        let nanos = |count| Duration::from_nanos(stats.get(count));
        Self {
            name: stats.name.clone(),
            workers: stats.workers,
            taken: stats.get(Count::Taken),
            given: stats.get(Count::Given),
            failed: stats.get(Count::Failed),
            retried: stats.get(Count::Retried),
            skipped: stats.get(Count::Skipped),
            dead_lettered: stats.get(Count::DeadLettered),
            replaced: stats.get(Count::Replaced),
            dropped: stats.get(Count::Dropped),
            overflowed: stats.get(Count::Overflowed),
            busy: nanos(Count::BusyNanos),
            starved: nanos(Count::StarvedNanos),
            blocked: nanos(Count::BlockedNanos),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.stages.iter().map(|stage| stage.name.chars().count()).max();
        let width = width.unwrap_or(0).max("stage".len());
        writeln!(
            f,
            "{:width$} {:>7} {:>10} {:>10} {:>8} {:>10} {:>10} {:>10}",
            "stage", "workers", "taken", "given", "failed", "busy", "starved", "blocked",
        )?;
        for stage in &self.stages {
            writeln!(
                f,
                "{:width$} {:>7} {:>10} {:>10} {:>8} {:>10.3?} {:>10.3?} {:>10.3?}",
                stage.name,
                stage.workers,
                stage.taken,
                stage.given,
                stage.failed,
                stage.busy,
                stage.starved,
                stage.blocked,
            )?;
        }
        write!(f, "{:.3?} in all", self.elapsed)
    }
}
