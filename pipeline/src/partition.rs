//! A stage whose workers have each their own keys, so that the order of each key is kept.
//!
//! One thread has the source, and gives each item to the worker whose key it has. A place in the line of
//! results is reserved for an item before it is taken from the source, so no worker ever waits for one, and
//! a key that takes long does not stop the others before the window is full.

use crate::crew::Plan;
use crate::error::Fault;
use crate::feed::Feed;
use crate::launch::{Launch, never};
use crate::opts::Opts;
use crate::primitives::Arc;
use crate::queue::{Queue, Taker, Unwanted, pump};
use crate::stage::Stage;
use crate::state::{Order, Window};
use crate::stats::{Count, Stats, Watch};
use std::convert::Infallible;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A pipeline, and a stage after it whose workers have each their own keys.
#[derive(Debug)]
pub struct Partition<S, K, C> {
    pub(crate) inner: S,
    pub(crate) opts: Opts,
    pub(crate) key: K,
    pub(crate) call: C,
}

/// Says which items belong together.
pub trait Key<T>: Send {
    fn hash(&mut self, hasher: &RandomState, item: &T) -> u64;
}

/// By what a function makes of the item.
#[derive(Clone, Copy, Debug)]
pub struct ByKey<Q>(pub(crate) Q);

impl<T, K: Hash, Q: FnMut(&T) -> K + Send> Key<T> for ByKey<Q> {
    #[inline]
    fn hash(&mut self, hasher: &RandomState, item: &T) -> u64 {
        hasher.hash_one((self.0)(item))
    }
}

/// What is done with an item.
pub trait Call<T>: Send + Sync {
    type Out: Send;

    fn call(&self, item: T) -> Self::Out;
}

/// A function.
#[derive(Clone, Copy, Debug)]
pub struct Plain<F>(pub(crate) F);

impl<T, U: Send, F: Fn(T) -> U + Send + Sync> Call<T> for Plain<F> {
    type Out = U;

    #[inline]
    fn call(&self, item: T) -> U {
        (self.0)(item)
    }
}

/// One worker's items.
type Lane<T> = Queue<T, Infallible>;

/// As many items as are taken from the source together, if so many are there.
const TOGETHER: usize = 256;

impl<S: Stage, K, C: Call<S::Item>> Partition<S, K, C> {
    /// What decides how large a chunk may be.
    const BYTES: usize = {
        let (taken, given) = (size_of::<S::Item>(), size_of::<C::Out>());
        if taken > given { taken } else { given }
    };
}

impl<S, K, C> Stage for Partition<S, K, C>
where
    S: Stage<Running: Send, Item: Send, Error: Send>,
    K: Key<S::Item>,
    C: Call<S::Item>,
{
    type Item = C::Out;
    type Error = S::Error;
    type Running = Taker<C::Out, S::Error>;
    const TIMED: bool = true;

    fn start<'env>(self, launch: &mut Launch<'env>) -> Self::Running
    where
        Self: 'env,
    {
        let Self { inner, opts, key, call } = self;
        let name = opts.named("par_partition_by");
        let plan = opts.plan(Self::BYTES, &name).unwrap_or_else(|error| {
            launch.refuse(error);
            let window = Window { chunks: 1, alone: 1, items: 1 };
            Plan { order: Order::AsDone, workers: 0, window, chunk: 1, is_fixed: true }
        });
        let (workers, places) = (plan.workers, plan.window.items);
        let source = inner.start(launch);
        let control = Arc::clone(&launch.control);
        let stats = launch.stats(name.clone(), workers);
        let out = Arc::new(Queue::new(places, workers + 1, Arc::clone(&control), stats));
        launch.edge(Arc::clone(&out) as _);
        let (call, mut lanes) = (Arc::new(call), Vec::with_capacity(workers));
        for worker in 0..workers {
            let stats = Arc::new(Stats::new(name.clone(), 1));
            let lane: Arc<Lane<S::Item>> =
                Arc::new(Queue::new(usize::MAX, 1, Arc::clone(&control), stats));
            launch.edge(Arc::clone(&lane) as _);
            let taker = Taker::new(Arc::clone(&lane), usize::MAX);
            lanes.push(lane);
            let (out, call, plan) = (Arc::clone(&out), Arc::clone(&call), plan.clone());
            launch.job(name.clone(), worker, move || serve(taker, &out, &plan, &*call));
        }
        let split = Arc::clone(&out);
        launch.job(name, workers, move || deal(source, key, &lanes, &split, places));
        Taker::new(out, places)
    }

    fn bound(&self) -> usize {
        self.inner.bound().saturating_add(self.opts.bound(Self::BYTES))
    }
}

/// Gives each item to the worker that has its key.
fn deal<R: Feed, U>(
    source: R,
    mut key: impl Key<R::Item>,
    lanes: &[Arc<Lane<R::Item>>],
    out: &Queue<U, R::Error>,
    places: usize,
) {
    let hasher = RandomState::new();
    let most = (places / 2).clamp(1, TOGETHER);
    let mut parts: Vec<Vec<R::Item>> = lanes.iter().map(|_| Vec::new()).collect();
    let pass = |items: Vec<R::Item>, room: usize| {
        out.vacate(room - items.len());
        out.stats.add(Count::Taken, items.len() as u64);
        // The key is the user's; what came before a panic comes through.
        let dealt = catch_unwind(AssertUnwindSafe(|| {
            for item in items {
                let hash = key.hash(&hasher, &item);
                parts[(hash % lanes.len() as u64) as usize].push(item);
            }
        }));
        for (lane, part) in lanes.iter().zip(&mut parts) {
            if !part.is_empty() {
                // Its worker has gone, and has said why.
                lane.put(mem::take(part)).map_err(|Unwanted| None)?;
            }
        }
        dealt.map_err(|payload| Some(Fault::Panicked(payload)))
    };
    let fault = pump(source, || out.reserve(lanes.len(), most), pass);
    for lane in lanes {
        lane.leave(None, false);
    }
    // It is said when all workers have done what they were given.
    out.leave(fault, false);
}

/// What a worker does.
fn serve<T, C: Call<T>, E>(
    taker: Taker<T, Infallible>,
    out: &Queue<C::Out, E>,
    plan: &Plan,
    call: &C,
) {
    let (watch, mut now) = (Watch::start(), 0);
    let size = std::cell::Cell::new(plan.first_size());
    let pass = |items: Vec<T>, most: usize| {
        let (begun, count) = (watch.nanos(), items.len());
        out.stats.add(Count::StarvedNanos, begun - mem::replace(&mut now, begun));
        let mut made = Vec::with_capacity(count);
        let mut items = items.into_iter();
        let worked = catch_unwind(AssertUnwindSafe(|| {
            while !out.is_unwanted() {
                let Some(item) = items.next() else { break };
                made.push(call.call(item));
            }
        }));
        out.stats.add(Count::Dropped, items.len() as u64);
        // What came before a panic comes through.
        let put = out.put(made);
        now = watch.nanos();
        out.stats.add(Count::BusyNanos, now - begun);
        size.set(plan.better(most, count, now - begun));
        worked.map_err(|payload| Some(Fault::Panicked(payload)))?;
        put.map_err(|Unwanted| None)
    };
    let fault = pump(taker, || Ok(size.get()), pass);
    out.leave(fault.map(|fault| fault.map(never)), true);
}
