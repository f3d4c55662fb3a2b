//! Tasks that use a pool of threads.

use crate::support::{Counter, Gate, until};
use futures::FutureExt;
use futures::executor::block_on;
use futures::future::join_all;
use lockgate_workerpool::thread::{Pool, Queue};
use lockgate_workerpool::{Closed, JobError, RunError};

#[test]
fn a_task_waits_for_places_and_results() {
    let pool = Pool::builder().threads(2).queue(Queue::Bounded(1)).build().unwrap();
    let results =
        block_on(join_all(
            (0..200).map(|n| {
                let pool = &pool;
                async move {
                    pool.reserve().await.unwrap().submit(move || n * 2).unwrap().await.unwrap()
                }
            }),
        ));
    assert!(results.into_iter().eq((0..200).map(|n| n * 2)));
    block_on(pool.wait_idle());
    block_on(pool.shutdown());
    assert_eq!(block_on(pool.reserve()).unwrap_err(), Closed);
}

#[test]
fn a_request_that_is_dropped_aborts_what_has_not_started() {
    let (pool, gate) = (Pool::new(1).unwrap(), Gate::default());
    let (waits, started) = (gate.clone(), Counter::default());
    let starts = started.clone();
    pool.spawn(move || {
        starts.add();
        waits.pass();
    })
    .unwrap();
    until("it runs", || started.value() == 1);
    let (ran, dropped) = (Counter::default(), Counter::default());
    let (runs, capture) = (ran.clone(), dropped.on_drop());
    let mut request = pool.run(move || {
        let _capture = capture;
        runs.add()
    });
    assert_eq!(pool.metrics().queued, 0, "a request does nothing by itself");
    assert!((&mut request).now_or_never().is_none());
    assert_eq!(pool.metrics().queued, 1);
    drop(request);
    assert_eq!(dropped.value(), 1);
    gate.open();
    pool.wait_idle().wait();
    assert_eq!(ran.value(), 0);
}

#[test]
fn a_request_gives_the_result_or_the_job() {
    let pool = Pool::new(1).unwrap();
    assert_eq!(block_on(pool.run(|| 5)).unwrap(), 5);
    let panics = block_on(pool.run(|| -> u8 { panic!("told") })).unwrap_err();
    assert!(matches!(panics, RunError::Job(JobError::Panicked(_))));
    pool.shutdown().wait().unwrap();
    let RunError::Rejected(rejected) = block_on(pool.run(|| 6)).unwrap_err() else {
        panic!("the pool is closed")
    };
    assert_eq!((rejected.into_job())(), 6);
}

#[test]
fn a_task_that_gives_up_its_turn_hands_it_on() {
    let pool = Pool::builder().threads(1).queue(Queue::Bounded(1)).build().unwrap();
    pool.pause();
    let slot = pool.reserve().now_or_never().unwrap().unwrap();
    let (mut first, mut second) = (pool.reserve(), pool.reserve());
    assert!((&mut first).now_or_never().is_none());
    assert!((&mut second).now_or_never().is_none());
    drop(slot);
    drop(first);
    assert!(second.now_or_never().is_some(), "the promise went on");
}
