//! A buffer with a rule for what has no place in it.

use crate::error::{Fault, Overflowed};
use crate::feed::Feed;
use crate::lane::Overflow;
use crate::launch::Launch;
use crate::opts::Opts;
use crate::par::{BufferJob, Par};
use crate::primitives::Arc;
use crate::queue::{Queue, Taker, Unwanted, pump};
use crate::stage::Stage;
use crate::stats::Count;

/// A pipeline, and a buffer with a rule after it.
#[derive(Debug)]
pub struct Buffered<S> {
    inner: S,
    opts: Opts,
    overflow: Overflow,
}

/// As many items as are passed on together, if so many are there.
const TOGETHER: usize = 64;

impl<S> Buffered<S> {
    pub(crate) fn new(plain: Par<S, BufferJob>, overflow: Overflow) -> Self {
        let Par { inner, opts, .. } = plain;
        Self { inner, opts, overflow }
    }
}

impl<S: Stage<Running: Send, Item: Send, Error: Send>> Stage for Buffered<S> {
    type Item = S::Item;
    type Error = S::Error;
    type Running = Taker<S::Item, S::Error>;
    const TIMED: bool = true;

    fn start<'env>(self, launch: &mut Launch<'env>) -> Self::Running
    where
        Self: 'env,
    {
        let Self { inner, opts, overflow } = self;
        let name = opts.named("buffer");
        let capacity = match opts.plan(size_of::<S::Item>(), &name) {
            Ok(plan) => plan.window.items,
            Err(error) => {
                launch.refuse(error);
                1
            }
        };
        let source = inner.start(launch);
        let stats = launch.stats(name.clone(), 1);
        let queue = Arc::new(Queue::new(capacity, 1, Arc::clone(&launch.control), stats));
        launch.edge(Arc::clone(&queue) as _);
        let taker = match overflow {
            Overflow::Block => Taker::new(Arc::clone(&queue), capacity),
            _ => Taker::fresh(Arc::clone(&queue), capacity),
        };
        launch.job(name, 0, move || run(source, &queue, overflow, capacity));
        taker
    }

    fn bound(&self) -> usize {
        let capacity = self.opts.bound(size_of::<S::Item>());
        // What has just been taken from the source, and what the reader has just taken.
        let passing = capacity.min(TOGETHER).saturating_add(capacity);
        self.inner.bound().saturating_add(capacity).saturating_add(passing)
    }
}

/// What the buffer's thread does.
pub(crate) fn run<R: Feed>(
    source: R,
    queue: &Queue<R::Item, R::Error>,
    overflow: Overflow,
    capacity: usize,
) {
    let most = capacity.min(TOGETHER);
    let pass = |items: Vec<R::Item>, _| {
        if items.is_empty() {
            return Ok(());
        }
        queue.stats.add(Count::Taken, items.len() as u64);
        if overflow == Overflow::Block {
            return queue.add(0, items).map_err(|Unwanted| None);
        }
        queue.crowd(items, overflow).map_err(|over| {
            let stage = queue.stats.name.clone();
            over.map(|index| Fault::Overflowed(Overflowed { stage, index, capacity }))
        })
    };
    let fault = pump(source, || Ok(most), pass);
    queue.leave(fault, true);
}
