//! Failures in a row. Time does not age them.

use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::primitives::const_fn;
use crate::state::Generation;

/// `generation << 32 | failures in a row`.
///
/// On a cache line of its own: who only succeeds reads it and writes nothing.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Streak(AtomicU64);

const fn of(word: u64) -> Generation {
    Generation((word >> 32) as u32)
}

const fn word(generation: Generation, failures: u32) -> u64 {
    (generation.0 as u64) << 32 | failures as u64
}

impl Streak {
    const_fn! {
        pub(crate) const fn new() -> Self {
            Self(AtomicU64::new(0))
        }
    }

    #[inline]
    pub(crate) fn succeed(&self, generation: Generation) {
        // ORDERING: Relaxed, here and below: the count is all there is to it, and who trips on it
        // goes through the control word.
        let now = self.0.load(Ordering::Relaxed);
        if now as u32 != 0 {
            self.reset(generation, now);
        }
    }

    #[cold]
    fn reset(&self, generation: Generation, mut now: u64) {
        while now as u32 != 0 && of(now) == generation {
            let none = word(generation, 0);
            // ORDERING: Relaxed, see `succeed`.
            match self.0.compare_exchange_weak(now, none, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return,
                Err(actual) => now = actual,
            }
        }
    }

    /// One more failure: how many there are now, in a row. `None` if the generation is over.
    pub(crate) fn fail(&self, generation: Generation) -> Option<u32> {
        // ORDERING: Relaxed, see `succeed`.
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            let failures = if of(now) == generation {
                (now as u32).saturating_add(1)
            } else if generation.is_behind(of(now)) {
                return None;
            } else {
                1
            };
            let next = word(generation, failures);
            // ORDERING: Relaxed, see `succeed`.
            match self.0.compare_exchange_weak(now, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(failures),
                Err(actual) => now = actual,
            }
        }
    }

    pub(crate) fn failures(&self, generation: Generation) -> u32 {
        // ORDERING: Relaxed, see `succeed`.
        let now = self.0.load(Ordering::Relaxed);
        if of(now) == generation { now as u32 } else { 0 }
    }
}
