//! Where workers keep the jobs that their jobs submit: the engine of pools whose jobs spawn jobs.
//!
//! A job that is submitted by a job goes on top of the submitting worker's own deck, and its worker
//! takes it from there, the newest first. That costs the lock of a deck, which nobody else wants
//! while there is work for all. Others who find the queue empty take the bottom half, as they do
//! with every deck.
//!
//! **Places** are lent. The line counts a deck's jobs as queued until its worker comes by, so a
//! deck in which jobs were started has places that are paid for, and may be filled again: a worker
//! that takes as many jobs as it submits never needs the line. When it has no places left, it
//! borrows some. Whoever finds the queue full counts again, and so takes back what is lent and not
//! used: the bound holds to the last place.
//!
//! **Wake-ups.** Whoever pushes so does not see who sleeps, because the crew is under the lock of
//! the line. It looks at one word beside it, the [`Beacon`]: somebody could come, and nobody is on
//! the way. Only then it goes to the line and calls one; who arrives calls the next if there is
//! more, as for every job. The deck's lock is what makes the look sound; see `Engine::push_own`.

use super::deck::{Deck, Seat};
use super::line::{After, Line};
use super::{Engine, Entry, Guard, Item, Start};
use crate::primitives::Arc;
use crate::primitives::atomic::{AtomicBool, Ordering};

/// So many places are borrowed at once, or as many as the worker has.
// LOOM: two, so that the second job needs no line and the third does.
const LENT: usize = if cfg!(test) { 2 } else { 64 };

/// That often a worker looks what others want before it takes its own newest job; a prime, as for
/// lanes.
const OWN_TURNS: u32 = 61;

/// So many workers have a deck that they can push to, at the least and at the most. A pool that is
/// resized beyond that has others, whose jobs submit to the line.
// LOOM: few, for each is made anew in every execution.
const SEATS: (usize, usize) = (if cfg!(test) { 4 } else { 64 }, 1024);

/// What a deck has beside its jobs, where its worker may push.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// Its worker may use places that are counted and free.
    pub(super) lends: bool,
    /// Jobs that were accepted here and are not counted by the line.
    pub(super) accepted: u64,
    /// Others go first this time.
    pub(super) yields: bool,
    turns: u32,
}

impl Own {
    /// Whether the next job is to be fetched by way of the line, so that a worker whose jobs spawn
    /// jobs for ever does not keep what waits there, or at the bottom of its own deck, waiting as long.
    #[inline]
    pub(super) const fn yields(&mut self) -> bool {
        if self.lends {
            self.turns += 1;
            if self.turns == OWN_TURNS {
                self.turns = 0;
                self.yields = true;
            }
        }
        self.yields
    }
}

/// Whether whoever pushes beside the line has to call somebody.
///
/// Written under the lock of the line, read under that of a deck.
#[derive(Debug)]
#[repr(align(64))]
struct Beacon(AtomicBool);

impl Beacon {
    fn set(&self, lit: bool) {
        // ORDERING: Relaxed: locks order it, see `Engine::push_own`. Written only when it changes:
        // every worker has the line in its cache.
        if self.0.load(Ordering::Relaxed) != lit {
            self.0.store(lit, Ordering::Relaxed);
        }
    }

    #[inline]
    fn is_lit(&self) -> bool {
        // ORDERING: Relaxed, as in `set`.
        self.0.load(Ordering::Relaxed)
    }
}

/// The seats to which workers push, by their numbers.
#[derive(Debug)]
pub(super) struct Stacks<J> {
    seats: Box<[Arc<Seat<J>>]>,
    beacon: Beacon,
}

impl<J: Entry> Engine<J> {
    /// The same, of workers that keep the jobs that their jobs submit. Before the first is hired.
    pub(crate) fn with_stacks(mut self) -> Self {
        let mut line = self.line.lock();
        debug_assert!(line.seats.is_empty() && line.lanes.count() == 1, "a new engine of one lane");
        let count = line.crew.max().clamp(SEATS.0, SEATS.1);
        // The first are taken from the end.
        line.stacks = Some((0..count).rev().collect());
        drop(line);
        let seat = |number| Arc::new(Seat { number: Some(number), ..Seat::new() });
        let beacon = Beacon(AtomicBool::new(false));
        self.stacks = Some(Stacks { seats: (0..count).map(seat).collect(), beacon });
        self
    }

    /// Whether workers keep the jobs that their jobs submit.
    #[inline]
    pub(crate) const fn has_stacks(&self) -> bool {
        self.stacks.is_some()
    }

    /// A seat for a worker that was started, if there is one to which it can push.
    pub(super) fn take_seat(&self, line: &mut Guard<'_, J>) -> Option<Arc<Seat<J>>> {
        let number = line.stacks.as_mut()?.pop()?;
        let seat = self.stacks.as_ref()?.seats.get(number)?;
        seat.deck.lock().arriving = true;
        Some(Arc::clone(seat))
    }

    /// Says beside the lock whether anybody could be called.
    #[inline]
    pub(super) fn light(&self, line: &Guard<'_, J>) {
        if let Some(stacks) = &self.stacks {
            stacks.beacon.set(line.crew.may_summon());
        }
    }

    /// Accepts a job of the worker that has the seat of this `number` into its own deck. `None`: it
    /// has to be submitted to the line, which knows why. `make` only moves what was made before.
    #[inline]
    pub(crate) fn push_own(
        &self,
        number: usize,
        make: impl FnOnce() -> Item<J>,
    ) -> Option<Option<Start>> {
        let stacks = self.stacks.as_ref()?;
        let seat = stacks.seats.get(number)?;
        let mut deck = seat.deck.lock();
        if !deck.own.lends || deck.jobs.len() >= deck.counted {
            drop(deck);
            return self.borrow_and_push(seat, make);
        }
        deck.push_own(make());
        // INVARIANT: under the lock. Who falls asleep lights the beacon, and looks into the decks
        // afterwards: he finds the job, or had this lock before and we see the light.
        let call = stacks.beacon.is_lit();
        drop(deck);
        Some(if call { self.call_beside() } else { None })
    }

    /// Somebody is to come for a job that was pushed beside the line.
    #[cold]
    fn call_beside(&self) -> Option<Start> {
        self.leave(self.line.lock(), &mut After::default())
    }

    #[cold]
    fn borrow_and_push(
        &self,
        seat: &Arc<Seat<J>>,
        make: impl FnOnce() -> Item<J>,
    ) -> Option<Option<Start>> {
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        if !line.lends() || !line.has_room(&mut after) {
            drop(line);
            after.finish();
            return None;
        }
        let mut deck = seat.deck.lock();
        let lent = line.crew.room().min(LENT.max(deck.counted));
        line.crew.push(lent);
        line.in_decks += lent;
        deck.counted += lent;
        deck.own.lends = true;
        deck.push_own(make());
        drop(deck);
        Some(self.leave(line, &mut after))
    }
}

impl<J> Seat<J> {
    /// Names it for [`Engine::push_own`]; no number that there is if its worker cannot push.
    pub(crate) fn number(&self) -> usize {
        self.number.unwrap_or(usize::MAX)
    }
}

impl<J: Entry> Deck<J> {
    fn push_own(&mut self, job: Item<J>) {
        debug_assert!(job.strand.is_none() && self.jobs.len() < self.counted, "a place is lent");
        self.jobs.push_front(job);
        self.own.accepted += 1;
    }
}

impl<J: Entry> Line<J> {
    /// Whether workers may use places that are lent: the pool takes jobs, and nobody waits.
    pub(super) fn lends(&self) -> bool {
        self.stacks.is_some() && !self.crew.is_closed() && self.placers.is_empty()
    }

    /// Takes back all places that are lent and free. Their workers have to ask again.
    pub(super) fn revoke(&mut self) {
        if self.stacks.is_some() {
            for seat in &self.seats {
                seat.deck.lock().own.lends = false;
            }
            self.recount(false);
        }
    }

    /// A worker has gone.
    pub(super) fn return_seat(&mut self, seat: &Arc<Seat<J>>) {
        if let (Some(free), Some(number)) = (&mut self.stacks, seat.number) {
            free.push(number);
        }
    }

    /// Once in a while not the newest of the deck's jobs goes first, but the first of the queue, or
    /// the oldest of the deck.
    #[cold]
    pub(super) fn let_others_go(&mut self, deck: &mut Deck<J>, after: &mut After<J>) {
        while let Some(job) = self.lanes.pop() {
            if self.voids > 0 && job.entry.is_void() {
                self.drop_void(job, after);
                continue;
            }
            let admitted = match job.strand {
                None => Some(job),
                Some(strand) => self.strands.admit(strand, job),
            };
            if let Some(job) = admitted {
                deck.jobs.push_front(job);
                deck.counted += 1;
                self.in_decks += 1;
                return;
            }
        }
        if deck.jobs.len() > 1 {
            deck.jobs.rotate_right(1);
        }
    }
}
