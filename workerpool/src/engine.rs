//! How submitters and workers meet: every step of the pool that needs its lock.
//!
//! A submitter pushes into one queue. A worker takes its share of it at once into a *deck* of its
//! own, whose lock nobody else wants, so that most jobs cost one lock that is free. Others who find
//! the queue empty take half of a deck: nothing that was accepted is stuck behind a job that
//! blocks. The engine knows nothing of results, panics, threads or tasks: a worker is whoever calls
//! [`Engine::next`].
//!
//! Locks are taken in one order: the line, then a deck.

mod control;
mod deck;
mod line;
mod stealing;
mod strands;
mod survey;
mod waits;

pub(crate) use deck::{Outcome, Seat};
pub(crate) use line::Grant;
use line::{After, Line};
use stealing::Stacks;
pub(crate) use strands::StrandId;

use crate::error::drop_payload;
use crate::primitives::{Arc, Mutex, MutexGuard};
use crate::state::{Crew, Summon};
use crate::waiters::{Left, Progress, Ticket, WakePanic};
use std::sync::atomic::{AtomicUsize, Ordering};
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
    /// Nothing yet: it has said that it looks again, and counts as on its way until it does.
    Lingers,
    /// Nothing, and it is not needed any more: it ends.
    Leave,
}

/// What becomes of a worker that has been idle for as long as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expiry {
    /// It is not counted any more.
    Goes,
    /// It was called at the same moment, or there is a job: if it finds none, its time begins anew.
    Looks,
    /// It is one of the least number, or a job is about to come: it sleeps until it is called.
    Stays,
}

/// What became of a job that was pushed.
#[derive(Debug)]
pub(crate) enum Push {
    Accepted(Option<Start>),
    /// There is no room, or others wait for it.
    Full,
    Closed,
    /// There is no worker, and no thread that the system has granted. A place is reserved, so that
    /// one who comes for it does not go before there is a job.
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
    /// Where workers keep the jobs that their jobs submit.
    stacks: Option<Stacks<J>>,
    /// How often the limits have changed; written under the lock.
    // LOOM: no atomic of the model's: what is read late is read again after the lock.
    resizes: AtomicUsize,
}

type Guard<'a, J> = MutexGuard<'a, Line<J>>;

impl<J: Entry> Engine<J> {
    pub(crate) fn new(crew: Crew, lanes: usize) -> Self {
        let resizes = AtomicUsize::new(0);
        Self { line: Mutex::new(Line::new(crew, lanes)), stacks: None, resizes }
    }

    /// Accepts a job if there is room for it. `make` is called under the lock then, and not
    /// otherwise: it only moves what was made before.
    #[inline]
    pub(crate) fn push(&self, make: impl FnOnce() -> Item<J>) -> Push {
        let mut line = self.line.lock();
        if !line.accepts() {
            return self.push_slow(line, make);
        }
        line.enqueue(make());
        // INVARIANT: the crew is as it was, and with it the beacon.
        if line.crew.may_summon() || line.crew.is_stuck() {
            return Push::Accepted(self.leave(line, &mut After::default()));
        }
        Push::Accepted(None)
    }

    /// The same, where it takes a closer look, or is refused.
    #[cold]
    fn push_slow(&self, mut line: Guard<'_, J>, make: impl FnOnce() -> Item<J>) -> Push {
        let mut after: After<J> = After::default();
        let refused = if line.crew.is_closed() {
            Push::Closed
        } else if !line.has_room(&mut after) {
            Push::Full
        } else if !line.crew.has_worker() {
            line.crew.reserve();
            Push::NoWorker
        } else {
            line.enqueue(make());
            return Push::Accepted(self.leave(line, &mut after));
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
            line.crew.reserve();
            Push::NoWorker
        } else {
            let mut count = 0;
            while line.has_room(&mut after) {
                let Some(item) = items.next() else { break };
                line.enqueue(item);
                count += 1;
            }
            return (Push::Accepted(self.leave(line, &mut after)), count);
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
        let mut after: After<J> = After::default();
        line.unreserve(&mut after.batch);
        if line.crew.is_closed() {
            drop(line);
            after.finish();
            return Push::Closed;
        }
        line.enqueue(make());
        Push::Accepted(self.leave(line, &mut after))
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
            line.crew.reserve();
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
                line.withdraw_in_strand(strand);
            }
            line.crew.pop(1);
            line.rejected += 1;
        }
        line.enqueue(make());
        (Push::Accepted(self.leave(line, &mut after)), evicted)
    }

    /// How often the limits have changed, for who has looked at them.
    #[inline]
    pub(crate) fn resizes(&self) -> usize {
        // ORDERING: Relaxed: whoever comes from the lock sees what was changed under it before.
        self.resizes.load(Ordering::Relaxed)
    }

    /// A worker that was started takes its seat.
    #[cfg(feature = "sync")]
    pub(crate) fn arrive(&self) -> Arc<Seat<J>> {
        self.arrive_as(std::thread::current().name().map(Arc::from))
    }

    /// The same, by another name than the thread's.
    pub(crate) fn arrive_as(&self, name: Option<Arc<str>>) -> Arc<Seat<J>> {
        let mut line = self.line.lock();
        let seat = self.take_seat(&mut line).unwrap_or_else(|| Arc::new(Seat::new()));
        seat.deck.lock().name = name;
        line.seats.push(Arc::clone(&seat));
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
    #[cfg(any(feature = "async", test))]
    pub(crate) fn next(
        &self,
        seat: &Arc<Seat<J>>,
        done: &mut Option<Done>,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
    ) -> (Next<J>, Option<Start>) {
        self.next_or_linger(seat, done, ticket, waker, false)
    }

    /// The same, of a worker that `lingers`, if it is awake: without a job it is to look again, soon,
    /// and nobody is called meanwhile, itself included.
    pub(crate) fn next_or_linger(
        &self,
        seat: &Arc<Seat<J>>,
        done: &mut Option<Done>,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
        lingers: bool,
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
            } else if lingers {
                line.crew.linger();
                seat.deck.lock().arriving = true;
                Next::Lingers
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
            return (next, self.leave(line, &mut after));
        }
    }

    /// A worker has been idle for as long as it may.
    pub(crate) fn expire(&self, seat: &Arc<Seat<J>>, ticket: Ticket) -> Expiry {
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        let goes = match line.sleepers.leave(ticket) {
            Left::Settled(()) => {
                line.crew.arrive();
                Expiry::Looks
            }
            Left::Queued(waker) => {
                after.stale = Some(waker);
                line.crew.rise();
                // INVARIANT: whoever is to come to a job that waits may be refused by the system.
                let may = line.crew.may_expire() && !line.has_work();
                line.overstays |= may && line.crew.expects();
                if may && !line.crew.expects() {
                    Expiry::Goes
                } else if may || !line.crew.may_expire() {
                    Expiry::Stays
                } else {
                    Expiry::Looks
                }
            }
        };
        if goes == Expiry::Goes {
            line.vacate(seat);
            line.crew.leave();
            line.tell(&mut after.batch);
            line.tell_stuck(&mut after.batch);
            self.light(&line);
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
        line.tell_stuck(&mut after.batch);
        self.light(&line);
        // Not another start, which would fail likewise.
        let start = if line.crew.idle() > 0 { self.leave(line, &mut after) } else { None };
        debug_assert!(start.is_none(), "an idle worker is called before one is started");
    }

    /// Leaves the lock, having called whom the jobs need.
    #[inline]
    fn leave(&self, mut line: Guard<'_, J>, after: &mut After<J>) -> Option<Start> {
        // INVARIANT: before `call` looks for jobs: one that is not seen there is pushed by somebody
        // who sees the light.
        self.light(&line);
        let summon = line.call();
        if summon != Summon::Nobody {
            self.light(&line);
        }
        let start = match summon {
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
        // Whoever was called may come to what the others are parked for.
        line.tell_stuck(&mut after.batch);
        drop(line);
        after.finish();
        start
    }
}

impl<J> After<J> {
    /// Wakes and drops, outside the lock. Nobody is here to take a panic, least of all a worker
    /// with a job in its hands.
    #[inline]
    fn finish(&mut self) {
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
