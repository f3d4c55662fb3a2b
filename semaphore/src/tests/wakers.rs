//! Wakers on one thread: those that come back, those that panic, and those that are many.

use super::support::{assert_at_rest, assert_closed_at_rest, poll, poll_with, queue, queue_idle};
use super::support::{ready, waker_fn};
use crate::primitives::Arc;
use crate::{AcquireError, AcquireOwned, Semaphore};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::task::{Wake, Waker};
use std::time::Duration;

/// Runs `test`, and fails instead of hanging where a waker meets a lock that is held.
fn does_not_hang(test: impl FnOnce() + Send + 'static) {
    let (done, outcome) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = done.send(catch_unwind(AssertUnwindSafe(test)));
    });
    match outcome.recv_timeout(Duration::from_secs(10)) {
        Ok(Ok(())) => {}
        Ok(Err(panic)) => std::panic::resume_unwind(panic),
        Err(_) => panic!("it hangs: user code was called under the lock"),
    }
}

/// A waker that runs a closure when the last copy of it goes, woken or not.
fn waker_that_drops(run: impl Fn() + Send + Sync + 'static) -> Waker {
    struct OnDrop<F: Fn()>(F);
    impl<F: Fn() + Send + Sync> Wake for OnDrop<F> {
        fn wake(self: Arc<Self>) {}
    }
    impl<F: Fn()> Drop for OnDrop<F> {
        fn drop(&mut self) {
            (self.0)();
        }
    }
    Waker::from(Arc::new(OnDrop(run)))
}

/// Uses the semaphore in every way that takes its lock, and counts that.
fn visitor(sem: &Arc<Semaphore>, visits: &Arc<AtomicUsize>) -> impl Fn() + Send + Sync + 'static {
    let (sem, visits) = (Arc::clone(sem), Arc::clone(visits));
    move || {
        drop(queue(&sem, 1));
        let _ = (sem.waiters(), sem.in_use(), sem.try_acquire_all().is_err());
        sem.set_limit(sem.limit()).unwrap();
        visits.fetch_add(1, Ordering::Relaxed);
    }
}

/// S12: a task moves, and the drop of the waker that is replaced comes back to the semaphore
/// (tokio#5429, where it met the lock). The same for one that is dropped because its request is
/// cancelled.
#[test]
fn old_waker_comes_back_when_dropped() {
    does_not_hang(|| {
        let sem = Arc::new(Semaphore::new(1));
        let visits = Arc::new(AtomicUsize::new(0));
        let held = sem.try_acquire_owned(1).unwrap();
        let mut wait = sem.acquire_owned(1);
        assert!(poll_with(&mut wait, &waker_that_drops(visitor(&sem, &visits))).is_pending());
        assert!(poll_with(&mut wait, &waker_that_drops(visitor(&sem, &visits))).is_pending());
        assert_eq!(visits.load(Ordering::Relaxed), 1);
        drop(wait);
        assert_eq!(visits.load(Ordering::Relaxed), 2);
        let mut idle = sem.wait_idle_owned();
        assert!(poll_with(&mut idle, &waker_that_drops(visitor(&sem, &visits))).is_pending());
        assert!(poll_with(&mut idle, &waker_that_drops(visitor(&sem, &visits))).is_pending());
        assert_eq!(visits.load(Ordering::Relaxed), 3);
        drop(idle);
        assert_eq!(visits.load(Ordering::Relaxed), 4);
        drop(held);
        assert_at_rest(&sem, 1);
    });
}

/// What comes back while the task moves cancels, closes or serves the request that is being
/// polled: the poll finds out.
#[test]
fn old_waker_settles_the_request_when_dropped() {
    does_not_hang(|| {
        let sem = Arc::new(Semaphore::new(1));
        let held = Mutex::new(Some(sem.try_acquire_owned(1).unwrap()));
        let mut wait = sem.acquire_owned(1);
        let releases = waker_that_drops(move || drop(held.lock().unwrap().take()));
        assert!(poll_with(&mut wait, &releases).is_pending());
        drop(releases);
        drop(ready(wait).unwrap());
        assert_at_rest(&sem, 1);

        let held = sem.try_acquire_owned(1).unwrap();
        let mut wait = sem.acquire_owned(1);
        let closer = Arc::clone(&sem);
        let closes = waker_that_drops(move || closer.close());
        assert!(poll_with(&mut wait, &closes).is_pending());
        drop(closes);
        assert_eq!(ready(wait).unwrap_err(), AcquireError::Closed);
        drop(held);
        assert_closed_at_rest(&sem, 1);
    });
}

/// An old waker whose drop panics takes nothing with it: the request stands where it stood, with
/// the new waker.
#[test]
fn old_waker_panics_when_dropped() {
    let sem = Arc::new(Semaphore::new(1));
    let held = sem.try_acquire_owned(1).unwrap();
    let mut wait = sem.acquire_owned(1);
    let bad = waker_that_drops(|| panic_any("a waker that panics when dropped"));
    assert!(poll_with(&mut wait, &bad).is_pending());
    drop(bad);
    let woken = Arc::new(AtomicUsize::new(0));
    let good = counter(&woken);
    assert!(catch_unwind(AssertUnwindSafe(|| poll_with(&mut wait, &good))).is_err());
    assert_eq!(sem.waiters(), 1);
    drop(held);
    assert_eq!(woken.load(Ordering::Relaxed), 1);
    drop(ready(wait).unwrap());
    assert_at_rest(&sem, 1);
}

/// tokio#8529: close, a release, a growing limit and a cancel wake outside the lock.
#[test]
fn wakers_come_back_inside_wake() {
    let enders: [fn(&Arc<Semaphore>, AcquireOwned); 3] =
        [|sem, _| sem.set_limit(5).unwrap(), |_, heavy| drop(heavy), |sem, _| sem.close()];
    for end in enders {
        does_not_hang(move || {
            let sem = Arc::new(Semaphore::new(2));
            let visits = Arc::new(AtomicUsize::new(0));
            let held = sem.try_acquire_owned(1).unwrap();
            let heavy = queue(&sem, 2);
            let mut light = sem.acquire_owned(1);
            let back = Arc::clone(&sem);
            let seen = Arc::clone(&visits);
            let waker = waker_fn(move || {
                let _ = (back.waiters(), back.in_use(), back.try_acquire(1).is_ok());
                drop(ready(back.acquire(0)));
                seen.fetch_add(1, Ordering::Relaxed);
            });
            assert!(poll_with(&mut light, &waker).is_pending());
            end(&sem, heavy);
            assert_eq!(visits.load(Ordering::Relaxed), 1);
            drop((light, held));
            assert_eq!((sem.available(), sem.waiters()), (sem.limit(), 0));
        });
    }
}

/// More are served by one call than a batch of wakers has places: all of them are woken, in order
/// of arrival, and the mark is gone. Some of the wakers panic, and one panic goes on.
#[test]
fn one_release_serves_many() {
    const MANY: usize = 50;
    let sem = Arc::new(Semaphore::new(MANY));
    let held = sem.try_acquire_owned(MANY).unwrap();
    let order = Arc::new(Mutex::new(Vec::new()));
    let waits: Vec<_> = (0..MANY)
        .map(|index| {
            let mut wait = sem.acquire_owned(1);
            let order = Arc::clone(&order);
            let waker = waker_fn(move || {
                order.lock().unwrap().push(index);
                assert!(index % 20 != 7, "waker {index} panics");
            });
            assert!(poll_with(&mut wait, &waker).is_pending());
            wait
        })
        .collect();
    let idle = queue_idle(&sem);
    let panic = catch_unwind(AssertUnwindSafe(|| drop(held))).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "waker 7 panics");
    assert_eq!(*order.lock().unwrap(), (0..MANY).collect::<Vec<_>>());
    assert_eq!((sem.available(), sem.waiters()), (0, 0));
    waits.into_iter().for_each(|wait| drop(ready(wait).unwrap()));
    ready(idle);
    assert_at_rest(&sem, MANY);
}

/// The same for calls that end many waits in one step, some of which fail and some of which are
/// granted by the same call.
#[test]
fn one_shrink_fails_many_and_serves_others() {
    const MANY: usize = 40;
    let sem = Arc::new(Semaphore::new(3));
    let held = sem.try_acquire_owned(1).unwrap();
    let woken = Arc::new(AtomicUsize::new(0));
    let waker = counter(&woken);
    let queued = |n| {
        let mut wait = sem.acquire_owned(n);
        assert!(poll_with(&mut wait, &waker).is_pending());
        wait
    };
    let heavy: Vec<_> = (0..MANY).map(|_| queued(3)).collect();
    let light = queued(1);
    let idle = queue_idle(&sem);
    sem.set_limit(2).unwrap();
    assert_eq!(woken.load(Ordering::Relaxed), MANY + 1);
    for wait in heavy {
        let error = ready(wait).unwrap_err();
        assert_eq!(error, AcquireError::ExceedsLimit { requested: 3, limit: 2 });
    }
    drop((ready(light).unwrap(), held));
    ready(idle);
    assert_at_rest(&sem, 2);
}

/// A hundred waits for idleness end with one release.
#[test]
fn one_release_ends_many_idle_waits() {
    let sem = Arc::new(Semaphore::new(1));
    let held = sem.try_acquire_owned(1).unwrap();
    let waits: Vec<_> = (0..100).map(|_| queue_idle(&sem)).collect();
    let last = queue(&sem, 1);
    drop(held);
    drop(last);
    waits.into_iter().for_each(ready);
    assert_at_rest(&sem, 1);
}

/// While its thread unwinds, a permit that is dropped wakes as usual, and a waker that panics
/// then does not abort the process, whatever it panics with.
#[test]
fn waker_panics_while_the_releaser_unwinds() {
    struct Nasty;
    impl Drop for Nasty {
        fn drop(&mut self) {
            panic_any("a panic's payload that panics when dropped");
        }
    }
    let sem = Arc::new(Semaphore::new(2));
    let held = sem.try_acquire_owned(2).unwrap();
    let waits = [(); 2].map(|()| {
        let mut wait = sem.acquire_owned(1);
        assert!(poll_with(&mut wait, &waker_fn(|| panic_any(Nasty))).is_pending());
        wait
    });
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let _held = held;
        panic_any("the releaser's own");
    }));
    assert_eq!(panic.unwrap_err().downcast_ref(), Some(&"the releaser's own"));
    drop(waits.map(|wait| ready(wait).unwrap()));
    assert_at_rest(&sem, 2);
}

/// A wait that is over panics when it is polled again, and takes nothing with it.
#[test]
fn polled_after_the_end() {
    let sem = Arc::new(Semaphore::builder(1).max_waiters(0).build().unwrap());
    let held = sem.try_acquire_owned(1).unwrap();
    let mut wait = sem.acquire_owned(1);
    assert!(poll(&mut wait).is_ready(), "the queue is full");
    drop(held);
    assert!(catch_unwind(AssertUnwindSafe(|| poll(&mut wait))).is_err());
    drop(wait);
    assert_at_rest(&sem, 1);
}

fn counter(woken: &Arc<AtomicUsize>) -> Waker {
    let woken = Arc::clone(woken);
    waker_fn(move || {
        woken.fetch_add(1, Ordering::Relaxed);
    })
}
