//! What no bucket can avoid: one reading of the clock, one load and one exchange of a word.

use crate::harness::{Role, Subject};
use crate::subject::{Decide, Limit};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

pub struct Floor {
    begin: Instant,
    interval: u64,
    burst: u64,
    word: AtomicU64,
}

impl Subject for Floor {
    const NAME: &'static str = "floor";
    const ROLE: Role = Role::Floor;
}

impl Decide for Floor {
    fn new(limit: Limit) -> Self {
        let interval = limit.period.as_nanos() as u64 / u64::from(limit.tokens);
        let burst = interval * u64::from(limit.burst);
        Self { begin: Instant::now(), interval, burst, word: AtomicU64::new(0) }
    }

    #[inline]
    fn try_acquire(&self, n: u32) -> bool {
        let now = self.begin.elapsed().as_nanos() as u64;
        loop {
            let word = self.word.load(Ordering::Relaxed);
            let next = word.max(now) + self.interval * u64::from(n);
            if next > now + self.burst {
                return false;
            }
            let exchanged =
                self.word.compare_exchange(word, next, Ordering::Relaxed, Ordering::Relaxed);
            if exchanged.is_ok() {
                return true;
            }
        }
    }
}
