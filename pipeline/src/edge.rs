//! The way out of a parallel stage: how its workers and its one reader meet.

use crate::control::Control;
use crate::error::Fault;
use crate::feed::{Fed, Feed, Until};
use crate::parker::{Step, drive};
use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::primitives::{Arc, Deadline, Mutex};
use crate::ring::Ring;
use crate::state::{Call, Claim, Desk, Order, Taken, Ticket, Why, Window};
use crate::stats::Stats;
use std::ops::ControlFlow;
use std::task::Waker;
use std::{fmt, mem, vec};

/// What stands in a slot: the results of a chunk, and what comes after them if that is not the next.
pub(crate) struct Chunk<T, E> {
    items: Vec<T>,
    /// How many items of the source it stands for; none if it only says that this is the end.
    weight: usize,
    tail: Option<Tail<E>>,
}

/// What comes after the last item.
pub(crate) enum Tail<E> {
    Over,
    Fault(Fault<E>),
}

pub(crate) struct Edge<T, E> {
    desk: Mutex<Desk<Waker>>,
    ring: Ring<Chunk<T, E>>,
    order: Order,
    pub(crate) control: Arc<Control>,
    /// What the end says, until somebody knows its slot.
    closing: Mutex<Option<Tail<E>>>,
    /// Chunks from this slot on are not wanted.
    cutoff: AtomicU64,
    /// Workers that wait for something that is not ours, a gate or a pause.
    parked: Mutex<Vec<(usize, Waker)>>,
    pub(crate) stats: Arc<Stats>,
    window: Window,
}

/// What can be stopped from outside.
pub(crate) trait Cancel: Send + Sync {
    /// Wakes everybody who waits. The word says already that it is over.
    fn cancel(&self);
}

impl<T: Send, E: Send> Cancel for Edge<T, E> {
    fn cancel(&self) {
        self.close();
        self.ring.wake();
        let parked = mem::take(&mut *self.parked.lock());
        parked.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

fn wake(call: Call<Waker>) {
    match call {
        Call::Nobody => {}
        Call::One(waker) => waker.wake(),
        Call::All(wakers) => wakers.into_iter().for_each(|(_, waker)| waker.wake()),
    }
}

impl<T, E> Edge<T, E> {
    pub(crate) fn new(
        order: Order,
        window: Window,
        control: Arc<Control>,
        stats: Arc<Stats>,
    ) -> Self {
        Self {
            desk: Mutex::new(Desk::new(order, window)),
            // One more: the end takes a slot, and no room in the window.
            ring: Ring::new(window.chunks + 1),
            order,
            control,
            closing: Mutex::new(None),
            cutoff: AtomicU64::new(u64::MAX),
            parked: Mutex::new(Vec::new()),
            stats,
            window,
        }
    }

    /// Waits until this worker may take items from the source: how many. `None` at the end. `waits` is
    /// told once if it has to wait.
    pub(crate) fn claim(
        &self,
        worker: usize,
        most: usize,
        waits: impl FnOnce(Why),
    ) -> Option<usize> {
        let claim = self.desk.lock().claim(most);
        match claim {
            Claim::Granted { most } => return Some(most),
            Claim::Over => return None,
            Claim::Wait(why) => waits(why),
        }
        let mut asleep = false;
        drive(None, |waker| self.poll_claim(worker, most, &mut asleep, waker)).flatten()
    }

    fn poll_claim(
        &self,
        worker: usize,
        most: usize,
        asleep: &mut bool,
        waker: &Waker,
    ) -> Step<Option<usize>> {
        let mut spare = Some(waker.clone());
        let mut desk = self.desk.lock();
        let old = if *asleep { desk.arrive(worker) } else { None };
        let claim = desk.claim(most);
        *asleep = matches!(claim, Claim::Wait(_));
        if *asleep {
            if let Some(waker) = spare.take() {
                desk.sleep(worker, waker);
            }
        }
        drop(desk);
        drop((spare, old));
        match claim {
            Claim::Granted { most } => Step::Ready(Some(most)),
            Claim::Over => Step::Ready(None),
            Claim::Wait(_) => Step::Queued { spin: self.control.may_spin() },
        }
    }

    /// Gives the source back; `tail` if it has ended.
    pub(crate) fn put_back(&self, items: usize, tail: Option<Tail<E>>) -> Taken {
        let ended = tail.is_some();
        if ended {
            // Before the desk knows: whoever is done last takes it from here.
            *self.closing.lock() = tail;
        }
        let (taken, end, call) = self.desk.lock().put_back(items, ended);
        wake(call);
        self.say_the_end(end);
        taken
    }

    fn say_the_end(&self, slot: Option<u64>) {
        let Some(slot) = slot else { return };
        let tail = self.closing.lock().take();
        self.ring.put(slot, Chunk { items: Vec::new(), weight: 0, tail });
    }

    /// The results of a chunk.
    pub(crate) fn commit(&self, ticket: Ticket, items: Vec<T>, fault: Option<Fault<E>>) {
        let weight = ticket.items;
        let mut call = Call::Nobody;
        let (slot, end) = {
            let failed = fault.is_some();
            let mut desk = (failed || ticket.slot.is_none()).then(|| self.desk.lock());
            if let (true, Some(desk)) = (failed, &mut desk) {
                call = desk.close();
            }
            match (ticket.slot, desk) {
                (Some(slot), _) => (slot, None),
                (None, Some(mut desk)) => desk.place(),
                (None, None) => unreachable!("the desk is locked for a chunk without a slot"),
            }
        };
        if fault.is_some() {
            let cutoff = if self.order == Order::AsTaken { slot + 1 } else { 0 };
            // ORDERING: Relaxed: a hint to stop work that nobody will read.
            self.cutoff.fetch_min(cutoff, Ordering::Relaxed);
        }
        self.ring.put(slot, Chunk { items, weight, tail: fault.map(Tail::Fault) });
        wake(call);
        self.say_the_end(end);
    }

    /// Whether to stop in the middle of a chunk.
    #[inline]
    pub(crate) fn is_unwanted(&self, ticket: &Ticket) -> bool {
        // ORDERING: Relaxed: as at the writes; who misses it works for nothing.
        let cutoff = self.cutoff.load(Ordering::Relaxed);
        cutoff != u64::MAX && ticket.slot.is_none_or(|slot| slot >= cutoff)
            || self.control.is_cancelled()
    }

    /// Nothing new is to start.
    fn close(&self) {
        // ORDERING: Relaxed: a hint to stop work that nobody will read.
        self.cutoff.store(0, Ordering::Relaxed);
        let call = self.desk.lock().close();
        wake(call);
    }

    /// Has a worker wait for something that is not ours. `None` when the pipeline is cancelled.
    pub(crate) fn park<R>(
        &self,
        worker: usize,
        deadline: Option<&Deadline>,
        mut poll: impl FnMut(&Waker) -> Option<R>,
    ) -> Option<Option<R>> {
        let mut registered = false;
        let outcome = drive(deadline, |waker| {
            if !registered {
                let waker = waker.clone();
                self.parked.lock().push((worker, waker));
                registered = true;
            }
            // After the waker is there: who cancels sets the word, and takes the wakers then.
            if self.control.is_cancelled() {
                return Step::Ready(None);
            }
            match poll(waker) {
                Some(result) => Step::Ready(Some(result)),
                None => Step::Queued { spin: false },
            }
        });
        let own = {
            let mut parked = self.parked.lock();
            let at = parked.iter().position(|(parked, _)| *parked == worker);
            at.map(|at| parked.swap_remove(at))
        };
        drop(own);
        match outcome {
            Some(None) => None,
            Some(Some(result)) => Some(Some(result)),
            None => Some(None),
        }
    }

    /// Chunks and items under way.
    #[cfg(test)]
    pub(crate) fn under_way(&self) -> (u64, usize) {
        self.desk.lock().under_way()
    }
}

impl<T, E> fmt::Debug for Edge<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Edge").finish_non_exhaustive()
    }
}

/// The one reader of an edge. Dropping it stops the stage.
pub struct Reader<T, E> {
    edge: Arc<Edge<T, E>>,
    slot: u64,
    items: vec::IntoIter<T>,
    /// What the chunk at hand stands for, until it is used up.
    weight: usize,
    tail: Option<Tail<E>>,
    /// Used up and not yet said: a lock for many chunks.
    retired: (u64, usize),
}

impl<T, E> Reader<T, E> {
    pub(crate) fn new(edge: Arc<Edge<T, E>>) -> Self {
        Self {
            edge,
            slot: 0,
            items: Vec::new().into_iter(),
            weight: 0,
            tail: None,
            retired: (0, 0),
        }
    }

    /// The chunk at hand is used up.
    fn retire(&mut self) {
        let weight = mem::take(&mut self.weight);
        if weight > 0 {
            self.retired.0 += 1;
            self.retired.1 += weight;
        }
        let Window { alone, items, .. } = self.edge.window;
        if self.retired.0 * 4 >= alone || self.retired.1 * 4 >= items {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        let (chunks, items) = mem::take(&mut self.retired);
        if chunks > 0 {
            let call = self.edge.desk.lock().retire(chunks, items);
            wake(call);
        }
    }

    /// The next chunk, or `None` when `deadline` has passed.
    fn next_chunk(&mut self, deadline: Option<&Deadline>) -> Option<Result<(), Fault<E>>> {
        self.retire();
        if self.edge.control.is_cancelled() {
            return Some(Err(Fault::Cancelled));
        }
        let chunk = match self.edge.ring.take(self.slot) {
            Some(chunk) => chunk,
            None => match self.wait(deadline)? {
                Ok(chunk) => chunk,
                Err(fault) => return Some(Err(fault)),
            },
        };
        self.slot += 1;
        self.items = chunk.items.into_iter();
        self.weight = chunk.weight;
        self.tail = chunk.tail;
        Some(Ok(()))
    }

    fn wait(&mut self, deadline: Option<&Deadline>) -> Option<Result<Chunk<T, E>, Fault<E>>> {
        // Room for one worker more, which may be waiting for just that.
        self.give_back();
        let (edge, slot) = (&self.edge, self.slot);
        drive(deadline, |waker| match edge.ring.take_or_wait(slot, waker) {
            Some(chunk) => Step::Ready(Ok(chunk)),
            // After the waker is there: who cancels sets the word, and looks into the slots then.
            None if edge.control.is_cancelled() => Step::Ready(Err(Fault::Cancelled)),
            None => Step::Queued { spin: edge.control.may_spin() },
        })
    }

    /// As [`Feed::feed`], but `None` when it has pushed nothing and `deadline` has passed.
    pub(crate) fn feed_until(
        &mut self,
        deadline: Option<&Deadline>,
        most: usize,
        mut sink: impl FnMut(T) -> ControlFlow<()>,
    ) -> Option<Result<Fed, Fault<E>>> {
        let mut pushed = 0;
        loop {
            let Self { edge, items, .. } = self;
            let control = &*edge.control;
            while let Some(item) = items.next() {
                pushed += 1;
                if sink(item).is_break() || pushed == most {
                    return Some(Ok(Fed::More));
                }
                // LOOM: before the next chunk the word is looked at anyway, and most chunks are of one item.
                if items.len() > 0 && control.is_cancelled() {
                    return Some(Err(Fault::Cancelled));
                }
            }
            match self.tail.take() {
                None => {}
                Some(Tail::Over) => return Some(Ok(Fed::Over)),
                Some(Tail::Fault(fault)) => return Some(Err(fault)),
            }
            if pushed > 0 && most != crate::feed::ALL {
                return Some(Ok(Fed::More));
            }
            if let Err(fault) = self.next_chunk(deadline)? {
                return Some(Err(fault));
            }
        }
    }
}

impl<T, E> Feed for Reader<T, E> {
    type Item = T;
    type Error = E;

    fn feed(
        &mut self,
        until: Until<'_>,
        most: usize,
        sink: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<Fed, Fault<E>> {
        self.feed_until(until.0, most, sink).unwrap_or(Ok(Fed::More))
    }
}

impl<T, E> Drop for Reader<T, E> {
    fn drop(&mut self) {
        self.edge.close();
    }
}

impl<T, E> fmt::Debug for Reader<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").finish_non_exhaustive()
    }
}
