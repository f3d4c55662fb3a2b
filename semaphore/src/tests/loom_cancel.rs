//! Waits that are dropped: in front, in the middle, granted or about to be.

use super::support::{Ledger, assert_at_rest, poll, queue, ready};
use crate::primitives::{Arc, Explore, explore, thread};
use crate::{AcquireError, Semaphore};
use std::task::Poll;

/// S4: the request in front, too heavy for what is free, is cancelled while a lighter one stands
/// or comes to stand behind it. The free permit must go to the lighter one, though nobody
/// releases anything (go#37852, shuttle#167).
#[test]
fn front_cancel_wakes_next() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(1).unwrap();
        let heavy = queue(&sem, 2);
        let canceller = thread::spawn(move || drop(heavy));
        let light = sem.acquire(1).wait().unwrap();
        canceller.join().unwrap();
        drop((light, held));
        assert_at_rest(&sem, 2);
    });
}

/// S5: a request is cancelled while it is granted. It keeps nothing: who comes next gets the
/// permit, and sees what the last holder did (go#63615, asyncband#41).
#[test]
fn cancel_meets_grant() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let ledger = Ledger::new();
        let held = sem.try_acquire_owned(1).unwrap();
        let wait = queue(&sem, 1);
        let canceller = thread::spawn(move || drop(wait));
        ledger.enter();
        drop(held);
        let permit = sem.acquire(1).wait().unwrap();
        ledger.enter();
        drop(permit);
        canceller.join().unwrap();
        assert_eq!(ledger.entries(), 2);
        assert_at_rest(&sem, 1);
    });
}

/// A release comes with the permit in hand to serve the line, and finds that the only request has
/// left: the permit is there for whoever comes, and with it what was done under it.
#[test]
fn hand_over_to_nobody_publishes() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let ledger = Ledger::new();
        let held = sem.try_acquire_owned(1).unwrap();
        let wait = queue(&sem, 1);
        let releaser = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                ledger.enter();
                drop(held);
            })
        };
        drop(wait);
        if let Ok(permit) = sem.try_acquire(1) {
            assert_eq!(ledger.entries(), 1);
            drop(permit);
        }
        releaser.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// S5 with somebody behind it: the permit reaches the next in line, whether the cancelled
/// request had it for a moment or not.
#[test]
fn cancel_meets_grant_with_one_behind() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let ledger = Ledger::new();
        let held = sem.try_acquire_owned(1).unwrap();
        let front = queue(&sem, 1);
        let behind = queue(&sem, 1);
        let canceller = thread::spawn(move || drop(front));
        let releaser = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                ledger.enter();
                drop(held);
            })
        };
        let permit = behind.wait().unwrap();
        assert_eq!(ledger.entries(), 1);
        drop(permit);
        canceller.join().unwrap();
        releaser.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// S6: the request in the middle is cancelled while the one before it is served. The links on
/// both sides hold, and the last one is found.
#[test]
fn middle_cancel_keeps_the_line_together() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let [first, middle, mut last] = [(); 3].map(|()| queue(&sem, 1));
        let canceller = thread::spawn(move || drop(middle));
        drop(held);
        let permit = ready(first).unwrap();
        // The middle one is gone or comes next; the last one does not.
        assert!(poll(&mut last).is_pending());
        drop(permit);
        canceller.join().unwrap();
        drop(ready(last).unwrap());
        assert_at_rest(&sem, 1);
    });
}

/// Two neighbours are cancelled at the same time, and the one behind them is found.
#[test]
fn two_cancels_of_neighbours() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(1).unwrap();
        let [first, second] = [(); 2].map(|()| queue(&sem, 2));
        let last = queue(&sem, 1);
        let canceller = thread::spawn(move || drop(first));
        drop(second);
        canceller.join().unwrap();
        drop((ready(last).unwrap(), held));
        assert_at_rest(&sem, 2);
    });
}

/// The last one in line is cancelled while another comes to stand in it: the mark in the word
/// is not taken from under the newcomer, whom the release would overlook.
#[test]
fn last_cancel_meets_a_newcomer() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let wait = queue(&sem, 1);
        let canceller = thread::spawn(move || drop(wait));
        let releaser = thread::spawn(move || drop(held));
        drop(sem.acquire(1).wait().unwrap());
        canceller.join().unwrap();
        releaser.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// A line with one place, left while another request asks for it: the other one is in or is
/// refused, and a refusal leaves no mark behind.
#[test]
fn full_queue_meets_a_leave() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::builder(1).max_waiters(1).build().unwrap());
        let held = sem.try_acquire_owned(1).unwrap();
        let wait = queue(&sem, 1);
        let canceller = thread::spawn(move || drop(wait));
        let mut other = sem.acquire(1);
        let polled = poll(&mut other);
        assert!(sem.waiters() <= 1);
        canceller.join().unwrap();
        match polled {
            Poll::Ready(refused) => {
                assert_eq!(refused.unwrap_err(), AcquireError::QueueFull { max_waiters: 1 });
                drop((other, held));
            }
            Poll::Pending => {
                drop(held);
                drop(ready(other).unwrap());
            }
        }
        assert_at_rest(&sem, 1);
    });
}

/// No place in line at all: the refusal sets the mark and takes it back while a permit is released.
/// The permit is not lost and the mark not left.
#[test]
fn refusal_without_a_line_meets_a_release() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::builder(2).max_waiters(0).build().unwrap());
        let [kept, held] = [(); 2].map(|()| sem.try_acquire_owned(1).unwrap());
        let releaser = thread::spawn(move || drop(held));
        let error = sem.acquire(2).wait().unwrap_err();
        assert_eq!(error, AcquireError::QueueFull { max_waiters: 0 });
        releaser.join().unwrap();
        assert_eq!((sem.available(), sem.snapshot().has_waiters()), (1, false));
        drop(kept);
        assert_at_rest(&sem, 2);
    });
}
