//! Everything that the lock of the queue protects.

use super::deck::{Deck, Seat};
use super::strands::Strands;
use super::{Entry, Item};
use crate::lanes::Lanes;
use crate::metrics::Counts;
use crate::primitives::{Arc, Deadline, IS_MODEL};
use crate::state::{Crew, Summon};
use crate::waiters::{Waiters, WakeBatch};
use std::collections::VecDeque;
use std::mem;
use std::task::Waker;
use std::time::Duration;

/// No deck is larger: what waits in one is not in the order of the queue any more.
const LARGEST_DECK: usize = 32;
/// A worker takes its share of the queue in so many steps.
// LOOM: in one, where three jobs have to fill a deck.
const SHARES: usize = if cfg!(test) { 1 } else { 4 };
/// So many places have to be free before a submitter that waits is told at once: waking one takes
/// longer than many short jobs do, and the one that is woken takes a core from a worker.
const PLACES_AT_ONCE: usize = 512;
/// After so long any place will do. Looked at when a worker comes to the line.
const PATIENCE: Duration = Duration::from_micros(200);

/// What a submitter that waits for a place is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Grant {
    Place,
    Closed,
}

#[derive(Debug)]
pub(super) struct Line<J> {
    pub(super) sleepers: Waiters<(), ()>,
    pub(super) placers: Waiters<(), Grant>,
    /// Those who wait until nothing waits and nothing runs.
    pub(super) quiet: Waiters<(), ()>,
    /// Those who wait until no worker is left.
    pub(super) ended: Waiters<(), ()>,
    /// Workers that are parked until a job of this pool ends.
    pub(super) stuck: Waiters<(), ()>,
    /// One of them was told that it waits for ever, and has not risen yet.
    pub(super) told_stuck: bool,
    /// Some sleep without a limit in time, because a place was reserved when it was over.
    pub(super) overstays: bool,
    pub(super) seats: Vec<Arc<Seat<J>>>,
    pub(super) strands: Strands<J>,
    /// What workers counted that are gone, and what has no worker.
    pub(super) retired: Counts,
    /// Jobs that were run elsewhere while they waited; each is void when its turn comes.
    pub(super) ran_elsewhere: u64,
    pub(super) submitted: u64,
    pub(super) rejected: u64,
    /// At most so many of the jobs that wait are void.
    pub(super) voids: usize,
    /// The jobs of all decks, as far as they are counted: the sum of `counted`.
    pub(super) in_decks: usize,
    /// All decks report, but for those that hear of it when their worker comes.
    pub(super) reports: bool,
    /// Until when submitters that wait are told of many places only; set while some wait.
    patience: Option<Deadline>,
    /// The numbers of seats that are free; `None` where workers keep no jobs of their own.
    pub(super) stacks: Option<Vec<usize>>,
    pub(super) crew: Crew,
    pub(super) lanes: Lanes<Item<J>>,
}

/// What is to be done when the lock is left: wakers to be called, jobs to be dropped.
#[derive(Debug)]
pub(super) struct After<J> {
    pub(super) batch: WakeBatch,
    pub(super) trash: Vec<Item<J>>,
    /// A waker that is not to be called.
    pub(super) stale: Option<Waker>,
}

impl<J> Default for After<J> {
    fn default() -> Self {
        Self { batch: WakeBatch::default(), trash: Vec::new(), stale: None }
    }
}

impl<J: Entry> Line<J> {
    pub(super) fn new(crew: Crew, lanes: usize) -> Self {
        Self {
            sleepers: Waiters::new(),
            placers: Waiters::new(),
            quiet: Waiters::new(),
            ended: Waiters::new(),
            stuck: Waiters::new(),
            told_stuck: false,
            overstays: false,
            seats: Vec::new(),
            strands: Strands::new(),
            retired: Counts::default(),
            ran_elsewhere: 0,
            submitted: 0,
            rejected: 0,
            voids: 0,
            in_decks: 0,
            reports: false,
            patience: None,
            stacks: None,
            crew,
            lanes: Lanes::new(lanes),
        }
    }

    /// Whether one more job may come in. Nobody overtakes submitters that wait.
    #[inline]
    pub(super) fn has_room(&mut self, after: &mut After<J>) -> bool {
        self.placers.is_empty() && (self.crew.room() > 0 || self.finds_room(after))
    }

    /// Whether one more job may come in, and it takes no second look to know.
    #[inline]
    pub(super) fn accepts(&self) -> bool {
        self.placers.is_empty() && self.crew.room() > 0 && self.crew.has_worker()
    }

    /// Counts again: workers may have started what still counts as queued, and some may be void.
    #[cold]
    fn finds_room(&mut self, after: &mut After<J>) -> bool {
        if self.crew.is_closed() {
            return false;
        }
        self.recount(false);
        self.sweep_voids(after);
        self.crew.room() > 0
    }

    #[inline]
    pub(super) fn enqueue(&mut self, job: Item<J>) {
        self.crew.push(1);
        self.submitted += 1;
        if let Some(strand) = job.strand {
            self.strands.accept(strand);
        }
        self.lanes.push_back(usize::from(job.lane), job);
    }

    /// Whether a job waits for a worker, in the queue or in a deck.
    pub(super) fn has_work(&self) -> bool {
        !self.lanes.is_empty()
            || self.in_decks > 0 && self.seats.iter().any(|seat| !seat.deck.lock().jobs.is_empty())
    }

    /// Who is to come to the jobs that wait.
    #[inline]
    pub(super) fn call(&mut self) -> Summon {
        let waiting = self.crew.may_summon() && self.has_work();
        self.crew.summon(waiting)
    }

    /// Has every idle worker look: for a job, or whether it is to go.
    pub(super) fn call_all(&mut self, batch: &mut WakeBatch) {
        while let Some(waker) = self.sleepers.settle_back(()) {
            self.crew.call_idle();
            batch.push(waker);
        }
    }

    /// A place is not reserved any more: those who stayed for its job look how long they may.
    pub(super) fn unreserve(&mut self, batch: &mut WakeBatch) {
        self.crew.unreserve();
        if self.overstays && !self.crew.expects() {
            self.overstays = false;
            self.call_all(batch);
        }
    }

    /// Counts what is in the decks. With `report`, whoever starts one of them tells the line.
    pub(super) fn recount(&mut self, report: bool) {
        for seat in &self.seats {
            let mut deck = seat.deck.lock();
            deck.report |= report;
            let gone = deck.settle();
            self.crew.pop(gone);
            self.in_decks -= gone;
        }
    }

    /// What all workers counted, ever; counts what is in their decks as well.
    pub(super) fn tally(&mut self) -> Counts {
        let mut counts = self.retired;
        for seat in &self.seats {
            let mut deck = seat.deck.lock();
            // Under one lock with its counts: a job is not over and queued at the same time.
            let gone = deck.settle();
            counts.add(&deck.counts);
            self.submitted += mem::take(&mut deck.own.accepted);
            self.crew.pop(gone);
            self.in_decks -= gone;
        }
        counts
    }

    /// What the owner of a deck has done since it was here last, if ever.
    pub(super) fn settle(&mut self, deck: &mut Deck<J>) {
        if mem::take(&mut deck.arriving) {
            self.crew.arrive();
        }
        let gone = deck.settle();
        self.crew.pop(gone);
        self.in_decks -= gone;
    }

    /// Takes a job for the worker of `seat`, and its share of what is left into its deck.
    pub(super) fn take(&mut self, seat: &Arc<Seat<J>>, after: &mut After<J>) -> Option<Item<J>> {
        let mut deck = seat.deck.lock();
        deck.report = self.reports;
        deck.own.lends = self.lends();
        self.settle(&mut deck);
        if self.crew.is_paused() {
            self.unload(&mut deck);
            deck.runs = false;
            return None;
        }
        if mem::take(&mut deck.own.yields) {
            self.let_others_go(&mut deck, after);
        }
        if deck.jobs.is_empty() {
            self.load(&mut deck, after);
        }
        if deck.jobs.is_empty() && self.in_decks > 0 {
            // INVARIANT: an empty deck is not locked by anybody who waits for another.
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
            self.crew.pop(1);
        }
        deck.runs = job.is_some();
        job
    }

    /// Fills an empty deck from the queue.
    fn load(&mut self, deck: &mut Deck<J>, after: &mut After<J>) {
        // A part of its fair share: jobs should start about in the order of the queue, and a
        // lock for each is cheap while there are few. Where urgent jobs may come, nothing is
        // taken before it is run.
        let share = if self.lanes.count() > 1 {
            1
        } else {
            let parts = self.crew.max().saturating_mul(SHARES);
            self.lanes.len().div_ceil(parts).min(LARGEST_DECK)
        };
        while deck.jobs.len() < share.max(1) {
            let Some(job) = self.lanes.pop() else { break };
            if self.voids > 0 && job.entry.is_void() {
                self.drop_void(job, after);
                continue;
            }
            match job.strand {
                None => deck.jobs.push_back(job),
                Some(strand) => deck.jobs.extend(self.strands.admit(strand, job)),
            }
        }
        deck.counted = deck.jobs.len();
        self.in_decks += deck.counted;
    }

    /// Puts what is in a deck back where it came from.
    fn unload(&mut self, deck: &mut Deck<J>) {
        while let Some(mut job) = deck.jobs.pop_back() {
            job.strand = job.strand.map(|strand| self.strands.readmit(strand));
            self.lanes.push_front(usize::from(job.lane), job);
        }
        self.in_decks -= mem::take(&mut deck.counted);
    }

    /// Half of the first deck with jobs, of the others' decks, in the `room` of the thief's own.
    fn steal(&mut self, thief: &Arc<Seat<J>>, mut room: VecDeque<Item<J>>) -> VecDeque<Item<J>> {
        for seat in &self.seats {
            if Arc::ptr_eq(seat, thief) {
                continue;
            }
            let mut deck = seat.deck.lock();
            let gone = deck.settle();
            self.crew.pop(gone);
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

    /// A worker goes for good. What is left in its deck is for the others, first of all.
    pub(super) fn vacate(&mut self, seat: &Arc<Seat<J>>) {
        let mut deck = seat.deck.lock();
        self.settle(&mut deck);
        self.unload(&mut deck);
        deck.runs = false;
        self.retired.add(&mem::take(&mut deck.counts));
        self.submitted += mem::take(&mut deck.own.accepted);
        drop(deck);
        self.return_seat(seat);
        self.seats.retain(|other| !Arc::ptr_eq(other, seat));
    }

    /// A job of a strand is over: the next of the strand has its turn at once.
    pub(super) fn end_in_strand(&mut self, strand: super::StrandId) {
        let next = self.strands.end(strand);
        self.enqueue_due(next);
    }

    /// A job of a strand is taken out of the queue. If it was due, another is, and whoever was
    /// called for the one comes to the other.
    pub(super) fn withdraw_in_strand(&mut self, strand: super::StrandId) {
        let next = self.strands.withdraw(strand);
        self.enqueue_due(next);
    }

    fn enqueue_due(&mut self, next: Option<Item<J>>) {
        if let Some(next) = next {
            self.lanes.push_front(usize::from(next.lane), next);
        }
    }

    pub(super) fn drop_void(&mut self, job: Item<J>, after: &mut After<J>) {
        self.voids -= 1;
        self.retired.void += 1;
        self.crew.pop(1);
        if let Some(strand) = job.strand {
            self.withdraw_in_strand(strand);
        }
        after.trash.push(job);
    }

    /// Takes void jobs out, where there are any.
    pub(super) fn sweep_voids(&mut self, after: &mut After<J>) {
        if self.voids > 0 {
            self.sweep(|job| job.entry.is_void(), &mut after.trash);
            self.voids = 0;
        }
    }

    /// Takes the jobs out that nobody has started and for which `leaves` says so.
    pub(super) fn sweep(&mut self, leaves: impl Fn(&Item<J>) -> bool, out: &mut Vec<Item<J>>) {
        let before = out.len();
        for index in 0..self.seats.len() {
            let seat = Arc::clone(&self.seats[index]);
            let mut deck = seat.deck.lock();
            let gone = deck.settle();
            self.crew.pop(gone);
            self.in_decks -= gone;
            let first = out.len();
            deck.sweep(&leaves, out);
            let swept = out.len() - first;
            deck.counted -= swept;
            self.in_decks -= swept;
            for strand in out[first..].iter().filter_map(|job| job.strand).collect::<Vec<_>>() {
                self.end_in_strand(strand);
            }
        }
        // Those of a strand that had their turn may be in the queue again by now.
        let first = out.len();
        self.lanes.sweep(&leaves, out);
        self.strands.sweep(&leaves, out);
        for strand in out[first..].iter().filter_map(|job| job.strand) {
            self.withdraw_in_strand(strand);
        }
        let swept = out.len() - before;
        self.crew.pop(swept);
        self.retired.void += swept as u64;
    }

    /// Promises places to submitters that wait, once some are free.
    #[inline]
    pub(super) fn promise_places(&mut self, batch: &mut WakeBatch) {
        if self.placers.is_empty() {
            self.reports = false;
            self.patience = None;
        } else {
            self.promise_them(batch);
        }
    }

    #[cold]
    fn promise_them(&mut self, batch: &mut WakeBatch) {
        if self.crew.is_closed() {
            self.placers.settle_where(batch, |()| Some(Grant::Closed));
            return;
        }
        loop {
            let at_once = (self.crew.bound() / 2).clamp(1, PLACES_AT_ONCE);
            if self.crew.room() >= at_once || self.crew.room() > 0 && self.is_impatient() {
                self.patience = None;
                while self.crew.room() > 0 {
                    let Some(waker) = self.placers.settle_front(Grant::Place) else { break };
                    self.crew.reserve();
                    batch.push(waker);
                }
            }
            // INVARIANT: while a submitter waits, enough places cannot become free by what workers
            // take from their decks alone; or else they report each.
            let tight = at_once.saturating_sub(self.crew.room()) <= self.in_decks;
            let begins = tight && !self.reports && !self.placers.is_empty();
            self.reports = tight;
            if !begins {
                return;
            }
            self.recount(true);
        }
    }

    /// Whether those who wait for a place have waited for long, from the first look on.
    // LOOM: no time passes in a model, and nobody waits for it.
    fn is_impatient(&mut self) -> bool {
        if IS_MODEL {
            return false;
        }
        match &self.patience {
            Some(patience) => patience.has_passed(),
            None => {
                self.patience = Deadline::after(PATIENCE);
                false
            }
        }
    }

    /// A worker has nothing to do any more. If all others are parked until a job ends that one of
    /// them runs, the one that parked last is told.
    #[inline]
    pub(super) fn tell_stuck(&mut self, batch: &mut WakeBatch) {
        if self.crew.is_stuck() && !self.told_stuck {
            if let Some(waker) = self.stuck.settle_back(()) {
                self.told_stuck = true;
                batch.push(waker);
            }
        }
    }

    /// Tells those who wait for quiet, or for the end; in the end sends everybody home.
    #[inline]
    pub(super) fn tell(&mut self, batch: &mut WakeBatch) {
        if self.crew.is_quiet() && !self.quiet.is_empty() {
            self.quiet.settle_where(batch, |()| Some(()));
        }
        if self.crew.is_closed() {
            if self.crew.is_drained() {
                self.call_all(batch);
            }
            if self.crew.is_over() {
                self.ended.settle_where(batch, |()| Some(()));
            }
        }
    }
}
