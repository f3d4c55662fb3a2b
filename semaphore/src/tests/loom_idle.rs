//! Waits for idleness: they take nothing and stand in nobody's way, but are not forgotten.

use super::support::{Ledger, assert_at_rest, assert_closed_at_rest, poll};
use super::support::{queue, queue_idle, ready};
use crate::Semaphore;
use crate::primitives::{Arc, Explore, explore, thread};
use std::task::Poll;

/// The last permit comes back while a thread begins to wait for that: it is woken, and sees what
/// the holder did.
#[test]
fn wait_idle_meets_the_last_release() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let ledger = Ledger::new();
        let held = sem.try_acquire_owned(1).unwrap();
        let releaser = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                ledger.enter();
                drop(held);
            })
        };
        sem.wait_idle().wait();
        assert_eq!(ledger.entries(), 1);
        releaser.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// Two holders, two releases: the wait ends with the later one and has seen both.
#[test]
fn wait_idle_sees_every_holder() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let ledgers = [Ledger::new(), Ledger::new()];
        let threads = ledgers.each_ref().map(|ledger| {
            let (permit, ledger) = (sem.try_acquire_owned(1).unwrap(), Arc::clone(ledger));
            thread::spawn(move || {
                ledger.enter();
                drop(permit);
            })
        });
        sem.wait_idle().wait();
        assert_eq!(ledgers.each_ref().map(|ledger| ledger.entries()), [1, 1]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_at_rest(&sem, 2);
    });
}

/// A request goes through the line while somebody waits for idleness: both end.
#[test]
fn wait_idle_meets_a_request_in_line() {
    explore(Explore::Preemptions(3), || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let releaser = thread::spawn(move || drop(held));
        let user = {
            let wait = sem.acquire_owned(1);
            thread::spawn(move || drop(wait.wait().unwrap()))
        };
        sem.wait_idle().wait();
        releaser.join().unwrap();
        user.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// A graceful shutdown: close, then wait until what is still held comes back.
#[test]
fn wait_idle_after_close_drains() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let ledger = Ledger::new();
        let user = {
            let (wait, ledger) = (sem.acquire_owned(1), Arc::clone(&ledger));
            thread::spawn(move || {
                if let Ok(permit) = wait.wait() {
                    ledger.enter();
                    drop(permit);
                    true
                } else {
                    false
                }
            })
        };
        sem.close();
        sem.wait_idle().wait();
        let entries = ledger.entries();
        assert_eq!(user.join().unwrap(), entries == 1);
        assert_closed_at_rest(&sem, 1);
    });
}

/// The last permit is not released but forgotten: nothing is held then, either.
#[test]
fn wait_idle_meets_forget() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(1).unwrap();
        let forgetter = thread::spawn(move || held.forget());
        sem.wait_idle().wait();
        assert_eq!((sem.limit(), sem.available()), (1, 1));
        forgetter.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// One of two waits for idleness is dropped while the permit comes back: the other one ends, and
/// the mark is neither taken from under it nor left behind.
#[test]
fn idle_cancel_meets_the_last_release() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let [first, second] = [(); 2].map(|()| queue_idle(&sem));
        let canceller = thread::spawn(move || drop(first));
        drop(held);
        ready(second);
        canceller.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// An idler leaves while a request stands in line: the mark stays for the request.
#[test]
fn idle_cancel_keeps_the_mark_of_a_request() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let idler = queue_idle(&sem);
        let wait = queue(&sem, 1);
        let canceller = thread::spawn(move || drop(idler));
        drop(held);
        drop(ready(wait).unwrap());
        canceller.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// The last request in line is cancelled while the permit comes back: the idler that waited
/// behind it is settled by whichever came later.
#[test]
fn idler_outlives_a_cancelled_request() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let wait = queue(&sem, 1);
        let idler = queue_idle(&sem);
        let canceller = thread::spawn(move || drop(wait));
        drop(held);
        canceller.join().unwrap();
        ready(idler);
        assert_at_rest(&sem, 1);
    });
}

/// A wait for idleness begins behind a request, while the release that serves the request is on its
/// way to the lock: all permits are back, but they are as good as promised, so it has to wait.
#[test]
fn idler_does_not_overlook_the_line() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let releaser = thread::spawn(move || drop(held));
        let mut wait = sem.acquire_owned(1);
        let mut permit = poll(&mut wait);
        let idler = queue_idle(&sem);
        releaser.join().unwrap();
        if permit.is_pending() {
            permit = poll(&mut wait);
        }
        drop(permit);
        ready(idler);
        assert_at_rest(&sem, 1);
    });
}

/// All is back for a moment, and a newcomer takes it before the release, which had not seen the
/// wait for idleness, comes to the lock: the wait ends all the same, because there was that moment.
#[test]
fn idle_for_a_moment_ends_the_wait() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let releaser = thread::spawn(move || drop(held));
        let mut idler = sem.wait_idle_owned();
        let newcomer = if poll(&mut idler).is_pending() { sem.try_acquire(1).ok() } else { None };
        releaser.join().unwrap();
        if newcomer.is_some() {
            // It got the only permit, which was held when the wait began: it came back between.
            ready(idler);
        } else {
            drop(idler);
        }
        drop(newcomer);
        assert_at_rest(&sem, 1);
    });
}

/// A request is granted at the desk, beside a wait for idleness that keeps the mark in the word: it
/// sees what was done under its permit, though the release did not come to the lock yet.
#[test]
fn request_beside_an_idler_sees_the_last_holder() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let ledger = Ledger::new();
        let [kept, held] = [(); 2].map(|()| sem.try_acquire_owned(1).unwrap());
        let releaser = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || {
                ledger.enter();
                drop(held);
            })
        };
        let idler = queue_idle(&sem);
        let mut wait = sem.acquire(1);
        if let Poll::Ready(permit) = poll(&mut wait) {
            assert_eq!(ledger.entries(), 1);
            drop(permit.unwrap());
        }
        releaser.join().unwrap();
        drop((wait, kept));
        ready(idler);
        assert_at_rest(&sem, 2);
    });
}
