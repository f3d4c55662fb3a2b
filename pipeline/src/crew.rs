//! The workers of a stage, and what one of them does over and over: claim, take, work, commit.

use crate::control::Control;
use crate::edge::{Edge, Reader, Tail};
use crate::error::Fault;
use crate::feed::{Fed, Feed, Until};
use crate::primitives::atomic::{AtomicUsize, Ordering};
use crate::primitives::{Arc, Mutex};
use crate::state::{Order, Taken, Ticket, Why, Window};
use crate::stats::{Count, Stats, Watch};
use std::mem;
use std::ops::ControlFlow::{Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a worker does with the items of one chunk.
pub(crate) trait Work<T, U, E> {
    /// Pushes the results to `out`, and stops at the first fault.
    fn work(
        &mut self,
        edge: &Edge<U, E>,
        ticket: &Ticket,
        items: Vec<T>,
        out: &mut Vec<U>,
    ) -> Result<(), Fault<E>>;
}

/// How a stage is run, checked.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) order: Order,
    pub(crate) workers: usize,
    pub(crate) window: Window,
    /// The largest chunk, and whether each is to be so large.
    pub(crate) chunk: usize,
    pub(crate) is_fixed: bool,
}

impl Plan {
    /// How many items make a chunk at first.
    pub(crate) fn first_size(&self) -> usize {
        if self.is_fixed { self.chunk } else { 1 }
    }

    /// Larger chunks while one takes no longer than a wake-up across cores does, smaller ones if it
    /// takes so long that others may have nothing to do meanwhile. Each chunk wakes the reader, which
    /// takes some five microseconds from the workers where they have all the cores.
    pub(crate) fn better(&self, size: usize, count: usize, nanos: u64) -> usize {
        const SHORT: u64 = 50_000;
        const LONG: u64 = 200_000;
        if self.is_fixed {
            size
        } else if count == size && nanos < SHORT {
            (size * 2).min(self.chunk)
        } else if nanos > LONG {
            (size / 2).max(1)
        } else {
            size
        }
    }
}

/// What the workers of a stage share.
pub(crate) struct Crew<R: Feed, U> {
    pub(crate) edge: Arc<Edge<U, R::Error>>,
    /// The source, while nobody takes from it. The desk says who may.
    seat: Mutex<Option<R>>,
    /// How many items make a chunk now.
    size: AtomicUsize,
    plan: Plan,
}

impl<R: Feed, U> Crew<R, U> {
    pub(crate) fn new(source: R, plan: Plan, control: Arc<Control>, stats: Arc<Stats>) -> Self {
        let size = plan.first_size();
        Self {
            edge: Arc::new(Edge::new(plan.order, plan.window, control, stats)),
            seat: Mutex::new(Some(source)),
            size: AtomicUsize::new(size),
            plan,
        }
    }

    pub(crate) fn reader(&self) -> Reader<U, R::Error> {
        Reader::new(Arc::clone(&self.edge))
    }

    /// Works until there is nothing more to do.
    pub(crate) fn serve(&self, worker: usize, work: &mut impl Work<R::Item, U, R::Error>) {
        let watch = Watch::start();
        let mut now = 0;
        while self.round(worker, work, &watch, &mut now) {}
    }

    /// One chunk; `false` at the end. `now` is when the one before was done: reading the clock takes as
    /// long as some ten fast items.
    fn round(
        &self,
        worker: usize,
        work: &mut impl Work<R::Item, U, R::Error>,
        watch: &Watch,
        now: &mut u64,
    ) -> bool {
        let stats = &self.edge.stats;
        let mut waits = None;
        // ORDERING: Relaxed: a number, which publishes nothing.
        let size = self.size.load(Ordering::Relaxed);
        let Some(most) = self.edge.claim(worker, size, |why| waits = Some(why)) else {
            return false;
        };
        if let Some(why) = waits {
            let claimed = watch.nanos();
            let count = match why {
                Why::Window => Count::BlockedNanos,
                Why::Source => Count::StarvedNanos,
            };
            stats.add(count, claimed - *now);
            *now = claimed;
        }
        let claimed = *now;
        let mut items = Vec::with_capacity(most);
        let tail = self.take(most, &mut items);
        *now = watch.nanos();
        stats.add(Count::StarvedNanos, *now - claimed);
        let count = items.len();
        match self.edge.put_back(count, tail) {
            Taken::Nothing => return true,
            Taken::Unwanted => {
                stats.add(Count::Dropped, count as u64);
                return true;
            }
            Taken::Chunk(ticket) => {
                stats.add(Count::Taken, count as u64);
                self.work(ticket, items, work);
            }
        }
        let pulled = mem::replace(now, watch.nanos());
        stats.add(Count::BusyNanos, *now - pulled);
        self.adapt(size, count, *now - claimed);
        true
    }

    /// Takes items from the source, which this worker has claimed, and says why there are no more.
    fn take(&self, most: usize, items: &mut Vec<R::Item>) -> Option<Tail<R::Error>> {
        let source = self.seat.lock().take();
        let mut source = source?;
        let pulled = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let fed = source.feed(Until::NEVER, most, |item| {
                    items.push(item);
                    if items.len() == most { Break(()) } else { Continue(()) }
                });
                if !items.is_empty() || !matches!(fed, Ok(Fed::More)) {
                    return fed;
                }
            }
        }));
        let fault = match pulled {
            Ok(Ok(Fed::More)) => {
                // INVARIANT: it is back before the desk says so.
                *self.seat.lock() = Some(source);
                return None;
            }
            Ok(Ok(Fed::Over)) => None,
            Ok(Err(fault)) => Some(fault),
            Err(payload) => Some(Fault::Panicked(payload)),
        };
        // It is the user's, and may panic when it is dropped.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(source))).err().map(Fault::Panicked);
        Some(fault.or(dropped).map_or(Tail::Over, Tail::Fault))
    }

    fn work(
        &self,
        ticket: Ticket,
        items: Vec<R::Item>,
        work: &mut impl Work<R::Item, U, R::Error>,
    ) {
        let mut out = Vec::new();
        let worked =
            catch_unwind(AssertUnwindSafe(|| work.work(&self.edge, &ticket, items, &mut out)));
        let fault = match worked {
            Ok(Ok(())) => None,
            Ok(Err(fault)) => Some(fault),
            Err(payload) => Some(Fault::Panicked(payload)),
        };
        self.edge.stats.add(Count::Given, out.len() as u64);
        // INVARIANT: whatever happened, the chunk's slot is filled: a hole would stop the reader for ever.
        self.edge.commit(ticket, out, fault);
    }

    fn adapt(&self, size: usize, count: usize, nanos: u64) {
        let better = self.plan.better(size, count, nanos);
        if better != size {
            // ORDERING: Relaxed: a number, which publishes nothing.
            self.size.store(better, Ordering::Relaxed);
        }
    }
}
