//! What a pool is made of.

use super::house::{Hooks, House};
use super::pool::Pool;
use crate::error::{BuildError, Panicked};
use crate::policy::{Queue, Reject};
use crate::runtime::Runtime;
use crate::state::Crew;
use std::fmt;

/// Makes a [`Pool`]. See [`Pool::builder`].
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    limit: usize,
    queue: Queue,
    lanes: usize,
    hooks: Hooks,
    runtime: Option<Runtime>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self {
            limit: 64,
            queue: Queue::Bounded(1024),
            lanes: 1,
            hooks: Hooks::default(),
            runtime: None,
        }
    }

    /// How many jobs run at once, at the most; 1 or more. So many tasks of the runtime take them, each
    /// started when a job finds nobody free. Default: 64.
    pub fn limit(mut self, jobs: usize) -> Self {
        self.limit = jobs;
        self
    }

    /// How many jobs may wait. Default: `Queue::Bounded(1024)`.
    pub fn queue(mut self, queue: Queue) -> Self {
        self.queue = queue;
        self
    }

    /// What becomes of a job for which there is no room. Default: [`Reject::Block`].
    pub fn reject(mut self, reject: Reject) -> Self {
        self.hooks.reject = reject;
        self
    }

    /// How many priorities there are, in `1..=65535`; lane 0 goes first. Each 61st job is taken from
    /// the least urgent lane, so that none starves. Default: 1.
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.lanes = lanes;
        self
    }

    /// Called with the panic of a job that nobody can wait for: one of [`spawn`](Pool::spawn). A panic
    /// of `f` itself is ignored. Default: nothing; the panic hook of the process has printed the
    /// message by then.
    pub fn on_panic(mut self, f: impl Fn(&Panicked) + Send + Sync + 'static) -> Self {
        self.hooks.on_panic = Some(Box::new(f));
        self
    }

    /// The runtime on which the jobs run. Default: the one in which the pool is built.
    pub fn runtime(mut self, runtime: tokio::runtime::Handle) -> Self {
        self.runtime = Some(Runtime::of(runtime));
        self
    }

    /// Makes the pool. Nothing is spawned before there is a job.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the knob and what it accepts; or says that there is no runtime.
    pub fn build(self) -> Result<Pool, BuildError> {
        if self.limit == 0 {
            return Err(BuildError::Limit(self.limit));
        }
        if !(1..=usize::from(u16::MAX)).contains(&self.lanes) {
            return Err(BuildError::Lanes(self.lanes));
        }
        let runtime = self.runtime.or_else(Runtime::current).ok_or(BuildError::NoRuntime)?;
        let crew = Crew::new(0, self.limit, self.queue.bound());
        Ok(Pool::of(House::new(crew, self.lanes, self.hooks, runtime)))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("limit", &self.limit)
            .field("queue", &self.queue)
            .field("reject", &self.hooks.reject)
            .field("lanes", &self.lanes)
            .finish_non_exhaustive()
    }
}
