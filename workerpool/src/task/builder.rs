//! What a pool is made of.

use super::house::House;
use super::pool::Pool;
use crate::error::{BuildError, Panicked};
use crate::knobs::Knobs;
use crate::policy::{Queue, Reject};
use crate::primitives::Arc;
use crate::runtime::Runtime;
use crate::state::Crew;
use crate::timings::Timings;
use std::fmt;

/// Makes a [`Pool`]. See [`Pool::builder`].
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    limit: usize,
    knobs: Knobs,
    runtime: Option<Runtime>,
}

impl Builder {
    pub(super) fn new() -> Self {
        Self { limit: 64, knobs: Knobs::new(), runtime: None }
    }

    /// How many jobs run at once, at the most; 1 or more. So many tasks of the runtime take them, each
    /// started when a job finds nobody free. Default: 64.
    pub fn limit(mut self, jobs: usize) -> Self {
        self.limit = jobs;
        self
    }

    /// How many jobs may wait. Default: `Queue::Bounded(1024)`.
    pub fn queue(mut self, queue: Queue) -> Self {
        self.knobs.queue = queue;
        self
    }

    /// What becomes of a job for which there is no room. Default: [`Reject::Block`].
    pub fn reject(mut self, reject: Reject) -> Self {
        self.knobs.hooks.reject = reject;
        self
    }

    /// How many priorities there are, in `1..=65535`; lane 0 goes first. Each 61st job is taken from
    /// the least urgent lane, so that none starves. Default: 1.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::builder().limit(2).lanes(2).build()?;
    /// pool.lane(1).spawn(async { /* can wait */ }).await?;
    /// pool.lane(0).spawn(async { /* goes first */ }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.knobs.lanes = lanes;
        self
    }

    /// What the pool is called where it is told of, and its workers with a number each: `hooks-0`.
    /// Default: `workerpool`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.knobs.name = Some(name.into());
        self
    }

    /// Which jobs are timed, for [`Pool::times`]: a clock is read when such a job is submitted, when
    /// it starts and when it ends, and its worker keeps 37 KiB for all of them. Default:
    /// [`Timings::Off`], which reads none.
    pub fn timings(mut self, timings: Timings) -> Self {
        self.knobs.timings = timings;
        self
    }

    /// Lists all jobs in [snapshots](Pool::snapshot), with their ages. Without it those that have
    /// a [name](super::Submitter::named) are listed, without ages.
    ///
    /// Each job then takes a lock that all submitters and workers share, three times, and two
    /// allocations: for pools whose jobs take longer than that.
    pub fn observe(mut self) -> Self {
        self.knobs.observes = true;
        self
    }

    /// Called with the panic of a job that nobody can wait for: one of [`spawn`](Pool::spawn). A panic
    /// of `f` itself is ignored. Default: nothing; the panic hook of the process has printed the
    /// message by then.
    pub fn on_panic(mut self, f: impl Fn(&Panicked) + Send + Sync + 'static) -> Self {
        self.knobs.hooks.on_panic = Some(Arc::new(f));
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
        self.knobs.check()?;
        let runtime = self.runtime.or_else(Runtime::current).ok_or(BuildError::NoRuntime)?;
        let crew = Crew::new(0, self.limit, self.knobs.queue.bound());
        let (lanes, hooks) = (self.knobs.lanes, self.knobs.hooks(self.limit));
        Ok(Pool::of(House::new(crew, lanes, hooks, runtime)))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut it = f.debug_struct("Builder");
        it.field("limit", &self.limit);
        self.knobs.tell(&mut it);
        it.finish_non_exhaustive()
    }
}
