//! Permits that go from one holder to the next.

use super::support::{Gauge, Ledger, assert_at_rest, queue, queued, ready};
use crate::primitives::{Arc, Explore, explore, future, thread};
use crate::{AcquireOwned, OwnedPermit, Semaphore};

/// S1: one permit, a thread and a task. Never two holders, each sees what the other did, and
/// neither is left behind. Two variables, one for the permits and one for who waits, is where
/// libc++ (llvm#77659) and event-listener (#138) lost a wake-up here.
#[test]
fn one_permit_excludes_a_thread_and_a_task() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let ledger = Ledger::new();
        let thread = {
            let (wait, ledger) = (sem.acquire_owned(1), Arc::clone(&ledger));
            thread::spawn(move || {
                let permit = wait.wait().unwrap();
                ledger.enter();
                drop(permit);
            })
        };
        future::block_on(async {
            let permit = sem.acquire(1).await.unwrap();
            ledger.enter();
            drop(permit);
        });
        thread.join().unwrap();
        assert_eq!(ledger.entries(), 2);
        assert_at_rest(&sem, 1);
    });
}

/// S2: weights 2, 1 and 1 under a limit of 2, one of them a task. What is held never sums to
/// more, and everybody gets a turn.
#[test]
fn weights_never_exceed_the_limit() {
    explore(Explore::Preemptions(3), || {
        let sem = Arc::new(Semaphore::new(2));
        let gauge = Gauge::new(2);
        let pass = |wait: AcquireOwned, gauge: &Gauge| {
            let permit = wait.wait().unwrap();
            gauge.pass(permit.weight());
            drop(permit);
        };
        let threads = [1, 2].map(|weight| {
            let (wait, gauge) = (sem.acquire_owned(weight), Arc::clone(&gauge));
            thread::spawn(move || pass(wait, &gauge))
        });
        future::block_on(async {
            let permit = sem.acquire(1).await.unwrap();
            gauge.pass(permit.weight());
            drop(permit);
        });
        for thread in threads {
            thread.join().unwrap();
        }
        assert_at_rest(&sem, 2);
    });
}

/// S3: two holders release while one request waits for both permits. Neither release is enough
/// alone, and libc++ and gcc's library lost the second wake-up of such a pair (llvm#46357, gcc
/// bug 98033). The heavy holder sees what *both* did, though it took the permits in one step.
#[test]
fn two_releases_serve_one_heavy_request() {
    explore(Explore::Preemptions(3), || {
        let sem = Arc::new(Semaphore::new(2));
        let ledgers = [Ledger::new(), Ledger::new()];
        let threads = ledgers.each_ref().map(|ledger| {
            let (permit, ledger) = (sem.try_acquire_owned(1).unwrap(), Arc::clone(ledger));
            thread::spawn(move || {
                ledger.enter();
                drop(permit);
            })
        });
        let both = sem.acquire(2).wait().unwrap();
        assert_eq!(ledgers.each_ref().map(|ledger| ledger.entries()), [1, 1]);
        drop(both);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_at_rest(&sem, 2);
    });
}

/// S8: the only permit comes back while a request is on its way into the line: the release sees
/// the request or the request sees the permit (llvm#46357).
#[test]
fn release_meets_a_request_that_queues() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let ledger = Ledger::new();
        let releaser = release_later(sem.try_acquire_owned(1).unwrap(), &ledger);
        let permit = sem.acquire(1).wait().unwrap();
        assert_eq!(ledger.entries(), 1);
        drop(permit);
        releaser.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// The same with a request that never waits: taking a permit by itself, on the open road or at
/// the desk, shows what was done under it.
#[test]
fn whoever_takes_a_permit_sees_what_was_done_under_it() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let ledger = Ledger::new();
        let releaser = release_later(sem.try_acquire_owned(1).unwrap(), &ledger);
        if let Ok(permit) = sem.try_acquire(1) {
            assert_eq!(ledger.entries(), 1);
            drop(permit);
        }
        releaser.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// A release of two serves a request for one out of its hand and puts the other permit down, which
/// the next one takes from the open road: both see what was done under the two.
#[test]
fn what_is_left_of_a_hand_over_publishes() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let ledger = Ledger::new();
        let held = sem.try_acquire_owned(2).unwrap();
        let wait = queue(&sem, 1);
        let releaser = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                ledger.enter();
                drop(held);
            })
        };
        if let Ok(permit) = sem.try_acquire(1) {
            assert_eq!(ledger.entries(), 1);
            drop(permit);
        }
        let permit = wait.wait().unwrap();
        assert_eq!(ledger.entries(), 1);
        drop(permit);
        releaser.join().unwrap();
        assert_at_rest(&sem, 2);
    });
}

/// S16: a batch that takes what is there meets a request for a fixed number.
#[test]
fn batch_shares_with_a_fixed_weight() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(3));
        let gauge = Gauge::new(3);
        let batch = {
            let (wait, gauge) = (sem.acquire_up_to_owned(1, 5), Arc::clone(&gauge));
            thread::spawn(move || {
                let permit = wait.wait().unwrap();
                assert!((1..=3).contains(&permit.weight()), "{}", permit.weight());
                gauge.pass(permit.weight());
                drop(permit);
            })
        };
        let permit = sem.acquire(2).wait().unwrap();
        gauge.pass(2);
        drop(permit);
        batch.join().unwrap();
        assert_at_rest(&sem, 3);
    });
}

/// A batch that waits takes all that is free when its turn comes, not only what it cannot do
/// without, and never more than its maximum.
#[test]
fn waiting_batch_takes_what_is_free_at_the_grant() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(4));
        let one = sem.try_acquire_owned(1).unwrap();
        let three = sem.try_acquire_owned(3).unwrap();
        let batch = queued(sem.acquire_up_to_owned(2, 3));
        let releaser = thread::spawn(move || drop(one));
        drop(three);
        releaser.join().unwrap();
        let permit = ready(batch).unwrap();
        assert_eq!((permit.weight(), sem.available()), (3, 1));
        drop(permit);
        assert_at_rest(&sem, 4);
    });
}

fn release_later(permit: OwnedPermit, ledger: &Arc<Ledger>) -> thread::JoinHandle<()> {
    let ledger = Arc::clone(ledger);
    thread::spawn(move || {
        ledger.enter();
        drop(permit);
    })
}
