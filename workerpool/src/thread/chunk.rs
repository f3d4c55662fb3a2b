//! Jobs of one batch in one piece of memory.
//!
//! A box for each job costs an allocation on one thread and a free on another, which together take
//! longer than all else that an empty job passes through. So jobs of a batch stand side by side, and
//! the queue holds, for each, the number of its place.

use crate::primitives::{Arc, Mutex};
use std::fmt;

/// So many jobs share a piece: as many as a worker takes at once, so that few of them are shared by
/// workers, and what is left of a batch keeps little memory.
pub(super) const LENGTH: usize = 32;

/// The places of some jobs. One that was taken is empty.
pub(super) struct Chunk<F> {
    places: Box<[Mutex<Option<F>>]>,
}

impl<F> Chunk<F> {
    pub(super) fn new(jobs: impl Iterator<Item = F>) -> Arc<Self> {
        Arc::new(Self { places: jobs.map(|job| Mutex::new(Some(job))).collect() })
    }

    /// The job in this place, once.
    pub(super) fn take(&self, place: u32) -> Option<F> {
        self.places[place as usize].lock().take()
    }
}

/// A chunk of jobs of whatever type.
trait Jobs: Send + Sync {
    fn run(&self, place: u32);
    fn discard(&self, place: u32);
}

impl<F: FnOnce() + Send> Jobs for Chunk<F> {
    fn run(&self, place: u32) {
        if let Some(job) = self.take(place) {
            job();
        }
    }

    fn discard(&self, place: u32) {
        drop(self.take(place));
    }
}

/// One job of a chunk. Dropped, it drops the job, as a box would.
pub(crate) struct Part<'env> {
    chunk: Arc<dyn Jobs + 'env>,
    place: u32,
}

impl<'env> Part<'env> {
    const RAN: u32 = u32::MAX;

    pub(super) fn new<F: FnOnce() + Send + 'env>(chunk: Arc<Chunk<F>>, place: u32) -> Self {
        Self { chunk, place }
    }

    /// Runs it; a panic of the job passes.
    pub(crate) fn run(mut self) {
        let place = std::mem::replace(&mut self.place, Self::RAN);
        self.chunk.run(place);
    }
}

impl Drop for Part<'_> {
    fn drop(&mut self) {
        if self.place != Self::RAN {
            self.chunk.discard(self.place);
        }
    }
}

impl fmt::Debug for Part<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Part").field("place", &self.place).finish_non_exhaustive()
    }
}
