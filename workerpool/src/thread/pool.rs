//! What users call.

use super::builder::{Builder, Handles, Threads};
use super::handle::Job;
use super::house::{House, Work};
use super::slot::{Reserve, Run};
use super::submit::Submitter;
use super::task::Task;
use crate::engine::{Item, Wait};
use crate::error::{BuildError, JobError, Rejected, ResizeError, ShutdownError};
use crate::metrics::Metrics;
use crate::parker::{Step, drive};
use crate::primitives::{Arc, Deadline};
use crate::waiters::Ticket;
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
    owner: Arc<Owner<'env>>,
}

/// What the clones of a pool share, and its workers do not.
struct Owner<'env> {
    house: Arc<House<'env, Task<'env>>>,
    handles: Arc<Handles>,
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
    pub fn new(threads: usize) -> Result<Self, BuildError> {
        Self::builder().threads(threads).build()
    }
}

impl<'env> Pool<'env> {
    pub(super) fn start(
        house: House<'env, Task<'env>>,
        handles: Arc<Handles>,
    ) -> Result<Self, BuildError> {
        // Where a thread is refused, the drop ends those that were started.
        let pool = Self { owner: Arc::new(Owner { house: Arc::new(house), handles }) };
        pool.house().hire().map_err(BuildError::Spawn)?;
        Ok(pool)
    }

    pub(super) fn house(&self) -> &Arc<House<'env, Task<'env>>> {
        &self.owner.house
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
    #[inline]
    pub fn spawn<F>(&self, job: F) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'env,
    {
        self.submitter().spawn(job)
    }

    /// The wait for a place in the queue. In a task: `pool.reserve().await?.submit(job)`.
    pub fn reserve(&self) -> Reserve<'_, 'env> {
        self.submitter().reserve()
    }

    /// The wait for a place, and then for the result of the job that is put there. Dropped, it
    /// aborts the job if that has not started.
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
    pub fn resize(&self, threads: RangeInclusive<usize>) -> Result<(), ResizeError> {
        let Threads { min, max } = Threads::from(threads);
        if !(Threads { min, max }).is_valid() {
            return Err(ResizeError::Threads { min, max });
        }
        let house = self.house();
        house.start(house.engine.resize(min, max));
        house.hire().map_err(ResizeError::Spawn)
    }

    /// How many threads there are at the least and at the most.
    pub fn threads(&self) -> RangeInclusive<usize> {
        let (min, max) = self.house().engine.limits();
        min..=max
    }

    /// Starts no more jobs until [`resume`](Self::resume); takes them all the same, as long as there
    /// is room in the queue. `false` if the pool is shut down.
    pub fn pause(&self) -> bool {
        self.house().engine.pause()
    }

    /// Ends a pause.
    pub fn resume(&self) {
        let house = self.house();
        house.start(house.engine.resume());
    }

    /// Takes out what waits in the queue. What is not run by hand is aborted.
    pub fn purge(&self) -> Vec<Returned<'env>> {
        returned(self.house().engine.sweep(|_| true))
    }

    /// The wait for the moment when nothing that was accepted waits or runs. What is submitted
    /// meanwhile prolongs it.
    pub fn wait_idle(&self) -> WaitIdle<'_, 'env> {
        WaitIdle { house: self.house(), ticket: None }
    }

    /// Takes no more jobs from now on, and runs those it has; also ends a pause. Gives a handle for
    /// the end of the last worker. A second shutdown gives the same.
    pub fn shutdown(&self) -> Shutdown<'env> {
        self.close(false);
        self.ending()
    }

    /// Takes no more jobs from now on, and gives back those that wait; what runs goes on. What is
    /// not run by hand is aborted. To wait for the workers, call [`shutdown`](Self::shutdown).
    pub fn shutdown_now(&self) -> Vec<Returned<'env>> {
        self.close(true)
    }

    /// [`shutdown`](Self::shutdown), and waits for the end for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Timeout`]; the jobs go on. [`ShutdownError::Inside`] when a job of the pool
    /// asks, which would wait for itself.
    pub fn shutdown_timeout(&self, timeout: Duration) -> Result<(), ShutdownError> {
        self.shutdown().wait_timeout(timeout)
    }

    /// Whether the pool takes no jobs any more.
    pub fn is_shut_down(&self) -> bool {
        self.house().engine.is_closed()
    }

    /// What the pool has done and does.
    pub fn metrics(&self) -> Metrics {
        self.house().engine.metrics()
    }

    fn close(&self, now: bool) -> Vec<Returned<'env>> {
        self.owner.close(now)
    }

    fn ending(&self) -> Shutdown<'env> {
        let house = Arc::clone(&self.owner.house);
        Shutdown { house, handles: Arc::clone(&self.owner.handles), ticket: None }
    }
}

impl<'env> Owner<'env> {
    fn close(&self, now: bool) -> Vec<Returned<'env>> {
        let (items, start) = self.house.engine.close(now);
        self.house.start(start);
        returned(items)
    }
}

impl Drop for Owner<'_> {
    fn drop(&mut self) {
        self.close(false);
        let house = Arc::clone(&self.house);
        // A job of the pool would wait for itself.
        let _ = Shutdown { house, handles: Arc::clone(&self.handles), ticket: None }.wait();
    }
}

fn returned(items: Vec<Item<Task<'_>>>) -> Vec<Returned<'_>> {
    let named = |item: Item<_>| Returned { lane: item.lane.into(), task: Some(item.entry) };
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
            let ran = task.run(&super::house::Hooks::default());
            if let Some(waker) = ran.waker {
                waker.wake();
            }
        }
    }
}

impl Drop for Returned<'_> {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.refuse(JobError::Aborted);
        }
    }
}

/// The wait for the moment when a pool has nothing to do: a request, which does nothing until it is
/// waited for. See [`Pool::wait_idle`].
#[must_use = "a request does nothing until it is waited for"]
pub struct WaitIdle<'p, 'env> {
    house: &'p Arc<House<'env, Task<'env>>>,
    ticket: Option<Ticket>,
}

impl WaitIdle<'_, '_> {
    /// Waits. A job of the pool that waits so waits for itself.
    pub fn wait(mut self) {
        self.wait_until(None);
    }

    /// Waits for no longer than `timeout`; `false` when the time is over.
    #[must_use]
    pub fn wait_timeout(mut self, timeout: Duration) -> bool {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    pub(crate) fn wait_until(&mut self, deadline: Option<&Deadline>) -> bool {
        let quiet =
            drive(deadline, |waker| match self.house.engine.poll_quiet(&mut self.ticket, waker) {
                Wait::Ready(()) => Step::Ready(()),
                Wait::Queued => Step::Queued { spin: true },
            });
        quiet.is_some()
    }
}

impl Drop for WaitIdle<'_, '_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.house.engine.leave_quiet(ticket);
        }
    }
}

#[cfg(feature = "async")]
impl Future for WaitIdle<'_, '_> {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        let Self { house, ticket } = &mut *self;
        match house.engine.poll_quiet(ticket, cx.waker()) {
            Wait::Ready(()) => std::task::Poll::Ready(()),
            Wait::Queued => std::task::Poll::Pending,
        }
    }
}

/// A shutdown that is under way: a handle for its end. See [`Pool::shutdown`]. Dropping it changes
/// nothing.
pub struct Shutdown<'env> {
    house: Arc<House<'env, Task<'env>>>,
    handles: Arc<Handles>,
    ticket: Option<Ticket>,
}

impl Shutdown<'_> {
    /// Waits until every worker has ended, and its thread is joined.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Inside`] when a job of the pool asks, which would wait for itself.
    pub fn wait(mut self) -> Result<(), ShutdownError> {
        self.wait_until(None)
    }

    /// Waits for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`ShutdownError`]: the time is over, or a job of the pool asks.
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<(), ShutdownError> {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    pub(crate) fn wait_until(&mut self, deadline: Option<&Deadline>) -> Result<(), ShutdownError> {
        if self.house.is_inside() {
            return Err(ShutdownError::Inside);
        }
        let ended =
            drive(deadline, |waker| match self.house.engine.poll_ended(&mut self.ticket, waker) {
                Wait::Ready(()) => Step::Ready(()),
                Wait::Queued => Step::Queued { spin: false },
            });
        if ended.is_none() {
            return Err(ShutdownError::Timeout);
        }
        for handle in self.handles.take() {
            // Jobs' panics are caught: this one would be of a thread-local's destructor, and the
            // process has printed it.
            let _ = handle.join();
        }
        Ok(())
    }
}

impl Drop for Shutdown<'_> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.house.engine.leave_ended(ticket);
        }
    }
}

/// Ready when the last worker takes no more jobs; its thread ends at the same time.
#[cfg(feature = "async")]
impl Future for Shutdown<'_> {
    type Output = ();

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<()> {
        let Self { house, ticket, .. } = &mut *self;
        match house.engine.poll_ended(ticket, cx.waker()) {
            Wait::Ready(()) => std::task::Poll::Ready(()),
            Wait::Queued => std::task::Poll::Pending,
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

impl fmt::Debug for WaitIdle<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitIdle").finish_non_exhaustive()
    }
}

impl fmt::Debug for Shutdown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shutdown").finish_non_exhaustive()
    }
}
