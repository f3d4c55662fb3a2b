//! Tasks that borrow, in threads. Starting the threads is in everybody's figure but rayon's.

use crate::floor::Floor;
use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::Ours;
use crate::subject::Threads;
use crate::tally;
use crate::thread_rivals::{Crossbeam, Queue, RayonInPlace, RayonScope, Std};
use std::thread;
use std::time::{Duration, Instant};

const TASKS: usize = 2_000;
const LIMIT: usize = 2;
const SLEEPERS: usize = 8;
const SLEEP: Duration = Duration::from_millis(1);

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(format!("threads/{name}"), Unit::Wall).sample_ms(20);
    vec![
        entries!(scenario("empty-2000-limit-2"), empty():
            Ours, Floor, Queue, RayonInPlace, RayonScope, Std, Crossbeam),
        entries!(scenario("sleep-8-limit-8"), sleepers(): Ours, Std, Crossbeam),
    ]
}

/// One operation is a task that does nothing but be counted.
fn empty<T: Threads>() -> impl FnMut(u64) -> Sample {
    |ops| {
        let scopes = ops.div_ceil(TASKS as u64);
        let tasks = scopes * TASKS as u64;
        let time = tally::assert_counts(T::NAME, tasks, || {
            let start = Instant::now();
            for _ in 0..scopes {
                T::run(LIMIT, TASKS, &tally::count);
            }
            start.elapsed()
        });
        Sample::time(tasks, time)
    }
}

/// One operation is a scope of eight tasks that sleep at the same time: a millisecond, and what
/// starting and ending the threads adds to it.
fn sleepers<T: Threads>() -> impl FnMut(u64) -> Sample {
    |scopes| {
        let tasks = scopes * SLEEPERS as u64;
        let time = tally::assert_counts(T::NAME, tasks, || {
            let start = Instant::now();
            for _ in 0..scopes {
                T::run(SLEEPERS, SLEEPERS, &|| {
                    thread::sleep(SLEEP);
                    tally::count();
                });
            }
            start.elapsed()
        });
        // One after the other it would be eight times as long.
        assert!(time < SLEEP * 8 * scopes as u32 || scopes < 4, "{}: one by one", T::NAME);
        Sample::time(scopes, time)
    }
}
