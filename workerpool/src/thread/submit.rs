//! How jobs come into a pool.

use super::handle::Job;
use super::house::{House, Work};
use super::slot::{PlaceWait, Reserve, Run};
use super::task::Task;
use crate::engine::{Grant, Item, Push, StrandId};
use crate::error::{JobError, Reason, Rejected, drop_payload};
use crate::job::{Cell, Claim, Promise};
use crate::judge::Alone;
use crate::policy::Reject;
use crate::primitives::Arc;
use crate::trace;
use crate::watch::Tag;
use std::fmt;
use std::time::Instant;

/// A way into a pool: in which lane, until when, in whose turn.
///
/// [`Pool`](super::Pool) has the same calls, for lane 0 and without a deadline.
#[derive(Clone, Copy)]
#[must_use = "a way into a pool does nothing by itself"]
pub struct Submitter<'p, 'env> {
    pub(super) house: &'p Arc<House<'env, Task<'env>>>,
    pub(super) lane: u16,
    pub(super) strand: Option<StrandId>,
    pub(super) deadline: Option<Instant>,
    pub(super) name: Option<&'p str>,
}

impl<'p, 'env> Submitter<'p, 'env> {
    pub(crate) const fn new(house: &'p Arc<House<'env, Task<'env>>>) -> Self {
        Self { house, lane: 0, strand: None, deadline: None, name: None }
    }

    /// The same, for jobs that wait for the turn of their strand.
    pub(crate) const fn in_strand(mut self, strand: StrandId) -> Self {
        self.strand = Some(strand);
        self
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
    /// not start, and its result is [`JobError::Expired`]. It is found out when its turn comes.
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

    /// Submits a job and gives a handle to its result. Where there is no room, the pool's
    /// [`Reject`] says what happens.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job: the pool is shut down, or full and of the kind that says so.
    pub fn submit<T, F>(&self, job: F) -> Result<Job<'env, T>, Rejected<F>>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        self.place_cell(self.cell(job))
    }

    fn place_cell<T, F>(&self, cell: Arc<Cell<F, T>>) -> Result<Job<'env, T>, Rejected<F>>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        match self.place(|| self.item(Task::Job(Arc::clone(&cell) as _))) {
            Ok(()) => Ok(self.handle(cell)),
            Err(Reason::Full) => self.submit_full(cell),
            Err(reason) => Err(self.refused(&cell, reason)),
        }
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
        let cell = self.cell(job);
        match self.place(|| self.item(Task::Job(Arc::clone(&cell) as _))) {
            Ok(()) => Ok(self.handle(cell)),
            Err(reason) => Err(self.refused(&cell, reason)),
        }
    }

    /// Submits a job whose result nobody wants. Where there is no room, the pool's [`Reject`] says
    /// what happens.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job.
    #[inline]
    pub fn spawn<F>(&self, job: F) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'env,
    {
        let tag = self.tag();
        if self.deadline.is_some() || tag.is_some() {
            return self.spawn_tagged(job, tag);
        }
        let mut job = Some(Box::new(job));
        let placed = self.place(|| match job.take() {
            Some(job) => self.item(Task::Plain(job)),
            None => unreachable!("a job is accepted once"),
        });
        match (placed, job) {
            (Ok(()), _) => Ok(()),
            (Err(Reason::Full), Some(job)) => self.spawn_full(job),
            (Err(reason), Some(job)) => Err(self.rejected(*job, reason)),
            (Err(_), None) => unreachable!("a job that was not accepted was not taken"),
        }
    }

    /// Places a job if there is room. A job that has no turn to wait for may stay with the worker
    /// that submits it.
    #[inline]
    fn place(&self, mut make: impl FnMut() -> Item<Task<'env>>) -> Result<(), Reason> {
        if self.strand.is_none() && self.house.place_own(&mut make) {
            return Ok(());
        }
        self.house.try_place(make)
    }

    /// One of which more is to be known than a closure can hold.
    #[cold]
    fn spawn_tagged<F>(&self, job: F, tag: Option<Box<Tag>>) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'env,
    {
        let tag = Tag::detached(tag, self.house.hooks.on_panic.as_ref());
        let cell = Cell::new(job, self.deadline, Alone, Some(tag));
        self.place_cell(cell).map(drop)
    }

    /// A job as the queue holds it, with what is to be known of it.
    pub(super) fn cell<T, F>(&self, job: F) -> Arc<Cell<F, T>>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        Cell::new(job, self.deadline, Alone, self.tag())
    }

    #[inline]
    pub(super) fn tag(&self) -> Option<Box<Tag>> {
        self.house.hooks.tag(self.name, self.lane)
    }

    /// The wait for a place in the queue.
    pub fn reserve(self) -> Reserve<'p, 'env> {
        Reserve { submitter: self, place: PlaceWait::new(self.house) }
    }

    /// The wait for a place, and then for the result of the job that is put there. Dropped, it
    /// aborts the job if that has not started.
    pub fn run<T, F>(self, job: F) -> Run<'p, 'env, T, F>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        Run::new(self, job)
    }

    pub(super) const fn item(&self, entry: Task<'env>) -> Item<Task<'env>> {
        Item { entry, lane: self.lane, strand: self.strand }
    }

    pub(super) fn handle<T>(&self, cell: Arc<impl Promise<T> + 'env>) -> Job<'env, T> {
        let has_turn = self.strand.is_some();
        Job { promise: cell, house: Arc::clone(self.house), has_turn }
    }

    pub(super) fn refused<T, F>(&self, cell: &Cell<F, T>, reason: Reason) -> Rejected<F>
    where
        T: Send,
        F: FnOnce() -> T + Send,
    {
        match cell.take_back() {
            Some(job) => self.rejected(job, reason),
            None => unreachable!("a job that was not accepted did not start"),
        }
    }

    pub(super) fn rejected<F>(&self, job: F, reason: Reason) -> Rejected<F> {
        self.house.note_rejected(reason);
        Rejected::new(job, reason)
    }

    #[cold]
    fn submit_full<T, F>(&self, cell: Arc<Cell<F, T>>) -> Result<Job<'env, T>, Rejected<F>>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        match self.submit_cell(&cell) {
            Ok(()) => Ok(self.handle(cell)),
            Err(reason) => Err(self.refused(&cell, reason)),
        }
    }

    /// Does with a job for which there is no room what the pool says.
    pub(super) fn submit_cell<C: Claim + 'env>(&self, cell: &Arc<C>) -> Result<(), Reason> {
        let make = || self.item(Task::Job(Arc::clone(cell) as _));
        let run = || {
            let outcome = self.house.finish(cell.run());
            self.house.engine.note_outside(outcome);
        };
        match self.overflow(make) {
            Overflow::Placed => Ok(()),
            Overflow::Refused(reason) => Err(reason),
            Overflow::Drop => {
                match cell.refuse(JobError::Dropped) {
                    Some(refused) => {
                        self.house.note_rejected(Reason::Full);
                        self.house.finish(refused);
                    }
                    // It is of a group, and was run or aborted meanwhile.
                    None => self.house.engine.note_unplaced(),
                }
                Ok(())
            }
            Overflow::RunHere => {
                run();
                Ok(())
            }
            Overflow::Nest => self.house.nest(run).ok_or(Reason::TooDeep),
        }
    }

    #[cold]
    pub(super) fn spawn_full<F>(&self, job: Box<F>) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'env,
    {
        let mut job = Some(job);
        let overflow = self.overflow(|| match job.take() {
            Some(job) => self.item(Task::Plain(job)),
            None => unreachable!("a job is accepted once"),
        });
        let mut run = || {
            if let Some(job) = job.take() {
                let ran = Task::Plain(job).run(&self.house.hooks, &());
                self.house.engine.note_outside(self.house.finish(ran));
            }
        };
        let reason = match overflow {
            Overflow::Placed => return Ok(()),
            Overflow::RunHere => {
                run();
                return Ok(());
            }
            Overflow::Nest => match self.house.nest(run) {
                Some(()) => return Ok(()),
                None => Reason::TooDeep,
            },
            Overflow::Drop => {
                self.house.note_rejected(Reason::Full);
                job.take().into_iter().for_each(drop_payload);
                return Ok(());
            }
            Overflow::Refused(reason) => reason,
        };
        match job {
            Some(job) => Err(self.rejected(*job, reason)),
            None => unreachable!("a job that was not accepted was not taken"),
        }
    }

    /// What becomes of a job for which there is no room.
    fn overflow(&self, make: impl FnMut() -> Item<Task<'env>>) -> Overflow {
        match self.house.hooks.reject {
            Reject::Fail => Overflow::Refused(Reason::Full),
            // A job that has to wait for its turn behind others cannot run here, whoever asks.
            Reject::CallerRuns if self.strand.is_some() => Overflow::Refused(Reason::Full),
            Reject::CallerRuns => Overflow::RunHere,
            Reject::DropNewest => Overflow::Drop,
            Reject::DropOldest => self.evict(make),
            Reject::Block if self.house.is_inside() => match self.strand {
                None => Overflow::Nest,
                Some(_) => Overflow::Refused(Reason::Full),
            },
            Reject::Block => match PlaceWait::new(self.house).wait(None) {
                Some(Grant::Place) => Overflow::from(self.house.place_reserved(make)),
                Some(Grant::Closed) => Overflow::Refused(Reason::Closed),
                None => unreachable!("there is no deadline"),
            },
        }
    }

    fn evict(&self, mut make: impl FnMut() -> Item<Task<'env>>) -> Overflow {
        let (push, evicted) = self.house.engine.push_evicting(&mut make);
        if let Some(evicted) = evicted {
            let dropped = match evicted.entry {
                Task::Job(job) => match job.refuse(JobError::Dropped) {
                    Some(refused) => {
                        self.house.finish(refused);
                        true
                    }
                    None => false,
                },
                plain => {
                    plain.refuse(JobError::Dropped);
                    true
                }
            };
            if dropped {
                trace::rejected(self.house.hooks.pool(), Reason::Full);
            } else {
                self.house.engine.note_evicted_void();
            }
        }
        match push {
            Push::Accepted(start) => {
                self.house.start(start);
                Overflow::Placed
            }
            Push::Full => Overflow::Refused(Reason::Full),
            Push::Closed => Overflow::Refused(Reason::Closed),
            Push::NoWorker => Overflow::from(self.house.place_reserved(make)),
        }
    }
}

/// See [`Submitter::overflow`].
enum Overflow {
    Placed,
    Refused(Reason),
    Drop,
    RunHere,
    /// Run it here, if not too many run inside each other.
    Nest,
}

impl From<Result<(), Reason>> for Overflow {
    fn from(placed: Result<(), Reason>) -> Self {
        match placed {
            Ok(()) => Self::Placed,
            Err(reason) => Self::Refused(reason),
        }
    }
}

impl fmt::Debug for Submitter<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submitter")
            .field("lane", &self.lane)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}
