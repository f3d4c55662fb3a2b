//! Places in the queue: they are promised once, handed on, and taken back at the end.

use super::loom_support::{Bell, Pool};
use crate::Closed;
use crate::engine::Grant;
use crate::primitives::{Arc, Explore, explore, thread};

/// H5: somebody waits for a place in a full queue while the pool is shut down.
#[test]
fn wait_for_a_place_meets_shutdown() {
    explore(Explore::All, || {
        let pool = Pool::empty(0, 0, None);
        pool.house.engine.pause();
        let waits = pool.clone();
        let waits = thread::spawn(move || waits.submitter().reserve().wait().map(drop));
        pool.close();
        assert_eq!(waits.join().unwrap(), Err(Closed));
        pool.end();
    });
}

/// H9: a place is given back while somebody begins to wait for one.
#[test]
fn slot_given_back_meets_a_wait() {
    explore(Explore::All, || {
        let pool = Pool::empty(0, 1, None);
        pool.house.engine.pause();
        let slot = pool.submitter().reserve().wait().unwrap();
        let waits = pool.clone();
        let waits = thread::spawn(move || waits.submitter().reserve().wait().map(drop));
        drop(slot);
        assert_eq!(waits.join().unwrap(), Ok(()));
        pool.end();
    });
}

/// H9: a place that was promised to somebody who gives up goes to the next.
#[test]
fn promise_meets_a_wait_that_is_given_up() {
    explore(Explore::All, || {
        let pool = Pool::empty(0, 1, None);
        pool.house.engine.pause();
        let slot = pool.submitter().reserve().wait().unwrap();
        let gives_up = pool.clone();
        let gives_up = thread::spawn(move || {
            let mut ticket = None;
            let waker = std::task::Waker::noop();
            let found = gives_up.house.engine.poll_place(&mut ticket, waker);
            match ticket {
                Some(held) => gives_up.house.engine.leave_place(held),
                None => {
                    assert_eq!(found, crate::engine::Wait::Ready(Grant::Place));
                    gives_up.house.engine.unreserve();
                }
            }
        });
        let waits = pool.clone();
        let waits = thread::spawn(move || waits.submitter().reserve().wait().map(drop));
        drop(slot);
        assert_eq!(waits.join().unwrap(), Ok(()));
        gives_up.join().unwrap();
        pool.end();
    });
}

/// H43: somebody waits for a place while the pool is resized: there is one, for a worker that is not
/// there yet.
#[test]
fn wait_for_a_place_meets_a_resize() {
    explore(Explore::Preemptions(2), || {
        let pool = Pool::new(1, 0);
        let bell = Bell::new();
        let hears = Arc::clone(&bell);
        pool.submitter().spawn(move || hears.wait()).unwrap();
        let other = pool.clone();
        let submits = thread::spawn(move || other.submitter().submit(|| 2).unwrap().wait());
        let start = pool.house.engine.resize(1, 2);
        pool.house.start(start);
        assert_eq!(submits.join().unwrap().unwrap(), 2);
        bell.ring();
        pool.end();
    });
}

/// H44: a job comes while one of two workers is sent home; the other runs it.
#[test]
fn submit_meets_a_resize() {
    explore(Explore::Preemptions(2), || {
        let pool = Pool::new(2, 1);
        let other = pool.clone();
        let resizes = thread::spawn(move || {
            let start = other.house.engine.resize(1, 1);
            other.house.start(start);
        });
        assert_eq!(pool.submitter().submit(|| 2).unwrap().wait().unwrap(), 2);
        resizes.join().unwrap();
        pool.end();
    });
}
