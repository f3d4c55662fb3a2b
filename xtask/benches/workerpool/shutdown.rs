//! The end of a pool that has much to do still.

use crate::harness::{Sample, Scenario, Unit};
use crate::ours::OursUnbounded;
use crate::rivals::{StoppedByHand, THREADS};
use crate::subject::Spawn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

const QUEUED: u64 = 1_000_000;

pub fn scenarios() -> Vec<Scenario> {
    vec![
        Scenario::new("shutdown/million-queued", Unit::Wall)
            .sample_ms(100)
            .entry::<OursUnbounded>(shutdown::<OursUnbounded>())
            .entry::<StoppedByHand>(shutdown::<StoppedByHand>()),
    ]
}

/// Ends at once, without running what waits.
pub trait Stop: Spawn {
    /// Until no thread is left, and no job; says how many did not run.
    fn stop(self) -> u64;
}

impl Stop for OursUnbounded {
    fn stop(self) -> u64 {
        let rest = self.0.shutdown_now();
        let left = rest.len() as u64;
        drop(rest);
        self.0.shutdown().wait().expect("it ends");
        left
    }
}

/// One operation is one of a million jobs that wait when the pool is told to end, and are dropped:
/// what the end takes is a million times that.
fn shutdown<P: Stop>() -> impl FnMut(u64) -> Sample {
    |jobs| {
        let rounds = jobs.div_ceil(QUEUED);
        let time = (0..rounds).map(|_| once::<P>()).sum();
        Sample::time(rounds * QUEUED, time)
    }
}

fn once<P: Stop>() -> Duration {
    let (pool, ran) = (P::new(), Arc::new(AtomicU64::new(0)));
    // Every worker has a job until all have come.
    let (opens, gate) = crossbeam_channel::bounded::<()>(0);
    let (begun, begins) = mpsc::channel();
    for _ in 0..THREADS {
        let (gate, begun) = (gate.clone(), begun.clone());
        pool.spawn(move || {
            begun.send(()).expect("somebody waits");
            assert!(gate.recv().is_err(), "the gate opens by being dropped");
        });
    }
    (0..THREADS).for_each(|_| begins.recv().expect("every worker begins"));
    for _ in 0..QUEUED {
        let ran = Arc::clone(&ran);
        pool.spawn(move || {
            ran.fetch_add(1, Ordering::Relaxed);
        });
    }
    let start = Instant::now();
    drop(opens);
    let left = pool.stop();
    let time = start.elapsed();
    let ran = Arc::into_inner(ran).expect("no job is left").into_inner();
    assert_eq!(ran + left, QUEUED, "{}: what ran, and what did not", P::NAME);
    time
}
