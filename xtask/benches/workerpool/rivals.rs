//! The rivals, each by the calls that its own documentation recommends.

use crate::harness::Subject;
use crate::shutdown::Stop;
use crate::subject::{Spawn, Submit};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

pub const THREADS: usize = 2;

type Boxed = Box<dyn FnOnce() + Send>;

/// What people write: threads that range over a channel of 1024 boxed closures.
pub struct ByHand(Sender<Boxed>);

/// The same over a channel without end.
pub struct ByHandUnbounded(Sender<Boxed>);

fn serve((sender, receiver): (Sender<Boxed>, Receiver<Boxed>)) -> Sender<Boxed> {
    for _ in 0..THREADS {
        let receiver = receiver.clone();
        // They end when the channel is closed.
        thread::spawn(move || receiver.iter().for_each(|job| job()));
    }
    sender
}

impl Subject for ByHand {
    const NAME: &'static str = "crossbeam by hand";
}

impl Spawn for ByHand {
    fn new() -> Self {
        Self(serve(bounded(1024)))
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.0.send(Box::new(job)).expect("the workers are there");
    }
}

/// With a oneshot for each result.
impl Submit for ByHand {
    type Handle = oneshot::Receiver<u64>;

    fn submit(&self, job: impl FnOnce() -> u64 + Send + 'static) -> Self::Handle {
        let (sender, receiver) = oneshot::channel();
        self.spawn(move || sender.send(job()).expect("somebody waits"));
        receiver
    }

    fn wait(handle: Self::Handle) -> u64 {
        handle.recv().expect("the job sends")
    }
}

impl Subject for ByHandUnbounded {
    const NAME: &'static str = "crossbeam by hand, unbounded";
}

impl Spawn for ByHandUnbounded {
    fn new() -> Self {
        Self(serve(unbounded()))
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.0.send(Box::new(job)).expect("the workers are there");
    }
}

pub struct Rayon(rayon::ThreadPool);

impl Subject for Rayon {
    const NAME: &'static str = "rayon";
}

impl Spawn for Rayon {
    fn new() -> Self {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(THREADS).build();
        Self(pool.expect("two threads"))
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.0.spawn(job);
    }
}

pub struct ThreadPool(threadpool::ThreadPool);

impl Subject for ThreadPool {
    const NAME: &'static str = "threadpool";
}

impl Spawn for ThreadPool {
    fn new() -> Self {
        Self(threadpool::ThreadPool::new(THREADS))
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.0.execute(job);
    }
}

pub struct RustyPool(rusty_pool::ThreadPool);

impl Subject for RustyPool {
    const NAME: &'static str = "rusty_pool";
}

impl Spawn for RustyPool {
    fn new() -> Self {
        let builder = rusty_pool::Builder::new().core_size(THREADS).max_size(THREADS);
        let pool = builder.build();
        pool.start_core_threads();
        Self(pool)
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.0.execute(job);
    }
}

impl Submit for RustyPool {
    type Handle = rusty_pool::JoinHandle<u64>;

    fn submit(&self, job: impl FnOnce() -> u64 + Send + 'static) -> Self::Handle {
        self.0.evaluate(job)
    }

    fn wait(handle: Self::Handle) -> u64 {
        handle.await_complete()
    }
}

/// tokio's tasks, on two workers.
pub struct Tokio(tokio::runtime::Runtime);

impl Subject for Tokio {
    const NAME: &'static str = "tokio::spawn";
}

impl Spawn for Tokio {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).build();
        Self(runtime.expect("two threads"))
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.0.spawn(async move { job() });
    }
}

/// tokio's threads for what blocks, at most two of them.
pub struct SpawnBlocking(tokio::runtime::Runtime);

impl Subject for SpawnBlocking {
    const NAME: &'static str = "tokio::spawn_blocking";
}

impl Spawn for SpawnBlocking {
    fn new() -> Self {
        let builder = &mut tokio::runtime::Builder::new_current_thread();
        Self(builder.max_blocking_threads(THREADS).build().expect("a runtime"))
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.0.spawn_blocking(job);
    }
}

/// A pool by hand that can be told to stop: a flag that workers look at before each job.
pub struct StoppedByHand {
    sender: Sender<Boxed>,
    receiver: Receiver<Boxed>,
    stops: Arc<AtomicBool>,
    workers: Vec<thread::JoinHandle<()>>,
}

impl Subject for StoppedByHand {
    const NAME: &'static str = "crossbeam by hand, with a flag";
}

impl Spawn for StoppedByHand {
    fn new() -> Self {
        let ((sender, receiver), stops) = (unbounded::<Boxed>(), Arc::new(AtomicBool::new(false)));
        let work = || {
            let (receiver, stops) = (receiver.clone(), Arc::clone(&stops));
            thread::spawn(move || {
                while !stops.load(Ordering::Relaxed) {
                    let Ok(job) = receiver.recv() else { return };
                    job();
                }
            })
        };
        let workers = (0..THREADS).map(|_| work()).collect();
        Self { sender, receiver, stops, workers }
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.sender.send(Box::new(job)).expect("the workers are there");
    }
}

impl Stop for StoppedByHand {
    fn stop(self) -> u64 {
        self.stops.store(true, Ordering::Relaxed);
        drop(self.sender);
        self.workers.into_iter().for_each(|worker| worker.join().expect("no job panics"));
        self.receiver.try_iter().count() as u64
    }
}
