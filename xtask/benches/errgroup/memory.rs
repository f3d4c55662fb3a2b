//! Allocations for each task, and what a million of them leave in memory. Counted exactly, so one
//! round tells; on one thread, for the counter belongs to it.

use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::{OurToken, Ours};
use crate::subject::{Discard, Keep, Limit, Sum, Threads, Tree};
use crate::tally;
use crate::task_rivals::{
    BufferUnordered, JoinSetLen, JoinSetNext, JoinSetSemaphore, Tracker, VecOfHandles,
};
use crate::tasks::{Empty, Place, assert_sum};
use crate::thread_rivals::{Crossbeam, Queue, RayonInPlace, Std};
use crate::token_rivals::TokioUtil;
use allocation_counter::{AllocationInfo, measure};
use std::future::Future;
use std::hint::black_box;

/// Tasks of a short run, and what a long one has more. Both lie between the same powers of two, so
/// that who keeps a list that doubles grows it as often in both; and beyond the backlog, where the
/// queue of ours has its length.
const FEW: u64 = 8_200;
const MORE: u64 = 8_100;
const LIMIT: usize = 10;
const THREADS: usize = 2;
const MILLION: u64 = 1_000_000;
const MILLIONS_LIMIT: usize = 8;

pub fn scenarios() -> Vec<Scenario> {
    let allocations = |name: &str| Scenario::new(format!("allocations/{name}"), Unit::Allocations);
    let bytes = |name: &str| Scenario::new(format!("memory/{name}"), Unit::Bytes);
    vec![
        entries!(allocations("threads"), in_threads(): Ours, Queue, RayonInPlace, Std, Crossbeam),
        entries!(allocations("tokio-kept"), kept(): Ours, JoinSetNext, VecOfHandles),
        entries!(allocations("tokio-discarded"), discarded(): Ours, Tracker),
        entries!(allocations("tokio-limit-10"), limited():
            Ours, BufferUnordered, JoinSetSemaphore, JoinSetLen),
        entries!(allocations("child-token"), children(): OurToken, TokioUtil),
        entries!(bytes("peak-of-million-limit-8"), peak():
            Ours, BufferUnordered, JoinSetSemaphore, JoinSetLen),
    ]
}

/// Of a long run less those of a short one: what is left is paid per task, not once.
fn per_task(name: &str, run: impl Fn(u64)) -> Sample {
    let count = |tasks| {
        let counted = || tally::assert_counts(name, tasks, || run(tasks));
        measure(counted).count_total
    };
    // What is kept for later by the thread, and by the runtime.
    count(FEW);
    let once = count(FEW);
    let more = count(FEW + MORE);
    Sample::count(MORE, more.saturating_sub(once) as f64)
}

/// On the thread that spawns, where ours runs tasks as well.
fn in_threads<T: Threads>() -> impl FnMut(u64) -> Sample {
    |_| per_task(T::NAME, |tasks| T::run(THREADS, tasks as usize, &tally::count))
}

fn kept<K: Keep>() -> impl FnMut(u64) -> Sample {
    |_| per_task(K::NAME, |tasks| in_this_thread(K::NAME, tasks, K::keep(tasks)))
}

fn discarded<D: Discard>() -> impl FnMut(u64) -> Sample {
    |_| per_task(D::NAME, |tasks| in_this_thread(D::NAME, tasks, D::discard(tasks)))
}

fn limited<L: Limit>() -> impl FnMut(u64) -> Sample {
    |_| per_task(L::NAME, |tasks| in_this_thread(L::NAME, tasks, L::limit::<Empty>(LIMIT, tasks)))
}

fn in_this_thread<F>(name: &str, tasks: u64, future: F)
where
    F: Future<Output = Sum> + Send + 'static,
{
    assert_sum(name, Place::CurrentThread.run(future), tasks);
}

fn children<T: Tree>() -> impl FnMut(u64) -> Sample {
    |_| {
        let token = T::new();
        drop(token.child());
        let born = || (0..MORE).for_each(|_| drop(black_box(token.child())));
        let allocations = measure(born).count_total;
        token.cancel();
        assert!(token.child().is_cancelled());
        Sample::count(MORE, allocations as f64)
    }
}

/// The most that lives on the heap at a time, the runtime included.
fn peak<L: Limit>() -> impl FnMut(u64) -> Sample {
    |_| {
        let run = || in_this_thread(L::NAME, MILLION, L::limit::<Empty>(MILLIONS_LIMIT, MILLION));
        let AllocationInfo { bytes_max, .. } =
            measure(|| tally::assert_counts(L::NAME, MILLION, run));
        Sample::count(1, bytes_max as f64)
    }
}
