//! Who comes first, and who may pass.

use super::support::{assert_at_rest, poll, queue, queue_idle, ready};
use crate::primitives::atomic::{AtomicBool, Ordering};
use crate::primitives::{Arc, Explore, explore, thread};
use crate::{AcquireError, Semaphore, TryAcquireError};
use std::task::Poll;

/// S11: a free permit that is too few for the request in line is kept for it: nobody who tries
/// takes it, and so the request is served by the one release that it misses.
#[test]
fn try_never_overtakes() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(1).unwrap();
        let heavy = queue(&sem, 2);
        let releaser = thread::spawn(move || drop(held));
        assert_eq!(sem.try_acquire(1).unwrap_err(), TryAcquireError::NoPermits);
        releaser.join().unwrap();
        drop(ready(heavy).unwrap());
        assert_at_rest(&sem, 2);
    });
}

/// S11 with a request that is only arriving: once a try was let through, it was first.
#[test]
fn try_meets_a_request_that_queues() {
    explore(Explore::Preemptions(3), || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(1).unwrap();
        let stands = Arc::new(AtomicBool::new(false));
        let releaser = thread::spawn(move || drop(held));
        let waiter = {
            let (sem, stands) = (Arc::clone(&sem), Arc::clone(&stands));
            thread::spawn(move || {
                let mut heavy = sem.acquire(2);
                if poll(&mut heavy).is_pending() {
                    // ORDERING: Release pairs with the Acquire below.
                    stands.store(true, Ordering::Release);
                    drop(heavy.wait().unwrap());
                }
            })
        };
        // ORDERING: Acquire pairs with the Release above.
        let stood = stands.load(Ordering::Acquire);
        if let Ok(permit) = sem.try_acquire(1) {
            // Either nobody stood there yet, or the heavy one was served and is gone.
            assert!(!stood || sem.waiters() == 0);
            drop(permit);
        }
        waiter.join().unwrap();
        releaser.join().unwrap();
        assert_at_rest(&sem, 2);
    });
}

/// A wait for idleness sets the same mark in the word as a request, but it takes no permit:
/// whoever tries while it waits, comes or goes gets what is free.
#[test]
fn try_passes_an_idler() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(1).unwrap();
        let idler = queue_idle(&sem);
        let leaver = thread::spawn(move || drop(idler));
        let permit = sem.try_acquire(1).unwrap();
        leaver.join().unwrap();
        assert!(!sem.snapshot().has_waiters(), "nobody is in line");
        drop((permit, held));
        assert_at_rest(&sem, 2);
    });
}

/// Two try for one permit at the desk, while the wait for idleness that sent them there goes: one
/// is refused, and if it was the last to set the mark, it takes it back.
#[test]
fn refused_try_leaves_no_mark() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(1).unwrap();
        let idler = queue_idle(&sem);
        let leaver = thread::spawn(move || drop(idler));
        let other = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || sem.try_acquire_owned(1).ok())
        };
        let mine = sem.try_acquire_owned(1).ok();
        leaver.join().unwrap();
        let other = other.join().unwrap();
        assert!(mine.is_some() != other.is_some(), "one permit, and nobody was before them");
        assert!(!sem.snapshot().has_waiters(), "nobody is in line");
        drop((mine, other, held));
        assert_at_rest(&sem, 2);
    });
}

/// S14: two equal requests are served in the order of their arrival, even if the release comes
/// while the second arrives.
#[test]
fn equal_requests_are_served_in_order() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let mut first = queue(&sem, 1);
        let releaser = thread::spawn(move || drop(held));
        let mut second = sem.acquire_owned(1);
        assert!(poll(&mut second).is_pending(), "the first one has it or is before us");
        releaser.join().unwrap();
        let Poll::Ready(Ok(permit)) = poll(&mut first) else { panic!("the first one is next") };
        assert!(poll(&mut second).is_pending());
        drop(permit);
        drop(ready(second).unwrap());
        assert_at_rest(&sem, 1);
    });
}

/// S14: the light request that arrives behind a heavy one waits for it, though a permit is free:
/// else heavy ones starve.
#[test]
fn light_request_does_not_pass_a_heavy_one() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(3));
        let held = sem.try_acquire_owned(2).unwrap();
        let heavy = queue(&sem, 3);
        let releaser = thread::spawn(move || drop(held));
        let mut light = sem.acquire_owned(1);
        assert!(poll(&mut light).is_pending());
        releaser.join().unwrap();
        let heavy = ready(heavy).unwrap();
        assert!(poll(&mut light).is_pending());
        drop(heavy);
        drop(ready(light).unwrap());
        assert_at_rest(&sem, 3);
    });
}

/// S18: a request beyond the limit fails at once and stands in nobody's way (go's `Acquire` waits
/// for its context, tokio's waits for ever and hoards).
#[test]
fn impossible_request_blocks_nobody() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let impossible = {
            let wait = sem.acquire_owned(3);
            thread::spawn(move || wait.wait().unwrap_err())
        };
        let first = sem.acquire(1).wait().unwrap();
        let second = sem.try_acquire(1).unwrap();
        drop((first, second));
        let error = impossible.join().unwrap();
        assert_eq!(error, AcquireError::ExceedsLimit { requested: 3, limit: 2 });
        assert_at_rest(&sem, 2);
    });
}

/// A request for no permits passes everybody, and leaves the mark of those who wait.
#[test]
fn request_for_nothing_passes_the_line() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let nothing = {
            let wait = sem.acquire_owned(0);
            thread::spawn(move || drop(ready(wait).unwrap()))
        };
        let wait = queue(&sem, 1);
        nothing.join().unwrap();
        drop(held);
        drop(ready(wait).unwrap());
        assert_at_rest(&sem, 1);
    });
}
