//! Input that no semaphore can serve: a typed error or a documented panic, and never a hang, a
//! number that wraps or a semaphore that is out of order afterwards.

use crate::support::{bounded, figures, panic_of, semaphore};
use lockgate_semaphore::{Semaphore, TryAcquireError};

const MAX: usize = Semaphore::MAX_PERMITS;

#[test]
fn a_semaphore_without_permits_or_with_too_many_is_refused() {
    for permits in [0, MAX + 1, usize::MAX] {
        let said = panic_of(|| drop(Semaphore::new(permits)));
        assert!(said.contains("between 1 and Semaphore::MAX_PERMITS"), "{said}");
        assert_eq!(Semaphore::builder(permits).build().unwrap_err().limit(), permits);
    }
    assert_eq!(figures(&Semaphore::new(1)), (1, 0, 0));
    assert_eq!(figures(&Semaphore::new(MAX)), (MAX, 0, 0));
    assert_eq!(Semaphore::builder(MAX).build().unwrap().limit(), MAX);
}

#[test]
fn the_largest_number_of_permits_is_what_the_documentation_says() {
    assert_eq!(MAX, usize::MAX >> 3);
}

#[test]
fn a_bad_limit_is_refused_before_anything_changes() {
    let sem = semaphore(3);
    let held = sem.try_acquire(2).unwrap();
    for limit in [0, MAX + 1, usize::MAX] {
        assert_eq!(sem.set_limit(limit).unwrap_err().limit(), limit);
        assert_eq!((sem.limit(), figures(&sem)), (3, (1, 2, 0)));
    }
    sem.close();
    sem.set_limit(0).unwrap_err();
    assert!(sem.is_closed());
    drop(held);
}

#[test]
fn the_largest_limit_can_be_held_shrunk_forgotten_and_given_back() {
    let sem = semaphore(MAX);
    let mut all = sem.try_acquire(MAX).unwrap();
    assert_eq!(figures(&sem), (0, MAX, 0));
    sem.set_limit(1).unwrap();
    assert_eq!(figures(&sem), (0, MAX, 0), "the deepest debt that there is");
    assert!(!sem.is_closed());
    assert_eq!(sem.try_acquire(1).unwrap_err(), TryAcquireError::NoPermits);
    assert_eq!(sem.try_acquire(0).unwrap().weight(), 0);
    sem.set_limit(MAX).unwrap();
    sem.set_limit(1).unwrap();
    all.release_some(MAX - 1).unwrap();
    assert_eq!(figures(&sem), (0, 1, 0));
    sem.set_limit(MAX).unwrap();
    assert_eq!(figures(&sem), (MAX - 1, 1, 0));
    all.merge(sem.try_acquire(MAX - 1).unwrap());
    sem.close();
    sem.set_limit(1).unwrap();
    all.forget();
    assert_eq!((sem.limit(), figures(&sem), sem.is_closed()), (0, (0, 0, 0), true));
    sem.set_limit(MAX).unwrap();
    assert_eq!((figures(&sem), sem.is_closed()), ((MAX, 0, 0), true));
}

#[test]
fn a_request_for_more_than_any_limit_fails_with_what_was_asked_for() {
    for limit in [1, MAX] {
        let sem = semaphore(limit);
        for requested in [MAX + 1, isize::MAX as usize, isize::MAX as usize + 1, usize::MAX] {
            let exceeds = TryAcquireError::ExceedsLimit { requested, limit };
            assert_eq!(sem.try_acquire(requested).unwrap_err(), exceeds);
            assert_eq!(sem.try_acquire_owned(requested).unwrap_err(), exceeds);
            assert_eq!(sem.try_acquire_up_to(requested, usize::MAX).unwrap_err(), exceeds);
            assert_eq!(figures(&sem), (limit, 0, 0));
        }
        assert_eq!(sem.try_acquire_up_to(0, usize::MAX).unwrap().weight(), limit);
        assert_eq!(sem.try_acquire_up_to(1, usize::MAX).unwrap().weight(), limit);
    }
}

#[test]
fn a_minimum_above_the_maximum_panics_at_the_call_and_changes_nothing() {
    let sem = semaphore(3);
    let said = [
        panic_of(|| drop(sem.try_acquire_up_to(2, 1))),
        panic_of(|| drop(sem.try_acquire_up_to_owned(2, 1))),
        panic_of(|| drop(sem.acquire_up_to(2, 1))),
        panic_of(|| drop(sem.acquire_up_to_owned(usize::MAX, 0))),
    ];
    for said in said {
        assert!(said.contains("minimum of permits is above the maximum"), "{said}");
    }
    assert_eq!(figures(&sem), (3, 0, 0));
}

#[test]
fn trying_and_a_bounded_line_have_nothing_to_do_with_each_other() {
    let sem = bounded(1, 0);
    let held = sem.try_acquire(1).unwrap();
    assert_eq!(sem.try_acquire(1).unwrap_err(), TryAcquireError::NoPermits);
    drop(held);
    assert_eq!(sem.try_acquire(1).unwrap().weight(), 1);
}

#[cfg(any(feature = "sync", feature = "async"))]
mod waits {
    use super::MAX;
    use crate::support::{World, bounded, figures, in_both_worlds, semaphore};
    use lockgate_semaphore::AcquireError;

    in_both_worlds![
        a_wait_for_more_than_any_limit_fails_with_what_was_asked_for,
        after_the_close_every_wait_fails,
        with_no_place_in_line_nothing_waits,
        a_full_line_refuses_the_next_and_takes_it_when_a_place_is_free,
        a_full_line_refuses_nobody_who_needs_no_place,
        more_wait_than_ever_did_before,
    ];

    fn a_wait_for_more_than_any_limit_fails_with_what_was_asked_for<W: World>() {
        for limit in [1, MAX] {
            let sem = semaphore(limit);
            let held = sem.try_acquire(1).unwrap();
            for requested in [MAX + 1, isize::MAX as usize + 1, usize::MAX] {
                let exceeds = AcquireError::ExceedsLimit { requested, limit };
                assert_eq!(W::at_once(sem.acquire_owned(requested)).unwrap_err(), exceeds);
                let up_to = sem.acquire_up_to_owned(requested, usize::MAX);
                assert_eq!(W::at_once(up_to).unwrap_err(), exceeds);
            }
            assert_eq!(figures(&sem), (limit - 1, 1, 0));
            drop(held);
        }
    }

    fn after_the_close_every_wait_fails<W: World>() {
        let sem = bounded(2, 0);
        let held = sem.try_acquire(2).unwrap();
        sem.close();
        let waits = [
            sem.acquire_owned(1),
            sem.acquire_owned(0),
            sem.acquire_owned(3),
            sem.acquire_all_owned(),
            sem.acquire_up_to_owned(0, 1),
        ];
        for wait in waits {
            assert_eq!(W::at_once(wait).unwrap_err(), AcquireError::Closed);
        }
        drop(held);
        assert_eq!(W::at_once(sem.acquire_owned(1)).unwrap_err(), AcquireError::Closed);
    }

    fn with_no_place_in_line_nothing_waits<W: World>() {
        let sem = bounded(2, 0);
        let held = W::at_once(sem.acquire_owned(1)).unwrap();
        for wait in [sem.acquire_owned(2), sem.acquire_all_owned(), sem.acquire_up_to_owned(2, 3)] {
            assert_eq!(W::at_once(wait).unwrap_err(), AcquireError::QueueFull { max_waiters: 0 });
        }
        assert_eq!(figures(&sem), (1, 1, 0));
        assert_eq!(W::at_once(sem.acquire_owned(1)).unwrap().weight(), 1, "the road is open still");
        drop(held);
        assert_eq!(W::at_once(sem.acquire_owned(2)).unwrap().weight(), 2);
    }

    fn a_full_line_refuses_the_next_and_takes_it_when_a_place_is_free<W: World>() {
        let sem = bounded(1, 3);
        let mut holder = sem.try_acquire_owned(1).unwrap();
        let full = AcquireError::QueueFull { max_waiters: 3 };
        let mut line: Vec<_> = (0..3).map(|_| W::queue(&sem, sem.acquire_owned(1))).collect();
        for _ in 0..3 {
            assert_eq!(W::at_once(sem.acquire_owned(1)).unwrap_err(), full);
            assert_eq!(figures(&sem), (0, 1, 3));
            drop(holder);
            holder = W::outcome(line.remove(0)).unwrap();
            line.push(W::queue(&sem, sem.acquire_owned(1)));
        }
        sem.close();
        for waiting in line {
            W::outcome(waiting).unwrap_err();
        }
        drop(holder);
        assert_eq!(figures(&sem), (1, 0, 0));
    }

    fn a_full_line_refuses_nobody_who_needs_no_place<W: World>() {
        let sem = bounded(2, 1);
        let held = sem.try_acquire(1).unwrap();
        let waiting = W::queue(&sem, sem.acquire_owned(2));
        assert_eq!(W::at_once(sem.acquire_owned(0)).unwrap().weight(), 0);
        assert_eq!(
            W::at_once(sem.acquire_owned(3)).unwrap_err(),
            AcquireError::ExceedsLimit { requested: 3, limit: 2 }
        );
        drop(held);
        drop(W::outcome(waiting).unwrap());
        assert_eq!(W::at_once(sem.acquire_owned(2)).unwrap().weight(), 2);
    }

    /// The line grows, and what it has grown by is used again.
    fn more_wait_than_ever_did_before<W: World>() {
        let sem = semaphore(1);
        for waiters in [3, 1, 30, 10, 50] {
            let held = sem.try_acquire(1).unwrap();
            let line: Vec<_> = (0..waiters).map(|_| W::queue(&sem, sem.acquire_owned(1))).collect();
            drop(held);
            for waiting in line {
                drop(W::outcome(waiting).unwrap());
            }
            assert_eq!(figures(&sem), (1, 0, 0));
        }
    }
}

#[cfg(feature = "async")]
#[test]
fn waits_for_idleness_need_no_place_in_line() {
    use crate::support::tasks::Task;

    let sem = bounded(1, 0);
    let held = sem.try_acquire(1).unwrap();
    let (one, two) = (Task::queued(sem.wait_idle()), Task::queued(sem.wait_idle()));
    drop(held);
    one.woken();
    two.woken();
}
