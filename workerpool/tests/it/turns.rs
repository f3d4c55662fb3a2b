//! Subpools, keys and batches.

use crate::support::{Counter, Gate, PATIENCE, until};
use lockgate_workerpool::thread::{Pool, Queue, Reject};
use lockgate_workerpool::{JobError, Reason};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

/// One worker holds the key; another, of another job, waits for a job of it.
#[test]
fn whoever_waits_inside_for_a_job_of_a_key_does_not_overtake_the_key() {
    let pool = Pool::new(3).unwrap();
    let keyed = Arc::new(pool.keyed());
    let (gate, log) = (Gate::default(), Arc::new(Mutex::new(Vec::new())));
    let held = gate.clone();
    keyed.spawn("a", move || held.pass()).unwrap();
    for n in 0..3 {
        let log = Arc::clone(&log);
        keyed.spawn("a", move || log.lock().unwrap().push(n)).unwrap();
    }
    let (inner, last, started) = (Arc::clone(&keyed), Arc::clone(&log), Counter::default());
    let starts = started.clone();
    let outer = pool.submit(move || {
        let job = inner.submit("a", move || last.lock().unwrap().push(3)).unwrap();
        starts.add();
        job.wait()
    });
    until("it waits", || started.value() == 1);
    std::thread::sleep(Duration::from_millis(20));
    assert!(log.lock().unwrap().is_empty(), "the key is held");
    gate.open();
    assert!(outer.unwrap().wait().unwrap().is_ok());
    assert_eq!(*log.lock().unwrap(), [0, 1, 2, 3]);
}

#[test]
fn a_map_inside_keeps_the_cap_of_its_subpool() {
    let pool = Pool::new(4).unwrap();
    let part = pool.subpool(1);
    let (running, most) = (Counter::default(), Arc::new(Mutex::new(0)));
    let over = running.clone();
    let now = Arc::new(Mutex::new(()));
    let peak = Arc::clone(&most);
    let (inner, maps) = (part.clone(), 2);
    let jobs: Vec<_> = (0..maps)
        .map(|_| {
            let (part, now, peak, over) =
                (inner.clone(), Arc::clone(&now), Arc::clone(&peak), over.clone());
            pool.submit(move || {
                let items = part.submitter().map(0..20, move |n| {
                    // Whoever is beside it finds it locked.
                    let alone = now.try_lock();
                    if alone.is_err() {
                        *peak.lock().unwrap() += 1;
                    }
                    std::thread::sleep(Duration::from_micros(200));
                    over.add();
                    n
                });
                items.wait().unwrap()
            })
            .unwrap()
        })
        .collect();
    for job in jobs {
        assert!(job.wait().unwrap().into_iter().eq(0..20));
    }
    assert_eq!((running.value(), *most.lock().unwrap()), (40, 0));
}

#[test]
fn a_job_that_waits_for_its_own_key_is_told() {
    for threads in [1, 2] {
        let pool = Pool::new(threads).unwrap();
        let keyed = Arc::new(pool.keyed());
        let inner = Arc::clone(&keyed);
        let job = keyed.submit("a", move || inner.submit("a", || 1).unwrap().wait());
        let told = job.unwrap().wait_timeout(PATIENCE).expect("it ends").unwrap();
        assert!(matches!(told, Err(JobError::WouldDeadlock)), "{told:?}");
        pool.wait_idle().wait();
        assert_eq!(pool.metrics().completed, 2, "it ran when its turn came");
    }
}

#[test]
fn what_waits_for_its_turn_is_not_given_up_in_a_pause() {
    let pool = Pool::new(2).unwrap();
    let keyed = Arc::new(pool.keyed());
    let (inner, gate, started) = (Arc::clone(&keyed), Gate::default(), Counter::default());
    let (held, starts) = (gate.clone(), started.clone());
    let job = pool.submit(move || {
        starts.add();
        held.pass();
        let job = inner.submit("a", || 1).unwrap();
        starts.add();
        job.wait()
    });
    until("it runs", || started.value() == 1);
    pool.pause();
    gate.open();
    until("it waits", || started.value() == 2);
    std::thread::sleep(Duration::from_millis(20));
    let job = job.unwrap();
    assert!(!job.is_finished(), "a pause ends");
    pool.resume();
    assert_eq!(job.wait().unwrap().unwrap(), 1);
}

#[test]
fn what_is_handed_back_is_waited_for_inside_and_counts_nobody_as_parked() {
    let pool = Pool::new(2).unwrap();
    let keyed = Arc::new(pool.keyed());
    for run in [true, false] {
        let (gate, started) = (Gate::default(), Counter::default());
        let (held, starts, inner) = (gate.clone(), started.clone(), Arc::clone(&keyed));
        keyed.spawn("a", move || held.pass()).unwrap();
        let job = pool.submit(move || {
            let job = inner.submit("a", || 1).unwrap();
            starts.add();
            job.wait()
        });
        until("it waits", || started.value() == 1);
        std::thread::sleep(Duration::from_millis(20));
        let back = pool.purge();
        assert_eq!(back.len(), 1);
        gate.open();
        // The worker that held the key falls asleep, and the other goes on waiting.
        until("one is idle", || pool.metrics().idle == 1);
        std::thread::sleep(Duration::from_millis(20));
        let job = job.unwrap();
        assert!(!job.is_finished());
        for job in back {
            if run {
                job.run();
            }
        }
        let got = job.wait().unwrap();
        assert!(matches!((run, got), (true, Ok(1)) | (false, Err(JobError::Aborted))));
    }
    // One that was counted as parked and is not would be told that it waits for ever.
    let inner = Arc::clone(&keyed);
    let job = pool.submit(move || inner.submit("a", || 1).unwrap().wait());
    assert_eq!(job.unwrap().wait().unwrap().unwrap(), 1);
}

#[test]
fn the_line_of_a_key_has_lanes_deadlines_and_names() {
    let pool = Pool::builder().threads(2).lanes(2).build().unwrap();
    let (keys, order) = (pool.keyed::<&str>(), Arc::new(Mutex::new(Vec::new())));
    pool.pause();
    let note = |what: &'static str| {
        let order = Arc::clone(&order);
        move || order.lock().unwrap().push(what)
    };
    let line = keys.line("a");
    let late = line.submitter().deadline(std::time::Instant::now()).submit(note("late")).unwrap();
    line.submitter().lane(1).named("slow").spawn(note("less urgent")).unwrap();
    keys.spawn("a", note("by the key")).unwrap();
    line.spawn(note("by the line")).unwrap();
    assert_eq!((line.cap(), line.pending(), keys.len()), (1, 4, 1));
    let names: Vec<_> = pool.snapshot().jobs.into_iter().filter_map(|job| job.name).collect();
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["slow"]);
    pool.resume();
    pool.wait_idle().wait();
    assert!(matches!(late.wait(), Err(JobError::Expired)));
    assert_eq!(*order.lock().unwrap(), ["by the key", "by the line", "less urgent"]);
}
