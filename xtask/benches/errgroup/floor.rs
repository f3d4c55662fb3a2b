//! What no implementation can do without: an atomic index over the tasks, an atomic flag.

use crate::harness::{Role, Subject};
use crate::subject::{Flag, Threads};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

/// Two scoped threads take numbers from one index. All tasks are the same and known beforehand:
/// there is no queue, and it is not a rival.
pub struct Floor(AtomicBool);

impl Subject for Floor {
    const NAME: &'static str = "floor";
    const ROLE: Role = Role::Floor;
}

impl Threads for Floor {
    fn run<F: Fn() + Sync>(limit: usize, tasks: usize, task: &F) {
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..limit {
                scope.spawn(|| {
                    while next.fetch_add(1, Ordering::Relaxed) < tasks {
                        task();
                    }
                });
            }
        });
    }
}

impl Flag for Floor {
    fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    fn cancel(&self) {
        self.0.store(true, Ordering::Release);
    }

    #[inline]
    fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}
