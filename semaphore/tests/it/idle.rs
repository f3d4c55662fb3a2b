//! Waiting until nothing is held and nobody is in line.
#![cfg(any(feature = "sync", feature = "async"))]

use crate::support::semaphore;

#[cfg(feature = "async")]
mod tasks {
    use super::semaphore;
    use crate::support::figures;
    use crate::support::tasks::Task;
    use lockgate_semaphore::TryAcquireError;
    use std::sync::Barrier;
    use std::thread;

    #[test]
    fn an_idle_semaphore_is_not_waited_for() {
        let sem = semaphore(2);
        Task::new(sem.wait_idle()).ready();
        drop(sem.try_acquire(2).unwrap());
        Task::new(sem.wait_idle_owned()).ready();
    }

    #[test]
    fn it_ends_when_the_last_permit_comes_back() {
        let sem = semaphore(3);
        let (one, two) = (sem.try_acquire(1).unwrap(), sem.try_acquire(2).unwrap());
        let mut idle = Task::queued(sem.wait_idle());
        let other = Task::queued(sem.wait_idle());
        drop(two);
        assert!(idle.is_waiting());
        drop(one);
        idle.woken();
        other.woken();
    }

    #[test]
    fn it_waits_for_those_in_line_as_well() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let queued = Task::queued(sem.acquire(1));
        let mut idle = Task::queued(sem.wait_idle());
        drop(held);
        assert!(idle.is_waiting(), "the next one holds it");
        let permit = queued.woken().unwrap();
        assert!(idle.is_waiting());
        drop(permit);
        idle.woken();
    }

    #[test]
    fn it_ends_when_the_last_granted_wait_is_dropped() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let granted = Task::queued(sem.acquire(1));
        let mut idle = Task::queued(sem.wait_idle());
        drop(held);
        assert!(idle.is_waiting());
        drop(granted);
        idle.woken();
    }

    #[test]
    fn it_is_no_request_and_stands_in_nobodys_way() {
        let sem = semaphore(2);
        let held = sem.try_acquire(1).unwrap();
        let mut idle = Task::queued(sem.wait_idle());
        assert_eq!(figures(&sem), (1, 1, 0), "it counts neither as held nor as waiting");
        let second = sem.try_acquire(1).unwrap();
        assert_eq!(sem.try_acquire(1).unwrap_err(), TryAcquireError::NoPermits);
        drop(held);
        let third = Task::new(sem.acquire(1)).ready().unwrap();
        drop(second);
        assert!(idle.is_waiting());
        drop(third);
        idle.woken();
    }

    #[test]
    fn who_begins_later_waits_for_later() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let first = Task::queued(sem.wait_idle());
        drop(held);
        let held = sem.try_acquire(1).unwrap();
        let mut second = Task::queued(sem.wait_idle());
        first.woken();
        assert!(second.is_waiting());
        drop(held);
        second.woken();
    }

    #[test]
    fn it_ends_when_what_was_held_is_forgotten() {
        let sem = semaphore(3);
        let held = sem.try_acquire(3).unwrap();
        let idle = Task::queued(sem.wait_idle());
        held.forget();
        idle.woken();
        Task::new(sem.wait_idle()).ready();
    }

    #[test]
    fn it_follows_the_limit_up_and_down() {
        let sem = semaphore(3);
        let held = sem.try_acquire(2).unwrap();
        let mut idle = Task::queued(sem.wait_idle());
        sem.set_limit(1).unwrap();
        assert!(idle.is_waiting());
        sem.set_limit(7).unwrap();
        assert!(idle.is_waiting());
        sem.set_limit(1).unwrap();
        drop(held);
        idle.woken();
        sem.set_limit(5).unwrap();
        Task::new(sem.wait_idle()).ready();
    }

    #[test]
    fn it_ends_when_the_only_request_in_line_fails() {
        let sem = semaphore(2);
        let held = sem.try_acquire(1).unwrap();
        let queued = Task::queued(sem.acquire(2));
        let idle = Task::queued(sem.wait_idle());
        held.forget();
        idle.woken();
        queued.woken().unwrap_err();
    }

    #[test]
    fn it_does_not_end_while_a_request_that_left_makes_room_for_the_next() {
        let sem = semaphore(2);
        let held = sem.try_acquire(1).unwrap();
        let front = Task::queued(sem.acquire(2));
        let next = Task::queued(sem.acquire(1));
        let mut idle = Task::queued(sem.wait_idle());
        drop(front);
        drop(held);
        assert!(idle.is_waiting());
        drop(next.woken().unwrap());
        idle.woken();
    }

    #[test]
    fn closing_and_waiting_is_a_graceful_shutdown() {
        let sem = semaphore(2);
        let held = sem.try_acquire(1).unwrap();
        let queued = Task::queued(sem.acquire(2));
        let mut before = Task::queued(sem.wait_idle());
        sem.close();
        assert!(before.is_waiting());
        let mut after = Task::queued(sem.wait_idle());
        assert!(queued.woken().unwrap_err().is_closed());
        assert!(after.is_waiting());
        drop(held);
        before.woken();
        after.woken();
        Task::new(sem.wait_idle()).ready();
        assert!(sem.is_closed());
    }

    #[test]
    fn dropping_it_leaves_no_trace() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let dropped = Task::queued(sem.wait_idle());
        let kept = Task::queued(sem.wait_idle());
        let wakes = dropped.wakes.clone();
        drop(dropped);
        drop(held);
        assert_eq!(wakes.count(), 0);
        assert_eq!(std::sync::Arc::strong_count(&wakes), 1);
        kept.woken();
        let mut unpolled = Task::new(sem.wait_idle());
        let held = sem.try_acquire(1).unwrap();
        assert!(unpolled.is_waiting());
        drop(held);
        unpolled.woken();
    }

    /// Between the last release and the grant that follows, nothing was held; and the one who
    /// released is not yet at the lock when the next request is there.
    #[test]
    fn a_moment_of_idleness_ends_it_even_if_the_next_request_is_faster() {
        for round in 0..2000 {
            let sem = semaphore(1);
            let held = sem.try_acquire(1).unwrap();
            let mut idle = Task::queued(sem.wait_idle());
            let start = Barrier::new(2);
            thread::scope(|scope| {
                let next = scope.spawn(|| {
                    start.wait();
                    loop {
                        if let Ok(permit) = sem.try_acquire(1) {
                            break permit;
                        }
                    }
                });
                start.wait();
                drop(held);
                let next = next.join().unwrap();
                assert!(idle.poll().is_ready(), "round {round}");
                drop(next);
            });
        }
    }

    #[test]
    fn more_of_them_than_fit_into_a_batch_all_end() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let idle: Vec<_> = (0..40).map(|_| Task::queued(sem.wait_idle())).collect();
        drop(held);
        for wait in idle {
            wait.woken();
        }
    }
}

#[cfg(feature = "sync")]
mod threads {
    use super::semaphore;
    use crate::support::{PATIENCE, now, within_patience};
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    #[test]
    fn an_idle_semaphore_is_not_waited_for() {
        let sem = semaphore(2);
        within_patience(move || {
            sem.wait_idle().wait();
            sem.wait_idle().wait_timeout(PATIENCE).unwrap();
            sem.wait_idle_owned().wait_deadline(now() + PATIENCE).unwrap();
        });
    }

    #[test]
    fn a_thread_returns_after_the_last_permit_came_back_and_not_before() {
        let sem = semaphore(2);
        let mut held = sem.try_acquire(2).unwrap();
        let released = Arc::new(AtomicBool::new(false));
        let (done, order) = mpsc::channel();
        for wait in [sem.wait_idle_owned(), sem.wait_idle_owned()] {
            let (released, done) = (Arc::clone(&released), done.clone());
            std::thread::spawn(move || {
                wait.wait();
                done.send(released.load(Ordering::Acquire))
            });
        }
        held.release_some(1).unwrap();
        sem.wait_idle().wait_timeout(Duration::from_millis(10)).unwrap_err();
        released.store(true, Ordering::Release);
        drop(held);
        for _ in 0..2 {
            assert!(order.recv_timeout(PATIENCE).expect("it ends"), "it ends after the release");
        }
    }

    #[test]
    fn a_deadline_that_has_passed_wins_over_an_idle_semaphore() {
        let sem = semaphore(1);
        sem.wait_idle().wait_deadline(now()).unwrap_err();
        sem.wait_idle().wait_timeout(Duration::ZERO).unwrap_err();
        sem.wait_idle().wait_timeout(PATIENCE).unwrap();
    }

    #[test]
    fn a_time_out_leaves_no_trace() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        sem.wait_idle().wait_timeout(Duration::from_millis(5)).unwrap_err();
        sem.wait_idle().wait_deadline(now() + Duration::from_millis(5)).unwrap_err();
        drop(held);
        within_patience(move || sem.wait_idle_owned().wait_timeout(Duration::MAX)).unwrap();
    }
}
