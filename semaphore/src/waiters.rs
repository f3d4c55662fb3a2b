//! The FIFO queue of wakers: a slab of nodes that lives inside the lock.
//!
//! A wait holds a [`Ticket`], which is an index, and the queue holds the node. So there is no
//! self-reference to pin, no memory of the waiter's that anybody else touches after it was
//! served, and no `unsafe`. A node lives until its wait collects or cancels it, so an index
//! belongs to one wait at a time and needs no generation. The slab never shrinks: it has as many
//! nodes as there ever were waits at once, and steady state allocates nothing.
//!
//! Nothing here calls a waker. What is to be woken goes into a [`WakeBatch`], whose owner calls
//! [`WakeBatch::wake_all`] when it has left the lock.
#![allow(dead_code, reason = "not every crate that links it uses all of it")]

use std::any::Any;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// No node.
const NIL: usize = usize::MAX;

/// A place in the queue. Neither `Clone` nor `Copy`: one wait holds it, and gives it back.
#[derive(Debug)]
pub(crate) struct Ticket(NonZeroUsize);

impl Ticket {
    /// One more than the index: a wait without a ticket is no larger than one with.
    fn of(index: usize) -> Self {
        Self(NonZeroUsize::MIN.saturating_add(index))
    }

    fn index(&self) -> usize {
        self.0.get() - 1
    }

    /// The ticket as a number, never 0, for whoever has no room for more.
    pub(crate) fn into_number(self) -> NonZeroUsize {
        self.0
    }

    /// The ticket that [`into_number`](Self::into_number) made a number of.
    pub(crate) fn from_number(number: NonZeroUsize) -> Self {
        Self(number)
    }
}

/// Requests of type `R` in the order of their arrival, each to be settled with an `O`.
#[derive(Debug)]
pub(crate) struct Waiters<R, O> {
    nodes: Vec<Node<R, O>>,
    /// Heads a list, by `next`, of nodes that are free.
    free: usize,
    head: usize,
    tail: usize,
    queued: usize,
}

/// A cache line: neighbours are other threads' business.
#[derive(Debug)]
#[repr(align(64))]
struct Node<R, O> {
    slot: Slot<R, O>,
    prev: usize,
    next: usize,
}

#[derive(Debug)]
enum Slot<R, O> {
    Free,
    /// Linked between `head` and `tail`.
    Queued {
        request: R,
        waker: Waker,
    },
    /// Unlinked, and kept until its wait comes for the outcome.
    Settled(O),
}

/// What a wait finds when it looks after its ticket.
#[derive(Debug)]
pub(crate) enum Progress {
    Settled,
    /// Still queued, with a waker that wakes the same task.
    Queued,
    /// Still queued, with a waker that does not: the task moved.
    StaleWaker,
}

/// What a wait takes with it when it leaves.
#[derive(Debug)]
pub(crate) enum Left<O> {
    /// It was still in the queue; its waker is for the caller to drop, outside the lock.
    Queued(Waker),
    Settled(O),
}

impl<R, O> Waiters<R, O> {
    pub(crate) const fn new() -> Self {
        Self { nodes: Vec::new(), free: NIL, head: NIL, tail: NIL, queued: 0 }
    }

    /// The number of requests that are not settled.
    pub(crate) fn len(&self) -> usize {
        self.queued
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queued == 0
    }

    pub(crate) fn front(&self) -> Option<&R> {
        match &self.nodes.get(self.head)?.slot {
            Slot::Queued { request, .. } => Some(request),
            Slot::Free | Slot::Settled(_) => unreachable!("a linked node is queued"),
        }
    }

    /// Shows every request that is not settled, in order.
    pub(crate) fn for_each(&self, mut show: impl FnMut(&R)) {
        let mut index = self.head;
        while let Some(node) = self.nodes.get(index) {
            if let Slot::Queued { request, .. } = &node.slot {
                show(request);
            }
            index = node.next;
        }
    }

    pub(crate) fn push_back(&mut self, request: R, waker: Waker) -> Ticket {
        let node = Node { slot: Slot::Queued { request, waker }, prev: self.tail, next: NIL };
        let index = if self.free == NIL {
            self.nodes.push(node);
            self.nodes.len() - 1
        } else {
            let index = self.free;
            self.free = self.nodes[index].next;
            self.nodes[index] = node;
            index
        };
        match self.tail {
            NIL => self.head = index,
            tail => self.nodes[tail].next = index,
        }
        self.tail = index;
        self.queued += 1;
        Ticket::of(index)
    }

    /// Settles the request that came first and gives its waker, which is to be woken.
    pub(crate) fn settle_front(&mut self, outcome: O) -> Option<Waker> {
        if self.head == NIL { None } else { Some(self.settle(self.head, outcome)) }
    }

    /// Settles the request that came last: for those who take turns the other way round.
    pub(crate) fn settle_back(&mut self, outcome: O) -> Option<Waker> {
        if self.tail == NIL { None } else { Some(self.settle(self.tail, outcome)) }
    }

    /// Settles, in order, every request for which `judge` gives an outcome.
    pub(crate) fn settle_where(
        &mut self,
        batch: &mut WakeBatch,
        mut judge: impl FnMut(&R) -> Option<O>,
    ) {
        let mut index = self.head;
        while let Some(node) = self.nodes.get(index) {
            let next = node.next;
            if let Slot::Queued { request, .. } = &node.slot {
                if let Some(outcome) = judge(request) {
                    batch.push(self.settle(index, outcome));
                }
            }
            index = next;
        }
    }

    /// How it stands with a ticket, seen by a task that `waker` would wake.
    pub(crate) fn progress(&self, ticket: &Ticket, waker: &Waker) -> Progress {
        match &self.nodes[ticket.index()].slot {
            Slot::Settled(_) => Progress::Settled,
            Slot::Queued { waker: kept, .. } if kept.will_wake(waker) => Progress::Queued,
            Slot::Queued { .. } => Progress::StaleWaker,
            Slot::Free => unreachable!("a ticket's node is not free"),
        }
    }

    /// Puts another waker in the place of the one that is kept, and gives back the one that is
    /// no longer needed: the old one, or `waker` itself if the request is settled by now.
    pub(crate) fn replace_waker(&mut self, ticket: &Ticket, waker: Waker) -> Waker {
        match &mut self.nodes[ticket.index()].slot {
            Slot::Queued { waker: kept, .. } => std::mem::replace(kept, waker),
            Slot::Free | Slot::Settled(_) => waker,
        }
    }

    /// Takes the outcome, and the ticket with it, if the request is settled.
    pub(crate) fn leave_settled(&mut self, ticket: &mut Option<Ticket>) -> Option<O> {
        let held = ticket.take()?;
        if let Slot::Settled(_) = &self.nodes[held.index()].slot {
            if let Left::Settled(outcome) = self.leave(held) {
                return Some(outcome);
            }
            unreachable!("what is settled leaves with its outcome");
        }
        *ticket = Some(held);
        None
    }

    /// Ends a wait: its node is free afterwards.
    pub(crate) fn leave(&mut self, ticket: Ticket) -> Left<O> {
        let index = ticket.index();
        let left = match std::mem::replace(&mut self.nodes[index].slot, Slot::Free) {
            Slot::Queued { waker, .. } => {
                self.unlink(index);
                Left::Queued(waker)
            }
            Slot::Settled(outcome) => Left::Settled(outcome),
            Slot::Free => unreachable!("a ticket's node is not free"),
        };
        self.nodes[index].next = self.free;
        self.free = index;
        left
    }

    fn settle(&mut self, index: usize, outcome: O) -> Waker {
        self.unlink(index);
        match std::mem::replace(&mut self.nodes[index].slot, Slot::Settled(outcome)) {
            Slot::Queued { waker, .. } => waker,
            Slot::Free | Slot::Settled(_) => unreachable!("a linked node is queued"),
        }
    }

    fn unlink(&mut self, index: usize) {
        let Node { prev, next, .. } = self.nodes[index];
        match prev {
            NIL => self.head = next,
            prev => self.nodes[prev].next = next,
        }
        match next {
            NIL => self.tail = prev,
            next => self.nodes[next].prev = prev,
        }
        self.queued -= 1;
    }
}

/// Wakers that were taken out under the lock, to be called outside it.
///
/// The usual batch needs no allocation; one that outgrows its places does, which only operations
/// that end many waits in one step (`close`, a shrinking limit) let happen.
#[derive(Debug, Default)]
pub(crate) struct WakeBatch {
    /// Most batches wake one: the other places are not even written then.
    first: Option<Waker>,
    others: Option<[Option<Waker>; WakeBatch::OTHERS]>,
    used: usize,
    overflow: Vec<Waker>,
}

impl WakeBatch {
    const OTHERS: usize = 15;

    pub(crate) fn push(&mut self, waker: Waker) {
        let place = match self.used {
            0 => Some(&mut self.first),
            used => self.others.get_or_insert_default().get_mut(used - 1),
        };
        match place {
            Some(place) => {
                *place = Some(waker);
                self.used += 1;
            }
            None => self.overflow.push(waker),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.used == 0
    }

    /// Whether one more would have to allocate.
    pub(crate) fn is_full(&self) -> bool {
        self.used > Self::OTHERS
    }

    /// Calls every waker, in order, and leaves the batch empty. A waker that panics does not
    /// keep the others from being called: the first panic is kept in `panic` for later.
    pub(crate) fn wake_all(&mut self, panic: &mut WakePanic) {
        if let Some(waker) = self.first.take() {
            panic.guard(|| waker.wake());
        }
        if self.used > 1 {
            for waker in self.others.iter_mut().flatten().filter_map(Option::take) {
                panic.guard(|| waker.wake());
            }
            for waker in self.overflow.drain(..) {
                panic.guard(|| waker.wake());
            }
        }
        self.used = 0;
    }
}

/// The first panic of a waker, held back until all the others are called.
#[derive(Debug, Default)]
pub(crate) struct WakePanic(Option<Box<dyn Any + Send>>);

impl WakePanic {
    /// Calls a waker, or whatever else must not keep those after it from being called.
    pub(crate) fn guard(&mut self, wake: impl FnOnce()) {
        // What is called is consumed by it, so nobody can see it in a half-way state.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(wake)) {
            match self.0 {
                None => self.0 = Some(payload),
                // Only the first tells; dropping this one could panic in its turn.
                Some(_) => std::mem::forget(payload),
            }
        }
    }

    /// Lets the panic go on, unless this thread is unwinding already: two would abort it.
    pub(crate) fn resume(self) {
        if let Some(payload) = self.0 {
            if std::thread::panicking() {
                std::mem::forget(payload); // as in `guard`
            } else {
                resume_unwind(payload);
            }
        }
    }
}
