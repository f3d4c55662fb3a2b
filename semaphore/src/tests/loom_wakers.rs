//! Wakers that move, come back, panic or own the semaphore.

use super::support::{assert_at_rest, poll_with, queue, ready, waker_fn};
use crate::primitives::{Arc, Explore, TrackedArc, explore, future, thread};
use crate::state::Need;
use crate::{Acquire, Idle, Semaphore};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;

/// A task moves, and is polled with another waker, while its permit is granted: the new waker is
/// called, or the poll that brought it finds the permit.
#[test]
fn moved_task_meets_grant() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let wait = queue(&sem, 1);
        let releaser = thread::spawn(move || drop(held));
        drop(future::block_on(wait).unwrap());
        releaser.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// The same for a task that a thread takes over, and for a wait for idleness.
#[test]
fn polled_waits_that_go_on_as_threads() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let wait = queue(&sem, 1);
        let idler = super::support::queue_idle(&sem);
        let idle = thread::spawn(move || idler.wait());
        let releaser = thread::spawn(move || drop(held));
        drop(wait.wait().unwrap());
        releaser.join().unwrap();
        idle.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// S13: a waker that takes a permit, gives one back and asks for everything, inside `wake`. It
/// runs outside the lock, so nothing hangs, also when another thread uses the semaphore
/// (tokio#8529).
#[test]
fn waker_comes_back_inside_wake() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(1).unwrap();
        let other = sem.try_acquire_owned(1).unwrap();
        let waker = {
            let sem = Arc::clone(&sem);
            waker_fn(move || {
                drop(sem.try_acquire(1));
                assert!(sem.waiters() <= 1);
                drop(sem.acquire(1).wait().unwrap());
            })
        };
        let mut wait = sem.acquire_owned(1);
        assert!(poll_with(&mut wait, &waker).is_pending());
        drop(waker);
        let releaser = thread::spawn(move || drop(held));
        drop(other);
        releaser.join().unwrap();
        drop(ready(wait).unwrap());
        assert_at_rest(&sem, 2);
    });
}

/// S17: the first of two wakers that one release calls panics. The other one is called all the
/// same, and the panic goes on to the releaser.
#[test]
fn panic_in_one_wake_still_wakes_others() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(2).unwrap();
        let mut bad = sem.acquire_owned(1);
        // Not `panic!`: its message, once per schedule, tells nobody anything.
        let waker = waker_fn(|| resume_unwind(Box::new("a waker that panics")));
        assert!(poll_with(&mut bad, &waker).is_pending());
        let waiter = {
            let wait = queue(&sem, 1);
            thread::spawn(move || drop(wait.wait().unwrap()))
        };
        let panicked = catch_unwind(AssertUnwindSafe(|| drop(held))).is_err();
        assert!(panicked, "the panic is not swallowed");
        waiter.join().unwrap();
        drop(ready(bad).unwrap());
        assert_at_rest(&sem, 2);
    });
}

/// S15: the last owner of the semaphore is a permit that is dropped on one thread while a request
/// is granted on the other. The permits are given back before the owner goes (glibc bug 12674),
/// and the semaphore is freed: loom reports a tracked owner that leaks.
#[test]
fn last_owner_is_a_permit() {
    explore(Explore::All, || {
        let sem = TrackedArc::new(Semaphore::new(1));
        let permit = ready(Acquire::new(sem.clone(), Need::exactly(1))).unwrap();
        let releaser = thread::spawn(move || drop(permit));
        let permit = Acquire::new(sem, Need::exactly(1)).wait().unwrap();
        assert_eq!(permit.semaphore().available(), 0);
        drop(permit);
        releaser.join().unwrap();
    });
}

/// S15: the last owner of the semaphore is the waker of a request in its own line, as when a task
/// owns the semaphore that it waits for. Cancelled or granted, the circle is broken.
#[test]
fn last_owner_is_a_waker() {
    explore(Explore::All, || {
        let sem = TrackedArc::new(Semaphore::new(1));
        let permit = ready(Acquire::new(sem.clone(), Need::exactly(1))).unwrap();
        let owner = sem.clone();
        let waker = waker_fn(move || assert!(owner.available() <= 1));
        let mut wait = Acquire::new(sem.clone(), Need::exactly(1));
        assert!(poll_with(&mut wait, &waker).is_pending());
        let mut idle = Idle::new(sem);
        assert!(poll_with(&mut idle, &waker).is_pending());
        drop(waker);
        let canceller = thread::spawn(move || drop((wait, idle)));
        drop(permit);
        canceller.join().unwrap();
    });
}

/// A waker drops the very wait that it wakes, which was granted a moment ago: the permit goes on
/// to the next, out of the call that granted it.
#[test]
fn waker_cancels_what_it_wakes() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let place = Arc::new(Mutex::new(None));
        let waker = {
            let place = Arc::clone(&place);
            waker_fn(move || {
                let wait = place.lock().unwrap().take();
                drop(wait);
            })
        };
        let mut wait = sem.acquire_owned(1);
        assert!(poll_with(&mut wait, &waker).is_pending());
        *place.lock().unwrap() = Some(wait);
        let releaser = thread::spawn(move || drop(held));
        drop(sem.acquire(1).wait().unwrap());
        releaser.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}
