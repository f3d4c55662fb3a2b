//! Strands as users hold them: subpools, and one line for each key, of whichever pool.

use crate::desk::Desk;
use crate::engine::StrandId;
use crate::primitives::{Arc, Mutex};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::mem;

/// Holds a strand open.
pub(crate) struct Guard<H: Desk> {
    pub(crate) house: Arc<H>,
    pub(crate) id: StrandId,
}

impl<H: Desk> Guard<H> {
    /// Panics if `cap` is 0.
    pub(crate) fn open(house: &Arc<H>, cap: usize) -> Arc<Self> {
        assert!(cap > 0, "a subpool of 0 jobs at once: it must be 1 or more");
        Arc::new(Self { house: Arc::clone(house), id: house.engine().open_strand(cap) })
    }

    pub(crate) fn pending(&self) -> usize {
        self.house.engine().pending(self.id)
    }
}

impl<H: Desk> Drop for Guard<H> {
    fn drop(&mut self) {
        // What was accepted runs all the same.
        self.house.engine().close_strand(self.id);
    }
}

/// The line of each key.
pub(crate) struct Lines<H: Desk, K> {
    house: Arc<H>,
    known: Mutex<Known<H, K>>,
}

struct Known<H: Desk, K> {
    by_key: HashMap<K, Arc<Guard<H>>>,
    /// With so many keys, those without jobs are forgotten.
    sweep_at: usize,
}

impl<H: Desk, K: Eq + Hash> Lines<H, K> {
    const LEAST_SWEEP: usize = 64;

    pub(crate) fn new(house: &Arc<H>) -> Self {
        let known = Known { by_key: HashMap::new(), sweep_at: Self::LEAST_SWEEP };
        Self { house: Arc::clone(house), known: Mutex::new(known) }
    }

    pub(crate) fn len(&self) -> usize {
        self.known.lock().by_key.len()
    }

    pub(crate) fn line(&self, key: K) -> Arc<Guard<H>> {
        let mut known = self.known.lock();
        if let Some(guard) = known.by_key.get(&key) {
            return Arc::clone(guard);
        }
        let mut forgotten = Vec::new();
        if known.by_key.len() >= known.sweep_at {
            let kept = mem::take(&mut known.by_key);
            for (key, guard) in kept {
                // Whoever is about to submit holds another count, taken under this lock.
                if Arc::strong_count(&guard) > 1 || guard.pending() > 0 {
                    known.by_key.insert(key, guard);
                } else {
                    forgotten.push((key, guard));
                }
            }
            known.sweep_at = (known.by_key.len() * 2).max(Self::LEAST_SWEEP);
        }
        let guard = Guard::open(&self.house, 1);
        known.by_key.insert(key, Arc::clone(&guard));
        drop(known);
        // Keys are the user's: they are dropped outside the lock.
        drop(forgotten);
        guard
    }
}

impl<H: Desk> fmt::Debug for Guard<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
    }
}
