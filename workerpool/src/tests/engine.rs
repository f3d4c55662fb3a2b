//! The engine, driven by hand: one thread plays every worker.

use crate::engine::{
    Done, Engine, Entry, Expiry, Grant, Item, Next, Outcome, Push, Seat, StrandId, Wait,
};
use crate::primitives::{Arc, Deadline};
use crate::state::Crew;
use std::task::Waker;

impl Entry for u32 {
    fn is_void(&self) -> bool {
        *self == VOID
    }
}

pub(super) const VOID: u32 = u32::MAX;

/// An engine with so many workers, all asleep.
fn asleep(workers: usize) -> (Engine<u32>, Vec<Worker>) {
    let engine = Engine::new(Crew::new(workers, workers, 100), 1);
    let crew = hired(&engine);
    (engine, crew)
}

/// As many workers as the engine wants, all asleep.
pub(super) fn hired(engine: &Engine<u32>) -> Vec<Worker> {
    let mut crew = Vec::new();
    while let Some(start) = engine.hire() {
        let mut worker = Worker { seat: engine.arrive(), ticket: None, done: None };
        engine.confirm(start);
        assert_eq!(worker.look(engine), None);
        crew.push(worker);
    }
    crew
}

pub(super) struct Worker {
    pub(super) seat: Arc<Seat<u32>>,
    ticket: Option<crate::waiters::Ticket>,
    pub(super) done: Option<Done>,
}

impl Worker {
    /// The job before, if any, is over; the next, or nothing.
    pub(super) fn look(&mut self, engine: &Engine<u32>) -> Option<u32> {
        if let Some(item) = engine.next_own(&self.seat, &mut self.done) {
            return Some(self.runs(item));
        }
        let next = engine.next(&self.seat, &mut self.done, &mut self.ticket, Waker::noop());
        match next.0 {
            Next::Job(item) => Some(self.runs(item)),
            Next::Asleep | Next::Lingers => None,
            Next::Leave => panic!("nobody is too many"),
        }
    }

    fn runs(&mut self, item: Item<u32>) -> u32 {
        self.done = Some(Done { outcome: Outcome::Completed, strand: item.strand });
        item.entry
    }
}

pub(super) fn push(engine: &Engine<u32>, entry: u32, strand: Option<StrandId>) {
    let pushed = engine.push(|| Item { entry, lane: 0, strand });
    assert!(matches!(pushed, Push::Accepted(None)));
}

#[test]
fn a_strand_runs_no_more_than_its_cap() {
    let (engine, mut workers) = asleep(3);
    let strand = engine.open_strand(2);
    (0..4).for_each(|job| push(&engine, job, Some(strand)));
    push(&engine, 9, None);
    // The last to fall asleep is called first, and calls the next.
    let found: Vec<_> = workers.iter_mut().rev().map(|worker| worker.look(&engine)).collect();
    assert_eq!(found, [Some(0), Some(9), Some(1)], "two stand aside");
    assert_eq!(engine.metrics().queued, 2);
    assert_eq!(workers[1].look(&engine), None);
    assert_eq!(workers[2].look(&engine), Some(2), "the end of one is the turn of the next");
    assert_eq!((workers[0].look(&engine), workers[0].look(&engine)), (Some(3), None));
    assert_eq!((workers[2].look(&engine), engine.pending(strand)), (None, 0));
}

#[test]
fn whoever_parks_for_ever_is_told_when_the_others_have_nothing_to_do() {
    let (engine, mut workers) = asleep(2);
    (0..2).for_each(|job| push(&engine, job, None));
    assert_eq!(workers[1].look(&engine), Some(0));
    assert_eq!(workers[0].look(&engine), Some(1));
    let mut parked = None;
    assert!(engine.block(&mut parked, Waker::noop()), "the other is busy");
    assert!(parked.as_ref().is_some_and(|ticket| !engine.is_told(ticket)));
    assert_eq!(workers[0].look(&engine), None);
    assert!(parked.as_ref().is_some_and(|ticket| engine.is_told(ticket)));
    assert!(engine.rises(&mut parked));
    engine.unblock();
    assert!(!engine.block(&mut parked, Waker::noop()), "nobody else is busy");
}

#[test]
fn what_is_in_a_deck_is_taken_by_whoever_has_nothing_to_do() {
    let (engine, mut workers) = asleep(2);
    (0..8).for_each(|job| push(&engine, job, None));
    assert_eq!(workers[1].look(&engine), Some(0), "with a share of four in its deck");
    let mut others = Vec::new();
    while let Some(job) = workers[0].look(&engine) {
        others.push(job);
    }
    others.sort_unstable();
    assert_eq!(others, [1, 2, 3, 4, 5, 6, 7], "the first worker blocks in its job");
    assert_eq!(workers[1].look(&engine), None);
    assert_eq!(engine.metrics().completed, 8);
}

#[test]
fn void_entries_give_their_places_to_whoever_needs_them() {
    let engine = Engine::new(Crew::new(1, 1, 2), 1);
    let start = engine.hire().unwrap();
    let mut worker = Worker { seat: engine.arrive(), ticket: None, done: None };
    engine.confirm(start);
    assert_eq!(worker.look(&engine), None);
    assert!(engine.pause());
    push(&engine, VOID, None);
    push(&engine, 1, None);
    let full = engine.push(|| Item { entry: 2, lane: 0, strand: None });
    assert!(matches!(full, Push::Full), "nobody has said that one is void");
    engine.withdraw(None);
    push(&engine, 2, None);
    assert_eq!(engine.metrics().queued, 2);
    assert!(engine.resume().is_none());
    assert_eq!((worker.look(&engine), worker.look(&engine)), (Some(1), Some(2)));
    assert_eq!(engine.metrics().aborted, 1);
}

/// An engine that is full, of so many jobs beside the one that its worker runs, and somebody who waits
/// for a place.
fn full(bound: u32) -> (Engine<u32>, Worker, Option<crate::waiters::Ticket>) {
    let engine = Engine::new(Crew::new(1, 1, bound as usize), 1);
    let start = engine.hire().unwrap();
    let mut worker = Worker { seat: engine.arrive(), ticket: None, done: None };
    engine.confirm(start);
    assert_eq!(worker.look(&engine), None);
    push(&engine, 0, None);
    assert_eq!(worker.look(&engine), Some(0));
    (1..=bound).for_each(|job| push(&engine, job, None));
    let mut ticket = None;
    assert_eq!(engine.poll_place(&mut ticket, Waker::noop()), Wait::Queued);
    (engine, worker, ticket)
}

#[test]
fn whoever_waits_for_a_place_is_told_of_half_the_queue_at_once() {
    let (engine, mut worker, mut ticket) = full(8);
    (1..4).for_each(|job| assert_eq!(worker.look(&engine), Some(job)));
    // The place of a job that is started is seen at the next look, if not before.
    assert_eq!((worker.look(&engine), worker.look(&engine)), (Some(4), Some(5)));
    assert_eq!(engine.poll_place(&mut ticket, Waker::noop()), Wait::Ready(Grant::Place));
    engine.unreserve();
}

/// H30: jobs that take long free few places.
#[test]
fn whoever_waits_for_a_place_for_long_is_told_of_any() {
    let (engine, mut worker, mut ticket) = full(1000);
    let mut started = 0;
    while engine.poll_place(&mut ticket, Waker::noop()) == Wait::Queued {
        assert!(started < 100, "of a thousand places, a hundred are free");
        assert!(worker.look(&engine).is_some());
        started += 1;
        let takes_long = Deadline::after(std::time::Duration::from_micros(250)).unwrap();
        while !takes_long.has_passed() {
            std::hint::spin_loop();
        }
    }
    assert!(started > 0);
    engine.unreserve();
}

/// Where the job whose turn it is was aborted, those behind it would stand aside for ever.
#[test]
fn the_turn_of_one_that_is_taken_out_goes_to_the_next() {
    let (engine, mut workers) = asleep(2);
    let strand = engine.open_strand(1);
    [0, VOID, 2].into_iter().for_each(|job| push(&engine, job, Some(strand)));
    assert_eq!(workers[1].look(&engine), Some(0));
    assert_eq!(workers[0].look(&engine), None, "two stand aside");
    engine.withdraw(None);
    assert_eq!(workers[1].look(&engine), Some(2));
    assert_eq!((workers[1].look(&engine), engine.pending(strand)), (None, 0));
}

/// It would sleep until the next job comes, whenever that is: a pool that rests would keep it.
#[test]
fn a_worker_that_is_called_when_its_time_is_over_has_as_much_time_again() {
    let engine = Engine::new(Crew::new(0, 2, 100), 1);
    let mut workers: Vec<_> = (0..2)
        .map(|_| {
            let start = engine.hire_first().unwrap();
            let mut worker = Worker { seat: engine.arrive(), ticket: None, done: None };
            engine.confirm(start);
            assert_eq!(worker.look(&engine), None);
            worker
        })
        .collect();
    push(&engine, 1, None);
    // The other takes what this one was called for.
    let called = workers[1].ticket.take().unwrap();
    assert_eq!(engine.expire(&workers[1].seat, called), Expiry::Looks);
    let rests = workers[0].ticket.take().unwrap();
    assert_eq!(engine.expire(&workers[0].seat, rests), Expiry::Looks, "there is a job");
    assert_eq!((workers[0].look(&engine), workers[1].look(&engine)), (Some(1), None));
    let rests = workers[1].ticket.take().unwrap();
    assert_eq!(engine.expire(&workers[1].seat, rests), Expiry::Goes);
    assert_eq!(engine.metrics().workers, 1);
}
