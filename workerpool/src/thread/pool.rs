//! What users call.

use super::builder::Builder;
use super::handle::Job;
use super::house::{House, Work};
use super::owner::{Owner, Shutdown, WaitIdle};
use super::slot::{Reserve, Run};
use super::submit::Submitter;
use super::task::Task;
use crate::engine::Item;
use crate::error::{BuildError, JobError, Rejected, ResizeError, ShutdownError};
use crate::metrics::Metrics;
use crate::primitives::Arc;
use crate::snapshot::Snapshot;
use crate::timings::Times;
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// A pool of threads with a queue in front of it. A clone is the same pool.
///
/// Jobs of a pool that [`Builder::build`] made own what they use (`Pool<'static>`); those of a
/// [`scope`](super::scope) may borrow.
///
/// # Drop
///
/// Dropping the last clone shuts the pool down and waits: every job that was accepted runs first.
/// Dropped by a job of the pool itself, it does not wait.
#[derive(Clone)]
pub struct Pool<'env> {
    owner: Arc<Owner<'env, Task<'env>>>,
}

impl Pool<'static> {
    /// Says what a pool is to be like.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A pool of so many threads, with what else [`builder`](Self::builder) takes if it is not told
    /// otherwise.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: zero threads, or the system refused one.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(4)?;
    /// assert_eq!(pool.threads(), 4..=4);
    /// assert!(Pool::new(0).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(threads: usize) -> Result<Self, BuildError> {
        Self::builder().threads(threads).build()
    }
}

impl<'env> Pool<'env> {
    pub(super) fn of(owner: Owner<'env, Task<'env>>) -> Self {
        Self { owner: Arc::new(owner) }
    }

    pub(crate) fn house(&self) -> &Arc<House<'env, Task<'env>>> {
        self.owner.house()
    }

    /// The way into lane 0, without a deadline.
    pub fn submitter(&self) -> Submitter<'_, 'env> {
        Submitter::new(self.house())
    }

    /// The way into a lane; 0 goes first.
    ///
    /// # Panics
    ///
    /// If the pool does not have so many lanes.
    pub fn lane(&self, lane: usize) -> Submitter<'_, 'env> {
        self.submitter().lane(lane)
    }

    /// Submits a job and gives a handle to its result. Where there is no room, the pool's
    /// [`Reject`](super::Reject) says what happens.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job: the pool is shut down, or full and of the kind that says so.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let job = pool.submit(|| 6 * 7)?;
    /// assert_eq!(job.wait()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit<T, F>(&self, job: F) -> Result<Job<'env, T>, Rejected<F>>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        self.submitter().submit(job)
    }

    /// Submits a job if there is room.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job: there is no room, or the pool is shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::{Pool, Queue};
    ///
    /// let pool = Pool::builder().threads(1).queue(Queue::Bounded(1)).build()?;
    /// pool.pause();
    /// let waits = pool.try_submit(|| 1)?;
    /// let full = pool.try_submit(|| 2).unwrap_err();
    /// assert_eq!((full.into_job())(), 2, "it comes back, and may be done here");
    /// pool.resume();
    /// assert_eq!(waits.wait()?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn try_submit<T, F>(&self, job: F) -> Result<Job<'env, T>, Rejected<F>>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        self.submitter().try_submit(job)
    }

    /// Submits a job whose result nobody wants. A panic of it goes to
    /// [`on_panic`](Builder::on_panic).
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job, as for [`submit`](Self::submit).
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// pool.spawn(|| println!("nobody waits for this"))?;
    /// pool.shutdown().wait()?;
    /// assert_eq!(pool.metrics().completed, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn spawn<F>(&self, job: F) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'env,
    {
        self.submitter().spawn(job)
    }

    /// The wait for a place in the queue. In a task: `pool.reserve().await?.submit(job)`.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let slot = pool.reserve().wait()?;
    /// // There is a place: what is costly to make is made only now.
    /// assert_eq!(slot.submit(|| "made".len())?.wait()?, 4);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn reserve(&self) -> Reserve<'_, 'env> {
        self.submitter().reserve()
    }

    /// The wait for a place, and then for the result of the job that is put there. Dropped, it
    /// aborts the job if that has not started.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// assert_eq!(pool.run(|| 6 * 7).wait()?, 42);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run<T, F>(&self, job: F) -> Run<'_, 'env, T, F>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        self.submitter().run(job)
    }

    /// Changes how many threads there are. Those that are too many end when they have done what
    /// they do; jobs that wait stay.
    ///
    /// # Errors
    ///
    /// [`ResizeError`]: the range has no place for a worker, and nothing has changed; or the system
    /// refused a thread, and the pool has fewer than it is to have.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// pool.resize(1..=8)?;
    /// assert_eq!(pool.threads(), 1..=8);
    /// assert!(pool.resize(0..=0).is_err(), "nobody would run the jobs");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn resize(&self, threads: RangeInclusive<usize>) -> Result<(), ResizeError> {
        self.owner.resize(threads.into())
    }

    /// How many threads there are at the least and at the most; of an
    /// [`adaptive`](Builder::adaptive) pool, as far as it has found out.
    pub fn threads(&self) -> RangeInclusive<usize> {
        let (min, max) = self.house().engine.limits();
        min..=max
    }

    /// Starts no more jobs until [`resume`](Self::resume); takes them all the same, as long as there
    /// is room in the queue. `false` if the pool is shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// assert!(pool.pause());
    /// let job = pool.submit(|| 3)?;
    /// assert_eq!(pool.metrics().queued, 1);
    /// pool.resume();
    /// assert_eq!(job.wait()?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn pause(&self) -> bool {
        self.house().engine.pause()
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.owner.resume();
    }

    /// Takes out what waits in the queue. What is not run by hand is aborted.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(1)?;
    /// pool.pause();
    /// let (kept, dropped) = (pool.submit(|| 1)?, pool.submit(|| 2)?);
    /// let mut returned = pool.purge().into_iter();
    /// returned.next().ok_or("the first")?.run(); // here, on this thread
    /// drop(returned);
    /// assert_eq!(kept.wait()?, 1);
    /// assert!(dropped.wait().is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn purge(&self) -> Vec<Returned<'env>> {
        returned(self.house(), self.house().engine.sweep(|_| true))
    }

    /// The wait for the moment when nothing that was accepted waits or runs. What is submitted
    /// meanwhile prolongs it.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// pool.spawn_batch((0..10).map(|_| || ()))?;
    /// pool.wait_idle().wait();
    /// assert_eq!(pool.metrics().completed, 10);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn wait_idle(&self) -> WaitIdle<'_> {
        self.owner.wait_idle()
    }

    /// Takes no more jobs from now on, and runs those it has; also ends a pause. Gives a handle for
    /// the end of the last worker. A second shutdown gives the same.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let job = pool.submit(|| 1)?;
    /// pool.shutdown().wait()?;
    /// assert_eq!(job.wait()?, 1, "what was accepted has run");
    /// assert!(pool.spawn(|| ()).is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown(&self) -> Shutdown<'env> {
        self.owner.shutdown()
    }

    /// Takes no more jobs from now on, and gives back those that wait; what runs goes on. What is
    /// not run by hand is aborted. To wait for the workers, call [`shutdown`](Self::shutdown).
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(1)?;
    /// pool.pause();
    /// let job = pool.submit(|| 1)?;
    /// let returned = pool.shutdown_now();
    /// assert_eq!(returned.len(), 1);
    /// drop(returned);
    /// assert!(job.wait().is_err(), "nobody ran it");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown_now(&self) -> Vec<Returned<'env>> {
        returned(self.house(), self.owner.close(true))
    }

    /// [`shutdown`](Self::shutdown), and waits for the end for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Timeout`]; the jobs go on. [`ShutdownError::Inside`] when a job of the pool
    /// asks, which would wait for itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// use std::time::Duration;
    ///
    /// let pool = Pool::new(2)?;
    /// if pool.shutdown_timeout(Duration::from_secs(10)).is_err() {
    ///     drop(pool.shutdown_now()); // what has not begun by now is left alone
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn shutdown_timeout(&self, timeout: Duration) -> Result<(), ShutdownError> {
        self.shutdown().wait_timeout(timeout)
    }

    /// Whether the pool takes no jobs any more.
    pub fn is_shut_down(&self) -> bool {
        self.house().engine.is_closed()
    }

    /// The way into lane 0 for jobs that are listed by `name` in [snapshots](Self::snapshot).
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// pool.named("backup").spawn(|| ())?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn named<'p>(&'p self, name: &'p str) -> Submitter<'p, 'env> {
        self.submitter().named(name)
    }

    /// What the pool does at this moment: its numbers, its workers, and the jobs that have a name
    /// or, where it [observes](Builder::observe), all.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::builder().threads(1).name("io").observe().build()?;
    /// pool.pause();
    /// pool.named("backup").spawn(|| ())?;
    /// let snapshot = pool.snapshot();
    /// assert_eq!(snapshot.jobs[0].name.as_deref(), Some("backup"));
    /// println!("{snapshot}"); // io: 0 running, 1 idle, 1 queued ...
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        self.house().hooks.snapshot(&self.house().engine)
    }

    /// How long those jobs waited and ran that are over and were timed. `None` if none are: see
    /// [`Builder::timings`].
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::{Timings, thread::Pool};
    ///
    /// let pool = Pool::builder().threads(2).timings(Timings::All).build()?;
    /// pool.submit(|| 1)?.wait()?;
    /// let times = pool.times().ok_or("they are timed")?;
    /// assert_eq!(times.run.count(), 1);
    /// println!("99 of 100 wait for less than {:?}", times.wait.percentile(99.0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn times(&self) -> Option<Times> {
        self.house().hooks.times()
    }

    /// What the pool has done and does.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// pool.spawn(|| ())?;
    /// pool.wait_idle().wait();
    /// let metrics = pool.metrics();
    /// assert_eq!((metrics.submitted, metrics.completed, metrics.queued), (1, 1, 0));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn metrics(&self) -> Metrics {
        self.house().engine.metrics()
    }
}

fn returned<'env>(
    house: &Arc<House<'env, Task<'env>>>,
    items: Vec<Item<Task<'env>>>,
) -> Vec<Returned<'env>> {
    let named = |Item { entry, lane, .. }| {
        if let Task::Job(job) = &entry {
            house.finish(job.hand_back());
        }
        Returned { lane: usize::from(lane), task: Some(entry) }
    };
    items.into_iter().map(named).collect()
}

/// A job that was accepted and handed back before it started. Dropping it aborts the job.
#[must_use = "dropping a job that was handed back aborts it"]
pub struct Returned<'env> {
    lane: usize,
    task: Option<Task<'env>>,
}

impl Returned<'_> {
    /// The lane in which it waited.
    pub const fn lane(&self) -> usize {
        self.lane
    }

    /// Runs it here. Its result, or its panic, goes to its handle.
    pub fn run(mut self) {
        if let Some(task) = self.task.take() {
            if let Task::Job(job) = &task {
                job.note_outside();
            }
            let ran = task.run(&crate::hooks::Hooks::default(), &());
            if let Some(waker) = ran.waker {
                waker.wake();
            }
        }
    }
}

impl Drop for Returned<'_> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            // Nobody of the pool is parked for what was handed back.
            if let Some(waker) = task.refuse(JobError::Aborted).and_then(|ran| ran.waker) {
                waker.wake();
            }
        }
    }
}

impl fmt::Debug for Pool<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("metrics", &self.metrics()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Returned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Returned").field("lane", &self.lane).finish_non_exhaustive()
    }
}
