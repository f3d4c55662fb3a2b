//! One closure that is fed with values.

use crate::support::{Counter, Gate, PATIENCE, until};
use lockgate_workerpool::thread::{Builder, Queue, Reject, Workers};
use lockgate_workerpool::{Closed, Reason, Timings, WaitError};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was handled, in its order; value 0 waits for the gate, and has started.
fn busy(bound: usize, reject: Reject) -> (Workers<u32>, Gate, Arc<Mutex<Vec<u32>>>) {
    let (gate, started) = (Gate::default(), Counter::default());
    let seen: Arc<Mutex<Vec<u32>>> = Arc::default();
    let (waits, starts, sees) = (gate.clone(), started.clone(), Arc::clone(&seen));
    let builder = Workers::builder().threads(1).queue(Queue::Bounded(bound)).reject(reject);
    let handler = move |n| {
        if n == 0 {
            starts.add();
            waits.pass();
        } else {
            sees.lock().unwrap().push(n);
        }
    };
    let workers = builder.build_workers(handler).unwrap();
    workers.push(0).unwrap();
    until("it is busy", || started.value() == 1);
    (workers, gate, seen)
}

#[test]
fn every_value_is_handled_in_order() {
    let (workers, gate, seen) = busy(2000, Reject::Fail);
    (1..=1000).for_each(|n| workers.push(n).unwrap());
    workers.push_batch(1001..=2000).unwrap();
    assert_eq!(workers.push(1).unwrap_err().reason, Reason::Full);
    assert_eq!(workers.metrics().queued, 2000);
    gate.open();
    workers.wait_idle().wait();
    assert!(seen.lock().unwrap().iter().copied().eq(1..=2000));
}

#[test]
fn a_full_queue_does_what_it_says() {
    for reject in [Reject::Fail, Reject::CallerRuns, Reject::DropNewest, Reject::DropOldest] {
        let (workers, gate, seen) = busy(1, reject);
        workers.push(1).unwrap();
        assert_eq!(workers.try_push(9).unwrap_err().into_job(), 9);
        let pushed = workers.push(2);
        let expected: &[u32] = match reject {
            Reject::Fail => {
                assert_eq!(pushed.unwrap_err().into_job(), 2);
                &[1]
            }
            Reject::CallerRuns => &[2, 1],
            Reject::DropNewest => &[1],
            _ => &[2],
        };
        gate.open();
        workers.wait_idle().wait();
        assert_eq!(*seen.lock().unwrap(), expected, "{reject:?}");
        let metrics = workers.metrics();
        let rejected = 1 + u64::from(reject != Reject::CallerRuns);
        assert_eq!(metrics.rejected, rejected, "{reject:?}");
    }
}

#[test]
fn block_waits_for_a_place() {
    let (workers, gate, seen) = busy(1, Reject::Block);
    let pusher = workers.clone();
    let pushes = std::thread::spawn(move || pusher.push_batch(1..=100).unwrap());
    until("it waits", || workers.metrics().waiting == 1);
    gate.open();
    pushes.join().unwrap();
    workers.shutdown().wait().unwrap();
    assert!(seen.lock().unwrap().iter().copied().eq(1..=100));
}

#[test]
fn a_handler_that_pushes_into_a_full_queue_handles_it_itself() {
    let place: Arc<Mutex<Option<Workers<u32>>>> = Arc::default();
    let (own, sum) = (Arc::clone(&place), Counter::default());
    let adds = sum.clone();
    let workers =
        Workers::builder().threads(1).queue(Queue::Handoff).build_workers(move |n: u32| {
            adds.add();
            let again = own.lock().unwrap().clone();
            if let (Some(again), 1..) = (again, n) {
                again.push(n - 1).unwrap();
            }
        });
    let workers = workers.unwrap();
    *place.lock().unwrap() = Some(workers.clone());
    workers.push(10).unwrap();
    workers.wait_idle().wait();
    assert_eq!(sum.value(), 11);
    place.lock().unwrap().take();
}

#[test]
fn the_end_gives_back_what_waits() {
    let (workers, gate, seen) = busy(10, Reject::Block);
    workers.push_batch(1..=3).unwrap();
    assert_eq!(workers.purge(), [1, 2, 3]);
    workers.push_batch(4..=6).unwrap();
    assert_eq!(workers.shutdown_now(), [4, 5, 6]);
    let rejected = workers.push(7).unwrap_err();
    assert_eq!((rejected.reason, rejected.job), (Reason::Closed, 7));
    let rejected = workers.push_batch(8..=9).unwrap_err();
    assert_eq!((rejected.reason, rejected.rejected), (Reason::Closed, vec![8, 9]));
    assert_eq!(workers.reserve().wait().map(drop), Err(Closed));
    assert!(workers.is_shut_down());
    gate.open();
    workers.shutdown_timeout(PATIENCE).unwrap();
    assert!(seen.lock().unwrap().is_empty());
}

#[test]
fn a_batch_that_finds_no_room_comes_back_in_part() {
    let (workers, gate, seen) = busy(3, Reject::Fail);
    let error = workers.push_batch(1..=5).unwrap_err();
    assert_eq!((error.accepted.len(), error.rejected, error.reason), (3, vec![4, 5], Reason::Full));
    gate.open();
    workers.wait_idle().wait();
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
}

#[test]
fn places_are_reserved() {
    let (workers, gate, seen) = busy(1, Reject::Fail);
    let slot = workers.reserve().wait().unwrap();
    let timeout = workers.reserve().wait_timeout(Duration::from_millis(2)).map(drop);
    assert_eq!(timeout, Err(WaitError::Timeout));
    assert!(workers.try_push(1).is_err(), "the place is taken");
    slot.push(2).unwrap();
    gate.open();
    workers.wait_idle().wait();
    drop(workers.reserve().wait().unwrap());
    workers.try_push(3).unwrap();
    workers.wait_idle().wait();
    assert_eq!(*seen.lock().unwrap(), [2, 3]);
    let slot = workers.reserve().wait().unwrap();
    assert!(workers.shutdown_now().is_empty());
    assert_eq!(slot.push(4).unwrap_err().into_job(), 4);
}

#[test]
fn a_panic_costs_its_value_and_no_worker() {
    let told = Counter::default();
    let tells = told.clone();
    let builder = Workers::builder().threads(1).on_panic(move |panicked| {
        assert_eq!(panicked.message(), Some("odd"));
        tells.add();
    });
    let workers = builder.build_workers(|n: u32| assert!(n % 2 == 0, "odd")).unwrap();
    (0..10).for_each(|n| workers.push(n).unwrap());
    workers.wait_idle().wait();
    let metrics = workers.metrics();
    assert_eq!((metrics.completed, metrics.panicked, metrics.workers), (5, 5, 1));
    assert_eq!(told.value(), 5);
}

#[test]
fn values_are_dropped_once() {
    let (dropped, gate) = (Counter::default(), Gate::default());
    let waits = gate.clone();
    let builder = Workers::builder().threads(0..=1).queue(Queue::Bounded(4));
    let workers = builder.reject(Reject::DropOldest).build_workers(move |value| {
        waits.pass();
        drop(value);
    });
    let workers = workers.unwrap();
    for _ in 0..20 {
        workers.push(dropped.on_drop()).unwrap();
    }
    until("the rest was dropped", || dropped.value() >= 15);
    gate.open();
    drop(workers);
    assert_eq!(dropped.value(), 20);
}

#[cfg(feature = "async")]
#[test]
fn a_task_waits_for_places() {
    let builder = Workers::builder().threads(2).queue(Queue::Bounded(1));
    let sum = Counter::default();
    let adds = sum.clone();
    let workers = builder.build_workers(move |()| adds.tick()).unwrap();
    futures::executor::block_on(async {
        for _ in 0..200 {
            workers.reserve().await.unwrap().push(()).unwrap();
        }
        workers.wait_idle().await;
    });
    assert_eq!(sum.value(), 200);
}

#[test]
fn what_values_do_not_have_is_refused_by_name() {
    let refused = |builder: Builder| builder.build_workers(|_: u32| ()).unwrap_err();
    let (lanes, timings) =
        (Workers::builder().lanes(2), Workers::builder().timings(Timings::Sampled(9)));
    let observe = Workers::builder().observe();
    for (error, words) in [
        (refused(lanes), "lanes is 2: it must be 1 for workers"),
        (refused(timings), "timings is Sampled(9): it must be Off for workers"),
        (refused(observe), "observe is on: it must be off for workers"),
        (refused(Workers::builder().lanes(0)), "lanes is 0: it must be in 1..=65535"),
    ] {
        assert!(error.to_string().starts_with(words), "{error}");
    }
}
