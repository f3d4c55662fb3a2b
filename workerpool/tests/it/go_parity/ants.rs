//! ants v2, `ants_test.go`.

use super::occupy;
use crate::support::{Counter, ends, until};
use lockgate_workerpool::thread::{Pool, Queue};
use lockgate_workerpool::{JobError, Reason, ShutdownError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

#[test]
fn purge_pool() {
    let builder = Pool::builder().threads(0..=20).keep_alive(Duration::from_millis(1));
    let pool = builder.build().unwrap();
    let gate = occupy(&pool, 20);
    assert_eq!(pool.metrics().workers, 20);
    gate.open();
    until("they have gone", || pool.metrics().workers == 0);
    assert_eq!(pool.submit(|| 1).unwrap().wait().unwrap(), 1);
}

#[test]
fn max_blocking_submit() {
    ends(|| {
        let pool = Pool::builder().threads(10).queue(Queue::Handoff).build().unwrap();
        let gate = occupy(&pool, 10);
        let waits = pool.clone();
        let blocked = thread::spawn(move || waits.submit(|| 4).unwrap().wait().unwrap());
        until("it waits", || pool.metrics().waiting == 1);
        assert_eq!(pool.try_submit(|| ()).unwrap_err().reason, Reason::Full);
        let turn = pool.reserve().wait_timeout(Duration::from_millis(2));
        assert!(turn.is_err(), "whoever may wait for so long only is told so");
        gate.open();
        assert_eq!(blocked.join().unwrap(), 4);
    });
}

#[test]
fn reboot_new_pool() {
    let pool = Pool::new(5).unwrap();
    pool.submit(|| ()).unwrap().wait().unwrap();
    pool.shutdown().wait().unwrap();
    assert_eq!(pool.spawn(|| ()).unwrap_err().reason, Reason::Closed);
    pool.resume();
    pool.resize(2..=2).unwrap();
    assert_eq!(pool.spawn(|| ()).unwrap_err().reason, Reason::Closed, "it stays so");
    assert_eq!(pool.metrics().workers, 0);
    let again = Pool::new(5).unwrap();
    assert_eq!(again.submit(|| 2).unwrap().wait().unwrap(), 2);
}

/// Those that wait for a worker go on at once.
#[test]
fn pool_tune_scale_up() {
    ends(|| {
        let pool = Pool::builder().threads(2).queue(Queue::Handoff).build().unwrap();
        let gate = occupy(&pool, 2);
        let done = Counter::default();
        let blocked: Vec<_> = (0..4)
            .map(|_| {
                let (pool, gate, done) = (pool.clone(), gate.clone(), done.clone());
                thread::spawn(move || {
                    pool.spawn(move || gate.pass()).unwrap();
                    done.add();
                })
            })
            .collect();
        until("they wait", || pool.metrics().waiting == 4);
        assert_eq!(pool.metrics().running, 2);
        pool.resize(3..=3).unwrap();
        until("one goes on", || done.value() == 1);
        until("a third worker has its job", || pool.metrics().running == 3);
        assert_eq!(pool.metrics().waiting, 3);
        pool.resize(6..=6).unwrap();
        for thread in blocked {
            thread.join().unwrap();
        }
        gate.open();
    });
}

#[test]
fn release_when_running_pool() {
    ends(|| {
        let pool = Pool::builder().threads(1).queue(Queue::Handoff).build().unwrap();
        let gate = occupy(&pool, 1);
        let submitters: Vec<_> = (0..30)
            .map(|n| {
                let pool = pool.clone();
                thread::spawn(move || pool.submit(move || n).map(|job| job.wait().unwrap()))
            })
            .collect();
        until("they wait", || pool.metrics().waiting == 30);
        assert_eq!(pool.shutdown_timeout(Duration::ZERO), Err(ShutdownError::Timeout));
        for submitter in submitters {
            assert_eq!(submitter.join().unwrap().unwrap_err().reason, Reason::Closed);
        }
        gate.open();
        pool.shutdown().wait().unwrap();
    });
}

#[test]
fn panic_handler() {
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let tells = Arc::clone(&told);
    let builder = Pool::builder().threads(1..=10).on_panic(move |panicked| {
        tells.lock().unwrap().push(panicked.message().unwrap_or("?").into());
    });
    let pool = builder.build().unwrap();
    pool.spawn(|| panic!("Oops!")).unwrap();
    pool.wait_idle().wait();
    assert_eq!(*told.lock().unwrap(), ["Oops!"]);
    assert_eq!((pool.metrics().panicked, pool.metrics().running), (1, 0));
}

/// The same where somebody has the handle: it is told, and nobody else.
#[test]
fn panic_handler_of_a_job_with_a_handle() {
    let told = Counter::default();
    let tells = told.clone();
    let on_panic = move |_: &_| {
        tells.add();
    };
    let pool = Pool::builder().threads(2).on_panic(on_panic).build().unwrap();
    let job = pool.submit(|| panic!("Oops!")).unwrap();
    assert!(matches!(job.wait(), Err(JobError::Panicked(_))));
    assert_eq!(told.value(), 0);
}

#[test]
fn pool_panic_without_handler() {
    let pool = Pool::new(10).unwrap();
    pool.spawn(|| panic!("Oops!")).unwrap();
    assert_eq!(pool.submit(|| 1).unwrap().wait().unwrap(), 1);
    pool.wait_idle().wait();
    assert_eq!((pool.metrics().panicked, pool.metrics().workers), (1, 10));
}
