//! One closure that is fed with values: nothing is allocated for a value.

use super::builder::{Builder, Threads};
use super::house::{House, Work};
use super::owner::{Owner, Shutdown, WaitIdle};
use super::slot::PlaceWait;
use crate::engine::{Entry, Grant, Item, Outcome, Push};
use crate::error::{
    BuildError, Closed, JobError, Panicked, Reason, Rejected, RejectedBatch, ResizeError,
    ShutdownError, WaitError, drop_payload,
};
use crate::hooks::Hooks;
use crate::job::Ran;
use crate::metrics::Metrics;
use crate::policy::Reject;
use crate::primitives::{Arc, Deadline};
use crate::trace;
use std::fmt;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// A value that was accepted.
pub(crate) struct Value<T>(T);

type Handler<T> = Box<dyn Fn(T) + Send + Sync>;

impl<T> Entry for Value<T> {
    fn is_void(&self) -> bool {
        false
    }
}

impl<T: Send> Work for Value<T> {
    type Context = Handler<T>;

    #[inline]
    fn run(self, hooks: &Hooks, handler: &Handler<T>) -> Ran {
        match catch_unwind(AssertUnwindSafe(|| handler(self.0))) {
            Ok(()) => Ran::of(Outcome::Completed),
            Err(payload) => {
                hooks.tell_panic(Panicked::new(payload));
                Ran::of(Outcome::Panicked)
            }
        }
    }

    fn refuse(self, _: JobError) -> Option<Ran> {
        drop_payload(self.0);
        None
    }
}

/// A pool of threads that do one thing with every value that is pushed. A clone is the same pool.
///
/// What a [`Pool`](super::Pool) is without results: a value takes a place in the queue and nothing on
/// the heap. A panic of the handler costs its value, and goes to [`on_panic`](Builder::on_panic).
///
/// # Drop
///
/// Dropping the last clone shuts it down and waits: the handler gets every value that was accepted.
/// Dropped by the handler itself, it does not wait.
///
/// # Examples
///
/// ```
/// use lockgate_workerpool::thread::Workers;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// let sum = Arc::new(AtomicU64::new(0));
/// let total = Arc::clone(&sum);
/// let workers = Workers::new(2, move |n| {
///     total.fetch_add(n, Ordering::Relaxed);
/// })?;
/// workers.push(1)?;
/// workers.push_batch(2..=10)?;
/// workers.shutdown().wait()?;
/// assert_eq!(sum.load(Ordering::Relaxed), 55);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Workers<T: Send + 'static> {
    owner: Arc<Owner<'static, Value<T>>>,
}

impl Workers<()> {
    /// Says what they are to be like; [`Builder::build_workers`] makes them, of any type of values.
    pub fn builder() -> Builder {
        Builder::new()
    }
}

impl<T: Send + 'static> Workers<T> {
    /// So many threads, with what else [`builder`](Self::builder) takes if it is not told otherwise.
    ///
    /// # Errors
    ///
    /// [`BuildError`]: zero threads, or the system refused one.
    pub fn new(
        threads: usize,
        handler: impl Fn(T) + Send + Sync + 'static,
    ) -> Result<Self, BuildError> {
        Builder::new().threads(threads).build_workers(handler)
    }

    fn house(&self) -> &Arc<House<'static, Value<T>>> {
        self.owner.house()
    }

    /// Hands a value over. Where there is no room, [`Reject`] says what happens.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the value: shut down, or full and of the kind that says so.
    #[inline]
    pub fn push(&self, value: T) -> Result<(), Rejected<T>> {
        match self.place(value) {
            Err(rejected) if rejected.reason == Reason::Full => self.push_full(rejected.job),
            placed => placed.map_err(|rejected| self.rejected(rejected.job, rejected.reason)),
        }
    }

    /// Hands a value over if there is room.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the value: there is no room, or it is shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::{Queue, Workers};
    ///
    /// let builder = Workers::builder().threads(1).queue(Queue::Bounded(1));
    /// let workers = builder.build_workers(|n: u32| println!("{n}"))?;
    /// workers.pause();
    /// workers.try_push(1)?;
    /// assert_eq!(workers.try_push(2).unwrap_err().into_job(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[inline]
    pub fn try_push(&self, value: T) -> Result<(), Rejected<T>> {
        self.place(value).map_err(|rejected| self.rejected(rejected.job, rejected.reason))
    }

    /// Hands many values over, with one lock for all that there is room for. They are collected first,
    /// which is one allocation for all of them.
    ///
    /// # Errors
    ///
    /// [`RejectedBatch`]: the values that were not accepted.
    pub fn push_batch(
        &self,
        values: impl IntoIterator<Item = T>,
    ) -> Result<(), RejectedBatch<T, ()>> {
        let values: Vec<T> = values.into_iter().collect();
        let mut accepted = 0;
        let mut values = values.into_iter();
        loop {
            // What is moved out under the lock is accepted.
            let (push, count) = self.house().engine.push_batch(values.by_ref().map(item));
            accepted += count;
            if let Push::Accepted(start) = push {
                self.house().start(start);
            } else if matches!(push, Push::NoWorker) {
                // The next push starts one.
                self.house().engine.unreserve();
            }
            // What is done without room, or without a worker, is done one by one.
            let Some(value) = values.next() else { return Ok(()) };
            match self.push(value) {
                Ok(()) => accepted += 1,
                Err(Rejected { job, reason }) => {
                    // The one that came back alone is counted already.
                    let rest = values.map(|value| self.rejected(value, reason).job);
                    let rejected = std::iter::once(job).chain(rest).collect();
                    return Err(RejectedBatch { accepted: vec![(); accepted], rejected, reason });
                }
            }
        }
    }

    /// The wait for a place in the queue. In a task: `workers.reserve().await?.push(value)`.
    pub fn reserve(&self) -> ReservePush<'_, T> {
        ReservePush { place: PlaceWait::new(self.house()), house: self.house() }
    }

    fn place(&self, value: T) -> Result<(), Rejected<T>> {
        let mut value = Some(value);
        let placed = self.house().try_place(|| take(&mut value));
        give_back(placed, value)
    }

    fn rejected(&self, value: T, reason: Reason) -> Rejected<T> {
        self.house().note_rejected(reason);
        Rejected::new(value, reason)
    }

    #[cold]
    fn push_full(&self, value: T) -> Result<(), Rejected<T>> {
        let house = self.house();
        let run = |value| {
            let ran = Value(value).run(&house.hooks, &house.context);
            house.engine.note_outside(house.finish(ran));
        };
        match house.hooks.reject {
            Reject::Fail => Err(self.rejected(value, Reason::Full)),
            Reject::CallerRuns => {
                run(value);
                Ok(())
            }
            Reject::DropNewest => {
                house.note_rejected(Reason::Full);
                drop_payload(value);
                Ok(())
            }
            Reject::DropOldest => self.evict(value),
            Reject::Block if house.is_inside() => {
                let mut value = Some(value);
                let nested = house.nest(|| value.take().map(run));
                match (nested, value) {
                    (None, Some(value)) => Err(self.rejected(value, Reason::TooDeep)),
                    _ => Ok(()),
                }
            }
            Reject::Block => {
                let granted = PlaceWait::new(house).wait(None);
                let mut value = Some(value);
                let placed = match granted {
                    Some(Grant::Place) => house.place_reserved(|| take(&mut value)),
                    _ => Err(Reason::Closed),
                };
                give_back(placed, value).map_err(|it| self.rejected(it.job, it.reason))
            }
        }
    }

    fn evict(&self, value: T) -> Result<(), Rejected<T>> {
        let (house, mut value) = (self.house(), Some(value));
        let (push, evicted) = house.engine.push_evicting(|| take(&mut value));
        if let Some(evicted) = evicted {
            trace::rejected(house.hooks.pool(), Reason::Full);
            drop_payload(evicted.entry);
        }
        let placed = match push {
            Push::Accepted(start) => {
                house.start(start);
                Ok(())
            }
            Push::Full => Err(Reason::Full),
            Push::Closed => Err(Reason::Closed),
            Push::NoWorker => house.place_reserved(|| take(&mut value)),
        };
        give_back(placed, value).map_err(|it| self.rejected(it.job, it.reason))
    }

    /// See [`Pool::resize`](super::Pool::resize).
    ///
    /// # Errors
    ///
    /// [`ResizeError`]: the range has no place for a worker, or the system refused a thread.
    pub fn resize(&self, threads: impl Into<Threads>) -> Result<(), ResizeError> {
        self.owner.resize(threads.into())
    }

    /// How many threads there are at the least and at the most.
    pub fn threads(&self) -> RangeInclusive<usize> {
        let (min, max) = self.house().engine.limits();
        min..=max
    }

    /// Handles no more values until [`resume`](Self::resume); `false` if it is shut down.
    pub fn pause(&self) -> bool {
        self.house().engine.pause()
    }

    /// Ends a pause.
    pub fn resume(&self) {
        self.owner.resume();
    }

    /// Takes out what waits in the queue, in its order.
    pub fn purge(&self) -> Vec<T> {
        values(self.house().engine.sweep(|_| true))
    }

    /// The wait for the moment when every value that was accepted is handled.
    pub fn wait_idle(&self) -> WaitIdle<'_> {
        self.owner.wait_idle()
    }

    /// Takes no more values from now on, and handles those it has. Gives a handle for the end of the
    /// last worker.
    pub fn shutdown(&self) -> Shutdown<'static> {
        self.owner.shutdown()
    }

    /// Takes no more values from now on, and gives back those that wait, in their order.
    pub fn shutdown_now(&self) -> Vec<T> {
        values(self.owner.close(true))
    }

    /// [`shutdown`](Self::shutdown), and waits for the end for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`ShutdownError::Timeout`]; it goes on. [`ShutdownError::Inside`] when the handler asks.
    pub fn shutdown_timeout(&self, timeout: Duration) -> Result<(), ShutdownError> {
        self.shutdown().wait_timeout(timeout)
    }

    /// Whether it takes no values any more.
    pub fn is_shut_down(&self) -> bool {
        self.house().engine.is_closed()
    }

    /// What it has done and does.
    pub fn metrics(&self) -> Metrics {
        self.house().engine.metrics()
    }
}

fn item<T>(value: T) -> Item<Value<T>> {
    Item { entry: Value(value), lane: 0, strand: None }
}

fn take<T>(value: &mut Option<T>) -> Item<Value<T>> {
    match value.take() {
        Some(value) => item(value),
        None => unreachable!("a value is accepted once"),
    }
}

fn give_back<T>(placed: Result<(), Reason>, value: Option<T>) -> Result<(), Rejected<T>> {
    match (placed, value) {
        (Ok(()), _) => Ok(()),
        (Err(reason), Some(value)) => Err(Rejected::new(value, reason)),
        (Err(_), None) => unreachable!("a value that was not accepted was not taken"),
    }
}

fn values<T>(items: Vec<Item<Value<T>>>) -> Vec<T> {
    items.into_iter().map(|item| item.entry.0).collect()
}

impl Builder {
    /// Makes a pool that does one thing with every value that is pushed, with its least number of
    /// threads.
    ///
    /// # Errors
    ///
    /// As [`build`](Self::build); and [`lanes`](Self::lanes), [`timings`](Self::timings) and
    /// [`observe`](Self::observe) are refused: values have none of them.
    pub fn build_workers<T: Send + 'static>(
        self,
        handler: impl Fn(T) + Send + Sync + 'static,
    ) -> Result<Workers<T>, BuildError> {
        self.check_workers()?;
        let (starter, handles) = self.starter::<Value<T>>();
        let owner = Owner::start(self.house(Box::new(handler) as _, starter)?, handles)?;
        Ok(Workers { owner: Arc::new(owner) })
    }
}

/// The wait for a place for a value: a request, which does nothing until it is waited for.
///
/// # Cancel safety
///
/// Dropping it gives its turn to the next.
#[must_use = "a request does nothing until it is waited for"]
pub struct ReservePush<'p, T: Send + 'static> {
    place: PlaceWait<'p, 'static, Value<T>>,
    house: &'p Arc<House<'static, Value<T>>>,
}

impl<'p, T: Send + 'static> ReservePush<'p, T> {
    /// Waits for the place.
    ///
    /// # Errors
    ///
    /// [`Closed`]: it is shut down.
    pub fn wait(mut self) -> Result<PushSlot<'p, T>, Closed> {
        match self.place.wait(None) {
            Some(grant) => self.slot(grant),
            None => unreachable!("there is no deadline"),
        }
    }

    /// Waits for the place, for no longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`WaitError::Timeout`], or that it is shut down.
    pub fn wait_timeout(self, timeout: Duration) -> Result<PushSlot<'p, T>, WaitError<Closed>> {
        self.wait_until(Deadline::after(timeout).as_ref())
    }

    /// Waits for the place, until `deadline`.
    ///
    /// # Errors
    ///
    /// [`WaitError::Timeout`], or that it is shut down.
    pub fn wait_deadline(self, deadline: Instant) -> Result<PushSlot<'p, T>, WaitError<Closed>> {
        self.wait_until(Some(&Deadline::at(deadline)))
    }

    fn wait_until(
        mut self,
        deadline: Option<&Deadline>,
    ) -> Result<PushSlot<'p, T>, WaitError<Closed>> {
        match self.place.wait(deadline) {
            Some(grant) => self.slot(grant).map_err(WaitError::Failed),
            None => Err(WaitError::Timeout),
        }
    }

    fn slot(&self, grant: Grant) -> Result<PushSlot<'p, T>, Closed> {
        match grant {
            Grant::Place => Ok(PushSlot { house: self.house, held: true }),
            Grant::Closed => Err(Closed),
        }
    }
}

#[cfg(feature = "async")]
impl<'p, T: Send + 'static> Future for ReservePush<'p, T> {
    type Output = Result<PushSlot<'p, T>, Closed>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        use crate::engine::Wait;
        match self.place.poll(cx.waker()) {
            Wait::Ready(grant) => std::task::Poll::Ready(self.slot(grant)),
            Wait::Queued => std::task::Poll::Pending,
        }
    }
}

/// A place in the queue for one value. Dropping it gives the place back.
#[must_use = "dropping a slot gives the place back"]
pub struct PushSlot<'p, T: Send + 'static> {
    house: &'p Arc<House<'static, Value<T>>>,
    held: bool,
}

impl<T: Send + 'static> PushSlot<'_, T> {
    /// Hands the value over for which the place was reserved. Never waits.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the value, if it was shut down since.
    pub fn push(mut self, value: T) -> Result<(), Rejected<T>> {
        self.held = false;
        let mut value = Some(value);
        let placed = self.house.place_reserved(|| take(&mut value));
        if let Err(reason) = placed {
            self.house.note_rejected(reason);
        }
        give_back(placed, value)
    }
}

impl<T: Send + 'static> Drop for PushSlot<'_, T> {
    fn drop(&mut self) {
        if self.held {
            self.house.engine.unreserve();
        }
    }
}

impl<T: Send + 'static> Clone for Workers<T> {
    fn clone(&self) -> Self {
        Self { owner: Arc::clone(&self.owner) }
    }
}

impl<T: Send + 'static> fmt::Debug for Workers<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("metrics", &self.metrics()).finish_non_exhaustive()
    }
}

impl<T: Send + 'static> fmt::Debug for ReservePush<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReservePush").finish_non_exhaustive()
    }
}

impl<T: Send + 'static> fmt::Debug for PushSlot<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PushSlot").finish_non_exhaustive()
    }
}
