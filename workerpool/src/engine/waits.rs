//! The waits: for a place, for rest, for the end, and of a worker for another's job.

use super::line::{After, Grant, Line};
use super::{Engine, Entry, Guard, Wait};
use crate::waiters::{Left, Progress, Ticket, Waiters};
use std::task::Waker;

impl<J: Entry> Engine<J> {
    /// The wait for a place. Once it is ready with [`Grant::Place`], one is reserved.
    pub(crate) fn poll_place(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Wait<Grant> {
        let ask = |line: &mut Line<J>, after: &mut After<J>| {
            if line.crew.is_closed() {
                return Some(Grant::Closed);
            }
            let room = line.has_room(after);
            if room {
                line.crew.reserve();
            }
            room.then_some(Grant::Place)
        };
        let queued = |line: &mut Line<J>, after: &mut After<J>| {
            line.recount(false);
            line.revoke();
            line.promise_places(&mut after.batch);
        };
        self.poll(ticket, waker, |line| &mut line.placers, ask, queued)
    }

    /// Ends a wait for a place. One that was promised in the meantime goes to the next.
    pub(crate) fn leave_place(&self, ticket: Ticket) {
        let mut line = self.line.lock();
        match line.placers.leave(ticket) {
            Left::Queued(waker) => {
                drop(line);
                drop(waker);
            }
            Left::Settled(Grant::Place) => self.unreserve_locked(line),
            Left::Settled(Grant::Closed) => {}
        }
    }

    /// Gives a place back that was reserved.
    pub(crate) fn unreserve(&self) {
        self.unreserve_locked(self.line.lock());
    }

    fn unreserve_locked(&self, mut line: Guard<'_, J>) {
        let mut after: After<J> = After::default();
        line.unreserve(&mut after.batch);
        line.promise_places(&mut after.batch);
        drop(line);
        after.finish();
    }

    /// The wait for the moment when nothing that was accepted waits or runs.
    pub(crate) fn poll_quiet(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Wait<()> {
        let ask = |line: &mut Line<J>, after: &mut After<J>| {
            line.sweep_voids(after);
            line.crew.is_quiet().then_some(())
        };
        self.poll(ticket, waker, |line| &mut line.quiet, ask, |_, _| {})
    }

    /// Ends a wait for quiet.
    pub(crate) fn leave_quiet(&self, ticket: Ticket) {
        let left = self.line.lock().quiet.leave(ticket);
        drop(left); // a waker perhaps, and the lock is left
    }

    /// The wait for the moment when the pool is closed and no worker is left.
    pub(crate) fn poll_ended(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Wait<()> {
        let ask = |line: &mut Line<J>, _: &mut After<J>| line.crew.is_over().then_some(());
        self.poll(ticket, waker, |line| &mut line.ended, ask, |_, _| {})
    }

    /// Ends a wait for the end.
    pub(crate) fn leave_ended(&self, ticket: Ticket) {
        let left = self.line.lock().ended.leave(ticket);
        drop(left); // likewise
    }

    /// One poll of a wait: ready if `ask` says so, or if somebody settled it since.
    fn poll<O: Copy>(
        &self,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
        queue: impl Fn(&mut Line<J>) -> &mut Waiters<(), O>,
        ask: impl Fn(&mut Line<J>, &mut After<J>) -> Option<O>,
        queued: impl Fn(&mut Line<J>, &mut After<J>),
    ) -> Wait<O> {
        let mut after: After<J> = After::default();
        // Cloned and dropped outside the lock, where it is of use inside.
        let mut spare: Option<Waker> = None;
        let found = loop {
            let mut line = self.line.lock();
            if let Some(held) = ticket.as_ref() {
                match queue(&mut line).progress(held, waker) {
                    Progress::Settled => match queue(&mut line).leave_settled(ticket) {
                        Some(outcome) => break Wait::Ready(outcome),
                        None => unreachable!("it is settled"),
                    },
                    Progress::Queued => break Wait::Queued,
                    Progress::StaleWaker => {
                        if let Some(fresh) = spare.take() {
                            let stale = queue(&mut line).replace_waker(held, fresh);
                            drop(line);
                            drop(stale);
                            break Wait::Queued;
                        }
                    }
                }
            } else if let Some(outcome) = ask(&mut line, &mut after) {
                break Wait::Ready(outcome);
            } else if let Some(waker) = spare.take() {
                *ticket = Some(queue(&mut line).push_back((), waker));
                queued(&mut line, &mut after);
                break Wait::Queued;
            }
            drop(line);
            spare = Some(waker.clone());
        };
        after.finish();
        found
    }

    /// A worker is about to park until a job of this pool ends that another runs; `false` when all
    /// others are parked so. Should they be so later, it is woken, and [`rises`](Self::rises).
    pub(crate) fn block(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> bool {
        let waker = waker.clone();
        let mut line = self.line.lock();
        let parks = line.crew.block();
        if parks {
            *ticket = Some(line.stuck.push_back((), waker));
        }
        parks
    }

    /// A worker that [`block`](Self::block) did not count was uncounted all the same.
    pub(crate) fn was_unblocked(&self) {
        self.line.lock().crew.was_unblocked();
    }

    /// What a worker was parked for has ended, or it waits no longer.
    pub(crate) fn unblock(&self) {
        let mut line = self.line.lock();
        line.crew.unblock();
        line.told_stuck = false;
    }

    /// A worker parks no longer; `true` if it was told that it would wait for ever.
    pub(crate) fn rises(&self, ticket: &mut Option<Ticket>) -> bool {
        let Some(held) = ticket.take() else { return false };
        let left = self.line.lock().stuck.leave(held);
        matches!(left, Left::Settled(()))
    }

    /// What a worker is parked for needs no worker any more. Where it was told already that it waits
    /// for ever, another is.
    pub(crate) fn stands_down(&self, ticket: &mut Option<Ticket>) {
        if self.rises(ticket) {
            let mut after: After<J> = After::default();
            let mut line = self.line.lock();
            line.told_stuck = false;
            line.tell_stuck(&mut after.batch);
            drop(line);
            after.finish();
        }
    }

    /// Whether a worker that is parked was told that it would wait for ever.
    pub(crate) fn is_told(&self, ticket: &Ticket) -> bool {
        matches!(self.line.lock().stuck.progress(ticket, Waker::noop()), Progress::Settled)
    }
}
