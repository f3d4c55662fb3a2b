//! One word that says whether a pipeline goes on.

use crate::primitives::atomic::{AtomicBool, AtomicU8, Ordering};
use crate::primitives::{IS_MODEL, usable_cores};

const RUNNING: u8 = 0;
/// The source ends; what was taken from it is delivered.
const DRAINING: u8 = 1;
/// Nothing new is started, and nobody waits any more.
const CANCELLED: u8 = 2;

#[derive(Debug)]
pub(crate) struct Control {
    /// It only ever grows, so a cancel beats a drain, whichever comes first.
    word: AtomicU8,
    /// Whether there is a core for each thread.
    has_cores: AtomicBool,
}

impl Control {
    pub(crate) fn new() -> Self {
        Self { word: AtomicU8::new(RUNNING), has_cores: AtomicBool::new(false) }
    }

    /// The pipeline has so many threads.
    pub(crate) fn set_threads(&self, threads: usize) {
        // ORDERING: Relaxed: it is a hint, and the threads are started afterwards.
        self.has_cores.store(threads <= usable_cores(), Ordering::Relaxed);
    }

    /// Whether who waits may spin first: else it would burn a core that those need whom it waits for.
    pub(crate) fn may_spin(&self) -> bool {
        // ORDERING: Relaxed: as in `set_threads`.
        !IS_MODEL && self.has_cores.load(Ordering::Relaxed)
    }

    /// The source is to end. Nobody has to be woken: who waits, waits for what is on its way.
    pub(crate) fn drain(&self) {
        // ORDERING: Relaxed: it publishes nothing, and whoever sees it late takes one item more.
        self.word.fetch_max(DRAINING, Ordering::Relaxed);
    }

    /// Everybody is to stop. Who waits has to be woken afterwards, through the lock that guards what it
    /// waits for: see [`Edge::cancel`](crate::edge::Edge).
    pub(crate) fn cancel(&self) {
        // ORDERING: Release pairs with the Acquire in `is_cancelled`: who stops because of it sees what
        // came before.
        self.word.fetch_max(CANCELLED, Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        // ORDERING: Relaxed: a hint to stop taking items.
        self.word.load(Ordering::Relaxed) == RUNNING
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `cancel`. A reader that has left its waker in a
        // slot does not miss it: who cancels takes that slot's lock afterwards.
        self.word.load(Ordering::Acquire) == CANCELLED
    }
}
