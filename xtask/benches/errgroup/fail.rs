//! From the first error to the moment when the join returns, with a thousand tasks that wait to be
//! told. One operation is one such end; for the record.

use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::Ours;
use crate::subject::Fail;
use crate::task_rivals::{AbortAll, JoinSetToken};
use crate::tasks::Place;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;
use tokio::task;

const TASKS: usize = 1_000;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = Scenario::new("tokio/first-error-1000", Unit::Wall).sample_ms(4);
    vec![entries!(scenario, ends(): Ours, AbortAll, JoinSetToken)]
}

fn ends<F: Fail>() -> impl FnMut(u64) -> Sample {
    |ops| Sample::time(ops, (0..ops).map(|_| Place::Task.run(F::fail(TASKS))).sum())
}

/// The task that fails: when all others wait.
pub async fn fail(waiting: &AtomicUsize, tasks: usize) -> Instant {
    while waiting.load(Ordering::Relaxed) < tasks {
        task::yield_now().await;
    }
    Instant::now()
}
