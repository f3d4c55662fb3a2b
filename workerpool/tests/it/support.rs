//! What tests share.
#![cfg_attr(
    not(all(feature = "sync", feature = "async")),
    allow(dead_code, reason = "each half uses its part")
)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, mpsc};
use std::thread;
use std::time::Duration;

/// Long enough for anything that happens at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// A gate that jobs wait at until it is opened.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn pass(&self) {
        let open = self.0.0.lock().unwrap();
        let (open, _) = self.0.1.wait_timeout_while(open, PATIENCE, |open| !*open).unwrap();
        assert!(*open, "nobody opened the gate");
    }
}

/// Counts, across threads.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counter(Arc<AtomicUsize>);

impl Counter {
    pub(crate) fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst) + 1
    }

    pub(crate) fn tick(&self) {
        self.add();
    }

    pub(crate) fn value(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// What counts one more when it is dropped.
    pub(crate) fn on_drop(&self) -> CountsDrop {
        CountsDrop(self.clone())
    }
}

pub(crate) struct CountsDrop(Counter);

impl Drop for CountsDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// Waits until `holds`, for what has no event to wait for.
pub(crate) fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = std::time::Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        thread::yield_now();
    }
}

/// Fails where `f` hangs.
pub(crate) fn ends<R: Send + 'static>(f: impl FnOnce() -> R + Send + 'static) -> R {
    let (says, hears) = mpsc::channel();
    let thread = thread::spawn(move || says.send(f()).unwrap());
    match hears.recv_timeout(PATIENCE) {
        Ok(result) => {
            thread.join().unwrap();
            result
        }
        // It ended without a word: with a panic, which is told better than a hang.
        Err(mpsc::RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => std::panic::resume_unwind(panic),
            Ok(()) => unreachable!("it would have sent"),
        },
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("it hangs"),
    }
}

/// On a runtime of one thread, and on one of two.
#[cfg(feature = "async")]
pub(crate) fn on_both<F: Future<Output = ()>>(test: impl Fn() -> F) {
    let patient = || tokio::time::timeout(PATIENCE, test());
    for threads in [1, 2] {
        runtime(threads).block_on(async { patient().await.expect("it never ends") });
    }
}

#[cfg(feature = "async")]
pub(crate) fn runtime(threads: usize) -> tokio::runtime::Runtime {
    use tokio::runtime::Builder;
    let mut builder = match threads {
        1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.worker_threads(threads).enable_all().build().unwrap()
}

/// A gate that tasks wait at until it is opened, and that says how many have come.
#[cfg(feature = "async")]
#[derive(Clone, Debug)]
pub(crate) struct TaskGate {
    come: Arc<tokio::sync::Semaphore>,
    open: Arc<tokio::sync::Semaphore>,
}

#[cfg(feature = "async")]
impl TaskGate {
    pub(crate) fn new() -> Self {
        let shut = || Arc::new(tokio::sync::Semaphore::new(0));
        Self { come: shut(), open: shut() }
    }

    pub(crate) async fn pass(self) {
        self.come.add_permits(1);
        self.open.acquire().await.unwrap().forget();
    }

    /// Waits until so many have come.
    pub(crate) async fn come(&self, tasks: u32) {
        self.come.acquire_many(tasks).await.unwrap().forget();
    }

    /// Lets so many through.
    pub(crate) fn open(&self, tasks: usize) {
        self.open.add_permits(tasks);
    }
}

/// Occupies so many workers of a pool of tasks until the gate lets them through.
#[cfg(feature = "async")]
pub(crate) async fn occupied(pool: &lockgate_workerpool::task::Pool, workers: u32) -> TaskGate {
    let gate = TaskGate::new();
    for _ in 0..workers {
        pool.spawn(gate.clone().pass()).await.unwrap();
    }
    gate.come(workers).await;
    gate
}

/// Gives way to other tasks until `holds`; `on_both` knows when it has been too long.
#[cfg(feature = "async")]
pub(crate) async fn turns_until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        tokio::task::yield_now().await;
    }
}
