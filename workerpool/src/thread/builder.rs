//! What a pool is made of.

use super::adapt::Adapt;
use super::house::{House, Starter, Work};
use super::owner::Owner;
use super::pool::Pool;
use super::task::Task;
use crate::error::{BuildError, Panicked};
use crate::knobs::Knobs;
use crate::policy::{Queue, Reject};
use crate::primitives::{Arc, Mutex};
use crate::state::Crew;
use crate::timings::Timings;
use std::fmt;
use std::num::NonZero;
use std::ops::RangeInclusive;
use std::thread;
use std::time::Duration;

/// How jobs reach the workers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Engine {
    /// One queue: jobs start in the order in which they were accepted, whoever submits them.
    #[default]
    Shared,
    /// For jobs that submit jobs. What a job submits stays with its worker, which runs the newest
    /// first; a worker that has nothing to do takes the older half from another. Each 61st time a
    /// worker takes what waits in the queue, or the oldest of what it keeps, before its newest.
    ///
    /// Jobs that come from outside, in batches or by a reservation, those of subpools, keys, groups and
    /// maps, and the values of [`Workers`](super::Workers) go through the queue, in order. Bounds, policies, pauses, purges and shutdowns are what they are
    /// with one queue. Not to be had with several lanes, nor with [`Reject::DropOldest`]: nobody
    /// knows which of all jobs is the next, or the oldest.
    #[cfg(feature = "stealing")]
    Stealing,
}

impl Engine {
    const fn has_stacks(self) -> bool {
        match self {
            Self::Shared => false,
            #[cfg(feature = "stealing")]
            Self::Stealing => true,
        }
    }
}

/// Thread counts, from one number or two.
impl From<usize> for Threads {
    fn from(count: usize) -> Self {
        Self { min: count, max: count }
    }
}

impl From<RangeInclusive<usize>> for Threads {
    fn from(range: RangeInclusive<usize>) -> Self {
        Self { min: *range.start(), max: *range.end() }
    }
}

/// How many threads a pool has: `4`, or `2..=8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threads {
    pub(crate) min: usize,
    pub(crate) max: usize,
}

impl Threads {
    /// Whether there is place for a worker.
    pub(crate) const fn is_valid(self) -> bool {
        self.max > 0 && self.min <= self.max
    }
}

/// Makes a [`Pool`]. See [`Pool::builder`].
#[must_use = "a builder does nothing until it is built"]
pub struct Builder {
    threads: Option<Threads>,
    keep_alive: Duration,
    adaptive: bool,
    engine: Engine,
    stack_size: Option<usize>,
    knobs: Knobs,
}

impl Builder {
    pub(crate) fn new() -> Self {
        Self {
            threads: None,
            keep_alive: Duration::from_secs(10),
            adaptive: false,
            engine: Engine::Shared,
            stack_size: None,
            knobs: Knobs::new(),
        }
    }

    /// How many threads: `4`, or `2..=8`. The least number is started at once, the others when a
    /// job finds nobody free. Default: one for each core.
    pub fn threads(mut self, threads: impl Into<Threads>) -> Self {
        self.threads = Some(threads.into());
        self
    }

    /// How long a thread beyond the least number stays when there is nothing to do. Default: 10 s.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// use std::time::Duration;
    ///
    /// // Two threads always, up to eight when there is much to do, and a minute beyond that.
    /// let pool = Pool::builder().threads(2..=8).keep_alive(Duration::from_secs(60)).build()?;
    /// assert_eq!(pool.metrics().workers, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keep_alive(mut self, idle: Duration) -> Self {
        self.keep_alive = idle;
        self
    }

    /// Finds out how many of the threads are best, between the least and the most: for jobs that block
    /// on something outside of the pool. Default: as many as find a job.
    ///
    /// It begins with the least number and doubles as long as that brings 5 % more jobs in a second;
    /// holds, and tries twice and half as many now and then. It judges only while jobs wait, by epochs
    /// of 10 ms or more, and reads the clock once for four jobs of each thread.
    ///
    /// Jobs that wait for others which are still in the queue, by other means than their handles,
    /// need all threads from the start: nothing is measured while none of them ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::builder().threads(2..=64).adaptive().build()?;
    /// assert_eq!(pool.threads(), 2..=2, "more when it turns out that they are of use");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn adaptive(mut self) -> Self {
        self.adaptive = true;
        self
    }

    /// How many jobs may wait. Default: `Queue::Bounded(1024)`.
    pub fn queue(mut self, queue: Queue) -> Self {
        self.knobs.queue = queue;
        self
    }

    /// What becomes of a job for which there is no room. Default: [`Reject::Block`].
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::{Pool, Queue, Reject};
    ///
    /// let pool = Pool::builder().threads(1).queue(Queue::Bounded(1)).reject(Reject::DropOldest).build()?;
    /// pool.pause();
    /// let (old, new) = (pool.submit(|| 1)?, pool.submit(|| 2)?);
    /// pool.resume();
    /// assert!(old.wait().is_err(), "it was dropped for the other");
    /// assert_eq!(new.wait()?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reject(mut self, reject: Reject) -> Self {
        self.knobs.hooks.reject = reject;
        self
    }

    /// How many priorities there are; lane 0 goes first. Each 61st job is taken from the least
    /// urgent lane, so that none starves. Default: 1.
    ///
    /// Where there is more than one, a worker takes one job at a time, so that an urgent one never
    /// waits behind what was taken before.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::builder().threads(2).lanes(2).build()?;
    /// pool.lane(1).spawn(|| { /* can wait */ })?;
    /// pool.lane(0).spawn(|| { /* goes first */ })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.knobs.lanes = lanes;
        self
    }

    /// How jobs reach the workers. Default: [`Engine::Shared`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "stealing")]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::thread::{Engine, Pool};
    ///
    /// fn fill(pool: &Pool<'static>, depth: u32) {
    ///     if depth > 0 {
    ///         for _ in 0..2 {
    ///             let inner = pool.clone();
    ///             pool.spawn(move || fill(&inner, depth - 1)).unwrap();
    ///         }
    ///     }
    /// }
    ///
    /// let pool = Pool::builder().threads(2).engine(Engine::Stealing).build()?;
    /// fill(&pool, 5);
    /// pool.wait_idle().wait();
    /// assert_eq!(pool.metrics().completed, 2 + 4 + 8 + 16 + 32);
    /// # Ok(())
    /// # }
    /// # #[cfg(not(feature = "stealing"))]
    /// # fn main() {}
    /// ```
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// What the threads are called, with a number each: `io-0`. Default: `workerpool`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.knobs.name = Some(name.into());
        self
    }

    /// The size of a thread's stack, in bytes. Default: that of the standard library.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
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

    /// Called, by the worker, with the panic of a job that nobody can wait for: one of
    /// [`spawn`](Pool::spawn). A panic of `f` itself is ignored. Default: nothing; the panic hook
    /// of the process has printed the message by then.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// use std::sync::mpsc;
    ///
    /// let (tells, told) = mpsc::channel();
    /// let pool = Pool::builder()
    ///     .threads(1)
    ///     .on_panic(move |panicked| drop(tells.send(panicked.to_string())))
    ///     .build()?;
    /// pool.spawn(|| panic!("out of paper"))?;
    /// assert!(told.recv()?.contains("out of paper"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_panic(mut self, f: impl Fn(&Panicked) + Send + Sync + 'static) -> Self {
        self.knobs.hooks.on_panic = Some(Arc::new(f));
        self
    }

    /// Called by each worker before its first job. A panic of `f` is ignored.
    pub fn on_start(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.knobs.hooks.on_start = Some(Box::new(f));
        self
    }

    /// Called by each worker after its last job. A panic of `f` is ignored.
    pub fn on_stop(mut self, f: impl Fn() + Send + Sync + 'static) -> Self {
        self.knobs.hooks.on_stop = Some(Box::new(f));
        self
    }

    /// Makes the pool, with its least number of threads.
    ///
    /// # Errors
    ///
    /// [`BuildError`] names the knob and what it accepts; or says that the system refused a thread.
    pub fn build(self) -> Result<Pool<'static>, BuildError> {
        let (starter, handles) = self.starter::<Task<'static>>();
        Ok(Pool::of(Owner::start(self.house((), starter)?, handles)?))
    }

    /// Starts threads that own what they use, and keeps their handles.
    pub(super) fn starter<W: Work + 'static>(&self) -> (Starter<'static, W>, Arc<Handles>) {
        let (name, stack_size) = (self.thread_name(), self.stack_size);
        let handles = Arc::new(Handles::new());
        let kept = Arc::clone(&handles);
        let starter: Starter<'static, W> = Box::new(move |house, index| {
            let handle = named(&name, index, stack_size).spawn(move || house.serve())?;
            kept.keep(handle);
            Ok(())
        });
        (starter, handles)
    }

    pub(super) fn thread_name(&self) -> String {
        self.knobs.name().into()
    }

    pub(super) const fn stack_bytes(&self) -> Option<usize> {
        self.stack_size
    }

    /// The pool without its first workers.
    pub(super) fn house<'env, W: Work>(
        self,
        context: W::Context,
        starter: Starter<'env, W>,
    ) -> Result<House<'env, W>, BuildError> {
        let threads = self.check()?;
        let adapt = self.adaptive.then(|| Adapt::new(threads));
        let most = adapt.as_ref().map_or(threads.max, |adapt| adapt.begin(threads));
        let crew = Crew::new(threads.min, most, self.knobs.queue.bound());
        let (lanes, hooks) = (self.knobs.lanes, self.knobs.hooks(threads.max));
        let mut house = House::new(crew, lanes, Some(self.keep_alive), hooks, context, starter);
        house.adapt = adapt;
        Ok(if self.engine.has_stacks() { house.with_stacks() } else { house })
    }

    /// Whether all that it was told can be done with values, which have neither lanes nor tags.
    pub(super) fn check_workers(&self) -> Result<(), BuildError> {
        self.check()?;
        if self.knobs.lanes != 1 {
            return Err(BuildError::WorkersLanes(self.knobs.lanes));
        }
        if self.knobs.timings != Timings::Off {
            return Err(BuildError::WorkersTimings(self.knobs.timings));
        }
        if self.knobs.observes {
            return Err(BuildError::WorkersObserve);
        }
        Ok(())
    }

    /// What it was told, if it can be.
    pub(crate) fn check(&self) -> Result<Threads, BuildError> {
        let cores = || thread::available_parallelism().map_or(1, NonZero::get);
        let threads = self.threads.unwrap_or_else(|| cores().into());
        if !threads.is_valid() {
            return Err(BuildError::Threads { min: threads.min, max: threads.max });
        }
        self.knobs.check()?;
        if self.engine.has_stacks() && self.knobs.lanes > 1 {
            return Err(BuildError::StealingLanes(self.knobs.lanes));
        }
        if self.engine.has_stacks() && self.knobs.hooks.reject == Reject::DropOldest {
            return Err(BuildError::StealingReject(self.knobs.hooks.reject));
        }
        Ok(threads)
    }
}

/// The threads that were started, to be joined.
#[derive(Debug)]
pub(crate) struct Handles(Mutex<Vec<thread::JoinHandle<()>>>);

impl Handles {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    fn keep(&self, handle: thread::JoinHandle<()>) {
        let mut handles = self.0.lock();
        // Those that went since would pile up in a pool that grows and shrinks.
        handles.retain(|handle| !handle.is_finished());
        handles.push(handle);
    }

    pub(crate) fn take(&self) -> Vec<thread::JoinHandle<()>> {
        std::mem::take(&mut *self.0.lock())
    }
}

pub(super) fn named(name: &str, index: usize, stack_size: Option<usize>) -> thread::Builder {
    let builder = thread::Builder::new().name(format!("{name}-{index}"));
    match stack_size {
        Some(bytes) => builder.stack_size(bytes),
        None => builder,
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut it = f.debug_struct("Builder");
        it.field("threads", &self.threads)
            .field("keep_alive", &self.keep_alive)
            .field("adaptive", &self.adaptive);
        self.knobs.tell(&mut it);
        it.field("engine", &self.engine).finish_non_exhaustive()
    }
}
