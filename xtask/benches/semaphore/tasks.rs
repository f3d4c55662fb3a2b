//! Tasks of tokio's multi-threaded runtime, two workers, each permit held across a yield: more
//! tasks than permits, so almost every request waits.

use crate::harness::threads::{Padded, Quota};
use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::Ours;
use crate::rivals::{AsyncLock, Asyncband, Tokio};
use crate::subject::{Await, assert_free};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Runtime;
use tokio::task;

const WORKERS: usize = 2;

pub fn scenarios() -> Vec<Scenario> {
    let crowds = [(8, 2), (64, 4)];
    let scenarios = crowds.map(|(tasks, permits)| {
        let name = format!("tasks/{tasks}-on-{permits}");
        let scenario = Scenario::new(name, Unit::Wall).sample_ms(80);
        entries!(scenario, yielding(tasks, permits): Ours, Tokio, Asyncband, AsyncLock)
    });
    scenarios.into()
}

struct Shared<A> {
    gate: Padded<A>,
    quota: Quota,
    permits: usize,
    holders: Padded<AtomicUsize>,
    done: Padded<AtomicU64>,
}

fn yielding<A: Await>(tasks: usize, permits: usize) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .build()
            .expect("a runtime");
        Sample::time(ops, run::<A>(&runtime, tasks, permits, ops))
    }
}

/// Lets the tasks do so many operations in all.
pub fn run<A: Await>(runtime: &Runtime, tasks: usize, permits: usize, ops: u64) -> Duration {
    let shared = Arc::new(Shared {
        gate: Padded(A::new(permits)),
        quota: Quota::new(ops, 1),
        permits,
        holders: Padded::default(),
        done: Padded::default(),
    });
    // The driver is a task too: what a worker spawns it need not send to another.
    let driver = runtime.spawn(drive(Arc::clone(&shared), tasks));
    let time = runtime.block_on(driver).expect("a panic exits");
    assert_eq!(shared.done.0.load(Ordering::Relaxed), ops);
    assert_free(&shared.gate.0, permits);
    time
}

async fn drive<A: Await>(shared: Arc<Shared<A>>, tasks: usize) -> Duration {
    let start = Instant::now();
    let tasks: Vec<_> = (0..tasks).map(|_| task::spawn(take(Arc::clone(&shared)))).collect();
    for task in tasks {
        task.await.expect("a panic exits");
    }
    start.elapsed()
}

async fn take<A: Await>(shared: Arc<Shared<A>>) {
    let mut done = 0;
    while shared.quota.take() > 0 {
        let permit = A::permit(shared.gate.0.acquire(1).await);
        let others = shared.holders.0.fetch_add(1, Ordering::Relaxed);
        assert!(others < shared.permits, "{}: more holders than permits", A::NAME);
        task::yield_now().await;
        shared.holders.0.fetch_sub(1, Ordering::Relaxed);
        drop(permit);
        done += 1;
    }
    shared.done.0.fetch_add(done, Ordering::Relaxed);
}
