//! Threads that start together, on cores of their own where the scenario says so.

use super::clock;
use core_affinity::CoreId;
use std::sync::Barrier;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Keeps what different threads write on different cache lines, and out of each other's
/// prefetcher's way.
#[repr(align(128))]
#[derive(Default)]
pub struct Padded<T>(pub T);

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Placement {
    Free,
    /// Thread `i` on the `i`-th of the two cores.
    Pinned,
}

/// The first and the last core that we may run on: the pair least likely to be two hardware
/// threads of one core.
pub fn two_cores() -> Option<[CoreId; 2]> {
    static CORES: OnceLock<Option<[CoreId; 2]>> = OnceLock::new();
    *CORES.get_or_init(|| match core_affinity::get_core_ids()?.as_slice() {
        [first, .., last] => Some([*first, *last]),
        _ => None,
    })
}

/// How long `together` took.
pub struct Elapsed {
    /// From the first thread's start to the last one's end.
    pub wall: Duration,
    pub cpu: Duration,
}

/// Runs `body(i)` on `count` threads at once. Starting and ending the threads is not counted.
pub fn together<R: Send>(
    count: usize,
    placement: Placement,
    body: impl Fn(usize) -> R + Sync,
) -> (Elapsed, Vec<R>) {
    let (ready, go, done) =
        (Barrier::new(count + 1), Barrier::new(count + 1), Barrier::new(count + 1));
    let run = |index: usize| {
        if placement == Placement::Pinned {
            let cores = two_cores().expect("the scenario is skipped where there are none");
            assert!(core_affinity::set_for_current(cores[index % 2]), "cannot pin a thread");
        }
        ready.wait();
        go.wait();
        let start = Instant::now();
        let result = body(index);
        let end = Instant::now();
        done.wait();
        (start, end, result)
    };
    thread::scope(|scope| {
        let handles: Vec<_> = (0..count).map(|index| scope.spawn(move || run(index))).collect();
        // Between the two barriers every thread sleeps: all CPU time after is the body's.
        ready.wait();
        let before = clock::cpu_time();
        go.wait();
        done.wait();
        let cpu = clock::cpu_time().unwrap_or_default() - before.unwrap_or_default();
        let ended: Vec<_> =
            handles.into_iter().map(|handle| handle.join().expect("a panic exits")).collect();
        let first = ended.iter().map(|(start, ..)| *start).min().expect("there are threads");
        let last = ended.iter().map(|(_, end, _)| *end).max().expect("there are threads");
        let results = ended.into_iter().map(|(.., result)| result).collect();
        (Elapsed { wall: last - first, cpu }, results)
    })
}

/// Operations that several workers share out among themselves in portions, so that none works on
/// alone, uncontended, after the others have ended.
pub struct Quota {
    left: Padded<AtomicI64>,
    portion: i64,
}

impl Quota {
    pub fn new(ops: u64, portion: i64) -> Self {
        Self { left: Padded(AtomicI64::new(ops as i64)), portion }
    }

    /// How many operations to do now; 0 at the end.
    pub fn take(&self) -> u64 {
        let left = self.left.0.fetch_sub(self.portion, Ordering::Relaxed);
        left.clamp(0, self.portion) as u64
    }
}
