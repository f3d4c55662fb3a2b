//! Rejections in proportion: a closed circuit that lets through somewhat more than is accepted.

use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::state::Generation;
use crate::window::TimeWindow;
use std::hash::{BuildHasher, RandomState};

/// Requests are counted when they are attempted, and accepted ones when they end.
#[derive(Debug)]
pub(crate) struct Throttle {
    window: TimeWindow,
    factor: f64,
    most: f64,
    min_calls: u64,
    /// Where the random numbers are.
    random: AtomicU64,
}

impl Throttle {
    pub(crate) fn new(window: TimeWindow, factor: f64, most: f64, min_calls: u32) -> Self {
        let seed = RandomState::new().hash_one(0);
        Self { window, factor, most, min_calls: min_calls.into(), random: AtomicU64::new(seed) }
    }

    /// Counts a call that somebody wants to make; whether it is to be rejected.
    pub(crate) fn attempt(&self, generation: Generation, now: u64) -> bool {
        let rate = self.rejection_rate(generation, now);
        self.window.begin(generation, now);
        rate > 0.0 && self.draw() < rate
    }

    pub(crate) fn accepted(&self, generation: Generation, now: u64) {
        self.window.end(generation, now);
    }

    /// The probability with which the next call is rejected.
    pub(crate) fn rejection_rate(&self, generation: Generation, now: u64) -> f64 {
        let (requests, accepts) = self.window.begun_and_ended(generation, now);
        if requests < self.min_calls {
            return 0.0;
        }
        let over = requests as f64 - self.factor * accepts as f64;
        (over / (requests as f64 + 1.0)).clamp(0.0, self.most)
    }

    /// A number from 0 to less than 1: the generator SplitMix64 (Steele, Lea, Flood 2014), which threads can
    /// share, for its state only counts.
    fn draw(&self) -> f64 {
        // ORDERING: Relaxed: nothing but the number itself.
        let mut z = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 11) as f64 / (1_u64 << 53) as f64
    }
}
