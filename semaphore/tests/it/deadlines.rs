//! Time-outs, which are how a thread gives up a wait.
#![cfg(feature = "sync")]

use crate::support::threads::spawn_wait;
use crate::support::{PATIENCE, figures, now, semaphore, until, until_waiters};
use lockgate_semaphore::{AcquireTimeoutError, OwnedPermit, Semaphore};
use std::cell::RefCell;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(10);

#[test]
fn a_deadline_that_has_passed_wins_over_a_free_permit() {
    let sem = semaphore(1);
    let passed = now();
    assert_eq!(sem.acquire(1).wait_deadline(passed).unwrap_err(), AcquireTimeoutError::Timeout);
    assert_eq!(sem.acquire(0).wait_deadline(passed).unwrap_err(), AcquireTimeoutError::Timeout);
    let zero = Duration::ZERO;
    assert_eq!(sem.acquire(1).wait_timeout(zero).unwrap_err(), AcquireTimeoutError::Timeout);
    assert_eq!(figures(&sem), (1, 0, 0));
}

#[test]
fn a_deadline_to_come_does_not_keep_anybody_from_a_free_permit() {
    let sem = semaphore(3);
    let first = sem.acquire(1).wait_deadline(now() + PATIENCE).unwrap();
    let second = sem.acquire(1).wait_timeout(PATIENCE).unwrap();
    let third = sem.acquire(1).wait_timeout(Duration::MAX).unwrap();
    assert_eq!(figures(&sem), (0, 3, 0));
    drop((first, second, third));
}

#[test]
fn a_wait_ends_at_its_deadline_and_not_before() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let start = now();
    let error = sem.acquire(1).wait_timeout(SHORT).unwrap_err();
    assert!(error.is_timeout());
    assert!(start.elapsed() >= SHORT);
    let deadline = now() + SHORT;
    assert!(sem.acquire(1).wait_deadline(deadline).unwrap_err().is_timeout());
    assert!(now() >= deadline);
    assert_eq!(figures(&sem), (0, 1, 0), "it leaves no trace");
    drop(held);
    assert_eq!(sem.try_acquire(1).unwrap().weight(), 1);
}

/// Whichever way the timing goes, the second must be served: by the first one's leaving or,
/// should that have happened already, at once.
#[test]
fn a_time_out_in_front_lets_the_next_go() {
    let sem = semaphore(3);
    let held = sem.try_acquire(1).unwrap();
    let front = sem.acquire_owned(3);
    let front = thread::spawn(move || front.wait_timeout(3 * SHORT));
    until("it stands in line, or stood", || sem.waiters() == 1 || front.is_finished());
    let next = spawn_wait(sem.acquire_owned(2));
    let next = next.recv_timeout(PATIENCE).expect("it is served").unwrap();
    assert!(front.join().unwrap().unwrap_err().is_timeout());
    assert_eq!(figures(&sem), (0, 3, 0));
    drop((held, next));
}

#[test]
fn a_grant_before_the_deadline_ends_the_wait_in_time() {
    let sem = semaphore(2);
    let held = sem.try_acquire(2).unwrap();
    let (done, outcomes) = mpsc::channel::<Result<OwnedPermit, AcquireTimeoutError>>();
    let waits = [sem.acquire_owned(1), sem.acquire_up_to_owned(1, 2)];
    for (waiters, wait) in waits.into_iter().enumerate() {
        let done = done.clone();
        // The second one's deadline is beyond what a clock can express.
        let timeout = if waiters == 0 { 10 * PATIENCE } else { Duration::MAX };
        thread::spawn(move || done.send(wait.wait_timeout(timeout)));
        until_waiters(&sem, waiters + 1);
    }
    drop(held);
    let permits: Vec<_> =
        (0..2).map(|_| outcomes.recv_timeout(PATIENCE).expect("served").unwrap()).collect();
    assert!(permits.iter().all(|permit| permit.weight() == 1));
}

#[test]
fn every_failure_comes_through_a_wait_with_a_deadline() {
    let sem = semaphore(3);
    let exceeds = AcquireTimeoutError::ExceedsLimit { requested: 4, limit: 3 };
    assert_eq!(sem.acquire(4).wait_timeout(PATIENCE).unwrap_err(), exceeds);
    assert_eq!(sem.acquire(4).wait_deadline(now() + PATIENCE).unwrap_err(), exceeds);

    let held = sem.try_acquire(2).unwrap();
    let shrunk = sem.acquire_owned(3);
    let shrunk = thread::spawn(move || shrunk.wait_timeout(PATIENCE));
    until_waiters(&sem, 1);
    sem.set_limit(2).unwrap();
    assert_eq!(
        shrunk.join().unwrap().unwrap_err(),
        AcquireTimeoutError::ExceedsLimit { requested: 3, limit: 2 }
    );

    let closed = sem.acquire_owned(2);
    let closed = thread::spawn(move || closed.wait_deadline(now() + PATIENCE));
    until_waiters(&sem, 1);
    sem.close();
    assert_eq!(closed.join().unwrap().unwrap_err(), AcquireTimeoutError::Closed);
    assert_eq!(sem.acquire(1).wait_timeout(PATIENCE).unwrap_err(), AcquireTimeoutError::Closed);
    drop(held);
}

#[test]
fn a_thread_may_wait_again_and_again_after_a_time_out() {
    let sem = semaphore(1);
    for _ in 0..3 {
        let held = sem.try_acquire_owned(1).unwrap();
        assert!(sem.acquire(1).wait_timeout(Duration::from_millis(1)).unwrap_err().is_timeout());
        let next = spawn_wait(sem.acquire_owned(1));
        until_waiters(&sem, 1);
        drop(held);
        drop(next.recv_timeout(PATIENCE).expect("served").unwrap());
    }
    assert_eq!(figures(&sem), (1, 0, 0));
}

/// Locals are destroyed one by one, and a destructor may find what waiting needs gone already.
#[test]
fn a_thread_may_wait_while_its_locals_are_destroyed() {
    struct WaitsOnDrop(Arc<Semaphore>, mpsc::Sender<AcquireTimeoutError>);
    impl Drop for WaitsOnDrop {
        fn drop(&mut self) {
            let error = self.0.acquire(1).wait_timeout(Duration::from_millis(1)).unwrap_err();
            self.1.send(error).unwrap();
        }
    }
    thread_local!(static LOCAL: RefCell<Option<WaitsOnDrop>> = const { RefCell::new(None) });

    for waits_before_its_local_is_made in [true, false] {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let (done, error) = mpsc::channel();
        let local = WaitsOnDrop(Arc::clone(&sem), done);
        let wait = sem.acquire_owned(1);
        thread::spawn(move || {
            let wait = move || wait.wait_timeout(Duration::from_millis(1)).unwrap_err();
            let place = move || LOCAL.with(|place| *place.borrow_mut() = Some(local));
            if waits_before_its_local_is_made {
                wait();
                place();
            } else {
                place();
                wait();
            }
        });
        assert!(error.recv_timeout(PATIENCE).expect("it ends").is_timeout());
        drop(held);
    }
}
