//! One word that says whether a pipeline goes on.

use crate::primitives::atomic::{AtomicU8, Ordering};

const RUNNING: u8 = 0;
/// The source ends; what was taken from it is delivered.
const DRAINING: u8 = 1;
/// Nothing new is started, and nobody waits any more.
const CANCELLED: u8 = 2;

/// It only ever grows, so a cancel beats a drain, whichever comes first.
#[derive(Debug)]
pub(crate) struct Control(AtomicU8);

impl Control {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(RUNNING))
    }

    /// The source is to end. Nobody has to be woken: who waits, waits for what is on its way.
    pub(crate) fn drain(&self) {
        // ORDERING: Relaxed: it publishes nothing, and whoever sees it late takes one item more.
        self.0.fetch_max(DRAINING, Ordering::Relaxed);
    }

    /// Everybody is to stop. Who waits has to be woken afterwards, through the lock that guards what it
    /// waits for: see [`Edge::cancel`](crate::edge::Edge).
    pub(crate) fn cancel(&self) {
        // ORDERING: Release pairs with the Acquire in `is_cancelled`: who stops because of it sees what
        // came before.
        self.0.fetch_max(CANCELLED, Ordering::Release);
    }

    #[inline]
    pub(crate) fn is_running(&self) -> bool {
        // ORDERING: Relaxed: a hint to stop taking items.
        self.0.load(Ordering::Relaxed) == RUNNING
    }

    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `cancel`. A reader that has left its waker in a
        // slot does not miss it: who cancels takes that slot's lock afterwards.
        self.0.load(Ordering::Acquire) == CANCELLED
    }
}
