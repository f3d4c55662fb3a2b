//! Java's `ThreadPoolExecutor`, folly, and an end that waits for itself.

use crate::support::{Counter, Gate, until};
use lockgate_workerpool::thread::{Pool, Queue, Reject};
use lockgate_workerpool::{Reason, ShutdownError};
use std::thread;

/// `ThreadPoolExecutor`: with an unbounded queue the most number of threads is never reached.
#[test]
fn java_an_unbounded_queue_does_not_keep_a_pool_small() {
    let builder = Pool::builder().threads(1..=4).queue(Queue::Unbounded);
    let (pool, gate, started) = (builder.build().unwrap(), Gate::default(), Counter::default());
    for _ in 0..4 {
        let (waits, starts) = (gate.clone(), started.clone());
        let job = move || {
            starts.add();
            waits.pass();
        };
        pool.spawn(job).unwrap();
    }
    until("all four run at once", || started.value() == 4);
    gate.open();
}

/// folly: a job that submits into a full queue that blocks waits for itself.
#[test]
fn folly_a_job_that_submits_into_a_full_queue_goes_on() {
    for reject in [Reject::Block, Reject::CallerRuns, Reject::DropNewest, Reject::DropOldest] {
        let builder = Pool::builder().threads(1).queue(Queue::Handoff).reject(reject);
        let pool = builder.build().unwrap();
        let inner = pool.clone();
        let job = pool.run(move || inner.submit(|| 2).map(|job| job.wait().ok()));
        let nested = job.wait().unwrap();
        match reject {
            // Without a queue there is no oldest.
            Reject::DropOldest => assert_eq!(nested.unwrap_err().reason, Reason::Full),
            Reject::DropNewest => assert_eq!(nested.unwrap(), None),
            _ => assert_eq!(nested.unwrap(), Some(2)),
        }
    }
}

/// The end, asked for and dropped by those who would wait for themselves.
#[test]
fn a_job_that_ends_its_own_pool_does_not_wait_for_itself() {
    let stopped = Counter::default();
    let stops = stopped.clone();
    let on_stop = move || {
        stops.add();
    };
    let pool = Pool::builder().threads(2).on_stop(on_stop).build().unwrap();
    let (inner, gate) = (pool.clone(), Gate::default());
    let waits = gate.clone();
    let job = pool.submit(move || {
        waits.pass();
        let told = inner.shutdown().wait();
        // The last clone, on a worker.
        drop(inner);
        told
    });
    let after = pool.submit(|| 9).unwrap();
    drop(after);
    let job = job.unwrap();
    // `Job` keeps the pool's queue, and no clone of the pool.
    let thread = thread::spawn(move || drop(pool));
    gate.open();
    assert_eq!(job.wait().unwrap(), Err(ShutdownError::Inside));
    thread.join().unwrap();
    until("both workers have gone", || stopped.value() == 2);
}
