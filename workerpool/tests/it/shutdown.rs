//! How a pool rests and ends.

use crate::support::{Counter, Gate, PATIENCE, until};
use lockgate_workerpool::thread::{Pool, Queue};
use lockgate_workerpool::{Closed, JobError, Reason, ShutdownError};
use std::time::Duration;

#[test]
fn a_pause_starts_nothing_and_takes_what_there_is_room_for() {
    let builder = Pool::builder().threads(2).queue(Queue::Bounded(3));
    let pool = builder.build().unwrap();
    assert!(pool.pause());
    let ran = Counter::default();
    for _ in 0..3 {
        let ran = ran.clone();
        drop(pool.try_submit(move || ran.add()).unwrap());
    }
    assert!(pool.try_submit(|| ()).is_err(), "nobody is free in a pause");
    assert!(!pool.wait_idle().wait_timeout(Duration::from_millis(5)));
    assert_eq!(ran.value(), 0);
    pool.resume();
    pool.wait_idle().wait();
    assert_eq!(ran.value(), 3);
}

#[test]
fn a_purge_hands_back_what_waits() {
    let pool = Pool::builder().threads(1).lanes(2).build().unwrap();
    pool.pause();
    let first = pool.submit(|| 1).unwrap();
    let second = pool.lane(1).submit(|| 2).unwrap();
    let (spawned, dropped) = (Counter::default(), Counter::default());
    let (spawns, capture) = (spawned.clone(), dropped.on_drop());
    pool.spawn(move || {
        let _capture = capture;
        spawns.add();
    })
    .unwrap();
    let mut purged = pool.purge();
    assert_eq!(purged.len(), 3);
    assert_eq!(purged.iter().map(|job| job.lane()).collect::<Vec<_>>(), [0, 0, 1]);
    purged.remove(0).run();
    assert_eq!(first.wait().unwrap(), 1, "run by hand");
    drop(purged);
    assert!(matches!(second.wait(), Err(JobError::Aborted)));
    assert_eq!((spawned.value(), dropped.value()), (0, 1));
    assert!(pool.wait_idle().wait_timeout(PATIENCE), "in a pause too");
}

#[test]
fn a_shutdown_runs_what_was_accepted() {
    let pool = Pool::builder().threads(2).queue(Queue::Unbounded).build().unwrap();
    let ran = Counter::default();
    for _ in 0..1000 {
        let ran = ran.clone();
        pool.spawn(move || {
            ran.add();
        })
        .unwrap();
    }
    let shutdown = pool.shutdown();
    let rejected = pool.submit(|| 1).unwrap_err();
    assert_eq!(rejected.reason, Reason::Closed);
    assert_eq!(pool.reserve().wait().unwrap_err(), Closed);
    shutdown.wait().unwrap();
    assert_eq!(ran.value(), 1000);
    assert_eq!(pool.metrics().workers, 0);
    assert!(pool.is_shut_down() && !pool.pause());
    // Twice is once.
    pool.shutdown().wait().unwrap();
    pool.shutdown_timeout(Duration::ZERO).unwrap();
}

#[test]
fn a_shutdown_ends_a_pause() {
    let pool = Pool::new(1).unwrap();
    pool.pause();
    let job = pool.submit(|| 4).unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!(job.wait().unwrap(), 4);
}

#[test]
fn a_shutdown_now_hands_back_what_waits() {
    let (pool, gate) = (Pool::new(1).unwrap(), Gate::default());
    let (waits, started) = (gate.clone(), Counter::default());
    let starts = started.clone();
    let running = pool.submit(move || {
        starts.add();
        waits.pass();
        1
    });
    until("it runs", || started.value() == 1);
    let waiting: Vec<_> = (0..5).map(|n| pool.submit(move || n).unwrap()).collect();
    let returned = pool.shutdown_now();
    assert_eq!(returned.len(), 5);
    assert_eq!(pool.shutdown_timeout(Duration::from_millis(2)), Err(ShutdownError::Timeout));
    drop(returned);
    for job in waiting {
        assert!(matches!(job.wait(), Err(JobError::Aborted)));
    }
    gate.open();
    assert_eq!(running.unwrap().wait().unwrap(), 1);
    pool.shutdown_timeout(PATIENCE).unwrap();
}

#[test]
fn whoever_waits_for_a_place_is_told_of_the_end() {
    let pool = Pool::builder().threads(1).queue(Queue::Bounded(1)).build().unwrap();
    let (gate, started) = (Gate::default(), Counter::default());
    let (waits, starts) = (gate.clone(), started.clone());
    pool.spawn(move || {
        starts.add();
        waits.pass();
    })
    .unwrap();
    until("it runs", || started.value() == 1);
    pool.spawn(|| ()).unwrap();
    let blocked = pool.clone();
    let thread = std::thread::spawn(move || blocked.submit(|| 1).unwrap_err().reason);
    until("it waits", || pool.metrics().waiting == 1);
    let shutdown = pool.shutdown();
    assert_eq!(thread.join().unwrap(), Reason::Closed);
    gate.open();
    shutdown.wait().unwrap();
}

#[test]
fn a_slot_that_outlives_the_pool_gives_its_job_back() {
    let pool = Pool::new(1).unwrap();
    let slot = pool.reserve().wait().unwrap();
    pool.shutdown().wait().unwrap();
    let rejected = slot.submit(|| 8).unwrap_err();
    assert_eq!((rejected.reason, (rejected.job)()), (Reason::Closed, 8));
}

#[test]
fn a_job_cannot_wait_for_the_end_of_its_pool_and_may_drop_it() {
    let pool = Pool::new(1).unwrap();
    let inner = pool.clone();
    let job = pool.submit(move || {
        let told = inner.shutdown().wait();
        // The last clone but one, or the last.
        drop(inner);
        told
    });
    let job = job.unwrap();
    drop(pool);
    assert_eq!(job.wait().unwrap(), Err(ShutdownError::Inside));
}

#[test]
fn the_last_clone_waits_for_the_jobs() {
    let pool = Pool::new(2).unwrap();
    let ran = Counter::default();
    for _ in 0..100 {
        let ran = ran.clone();
        pool.spawn(move || {
            ran.add();
        })
        .unwrap();
    }
    let clone = pool.clone();
    drop(pool);
    drop(clone);
    assert_eq!(ran.value(), 100);
}

#[test]
fn hooks_are_called_by_every_worker() {
    let (started, stopped) = (Counter::default(), Counter::default());
    let (starts, stops) = (started.clone(), stopped.clone());
    let builder = Pool::builder().threads(3).name("hooked").on_start(move || {
        assert!(std::thread::current().name().is_some_and(|name| name.starts_with("hooked-")));
        starts.add();
        panic!("ignored");
    });
    let pool = builder
        .on_stop(move || {
            stops.add();
        })
        .build()
        .unwrap();
    pool.submit(|| ()).unwrap().wait().unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!((started.value(), stopped.value()), (3, 3));
}
