//! Ours.

use crate::harness::{Role, Subject};
use crate::rivals::THREADS;
use crate::subject::{Batch, Spawn, Submit};
use lockgate_workerpool::thread::{Job, Pool, Queue};

/// As it is made if nothing is said: a queue of 1024, and whoever finds it full waits.
pub struct Ours(Pool<'static>);

impl Subject for Ours {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Spawn for Ours {
    fn new() -> Self {
        Self(Pool::new(THREADS).expect("two threads"))
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.0.spawn(job).expect("the pool is open");
    }
}

impl Submit for Ours {
    type Handle = Job<'static, u64>;

    fn submit(&self, job: impl FnOnce() -> u64 + Send + 'static) -> Self::Handle {
        self.0.submit(job).expect("the pool is open")
    }

    fn wait(handle: Self::Handle) -> u64 {
        handle.wait().expect("no job panics")
    }
}

impl Batch for Ours {
    fn batch(&self, jobs: impl Iterator<Item = impl FnOnce() + Send + 'static>) {
        self.0.spawn_batch(jobs).expect("the pool is open");
    }

    fn batch_of_results(
        &self,
        jobs: impl Iterator<Item = impl FnOnce() -> u64 + Send + 'static>,
    ) -> Vec<Self::Handle> {
        self.0.submit_batch(jobs).expect("the pool is open")
    }
}

/// With a queue without end, for jobs that submit more than they are.
pub struct OursUnbounded(pub Pool<'static>);

impl Subject for OursUnbounded {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Spawn for OursUnbounded {
    fn new() -> Self {
        let builder = Pool::builder().threads(THREADS).queue(Queue::Unbounded);
        Self(builder.build().expect("two threads"))
    }

    fn spawn(&self, job: impl FnOnce() + Send + 'static) {
        self.0.spawn(job).expect("the pool is open");
    }
}
