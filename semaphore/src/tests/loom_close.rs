//! Closing while others wait, release and change the limit.

use super::support::{Ledger, assert_closed_at_rest, queue, ready};
use crate::primitives::{Arc, Explore, explore, thread};
use crate::{AcquireError, Semaphore, TryAcquireError};

/// S7: close, a release and a request at once. The request gets the permit or hears that it is
/// closed, and never waits on.
#[test]
fn close_meets_release_and_acquire() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let releaser = thread::spawn(move || drop(held));
        let closer = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || sem.close())
        };
        match sem.acquire(1).wait() {
            Ok(permit) => drop(permit),
            Err(error) => assert_eq!(error, AcquireError::Closed),
        }
        releaser.join().unwrap();
        closer.join().unwrap();
        assert_closed_at_rest(&sem, 1);
    });
}

/// S7, two threads, so every schedule: the permit is not released, so only the close can end the
/// wait, and who is told of it sees what was done before.
#[test]
fn close_ends_a_wait_that_begins() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let ledger = Ledger::new();
        let closer = close_later(&sem, &ledger);
        assert_eq!(sem.acquire(1).wait().unwrap_err(), AcquireError::Closed);
        assert_eq!(ledger.entries(), 1);
        closer.join().unwrap();
        drop(held);
        assert_closed_at_rest(&sem, 1);
    });
}

/// Who sees the semaphore closed, by whatever call, sees what was done before it was.
#[test]
fn close_publishes() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let ledger = Ledger::new();
        let closer = close_later(&sem, &ledger);
        if sem.is_closed() {
            assert_eq!(ledger.entries(), 1);
        }
        closer.join().unwrap();
        assert_closed_at_rest(&sem, 1);
    });
}

/// The same for a request that never waits.
#[test]
fn close_publishes_to_a_try() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let ledger = Ledger::new();
        let closer = close_later(&sem, &ledger);
        match sem.try_acquire(1) {
            Ok(permit) => drop(permit),
            Err(error) => {
                assert_eq!((error, ledger.entries()), (TryAcquireError::Closed, 1));
            }
        }
        closer.join().unwrap();
        assert_closed_at_rest(&sem, 1);
    });
}

/// Close and a grant meet: the request that was in line has a permit or an error, and the permit
/// is good after the close.
#[test]
fn close_meets_grant() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let wait = queue(&sem, 1);
        let closer = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || sem.close())
        };
        drop(held);
        closer.join().unwrap();
        match ready(wait) {
            Ok(permit) => assert_eq!((permit.weight(), sem.in_use()), (1, 1)),
            Err(error) => assert_eq!(error, AcquireError::Closed),
        }
        assert_closed_at_rest(&sem, 1);
    });
}

/// S7: CLOSED survives whatever else is added to the word or subtracted from it at the same time
/// (tokio#8021: forgetting permits opened a closed semaphore again).
#[test]
fn closed_survives_forget_and_resize() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(3));
        let forgotten = sem.try_acquire_owned(1).unwrap();
        let forgetter = thread::spawn(move || forgotten.forget());
        let resizer = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || sem.set_limit(2).unwrap())
        };
        sem.close();
        assert!(sem.is_closed());
        forgetter.join().unwrap();
        resizer.join().unwrap();
        // Forgotten before the limit was set, or after.
        let limit = sem.limit();
        assert!(limit == 2 || limit == 1, "{limit}");
        assert_closed_at_rest(&sem, limit);
    });
}

/// CLOSED survives a release that pays back into a debt and a line that becomes empty.
#[test]
fn closed_survives_the_last_one_in_line() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let wait = queue(&sem, 1);
        let canceller = thread::spawn(move || drop(wait));
        sem.close();
        assert_eq!(sem.try_acquire(1).unwrap_err(), TryAcquireError::Closed);
        drop(held);
        canceller.join().unwrap();
        assert_closed_at_rest(&sem, 1);
    });
}

fn close_later(sem: &Arc<Semaphore>, ledger: &Arc<Ledger>) -> thread::JoinHandle<()> {
    let (sem, ledger) = (Arc::clone(sem), Arc::clone(ledger));
    thread::spawn(move || {
        ledger.enter();
        sem.close();
    })
}
