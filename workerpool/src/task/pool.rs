//! What users call.

use super::builder::Builder;
use super::handle::Job;
use super::house::House;
use super::rest::{Shutdown, WaitIdle};
use super::returned::Returned;
use super::slot::{Reserve, Run};
use super::submit::{Spawn, Submit, Submitter};
use crate::error::{BuildError, Rejected, ResizeError};
use crate::metrics::Metrics;
use crate::primitives::Arc;
use crate::snapshot::Snapshot;
use crate::timings::Times;
use std::fmt;
use std::future::Future;

/// A pool of tasks with a queue in front of it. A clone is the same pool.
///
/// # Drop
///
/// Dropping the last clone shuts the pool down: what was accepted runs, and nothing waits for it. A
/// destructor that waited would block the very runtime that is to run the jobs; so who wants to be
/// there at the end says `pool.shutdown().await`.
///
/// # The runtime's end
///
/// When the runtime is shut down, jobs that were accepted and are not over end with
/// [`JobError::NoRuntime`](crate::JobError::NoRuntime), and the pool is shut down.
#[derive(Clone)]
pub struct Pool {
    owner: Arc<Owner>,
}

/// What the clones of a pool share, and its workers do not.
struct Owner {
    house: Arc<House>,
}

/// One for each pool, dropped with the last clone.
impl Drop for Owner {
    fn drop(&mut self) {
        let items = self.house.close(false);
        debug_assert!(items.is_empty(), "they run");
    }
}

impl Pool {
    /// Says what a pool is to be like.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// A pool of at most so many jobs at once, on the runtime in which this is called, with what else
    /// [`builder`](Self::builder) takes if it is not told otherwise.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: the limit is 0, or there is no runtime here.
    pub fn new(limit: usize) -> Result<Self, BuildError> {
        Self::builder().limit(limit).build()
    }

    pub(super) fn of(house: House) -> Self {
        Self { owner: Arc::new(Owner { house: Arc::new(house) }) }
    }

    pub(crate) fn house(&self) -> &Arc<House> {
        &self.owner.house
    }

    /// The way into lane 0, without a deadline.
    pub fn submitter(&self) -> Submitter<'_> {
        Submitter::new(self.house())
    }

    /// The way into a lane; 0 goes first.
    ///
    /// # Panics
    ///
    /// If the pool does not have so many lanes.
    pub fn lane(&self, lane: usize) -> Submitter<'_> {
        self.submitter().lane(lane)
    }

    /// Hands a job over: a request, which gives a handle to the job's result. Where there is no room,
    /// the pool's [`Reject`](super::Reject) says what happens; a request that waits for a place does so
    /// in the order of those that came first. A thread outside of the runtime `.wait()`s for it.
    ///
    /// # Errors
    ///
    /// The request gives [`Rejected`], with the job: the pool is shut down, or full and of the kind
    /// that says so.
    ///
    /// # Cancel safety
    ///
    /// Dropping the request before it is ready drops the job.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let job = pool.submit(async { 6 * 7 }).await?;
    /// assert_eq!(job.await?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn submit<F>(&self, job: F) -> Submit<'_, F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.submitter().submit(job)
    }

    /// Submits a job if there is room. Any thread may call it.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job: there is no room, or the pool is shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::{Pool, Queue};
    ///
    /// let pool = Pool::builder().limit(1).queue(Queue::Bounded(1)).build()?;
    /// pool.pause();
    /// let waits = pool.try_submit(async { 1 })?;
    /// let full = pool.try_submit(async { 2 }).unwrap_err();
    /// assert_eq!(full.into_job().await, 2, "it comes back, and may be awaited here");
    /// pool.resume();
    /// assert_eq!(waits.await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn try_submit<F>(&self, job: F) -> Result<Job<F::Output>, Rejected<F>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.submitter().try_submit(job)
    }

    /// Hands over a job whose result nobody wants: a request. A panic of the job goes to
    /// [`on_panic`](Builder::on_panic).
    ///
    /// # Errors
    ///
    /// The request gives [`Rejected`], with the job, as that of [`submit`](Self::submit).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// pool.spawn(async { println!("nobody waits for this") }).await?;
    /// pool.shutdown().await;
    /// assert_eq!(pool.metrics().completed, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn spawn<F>(&self, job: F) -> Spawn<'_, F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.submitter().spawn(job)
    }

    /// The wait for a place in the queue: `pool.reserve().await?.submit(job)`.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let slot = pool.reserve().await?;
    /// assert_eq!(slot.submit(async { 4 })?.await?, 4);
    /// # Ok(())
    /// # }
    /// ```
    pub fn reserve(&self) -> Reserve<'_> {
        self.submitter().reserve()
    }

    /// The wait for a place, and then for the result of the job that is put there. Dropped, it aborts
    /// the job if that has not started.
    ///
    /// A job may run another of the same pool so: it is polled inside the first one, and takes no
    /// place.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// assert_eq!(pool.run(async { 6 * 7 }).await?, 42);
    /// # Ok(())
    /// # }
    /// ```
    pub fn run<F>(&self, job: F) -> Run<'_, F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.submitter().run(job)
    }

    /// Changes how many jobs run at once. Those that are too many go on, and none is started in
    /// their place; jobs that wait stay.
    ///
    /// # Errors
    ///
    /// [`ResizeError::Limit`]: it is 0. Nothing has changed.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// pool.resize(16)?;
    /// assert_eq!(pool.limit(), 16);
    /// assert!(pool.resize(0).is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn resize(&self, limit: usize) -> Result<(), ResizeError> {
        if limit == 0 {
            return Err(ResizeError::Limit(limit));
        }
        let house = self.house();
        house.start(house.engine.resize(0, limit));
        Ok(())
    }

    /// How many jobs run at once, at the most.
    pub fn limit(&self) -> usize {
        self.house().engine.limits().1
    }

    /// Starts no more jobs until [`resume`](Self::resume); takes them all the same, as long as there
    /// is room in the queue. `false` if the pool is shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// assert!(pool.pause());
    /// let job = pool.submit(async { 3 }).await?;
    /// assert_eq!(pool.metrics().queued, 1);
    /// pool.resume();
    /// assert_eq!(job.await?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn pause(&self) -> bool {
        self.house().engine.pause()
    }

    /// Ends a pause.
    pub fn resume(&self) {
        let house = self.house();
        house.start(house.engine.resume());
    }

    /// Takes out what waits in the queue. What is not run by hand is aborted.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(1)?;
    /// pool.pause();
    /// let job = pool.submit(async { 1 }).await?;
    /// for returned in pool.purge() {
    ///     returned.await; // here, in this task
    /// }
    /// assert_eq!(job.await?, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn purge(&self) -> Vec<Returned> {
        Returned::all(self.house(), self.house().engine.sweep(|_| true))
    }

    /// The wait for the moment when nothing that was accepted waits or runs. What is submitted
    /// meanwhile prolongs it.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// pool.spawn(async {}).await?;
    /// pool.wait_idle().await;
    /// assert_eq!(pool.metrics().completed, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn wait_idle(&self) -> WaitIdle<'_> {
        WaitIdle { house: self.house(), ticket: None }
    }

    /// Takes no more jobs from now on, and runs those it has; also ends a pause. Gives a handle for
    /// the end of the last one. A second shutdown gives the same.
    ///
    /// For an end within some time: `tokio::time::timeout(some, pool.shutdown()).await`; what is then
    /// to be done with the rest is [`shutdown_now`](Self::shutdown_now)'s.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let job = pool.submit(async { 1 }).await?;
    /// pool.shutdown().await;
    /// assert_eq!(job.await?, 1, "what was accepted has run");
    /// assert!(pool.spawn(async {}).await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown(&self) -> Shutdown {
        self.close(false);
        Shutdown { house: Arc::clone(self.house()), ticket: None }
    }

    /// Takes no more jobs from now on, and gives back those that wait; what runs goes on. What is
    /// not run by hand is aborted. To wait for the others, call [`shutdown`](Self::shutdown).
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(1)?;
    /// pool.pause();
    /// let job = pool.submit(async { 1 }).await?;
    /// assert_eq!(pool.shutdown_now().len(), 1, "and dropped here, which aborts it");
    /// assert!(job.await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn shutdown_now(&self) -> Vec<Returned> {
        self.close(true)
    }

    fn close(&self, now: bool) -> Vec<Returned> {
        Returned::all(self.house(), self.house().close(now))
    }

    /// [`shutdown`](Self::shutdown), and waits for the end for no longer than `timeout`, on a thread
    /// outside of the runtime.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Timeout`](crate::ShutdownError::Timeout); the jobs go on.
    /// [`ShutdownError::Inside`](crate::ShutdownError::Inside) when a job of the pool asks, which
    /// would wait for itself.
    #[cfg(feature = "sync")]
    pub fn shutdown_timeout(
        &self,
        timeout: std::time::Duration,
    ) -> Result<(), crate::error::ShutdownError> {
        self.shutdown().wait_timeout(timeout)
    }

    /// Whether the pool takes no jobs any more.
    pub fn is_shut_down(&self) -> bool {
        self.house().engine.is_closed()
    }

    /// The way into lane 0 for jobs that are listed by `name` in [snapshots](Self::snapshot).
    pub fn named<'p>(&'p self, name: &'p str) -> Submitter<'p> {
        self.submitter().named(name)
    }

    /// What the pool does at this moment: its numbers, its workers, and the jobs that have a name
    /// or, where it [observes](Builder::observe), all. Of a job that waits for something it says that
    /// it runs.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::builder().limit(1).name("hooks").observe().build()?;
    /// pool.pause();
    /// pool.named("backup").spawn(async {}).await?;
    /// let snapshot = pool.snapshot();
    /// assert_eq!(snapshot.jobs[0].name.as_deref(), Some("backup"));
    /// println!("{snapshot}"); // hooks: 0 running, 0 idle, 1 queued ...
    /// # Ok(())
    /// # }
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        self.house().hooks.snapshot(&self.house().engine)
    }

    /// How long those jobs waited and ran that are over and were timed; what a job waited for while
    /// it ran counts as running. `None` if none are: see [`Builder::timings`].
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::{Timings, task::Pool};
    ///
    /// let pool = Pool::builder().limit(2).timings(Timings::All).build()?;
    /// pool.run(async { 1 }).await?;
    /// let times = pool.times().ok_or("they are timed")?;
    /// assert_eq!(times.run.count(), 1);
    /// println!("99 of 100 wait for less than {:?}", times.wait.percentile(99.0));
    /// # Ok(())
    /// # }
    /// ```
    pub fn times(&self) -> Option<Times> {
        self.house().hooks.times()
    }

    /// What the pool has done and does. Its workers are the tasks that take jobs.
    pub fn metrics(&self) -> Metrics {
        self.house().engine.metrics()
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("metrics", &self.metrics()).finish_non_exhaustive()
    }
}
