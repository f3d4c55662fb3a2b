//! The tests of Go's `golang.org/x/sync/semaphore`, by name and by what they assert.
//!
//! Where Go has a context, a thread has a deadline and a task is dropped.
#![cfg(any(feature = "sync", feature = "async"))]

use crate::support::{World, figures, in_both_worlds, semaphore};
use lockgate_semaphore::AcquireError;
#[cfg(feature = "sync")]
use std::thread;

in_both_worlds![
    test_weighted_panic,
    test_weighted_doesnt_block_if_too_big,
    test_alloc_cancel_doesnt_starve,
];

/// Many take, each a weight of its own, and let go; that it ends is the assertion.
#[cfg(feature = "sync")]
#[test]
fn test_weighted() {
    const WORKERS: usize = 4;
    const ROUNDS: usize = 500;
    let sem = semaphore(WORKERS);
    thread::scope(|scope| {
        for weight in 0..=WORKERS {
            let sem = &sem;
            scope.spawn(move || {
                for _ in 0..ROUNDS {
                    let permit = sem.acquire(weight).wait().unwrap();
                    assert!(permit.weight() == weight && sem.in_use() <= WORKERS);
                }
            });
        }
    });
    assert_eq!(figures(&sem), (WORKERS, 0, 0));
}

#[cfg(feature = "async")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_weighted_of_tasks() {
    const WORKERS: usize = 4;
    const ROUNDS: usize = 500;
    let sem = semaphore(WORKERS);
    let workers: Vec<_> = (0..=WORKERS)
        .map(|weight| {
            let sem = std::sync::Arc::clone(&sem);
            tokio::spawn(async move {
                for _ in 0..ROUNDS {
                    let permit = sem.acquire(weight).await.unwrap();
                    assert!(permit.weight() == weight && sem.in_use() <= WORKERS);
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(figures(&sem), (WORKERS, 0, 0));
}

/// In Go, releasing more than is held panics. Here only a permit can give back, no permit can
/// give back twice (its drop consumes it), and asking it for more than it holds is an error that
/// changes nothing. So the count cannot be brought above the limit, which is what Go guards.
fn test_weighted_panic<W: World>() {
    let sem = semaphore(1);
    let mut nothing = W::at_once(sem.acquire_owned(0)).unwrap();
    let error = nothing.release_some(1).unwrap_err();
    assert_eq!((error.requested(), error.weight()), (1, 0));
    drop(nothing);
    let mut one = W::at_once(sem.acquire_owned(1)).unwrap();
    one.release_some(1).unwrap();
    one.release_some(1).unwrap_err();
    drop(one);
    assert_eq!(figures(&sem), (1, 0, 0));
}

#[test]
fn test_weighted_try_acquire() {
    let sem = semaphore(2);
    let mut held = sem.try_acquire(1).unwrap();
    let mut tries = Vec::new();
    let second = sem.try_acquire(1);
    tries.push(second.is_ok());
    tries.push(sem.try_acquire(1).is_ok());
    held.merge(second.unwrap());
    held.release_some(2).unwrap();
    let third = sem.try_acquire(1);
    tries.push(third.is_ok());
    let fourth = sem.try_acquire(1).unwrap();
    tries.push(sem.try_acquire(1).is_ok());
    assert_eq!(tries, [true, false, true, false]);
    drop((third, fourth));
}

/// As before, with waits that give up after a while instead of attempts.
#[cfg(feature = "sync")]
#[test]
fn test_weighted_acquire() {
    use std::time::Duration;

    let sem = semaphore(2);
    let while_given = Duration::from_millis(10);
    let attempt = || sem.acquire(1).wait_timeout(while_given);
    let (first, second) = (attempt().unwrap(), attempt().unwrap());
    assert!(attempt().unwrap_err().is_timeout());
    drop((first, second));
    let third = attempt().unwrap();
    let fourth = sem.acquire(1).wait().unwrap();
    assert!(attempt().unwrap_err().is_timeout());
    drop((third, fourth));
    assert_eq!(figures(&sem), (2, 0, 0));
}

#[cfg(feature = "async")]
#[tokio::test(start_paused = true)]
async fn test_weighted_acquire_of_tasks() {
    use std::time::Duration;

    let sem = semaphore(2);
    let attempt = || tokio::time::timeout(Duration::from_millis(10), sem.acquire(1));
    let (first, second) = (attempt().await.unwrap(), attempt().await.unwrap());
    assert!(attempt().await.is_err());
    drop((first, second));
    let third = attempt().await.unwrap();
    let fourth = sem.acquire(1).await.unwrap();
    assert!(attempt().await.is_err());
    drop((third, fourth));
    assert_eq!(figures(&sem), (2, 0, 0));
}

/// Go's too-large request waits for its context without queueing; ours fails at once
/// (golang/sync#7). Nobody is blocked by either.
fn test_weighted_doesnt_block_if_too_big<W: World>() {
    const LIMIT: usize = 2;
    let sem = semaphore(LIMIT);
    let too_big = W::at_once(sem.acquire_owned(LIMIT + 1)).unwrap_err();
    assert_eq!(too_big, AcquireError::ExceedsLimit { requested: 3, limit: 2 });
    for _ in 0..3 {
        let permits: Vec<_> =
            (0..LIMIT).map(|_| W::at_once(sem.acquire_owned(1)).unwrap()).collect();
        W::at_once(sem.acquire_owned(LIMIT + 1)).unwrap_err();
        assert_eq!(figures(&sem), (0, LIMIT, 0));
        drop(permits);
    }
}

/// Workers that take and let go of one permit for ever; the large request stops them.
#[cfg(feature = "sync")]
#[test]
fn test_large_acquire_doesnt_starve() {
    use std::sync::atomic::{AtomicBool, Ordering};

    const WORKERS: usize = 4;
    let sem = semaphore(WORKERS);
    let running = AtomicBool::new(true);
    // Held from the start, so that no worker comes to wait before all hold one.
    let permits: Vec<_> = (0..WORKERS).map(|_| sem.try_acquire(1).unwrap()).collect();
    thread::scope(|scope| {
        for permit in permits {
            let (sem, running) = (&sem, &running);
            scope.spawn(move || {
                let mut held = Some(permit);
                while running.load(Ordering::Acquire) {
                    held.take();
                    held = Some(sem.acquire(1).wait().unwrap());
                    thread::yield_now();
                }
            });
        }
        let all = sem.acquire(WORKERS).wait();
        running.store(false, Ordering::Release);
        assert_eq!(all.unwrap().weight(), WORKERS);
    });
    assert_eq!(figures(&sem), (WORKERS, 0, 0));
}

#[cfg(feature = "async")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn test_large_acquire_doesnt_starve_of_tasks() {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    const WORKERS: usize = 4;
    let sem = semaphore(WORKERS);
    let running = Arc::new(AtomicBool::new(true));
    let permits: Vec<_> = (0..WORKERS).map(|_| sem.try_acquire_owned(1).unwrap()).collect();
    let workers: Vec<_> = permits
        .into_iter()
        .map(|permit| {
            let (sem, running) = (Arc::clone(&sem), Arc::clone(&running));
            tokio::spawn(async move {
                let mut held = Some(permit);
                while running.load(Ordering::Acquire) {
                    held.take();
                    held = Some(sem.acquire_owned(1).await.unwrap());
                    tokio::task::yield_now().await;
                }
                drop(held);
            })
        })
        .collect();
    let all = sem.acquire(WORKERS).await.unwrap();
    running.store(false, Ordering::Release);
    drop(all);
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(figures(&sem), (WORKERS, 0, 0));
}

/// go#37852: the request in front is for all, is given up, and the small one behind it goes on.
/// Here for a limit that falls below it, which fails it in either world; the two tests below do
/// it as Go does.
fn test_alloc_cancel_doesnt_starve<W: World>() {
    let sem = semaphore(10);
    let held = sem.try_acquire(1).unwrap();
    let large = W::queue(&sem, sem.acquire_owned(10));
    let small = W::queue(&sem, sem.acquire_owned(1));
    sem.set_limit(9).unwrap();
    W::outcome(large).unwrap_err();
    drop((W::outcome(small).unwrap(), held));
}

#[cfg(feature = "sync")]
#[test]
fn test_alloc_cancel_doesnt_starve_by_a_deadline() {
    use crate::support::{PATIENCE, threads::spawn_wait, until};
    use std::time::Duration;

    let sem = semaphore(10);
    let held = sem.try_acquire(1).unwrap();
    let large = sem.acquire_owned(10);
    let large = thread::spawn(move || large.wait_timeout(Duration::from_millis(20)));
    until("it stands in line, or stood", || sem.waiters() == 1 || large.is_finished());
    let small = spawn_wait(sem.acquire_owned(1));
    let small = small.recv_timeout(PATIENCE).expect("it does not starve").unwrap();
    assert!(large.join().unwrap().unwrap_err().is_timeout());
    drop((small, held));
}

#[cfg(feature = "async")]
#[test]
fn test_alloc_cancel_doesnt_starve_by_a_drop() {
    use crate::support::tasks::Task;

    let sem = semaphore(10);
    let held = sem.try_acquire(1).unwrap();
    let large = Task::queued(sem.acquire(10));
    let small = Task::queued(sem.acquire(1));
    drop(large);
    drop((small.woken().unwrap(), held));
}

/// go#63615: what is given up before the release fails, and takes nothing with it; and who comes
/// with a deadline that has passed fails though permits are free.
#[cfg(feature = "sync")]
#[test]
fn test_weighted_acquire_canceled() {
    use crate::support::now;
    use std::time::Duration;

    let sem = semaphore(2);
    let mut held = sem.try_acquire(2).unwrap();
    let given_up = sem.acquire(1).wait_timeout(Duration::from_millis(5));
    held.release_some(1).unwrap();
    assert!(given_up.unwrap_err().is_timeout());
    drop(held);
    assert_eq!(sem.try_acquire(2).unwrap().weight(), 2, "both are there");
    assert!(sem.acquire(1).wait_deadline(now()).unwrap_err().is_timeout());
    assert_eq!(figures(&sem), (2, 0, 0));
}

#[cfg(feature = "async")]
#[test]
fn test_weighted_acquire_canceled_of_tasks() {
    use crate::support::tasks::Task;

    let sem = semaphore(2);
    let held = sem.try_acquire(2).unwrap();
    let given_up = Task::queued(sem.acquire(1));
    let wakes = given_up.wakes.clone();
    drop(given_up);
    drop(held);
    assert_eq!(wakes.count(), 0);
    assert_eq!(sem.try_acquire(2).unwrap().weight(), 2, "both are there");
}
