//! How submitters and workers meet: every step of the pool that needs its lock.
//!
//! A submitter pushes into one queue. A worker takes its share of it at once into a *deck* of its
//! own, whose lock nobody else wants, so that most jobs cost one lock that is free. Others who find
//! the queue empty take half of a deck: nothing that was accepted is stuck behind a job that
//! blocks. The engine knows nothing of results, panics, threads or tasks: a worker is whoever calls
//! [`Engine::next`].
//!
//! Locks are taken in one order: the line, then a deck.

mod deck;
mod line;
mod strands;

pub(crate) use deck::{Outcome, Seat};
pub(crate) use line::Grant;
use line::{After, Line};
pub(crate) use strands::StrandId;

use crate::error::drop_payload;
use crate::metrics::Metrics;
use crate::primitives::{Arc, Mutex, MutexGuard};
use crate::state::{Crew, Summon};
use crate::waiters::{Left, Progress, Ticket, Waiters, WakePanic};
use std::task::Waker;

/// What a queue holds.
pub(crate) trait Entry {
    /// Whether nobody needs it any more, because it was aborted or run elsewhere.
    fn is_void(&self) -> bool;
}

/// An entry, and where it belongs.
#[derive(Debug)]
pub(crate) struct Item<J> {
    pub(crate) entry: J,
    pub(crate) lane: u16,
    pub(crate) strand: Option<StrandId>,
}

/// What a worker finds.
#[derive(Debug)]
pub(crate) enum Next<J> {
    Job(Item<J>),
    /// Nothing: its waker is called when there is more.
    Asleep,
    /// Nothing, and it is not needed any more: it ends.
    Leave,
}

/// What became of a job that was pushed.
#[derive(Debug)]
pub(crate) enum Push {
    Accepted(Option<Start>),
    /// There is no room, or others wait for it.
    Full,
    Closed,
    /// There is no worker, and no thread that the system has granted.
    NoWorker,
}

/// A worker has to be started; [`Engine::confirm`] or [`Engine::start_failed`] says what came of it.
#[derive(Debug)]
#[must_use]
pub(crate) struct Start(());

/// What a wait finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait<O> {
    Ready(O),
    Queued,
}

/// A job that a worker has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    pub(crate) strand: Option<StrandId>,
}

/// The line stands on cache lines of its own: what every submitter and worker writes.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Engine<J> {
    line: Mutex<Line<J>>,
}

type Guard<'a, J> = MutexGuard<'a, Line<J>>;

impl<J: Entry> Engine<J> {
    pub(crate) fn new(crew: Crew, lanes: usize) -> Self {
        Self { line: Mutex::new(Line::new(crew, lanes)) }
    }

    /// Accepts a job if there is room for it. `make` is called under the lock then, and not
    /// otherwise: it only moves what was made before.
    #[inline]
    pub(crate) fn push(&self, make: impl FnOnce() -> Item<J>) -> Push {
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        let refused = if line.crew.is_closed() {
            Push::Closed
        } else if !line.has_room(&mut after) {
            Push::Full
        } else if !line.crew.has_worker() {
            Push::NoWorker
        } else {
            line.enqueue(make());
            return Push::Accepted(self.leave(line, after));
        };
        drop(line);
        after.finish();
        refused
    }

    /// Accepts as many as there is room for, and says how many. `items` only clones what was made
    /// before.
    pub(crate) fn push_batch(&self, mut items: impl Iterator<Item = Item<J>>) -> (Push, usize) {
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        let refused = if line.crew.is_closed() {
            Push::Closed
        } else if !line.has_room(&mut after) {
            Push::Full
        } else if !line.crew.has_worker() {
            Push::NoWorker
        } else {
            let mut count = 0;
            while line.has_room(&mut after) {
                let Some(item) = items.next() else { break };
                line.enqueue(item);
                count += 1;
            }
            return (Push::Accepted(self.leave(line, after)), count);
        };
        drop(line);
        after.finish();
        (refused, 0)
    }

    /// Accepts a job for which a place is reserved. The place is gone afterwards, but for
    /// [`Push::NoWorker`].
    pub(crate) fn push_reserved(&self, make: impl FnOnce() -> Item<J>) -> Push {
        let mut line = self.line.lock();
        if !line.crew.is_closed() && !line.crew.has_worker() {
            return Push::NoWorker;
        }
        line.crew.unreserve();
        if line.crew.is_closed() {
            return Push::Closed;
        }
        line.enqueue(make());
        Push::Accepted(self.leave(line, After::default()))
    }

    /// Accepts a job in the place of the one that has waited longest where it matters least, which
    /// is given back.
    pub(crate) fn push_evicting(&self, make: impl FnOnce() -> Item<J>) -> (Push, Option<Item<J>>) {
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        if line.crew.is_closed() {
            return (Push::Closed, None);
        }
        if !line.crew.has_worker() {
            return (Push::NoWorker, None);
        }
        let mut evicted = None;
        if !line.has_room(&mut after) {
            evicted = line.lanes.evict();
            let Some(job) = &evicted else {
                drop(line);
                after.finish();
                return (Push::Full, None);
            };
            if let Some(strand) = job.strand {
                line.strands.withdraw(strand);
            }
            line.crew.pop(1);
            line.rejected += 1;
        }
        line.enqueue(make());
        (Push::Accepted(self.leave(line, after)), evicted)
    }

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
        line.crew.unreserve();
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

    /// A worker that was started takes its seat.
    pub(crate) fn arrive(&self) -> Arc<Seat<J>> {
        let seat = Arc::new(Seat::new());
        self.line.lock().seats.push(Arc::clone(&seat));
        seat
    }

    /// The next job of the worker's own deck, now that `done` is over.
    #[inline]
    pub(crate) fn next_own(&self, seat: &Seat<J>, done: &mut Option<Done>) -> Option<Item<J>> {
        match done {
            // Its end concerns others.
            Some(Done { strand: Some(_), .. }) | None => None,
            Some(Done { outcome, strand: None }) => {
                let outcome = *outcome;
                *done = None;
                seat.next(outcome)
            }
        }
    }

    /// The next job, of the deck, the queue or another's deck; without one the worker falls asleep.
    pub(crate) fn next(
        &self,
        seat: &Arc<Seat<J>>,
        done: &mut Option<Done>,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
    ) -> (Next<J>, Option<Start>) {
        let mut after: After<J> = After::default();
        let mut spare: Option<Waker> = None;
        loop {
            let mut line = self.line.lock();
            if let Some(held) = ticket.as_ref() {
                match line.sleepers.progress(held, waker) {
                    Progress::Settled => {
                        line.sleepers.leave_settled(ticket);
                        line.crew.arrive();
                    }
                    Progress::Queued => return (Next::Asleep, None),
                    Progress::StaleWaker => {
                        let stale = spare.take().map(|it| line.sleepers.replace_waker(held, it));
                        drop(line);
                        if stale.is_some() {
                            return (Next::Asleep, None);
                        }
                        spare = Some(waker.clone());
                        continue;
                    }
                }
            }
            if let Some(done) = done.take() {
                seat.deck.lock().counts.note(done.outcome);
                if let Some(strand) = done.strand {
                    line.end_in_strand(strand);
                }
            }
            let job = if line.crew.is_surplus() { None } else { line.take(seat, &mut after) };
            let next = if let Some(job) = job {
                Next::Job(job)
            } else if line.crew.is_surplus() || line.crew.is_drained() {
                line.vacate(seat);
                line.crew.leave();
                Next::Leave
            } else if let Some(waker) = spare.take() {
                line.crew.sleep();
                *ticket = Some(line.sleepers.push_back((), waker));
                Next::Asleep
            } else {
                drop(line);
                spare = Some(waker.clone());
                continue;
            };
            line.promise_places(&mut after.batch);
            line.tell(&mut after.batch);
            if !matches!(next, Next::Job(_)) {
                line.tell_stuck(&mut after.batch);
            }
            return (next, self.leave(line, after));
        }
    }

    /// A worker has been idle for as long as it may: `true` if it is to go, and is not counted any
    /// more; else it looks for a job again.
    pub(crate) fn expire(&self, seat: &Arc<Seat<J>>, ticket: Ticket) -> bool {
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        let goes = match line.sleepers.leave(ticket) {
            Left::Settled(()) => {
                line.crew.arrive();
                false
            }
            Left::Queued(waker) => {
                after.stale = Some(waker);
                line.crew.rise();
                // INVARIANT: whoever is to come to it may be refused by the system.
                line.crew.may_expire() && !line.has_work()
            }
        };
        if goes {
            line.vacate(seat);
            line.crew.leave();
            line.tell(&mut after.batch);
            line.tell_stuck(&mut after.batch);
        }
        drop(line);
        after.finish();
        goes
    }

    /// Whether a worker is to be started, up to the least number of them.
    pub(crate) fn hire(&self) -> Option<Start> {
        self.line.lock().crew.hire().then_some(Start(()))
    }

    /// Whether a worker may be started, where there is none.
    pub(crate) fn hire_first(&self) -> Option<Start> {
        self.line.lock().crew.hire_first().then_some(Start(()))
    }

    /// The worker exists.
    pub(crate) fn confirm(&self, start: Start) {
        let Start(()) = start;
        self.line.lock().crew.confirm();
    }

    /// The worker does not exist. Somebody else comes to what it was called for.
    pub(crate) fn start_failed(&self, start: Start) {
        let Start(()) = start;
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        line.crew.start_failed();
        line.tell(&mut after.batch);
        // Not another start, which would fail likewise.
        let start = if line.crew.idle() > 0 { self.leave(line, after) } else { None };
        debug_assert!(start.is_none(), "an idle worker is called before one is started");
    }

    /// A job that waits has become void. Its place is free when its turn comes, or when somebody
    /// needs it. With an outcome it was run elsewhere.
    pub(crate) fn withdraw(&self, ran: Option<Outcome>) {
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        if let Some(outcome) = ran {
            line.retired.note(outcome);
            line.ran_elsewhere += 1;
        }
        line.voids += 1;
        let many = line.voids > 32 && line.voids > line.crew.queued() / 2;
        if many || !line.placers.is_empty() || !line.quiet.is_empty() || line.crew.is_closed() {
            line.sweep_voids(&mut after);
            line.promise_places(&mut after.batch);
            line.tell(&mut after.batch);
        }
        drop(line);
        after.finish();
    }

    /// Takes out what nobody has started and `leaves` says.
    pub(crate) fn sweep(&self, leaves: impl Fn(&J) -> bool) -> Vec<Item<J>> {
        let mut after: After<J> = After::default();
        let mut out = Vec::new();
        let mut line = self.line.lock();
        line.sweep_voids(&mut after);
        line.sweep(|item| leaves(&item.entry), &mut out);
        line.promise_places(&mut after.batch);
        line.tell(&mut after.batch);
        drop(line);
        after.finish();
        out
    }

    /// Takes no more jobs; with `now`, gives back those that wait.
    pub(crate) fn close(&self, now: bool) -> (Vec<Item<J>>, Option<Start>) {
        let mut after: After<J> = After::default();
        let mut out = Vec::new();
        let mut line = self.line.lock();
        line.crew.close();
        line.sweep_voids(&mut after);
        if now {
            line.sweep(|_| true, &mut out);
        }
        line.promise_places(&mut after.batch);
        line.tell(&mut after.batch);
        (out, self.leave(line, after))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.line.lock().crew.is_closed()
    }

    /// `false` if the pool is closed.
    pub(crate) fn pause(&self) -> bool {
        let mut line = self.line.lock();
        // What is in a deck comes back when its worker comes.
        line.recount(true);
        line.crew.pause()
    }

    pub(crate) fn resume(&self) -> Option<Start> {
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        line.crew.resume();
        line.promise_places(&mut after.batch);
        self.leave(line, after)
    }

    /// Idle workers look whether they are to go; the others when they come.
    pub(crate) fn resize(&self, min: usize, max: usize) -> Option<Start> {
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        line.crew.resize(min, max);
        line.call_all(&mut after.batch);
        line.recount(true);
        line.promise_places(&mut after.batch);
        self.leave(line, after)
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

    /// Whether a worker that is parked was told that it would wait for ever.
    pub(crate) fn is_told(&self, ticket: &Ticket) -> bool {
        matches!(self.line.lock().stuck.progress(ticket, Waker::noop()), Progress::Settled)
    }

    /// A job was refused.
    pub(crate) fn note_rejected(&self) {
        self.line.lock().rejected += 1;
    }

    /// A job was run by whoever submitted it, and never waited.
    pub(crate) fn note_outside(&self, outcome: Outcome) {
        let mut line = self.line.lock();
        line.submitted += 1;
        line.retired.note(outcome);
    }

    pub(crate) fn open_strand(&self, cap: usize) -> StrandId {
        self.line.lock().strands.open(cap)
    }

    pub(crate) fn close_strand(&self, id: StrandId) {
        self.line.lock().strands.close(id);
    }

    /// Jobs of a strand that were accepted and are not over.
    pub(crate) fn pending(&self, id: StrandId) -> usize {
        self.line.lock().strands.pending(id)
    }

    pub(crate) fn lanes(&self) -> usize {
        self.line.lock().lanes.count()
    }

    pub(crate) fn limits(&self) -> (usize, usize) {
        let line = self.line.lock();
        (line.crew.min(), line.crew.max())
    }

    pub(crate) fn metrics(&self) -> Metrics {
        let mut line = self.line.lock();
        line.recount(false);
        let mut counts = line.retired;
        for seat in &line.seats {
            counts.add(&seat.deck.lock().counts);
        }
        Metrics {
            workers: line.crew.live(),
            running: line.crew.busy(),
            idle: line.crew.idle(),
            queued: line.crew.queued(),
            lanes: (0..line.lanes.count()).map(|lane| line.lanes.len_of(lane)).collect(),
            waiting: line.placers.len(),
            submitted: line.submitted,
            completed: counts.completed,
            failed: counts.failed,
            panicked: counts.panicked,
            aborted: counts.void.saturating_sub(line.ran_elsewhere),
            expired: counts.expired,
            rejected: line.rejected,
        }
    }

    /// Leaves the lock, having called whom the jobs need.
    #[inline]
    fn leave(&self, mut line: Guard<'_, J>, mut after: After<J>) -> Option<Start> {
        let start = match line.call() {
            Summon::Nobody => None,
            Summon::Start => Some(Start(())),
            Summon::Wake => {
                // The one that fell asleep last: few workers stay hot, the others may go.
                if let Some(waker) = line.sleepers.settle_back(()) {
                    after.batch.push(waker);
                }
                None
            }
        };
        drop(line);
        after.finish();
        start
    }
}

impl<J> After<J> {
    /// Wakes and drops, outside the lock. Nobody is here to take a panic, least of all a worker
    /// with a job in its hands.
    #[inline]
    fn finish(mut self) {
        if !self.batch.is_empty() {
            let mut panic = WakePanic::default();
            self.batch.wake_all(&mut panic);
            drop_payload(panic);
        }
        if !self.trash.is_empty() {
            self.trash.drain(..).for_each(drop_payload);
        }
    }
}
