//! What the workloads ask of a pool: each trait one ability, since not every rival has all. A pool has
//! two threads, which are there before anything is measured.

use crate::harness::Subject;

/// Runs jobs whose results nobody wants.
pub trait Spawn: Subject + Sized + 'static {
    fn new() -> Self;

    fn spawn(&self, job: impl FnOnce() + Send + 'static);
}

/// Runs jobs and gives their results.
pub trait Submit: Spawn {
    type Handle;

    fn submit(&self, job: impl FnOnce() -> u64 + Send + 'static) -> Self::Handle;

    fn wait(handle: Self::Handle) -> u64;
}

/// Runs many jobs that come at once.
pub trait Batch: Submit {
    fn batch(&self, jobs: impl Iterator<Item = impl FnOnce() + Send + 'static>);

    fn batch_of_results(
        &self,
        jobs: impl Iterator<Item = impl FnOnce() -> u64 + Send + 'static>,
    ) -> Vec<Self::Handle>;
}
