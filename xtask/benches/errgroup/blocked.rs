//! A hundred thousand tasks of tokio's that wait at the same time to be told that it is over. One
//! operation is one of them.

use crate::harness::{Sample, Scenario, Unit, clock, entries};
use crate::ours::OurCrowd;
use crate::subject::Crowd;
use crate::task_rivals::TokenCrowd;
use crate::tasks::Place;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::task;

const TASKS: usize = 100_000;

static WAITING: AtomicUsize = AtomicUsize::new(0);
static ENDED: AtomicUsize = AtomicUsize::new(0);

pub fn scenarios() -> Vec<Scenario> {
    let timed = |name: &str| {
        Scenario::new(format!("tokio/blocked-100000/{name}"), Unit::Wall).sample_ms(50)
    };
    let memory = Scenario::new("memory/blocked-100000", Unit::Bytes).alone();
    vec![
        entries!(timed("spawn"), crowded(|it| it.spawned): OurCrowd, TokenCrowd),
        entries!(timed("spawn-join"), crowded(|it| it.ended): OurCrowd, TokenCrowd),
        entries!(memory, resident(): OurCrowd, TokenCrowd),
    ]
}

/// What a task does before it waits.
pub fn begin() {
    WAITING.fetch_add(1, Ordering::Relaxed);
}

/// What a task does when it is told.
pub fn end() {
    ENDED.fetch_add(1, Ordering::Relaxed);
}

struct Crowded {
    /// Until the last one was spawned.
    spawned: Duration,
    /// Until all had ended.
    ended: Duration,
}

fn crowded<C: Crowd>(part: fn(Crowded) -> Duration) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let crowds = ops.div_ceil(TASKS as u64);
        let time = (0..crowds).map(|_| part(Place::Task.run(gather::<C>(|| ()))));
        Sample::time(crowds * TASKS as u64, time.sum())
    }
}

/// What is in memory because of them.
fn resident<C: Crowd>() -> impl FnMut(u64) -> Sample {
    |_| {
        let look = || clock::resident().expect("the scenario is skipped where nobody tells") as f64;
        let (sender, looked) = mpsc::channel();
        // The runtime is there before.
        let before = Place::Task.run(async move { look() });
        Place::Task.run(gather::<C>(move || sender.send(look()).expect("it is waited for")));
        Sample::count(TASKS as u64, looked.recv().expect("all have waited") - before)
    }
}

async fn gather<C: Crowd>(full: impl FnOnce() + Send + 'static) -> Crowded {
    WAITING.store(0, Ordering::Relaxed);
    ENDED.store(0, Ordering::Relaxed);
    let start = Instant::now();
    let mut crowd = C::new();
    for _ in 0..TASKS {
        crowd.spawn().await;
    }
    let spawned = start.elapsed();
    while WAITING.load(Ordering::Relaxed) < TASKS {
        task::yield_now().await;
    }
    full();
    crowd.cancel();
    crowd.join().await;
    let ended = start.elapsed();
    assert_eq!(ENDED.load(Ordering::Relaxed), TASKS, "{}: tasks that ended", C::NAME);
    Crowded { spawned, ended }
}
