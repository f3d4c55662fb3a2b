//! What a holder can do with its permits.

use crate::support::{figures, panic_of, semaphore};
use lockgate_semaphore::{OwnedPermit, Semaphore};
use std::sync::Arc;
use std::thread;

#[test]
fn a_permit_knows_its_weight_and_its_semaphore() {
    let sem = semaphore(3);
    let borrowed = sem.try_acquire(2).unwrap();
    assert_eq!(borrowed.weight(), 2);
    assert!(std::ptr::eq(*borrowed.semaphore(), &*sem));
    let owned = sem.try_acquire_owned(1).unwrap();
    assert_eq!(owned.weight(), 1);
    assert!(Arc::ptr_eq(owned.semaphore(), &sem));
}

#[test]
fn a_permit_that_is_dropped_gives_back_its_weight_and_no_more() {
    let sem = semaphore(5);
    let (two, three) = (sem.try_acquire(2).unwrap(), sem.try_acquire(3).unwrap());
    drop(two);
    assert_eq!(figures(&sem), (2, 3, 0));
    drop(three);
    assert_eq!(figures(&sem), (5, 0, 0));
}

#[test]
fn splitting_moves_permits_and_gives_none_back() {
    let sem = semaphore(5);
    let mut permit = sem.try_acquire(5).unwrap();
    let two = permit.split(2).unwrap();
    assert_eq!((permit.weight(), two.weight()), (3, 2));
    let rest = permit.split(3).unwrap();
    assert_eq!((permit.weight(), rest.weight()), (0, 3));
    let none = permit.split(0).unwrap();
    assert_eq!(figures(&sem), (0, 5, 0));
    drop((permit, none));
    assert_eq!(figures(&sem), (0, 5, 0), "an empty permit gives nothing back");
    drop(two);
    assert_eq!(figures(&sem), (2, 3, 0));
    drop(rest);
    assert_eq!(figures(&sem), (5, 0, 0));
}

#[test]
fn splitting_off_more_than_there_is_fails_and_changes_nothing() {
    let sem = semaphore(3);
    let mut permit = sem.try_acquire(2).unwrap();
    for n in [3, usize::MAX] {
        let error = permit.split(n).unwrap_err();
        assert_eq!((error.requested(), error.weight()), (n, 2));
    }
    assert_eq!((permit.weight(), figures(&sem)), (2, (1, 2, 0)));
}

#[test]
fn merging_adds_up_and_gives_nothing_back() {
    let sem = semaphore(6);
    let mut permit = sem.try_acquire(1).unwrap();
    permit.merge(sem.try_acquire(2).unwrap());
    permit.merge(sem.try_acquire(3).unwrap());
    permit.merge(sem.try_acquire(0).unwrap());
    assert_eq!((permit.weight(), figures(&sem)), (6, (0, 6, 0)));
    drop(permit);
    assert_eq!(figures(&sem), (6, 0, 0));
}

#[test]
fn merging_across_semaphores_panics_and_gives_both_back() {
    let (sem, other) = (semaphore(2), semaphore(2));
    let mut permit = sem.try_acquire(1).unwrap();
    let foreign = other.try_acquire(2).unwrap();
    let said = panic_of(|| permit.merge(foreign));
    assert!(said.contains("same semaphore"), "{said}");
    assert_eq!(figures(&other), (2, 0, 0));
    assert_eq!((permit.weight(), figures(&sem)), (1, (1, 1, 0)));
    drop(permit);
    assert_eq!(figures(&sem), (2, 0, 0));
}

#[test]
fn releasing_some_gives_back_just_those() {
    let sem = semaphore(5);
    let mut permit = sem.try_acquire(5).unwrap();
    permit.release_some(2).unwrap();
    assert_eq!((permit.weight(), figures(&sem)), (3, (2, 3, 0)));
    permit.release_some(0).unwrap();
    assert_eq!((permit.weight(), figures(&sem)), (3, (2, 3, 0)));
    permit.release_some(3).unwrap();
    assert_eq!((permit.weight(), figures(&sem)), (0, (5, 0, 0)));
    drop(permit);
    assert_eq!(figures(&sem), (5, 0, 0));
}

#[test]
fn releasing_more_than_there_is_fails_and_changes_nothing() {
    let sem = semaphore(3);
    let mut permit = sem.try_acquire(2).unwrap();
    for n in [3, usize::MAX] {
        let error = permit.release_some(n).unwrap_err();
        assert_eq!((error.requested(), error.weight()), (n, 2));
    }
    assert_eq!((permit.weight(), figures(&sem)), (2, (1, 2, 0)));
}

#[test]
fn forgetting_lowers_the_limit_by_the_weight() {
    let sem = semaphore(5);
    sem.try_acquire(2).unwrap().forget();
    assert_eq!((sem.limit(), figures(&sem)), (3, (3, 0, 0)));
    sem.try_acquire(0).unwrap().forget();
    assert_eq!((sem.limit(), figures(&sem)), (3, (3, 0, 0)));
    sem.try_acquire(3).unwrap().forget();
    assert_eq!((sem.limit(), figures(&sem)), (0, (0, 0, 0)));
    sem.set_limit(4).unwrap();
    assert_eq!((sem.limit(), figures(&sem)), (4, (4, 0, 0)));
}

#[test]
fn forgetting_in_debt_never_brings_the_limit_below_nothing() {
    let sem = semaphore(6);
    let mut held = sem.try_acquire(6).unwrap();
    sem.set_limit(2).unwrap();
    held.split(1).unwrap().forget();
    assert_eq!((sem.limit(), figures(&sem)), (1, (0, 5, 0)));
    held.split(3).unwrap().forget();
    assert_eq!((sem.limit(), figures(&sem)), (0, (0, 2, 0)));
    sem.set_limit(3).unwrap();
    assert_eq!((sem.limit(), figures(&sem)), (3, (1, 2, 0)));
    drop(held);
    assert_eq!(figures(&sem), (3, 0, 0));
}

#[test]
fn owned_permits_keep_their_semaphore_and_let_it_go() {
    let sem = semaphore(3);
    let mut permit = sem.try_acquire_owned(3).unwrap();
    let part = permit.split(1).unwrap();
    assert_eq!(Arc::strong_count(&sem), 3);
    permit.merge(part);
    assert_eq!(Arc::strong_count(&sem), 2, "the one that was merged lets go of it");
    permit.split(1).unwrap().forget();
    assert_eq!(Arc::strong_count(&sem), 2);
    let weak = Arc::downgrade(&sem);
    drop(sem);
    assert_eq!(weak.upgrade().map(|sem| figures(&sem)), Some((0, 2, 0)));
    drop(permit);
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_permit_may_be_given_back_on_any_thread() {
    let sem = semaphore(2);
    let owned: OwnedPermit = sem.try_acquire_owned(1).unwrap();
    let borrowed = sem.try_acquire(1).unwrap();
    thread::spawn(move || drop(owned)).join().unwrap();
    assert_eq!(figures(&sem), (1, 1, 0));
    thread::scope(|scope| {
        scope.spawn(move || drop(borrowed));
    });
    assert_eq!(figures(&sem), (2, 0, 0));
}

#[test]
fn a_semaphore_can_be_a_static() {
    static DISK: Semaphore = Semaphore::new(2);
    let permit = DISK.try_acquire(2).unwrap();
    let back = thread::spawn(move || permit.weight());
    assert_eq!(back.join().unwrap(), 2);
    assert_eq!(figures(&DISK), (2, 0, 0));
}
