//! The desk of a parallel stage, as a pure state machine: who may take from the source, how much is
//! under way, which slot a result goes to, and who has to be called. No threads, no clock, no locks.
//!
//! A worker *claims* the source, takes up to so many items out of it, and *puts it back*. What it took
//! is a chunk. The reader on the other side *retires* chunks that it has used up. The source belongs to
//! one worker at a time without a lock being held, so that what it runs may take as long as it likes.

use std::mem;

/// In which order results leave a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// That of the items: a chunk gets its slot when it is taken from the source.
    AsTaken,
    /// As they come: a chunk gets its slot when it is done.
    AsDone,
}

/// How much may be under way: taken from the source and not yet used up by the reader.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    pub(crate) chunks: u64,
    /// Chunks while each is of one item only, because items are slow or large: no more than `chunks`.
    pub(crate) alone: u64,
    pub(crate) items: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seat {
    Free,
    Taken,
    /// The source has ended, or nobody wants more of it.
    Gone,
}

/// The numbers of one stage; `W` is what a sleeping worker is woken by.
#[derive(Debug)]
pub(crate) struct Desk<W> {
    order: Order,
    window: Window,
    seat: Seat,
    /// Nothing new is to start, and what is taken meanwhile is not wanted.
    closed: bool,
    /// Chunks and items under way. A claim counts in full until the source is put back.
    chunks: u64,
    items: usize,
    claimed: usize,
    /// How many items the last one asked for.
    asked: usize,
    /// Items that were ever taken: the number of the next one.
    index: u64,
    /// Chunks that have no slot yet.
    running: usize,
    /// The next slot.
    slot: u64,
    sleepers: Vec<(usize, W)>,
    /// Workers that were woken and have not come yet.
    called: usize,
}

/// What a worker that asks for the source is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It has the source, and may take so many items.
    Granted {
        most: usize,
    },
    Wait(Why),
    /// There will be nothing more.
    Over,
}

/// Why a worker waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Another one has the source.
    Source,
    /// The window is full.
    Window,
}

/// Whom to wake, outside of the lock.
#[derive(Debug)]
#[must_use = "who is not woken sleeps for ever"]
pub(crate) enum Call<W> {
    Nobody,
    One(W),
    All(Vec<(usize, W)>),
}

/// What becomes of a chunk that was taken.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    /// There was no item.
    Nothing,
    /// It is not wanted any more.
    Unwanted,
    Chunk(Ticket),
}

/// A chunk's place: among the items, and in the ring if that is known already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) slot: Option<u64>,
    pub(crate) first: u64,
    pub(crate) items: usize,
}

impl<W> Desk<W> {
    pub(crate) fn new(order: Order, window: Window) -> Self {
        Self {
            order,
            window,
            seat: Seat::Free,
            closed: false,
            chunks: 0,
            items: 0,
            claimed: 0,
            asked: 1,
            index: 0,
            running: 0,
            slot: 0,
            sleepers: Vec::new(),
            called: 0,
        }
    }

    /// Asks for the source, and for room for `most` items at the most.
    pub(crate) fn claim(&mut self, most: usize) -> Claim {
        self.asked = most;
        match self.seat {
            Seat::Gone => Claim::Over,
            Seat::Taken => Claim::Wait(Why::Source),
            Seat::Free if !self.has_room() => Claim::Wait(Why::Window),
            Seat::Free => {
                let most = most.clamp(1, self.window.items - self.items);
                self.seat = Seat::Taken;
                self.chunks += 1;
                self.items += most;
                self.claimed = most;
                Claim::Granted { most }
            }
        }
    }

    /// The worker that claimed it gives the source back with `items` taken from it; `ended` if there is
    /// no more. The third result is the slot of the end, if it is known now.
    pub(crate) fn put_back(&mut self, items: usize, ended: bool) -> (Taken, Option<u64>, Call<W>) {
        debug_assert!(self.seat == Seat::Taken && items <= self.claimed, "a claim comes first");
        self.items -= mem::take(&mut self.claimed) - items;
        if self.closed {
            self.items -= items;
            self.chunks -= 1;
            self.seat = Seat::Gone;
            return (Taken::Unwanted, None, self.call_all());
        }
        let taken = if items == 0 { self.nothing() } else { Taken::Chunk(self.ticket(items)) };
        if !ended {
            self.seat = Seat::Free;
            return (taken, None, self.call_one());
        }
        self.seat = Seat::Gone;
        // INVARIANT: the ring has a slot to spare for the end, which takes no part in the window.
        let end = (self.order == Order::AsTaken || self.running == 0).then(|| self.next_slot());
        (taken, end, self.call_all())
    }

    fn nothing(&mut self) -> Taken {
        self.chunks -= 1;
        Taken::Nothing
    }

    fn ticket(&mut self, items: usize) -> Ticket {
        let first = self.index;
        self.index += items as u64;
        let slot = match self.order {
            Order::AsTaken => Some(self.next_slot()),
            Order::AsDone => {
                self.running += 1;
                None
            }
        };
        Ticket { slot, first, items }
    }

    fn next_slot(&mut self) -> u64 {
        self.slot += 1;
        self.slot - 1
    }

    /// A chunk without a slot is done: its slot, and that of the end if this was the last.
    pub(crate) fn place(&mut self) -> (u64, Option<u64>) {
        self.running -= 1;
        let own = self.next_slot();
        let is_last = self.seat == Seat::Gone && !self.closed && self.running == 0;
        (own, is_last.then(|| self.next_slot()))
    }

    /// The reader has used up so many.
    pub(crate) fn retire(&mut self, chunks: u64, items: usize) -> Call<W> {
        self.chunks -= chunks;
        self.items -= items;
        self.call_one()
    }

    /// Nothing new is to start: a failure, or nobody reads any more.
    pub(crate) fn close(&mut self) -> Call<W> {
        self.closed = true;
        if self.seat == Seat::Free {
            self.seat = Seat::Gone;
        }
        self.call_all()
    }

    /// A worker goes to sleep until it is called.
    pub(crate) fn sleep(&mut self, worker: usize, waker: W) {
        self.sleepers.push((worker, waker));
    }

    /// A worker that slept is back, called or not. What it would have been woken by is handed back.
    pub(crate) fn arrive(&mut self, worker: usize) -> Option<W> {
        match self.sleepers.iter().position(|(sleeper, _)| *sleeper == worker) {
            Some(at) => Some(self.sleepers.remove(at).1),
            None => {
                self.called = self.called.saturating_sub(1);
                None
            }
        }
    }

    fn has_room(&self) -> bool {
        let chunks = if self.asked > 1 { self.window.chunks } else { self.window.alone };
        self.chunks < chunks && self.items < self.window.items
    }

    /// One is enough, and none if one is on the way: it calls the next when it puts the source back.
    fn call_one(&mut self) -> Call<W> {
        if self.seat != Seat::Free || !self.has_room() || self.called > 0 {
            return Call::Nobody;
        }
        match self.sleepers.pop() {
            Some((_, waker)) => {
                self.called += 1;
                Call::One(waker)
            }
            None => Call::Nobody,
        }
    }

    fn call_all(&mut self) -> Call<W> {
        self.called += self.sleepers.len();
        Call::All(mem::take(&mut self.sleepers))
    }

    /// Chunks and items under way.
    #[cfg(test)]
    pub(crate) fn under_way(&self) -> (u64, usize) {
        (self.chunks, self.items)
    }
}
