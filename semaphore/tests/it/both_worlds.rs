//! Threads and tasks in one line.
#![cfg(all(feature = "sync", feature = "async"))]

use crate::support::tasks::{Task, poll};
use crate::support::threads::spawn_wait;
use crate::support::within_patience;
use crate::support::{PATIENCE, Wakes, figures, now, semaphore, until, until_waiters};
use lockgate_semaphore::{AcquireError, AcquireTimeoutError};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Wake, Waker};
use std::thread;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap()
}

/// Each is known to be in line before the next is sent, and each writes its number down while it
/// holds the only permit.
#[test]
fn threads_and_tasks_are_served_strictly_in_the_order_of_their_arrival() {
    const REQUESTS: usize = 24;
    let runtime = runtime();
    let sem = semaphore(1);
    let served: Arc<Mutex<Vec<usize>>> = Arc::default();
    let held = sem.try_acquire(1).unwrap();
    let (mut threads, mut tasks) = (Vec::new(), Vec::new());
    for number in 0..REQUESTS {
        let (wait, served) = (sem.acquire_owned(1), Arc::clone(&served));
        // Threads behind threads, tasks behind tasks, and either behind the other.
        if number % 4 < 2 {
            threads.push(thread::spawn(move || {
                let permit = wait.wait().unwrap();
                served.lock().unwrap().push(number);
                drop(permit);
            }));
        } else {
            tasks.push(runtime.spawn(async move {
                let permit = wait.await.unwrap();
                served.lock().unwrap().push(number);
                drop(permit);
            }));
        }
        until_waiters(&sem, number + 1);
    }
    assert!(served.lock().unwrap().is_empty());
    drop(held);
    for thread in threads {
        thread.join().unwrap();
    }
    for task in tasks {
        runtime.block_on(task).unwrap();
    }
    assert_eq!(*served.lock().unwrap(), (0..REQUESTS).collect::<Vec<_>>());
    assert_eq!(figures(&sem), (1, 0, 0));
}

#[test]
fn a_large_thread_and_small_tasks_do_not_overtake_each_other() {
    let sem = semaphore(4);
    let held = sem.try_acquire(1).unwrap();
    let thread = spawn_wait(sem.acquire_owned(4));
    until_waiters(&sem, 1);
    let mut small = Task::queued(sem.acquire(1));
    let late = spawn_wait(sem.acquire_owned(3));
    until_waiters(&sem, 3);
    assert_eq!(figures(&sem), (3, 1, 3));
    drop(held);
    let permit = thread.recv_timeout(PATIENCE).unwrap().unwrap();
    assert!(small.is_waiting());
    drop(permit);
    let small = small.woken().unwrap();
    let late = late.recv_timeout(PATIENCE).unwrap().unwrap();
    assert_eq!(figures(&sem), (0, 4, 0));
    drop((small, late));
}

#[test]
fn a_task_that_gives_up_lets_the_thread_behind_it_go() {
    let sem = semaphore(2);
    let held = sem.try_acquire(1).unwrap();
    let front = Task::queued(sem.acquire(2));
    let thread = spawn_wait(sem.acquire_owned(1));
    until_waiters(&sem, 2);
    drop(front);
    let permit = thread.recv_timeout(PATIENCE).expect("it is served").unwrap();
    assert_eq!(figures(&sem), (0, 2, 0));
    drop((permit, held));
}

#[test]
fn a_thread_that_times_out_lets_the_task_behind_it_go() {
    let sem = semaphore(2);
    let held = sem.try_acquire(1).unwrap();
    let front = sem.acquire_owned(2);
    let front = thread::spawn(move || front.wait_timeout(Duration::from_millis(20)));
    until("it stands in line, or stood", || sem.waiters() == 1 || front.is_finished());
    let behind = sem.acquire_owned(1);
    let permit =
        within_patience(move || futures::executor::block_on(behind)).expect("it is served");
    assert_eq!(front.join().unwrap().unwrap_err(), AcquireTimeoutError::Timeout);
    drop((permit, held));
    assert_eq!(figures(&sem), (2, 0, 0));
}

#[test]
fn closing_and_shrinking_reach_both() {
    let sem = semaphore(3);
    let held = sem.try_acquire(3).unwrap();
    let big_thread = spawn_wait(sem.acquire_owned(3));
    until_waiters(&sem, 1);
    let big_task = Task::queued(sem.acquire(3));
    let thread = spawn_wait(sem.acquire_owned(2));
    until_waiters(&sem, 3);
    let task = Task::queued(sem.acquire(2));
    sem.set_limit(2).unwrap();
    let exceeds = AcquireError::ExceedsLimit { requested: 3, limit: 2 };
    assert_eq!(big_thread.recv_timeout(PATIENCE).unwrap().unwrap_err(), exceeds);
    assert_eq!(big_task.woken().unwrap_err(), exceeds);
    assert_eq!(sem.waiters(), 2);
    sem.close();
    assert_eq!(thread.recv_timeout(PATIENCE).unwrap().unwrap_err(), AcquireError::Closed);
    assert_eq!(task.woken().unwrap_err(), AcquireError::Closed);
    drop(held);
}

#[test]
fn a_wait_that_a_task_began_keeps_its_place_when_a_thread_goes_on_with_it() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let wakes = Wakes::new();
    let mut first = sem.acquire_owned(1);
    assert!(poll(&mut first, &wakes.waker()).is_pending());
    let mut second = Task::queued(sem.acquire(1));
    let first = spawn_wait(first);
    // The thread has taken over when the task's waker is no longer kept.
    until("the thread waits", || Arc::strong_count(&wakes) == 1);
    assert_eq!(sem.waiters(), 2);
    drop(held);
    let permit = first.recv_timeout(PATIENCE).expect("it is served").unwrap();
    assert_eq!(wakes.count(), 0);
    assert!(second.is_waiting());
    drop(permit);
    drop(second.woken().unwrap());
}

#[test]
fn a_wait_that_was_granted_to_a_task_is_there_for_a_thread() {
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let mut waits = [sem.acquire_owned(1), sem.acquire_owned(1), sem.acquire_owned(1)];
    for wait in &mut waits {
        assert!(poll(wait, Waker::noop()).is_pending());
    }
    drop(held);
    let [first, second, third] = waits;
    within_patience(move || {
        drop(first.wait().unwrap());
        drop(second.wait_timeout(PATIENCE).unwrap());
        // On entry the deadline is looked at before anything else, and dropping the wait gives
        // back what it was granted.
        assert!(third.wait_deadline(now()).unwrap_err().is_timeout());
    });
    assert_eq!(figures(&sem), (1, 0, 0));
}

/// The first waker is not done before the thread behind it has given up by the clock. By then
/// both are granted, and nobody has told the thread.
#[test]
fn a_grant_that_was_made_wins_over_a_deadline_that_passes_later() {
    struct WaitsFor(Mutex<mpsc::Receiver<()>>);
    impl Wake for WaitsFor {
        fn wake(self: Arc<Self>) {
            self.0.lock().unwrap().recv_timeout(PATIENCE).expect("the thread gives up");
        }
    }

    let sem = semaphore(2);
    let held = sem.try_acquire(2).unwrap();
    let (gives_up, thread_is_done) = mpsc::channel();
    let slow = Waker::from(Arc::new(WaitsFor(Mutex::new(thread_is_done))));
    let mut front = sem.acquire(1);
    assert!(poll(&mut front, &slow).is_pending());
    let behind = sem.acquire_owned(1);
    let thread = thread::spawn(move || {
        let outcome = behind.wait_timeout(Duration::from_secs(2));
        gives_up.send(()).unwrap();
        outcome
    });
    until_waiters(&sem, 2);
    drop(held);
    let permit = thread.join().unwrap().expect("the grant wins");
    assert_eq!(figures(&sem), (0, 2, 0));
    drop((permit, front));
    assert_eq!(figures(&sem), (2, 0, 0));
}

#[test]
fn a_thread_waits_until_tasks_are_done_and_a_task_until_threads_are() {
    let runtime = runtime();
    let sem = semaphore(3);
    let finished = Arc::new(AtomicUsize::new(0));
    for number in 0..20 {
        let (wait, finished) = (sem.acquire_up_to_owned(1, 2), Arc::clone(&finished));
        // In use before anybody waits for the end of it.
        let permit = futures::executor::block_on(wait);
        let hand_over = move || {
            finished.fetch_add(1, Ordering::AcqRel);
            drop(permit);
        };
        if number % 2 == 0 {
            runtime.spawn(async move { hand_over() });
        } else {
            thread::spawn(hand_over);
        }
    }
    let (from_thread, from_task) = (sem.wait_idle_owned(), sem.wait_idle_owned());
    within_patience(move || from_thread.wait());
    assert_eq!(finished.load(Ordering::Acquire), 20);
    runtime.block_on(from_task);
    assert_eq!(figures(&sem), (3, 0, 0));
}

#[test]
fn a_blocking_wait_inside_a_runtime_is_allowed_where_blocking_is() {
    let runtime = runtime();
    let sem = semaphore(1);
    let held = sem.try_acquire(1).unwrap();
    let wait = sem.acquire_owned(1);
    let blocking = runtime.spawn_blocking(move || wait.wait().map(|permit| permit.weight()));
    until_waiters(&sem, 1);
    drop(held);
    assert_eq!(runtime.block_on(blocking).unwrap(), Ok(1));
}

#[test]
fn the_loser_of_a_select_leaves_the_line() {
    let sem = semaphore(1);
    let held = sem.try_acquire_owned(1).unwrap();
    runtime().block_on(async {
        tokio::select! {
            biased;
            permit = sem.acquire(1) => panic!("it has to wait, and got {permit:?}"),
            () = async { assert_eq!(sem.waiters(), 1) } => {}
        }
        assert_eq!(sem.waiters(), 0);
        drop(held);
        assert_eq!(sem.acquire(1).await.unwrap().weight(), 1);
    });
}
