//! Deadlines that pass while the permits come.

use super::support::{Ledger, assert_at_rest, assert_closed_at_rest, queue};
use crate::primitives::{Arc, Deadline, Explore, explore, thread};
use crate::{AcquireTimeoutError, Semaphore};

/// S10: a parked thread is granted its permit while its deadline passes. It has the permit, and
/// then all that was done under it, or the error, and then the permit is free.
#[test]
fn timeout_meets_grant() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let ledger = Ledger::new();
        let held = sem.try_acquire_owned(1).unwrap();
        let deadline = Deadline::unfired();
        let releaser = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                ledger.enter();
                drop(held);
            })
        };
        let timer = fire_later(&deadline);
        match sem.acquire(1).wait_until(deadline) {
            Ok(permit) => {
                assert_eq!(ledger.entries(), 1);
                drop(permit);
            }
            Err(error) => assert_eq!(error, AcquireTimeoutError::Timeout),
        }
        releaser.join().unwrap();
        timer.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// S10: the grant comes first and the deadline passes before the thread has noticed: it was
/// granted, so it has the permit.
#[test]
fn grant_before_the_deadline_counts() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let deadline = Deadline::unfired();
        let other = {
            let (sem, deadline) = (Arc::clone(&sem), deadline.clone());
            thread::spawn(move || {
                while sem.waiters() == 0 {
                    thread::yield_now();
                }
                drop(held);
                deadline.fire();
            })
        };
        drop(sem.acquire(1).wait_until(deadline).unwrap());
        other.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// S10: somebody unparked the thread before, so that its first park returns at once: that is
/// neither a grant nor a time-out.
#[test]
fn spurious_unpark_is_no_grant() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let releaser = thread::spawn(move || drop(held));
        thread::current().unpark();
        let permit = sem.acquire(1).wait_until(Deadline::unfired()).unwrap();
        drop(permit);
        releaser.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// S10: nobody releases: the deadline ends the wait, and the line is left as if it had never been.
#[test]
fn timeout_leaves_the_line() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let deadline = Deadline::unfired();
        let timer = fire_later(&deadline);
        let error = sem.acquire(1).wait_until(deadline).unwrap_err();
        assert_eq!(error, AcquireTimeoutError::Timeout);
        timer.join().unwrap();
        drop(held);
        assert_at_rest(&sem, 1);
    });
}

/// S10 and S4: the time-out of a heavy request in front lets the light one behind it pass.
#[test]
fn front_timeout_wakes_next() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(1).unwrap();
        let heavy = queue(&sem, 2);
        let deadline = Deadline::unfired();
        let timed = {
            let deadline = deadline.clone();
            thread::spawn(move || heavy.wait_until(deadline).unwrap_err())
        };
        deadline.fire();
        let light = sem.acquire(1).wait().unwrap();
        assert_eq!(timed.join().unwrap(), AcquireTimeoutError::Timeout);
        drop((light, held));
        assert_at_rest(&sem, 2);
    });
}

/// A deadline and a close meet: one of the two is the error, and nothing is left in line.
#[test]
fn timeout_meets_close() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let deadline = Deadline::unfired();
        let closer = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || sem.close())
        };
        let timer = fire_later(&deadline);
        let error = sem.acquire(1).wait_until(deadline).unwrap_err();
        assert!(error.is_timeout() || error.is_closed(), "{error}");
        closer.join().unwrap();
        timer.join().unwrap();
        drop(held);
        assert_closed_at_rest(&sem, 1);
    });
}

/// The deadline of a wait for idleness passes while the last permit comes back: if it says idle,
/// what the holder did is seen.
#[test]
fn idle_timeout_meets_release() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let ledger = Ledger::new();
        let held = sem.try_acquire_owned(1).unwrap();
        let deadline = Deadline::unfired();
        let releaser = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                ledger.enter();
                drop(held);
            })
        };
        let timer = fire_later(&deadline);
        if sem.wait_idle().wait_until(deadline).is_ok() {
            assert_eq!(ledger.entries(), 1);
        }
        releaser.join().unwrap();
        timer.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

fn fire_later(deadline: &Deadline) -> thread::JoinHandle<()> {
    let deadline = deadline.clone();
    thread::spawn(move || deadline.fire())
}
