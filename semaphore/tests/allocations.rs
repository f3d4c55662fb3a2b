//! Steady state allocates nothing, waiting included.
//!
//! A binary of its own, because it replaces the allocator by one that counts, for each thread by
//! itself.

use allocation_counter::measure;
use lockgate_semaphore::Semaphore;
use std::sync::Arc;

/// How often `body` allocates.
fn allocations(body: impl FnOnce()) -> u64 {
    measure(body).count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(Box::new(std::hint::black_box(1)))), 1);
}

#[test]
fn making_a_semaphore_allocates_nothing() {
    assert_eq!(allocations(|| drop(Semaphore::new(3))), 0);
    assert_eq!(allocations(|| drop(Semaphore::builder(3).max_waiters(1).build())), 0);
}

#[test]
fn what_never_waits_never_allocates() {
    let sem = Arc::new(Semaphore::new(8));
    let count = allocations(|| {
        for _ in 0..100 {
            let mut permit = sem.try_acquire_owned(4).unwrap();
            let part = permit.split(1).unwrap();
            drop(sem.try_acquire_up_to(1, 9).unwrap());
            sem.try_acquire(5).unwrap_err();
            sem.try_acquire(9).unwrap_err();
            permit.release_some(1).unwrap();
            permit.merge(part);
            sem.set_limit(2).unwrap();
            permit.forget();
            sem.set_limit(8).unwrap();
            drop(sem.try_acquire_all().unwrap());
        }
    });
    assert_eq!((count, sem.available()), (0, 8));
}

#[cfg(feature = "async")]
mod tasks {
    use super::allocations;
    use lockgate_semaphore::Semaphore;
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Poll, Waker};

    fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
        Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
    }

    /// More than one batch of wakers.
    const WAITS: usize = 50;

    /// A line of waits that are all served by one release, collected and given back.
    fn serve_a_line(sem: &Semaphore) {
        let held = sem.try_acquire(WAITS).unwrap();
        let mut waits: [_; WAITS] = std::array::from_fn(|_| sem.acquire(1));
        for wait in &mut waits {
            assert!(poll(wait).is_pending());
        }
        let mut idle = sem.wait_idle();
        assert!(poll(&mut idle).is_pending());
        drop(held);
        for wait in &mut waits {
            assert!(poll(wait).is_ready());
        }
        assert!(poll(&mut idle).is_ready());
    }

    /// A line of waits that are all given up: the front, the last, and those in between.
    fn abandon_a_line(sem: &Semaphore) {
        let held = sem.try_acquire(WAITS).unwrap();
        let mut waits: [_; WAITS] = std::array::from_fn(|_| Some(sem.acquire(1)));
        for wait in waits.iter_mut().flatten() {
            assert!(poll(wait).is_pending());
        }
        waits[0] = None;
        waits[WAITS - 1] = None;
        for wait in &mut waits {
            *wait = None;
        }
        drop(held);
    }

    #[test]
    fn a_task_that_waits_allocates_nothing_after_the_first_time() {
        let sem = Semaphore::new(WAITS);
        assert!(allocations(|| serve_a_line(&sem)) > 0, "the line grows to its length, once");
        assert_eq!(allocations(|| (0..20).for_each(|_| serve_a_line(&sem))), 0);
    }

    /// tokio#2237, tokio#2479, asyncband#188.
    #[test]
    fn a_task_that_gives_up_leaves_nothing_behind() {
        let sem = Semaphore::new(WAITS);
        abandon_a_line(&sem);
        assert_eq!(allocations(|| (0..20).for_each(|_| abandon_a_line(&sem))), 0);
        let held = sem.try_acquire(WAITS).unwrap();
        let mut queued = sem.acquire(1);
        assert!(poll(&mut queued).is_pending());
        let storm = allocations(|| {
            for _ in 0..10_000 {
                assert!(poll(&mut sem.acquire(1)).is_pending());
                assert!(poll(&mut queued).is_pending());
            }
        });
        assert_eq!(storm, 0, "a line of two stays a line of two");
        drop(held);
    }

    #[test]
    fn a_task_with_permits_to_be_had_allocates_nothing_at_all() {
        let sem = Semaphore::new(2);
        let count = allocations(|| {
            for _ in 0..100 {
                assert!(poll(&mut sem.acquire(1)).is_ready());
                assert!(poll(&mut sem.acquire_all()).is_ready());
                assert!(poll(&mut sem.acquire(3)).is_ready());
                assert!(poll(&mut sem.wait_idle()).is_ready());
            }
        });
        assert_eq!(count, 0);
    }
}

#[cfg(feature = "sync")]
mod threads {
    use super::allocations;
    use lockgate_semaphore::Semaphore;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;
    use std::time::Duration;

    #[test]
    fn a_thread_with_permits_to_be_had_allocates_nothing_at_all() {
        let sem = Semaphore::new(2);
        let count = allocations(|| {
            for _ in 0..100 {
                drop(sem.acquire(1).wait().unwrap());
                drop(sem.acquire(2).wait_timeout(Duration::from_secs(1)).unwrap());
            }
        });
        assert_eq!(count, 0);
    }

    /// Two threads that take turns: the holder lets go when the other one is in line.
    ///
    /// A thread's first wait makes its parker, and now and then one asks the system for the number
    /// of cores. Between those lie stretches of turns that allocate nothing; there would be none
    /// if a wait allocated.
    #[test]
    fn a_thread_that_waits_allocates_nothing_after_the_first_time() {
        const STRETCHES: usize = 30;
        const TURNS: usize = 20;
        let sem = Semaphore::new(1);
        let done = AtomicBool::new(false);
        let take_turns = || {
            let turns = || {
                for turn in 0..TURNS {
                    let wait = sem.acquire(1);
                    let permit = if turn % 2 == 0 {
                        wait.wait().unwrap()
                    } else {
                        wait.wait_timeout(Duration::from_secs(60)).unwrap()
                    };
                    while sem.waiters() == 0 && !done.load(Ordering::Acquire) {
                        thread::yield_now();
                    }
                    drop(permit);
                }
            };
            let fewest = (0..STRETCHES).map(|_| allocations(turns)).min();
            done.store(true, Ordering::Release);
            fewest
        };
        thread::scope(|scope| {
            let threads = [scope.spawn(take_turns), scope.spawn(take_turns)];
            for thread in threads {
                assert_eq!(thread.join().unwrap(), Some(0));
            }
        });
        assert_eq!(sem.available(), 1);
    }

    #[test]
    fn a_time_out_allocates_nothing_after_the_first_time() {
        let sem = Semaphore::new(1);
        let held = sem.try_acquire(1).unwrap();
        let time_out = || {
            let error = sem.acquire(1).wait_timeout(Duration::from_micros(200)).unwrap_err();
            assert!(error.is_timeout());
            sem.wait_idle().wait_timeout(Duration::from_micros(200)).unwrap_err();
        };
        let fewest = (0..30).map(|_| allocations(time_out)).min();
        assert_eq!(fewest, Some(0));
        drop(held);
    }
}
