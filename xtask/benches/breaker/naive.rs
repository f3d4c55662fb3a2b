//! What one writes by hand: a mutex around a ring of outcomes.

use crate::harness::Subject;
use crate::subject::{Ended, Guard};
use parking_lot::Mutex;
use std::time::{Duration, Instant};

const CALLS: usize = 100;

pub struct Naive(Mutex<Ring>);

struct Ring {
    failed: [bool; CALLS],
    next: usize,
    calls: usize,
    failures: usize,
    open_until: Option<Instant>,
}

impl Subject for Naive {
    const NAME: &'static str = "naive";
}

impl Guard for Naive {
    fn closed() -> Self {
        let failed = [false; CALLS];
        Self(Mutex::new(Ring { failed, next: 0, calls: 0, failures: 0, open_until: None }))
    }

    fn open() -> Self {
        let this = Self::closed();
        this.0.lock().open_until = Instant::now().checked_add(Duration::from_secs(3600));
        this
    }

    #[inline]
    fn call(&self, work: impl FnOnce() -> Result<(), ()>) -> Ended {
        let open_until = self.0.lock().open_until;
        if open_until.is_some_and(|until| Instant::now() < until) {
            return Ended::Rejected;
        }
        let failed = work().is_err();
        let mut ring = self.0.lock();
        let next = ring.next;
        let before = std::mem::replace(&mut ring.failed[next], failed);
        ring.failures += usize::from(failed);
        ring.failures -= usize::from(before);
        ring.next = if next + 1 == CALLS { 0 } else { next + 1 };
        ring.calls = (ring.calls + 1).min(CALLS);
        if failed && ring.calls >= 10 && ring.failures * 10 >= ring.calls * 9 {
            ring.open_until = Instant::now().checked_add(Duration::from_secs(3600));
        }
        if failed { Ended::Failed } else { Ended::Well }
    }
}
