//! A line of items with many who add and one who takes, as a pure state machine: places, who sleeps,
//! and how it ends. No threads, no locks.

use crate::error::Fault;
use std::collections::VecDeque;
use std::mem;

/// What becomes of an item for which there is no place in a [`buffer`](crate::Pipe::buffer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Overflow {
    /// It waits, and with it whatever is before the buffer. This is the default.
    Block,
    /// The item that has been in the buffer for the longest time is dropped.
    DropOldest,
    /// It is dropped itself.
    DropNewest,
    /// The pipeline ends with [`RunError::Overflowed`](crate::RunError::Overflowed), after what is in the
    /// buffer has come through.
    Fail,
}

/// `W` is what a sleeper is woken by.
#[derive(Debug)]
pub(crate) struct Lane<T, E, W> {
    items: VecDeque<T>,
    /// Places that nobody has reserved and no item has.
    free: usize,
    /// Who may still add.
    feeders: usize,
    /// What comes after the last item, if it is not an end.
    fault: Option<Fault<E>>,
    /// Nothing more is wanted.
    is_closed: bool,
    reader: Option<W>,
    sleepers: Vec<(usize, W)>,
}

/// What who asks for places is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Room {
    Places(usize),
    Full,
    Closed,
}

/// What there is for the reader.
#[derive(Debug)]
pub(crate) enum Got<E> {
    Items,
    NothingYet,
    Over,
    Fault(Fault<E>),
}

impl<T, E, W> Lane<T, E, W> {
    pub(crate) fn new(places: usize, feeders: usize) -> Self {
        Self {
            items: VecDeque::new(),
            free: places,
            feeders,
            fault: None,
            is_closed: false,
            reader: None,
            sleepers: Vec::new(),
        }
    }

    /// Places for `most` items at the most.
    pub(crate) fn reserve(&mut self, most: usize) -> Room {
        match most.min(self.free) {
            _ if self.is_closed => Room::Closed,
            0 => Room::Full,
            places => {
                self.free -= places;
                Room::Places(places)
            }
        }
    }

    /// Places that are not needed any more; whom to wake, outside of the lock, as with all that follows.
    #[must_use]
    pub(crate) fn vacate(&mut self, places: usize) -> Vec<W> {
        self.free = self.free.saturating_add(places);
        if places == 0 { Vec::new() } else { self.wake_feeders() }
    }

    /// Adds items, which have places. If nothing more is wanted they stay where they are.
    pub(crate) fn put(&mut self, items: &mut Vec<T>) -> Option<W> {
        if self.is_closed {
            return None;
        }
        self.items.extend(items.drain(..));
        if self.items.is_empty() { None } else { self.reader.take() }
    }

    /// Adds items without waiting for places. What is dropped for want of them is left in `items`;
    /// `Err` if there has to be an end, or nothing more is wanted.
    pub(crate) fn crowd(
        &mut self,
        items: &mut Vec<T>,
        overflow: Overflow,
    ) -> Result<Option<W>, Room> {
        if self.is_closed {
            return Err(Room::Closed);
        }
        let mut dropped = Vec::new();
        let mut coming = mem::take(items).into_iter();
        for item in coming.by_ref() {
            if self.free > 0 {
                self.free -= 1;
                self.items.push_back(item);
            } else if overflow == Overflow::DropOldest {
                dropped.extend(self.items.pop_front());
                self.items.push_back(item);
            } else {
                dropped.push(item);
                if overflow == Overflow::Fail {
                    break;
                }
            }
        }
        dropped.extend(coming);
        let failed = overflow == Overflow::Fail && !dropped.is_empty();
        *items = dropped;
        if failed { Err(Room::Full) } else { Ok(self.reader.take()) }
    }

    /// A feeder has nothing more. `fault` is said after the last item of all feeders, or, if it is `urgent`,
    /// after what is here, and then nothing more is wanted. Only what is said first is heard: the rest is
    /// handed back.
    pub(crate) fn leave(
        &mut self,
        fault: Option<Fault<E>>,
        urgent: bool,
    ) -> (Vec<W>, Option<Fault<E>>) {
        self.feeders -= 1;
        if fault.is_some() && urgent {
            self.is_closed = true;
        }
        let unheard =
            if self.fault.is_some() { fault } else { mem::replace(&mut self.fault, fault) };
        let woken = if self.is_over() { self.wake_all() } else { Vec::new() };
        (woken, unheard)
    }

    fn is_over(&self) -> bool {
        self.feeders == 0 || self.is_closed
    }

    /// Moves items to `hand`, at most so many.
    pub(crate) fn take(&mut self, most: usize, hand: &mut VecDeque<T>) -> Got<E> {
        let count = most.min(self.items.len());
        if count > 0 {
            hand.extend(self.items.drain(..count));
            return Got::Items;
        }
        if !self.is_over() {
            return Got::NothingYet;
        }
        self.fault.take().map_or(Got::Over, Got::Fault)
    }

    /// The reader goes: what is left, and who has to hear of it.
    pub(crate) fn close(&mut self) -> (VecDeque<T>, Vec<W>) {
        self.is_closed = true;
        (mem::take(&mut self.items), self.wake_feeders())
    }

    /// The reader goes to sleep; what it would have been woken by before is handed back.
    pub(crate) fn reader_sleeps(&mut self, waker: W) -> Option<W> {
        self.reader.replace(waker)
    }

    /// A feeder goes to sleep; what it would have been woken by before is handed back.
    pub(crate) fn feeder_sleeps(&mut self, feeder: usize, waker: W) -> Option<W> {
        match self.sleepers.iter_mut().find(|(sleeper, _)| *sleeper == feeder) {
            Some((_, old)) => Some(mem::replace(old, waker)),
            None => {
                self.sleepers.push((feeder, waker));
                None
            }
        }
    }

    /// Everybody who sleeps.
    pub(crate) fn wake_all(&mut self) -> Vec<W> {
        let mut woken = self.wake_feeders();
        woken.extend(self.reader.take());
        woken
    }

    fn wake_feeders(&mut self) -> Vec<W> {
        mem::take(&mut self.sleepers).into_iter().map(|(_, waker)| waker).collect()
    }
}
