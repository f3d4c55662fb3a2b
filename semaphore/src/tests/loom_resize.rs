//! A limit that changes while permits are held, waited for and forgotten.

use super::support::{Gauge, assert_at_rest, queue, queued, ready};
use crate::primitives::{Arc, Explore, explore, thread};
use crate::{AcquireError, Semaphore};

/// S9: the limit falls below what is held, a holder releases and a request comes, all at once.
/// The debt is paid before anybody gets a permit, and then the request is served.
#[test]
fn shrink_meets_release_and_acquire() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(2).unwrap();
        let releaser = thread::spawn(move || drop(held));
        let resizer = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || sem.set_limit(1).unwrap())
        };
        drop(sem.acquire(1).wait().unwrap());
        releaser.join().unwrap();
        resizer.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// S9: while there is a debt, nothing is granted: of two permits that come back under a limit of
/// one, one is for the request and one pays.
#[test]
fn debt_is_paid_before_a_grant() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let gauge = Gauge::new(1);
        let [first, second] = [(); 2].map(|()| sem.try_acquire_owned(1).unwrap());
        sem.set_limit(1).unwrap();
        let waiter = {
            let (wait, gauge) = (sem.acquire_owned(1), Arc::clone(&gauge));
            thread::spawn(move || {
                let permit = wait.wait().unwrap();
                gauge.pass(1);
                drop(permit);
            })
        };
        drop(first);
        // One is still held, which is the limit.
        gauge.pass(1);
        drop(second);
        waiter.join().unwrap();
        assert_at_rest(&sem, 1);
    });
}

/// S9: a limit that grows serves who waits, though nobody releases.
#[test]
fn growth_wakes() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let resizer = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || sem.set_limit(2).unwrap())
        };
        let permit = sem.acquire(1).wait().unwrap();
        resizer.join().unwrap();
        drop((permit, held));
        assert_at_rest(&sem, 2);
    });
}

/// A shrinking limit fails a queued request while the release that would serve it comes: it has
/// all it asked for or the error, and in either case who stands behind it is served.
#[test]
fn shrink_fails_a_request_that_is_granted() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(2).unwrap();
        let heavy = queue(&sem, 2);
        let light = queue(&sem, 1);
        let releaser = thread::spawn(move || drop(held));
        sem.set_limit(1).unwrap();
        releaser.join().unwrap();
        match ready(heavy) {
            Ok(permit) => assert_eq!((permit.weight(), sem.available()), (2, 0)),
            Err(error) => {
                assert_eq!(error, AcquireError::ExceedsLimit { requested: 2, limit: 1 });
            }
        }
        drop(ready(light).unwrap());
        assert_at_rest(&sem, 1);
    });
}

/// A request that asks for more than a limit that just shrinks fails, early or late, and does not
/// wait for what can never come.
#[test]
fn shrink_meets_a_heavy_request() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let held = sem.try_acquire_owned(1).unwrap();
        let resizer = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || sem.set_limit(1).unwrap())
        };
        let error = sem.acquire(2).wait().unwrap_err();
        assert_eq!(error, AcquireError::ExceedsLimit { requested: 2, limit: 1 });
        resizer.join().unwrap();
        drop(held);
        assert_at_rest(&sem, 1);
    });
}

/// One holder releases, another forgets, and a request waits for all there is: "all" is the limit
/// at the grant, so it ends with what is left.
#[test]
fn acquire_all_meets_release_and_forget() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let released = sem.try_acquire_owned(1).unwrap();
        let forgotten = sem.try_acquire_owned(1).unwrap();
        let releaser = thread::spawn(move || drop(released));
        let forgetter = thread::spawn(move || forgotten.forget());
        let all = sem.acquire_all_owned().wait().unwrap();
        assert_eq!((all.weight(), sem.limit(), sem.available()), (1, 1, 0));
        releaser.join().unwrap();
        forgetter.join().unwrap();
        drop(all);
        assert_at_rest(&sem, 1);
    });
}

/// Two limits are set at once: the word and the limit agree on who came last.
#[test]
fn resize_meets_resize() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(2));
        let resizer = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || sem.set_limit(5).unwrap())
        };
        sem.set_limit(1).unwrap();
        resizer.join().unwrap();
        let limit = sem.limit();
        assert!(limit == 5 || limit == 1, "{limit}");
        assert_at_rest(&sem, limit);
    });
}

/// The whole is taken while it changes: what is granted is the limit before or after, nothing
/// between, and as nobody else holds anything the request is not turned away.
#[test]
fn try_acquire_all_meets_growth() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let resizer = {
            let sem = Arc::clone(&sem);
            thread::spawn(move || sem.set_limit(3).unwrap())
        };
        let all = sem.try_acquire_all().unwrap();
        assert!(all.weight() == 1 || all.weight() == 3, "{}", all.weight());
        resizer.join().unwrap();
        drop(all);
        assert_at_rest(&sem, 3);
    });
}

/// Permits are forgotten under a debt while others come back: what the limit can no longer pay
/// is taken from the debt, and nothing is counted twice.
#[test]
fn forget_in_debt_meets_release() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(4));
        let heavy = sem.try_acquire_owned(3).unwrap();
        let light = sem.try_acquire_owned(1).unwrap();
        sem.set_limit(2).unwrap();
        let releaser = thread::spawn(move || drop(light));
        heavy.forget();
        releaser.join().unwrap();
        assert_at_rest(&sem, 0);
        sem.set_limit(2).unwrap();
        drop(sem.try_acquire(2).unwrap());
        assert_at_rest(&sem, 2);
    });
}

/// Forgetting everything fails the request for everything, which could never be exclusive.
#[test]
fn forget_of_the_last_permit_meets_acquire_all() {
    explore(Explore::All, || {
        let sem = Arc::new(Semaphore::new(1));
        let held = sem.try_acquire_owned(1).unwrap();
        let all = queued(sem.acquire_all_owned());
        let forgetter = thread::spawn(move || held.forget());
        let late = sem.acquire_all().wait();
        let expected = AcquireError::ExceedsLimit { requested: 1, limit: 0 };
        assert_eq!(late.unwrap_err(), expected);
        forgetter.join().unwrap();
        assert_eq!(ready(all).unwrap_err(), expected);
        assert_at_rest(&sem, 0);
    });
}
