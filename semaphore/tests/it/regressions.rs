//! What went wrong elsewhere: one test per defect, with the issue that tells its story.
//!
//! | what cannot occur here | reference | why |
//! |---|---|---|
//! | a waiter's node that is freed while the queue points to it | tokio#2340, rayon#768, rayon#929 | the queue owns its nodes, a wait holds an index, and there is no `unsafe` |
//! | use after free and a lost permit when a `tracing` subscriber panics in a poll | tokio#8542 | no subscriber is called, under a lock or elsewhere |
//! | a count that a release too many pushes beyond its range | tokio#3644 | only permits give back, and they exist because they were taken; limits are checked ([`bad_input`](crate::bad_input)) |
//! | memory ordering that is left to the reader | tokio#8119 | documented on the crate page; models check it |
//! | a blocking acquire that panics inside of a runtime | tokio#8269 | it does not look where it is called; a task is told to `.await` instead |
//! | a wait that is registered at its first poll to its user's surprise | tokio#2675 | the same here, and a documented law: `cancellation::a_wait_does_nothing_before_it_is_polled` |
//! | early exits of `notify` that lose a wake-up for want of a fence | event-listener#138, #139 | count and flag are one word, so that there is no pair of variables to fence; models check it |
//! | a signal that is not propagated, for want of a state to say so | JDK-6801020 | one release serves as many as it suffices for, under one lock: `laws::one_release_serves_everybody_for_whom_it_suffices` |
//! | a condition variable that enters the kernel although nobody waits; queues that are slower on one platform; spinning without end | asyncband#316, std's `Condvar`, saa | figures, not behaviour: the benchmarks' subject |
//! | a wake buffer, a waiter or a cancelled wait that costs an allocation | asyncband#188, tokio#2237, tokio#2479 | tests of their own in `tests/allocations.rs` |
//! | a semaphore that cannot lower its limit, weigh a request or take what is there | async-lock#108, async-lock#24, tokio#5308, tokio#6191 | features, in [`laws`](crate::laws) |
//! | a queue without bound that eats the memory | objectstore#562 | `max_waiters`, in [`bad_input`](crate::bad_input) |

use crate::support::{figures, semaphore, within_patience};
use lockgate_semaphore::TryAcquireError;
use std::sync::{Arc, Barrier};
use std::thread;

/// asyncband#28: attempts in parallel failed although there were permits for all of them.
#[test]
fn attempts_in_parallel_take_all_that_is_there_and_no_more() {
    const THREADS: usize = 4;
    for round in 0..50 {
        let sem = semaphore(2 * THREADS - 1);
        let start = Barrier::new(THREADS);
        let got: usize = thread::scope(|scope| {
            let attempts: Vec<_> = (0..THREADS)
                .map(|_| {
                    scope.spawn(|| {
                        start.wait();
                        let permits = [sem.try_acquire(1), sem.try_acquire(1)];
                        start.wait();
                        permits.iter().flatten().count()
                    })
                })
                .collect();
            attempts.into_iter().map(|attempt| attempt.join().unwrap()).sum()
        });
        assert_eq!(got, 2 * THREADS - 1, "round {round}");
        assert_eq!(figures(&sem), (2 * THREADS - 1, 0, 0));
    }
}

/// tokio#8021: forgetting permits cleared the bit that said closed.
#[test]
fn forgetting_does_not_open_a_closed_semaphore() {
    let sem = semaphore(4);
    let (one, three) = (sem.try_acquire(1).unwrap(), sem.try_acquire(3).unwrap());
    sem.close();
    one.forget();
    assert_eq!(sem.try_acquire(0).unwrap_err(), TryAcquireError::Closed);
    three.forget();
    assert_eq!(sem.try_acquire(0).unwrap_err(), TryAcquireError::Closed);
}

/// go#53940: nobody could ask how large a semaphore is.
#[test]
fn a_semaphore_tells_its_size_and_what_is_in_use() {
    let sem = semaphore(7);
    let _held = sem.try_acquire(3).unwrap();
    assert_eq!((sem.limit(), sem.in_use(), sem.available()), (7, 3, 4));
}

/// saa has six bits for all of its permits.
#[test]
fn more_permits_than_a_few_bits_can_count_are_counted() {
    for permits in [63, 64, 65, 1 << 16, 1 << 20] {
        let sem = semaphore(permits);
        let held = sem.try_acquire(permits - 1).unwrap();
        assert_eq!(figures(&sem), (1, permits - 1, 0));
        drop(held);
        assert_eq!(figures(&sem), (permits, 0, 0));
    }
}

#[cfg(any(feature = "sync", feature = "async"))]
mod waits {
    use crate::support::{World, figures, in_both_worlds, semaphore};
    use lockgate_semaphore::{AcquireError, TryAcquireError};

    in_both_worlds![
        a_limit_may_fall_below_what_is_held_and_rise_again,
        a_request_above_the_limit_is_told_at_once,
        a_request_that_a_smaller_limit_can_never_serve_is_told,
        two_small_releases_serve_one_large_request,
        two_releases_serve_two_requests,
        more_capacity_serves_those_who_wait,
        a_request_for_more_than_there_will_ever_be_hoards_nothing,
        a_request_that_queues_hoards_nothing,
        trying_does_not_overtake_whom_a_release_serves,
        a_granted_permit_is_not_lost_to_a_newcomer,
        a_place_in_line_is_used_again_without_confusion,
        the_length_of_the_line_counts_everybody,
    ];

    /// go#29721, golang/sync#3: what a semaphore does that is resized below what is held.
    fn a_limit_may_fall_below_what_is_held_and_rise_again<W: World>() {
        let sem = semaphore(10);
        let held = W::at_once(sem.acquire_owned(10)).unwrap();
        for limit in [3, 1, 10, 2, 12, 5] {
            sem.set_limit(limit).unwrap();
            assert_eq!((sem.limit(), sem.in_use()), (limit, 10));
            assert_eq!(sem.available(), limit.saturating_sub(10));
        }
        drop(held);
        assert_eq!(figures(&sem), (5, 0, 0));
    }

    /// golang/sync#7: Go's `Acquire` waits for its context to end. tokio#8548: no check at all.
    fn a_request_above_the_limit_is_told_at_once<W: World>() {
        let sem = semaphore(2);
        for requested in [3, usize::MAX >> 3, usize::MAX] {
            assert_eq!(
                W::at_once(sem.acquire_owned(requested)).unwrap_err(),
                AcquireError::ExceedsLimit { requested, limit: 2 }
            );
        }
    }

    /// golang/sync#3: the list of impossible waiters, who would wait for ever.
    fn a_request_that_a_smaller_limit_can_never_serve_is_told<W: World>() {
        let sem = semaphore(3);
        let held = sem.try_acquire(3).unwrap();
        let waiting = W::queue(&sem, sem.acquire_owned(3));
        sem.set_limit(2).unwrap();
        drop(held);
        assert_eq!(
            W::outcome(waiting).unwrap_err(),
            AcquireError::ExceedsLimit { requested: 3, limit: 2 }
        );
    }

    /// marusama/semaphore#3: a release that did not come from a full semaphore told nobody.
    fn two_small_releases_serve_one_large_request<W: World>() {
        let sem = semaphore(10);
        let mut held = sem.try_acquire(10).unwrap();
        let waiting = W::queue(&sem, sem.acquire_owned(2));
        held.release_some(1).unwrap();
        assert_eq!(figures(&sem), (1, 9, 1));
        held.release_some(1).unwrap();
        assert_eq!(W::outcome(waiting).unwrap().weight(), 2);
    }

    /// llvm#46357: of two releases for two waiters, the second told nobody because the count had
    /// not been zero.
    fn two_releases_serve_two_requests<W: World>() {
        let sem = semaphore(2);
        let (one, two) = (sem.try_acquire(1).unwrap(), sem.try_acquire(1).unwrap());
        let (first, second) =
            (W::queue(&sem, sem.acquire_owned(1)), W::queue(&sem, sem.acquire_owned(1)));
        drop(one);
        drop(two);
        let permits = (W::outcome(first).unwrap(), W::outcome(second).unwrap());
        assert_eq!(figures(&sem), (0, 2, 0));
        drop(permits);
    }

    /// cockroach#45452: a pool whose capacity is raised while requests wait for it.
    fn more_capacity_serves_those_who_wait<W: World>() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let line: Vec<_> = (0..3).map(|_| W::queue(&sem, sem.acquire_owned(1))).collect();
        sem.set_limit(4).unwrap();
        for waiting in line {
            drop(W::outcome(waiting).unwrap());
        }
        drop(held);
    }

    /// tokio's `acquire_many` of more than there will ever be waits for ever, and takes whatever
    /// comes back, so that everybody waits with it.
    fn a_request_for_more_than_there_will_ever_be_hoards_nothing<W: World>() {
        let sem = semaphore(2);
        let held = sem.try_acquire(2).unwrap();
        W::at_once(sem.acquire_owned(3)).unwrap_err();
        drop(held);
        assert_eq!(sem.try_acquire(2).unwrap().weight(), 2);
    }

    /// tokio's semaphore keeps for the first in line what is free, even part of its need, so that
    /// `available` is not what is in use, and giving up has to bring it back.
    fn a_request_that_queues_hoards_nothing<W: World>() {
        let sem = semaphore(5);
        let held = sem.try_acquire(2).unwrap();
        let waiting = W::queue(&sem, sem.acquire_owned(5));
        assert_eq!((sem.available(), sem.in_use()), (3, 2));
        sem.set_limit(4).unwrap();
        W::outcome(waiting).unwrap_err();
        assert_eq!((sem.available(), sem.in_use()), (2, 2));
        drop(held);
    }

    /// resilience4j#906, and Java's untimed `tryAcquire`: who does not wait overtakes who does.
    fn trying_does_not_overtake_whom_a_release_serves<W: World>() {
        let sem = semaphore(2);
        let (one, two) = (sem.try_acquire(1).unwrap(), sem.try_acquire(1).unwrap());
        let waiting = W::queue(&sem, sem.acquire_owned(2));
        drop(one);
        assert_eq!(sem.try_acquire(1).unwrap_err(), TryAcquireError::NoPermits);
        drop(two);
        assert_eq!(sem.try_acquire(1).unwrap_err(), TryAcquireError::NoPermits);
        assert_eq!(W::outcome(waiting).unwrap().weight(), 2);
    }

    /// async-lock#23: who was woken could find the permit gone, and queued again at the end.
    fn a_granted_permit_is_not_lost_to_a_newcomer<W: World>() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let woken = W::queue(&sem, sem.acquire_owned(1));
        drop(held);
        assert_eq!(figures(&sem), (0, 1, 0), "it is taken before anybody is woken");
        let newcomer = sem.try_acquire(1);
        assert_eq!(newcomer.unwrap_err(), TryAcquireError::NoPermits);
        let permit = W::outcome(woken).unwrap();
        let newcomer = W::queue(&sem, sem.acquire_owned(1));
        drop(permit);
        drop(W::outcome(newcomer).unwrap());
    }

    /// asyncband#41, the half without a drop: nodes that are used again belong to one wait each.
    fn a_place_in_line_is_used_again_without_confusion<W: World>() {
        let sem = semaphore(3);
        for _ in 0..5 {
            let held = sem.try_acquire(3).unwrap();
            let line: Vec<_> = (1..=3).map(|n| (n, W::queue(&sem, sem.acquire_owned(n)))).collect();
            drop(held);
            for (n, waiting) in line {
                assert_eq!(W::outcome(waiting).unwrap().weight(), n);
            }
        }
    }

    /// coreclr#3490: the number of waiters left out those who did not block a thread.
    fn the_length_of_the_line_counts_everybody<W: World>() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let one = W::queue(&sem, sem.acquire_owned(1));
        let two = W::queue(&sem, sem.acquire_owned(1));
        assert_eq!(sem.waiters(), 2);
        sem.close();
        assert_eq!(sem.waiters(), 0);
        drop((W::outcome(one).unwrap_err(), W::outcome(two).unwrap_err(), held));
    }
}

#[cfg(feature = "async")]
mod tasks {
    use super::{figures, semaphore, within_patience};
    use crate::support::Wakes;
    use crate::support::tasks::{Task, poll};
    use lockgate_semaphore::Semaphore;
    use std::sync::Arc;
    use std::task::{Wake, Waker};

    /// go#37852, shuttle#167: a front that was given up left those behind it asleep.
    #[test]
    fn a_front_that_leaves_wakes_the_next() {
        let sem = semaphore(2);
        let held = sem.try_acquire(1).unwrap();
        let front = Task::queued(sem.acquire(2));
        let next = Task::queued(sem.acquire(1));
        drop(front);
        drop((next.woken().unwrap(), held));
        assert_eq!(figures(&sem), (2, 0, 0));
    }

    /// shuttle#167, its second half: a wait that was granted and dropped gave its permits back to
    /// the count, and woke nobody.
    #[test]
    fn a_granted_wait_that_leaves_wakes_the_next() {
        let sem = semaphore(2);
        let held = sem.try_acquire(2).unwrap();
        let granted = Task::queued(sem.acquire(2));
        let next = Task::queued(sem.acquire(2));
        drop(held);
        drop(granted);
        assert_eq!(next.woken().unwrap().weight(), 2);
    }

    /// go#63615: what had been given up before the release was served all the same.
    #[test]
    fn who_gave_up_before_the_release_takes_nothing() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let given_up = Task::queued(sem.acquire(1));
        drop(given_up);
        drop(held);
        assert_eq!(figures(&sem), (1, 0, 0));
    }

    /// asyncband#41: a waiter that was woken and then dropped was removed twice ("invalid key").
    #[test]
    fn a_wait_that_is_dropped_after_its_wake_up_leaves_once() {
        let sem = semaphore(2);
        for _ in 0..3 {
            let held = sem.try_acquire(2).unwrap();
            let (one, two) = (Task::queued(sem.acquire(1)), Task::queued(sem.acquire(1)));
            drop(held);
            // Its node is free from here on, and the next wait takes it.
            drop(one);
            let all = Task::queued(sem.acquire(2));
            drop(two);
            drop(all.woken().unwrap());
            assert_eq!(figures(&sem), (2, 0, 0));
        }
    }

    /// tokio#2237, tokio#2479: what was polled and dropped, again and again, stayed in the queue.
    #[test]
    fn waits_that_are_polled_and_dropped_do_not_pile_up() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let wakes = Wakes::new();
        let survivor = Task::queued(sem.acquire(1));
        for _ in 0..1000 {
            let mut wait = sem.acquire(1);
            assert!(poll(&mut wait, &wakes.waker()).is_pending());
            drop(wait);
            assert_eq!(sem.waiters(), 1);
        }
        assert_eq!((wakes.count(), Arc::strong_count(&wakes)), (0, 1));
        drop(held);
        drop(survivor.woken().unwrap());
    }

    /// tokio#726, tokio#795: a permit that was consumed before its task ran, and gone when the
    /// task was polled for another reason.
    #[test]
    fn a_granted_permit_waits_for_whatever_poll_comes() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let (early, late) = (Wakes::new(), Wakes::new());
        let mut wait = sem.acquire(1);
        assert!(poll(&mut wait, &early.waker()).is_pending());
        drop(held);
        assert_eq!(sem.in_use(), 1);
        assert!(poll(&mut wait, &late.waker()).is_ready(), "a poll that no wake-up caused");
        assert_eq!((early.count(), late.count()), (1, 0));
    }

    /// tokio#904: a permit that was released while a request queued, between the two halves of
    /// its first poll. One half is the clone of its waker, which is the user's code; here the
    /// release comes on the poll that replaces a waker, from the drop of the old one.
    #[test]
    fn a_release_in_the_middle_of_a_poll_is_not_lost() {
        struct ReleasesOnDrop(Arc<Semaphore>);
        impl Wake for ReleasesOnDrop {
            fn wake(self: Arc<Self>) {}
        }
        impl Drop for ReleasesOnDrop {
            fn drop(&mut self) {
                self.0.set_limit(2).unwrap();
            }
        }
        within_patience(|| {
            let sem = semaphore(1);
            let held = sem.try_acquire(1).unwrap();
            let mut wait = sem.acquire(1);
            let old = Waker::from(Arc::new(ReleasesOnDrop(Arc::clone(&sem))));
            assert!(poll(&mut wait, &old).is_pending());
            drop(old);
            let wakes = Wakes::new();
            let outcome = poll(&mut wait, &wakes.waker());
            assert!(outcome.is_ready() || wakes.count() == 1, "it is told, now or by a wake-up");
            drop((outcome, held));
        });
    }

    /// tokio#5429, tokio#5475: the old waker was dropped under the lock, and its drop came back.
    #[test]
    fn an_old_waker_is_dropped_outside_the_lock() {
        struct LooksOnDrop(Arc<Semaphore>);
        impl Wake for LooksOnDrop {
            fn wake(self: Arc<Self>) {}
        }
        impl Drop for LooksOnDrop {
            fn drop(&mut self) {
                assert_eq!(figures(&self.0), (0, 1, 1));
            }
        }
        within_patience(|| {
            let sem = semaphore(1);
            let held = sem.try_acquire(1).unwrap();
            let mut wait = sem.acquire(1);
            let old = Waker::from(Arc::new(LooksOnDrop(Arc::clone(&sem))));
            assert!(poll(&mut wait, &old).is_pending());
            drop(old);
            assert!(poll(&mut wait, Waker::noop()).is_pending());
            assert_eq!(Arc::strong_count(&sem), 1, "the old waker is gone");
            drop((wait, held));
        });
    }

    /// tokio#8529: `close` called the wakers under the lock.
    #[test]
    fn close_wakes_outside_the_lock() {
        struct LooksOnWake(Arc<Semaphore>);
        impl Wake for LooksOnWake {
            fn wake(self: Arc<Self>) {
                assert_eq!(figures(&self.0), (0, 1, 0));
                self.0.close();
            }
        }
        within_patience(|| {
            let sem = semaphore(1);
            let held = sem.try_acquire(1).unwrap();
            let waker = Waker::from(Arc::new(LooksOnWake(Arc::clone(&sem))));
            let mut waits: Vec<_> = (0..40).map(|_| sem.acquire(1)).collect();
            for wait in &mut waits {
                assert!(poll(wait, &waker).is_pending());
            }
            sem.close();
            drop((waits, held));
        });
    }

    /// tokio#6450: the loser of a `select!` that is kept, granted and not polled stalls everybody
    /// and, if its own task is among them, for ever. Inherent to handing permits over; the remedy
    /// is to drop it.
    #[test]
    fn a_future_that_is_kept_and_not_polled_stalls_the_line_until_it_is_dropped() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let kept = Task::queued(sem.acquire(1));
        let mut inner = Task::queued(sem.acquire(1));
        drop(held);
        assert!(inner.is_waiting(), "it waits for its own task's other future");
        drop(kept);
        drop(inner.woken().unwrap());
    }

    /// async-lock#41, async-lock#42: an owned acquire woke itself up for as long as it waited.
    #[test]
    fn a_wait_does_not_wake_itself() {
        let sem = semaphore(1);
        let held = sem.try_acquire(1).unwrap();
        let mut owned = Task::queued(sem.acquire_owned(1));
        let mut idle = Task::queued(sem.wait_idle_owned());
        for _ in 0..10 {
            assert!(owned.is_waiting() && idle.is_waiting());
        }
        drop((owned, held));
        idle.woken();
    }
}

#[cfg(feature = "sync")]
mod threads {
    use super::{figures, semaphore, within_patience};
    use crate::support::threads::spawn_wait;
    use crate::support::{PATIENCE, now};
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    /// go#63615, the other half: a context that is done could still acquire.
    #[test]
    fn a_deadline_that_has_passed_acquires_nothing() {
        let sem = semaphore(1);
        for _ in 0..100 {
            assert!(sem.acquire(1).wait_deadline(now()).unwrap_err().is_timeout());
        }
        assert_eq!(figures(&sem), (1, 0, 0));
    }

    /// glibc#12674, rayon's latch: whoever was let in may free the semaphore while the releaser
    /// is still about to leave it.
    #[test]
    fn the_last_owner_may_go_while_the_releaser_is_on_its_way_out() {
        for _ in 0..100 {
            let sem = semaphore(1);
            let held = sem.try_acquire_owned(1).unwrap();
            let wait = sem.acquire_owned(1);
            let weak = Arc::downgrade(&sem);
            let waiter = thread::spawn(move || {
                drop(sem);
                drop(wait.wait().unwrap());
            });
            let releaser = thread::spawn(move || drop(held));
            waiter.join().unwrap();
            releaser.join().unwrap();
            assert!(weak.upgrade().is_none());
        }
    }

    /// JDK-8386085: many waits with short time-outs, in the end a livelock in the queue's
    /// clean-up. e2b-dev/infra#3629: the wake-up of one that gave up came too late or never.
    #[test]
    fn a_storm_of_short_time_outs_leaves_the_line_in_order() {
        within_patience(|| {
            let sem = semaphore(2);
            thread::scope(|scope| {
                for worker in 0..4_u64 {
                    let sem = &sem;
                    scope.spawn(move || {
                        for round in 0..200 {
                            let timeout = Duration::from_micros((worker * 7 + round) % 40);
                            let weight = 1 + usize::from(round % 3 == 0);
                            if let Ok(permit) = sem.acquire(weight).wait_timeout(timeout) {
                                thread::yield_now();
                                drop(permit);
                            }
                        }
                    });
                }
            });
            assert_eq!(figures(&sem), (2, 0, 0));
        });
    }

    /// marusama/semaphore#2, tokio#904, llvm#77659, gcc#98033: a release that comes while somebody
    /// is about to wait, between its looking and its sleeping.
    #[test]
    fn a_release_while_somebody_is_about_to_wait_is_not_lost() {
        within_patience(|| {
            let (ping, pong) = (semaphore(1), semaphore(1));
            let mut ball = Some(pong.try_acquire_owned(1).unwrap());
            let mut rest = Some(ping.try_acquire_owned(1).unwrap());
            for _ in 0..100 {
                let (to_ping, to_pong) =
                    (spawn_wait(ping.acquire_owned(1)), spawn_wait(pong.acquire_owned(1)));
                drop((ball.take(), rest.take()));
                rest = Some(to_ping.recv_timeout(PATIENCE).expect("it is served").unwrap());
                ball = Some(to_pong.recv_timeout(PATIENCE).expect("it is served").unwrap());
            }
        });
    }

    /// marusama/semaphore#2 while the limit changes, which is what that semaphore is for.
    #[test]
    fn a_limit_that_goes_up_and_down_strands_nobody() {
        within_patience(|| {
            let sem = semaphore(4);
            thread::scope(|scope| {
                for weight in [1, 2, 3] {
                    let sem = &sem;
                    scope.spawn(move || {
                        for _ in 0..300 {
                            // `ExceedsLimit` while the limit is low.
                            if let Ok(permit) = sem.acquire(weight).wait() {
                                thread::yield_now();
                                drop(permit);
                            }
                        }
                    });
                }
                for round in 0..300 {
                    sem.set_limit(1 + round % 5).unwrap();
                    thread::yield_now();
                }
            });
            sem.set_limit(4).unwrap();
            assert_eq!(figures(&sem), (4, 0, 0));
        });
    }
}

/// glibc#12674 once more, without anybody who waits: the permit is the semaphore's last owner.
#[test]
fn a_permit_may_be_the_last_owner_of_its_semaphore() {
    let sem = semaphore(1);
    let weak = Arc::downgrade(&sem);
    let permit = sem.try_acquire_owned(1).unwrap();
    drop(sem);
    within_patience(move || drop(permit));
    assert!(weak.upgrade().is_none());
}
