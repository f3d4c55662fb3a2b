//! The line of a pool and the decks beside it: everything that its locks protect.

use super::Job;
use super::queue::{BLOCK, Block, Queue};
use crate::primitives::{Arc, Mutex};
use crate::state::{Slots, Summon};
use crate::waiters::{Waiters, WakeBatch};
use std::mem;

/// No deck is larger: what waits in one is not in the order of the queue any more.
const LARGEST_DECK: usize = BLOCK;
/// A runner takes its share of the queue in so many steps.
// LOOM: in one, where three jobs have to fill a deck.
const SHARES: usize = if cfg!(test) { 1 } else { 4 };

/// What every job writes comes last, two cache lines with the lock: they go from core to core. The
/// lists before it are only looked at, unless somebody waits.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Line<W> {
    pub(super) sleepers: Waiters<(), Rise>,
    pub(super) spawners: Waiters<(), ()>,
    pub(super) joiners: Waiters<(), ()>,
    pub(super) seats: Vec<Arc<Seat<W>>>,
    pub(super) slots: Slots,
    pub(super) queue: Queue<W>,
    pub(super) next_index: usize,
    /// The jobs of all decks, as far as they are counted: the sum of `counted`.
    pub(super) in_decks: usize,
    /// All decks report, but for those that hear of it when their runner comes.
    pub(super) reports: bool,
    /// Nothing comes from outside any more.
    pub(super) closed: bool,
    /// No runner sleeps any more; who comes is sent home.
    pub(super) dismissed: bool,
}

/// Why a sleeping runner was woken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rise {
    Called,
    Dismissed,
}

/// A runner's place, with the jobs that are its own unless somebody takes them.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Seat<W> {
    pub(super) deck: Mutex<Deck<W>>,
}

#[derive(Debug)]
pub(super) struct Deck<W> {
    pub(super) jobs: Block<W>,
    /// How many of its jobs the line still counts as queued: never fewer than there are.
    pub(super) counted: usize,
    /// The next job is to be fetched by way of the line, where somebody wants to know.
    pub(super) report: bool,
    /// Its runner was started and has not looked for a job yet.
    pub(super) fresh: bool,
    /// What the runner runs now.
    pub(super) current: Option<(usize, Option<Arc<str>>)>,
}

impl<W> Line<W> {
    pub(super) fn take_index(&mut self) -> usize {
        let index = self.next_index;
        self.next_index += 1;
        index
    }

    pub(super) fn enqueue(&mut self, make: impl FnOnce(usize) -> Job<W>) -> usize {
        let index = self.take_index();
        self.queue.push_back(make(index));
        index
    }

    pub(super) fn has_room(&mut self, backlog: bool) -> bool {
        if !self.spawners.is_empty() {
            return false;
        }
        let ask = |slots: &Slots| if backlog { slots.has_room() } else { slots.has_slot() };
        if ask(&self.slots) {
            return true;
        }
        // Runners may have started what still counts as queued.
        self.recount(false) && ask(&self.slots)
    }

    /// Whether a job waits that nobody has started, in the queue or in a deck.
    pub(super) fn has_jobs(&self) -> bool {
        !self.queue.is_empty()
            || self.slots.queued() > 0
                && self.seats.iter().any(|seat| !seat.deck.lock().jobs.is_empty())
    }

    /// Counts what is in the decks; `true` if that is less than it was thought to be. With
    /// `report`, whoever starts one of them tells the line.
    pub(super) fn recount(&mut self, report: bool) -> bool {
        let mut fewer = false;
        for seat in &self.seats {
            let mut deck = seat.deck.lock();
            deck.report |= report;
            let gone = deck.settle();
            self.slots.pop(gone);
            self.in_decks -= gone;
            fewer |= gone > 0;
        }
        fewer
    }

    /// What the owner of a deck has done since it was here last, if ever.
    pub(super) fn settle(&mut self, deck: &mut Deck<W>) {
        if mem::take(&mut deck.fresh) {
            self.slots.arrive();
        }
        let gone = deck.settle();
        self.slots.pop(gone);
        self.in_decks -= gone;
    }

    /// Takes a job for the runner of `seat`, and its share of what is left into its deck.
    pub(super) fn take(&mut self, seat: &Arc<Seat<W>>) -> Option<Job<W>> {
        let mut deck = seat.deck.lock();
        deck.report = self.reports;
        self.settle(&mut deck);
        if deck.jobs.is_empty() {
            // A part of its fair share: jobs should start about in the order of the queue, and a
            // lock for each is cheap while there are few.
            let parts = self.slots.limit().saturating_mul(SHARES);
            let share = self.queue.len().div_ceil(parts).min(LARGEST_DECK);
            self.queue.take(share, &mut deck.jobs);
            deck.counted = share;
            self.in_decks += share;
        }
        if deck.jobs.is_empty() {
            let room = mem::take(&mut deck.jobs);
            drop(deck);
            let stolen = self.steal(seat, room);
            deck = seat.deck.lock();
            deck.counted = stolen.len();
            deck.jobs = stolen;
        }
        let job = deck.jobs.pop_front();
        if job.is_some() {
            deck.counted -= 1;
            self.in_decks -= 1;
            self.slots.pop(1);
        }
        deck.note(job.as_ref());
        job
    }

    /// Half of the first deck with jobs, of the others' decks, in the `room` of the thief's own.
    pub(super) fn steal(&mut self, thief: &Arc<Seat<W>>, mut room: Block<W>) -> Block<W> {
        if self.slots.queued() == 0 {
            return room;
        }
        for seat in &self.seats {
            if Arc::ptr_eq(seat, thief) {
                continue;
            }
            let mut deck = seat.deck.lock();
            let gone = deck.settle();
            self.slots.pop(gone);
            self.in_decks -= gone;
            let jobs = deck.jobs.len();
            if jobs > 0 {
                room.extend(deck.jobs.drain(jobs / 2..));
                deck.counted -= room.len();
                return room;
            }
        }
        room
    }

    /// A runner goes for good. What is left in its deck is for the others, first of all.
    pub(super) fn vacate(&mut self, seat: &Arc<Seat<W>>) {
        let mut deck = seat.deck.lock();
        self.settle(&mut deck);
        while let Some(job) = deck.jobs.pop_back() {
            self.queue.push_front(job);
        }
        self.in_decks -= mem::take(&mut deck.counted);
        deck.current = None;
        drop(deck);
        self.seats.retain(|other| !Arc::ptr_eq(other, seat));
    }

    /// Who is to come to the jobs that wait.
    #[inline]
    pub(super) fn call(&mut self) -> Summon {
        let waiting = self.slots.may_summon() && self.has_jobs();
        self.slots.summon(waiting)
    }

    /// Promises places to spawners that wait, once half of the backlog is free.
    #[inline]
    pub(super) fn promise_places(&mut self, batch: &mut WakeBatch) {
        if self.spawners.is_empty() {
            self.reports = false;
        } else {
            self.promise_them(batch);
        }
    }

    fn promise_them(&mut self, batch: &mut WakeBatch) {
        loop {
            if self.slots.is_half_empty() {
                while self.slots.has_room() {
                    let Some(waker) = self.spawners.settle_front(()) else { break };
                    self.slots.push();
                    batch.push(waker);
                }
            }
            // INVARIANT: while a spawner waits, half of the backlog cannot become free by what
            // runners take from their decks alone; or else they report each.
            let tight = self.slots.starts_until_half_empty() <= self.in_decks;
            let begins = tight && !self.reports && !self.spawners.is_empty();
            self.reports = tight;
            if !begins {
                return;
            }
            self.recount(true);
        }
    }

    /// Tells those who wait for quiet. Where nothing comes any more it is the end.
    #[inline]
    pub(super) fn tell_joiners(&mut self, batch: &mut WakeBatch) {
        if self.slots.is_quiet() {
            self.joiners.settle_where(batch, |()| Some(()));
            if self.closed {
                self.dismiss(batch);
            }
        }
    }

    pub(super) fn dismiss(&mut self, batch: &mut WakeBatch) {
        self.dismissed = true;
        // INVARIANT: as many are idle as are in the line. What is spawned from here on must not
        // call one of these.
        while let Some(waker) = self.sleepers.settle_front(Rise::Dismissed) {
            self.slots.forget_idle();
            batch.push(waker);
        }
    }
}

impl<W> Seat<W> {
    pub(super) fn new(fresh: bool) -> Self {
        let (counted, report, current) = (0, false, None);
        let deck = Deck { jobs: Block::new(), counted, report, fresh, current };
        Self { deck: Mutex::new(deck) }
    }
}

impl<W> Deck<W> {
    /// How many jobs were started since the line counted last.
    pub(super) fn settle(&mut self) -> usize {
        let gone = self.counted - self.jobs.len();
        self.counted = self.jobs.len();
        gone
    }

    pub(super) fn note(&mut self, job: Option<&Job<W>>) {
        self.current = job.map(|job| (job.index, job.name.clone()));
    }
}
