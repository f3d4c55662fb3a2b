//! The ring: results on their way to the one reader, each in the slot that its number says.
//!
//! A lock for each slot, and nothing else: whoever fills a slot wakes the reader only if it waits for
//! that very one.

use crate::primitives::Mutex;
use std::mem;
use std::task::Waker;

/// Apart from its neighbours, because different threads write them.
#[derive(Debug)]
#[repr(align(128))]
struct Padded<T>(T);

#[derive(Debug)]
pub(crate) struct Ring<C> {
    slots: Box<[Padded<Mutex<Slot<C>>>]>,
}

#[derive(Debug)]
enum Slot<C> {
    Empty,
    /// The reader waits here.
    Awaited(Waker),
    Full(C),
}

impl<C> Ring<C> {
    /// For numbers that are never `least` or more apart.
    pub(crate) fn new(least: u64) -> Self {
        let slots = least.next_power_of_two();
        Self { slots: (0..slots).map(|_| Padded(Mutex::new(Slot::Empty))).collect() }
    }

    fn slot(&self, number: u64) -> &Mutex<Slot<C>> {
        // A power of two, so that numbers may wrap around.
        &self.slots[number as usize & (self.slots.len() - 1)].0
    }

    /// Fills a slot, which is empty: the window is smaller than the ring.
    pub(crate) fn put(&self, number: u64, content: C) {
        let before = mem::replace(&mut *self.slot(number).lock(), Slot::Full(content));
        match before {
            Slot::Awaited(waker) => waker.wake(),
            Slot::Empty => {}
            Slot::Full(_) => debug_assert!(false, "slot {number} was full"),
        }
    }

    /// Empties a slot if it is full.
    pub(crate) fn take(&self, number: u64) -> Option<C> {
        take_from(&mut self.slot(number).lock())
    }

    /// Empties a slot if it is full; else `waker` is called as soon as it is.
    pub(crate) fn take_or_wait(&self, number: u64, waker: &Waker) -> Option<C> {
        // Cloned, and what it replaces dropped, outside of the lock.
        let waker = waker.clone();
        let mut slot = self.slot(number).lock();
        let content = take_from(&mut slot);
        let old = match content {
            Some(_) => mem::replace(&mut *slot, Slot::Empty),
            None => mem::replace(&mut *slot, Slot::Awaited(waker)),
        };
        drop(slot);
        drop(old);
        content
    }

    /// Wakes the reader, wherever it waits.
    pub(crate) fn wake(&self) {
        for slot in &self.slots {
            let waker = {
                let mut slot = slot.0.lock();
                match mem::replace(&mut *slot, Slot::Empty) {
                    Slot::Awaited(waker) => Some(waker),
                    other => {
                        *slot = other;
                        None
                    }
                }
            };
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

fn take_from<C>(slot: &mut Slot<C>) -> Option<C> {
    match mem::replace(slot, Slot::Empty) {
        Slot::Full(content) => Some(content),
        other => {
            *slot = other;
            None
        }
    }
}
