//! Subpools, keys and batches.

use crate::support::{Counter, Gate, until};
use lockgate_workerpool::Reason;
use lockgate_workerpool::thread::{Pool, Queue, Reject};
use std::sync::{Arc, Mutex};

#[test]
fn a_subpool_runs_so_many_at_once_and_leaves_the_rest_to_others() {
    let pool = Pool::new(3).unwrap();
    let (part, gate) = (pool.subpool(2), Gate::default());
    let (running, most) = (Counter::default(), Arc::new(Mutex::new(0)));
    for _ in 0..6 {
        let (gate, running, most) = (gate.clone(), running.clone(), Arc::clone(&most));
        part.spawn(move || {
            let now = running.add();
            let mut most = most.lock().unwrap();
            *most = (*most).max(now);
            drop(most);
            gate.pass();
        })
        .unwrap();
    }
    until("two run", || running.value() == 2);
    assert_eq!(pool.submit(|| 1).unwrap().wait().unwrap(), 1, "the third worker is free");
    assert_eq!((running.value(), part.pending(), part.cap()), (2, 6, 2));
    gate.open();
    pool.wait_idle().wait();
    assert_eq!((running.value(), part.pending()), (6, 0));
}

#[test]
fn jobs_of_a_key_run_one_after_the_other_in_order() {
    let pool = Pool::builder().threads(4).queue(Queue::Unbounded).build().unwrap();
    let keyed = pool.keyed();
    let logs: Vec<_> = (0..5).map(|_| Arc::new(Mutex::new(Vec::new()))).collect();
    for turn in 0..500 {
        for (key, log) in logs.iter().enumerate() {
            let log = Arc::clone(log);
            keyed
                .spawn(key, move || {
                    // Whoever is beside it finds it locked.
                    log.try_lock().unwrap().push(turn);
                })
                .unwrap();
        }
    }
    pool.wait_idle().wait();
    for log in logs {
        assert!(log.lock().unwrap().iter().copied().eq(0..500));
    }
    assert_eq!(pool.metrics().panicked, 0);
}

#[test]
fn keys_without_jobs_are_forgotten() {
    let pool = Pool::new(2).unwrap();
    let keyed = pool.keyed();
    for key in 0..10_000 {
        keyed.submit(key, || ()).unwrap().wait().unwrap();
        assert!(keyed.len() <= 65, "{} keys", keyed.len());
    }
}

#[test]
fn what_stands_aside_is_handed_back_too() {
    let (pool, gate) = (Pool::new(2).unwrap(), Gate::default());
    let (keyed, started) = (pool.keyed(), Counter::default());
    let (waits, starts) = (gate.clone(), started.clone());
    keyed
        .spawn("a", move || {
            starts.add();
            waits.pass();
        })
        .unwrap();
    until("it runs", || started.value() == 1);
    let aside: Vec<_> = (0..3).map(|n| keyed.submit("a", move || n).unwrap()).collect();
    let beside = keyed.submit("b", || 5).unwrap();
    assert_eq!(beside.wait().unwrap(), 5);
    assert!(aside[1].abort());
    let returned = pool.shutdown_now();
    assert_eq!(returned.len() + 1, aside.len());
    drop(returned);
    assert!(aside.into_iter().all(|job| job.wait().is_err()));
    gate.open();
    pool.shutdown().wait().unwrap();
}

#[test]
fn a_panic_in_a_line_lets_the_next_go() {
    let pool = Pool::new(1).unwrap();
    let keyed = pool.keyed();
    let first = keyed.submit(1, || panic!("first")).unwrap();
    let second = keyed.submit(1, || 2).unwrap();
    assert!(first.wait().is_err());
    assert_eq!(second.wait().unwrap(), 2);
}

#[test]
fn nobody_overtakes_in_a_line_by_running_it_himself() {
    let builder = Pool::builder().threads(1).queue(Queue::Bounded(1)).reject(Reject::CallerRuns);
    let (pool, gate) = (builder.build().unwrap(), Gate::default());
    let (keyed, started) = (pool.keyed(), Counter::default());
    let (waits, starts) = (gate.clone(), started.clone());
    keyed
        .spawn("a", move || {
            starts.add();
            waits.pass();
        })
        .unwrap();
    until("it runs", || started.value() == 1);
    keyed.spawn("a", || ()).unwrap();
    assert_eq!(keyed.spawn("a", || ()).unwrap_err().reason, Reason::Full);
    gate.open();
}

#[test]
fn a_batch_waits_for_room_and_keeps_its_order() {
    let pool = Pool::builder().threads(2).queue(Queue::Bounded(4)).build().unwrap();
    let jobs = pool.submit_batch((0..1000).map(|n| move || n)).unwrap();
    assert!(jobs.into_iter().map(|job| job.wait().unwrap()).eq(0..1000));
}

#[test]
fn a_batch_that_finds_no_room_comes_back_in_part() {
    let builder = Pool::builder().threads(1).queue(Queue::Bounded(3)).reject(Reject::Fail);
    let pool = builder.build().unwrap();
    pool.pause();
    let error = pool.submit_batch((0..5).map(|n| move || n)).unwrap_err();
    assert_eq!(error.to_string(), "2 of 5 jobs rejected: the queue is full");
    assert_eq!(error.rejected.into_iter().map(|job| job()).collect::<Vec<_>>(), [3, 4]);
    pool.resume();
    assert!(error.accepted.into_iter().map(|job| job.wait().unwrap()).eq(0..3));
    pool.shutdown().wait().unwrap();
    let error = pool.submit_batch([|| ()]).unwrap_err();
    assert_eq!((error.reason, error.accepted.len()), (Reason::Closed, 0));
}

#[test]
fn a_batch_of_spawns_runs_or_comes_back() {
    let (pool, ran) =
        (Pool::builder().threads(1).queue(Queue::Bounded(4)).build().unwrap(), Counter::default());
    let job = || {
        let ran = ran.clone();
        move || {
            ran.add();
        }
    };
    pool.spawn_batch((0..1000).map(|_| job())).unwrap();
    pool.wait_idle().wait();
    assert_eq!(ran.value(), 1000);
    pool.shutdown().wait().unwrap();
    let error = pool.spawn_batch((0..3).map(|_| job())).unwrap_err();
    assert_eq!((error.accepted.len(), error.rejected.len(), error.reason), (0, 3, Reason::Closed));
    error.rejected.into_iter().for_each(|job| job());
    assert_eq!((ran.value(), pool.metrics().rejected), (1003, 3));
}

#[test]
fn a_batch_of_spawns_that_finds_no_room_comes_back_in_part() {
    let queue = Queue::Bounded(2);
    let pool = Pool::builder().threads(1).queue(queue).reject(Reject::Fail).build().unwrap();
    let (gate, ran) = (Gate::default(), Counter::default());
    let passes = gate.clone();
    pool.spawn(move || passes.pass()).unwrap();
    until("the worker has its job", || pool.metrics().queued == 0);
    let jobs = (0..5).map(|n| {
        let ran = ran.clone();
        move || {
            assert!(n == ran.add() - 1, "in order");
        }
    });
    let error = pool.spawn_batch(jobs).unwrap_err();
    assert_eq!((error.accepted.len(), error.rejected.len(), error.reason), (2, 3, Reason::Full));
    gate.open();
    pool.wait_idle().wait();
    error.rejected.into_iter().for_each(|job| job());
    assert_eq!(ran.value(), 5);
}

/// Found by `properties`: where the job whose turn it was is taken out, those behind it stayed aside for ever.
#[test]
fn an_abort_of_the_next_in_line_lets_the_others_go_in_order() {
    let (pool, gate) = (Pool::new(2).unwrap(), Gate::default());
    let (keyed, started) = (pool.keyed(), Counter::default());
    let order = Arc::new(Mutex::new(Vec::new()));
    let note = |what: char| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(what)
    };
    let (waits, starts) = (gate.clone(), started.clone());
    let first = keyed.submit("a", move || {
        starts.add();
        waits.pass();
    });
    until("it runs", || started.value() == 1);
    let second = keyed.submit("a", note('b')).unwrap();
    keyed.spawn("a", note('c')).unwrap();
    // The other worker has put both aside when it runs this one.
    pool.submit(|| ()).unwrap().wait().unwrap();
    pool.pause();
    gate.open();
    first.unwrap().wait().unwrap();
    until("the first is counted", || pool.metrics().running == 0);
    assert_eq!(pool.metrics().lanes, [1], "the second is due");
    keyed.spawn("a", note('d')).unwrap();
    assert!(second.abort());
    pool.resume();
    pool.wait_idle().wait();
    assert_eq!(*order.lock().unwrap(), ['c', 'd']);
}
