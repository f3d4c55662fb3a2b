//! Allocations in steady state, and bytes. Counted on the threads that do the work, exactly, so
//! one round tells; the counter belongs to each thread and slows none of the other scenarios.

use crate::harness::threads::{Padded, Placement, together};
use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::Ours;
use crate::rivals::{AsyncLock, Asyncband, AsyncbandBlockOn, ParkingLot, Std, Tokio, TokioBlockOn};
use crate::subject::{Await, Gate, Wait, assert_free};
use crate::tasks;
use crate::turns::Crowd;
use allocation_counter::measure;
use std::future::Future;
use std::mem;
use std::sync::Barrier;
use std::task::{Context, Waker};

/// Operations before it is counted, and while.
const WARM_UP: u64 = 1_000;
const COUNTED: u64 = 50_000;
const TASKS: usize = 8;
const THREADS: usize = 4;
const PERMITS: usize = 2;
const WAITERS: usize = 1_000;

pub fn scenarios() -> Vec<Scenario> {
    let allocations = |name: &str| Scenario::new(format!("allocations/{name}"), Unit::Allocations);
    let bytes = |name: &str| Scenario::new(format!("memory/{name}"), Unit::Bytes);
    vec![
        entries!(allocations("tasks"), in_tasks(): Ours, Tokio, Asyncband, AsyncLock),
        entries!(allocations("threads"), in_threads():
            Ours, Tokio, TokioBlockOn, AsyncbandBlockOn),
        entries!(bytes("idle"), idle(): Ours, Tokio, Asyncband, AsyncLock, ParkingLot, Std),
        entries!(bytes("queued-request"), queued(): Ours, Tokio, Asyncband, AsyncLock),
    ]
}

/// Of a long run less those of a short one: what is left is paid per operation, not once.
fn in_tasks<A: Await>() -> impl FnMut(u64) -> Sample {
    |_| {
        let count = |ops| {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let run = || tasks::run::<A>(&runtime, TASKS, PERMITS, ops);
            measure(|| _ = run()).count_total
        };
        let once = count(WARM_UP);
        let more = count(WARM_UP + COUNTED);
        Sample::count(COUNTED, more.saturating_sub(once) as f64)
    }
}

/// Every operation waits, see `turns.rs`; so after the first few all that a thread needs for
/// waiting is there.
fn in_threads<W: Wait>() -> impl FnMut(u64) -> Sample {
    |_| {
        let gate = Padded(W::new(PERMITS));
        let first = Crowd::new(THREADS, PERMITS, WARM_UP);
        let then = Crowd::new(THREADS, PERMITS, COUNTED);
        let warm = Barrier::new(THREADS);
        let (_, counts) = together(THREADS, Placement::Free, |me| {
            first.take_turns(&gate.0, me);
            warm.wait();
            measure(|| _ = then.take_turns(&gate.0, me)).count_total
        });
        assert_free(&gate.0, PERMITS);
        Sample::count(COUNTED, counts.iter().sum::<u64>() as f64)
    }
}

/// The semaphore itself and what it has on the heap before anybody used it.
fn idle<G: Gate>() -> impl FnMut(u64) -> Sample {
    |_| {
        let mut gate = None;
        let heap = measure(|| gate = Some(G::new(PERMITS))).bytes_current;
        assert_free(gate.as_ref().expect("just made"), PERMITS);
        Sample::count(1, mem::size_of::<G>() as f64 + heap as f64)
    }
}

/// The future, on the heap, and what the queue has grown by.
fn queued<A: Await>() -> impl FnMut(u64) -> Sample {
    |_| {
        let gate = A::new(1);
        let permit = gate.try_acquire(1);
        let mut requests = Vec::with_capacity(WAITERS);
        let mut context = Context::from_waker(Waker::noop());
        let heap = measure(|| {
            for _ in 0..WAITERS {
                let mut request = Box::pin(gate.acquire(1));
                assert!(request.as_mut().poll(&mut context).is_pending());
                requests.push(request);
            }
        });
        drop((requests, permit));
        assert_free(&gate, 1);
        Sample::count(WAITERS as u64, heap.bytes_current as f64)
    }
}
