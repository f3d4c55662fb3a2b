//! WAITERS, which sends everybody to the lock: it stands while somebody is in the line, and goes
//! with the last. Nothing else tells when it stays for too long but the time that it costs.

use crate::Semaphore;
use crate::primitives::atomic::Ordering;
use crate::protocol::Polled;
use crate::state::{Need, Word};
use crate::waiters::Ticket;
use std::task::Waker;

fn stands(sem: &Semaphore) -> bool {
    Word(sem.word.load(Ordering::Relaxed)).has_waiters()
}

/// Two permits, of which `held` are taken.
fn with_held(held: usize) -> Semaphore {
    let sem = Semaphore::new(2);
    assert_eq!(sem.take_unasked(Need::exactly(held)), Some(held));
    sem
}

fn queued(sem: &Semaphore, permits: usize) -> Ticket {
    let mut ticket = None;
    let polled = sem.poll_acquire(Need::exactly(permits), &mut ticket, Waker::noop());
    assert!(matches!(polled, Polled::Queued { .. }));
    ticket.expect("who is queued has a ticket")
}

fn idle(sem: &Semaphore) -> Ticket {
    let mut ticket = None;
    assert!(matches!(sem.poll_idle(&mut ticket, Waker::noop()), Polled::Queued { .. }));
    ticket.expect("who is queued has a ticket")
}

#[test]
fn stands_while_a_request_waits_and_goes_when_the_last_is_served() {
    let sem = with_held(2);
    assert!(!stands(&sem));
    let _tickets = [queued(&sem, 1), queued(&sem, 1)];
    assert!(stands(&sem));
    sem.release(1);
    assert!(stands(&sem));
    sem.release(1);
    assert!(!stands(&sem));
}

#[test]
fn goes_when_the_last_request_leaves() {
    let sem = with_held(2);
    let (one, two) = (queued(&sem, 1), queued(&sem, 2));
    assert!(sem.leave(one).is_none());
    assert!(stands(&sem));
    assert!(sem.leave(two).is_none());
    assert!(!stands(&sem));
}

#[test]
fn goes_when_the_last_request_fails() {
    let sem = with_held(2);
    let _ticket = queued(&sem, 2);
    sem.set_limit(1).unwrap();
    assert!(!stands(&sem));
    let _ticket = queued(&sem, 1);
    sem.close();
    assert!(!stands(&sem));
}

#[test]
fn goes_when_the_only_request_is_forgotten_out_of_reach() {
    let sem = with_held(1);
    let _ticket = queued(&sem, 2);
    sem.forget(1);
    assert!(!stands(&sem));
}

#[test]
fn is_not_left_behind_by_attempts() {
    let sem = with_held(1);
    sem.try_take(Need::exactly(2)).unwrap_err();
    sem.try_take(Need::exactly(3)).unwrap_err();
    sem.try_take(Need::All).unwrap_err();
    assert_eq!(sem.try_take(Need::exactly(0)), Ok(0));
    assert!(!stands(&sem));
    sem.release(1);
    assert_eq!(sem.try_take(Need::All), Ok(2));
    assert!(!stands(&sem));
}

#[test]
fn is_not_left_behind_by_who_finds_the_line_full_or_the_permits_there() {
    let sem = Semaphore::builder(2).max_waiters(0).build().unwrap();
    for (need, expected) in [(Need::All, Ok(2)), (Need::exactly(1), Err(()))] {
        let polled = sem.poll_acquire(need, &mut None, Waker::noop());
        let Polled::Ready(outcome) = polled else { panic!("nothing waits here") };
        assert_eq!(outcome.map_err(drop), expected);
        assert!(!stands(&sem));
    }
}

#[test]
fn stands_for_a_wait_for_idleness_whatever_requests_do() {
    let sem = with_held(2);
    let _idle = idle(&sem);
    let request = queued(&sem, 1);
    assert!(sem.leave(request).is_none());
    assert!(stands(&sem));
    sem.release(1);
    assert_eq!(sem.try_take(Need::exactly(1)), Ok(1));
    sem.try_take(Need::exactly(1)).unwrap_err();
    sem.close();
    assert!(stands(&sem));
    sem.release(2);
    assert!(!stands(&sem), "it is idle");
}

#[test]
fn goes_when_the_last_wait_for_idleness_leaves() {
    let sem = with_held(1);
    let (one, two) = (idle(&sem), idle(&sem));
    assert!(sem.leave_idle(one).is_none());
    assert!(stands(&sem));
    assert!(sem.leave_idle(two).is_none());
    assert!(!stands(&sem));
    sem.release(1);
    assert!(matches!(sem.poll_idle(&mut None, Waker::noop()), Polled::Ready(())));
    assert!(!stands(&sem), "nor does one that has nothing to wait for leave it");
}
