//! Pools of tasks: their workers sleep, are woken, are dropped by the runtime; jobs are aborted while
//! they wait. The engine beneath is that of the pools of threads, and so are its models.

use super::loom_support::Note;
use crate::primitives::atomic::{AtomicBool, Ordering};
use crate::primitives::{Arc, Explore, Mutex, explore, future, thread};
use crate::runtime::{Runtime, Spawned};
use crate::task::{Job, Pool, Queue};
use crate::{JobError, Reason};
use std::future::poll_fn;
use std::task::{Poll, Waker};

pub(super) fn pool() -> (Runtime, Pool) {
    let runtime = Runtime::install();
    (runtime, Pool::builder().limit(1).queue(Queue::Bounded(1)).build().unwrap())
}

/// A thread of the runtime.
pub(super) fn run(task: Spawned) -> thread::JoinHandle<()> {
    thread::spawn(move || future::block_on(task))
}

pub(super) fn wait<T>(job: Job<T>) -> Result<T, JobError> {
    future::block_on(job)
}

/// The end: every worker goes, and the books are right.
pub(super) fn end(pool: &Pool, workers: impl IntoIterator<Item = thread::JoinHandle<()>>) {
    future::block_on(pool.shutdown());
    workers.into_iter().for_each(|worker| worker.join().unwrap());
    let metrics = pool.metrics();
    assert_eq!((metrics.workers, metrics.idle, metrics.queued), (0, 0, 0));
    let over = metrics.completed + metrics.panicked + metrics.aborted;
    assert_eq!(metrics.submitted, over, "what was accepted ran, or came back");
}

/// H18: a job comes while the worker falls asleep; whoever waits sees what it did.
#[test]
fn submit_meets_a_worker_that_falls_asleep() {
    explore(Explore::Preemptions(3), || {
        let (runtime, pool) = pool();
        let first = pool.try_submit(async { 1 }).unwrap();
        let worker = run(runtime.take().unwrap());
        assert_eq!(wait(first).unwrap(), 1);
        let note = Note::new();
        let writes = Arc::clone(&note);
        let second = pool.try_submit(async move { writes.write() }).unwrap();
        wait(second).unwrap();
        assert!(note.is_seen());
        end(&pool, [worker]);
    });
}

/// H19: the runtime drops a worker with a job in its hands while another job comes: both end.
#[test]
fn runtime_drops_a_worker_with_a_job_while_another_comes() {
    explore(Explore::All, || {
        let (runtime, pool) = pool();
        let first = pool.try_submit(std::future::pending::<()>()).unwrap();
        let mut worker = runtime.take().unwrap();
        let polled = worker.as_mut().poll(&mut std::task::Context::from_waker(Waker::noop()));
        assert!(polled.is_pending());
        let drops = thread::spawn(move || {
            drop(worker);
            runtime.shut_down();
        });
        match pool.try_submit(async { 2 }) {
            Ok(second) => assert!(matches!(wait(second), Err(JobError::NoRuntime))),
            Err(rejected) => assert_eq!(rejected.reason, Reason::Closed),
        }
        assert!(matches!(wait(first), Err(JobError::NoRuntime)));
        drops.join().unwrap();
        end(&pool, []);
    });
}

/// H19: the runtime is shut down while its first worker is started.
#[test]
fn runtime_ends_while_a_worker_is_started() {
    explore(Explore::All, || {
        let (runtime, pool) = pool();
        let ends = thread::spawn(move || runtime.shut_down());
        match pool.try_submit(async { 1 }) {
            Ok(job) => assert!(matches!(wait(job), Err(JobError::NoRuntime))),
            Err(rejected) => assert_eq!(rejected.reason, Reason::Closed),
        }
        ends.join().unwrap();
        end(&pool, []);
    });
}

/// H21: a job comes while the pool is shut down: it runs, or it comes back.
#[test]
fn submit_meets_shutdown() {
    explore(Explore::Preemptions(3), || {
        let (runtime, pool) = pool();
        let first = pool.try_submit(async { 1 }).unwrap();
        let worker = run(runtime.take().unwrap());
        let closer = pool.clone();
        let closes = thread::spawn(move || drop(closer.shutdown()));
        match pool.try_submit(async { 2 }) {
            Ok(second) => assert_eq!(wait(second).unwrap(), 2),
            Err(rejected) => {
                assert!(matches!(rejected.reason, Reason::Closed | Reason::Full));
            }
        }
        assert_eq!(wait(first).unwrap(), 1);
        closes.join().unwrap();
        end(&pool, [worker]);
    });
}

/// H20: a job is aborted while it begins to wait: it ends.
#[test]
fn abort_meets_a_job_that_begins_to_wait() {
    explore(Explore::Preemptions(3), || {
        let (runtime, pool) = pool();
        let job = pool.try_submit(std::future::pending::<()>()).unwrap();
        let worker = run(runtime.take().unwrap());
        assert!(job.abort(), "it does not end by itself");
        assert!(matches!(wait(job), Err(JobError::Aborted)));
        end(&pool, [worker]);
    });
}

/// H20: a job is aborted while what it waits for comes: it ends in one way.
#[test]
fn abort_meets_what_a_job_waits_for() {
    explore(Explore::Preemptions(3), || {
        let (runtime, pool) = pool();
        let event = Arc::new(Event { came: AtomicBool::new(false), waker: Mutex::new(None) });
        let awaited = Arc::clone(&event);
        let job = pool.try_submit(poll_fn(move |cx| awaited.poll(cx.waker()))).unwrap();
        let worker = run(runtime.take().unwrap());
        let comes = thread::spawn(move || event.comes());
        let told = job.abort();
        match wait(job) {
            Ok(()) => {}
            Err(JobError::Aborted) => assert!(told),
            Err(other) => panic!("{other}"),
        }
        comes.join().unwrap();
        end(&pool, [worker]);
    });
}

/// Something that comes once.
struct Event {
    came: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Event {
    fn poll(&self, waker: &Waker) -> Poll<()> {
        *self.waker.lock() = Some(waker.clone());
        // ORDERING: Acquire pairs with the Release in `comes`.
        if self.came.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }

    fn comes(&self) {
        // ORDERING: Release pairs with the Acquire in `poll`.
        self.came.store(true, Ordering::Release);
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}
