//! The queue and the decks, without a thread.

use crate::pool::queue::BLOCK;
use crate::pool::{Job, Next, Place, Pool, Seat, Start};
use crate::primitives::Arc;
use crate::waiters::Ticket;
use proptest::prelude::*;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

struct Calls(AtomicUsize);

impl Wake for Calls {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A waker, and how often it was called.
fn counted() -> (Waker, Arc<Calls>) {
    let calls = Arc::new(Calls(AtomicUsize::new(0)));
    (Waker::from(Arc::clone(&calls)), calls)
}

impl Calls {
    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

fn job(index: usize) -> Job<usize> {
    Job { index, name: None, work: index }
}

fn pool(limit: usize, backlog: usize) -> Pool<usize> {
    Pool::new(limit, Some(backlog))
}

/// Pushes so many, and gives the first call for a runner.
#[track_caller]
fn fill(pool: &Pool<usize>, jobs: usize) -> Option<Start> {
    let starts = (0..jobs).filter_map(|_| pool.push(true, job).expect("there is room").1);
    starts.fold(None, |first, start| first.or(Some(start)))
}

/// The next job of a runner that does not sleep.
fn take(pool: &Pool<usize>, seat: &Arc<Seat<usize>>) -> Option<usize> {
    if let Some(job) = pool.next_own(seat) {
        return Some(job.work);
    }
    match pool.next(seat, &mut None, None) {
        (Next::Job(job), _) => Some(job.work),
        _ => None,
    }
}

fn numbers(pool: &Pool<usize>) -> (usize, usize) {
    let numbers = pool.numbers();
    (numbers.running, numbers.queued)
}

/// How many jobs wait in decks and in the queue, by looking at them.
fn seen(pool: &Pool<usize>) -> (usize, usize) {
    let (mut running, mut waiting) = (0, 0);
    pool.visit(|runs, _, _| if runs { running += 1 } else { waiting += 1 });
    (running, waiting)
}

fn is_quiet(pool: &Pool<usize>) -> bool {
    let mut ticket = None;
    let place = pool.poll_quiet(&mut ticket, Waker::noop());
    if let Some(ticket) = ticket {
        pool.leave_quiet(ticket);
    }
    place == Place::Ready
}

fn place(pool: &Pool<usize>, ticket: &mut Option<Ticket>, waker: &Waker) -> bool {
    pool.poll_place(ticket, waker) == Place::Ready
}

#[test]
fn jobs_come_in_their_order() {
    let pool = pool(1, 100);
    assert!(fill(&pool, 70).is_some());
    let seat = pool.arrive();
    let found: Vec<_> = std::iter::from_fn(|| take(&pool, &seat)).collect();
    assert_eq!(found, (0..70).collect::<Vec<_>>());
    assert!(is_quiet(&pool));
    assert_eq!(numbers(&pool), (0, 0));
}

#[test]
fn a_runner_takes_its_share() {
    let pool = pool(2, 200);
    let _start = fill(&pool, 10);
    let seat = pool.arrive();
    assert_eq!(take(&pool, &seat), Some(0));
    // Four more of the first half are its own, whether the line has counted them or not.
    let own: Vec<_> = std::iter::from_fn(|| pool.next_own(&seat)).map(|job| job.work).collect();
    assert_eq!(own, [1, 2, 3, 4]);
    assert_eq!(numbers(&pool), (1, 5));
}

#[test]
fn a_deck_has_a_bound() {
    let pool = pool(1, 200);
    let _start = fill(&pool, 100);
    let seat = pool.arrive();
    assert_eq!(take(&pool, &seat), Some(0));
    assert_eq!(std::iter::from_fn(|| pool.next_own(&seat)).count(), BLOCK - 1);
}

#[test]
fn who_finds_the_queue_empty_takes_half_of_a_deck() {
    let pool = pool(2, 200);
    let _start = fill(&pool, 8);
    let (first, second, third) = (pool.arrive(), pool.arrive(), pool.arrive());
    assert_eq!(take(&pool, &first), Some(0), "with 1, 2 and 3 in the deck");
    assert_eq!(take(&pool, &second), Some(4), "with 5 in the deck");
    assert_eq!(take(&pool, &third), Some(6));
    assert_eq!(take(&pool, &third), Some(7));
    assert_eq!(take(&pool, &third), Some(2), "of the first deck, the later half");
    assert_eq!(take(&pool, &third), Some(3));
    assert_eq!(numbers(&pool).1, 2);
    assert_eq!(take(&pool, &first), Some(1));
    assert_eq!(take(&pool, &third), Some(5), "the last of the second");
    assert_eq!(seen(&pool).1, 0);
    assert_eq!(numbers(&pool).1, 0);
}

#[test]
fn what_is_started_counts_no_more_when_room_is_asked_for() {
    let pool = pool(1, 3);
    let _start = fill(&pool, 4);
    let seat = pool.arrive();
    assert_eq!(take(&pool, &seat), Some(0));
    assert!(pool.push(true, job).is_none());
    assert_eq!(pool.next_own(&seat).map(|job| job.work), Some(1));
    assert!(pool.push(true, job).is_some(), "found by a recount");
    assert!(pool.push(true, job).is_none());
}

#[test]
fn a_try_uses_free_slots_alone() {
    let pool = pool(2, 8);
    let (_, start) = pool.push(false, job).expect("two slots are free");
    assert!(start.is_some());
    assert!(pool.push(false, job).is_some());
    assert!(pool.push(false, job).is_none());
    assert!(pool.push(true, job).is_some());
}

#[test]
fn a_runner_that_has_not_looked_yet_is_not_counted_with_its_job() {
    let pool = pool(2, 0);
    assert!(fill(&pool, 1).is_some());
    let _seat = pool.arrive();
    assert!(pool.push(false, job).is_some(), "one of two slots is free");
    assert!(pool.push(false, job).is_none());
}

#[test]
fn a_place_is_promised_when_one_is_free() {
    let pool = pool(1, 0);
    assert!(fill(&pool, 1).is_some());
    let (waker, calls) = counted();
    let mut ticket = None;
    assert!(!place(&pool, &mut ticket, &waker));
    assert!(pool.push(true, job).is_none());
    let seat = pool.arrive();
    assert_eq!(take(&pool, &seat), Some(0));
    assert_eq!(calls.get(), 0, "the slot is taken");
    assert_eq!(take(&pool, &seat), None);
    assert_eq!(calls.get(), 1);
    assert!(!is_quiet(&pool), "a promise is accepted");
    assert!(place(&pool, &mut ticket, &waker) && ticket.is_none());
    let (index, start) = pool.push_promised(true, job);
    assert!(start.is_some());
    assert_eq!((index, numbers(&pool)), (1, (0, 1)));
}

#[test]
fn places_are_promised_when_half_of_the_backlog_is_free() {
    let pool = pool(1, 4);
    let _start = fill(&pool, 5);
    let seat = pool.arrive();
    let (waker, calls) = counted();
    let mut tickets = [None, None, None];
    for ticket in &mut tickets {
        assert!(!place(&pool, ticket, &waker));
    }
    for (job, woken) in [(0, 0), (1, 0), (2, 2)] {
        assert_eq!(take(&pool, &seat), Some(job));
        assert_eq!(calls.get(), woken, "after job {job}");
    }
}

proptest! {
    /// Half of the backlog becomes free by the jobs that start, whoever takes them, from a deck or
    /// from the queue, and whatever was in the decks when the spawner came.
    #[test]
    fn a_spawner_is_told_whoever_empties_the_backlog(
        backlog in 0_usize..300,
        before in proptest::collection::vec(0_usize..3, 0..100),
        after in proptest::collection::vec(0_usize..3, 600),
    ) {
        let pool = pool(3, backlog);
        let _start = fill(&pool, backlog + 3);
        let seats = [pool.arrive(), pool.arrive(), pool.arrive()];
        let mut busy = [false; 3];
        for seat in before.into_iter().take(backlog / 2) {
            busy[seat] |= take(&pool, &seats[seat]).is_some();
        }
        while pool.push(true, job).is_some() {}
        let (waker, calls) = counted();
        let mut ticket = None;
        prop_assert!(!place(&pool, &mut ticket, &waker));
        let mut accepted = backlog + 3;
        let half = if backlog == 0 { 2 } else { 3 + backlog / 2 };
        for seat in after {
            // A runner that has a job has ended it when it comes for the next. The first one of
            // each goes from the queue to a slot.
            let found = take(&pool, &seats[seat]).is_some();
            accepted -= usize::from(busy[seat]);
            busy[seat] = found;
            prop_assert_eq!(calls.get(), usize::from(accepted <= half), "{} accepted", accepted);
            if accepted <= half {
                return Ok(());
            }
        }
        prop_assert!(accepted > half);
    }
}

#[test]
fn nobody_overtakes_a_spawner_that_waits() {
    let pool = pool(1, 4);
    let _start = fill(&pool, 5);
    let mut ticket = None;
    assert!(!place(&pool, &mut ticket, Waker::noop()));
    let seat = pool.arrive();
    assert_eq!((take(&pool, &seat), take(&pool, &seat)), (Some(0), Some(1)));
    // There is room, and it is not yet half of the backlog.
    assert!(pool.push(true, job).is_none() && pool.push(false, job).is_none());
    let (waker, calls) = counted();
    let mut late = None;
    assert!(!place(&pool, &mut late, &waker));
    assert!(!place(&pool, &mut ticket, Waker::noop()));
    pool.leave_place(late.take().unwrap());
    assert_eq!(take(&pool, &seat), Some(2));
    assert!(place(&pool, &mut ticket, Waker::noop()));
    assert_eq!(calls.get(), 0);
    assert!(pool.push(true, job).is_some());
}

#[test]
fn a_place_that_is_given_back_goes_to_the_next() {
    let pool = pool(1, 0);
    let _start = fill(&pool, 1);
    let (first, second) = (counted(), counted());
    let mut tickets = (None, None);
    assert!(!place(&pool, &mut tickets.0, &first.0));
    assert!(!place(&pool, &mut tickets.1, &second.0));
    let seat = pool.arrive();
    assert_eq!(take(&pool, &seat), Some(0));
    assert_eq!(take(&pool, &seat), None);
    assert_eq!((first.1.get(), second.1.get()), (1, 0));
    pool.leave_place(tickets.0.take().unwrap());
    assert_eq!(second.1.get(), 1);
    pool.leave_place(tickets.1.take().unwrap());
    assert!(is_quiet(&pool));
}

#[test]
fn a_spawner_that_leaves_the_line_gives_nothing_back() {
    let pool = pool(1, 0);
    let _start = fill(&pool, 1);
    let mut ticket = None;
    assert!(!place(&pool, &mut ticket, Waker::noop()));
    pool.leave_place(ticket.take().unwrap());
    assert_eq!(numbers(&pool), (0, 1));
    assert!(pool.push(true, job).is_none());
}

#[test]
fn sleepers_are_called_once() {
    let pool = pool(2, 8);
    let _start = fill(&pool, 1);
    let seat = pool.arrive();
    let (waker, calls) = counted();
    let mut ticket = None;
    assert_eq!(take(&pool, &seat), Some(0));
    let slept = pool.next(&seat, &mut ticket, Some(&waker));
    assert!(matches!(slept, (Next::Asleep, None)) && is_quiet(&pool));
    assert!(matches!(pool.push(true, job), Some((1, None))));
    assert_eq!(calls.get(), 1);
    assert!(matches!(pool.push(true, job), Some((2, None))));
    assert_eq!(calls.get(), 1, "it is on its way, and calls the next");
    let woken = pool.next(&seat, &mut ticket, Some(&waker));
    assert!(matches!(woken, (Next::Job(job), Some(_)) if job.work == 1));
    assert!(ticket.is_none());
}

#[test]
fn a_lower_limit_sends_home_who_comes_for_the_next_job() {
    let pool = pool(2, 8);
    let _start = fill(&pool, 8);
    let (first, second) = (pool.arrive(), pool.arrive());
    assert_eq!(take(&pool, &first), Some(0));
    // The one that the first has called.
    assert!(take(&pool, &second).is_some());
    assert!(pool.set_limit(1).is_none());
    assert!(pool.next_own(&first).is_none(), "by way of the line");
    assert_eq!(take(&pool, &first), None);
    assert_eq!(numbers(&pool), (1, 6));
    assert_eq!(seen(&pool), (1, 6), "what was in its deck is not lost");
    assert_eq!(std::iter::from_fn(|| take(&pool, &second)).count(), 6);
    assert!(is_quiet(&pool));
}

#[test]
fn a_higher_limit_calls_somebody() {
    let pool = pool(1, 8);
    let _start = fill(&pool, 3);
    let seat = pool.arrive();
    assert_eq!(take(&pool, &seat), Some(0));
    assert!(pool.set_limit(2).is_some());
    assert!(pool.set_limit(3).is_none(), "one is on the way");
}

#[test]
fn a_start_that_fails_leaves_the_slot_to_who_helps() {
    let pool = pool(1, 8);
    let start = fill(&pool, 2).expect("nobody runs");
    pool.start_failed(start);
    assert_eq!(numbers(&pool), (0, 2));
    let seat = pool.enlist().expect("a free slot, and jobs");
    assert!(pool.enlist().is_none());
    assert_eq!(std::iter::from_fn(|| take(&pool, &seat)).count(), 2);
    assert!(pool.enlist().is_none() && is_quiet(&pool));
}

#[test]
fn a_purge_takes_all_that_has_not_started() {
    let pool = pool(2, 8);
    let _start = fill(&pool, 8);
    let seat = pool.arrive();
    assert_eq!(take(&pool, &seat), Some(0));
    assert_eq!(pool.next_own(&seat).map(|job| job.work), Some(1));
    pool.purge();
    assert_eq!((seen(&pool), numbers(&pool).1), ((1, 0), 0));
    assert_eq!(take(&pool, &seat), None);
    pool.start_failed(fill_again(&pool));
    pool.purge();
    assert!(is_quiet(&pool));
}

/// The one that the first runner has called comes, finds nothing and goes; then a job is pushed.
fn fill_again(pool: &Pool<usize>) -> Start {
    let seat = pool.arrive();
    assert_eq!(take(pool, &seat), None);
    fill(pool, 1).expect("nobody runs")
}

#[test]
fn a_runner_that_quits_leaves_its_deck() {
    let pool = pool(1, 8);
    let _start = fill(&pool, 4);
    let seat = pool.arrive();
    assert_eq!(take(&pool, &seat), Some(0));
    pool.quit(&seat);
    assert_eq!((seen(&pool), numbers(&pool)), ((0, 3), (0, 3)));
    let seat = pool.enlist().expect("a free slot, and jobs");
    assert_eq!(take(&pool, &seat), Some(1), "first of all");
}

#[test]
fn a_runner_that_quits_before_it_looked_is_on_its_way_no_more() {
    let pool = pool(1, 8);
    let _start = fill(&pool, 1);
    let seat = pool.arrive();
    pool.quit(&seat);
    assert!(fill(&pool, 1).is_some(), "somebody is called again");
}

#[test]
fn dismissed_runners_are_not_called_any_more() {
    let pool = pool(2, 8);
    let _start = fill(&pool, 1);
    let seat = pool.arrive();
    let (waker, calls) = counted();
    let mut ticket = None;
    assert_eq!(take(&pool, &seat), Some(0));
    assert!(matches!(pool.next(&seat, &mut ticket, Some(&waker)), (Next::Asleep, None)));
    pool.dismiss();
    assert_eq!(calls.get(), 1);
    // Something that still runs spawns: somebody else has to come.
    assert!(fill(&pool, 1).is_some());
    assert!(matches!(pool.next(&seat, &mut ticket, Some(&waker)), (Next::Leave, None)));
    let seat = pool.arrive();
    assert_eq!(take(&pool, &seat), Some(1));
    assert!(matches!(pool.next(&seat, &mut None, Some(&waker)), (Next::Leave, None)));
    assert!(is_quiet(&pool));
}

#[test]
fn the_last_runner_of_a_closed_pool_sends_all_home() {
    let pool = pool(2, 8);
    let _start = fill(&pool, 2);
    let (first, second) = (pool.arrive(), pool.arrive());
    assert!(take(&pool, &first).is_some() && take(&pool, &second).is_some());
    let (waker, calls) = counted();
    let mut ticket = None;
    let mut sleep = |seat| pool.next(seat, &mut ticket, Some(&waker));
    assert!(matches!(sleep(&first), (Next::Asleep, None)));
    pool.close();
    assert_eq!(calls.get(), 0, "the other one may still spawn");
    assert!(fill(&pool, 1).is_none());
    assert_eq!(calls.get(), 1, "it is called, and not started");
    assert!(matches!(sleep(&first), (Next::Job(_), None)));
    assert!(matches!(sleep(&first), (Next::Asleep, None)));
    assert!(!is_quiet(&pool));
    assert!(matches!(pool.next(&second, &mut None, Some(&waker)), (Next::Leave, None)));
    assert_eq!(calls.get(), 2);
    assert!(matches!(sleep(&first), (Next::Leave, None)));
    assert!(is_quiet(&pool));
}

#[test]
fn a_pool_that_is_closed_when_all_is_over_sends_all_home() {
    let pool = pool(1, 8);
    let _start = fill(&pool, 1);
    let seat = pool.arrive();
    let (waker, calls) = counted();
    let mut ticket = None;
    assert_eq!(take(&pool, &seat), Some(0));
    assert!(matches!(pool.next(&seat, &mut ticket, Some(&waker)), (Next::Asleep, None)));
    pool.close();
    assert_eq!(calls.get(), 1);
    assert!(matches!(pool.next(&seat, &mut ticket, Some(&waker)), (Next::Leave, None)));
}
