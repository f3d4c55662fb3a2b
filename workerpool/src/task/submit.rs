//! How jobs come into a pool.

use super::cell::{Cell, Promise};
use super::handle::Job;
use super::house::House;
use super::placing::{Draft, Kept, Loose, PlaceWait, Placing};
use super::slot::{Reserve, Run};
use super::work::Work;
use crate::engine::{Item, StrandId};
use crate::error::{Reason, Rejected};
use crate::judge::Alone;
#[cfg(feature = "sync")]
use crate::parker::{Step, drive};
use crate::primitives::Arc;
#[cfg(feature = "sync")]
use crate::primitives::Deadline;
use crate::strand::Guard;
use crate::watch::Tag;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

/// A way into a pool: in which lane, until when, in whose turn.
///
/// [`Pool`](super::Pool) has the same calls, for lane 0 and without a deadline.
#[derive(Clone, Copy)]
#[must_use = "a way into a pool does nothing by itself"]
pub struct Submitter<'p> {
    pub(super) house: &'p Arc<House>,
    pub(super) lane: u16,
    pub(super) strand: Option<StrandId>,
    pub(super) deadline: Option<Instant>,
    pub(super) name: Option<&'p str>,
}

/// A job as a queue holds it, and its result as it gives it.
pub(super) type Whole<F> = Kept<F, <F as Future>::Output>;

impl<'p> Submitter<'p> {
    pub(crate) const fn new(house: &'p Arc<House>) -> Self {
        Self { house, lane: 0, strand: None, deadline: None, name: None }
    }

    /// The same, by another priority; 0 goes first.
    ///
    /// # Panics
    ///
    /// If the pool does not have so many lanes.
    pub fn lane(mut self, lane: usize) -> Self {
        let lanes = self.house.engine.lanes();
        assert!(lane < lanes, "lane {lane} of a pool that has {lanes}: they count from 0");
        self.lane = u16::try_from(lane).unwrap_or(u16::MAX);
        self
    }

    /// The same, for jobs that are of no use after `deadline`: one that has not started by then does
    /// not start, and its result is [`JobError::Expired`](crate::JobError::Expired). It is found out
    /// when its turn comes.
    pub fn deadline(mut self, deadline: Instant) -> Self {
        self.deadline = Some(deadline);
        self
    }

    /// The same, for jobs that are listed in [snapshots](super::Pool::snapshot) by this name, and
    /// have it in their `tracing` span.
    pub fn named(mut self, name: &'p str) -> Self {
        self.name = Some(name);
        self
    }

    /// See [`Pool::submit`](super::Pool::submit).
    pub fn submit<F>(self, job: F) -> Submit<'p, F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Submit { placing: Placing::new(self, self.kept(job), false) }
    }

    /// Submits a job if there is room.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job: there is no room, or the pool is shut down.
    pub fn try_submit<F>(self, job: F) -> Result<Job<F::Output>, Rejected<F>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let mut draft = self.kept(job);
        match self.house.try_place(|| self.item(draft.entry())) {
            Ok(()) => Ok(self.handle(draft)),
            Err(reason) => self.refused(draft, reason),
        }
    }

    /// See [`Pool::spawn`](super::Pool::spawn).
    pub fn spawn<F>(self, job: F) -> Spawn<'p, F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Spawn { placing: Placing::new(self, self.loose(job), false) }
    }

    /// The wait for a place in the queue.
    pub const fn reserve(self) -> Reserve<'p> {
        Reserve { submitter: self, place: PlaceWait::new(self.house) }
    }

    /// See [`Pool::run`](super::Pool::run).
    pub fn run<F>(self, job: F) -> Run<'p, F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Run::new(Placing::new(self, self.kept(job), true))
    }

    pub(super) fn kept<F>(&self, job: F) -> Whole<F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        Kept(Cell::new(job, self.deadline, Alone, self.tag()))
    }

    /// A job that has no handle.
    pub(super) fn loose<F>(&self, job: F) -> Loose<F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let tag = self.tag();
        if self.deadline.is_none() && tag.is_none() {
            return Loose::Plain(Some(Box::new(job)));
        }
        let tag = Tag::detached(tag, self.house.hooks.on_panic.as_ref());
        Loose::Kept(Kept(Cell::new(job, self.deadline, Alone, Some(tag))))
    }

    pub(super) fn tag(&self) -> Option<Box<Tag>> {
        self.house.hooks.tag(self.name, self.lane)
    }

    pub(super) const fn item(&self, entry: Work) -> Item<Work> {
        Item { entry, lane: self.lane, strand: self.strand }
    }

    pub(super) fn handle<F, V, J>(&self, placed: Kept<F, V, J>) -> Job<V>
    where
        Cell<F, V, J>: Promise<V> + 'static,
    {
        Job { promise: placed.0, house: Arc::clone(self.house) }
    }

    /// What becomes of a job that was refused, and did not have its end meanwhile.
    pub(super) fn refused<F>(
        &self,
        draft: Whole<F>,
        reason: Reason,
    ) -> Result<Job<F::Output>, Rejected<F>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        match draft.take_back() {
            Ok(job) => {
                self.house.hooks.note_rejected(&self.house.engine, reason);
                Err(Rejected::new(job, reason))
            }
            Err(draft) => Ok(self.handle(draft)),
        }
    }
}

/// Hands a job over, by the pool's policy: a request, which does nothing until it is waited for. It
/// gives the job's handle.
///
/// # Cancel safety
///
/// Dropping it before it is ready drops the job, and its turn goes to the next. That goes for a job
/// too that runs here, in whoever submits it.
#[must_use = "a request does nothing until it is waited for"]
pub struct Submit<'p, F: Future> {
    placing: Placing<'p, Whole<F>>,
}

/// Hands over a job whose result nobody wants: a request, which does nothing until it is waited for.
///
/// # Cancel safety
///
/// As that of [`Submit`].
#[must_use = "a request does nothing until it is waited for"]
pub struct Spawn<'p, F: Future> {
    placing: Placing<'p, Loose<F>>,
}

impl<F> Submit<'_, F>
where
    F: Future<Output: Send> + Send + 'static,
{
    pub(super) fn holding(self, guard: Arc<Guard<House>>) -> Self {
        Self { placing: self.placing.holding(guard) }
    }

    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Result<Job<F::Output>, Rejected<F>>> {
        let submitter = self.placing.submitter;
        self.placing.poll(cx).map_ok(|placed| submitter.handle(placed))
    }

    /// Waits on a thread outside of the runtime.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job: the pool is shut down, or full and of the kind that says so.
    #[cfg(feature = "sync")]
    pub fn wait(mut self) -> Result<Job<F::Output>, Rejected<F>> {
        block_on(|cx| self.poll_once(cx))
    }
}

impl<F> Spawn<'_, F>
where
    F: Future<Output = ()> + Send + 'static,
{
    pub(super) fn holding(self, guard: Arc<Guard<House>>) -> Self {
        Self { placing: self.placing.holding(guard) }
    }

    fn poll_once(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Rejected<F>>> {
        self.placing.poll(cx).map_ok(drop)
    }

    /// Waits on a thread outside of the runtime.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job: the pool is shut down, or full and of the kind that says so.
    #[cfg(feature = "sync")]
    pub fn wait(mut self) -> Result<(), Rejected<F>> {
        block_on(|cx| self.poll_once(cx))
    }
}

/// Drives a request on this thread.
#[cfg(feature = "sync")]
pub(super) fn block_on<O>(poll: impl FnMut(&mut Context<'_>) -> Poll<O>) -> O {
    match block_until(None, poll) {
        Some(found) => found,
        None => unreachable!("there is no deadline"),
    }
}

/// The same, until `deadline`.
#[cfg(feature = "sync")]
pub(super) fn block_until<O>(
    deadline: Option<&Deadline>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<O>,
) -> Option<O> {
    drive(deadline, |waker| match poll(&mut Context::from_waker(waker)) {
        Poll::Ready(found) => Step::Ready(found),
        Poll::Pending => Step::Queued { spin: false },
    })
}

impl<F> Future for Submit<'_, F>
where
    F: Future<Output: Send> + Send + 'static,
{
    type Output = Result<Job<F::Output>, Rejected<F>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_once(cx)
    }
}

impl<F> Future for Spawn<'_, F>
where
    F: Future<Output = ()> + Send + 'static,
{
    type Output = Result<(), Rejected<F>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_once(cx)
    }
}

/// The job is not pinned in it: that happens where it is run.
impl<F: Future> Unpin for Submit<'_, F> {}
impl<F: Future> Unpin for Spawn<'_, F> {}

impl fmt::Debug for Submitter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter")
            .field("lane", &self.lane)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl<F: Future> fmt::Debug for Submit<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submit").finish_non_exhaustive()
    }
}

impl<F: Future> fmt::Debug for Spawn<'_, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawn").finish_non_exhaustive()
    }
}
