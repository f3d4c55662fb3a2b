//! What a task's wait leaves behind when it is dropped, at whatever moment.
#![cfg(feature = "async")]

use crate::support::tasks::{Task, poll};
use crate::support::{Wakes, figures, panic_of, semaphore};
use lockgate_semaphore::{Acquire, Semaphore, TryAcquireError};
use std::sync::Arc;

#[test]
fn a_wait_does_nothing_before_it_is_polled() {
    let sem = semaphore(1);
    let unpolled = sem.acquire(1);
    assert_eq!(figures(&sem), (1, 0, 0));
    drop(unpolled);
    let early = sem.acquire(1);
    let held = sem.try_acquire(1).unwrap();
    let mut late = Task::queued(sem.acquire(1));
    let mut early = Task::queued(early);
    drop(held);
    assert!(early.is_waiting(), "its place is that of its first poll");
    drop(late.ready().unwrap());
    drop(early.woken().unwrap());
}

#[test]
fn dropping_a_queued_wait_removes_it_from_the_line() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let queued = Task::queued(sem.acquire(1));
    assert_eq!(sem.waiters(), 1);
    drop(queued);
    assert_eq!(figures(&sem), (0, 1, 0));
    drop(held);
    assert_eq!(sem.try_acquire(1).unwrap().weight(), 1, "nothing of it is left");
}

#[test]
fn dropping_the_wait_in_front_serves_everybody_who_fits_behind_it() {
    let sem = semaphore(3);
    let held = sem.try_acquire(1).unwrap();
    let front = Task::queued(sem.acquire(3));
    let second = Task::queued(sem.acquire(1));
    let third = Task::queued(sem.acquire(1));
    let mut fourth = Task::queued(sem.acquire(1));
    drop(front);
    assert_eq!(figures(&sem), (0, 3, 1));
    assert!(fourth.is_waiting());
    drop((second.woken().unwrap(), third.woken().unwrap(), held));
    drop(fourth.woken().unwrap());
}

#[test]
fn dropping_a_wait_in_the_middle_or_at_the_end_keeps_the_order_of_the_others() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let first = Task::queued(sem.acquire(1));
    let middle = Task::queued(sem.acquire(1));
    let mut second = Task::queued(sem.acquire(1));
    let last = Task::queued(sem.acquire(1));
    drop(middle);
    drop(last);
    assert_eq!(figures(&sem), (0, 1, 2));
    drop(held);
    let first = first.woken().unwrap();
    assert!(second.is_waiting());
    let newcomer = Task::queued(sem.acquire(1));
    drop(first);
    drop(second.woken().unwrap());
    drop(newcomer.woken().unwrap());
}

#[test]
fn dropping_a_granted_wait_gives_its_permits_to_the_next() {
    let sem = semaphore(2);
    let held = sem.try_acquire(2).unwrap();
    let granted = Task::queued(sem.acquire(2));
    let mut next = Task::queued(sem.acquire(1));
    drop(held);
    assert_eq!(granted.wakes.count(), 1);
    assert!(next.is_waiting());
    drop(granted);
    assert_eq!(figures(&sem), (1, 1, 0));
    drop(next.woken().unwrap());
    assert_eq!(figures(&sem), (2, 0, 0));
}

#[test]
fn dropping_a_failed_wait_gives_nothing_back() {
    let sem = semaphore(2);
    let held = sem.try_acquire(2).unwrap();
    let failed = Task::queued(sem.acquire(2));
    sem.set_limit(1).unwrap();
    assert_eq!(failed.wakes.count(), 1);
    drop(failed);
    let closed = Task::queued(sem.acquire(1));
    sem.close();
    assert_eq!(closed.wakes.count(), 1);
    drop(closed);
    assert_eq!(figures(&sem), (0, 2, 0));
    drop(held);
    assert_eq!(figures(&sem), (1, 0, 0));
}

#[test]
fn dropping_a_granted_wait_after_the_close_gives_its_permits_back() {
    let sem = semaphore(2);
    let held = sem.try_acquire(2).unwrap();
    let granted = Task::queued(sem.acquire(2));
    drop(held);
    sem.close();
    assert_eq!(figures(&sem), (0, 2, 0));
    drop(granted);
    assert_eq!(figures(&sem), (2, 0, 0));
}

#[test]
fn dropping_a_granted_wait_after_the_limit_shrank_pays_the_debt() {
    let sem = semaphore(4);
    let held = sem.try_acquire(4).unwrap();
    let granted = Task::queued(sem.acquire(4));
    drop(held);
    sem.set_limit(1).unwrap();
    assert_eq!(granted.wakes.count(), 1, "a grant is not taken back");
    assert_eq!(figures(&sem), (0, 4, 0));
    drop(granted);
    assert_eq!(figures(&sem), (1, 0, 0));
}

#[test]
fn a_granted_wait_that_nobody_polls_holds_up_the_line() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let mut neglected = Task::queued(sem.acquire(1));
    let mut next = Task::queued(sem.acquire(1));
    drop(held);
    assert_eq!(figures(&sem), (0, 1, 1), "its permit counts as held");
    assert!(next.is_waiting());
    assert_eq!(sem.try_acquire(1).unwrap_err(), TryAcquireError::NoPermits);
    drop(neglected.ready().unwrap());
    drop(next.woken().unwrap());
}

#[test]
fn dropping_a_granted_wait_that_nobody_polls_lets_the_line_go_on() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let neglected = Task::queued(sem.acquire(1));
    let next = Task::queued(sem.acquire(1));
    drop(held);
    drop(neglected);
    drop(next.woken().unwrap());
    assert_eq!(figures(&sem), (1, 0, 0));
}

#[test]
fn polling_a_queued_wait_again_keeps_its_place() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let mut first = Task::queued(sem.acquire(1));
    let mut second = Task::queued(sem.acquire(1));
    for _ in 0..3 {
        assert!(second.is_waiting());
        assert!(first.is_waiting());
    }
    assert_eq!(sem.waiters(), 2);
    drop(held);
    drop(first.woken().unwrap());
    drop(second.woken().unwrap());
}

#[test]
fn a_task_that_moves_is_woken_where_it_is_now() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let (old, new) = (Wakes::new(), Wakes::new());
    let mut wait = sem.acquire(1);
    assert!(poll(&mut wait, &old.waker()).is_pending());
    assert!(poll(&mut wait, &new.waker()).is_pending());
    assert_eq!(Arc::strong_count(&old), 1, "the old waker is let go");
    drop(held);
    assert_eq!((old.count(), new.count()), (0, 1));
    assert!(poll(&mut wait, &old.waker()).is_ready());
    assert_eq!(Arc::strong_count(&new), 1);
}

#[test]
fn a_wait_of_nobody_keeps_no_waker() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let wakes = Wakes::new();
    let mut wait = sem.acquire(1);
    assert!(poll(&mut wait, &wakes.waker()).is_pending());
    assert_eq!(Arc::strong_count(&wakes), 2);
    drop(wait);
    assert_eq!(Arc::strong_count(&wakes), 1);
    assert_eq!(wakes.count(), 0, "who leaves is not woken");
    drop(held);
}

#[test]
fn polling_after_the_end_panics_and_harms_nobody() {
    let sem = semaphore(1);
    let mut wait = Task::new(sem.acquire(1));
    let permit = wait.ready().unwrap();
    assert!(panic_of(|| drop(wait.poll())).contains("polled again"));
    let mut failed = Task::new(sem.acquire(2));
    failed.ready().unwrap_err();
    assert!(panic_of(|| drop(failed.poll())).contains("polled again"));
    drop(permit);
    let mut idle = Task::new(sem.wait_idle());
    idle.ready();
    assert!(panic_of(|| assert!(idle.poll().is_ready())).contains("polled again"));
    assert_eq!(figures(&sem), (1, 0, 0));
}

#[test]
fn an_owned_wait_keeps_its_semaphore_and_lets_it_go() {
    let sem = semaphore(1);
    let held = sem.try_acquire_owned(1).unwrap();
    let queued = Task::queued(sem.acquire_owned(1));
    let failed = Task::queued(sem.acquire_all_owned());
    let idle = Task::queued(sem.wait_idle_owned());
    assert_eq!(Arc::strong_count(&sem), 5);
    sem.close();
    drop(held);
    idle.woken();
    failed.woken().unwrap_err();
    drop(queued);
    assert_eq!(Arc::strong_count(&sem), 1);
}

#[test]
fn debug_output_tells_how_it_stands() {
    let sem = Semaphore::new(1);
    let mut wait: Acquire<&Semaphore> = sem.acquire(1);
    assert!(format!("{wait:?}").contains("queued: false"));
    let held = sem.try_acquire(1).unwrap();
    assert!(poll(&mut wait, &Wakes::new().waker()).is_pending());
    assert!(format!("{wait:?}").contains("queued: true"));
    let text = format!("{sem:?}");
    for part in ["limit: 1", "available: 0", "waiters: 1", "closed: false"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(format!("{held:?}").contains("weight: 1"));
}
