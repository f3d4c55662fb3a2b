//! The laws of the semaphore, each for threads and for tasks.
#![cfg(any(feature = "sync", feature = "async"))]

use crate::support::{World, figures, in_both_worlds, semaphore};
use lockgate_semaphore::{AcquireError, TryAcquireError};

in_both_worlds![
    a_request_is_granted_whole_or_not_at_all,
    requests_are_served_in_the_order_of_their_arrival,
    a_small_request_does_not_overtake_a_large_one,
    trying_fails_while_anyone_waits_even_if_permits_are_free,
    a_newcomer_queues_behind_those_who_wait_even_if_it_would_fit,
    one_release_serves_everybody_for_whom_it_suffices,
    a_release_that_does_not_suffice_for_the_first_serves_nobody,
    a_request_above_the_limit_fails_at_once_and_blocks_nobody,
    a_request_for_the_whole_limit_is_served,
    a_request_for_nothing_succeeds_at_once,
    closed_wins_over_every_other_answer,
    growing_the_limit_serves_those_who_wait,
    shrinking_the_limit_takes_free_permits_at_once,
    shrinking_the_limit_goes_into_a_debt_that_releases_pay,
    a_request_waits_until_the_debt_is_paid_and_its_permits_are_free,
    growing_the_limit_pays_a_debt,
    shrinking_the_limit_fails_what_can_no_longer_fit_and_serves_who_is_next,
    shrinking_the_limit_keeps_the_order_of_those_who_still_fit,
    setting_the_same_limit_changes_nothing,
    closing_fails_everybody_in_line,
    closing_leaves_held_permits_valid,
    a_closed_semaphore_stays_closed_whatever_follows,
    a_grant_made_before_the_close_still_gives_its_permit,
    all_permits_are_granted_when_nobody_holds_one_and_exclude_everybody,
    all_permits_means_the_limit_as_it_is_at_the_grant,
    all_permits_of_a_limit_that_shrank_are_enough_to_be_alone,
    all_permits_survive_a_limit_that_falls_and_fail_only_with_nothing_left,
    up_to_takes_what_is_free_between_its_bounds,
    up_to_waits_for_its_minimum_and_takes_what_is_there_at_the_grant,
    up_to_fails_by_its_minimum_and_not_by_its_maximum,
    forgetting_lowers_the_limit_and_serves_nobody,
    forgetting_fails_what_can_no_longer_fit,
    forgetting_lets_a_request_for_all_through,
    what_is_forgotten_can_be_set_again,
];

fn a_request_is_granted_whole_or_not_at_all<W: World>() {
    let sem = semaphore(4);
    let mut held = sem.try_acquire(3).unwrap();
    let waiting = W::queue(&sem, sem.acquire_owned(3));
    assert_eq!(figures(&sem), (1, 3, 1), "it holds no part of what it wants");
    held.release_some(1).unwrap();
    assert_eq!(figures(&sem), (2, 2, 1));
    held.release_some(1).unwrap();
    assert_eq!(figures(&sem), (0, 4, 0));
    assert_eq!(W::outcome(waiting).unwrap().weight(), 3);
}

fn requests_are_served_in_the_order_of_their_arrival<W: World>() {
    let sem = semaphore(1);
    let mut holder = sem.try_acquire_owned(1).unwrap();
    let line: Vec<_> = (0..5).map(|_| W::queue(&sem, sem.acquire_owned(1))).collect();
    for (served, waiting) in line.into_iter().enumerate() {
        drop(holder);
        assert_eq!(figures(&sem), (0, 1, 4 - served), "one release serves one");
        holder = W::outcome(waiting).unwrap();
    }
}

fn a_small_request_does_not_overtake_a_large_one<W: World>() {
    let sem = semaphore(3);
    let held = sem.try_acquire(1).unwrap();
    let large = W::queue(&sem, sem.acquire_owned(3));
    let small = W::queue(&sem, sem.acquire_owned(1));
    assert_eq!(figures(&sem), (2, 1, 2), "the small one would fit, and waits its turn");
    drop(held);
    assert_eq!(figures(&sem), (0, 3, 1));
    drop(W::outcome(large).unwrap());
    assert_eq!(figures(&sem), (2, 1, 0));
    drop(W::outcome(small).unwrap());
    assert_eq!(figures(&sem), (3, 0, 0));
}

fn trying_fails_while_anyone_waits_even_if_permits_are_free<W: World>() {
    let sem = semaphore(3);
    let held = sem.try_acquire(1).unwrap();
    let large = W::queue(&sem, sem.acquire_owned(3));
    assert_eq!(sem.available(), 2);
    assert_eq!(sem.try_acquire(1).unwrap_err(), TryAcquireError::NoPermits);
    assert_eq!(sem.try_acquire_owned(2).unwrap_err(), TryAcquireError::NoPermits);
    assert_eq!(sem.try_acquire_up_to(1, 2).unwrap_err(), TryAcquireError::NoPermits);
    assert_eq!(sem.try_acquire_all().unwrap_err(), TryAcquireError::NoPermits);
    assert_eq!(figures(&sem), (2, 1, 1), "trying leaves no trace");
    drop(held);
    drop(W::outcome(large).unwrap());
    assert_eq!(sem.try_acquire(3).unwrap().weight(), 3, "nobody waits any more");
}

fn a_newcomer_queues_behind_those_who_wait_even_if_it_would_fit<W: World>() {
    let sem = semaphore(2);
    let held = sem.try_acquire(1).unwrap();
    let first = W::queue(&sem, sem.acquire_owned(2));
    let newcomer = W::queue(&sem, sem.acquire_up_to_owned(1, 2));
    drop(held);
    assert_eq!(figures(&sem), (0, 2, 1));
    drop(W::outcome(first).unwrap());
    assert_eq!(W::outcome(newcomer).unwrap().weight(), 2);
}

/// More than the number of wakers that are collected before the lock is left.
fn one_release_serves_everybody_for_whom_it_suffices<W: World>() {
    const REQUESTS: usize = 40;
    let sem = semaphore(REQUESTS);
    let held = sem.try_acquire(REQUESTS).unwrap();
    let line: Vec<_> = (0..REQUESTS).map(|_| W::queue(&sem, sem.acquire_owned(1))).collect();
    drop(held);
    assert_eq!(figures(&sem), (0, REQUESTS, 0));
    let permits: Vec<_> = line.into_iter().map(|waiting| W::outcome(waiting).unwrap()).collect();
    assert_eq!(sem.in_use(), REQUESTS);
    drop(permits);
    assert_eq!(figures(&sem), (REQUESTS, 0, 0));
}

fn a_release_that_does_not_suffice_for_the_first_serves_nobody<W: World>() {
    let sem = semaphore(4);
    let mut held = sem.try_acquire(4).unwrap();
    let first = W::queue(&sem, sem.acquire_owned(3));
    let second = W::queue(&sem, sem.acquire_owned(1));
    held.release_some(2).unwrap();
    assert_eq!(figures(&sem), (2, 2, 2));
    held.release_some(2).unwrap();
    assert_eq!(figures(&sem), (0, 4, 0));
    drop((W::outcome(first).unwrap(), W::outcome(second).unwrap()));
}

fn a_request_above_the_limit_fails_at_once_and_blocks_nobody<W: World>() {
    let sem = semaphore(2);
    let exceeds = AcquireError::ExceedsLimit { requested: 3, limit: 2 };
    assert_eq!(W::at_once(sem.acquire_owned(3)).unwrap_err(), exceeds);
    let held = sem.try_acquire(2).unwrap();
    assert_eq!(W::at_once(sem.acquire_owned(3)).unwrap_err(), exceeds);
    let waiting = W::queue(&sem, sem.acquire_owned(2));
    assert_eq!(W::at_once(sem.acquire_owned(3)).unwrap_err(), exceeds);
    assert_eq!(
        sem.try_acquire(3).unwrap_err(),
        TryAcquireError::ExceedsLimit { requested: 3, limit: 2 }
    );
    assert_eq!(figures(&sem), (0, 2, 1));
    drop(held);
    drop(W::outcome(waiting).unwrap());
    assert_eq!(W::at_once(sem.acquire_owned(2)).unwrap().weight(), 2);
}

fn a_request_for_the_whole_limit_is_served<W: World>() {
    let sem = semaphore(7);
    let whole = W::at_once(sem.acquire_owned(7)).unwrap();
    let next = W::queue(&sem, sem.acquire_owned(7));
    drop(whole);
    assert_eq!(W::outcome(next).unwrap().weight(), 7);
}

fn a_request_for_nothing_succeeds_at_once<W: World>() {
    let sem = semaphore(2);
    let held = sem.try_acquire(2).unwrap();
    assert_eq!(W::at_once(sem.acquire_owned(0)).unwrap().weight(), 0);
    assert_eq!(sem.try_acquire(0).unwrap().weight(), 0);
    let waiting = W::queue(&sem, sem.acquire_owned(1));
    assert_eq!(W::at_once(sem.acquire_owned(0)).unwrap().weight(), 0);
    assert_eq!(sem.try_acquire(0).unwrap().weight(), 0);
    sem.set_limit(1).unwrap();
    assert_eq!(W::at_once(sem.acquire_owned(0)).unwrap().weight(), 0, "in debt, too");
    assert_eq!(figures(&sem), (0, 2, 1));
    drop(held);
    drop(W::outcome(waiting).unwrap());
    assert_eq!(figures(&sem), (1, 0, 0));
}

fn closed_wins_over_every_other_answer<W: World>() {
    let sem = semaphore(2);
    sem.close();
    for n in [0, 1, 2, 3, usize::MAX] {
        assert_eq!(W::at_once(sem.acquire_owned(n)).unwrap_err(), AcquireError::Closed);
        assert_eq!(sem.try_acquire(n).unwrap_err(), TryAcquireError::Closed);
    }
    assert_eq!(W::at_once(sem.acquire_all_owned()).unwrap_err(), AcquireError::Closed);
    assert_eq!(W::at_once(sem.acquire_up_to_owned(0, 1)).unwrap_err(), AcquireError::Closed);
    assert_eq!(sem.try_acquire_all().unwrap_err(), TryAcquireError::Closed);
    assert_eq!(sem.try_acquire_up_to(0, 1).unwrap_err(), TryAcquireError::Closed);
    assert_eq!(figures(&sem), (2, 0, 0));
}

fn growing_the_limit_serves_those_who_wait<W: World>() {
    let sem = semaphore(2);
    let held = sem.try_acquire(2).unwrap();
    let first = W::queue(&sem, sem.acquire_owned(2));
    let second = W::queue(&sem, sem.acquire_owned(1));
    sem.set_limit(3).unwrap();
    assert_eq!(figures(&sem), (1, 2, 2), "what is new does not suffice for the first");
    sem.set_limit(5).unwrap();
    assert_eq!((sem.limit(), figures(&sem)), (5, (0, 5, 0)));
    drop((W::outcome(first).unwrap(), W::outcome(second).unwrap(), held));
    assert_eq!(figures(&sem), (5, 0, 0));
}

fn shrinking_the_limit_takes_free_permits_at_once<W: World>() {
    let sem = semaphore(5);
    let held = W::at_once(sem.acquire_owned(2)).unwrap();
    sem.set_limit(3).unwrap();
    assert_eq!((sem.limit(), figures(&sem)), (3, (1, 2, 0)));
    drop(held);
    assert_eq!(figures(&sem), (3, 0, 0));
}

fn shrinking_the_limit_goes_into_a_debt_that_releases_pay<W: World>() {
    let sem = semaphore(5);
    let mut held = W::at_once(sem.acquire_owned(5)).unwrap();
    sem.set_limit(2).unwrap();
    assert_eq!((sem.limit(), figures(&sem)), (2, (0, 5, 0)), "what is held stays held");
    held.release_some(2).unwrap();
    assert_eq!(figures(&sem), (0, 3, 0), "the debt is one still");
    assert_eq!(sem.try_acquire(1).unwrap_err(), TryAcquireError::NoPermits);
    held.release_some(1).unwrap();
    assert_eq!(figures(&sem), (0, 2, 0));
    held.release_some(1).unwrap();
    assert_eq!(figures(&sem), (1, 1, 0));
    drop(held);
    assert_eq!(figures(&sem), (2, 0, 0));
}

fn a_request_waits_until_the_debt_is_paid_and_its_permits_are_free<W: World>() {
    let sem = semaphore(4);
    let mut held = sem.try_acquire(4).unwrap();
    sem.set_limit(2).unwrap();
    let waiting = W::queue(&sem, sem.acquire_owned(1));
    held.release_some(2).unwrap();
    assert_eq!(figures(&sem), (0, 2, 1));
    held.release_some(1).unwrap();
    assert_eq!(figures(&sem), (0, 2, 0));
    drop(W::outcome(waiting).unwrap());
}

fn growing_the_limit_pays_a_debt<W: World>() {
    let sem = semaphore(4);
    let held = sem.try_acquire(4).unwrap();
    sem.set_limit(1).unwrap();
    let waiting = W::queue(&sem, sem.acquire_owned(1));
    sem.set_limit(4).unwrap();
    assert_eq!(figures(&sem), (0, 4, 1), "the debt is paid, and nothing is left over");
    sem.set_limit(5).unwrap();
    assert_eq!(figures(&sem), (0, 5, 0));
    drop((W::outcome(waiting).unwrap(), held));
    assert_eq!(figures(&sem), (5, 0, 0));
}

fn shrinking_the_limit_fails_what_can_no_longer_fit_and_serves_who_is_next<W: World>() {
    let sem = semaphore(4);
    let held = sem.try_acquire(1).unwrap();
    let four = W::queue(&sem, sem.acquire_owned(4));
    let two = W::queue(&sem, sem.acquire_owned(2));
    let three = W::queue(&sem, sem.acquire_up_to_owned(4, 9));
    sem.set_limit(3).unwrap();
    let exceeds = AcquireError::ExceedsLimit { requested: 4, limit: 3 };
    assert_eq!(W::outcome(four).unwrap_err(), exceeds);
    assert_eq!(W::outcome(three).unwrap_err(), exceeds);
    assert_eq!(figures(&sem), (0, 3, 0));
    drop((W::outcome(two).unwrap(), held));
    assert_eq!(figures(&sem), (3, 0, 0));
}

fn shrinking_the_limit_keeps_the_order_of_those_who_still_fit<W: World>() {
    let sem = semaphore(4);
    let held = sem.try_acquire(4).unwrap();
    let first = W::queue(&sem, sem.acquire_owned(2));
    let failing = W::queue(&sem, sem.acquire_owned(3));
    let second = W::queue(&sem, sem.acquire_owned(1));
    let third = W::queue(&sem, sem.acquire_owned(2));
    sem.set_limit(2).unwrap();
    assert_eq!(sem.waiters(), 3);
    W::outcome(failing).unwrap_err();
    drop(held);
    assert_eq!(figures(&sem), (0, 2, 2));
    drop(W::outcome(first).unwrap());
    assert_eq!(figures(&sem), (1, 1, 1));
    drop(W::outcome(second).unwrap());
    assert_eq!(figures(&sem), (0, 2, 0));
    drop(W::outcome(third).unwrap());
}

fn setting_the_same_limit_changes_nothing<W: World>() {
    let sem = semaphore(3);
    let held = sem.try_acquire(2).unwrap();
    let waiting = W::queue(&sem, sem.acquire_owned(3));
    for _ in 0..3 {
        sem.set_limit(3).unwrap();
        assert_eq!((sem.limit(), figures(&sem)), (3, (1, 2, 1)));
    }
    drop(held);
    assert_eq!(W::outcome(waiting).unwrap().weight(), 3);
}

fn closing_fails_everybody_in_line<W: World>() {
    let sem = semaphore(3);
    let held = sem.try_acquire(2).unwrap();
    let mut line = vec![
        W::queue(&sem, sem.acquire_owned(2)),
        W::queue(&sem, sem.acquire_all_owned()),
        W::queue(&sem, sem.acquire_up_to_owned(2, 3)),
    ];
    line.extend((0..20).map(|_| W::queue(&sem, sem.acquire_owned(1))));
    assert!(!sem.is_closed());
    sem.close();
    assert!(sem.is_closed());
    assert_eq!(figures(&sem), (1, 2, 0));
    for waiting in line {
        assert_eq!(W::outcome(waiting).unwrap_err(), AcquireError::Closed);
    }
    sem.close();
    drop(held);
    assert_eq!(figures(&sem), (3, 0, 0));
}

fn closing_leaves_held_permits_valid<W: World>() {
    let sem = semaphore(6);
    let mut held = W::at_once(sem.acquire_owned(6)).unwrap();
    sem.close();
    let part = held.split(1).unwrap();
    held.release_some(2).unwrap();
    assert_eq!(figures(&sem), (2, 4, 0));
    held.merge(part);
    assert_eq!(held.weight(), 4);
    drop(held);
    assert_eq!(figures(&sem), (6, 0, 0));
}

fn a_closed_semaphore_stays_closed_whatever_follows<W: World>() {
    let sem = semaphore(6);
    let mut held = sem.try_acquire(6).unwrap();
    let waiting = W::queue(&sem, sem.acquire_owned(1));
    sem.close();
    assert_eq!(W::outcome(waiting).unwrap_err(), AcquireError::Closed);
    let still_closed = |what: &str| {
        assert!(sem.is_closed(), "closed after {what}");
        assert_eq!(W::at_once(sem.acquire_owned(0)).unwrap_err(), AcquireError::Closed);
    };
    held.split(2).unwrap().forget();
    still_closed("forget");
    sem.set_limit(1).unwrap();
    still_closed("shrinking into debt");
    held.release_some(1).unwrap();
    still_closed("a release");
    sem.set_limit(9).unwrap();
    still_closed("growing");
    held.forget();
    still_closed("forgetting what is left");
    assert_eq!((sem.limit(), figures(&sem)), (6, (6, 0, 0)));
}

fn a_grant_made_before_the_close_still_gives_its_permit<W: World>() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let granted = W::queue(&sem, sem.acquire_owned(1));
    drop(held);
    sem.close();
    assert_eq!(W::outcome(granted).unwrap().weight(), 1);
    assert_eq!(figures(&sem), (1, 0, 0));
}

fn all_permits_are_granted_when_nobody_holds_one_and_exclude_everybody<W: World>() {
    let sem = semaphore(3);
    let (one, two) = (sem.try_acquire(1).unwrap(), sem.try_acquire(2).unwrap());
    assert_eq!(sem.try_acquire_all().unwrap_err(), TryAcquireError::NoPermits);
    let all = W::queue(&sem, sem.acquire_all_owned());
    let next = W::queue(&sem, sem.acquire_owned(1));
    drop(two);
    assert_eq!(figures(&sem), (2, 1, 2));
    drop(one);
    assert_eq!(figures(&sem), (0, 3, 1));
    let all = W::outcome(all).unwrap();
    assert_eq!(all.weight(), 3);
    assert_eq!(sem.try_acquire(1).unwrap_err(), TryAcquireError::NoPermits);
    drop(all);
    drop(W::outcome(next).unwrap());
    assert_eq!(sem.try_acquire_all().unwrap().weight(), 3);
    assert_eq!(sem.try_acquire_all_owned().unwrap().weight(), 3);
}

fn all_permits_means_the_limit_as_it_is_at_the_grant<W: World>() {
    let sem = semaphore(2);
    let held = sem.try_acquire(1).unwrap();
    let all = W::queue(&sem, sem.acquire_all_owned());
    sem.set_limit(5).unwrap();
    assert_eq!(figures(&sem), (4, 1, 1), "somebody holds a permit still");
    drop(held);
    assert_eq!(W::outcome(all).unwrap().weight(), 5);
    sem.set_limit(4).unwrap();
    assert_eq!(W::at_once(sem.acquire_all_owned()).unwrap().weight(), 4);
}

/// With a debt, every permit being back and the whole limit being free are two different things.
fn all_permits_of_a_limit_that_shrank_are_enough_to_be_alone<W: World>() {
    let sem = semaphore(5);
    let mut held = sem.try_acquire(5).unwrap();
    let all = W::queue(&sem, sem.acquire_all_owned());
    sem.set_limit(2).unwrap();
    held.release_some(4).unwrap();
    assert_eq!(figures(&sem), (1, 1, 1));
    drop(held);
    assert_eq!(W::outcome(all).unwrap().weight(), 2);
}

fn all_permits_survive_a_limit_that_falls_and_fail_only_with_nothing_left<W: World>() {
    let sem = semaphore(3);
    let mut held = sem.try_acquire(3).unwrap();
    let all = W::queue(&sem, sem.acquire_all_owned());
    held.split(2).unwrap().forget();
    assert_eq!((sem.limit(), sem.waiters()), (1, 1));
    held.forget();
    let exceeds = AcquireError::ExceedsLimit { requested: 1, limit: 0 };
    assert_eq!(W::outcome(all).unwrap_err(), exceeds);
    assert_eq!(W::at_once(sem.acquire_all_owned()).unwrap_err(), exceeds);
    assert_eq!(W::at_once(sem.acquire_owned(0)).unwrap().weight(), 0);
    assert_eq!((sem.limit(), figures(&sem)), (0, (0, 0, 0)));
}

fn up_to_takes_what_is_free_between_its_bounds<W: World>() {
    let sem = semaphore(10);
    let four = W::at_once(sem.acquire_up_to_owned(1, 4)).unwrap();
    assert_eq!(four.weight(), 4);
    let six = W::at_once(sem.acquire_up_to_owned(1, 64)).unwrap();
    assert_eq!((six.weight(), sem.available()), (6, 0));
    let none = W::at_once(sem.acquire_up_to_owned(0, 64)).unwrap();
    assert_eq!(none.weight(), 0, "what is there, be it nothing");
    assert_eq!(sem.try_acquire_up_to(1, 2).unwrap_err(), TryAcquireError::NoPermits);
    drop(four);
    assert_eq!(sem.try_acquire_up_to(1, 2).unwrap().weight(), 2);
    assert_eq!(sem.try_acquire_up_to_owned(4, usize::MAX).unwrap().weight(), 4);
    assert_eq!(sem.try_acquire_up_to(5, 6).unwrap_err(), TryAcquireError::NoPermits);
}

fn up_to_waits_for_its_minimum_and_takes_what_is_there_at_the_grant<W: World>() {
    let sem = semaphore(8);
    let mut held = sem.try_acquire(8).unwrap();
    let batch = W::queue(&sem, sem.acquire_up_to_owned(3, 6));
    let next = W::queue(&sem, sem.acquire_owned(1));
    held.release_some(2).unwrap();
    assert_eq!(figures(&sem), (2, 6, 2));
    held.release_some(3).unwrap();
    assert_eq!(figures(&sem), (0, 8, 1), "it leaves nothing that it may have");
    let batch = W::outcome(batch).unwrap();
    assert_eq!(batch.weight(), 5);
    drop(held);
    assert_eq!(figures(&sem), (2, 6, 0));
    drop((batch, W::outcome(next).unwrap()));
}

fn up_to_fails_by_its_minimum_and_not_by_its_maximum<W: World>() {
    let sem = semaphore(2);
    assert_eq!(W::at_once(sem.acquire_up_to_owned(2, 100)).unwrap().weight(), 2);
    assert_eq!(
        W::at_once(sem.acquire_up_to_owned(3, 100)).unwrap_err(),
        AcquireError::ExceedsLimit { requested: 3, limit: 2 }
    );
    assert_eq!(
        sem.try_acquire_up_to(3, 100).unwrap_err(),
        TryAcquireError::ExceedsLimit { requested: 3, limit: 2 }
    );
}

fn forgetting_lowers_the_limit_and_serves_nobody<W: World>() {
    let sem = semaphore(5);
    let mut held = sem.try_acquire(4).unwrap();
    let waiting = W::queue(&sem, sem.acquire_owned(2));
    held.split(2).unwrap().forget();
    assert_eq!((sem.limit(), figures(&sem)), (3, (1, 2, 1)));
    drop(held);
    assert_eq!(figures(&sem), (1, 2, 0));
    drop(W::outcome(waiting).unwrap());
    assert_eq!((sem.limit(), figures(&sem)), (3, (3, 0, 0)));
}

fn forgetting_fails_what_can_no_longer_fit<W: World>() {
    let sem = semaphore(3);
    let held = sem.try_acquire(1).unwrap();
    let three = W::queue(&sem, sem.acquire_owned(3));
    let two = W::queue(&sem, sem.acquire_owned(2));
    held.forget();
    assert_eq!(
        W::outcome(three).unwrap_err(),
        AcquireError::ExceedsLimit { requested: 3, limit: 2 }
    );
    assert_eq!(W::outcome(two).unwrap().weight(), 2);
}

fn forgetting_lets_a_request_for_all_through<W: World>() {
    let sem = semaphore(3);
    let held = sem.try_acquire(1).unwrap();
    let all = W::queue(&sem, sem.acquire_all_owned());
    held.forget();
    assert_eq!(W::outcome(all).unwrap().weight(), 2, "nobody holds a permit any more");
}

fn what_is_forgotten_can_be_set_again<W: World>() {
    let sem = semaphore(3);
    W::at_once(sem.acquire_owned(3)).unwrap().forget();
    assert_eq!(
        W::at_once(sem.acquire_owned(1)).unwrap_err(),
        AcquireError::ExceedsLimit { requested: 1, limit: 0 }
    );
    assert_eq!(
        sem.try_acquire(1).unwrap_err(),
        TryAcquireError::ExceedsLimit { requested: 1, limit: 0 }
    );
    sem.set_limit(2).unwrap();
    assert_eq!(figures(&sem), (2, 0, 0));
    assert_eq!(W::at_once(sem.acquire_owned(2)).unwrap().weight(), 2);
}
