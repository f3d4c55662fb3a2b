//! Wakers are the user's code: they may come back to the semaphore, take their time, or panic.
//!
//! Each of these tests would end in a deadlock if a waker were called or dropped under the lock,
//! so they run against [`within_patience`].
#![cfg(feature = "async")]

use crate::support::tasks::{Task, poll};
use crate::support::{Wakes, figures, panic_of, semaphore, within_patience};
use lockgate_semaphore::{AcquireOwned, Semaphore};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

/// A waker that runs a closure when it is called, and another when it is dropped.
struct Calls<W: Fn() + Send + Sync + 'static, D: Fn() + Send + Sync + 'static> {
    wake: W,
    dropped: D,
}

impl<W: Fn() + Send + Sync, D: Fn() + Send + Sync> Wake for Calls<W, D> {
    fn wake(self: Arc<Self>) {
        (self.wake)();
    }
}

impl<W: Fn() + Send + Sync, D: Fn() + Send + Sync> Drop for Calls<W, D> {
    fn drop(&mut self) {
        (self.dropped)();
    }
}

fn on_wake(wake: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Calls { wake, dropped: || () }))
}

fn on_drop(dropped: impl Fn() + Send + Sync + 'static) -> Waker {
    Waker::from(Arc::new(Calls { wake: || (), dropped }))
}

/// What makes a semaphore wake somebody, by name.
type Cause = (&'static str, fn(&Semaphore));

/// Everything that takes the lock, and something that does not.
fn use_all_of(sem: &Arc<Semaphore>) {
    let _figures = figures(sem);
    drop(sem.try_acquire(1));
    drop(sem.try_acquire_all());
    sem.set_limit(sem.limit().max(1)).unwrap();
    let mut wait = sem.acquire(1);
    let _ = poll(&mut wait, Waker::noop());
    drop(wait);
    let mut idle = sem.wait_idle();
    let _ = poll(&mut idle, Waker::noop());
    let _ = format!("{sem:?}");
}

#[test]
fn a_waker_may_use_the_semaphore_that_wakes_it() {
    let causes: [Cause; 4] = [
        ("release", |_| ()),
        ("set_limit up", |sem| sem.set_limit(8).unwrap()),
        ("set_limit down", |sem| sem.set_limit(1).unwrap()),
        ("close", Semaphore::close),
    ];
    for (name, cause) in causes {
        let woken = within_patience(move || {
            let sem = semaphore(2);
            let held = sem.try_acquire_owned(2).unwrap();
            let woken = Arc::new(AtomicUsize::new(0));
            let waker = {
                let (sem, woken) = (Arc::clone(&sem), Arc::clone(&woken));
                on_wake(move || {
                    use_all_of(&sem);
                    woken.fetch_add(1, Ordering::AcqRel);
                })
            };
            let mut wait = sem.acquire(2);
            assert!(poll(&mut wait, &waker).is_pending());
            let mut idle = sem.wait_idle();
            assert!(poll(&mut idle, &waker).is_pending());
            cause(&sem);
            drop(held);
            drop(wait);
            woken.load(Ordering::Acquire)
        });
        assert_eq!(woken, 2, "both waits are woken, the last after {name}");
    }
}

#[test]
fn a_waker_may_give_permits_back_and_close() {
    within_patience(|| {
        let sem = semaphore(2);
        let (first, second) =
            (sem.try_acquire_owned(1).unwrap(), sem.try_acquire_owned(1).unwrap());
        let second = Mutex::new(Some(second));
        let releases = on_wake(move || drop(second.lock().unwrap().take()));
        let closes = {
            let sem = Arc::clone(&sem);
            on_wake(move || sem.close())
        };
        let (mut one, mut two) = (sem.acquire(1), sem.acquire(1));
        assert!(poll(&mut one, &releases).is_pending());
        assert!(poll(&mut two, &closes).is_pending());
        let three = Task::queued(sem.acquire(1));
        drop(first);
        assert!(sem.is_closed());
        assert!(three.woken().unwrap_err().is_closed());
        drop((one, two));
        assert_eq!(figures(&sem), (2, 0, 0));
    });
}

#[test]
fn a_waker_may_drop_the_wait_behind_it() {
    within_patience(|| {
        let sem = semaphore(2);
        let held = sem.try_acquire(2).unwrap();
        let behind: Arc<Mutex<Option<AcquireOwned>>> = Arc::default();
        let waker = {
            let behind = Arc::clone(&behind);
            on_wake(move || drop(behind.lock().unwrap().take()))
        };
        let mut front = sem.acquire(1);
        assert!(poll(&mut front, &waker).is_pending());
        let wakes = Wakes::new();
        let mut next = sem.acquire_owned(1);
        assert!(poll(&mut next, &wakes.waker()).is_pending());
        let last = Task::queued(sem.acquire(1));
        *behind.lock().unwrap() = Some(next);
        drop(held);
        assert_eq!(figures(&sem), (0, 2, 0), "what it was granted goes on to the last");
        drop((front, last.woken().unwrap()));
        assert_eq!(figures(&sem), (2, 0, 0));
    });
}

#[test]
fn a_waker_that_is_dropped_may_use_the_semaphore() {
    within_patience(|| {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let dropped = Arc::new(AtomicUsize::new(0));
        let waker = || {
            let (sem, dropped) = (Arc::clone(&sem), Arc::clone(&dropped));
            on_drop(move || {
                use_all_of(&sem);
                dropped.fetch_add(1, Ordering::AcqRel);
            })
        };
        let drops = || dropped.load(Ordering::Acquire);

        let mut moved = sem.acquire(1);
        assert!(poll(&mut moved, &waker()).is_pending());
        assert_eq!(drops(), 0);
        assert!(poll(&mut moved, &waker()).is_pending());
        assert_eq!(drops(), 1, "the old waker is dropped by the poll");
        drop(moved);
        assert_eq!(drops(), 2, "the last one by the drop of the wait");

        let mut idle = sem.wait_idle();
        assert!(poll(&mut idle, &waker()).is_pending());
        assert!(poll(&mut idle, &waker()).is_pending());
        drop(idle);
        assert_eq!(drops(), 4);

        let mut full = Semaphore::builder(1).max_waiters(0).build().unwrap();
        full.set_limit(1).unwrap();
        let busy = full.try_acquire(1).unwrap();
        assert!(poll(&mut full.acquire(1), &waker()).is_ready());
        drop(busy);
        full = Semaphore::new(1);
        assert!(poll(&mut full.acquire(2), &waker()).is_ready());
        assert_eq!(drops(), 6, "a waker that was never needed is dropped as well");

        let mut granted = sem.acquire(1);
        assert!(poll(&mut granted, &waker()).is_pending());
        drop(held);
        assert_eq!(drops(), 7, "a waker that was called is not kept");
        drop(granted);
        assert_eq!(figures(&sem), (1, 0, 0));
    });
}

#[test]
fn a_waker_that_panics_does_not_keep_the_others_from_being_woken() {
    const OTHERS: usize = 40;
    let causes: [Cause; 3] = [
        ("set_limit up", |sem| sem.set_limit(2 + 2 * (OTHERS + 3)).unwrap()),
        ("set_limit down", |sem| sem.set_limit(1).unwrap()),
        ("close", Semaphore::close),
    ];
    for (name, cause) in causes {
        let sem = semaphore(2);
        let held = sem.try_acquire(2).unwrap();
        let mut panicking = sem.acquire(2);
        assert!(poll(&mut panicking, &on_wake(|| panic!("the first waker"))).is_pending());
        let others: Vec<_> = (0..OTHERS).map(|_| Task::queued(sem.acquire(2))).collect();
        let mut again = sem.acquire(2);
        assert!(poll(&mut again, &on_wake(|| panic!("the second waker"))).is_pending());
        let last = Task::queued(sem.acquire(2));
        let said = panic_of(|| cause(&sem));
        assert_eq!(said, "the first waker", "{name} passes the first panic on");
        assert_eq!(sem.waiters(), 0);
        for other in others.iter().chain([&last]) {
            assert_eq!(other.wakes.count(), 1, "{name} wakes everybody");
        }
        drop((panicking, others, again, last, held));
        assert_eq!((sem.in_use(), sem.waiters()), (0, 0));
    }
}

#[test]
fn a_waker_that_panics_at_a_release_leaves_everything_in_order() {
    const OTHERS: usize = 40;
    let sem = semaphore(1 + OTHERS);
    let held = sem.try_acquire(1 + OTHERS).unwrap();
    let mut panicking = sem.acquire(1);
    assert!(poll(&mut panicking, &on_wake(|| panic!("a waker"))).is_pending());
    let others: Vec<_> = (0..OTHERS).map(|_| Task::queued(sem.acquire(1))).collect();
    assert_eq!(panic_of(|| drop(held)), "a waker");
    assert_eq!(figures(&sem), (0, 1 + OTHERS, 0), "the permits went on");
    for other in others {
        drop(other.woken().unwrap());
    }
    assert!(poll(&mut panicking, Waker::noop()).is_ready());
    assert_eq!(figures(&sem), (1 + OTHERS, 0, 0));
}

#[test]
fn a_waker_that_panics_leaves_a_permit_that_gave_only_some_back_in_order() {
    let sem = semaphore(3);
    let mut held = sem.try_acquire(3).unwrap();
    let mut panicking = sem.acquire(1);
    assert!(poll(&mut panicking, &on_wake(|| panic!("a waker"))).is_pending());
    assert_eq!(panic_of(|| held.release_some(2).unwrap()), "a waker");
    assert_eq!((held.weight(), figures(&sem)), (1, (1, 2, 0)));
    drop((held, panicking));
    assert_eq!(figures(&sem), (3, 0, 0));
}

#[test]
fn a_waker_that_panics_while_a_thread_unwinds_does_not_abort() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let mut panicking = sem.acquire(1);
    assert!(poll(&mut panicking, &on_wake(|| panic!("a waker"))).is_pending());
    let said = panic_of(|| {
        let _held = held;
        panic!("the holder");
    });
    assert_eq!(said, "the holder");
    drop(panicking);
    assert_eq!(figures(&sem), (1, 0, 0));
}

#[test]
fn a_waker_that_panics_when_it_is_dropped_leaves_everything_in_order() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let mut wait = sem.acquire(1);
    assert!(poll(&mut wait, &on_drop(|| panic!("an old waker"))).is_pending());
    assert_eq!(
        panic_of(|| assert!(poll(&mut wait, Waker::noop()).is_ready())),
        "an old waker",
        "the poll that replaces it"
    );
    assert_eq!(figures(&sem), (0, 1, 1), "the wait is in its place still");
    let mut next = Task::queued(sem.acquire(1));
    assert!(poll(&mut wait, &on_drop(|| panic!("a waker"))).is_pending());
    let said = panic_of(move || drop(wait));
    assert_eq!(said, "a waker", "the drop of the wait");
    assert_eq!(figures(&sem), (0, 1, 1));
    assert!(next.is_waiting());
    drop(held);
    drop(next.woken().unwrap());
}

#[test]
fn a_permit_that_a_panic_drops_comes_back() {
    let sem = semaphore(2);
    let waiting = {
        let held = sem.try_acquire(2).unwrap();
        let waiting = Task::queued(sem.acquire(2));
        panic_of(|| {
            let _held = held;
            panic!("the holder");
        });
        waiting
    };
    drop(waiting.woken().unwrap());
    assert_eq!(figures(&sem), (2, 0, 0));
}
