//! What the tests of the core have in common.

use crate::core::{Core, Promise};
use crate::quota::Quota;
use std::time::Duration;

pub(super) fn take(core: &Core, n: u32, at: u64) -> bool {
    core.try_acquire(n, || at).is_ok()
}

pub(super) fn reserve(core: &Core, n: u32, at: u64) -> Promise {
    core.reserve(n, None, at).unwrap()
}

/// Numbers that are the same for the same seed (xorshift64*).
pub(super) struct Random {
    pub(super) state: u64,
    /// Whether whoever draws from it says what he does.
    pub(super) verbose: bool,
}

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        // Neighbouring seeds are not to begin alike, and none may be zero.
        let state = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        Self { state, verbose: false }
    }

    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let high = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 32;
        (high * end) >> 32
    }
}

/// One token in so many nanoseconds.
pub(super) fn core(period: u64, burst: u32, now: u64) -> Core {
    Core::new(Quota::every(Duration::from_nanos(period)).burst(burst), now)
}

/// Never more than burst + rate · Δ, of what is granted when. Moments are whole nanoseconds, so what
/// is due at a fraction is up to one late.
pub(super) fn assert_envelope(granted: &mut [(u64, u32)], period: u64, burst: u32) {
    granted.sort_unstable();
    for (index, (from, _)) in granted.iter().enumerate() {
        let mut sum = 0;
        for (to, n) in &granted[index..] {
            sum += u64::from(*n);
            let most = u64::from(burst) * period + (to - from + 1);
            assert!(sum * period <= most, "{sum} from {from} to {to} of {granted:?}");
        }
    }
}
