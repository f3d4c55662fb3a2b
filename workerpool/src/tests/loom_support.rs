//! What the models share: pools of the model's threads.

use crate::hooks::Hooks;
use crate::parker::{Step, drive};
use crate::primitives::atomic::{Ordering, Witness};
use crate::primitives::{Arc, Deadline, thread};
use crate::state::Crew;
use crate::thread::house::{House, Starter};
use crate::thread::submit::Submitter;
use crate::thread::task::Task;
use std::ops::RangeInclusive;
use std::sync::Mutex;
use std::task::Waker;

type TheHouse = House<'static, Task<'static>>;
// LOOM: no lock of the model's: handles are no part of any algorithm.
type Handles = Arc<Mutex<Vec<thread::JoinHandle<()>>>>;

/// A pool of the model's threads.
#[derive(Clone)]
pub(super) struct Pool {
    pub(super) house: Arc<TheHouse>,
    handles: Handles,
}

impl Pool {
    /// With so many workers from the start, and so many places beside them.
    pub(super) fn new(workers: usize, bound: usize) -> Self {
        let pool = Self::empty(workers, bound, None);
        pool.house.hire().unwrap();
        pool
    }

    /// The same, of workers that keep the jobs that their jobs submit.
    pub(super) fn stealing(workers: RangeInclusive<usize>, bound: usize) -> Self {
        let crew = Crew::new(*workers.start(), *workers.end(), bound);
        let pool = Self::made(crew, None, House::with_stacks);
        pool.house.hire().unwrap();
        pool
    }

    /// The same, of workers that look once more before they sleep.
    pub(super) fn lingering(workers: usize, bound: usize) -> Self {
        let crew = Crew::new(workers, workers, bound);
        let pool = Self::made(crew, None, |house| house.with_looks(1));
        pool.house.hire().unwrap();
        pool
    }

    /// Without workers, but for one that comes when it is needed, and goes when it is idle at
    /// `expires`.
    pub(super) fn empty(min: usize, bound: usize, expires: Option<Deadline>) -> Self {
        Self::made(Crew::new(min, min.max(1), bound), expires, |house| house)
    }

    fn made(crew: Crew, expires: Option<Deadline>, with: fn(TheHouse) -> TheHouse) -> Self {
        let handles = Handles::default();
        let kept = Arc::clone(&handles);
        let starter: Starter<'static, Task<'static>> = Box::new(move |house, _| {
            let expires = expires.clone();
            let handle = thread::spawn(move || house.serve_until(&|| expires.clone()));
            kept.lock().unwrap().push(handle);
            Ok(())
        });
        let house = House::new(crew, 1, None, Hooks::default(), (), starter);
        Self { house: Arc::new(with(house)), handles }
    }

    pub(super) fn submitter(&self) -> Submitter<'_, 'static> {
        Submitter::new(&self.house)
    }

    /// Takes no more jobs.
    pub(super) fn close(&self) {
        let (returned, start) = self.house.engine.close(false);
        assert!(returned.is_empty());
        self.house.start(start);
    }

    /// The end: every worker goes, and nothing is left.
    pub(super) fn end(self) {
        self.close();
        loop {
            let handle = self.handles.lock().unwrap().pop();
            let Some(handle) = handle else { break };
            handle.join().unwrap();
        }
        let metrics = self.house.engine.metrics();
        assert_eq!((metrics.workers, metrics.idle, metrics.queued), (0, 0, 0));
        let over = metrics.completed + metrics.failed + metrics.panicked;
        let over = over + metrics.aborted + metrics.expired;
        assert_eq!(metrics.submitted, over, "what was accepted ran, or came back");
    }
}

/// What a job waits for without the pool's knowing.
pub(super) struct Bell(crate::primitives::Mutex<(bool, Option<Waker>)>);

impl Bell {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(crate::primitives::Mutex::new((false, None))))
    }

    pub(super) fn ring(&self) {
        let mut bell = self.0.lock();
        bell.0 = true;
        let waker = bell.1.take();
        drop(bell);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(super) fn wait(&self) {
        drive(None, |waker| {
            let mut bell = self.0.lock();
            if bell.0 {
                return Step::Ready(());
            }
            bell.1 = Some(waker.clone());
            Step::Queued { spin: false }
        });
    }
}

/// Something written by one thread and read by another, without any ordering of its own.
pub(super) struct Note(Witness);

impl Note {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Witness::new(0)))
    }

    pub(super) fn write(&self) {
        // ORDERING: Relaxed on purpose.
        self.0.store(1, Ordering::Relaxed);
    }

    pub(super) fn is_seen(&self) -> bool {
        // ORDERING: as in `write`.
        self.0.load(Ordering::Relaxed) == 1
    }
}
