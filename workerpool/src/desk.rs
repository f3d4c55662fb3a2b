//! A pool, as whoever waits at it sees it: what its engine is, whatever its jobs are.

use crate::engine::{Engine, Entry, Grant, Wait};
#[cfg(feature = "sync")]
use crate::parker::{Step, drive};
use crate::primitives::Arc;
#[cfg(feature = "sync")]
use crate::primitives::Deadline;
use crate::waiters::Ticket;
use std::task::Waker;

/// What submitters and workers of a pool share.
pub(crate) trait Desk {
    /// What its queue holds.
    type Entry: Entry;

    fn engine(&self) -> &Engine<Self::Entry>;
}

/// A wait for a place, as the engine sees it.
pub(crate) struct PlaceWait<'p, D: Desk> {
    house: &'p Arc<D>,
    ticket: Option<Ticket>,
}

impl<'p, D: Desk> PlaceWait<'p, D> {
    pub(crate) const fn new(house: &'p Arc<D>) -> Self {
        Self { house, ticket: None }
    }

    pub(crate) fn poll(&mut self, waker: &Waker) -> Wait<Grant> {
        self.house.engine().poll_place(&mut self.ticket, waker)
    }

    /// Waits on this thread; `None` at the deadline.
    #[cfg(feature = "sync")]
    pub(crate) fn wait(&mut self, deadline: Option<&Deadline>) -> Option<Grant> {
        // No spin: whoever submits faster than workers work gains by coming back later, to more
        // than one place.
        drive(deadline, |waker| match self.poll(waker) {
            Wait::Ready(grant) => Step::Ready(grant),
            Wait::Queued => Step::Queued { spin: false },
        })
    }
}

impl<D: Desk> Drop for PlaceWait<'_, D> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            // CANCEL: a place that was promised goes to the next in line.
            self.house.engine().leave_place(ticket);
        }
    }
}
