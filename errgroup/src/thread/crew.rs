//! The threads of a group: how they are started, what they do, how they are joined.

use super::cx::Cx;
use crate::builder::Builder;
use crate::core::{Core, Verdict};
use crate::error::{Rejected, Spawned, TaskId, TrySpawnError, drop_payload};
use crate::join::Join;
use crate::parker::{Step, drive};
use crate::pool::{Job, Next, Place, Pool, Seat, Start};
use crate::primitives::{Arc, Deadline};
use crate::token::CancelToken;
use crate::waiters::Ticket;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// What a task does.
pub(crate) type Work<'s, 'env, T, E> =
    Box<dyn FnOnce(&Cx<'s, 'env, T, E>) -> Result<T, E> + Send + 's>;

/// Starts a thread that calls [`Crew::serve`]. The threads of a scope, of a group and of a model
/// differ in nothing else.
pub(crate) type Starter<'s, 'env, T, E> =
    Box<dyn Fn(Arc<Crew<'s, 'env, T, E>>) -> io::Result<()> + Send + Sync + 's>;

/// A group of threads.
pub(crate) struct Crew<'s, 'env, T, E> {
    pub(crate) core: Core<'s, T, E>,
    pub(crate) pool: Pool<Work<'s, 'env, T, E>>,
    starter: Starter<'s, 'env, T, E>,
}

/// From where a spawn comes.
pub(crate) enum Origin<'a, 's, 'env, T, E> {
    Outside,
    /// A task of the group, and whether it may run the new one itself.
    Inside(&'a Cx<'s, 'env, T, E>),
}

impl<'s, 'env, T, E> Crew<'s, 'env, T, E> {
    pub(crate) fn new<J: Join<T, E> + 's>(
        builder: Builder<J>,
        starter: Starter<'s, 'env, T, E>,
    ) -> (Arc<Self>, Arc<Verdict<J>>) {
        let pool = Pool::new(builder.limit.unwrap_or(usize::MAX), builder.backlog);
        let (core, verdict) = Core::new(builder);
        (Arc::new(Self { core, pool, starter }), verdict)
    }

    /// See [`Cx::spawn`].
    #[inline]
    pub(crate) fn spawn<F>(
        self: &Arc<Self>,
        origin: &Origin<'_, 's, 'env, T, E>,
        name: Option<Arc<str>>,
        task: F,
    ) -> Spawned<F>
    where
        F: FnOnce(&Cx<'s, 'env, T, E>) -> Result<T, E> + Send + 's,
    {
        if self.core.refuses() {
            return Spawned(Err(Rejected(task)));
        }
        let mut task = Some(Box::new(task));
        match self.pool.push(true, |index| job(index, name.clone(), &mut task)) {
            Some((index, start)) => {
                self.start(start, origin);
                Spawned(Ok(TaskId { index, name }))
            }
            None => match task {
                Some(task) => self.spawn_slow(origin, name, task),
                None => unreachable!("a job that was not accepted was not made"),
            },
        }
    }

    #[cold]
    fn spawn_slow<F>(
        self: &Arc<Self>,
        origin: &Origin<'_, 's, 'env, T, E>,
        name: Option<Arc<str>>,
        task: Box<F>,
    ) -> Spawned<F>
    where
        F: FnOnce(&Cx<'s, 'env, T, E>) -> Result<T, E> + Send + 's,
    {
        let promised = match origin {
            Origin::Inside(cx) if cx.may_nest() => {
                let id = TaskId { index: self.pool.take_index(), name };
                cx.nest(&id, task);
                return Spawned(Ok(id));
            }
            Origin::Inside(_) => false,
            Origin::Outside => match self.wait_for_place() {
                true => true,
                false => return Spawned(Err(Rejected(*task))),
            },
        };
        let mut task = Some(task);
        let (index, start) =
            self.pool.push_promised(promised, |index| job(index, name.clone(), &mut task));
        self.start(start, origin);
        Spawned(Ok(TaskId { index, name }))
    }

    /// See [`Cx::try_spawn`].
    pub(crate) fn try_spawn<F>(
        self: &Arc<Self>,
        origin: &Origin<'_, 's, 'env, T, E>,
        name: Option<Arc<str>>,
        task: F,
    ) -> Result<TaskId, TrySpawnError<F>>
    where
        F: FnOnce(&Cx<'s, 'env, T, E>) -> Result<T, E> + Send + 's,
    {
        if self.core.refuses() {
            return Err(TrySpawnError::Cancelled(task));
        }
        let mut task = Some(Box::new(task));
        match (self.pool.push(false, |index| job(index, name.clone(), &mut task)), task) {
            (Some((index, start)), _) => {
                self.start(start, origin);
                Ok(TaskId { index, name })
            }
            (None, Some(task)) => Err(TrySpawnError::Full(*task)),
            (None, None) => unreachable!("a job that was not accepted was not made"),
        }
    }

    /// Waits until a place is promised; `false` when the group is cancelled first.
    fn wait_for_place(&self) -> bool {
        let mut place = PlaceWait { pool: &self.pool, ticket: None };
        let mut cancelled = self.core.token.cancelled();
        let mut deadline = self.core.token.deadline().map(Deadline::at);
        loop {
            let found = drive(deadline.as_ref(), |waker| {
                // First: what the cancel has ended gives places back.
                if self.core.refuses() {
                    return Step::Ready(false);
                }
                if place.poll(waker) == Place::Ready {
                    return Step::Ready(true);
                }
                if !self.core.runs_all() && cancelled.poll_once(false, waker) {
                    return Step::Ready(false);
                }
                Step::Queued { spin: true }
            });
            match found {
                Some(found) => return found,
                // The look after this one finds the token cancelled.
                None => deadline = None,
            }
        }
    }

    pub(crate) fn set_limit(self: &Arc<Self>, limit: usize, origin: &Origin<'_, 's, 'env, T, E>) {
        let start = self.pool.set_limit(limit);
        self.start(start, origin);
    }

    /// Starts the thread that is needed. Where the system refuses it, those that run go on; if
    /// there are none, this thread does the work.
    #[inline]
    fn start(self: &Arc<Self>, start: Option<Start>, origin: &Origin<'_, 's, 'env, T, E>) {
        if let Some(start) = start {
            self.start_now(start, matches!(origin, Origin::Outside));
        }
    }

    #[cold]
    fn start_now(self: &Arc<Self>, start: Start, outside: bool) {
        if (self.starter)(Arc::clone(self)).is_err() {
            self.pool.start_failed(start);
            if outside {
                self.help();
            }
        }
    }

    /// What a thread of the group does, from its start to its end.
    pub(crate) fn serve(self: &Arc<Self>) {
        let seat = self.pool.arrive();
        self.work(&seat, true);
    }

    /// Takes a slot that is free and does what is to be done, as long as there is anything.
    pub(crate) fn help(self: &Arc<Self>) {
        while let Some(seat) = self.pool.enlist() {
            self.work(&seat, false);
        }
    }

    /// Runs jobs until there are none; then sleeps, or leaves.
    fn work(self: &Arc<Self>, seat: &Arc<Seat<Work<'s, 'env, T, E>>>, sleeps: bool) {
        let cx = Cx::inside(Arc::clone(self));
        // Not before the first sleep: most threads sleep once, at the end of a scope. A new
        // thread would have to ask first on how many cores it runs, which takes longer than the
        // spin, and whoever joins would wait for it.
        let mut spins = false;
        loop {
            let job = match self.pool.next_own(seat) {
                Some(job) => job,
                None => match self.fetch(seat, sleeps, &mut spins) {
                    Some(job) => job,
                    None => return,
                },
            };
            let Job { index, name, work } = job;
            cx.run(TaskId { index, name }, work);
        }
    }

    fn fetch(
        self: &Arc<Self>,
        seat: &Arc<Seat<Work<'s, 'env, T, E>>>,
        sleeps: bool,
        spins: &mut bool,
    ) -> Option<Job<Work<'s, 'env, T, E>>> {
        let mut ticket = None;
        let mut slept = false;
        let mut look = |waker: Option<&Waker>| {
            let (next, start) = self.pool.next(seat, &mut ticket, waker);
            if let Some(start) = start {
                self.start_now(start, false);
            }
            match next {
                Next::Job(job) => Step::Ready(Some(job)),
                Next::Leave => Step::Ready(None),
                Next::Asleep => {
                    slept = true;
                    Step::Queued { spin: *spins }
                }
            }
        };
        if sleeps {
            let job = drive(None, |waker| look(Some(waker))).flatten();
            *spins |= slept;
            return job;
        }
        match look(None) {
            Step::Ready(job) => job,
            _ => unreachable!("without a waker nobody sleeps"),
        }
    }

    /// Waits until every task has ended, and helps. More may come: threads without work sleep.
    pub(crate) fn wait_idle(self: &Arc<Self>) {
        self.help();
        self.watch_quiet(false);
    }

    /// Waits until every task has ended, and helps, where nothing comes any more. At the token's
    /// deadline the group is cancelled; where `until_deadline`, `false` is the answer then.
    pub(crate) fn wait_quiet(self: &Arc<Self>, until_deadline: bool) -> bool {
        if !until_deadline {
            self.close();
        }
        self.watch_quiet(until_deadline)
    }

    /// Nothing comes from outside any more: helps, and leaves the end to those that still run.
    pub(crate) fn close(self: &Arc<Self>) {
        self.pool.close();
        self.help();
    }

    fn watch_quiet(&self, until_deadline: bool) -> bool {
        let mut quiet = QuietWait { pool: &self.pool, ticket: None };
        let mut deadline = self.core.token.deadline().map(Deadline::at);
        loop {
            let over = drive(deadline.as_ref(), |waker| match quiet.poll(waker) {
                Place::Ready => Step::Ready(()),
                Place::Queued => Step::Queued { spin: true },
            });
            if over.is_some() {
                return true;
            }
            // Asking is what cancels it.
            let asked = catch_unwind(AssertUnwindSafe(|| self.core.token.is_cancelled()));
            // A callback has panicked, and there are threads to join.
            let passed = asked.unwrap_or_else(|payload| {
                drop_payload(payload);
                true
            });
            if until_deadline && passed {
                return false;
            }
            deadline = None;
        }
    }

    /// Waits until every task has ended, for no longer than until `limit`.
    pub(crate) fn wait_quiet_until(&self, limit: Option<&Deadline>) -> bool {
        let mut quiet = QuietWait { pool: &self.pool, ticket: None };
        let over = drive(limit, |waker| match quiet.poll(waker) {
            Place::Ready => Step::Ready(()),
            Place::Queued => Step::Queued { spin: true },
        });
        over.is_some()
    }

    pub(crate) const fn token(&self) -> &CancelToken {
        &self.core.token
    }
}

/// Makes the job once it is accepted. The box was made before, outside the lock.
fn job<'s, 'env, T, E, F>(
    index: usize,
    name: Option<Arc<str>>,
    task: &mut Option<Box<F>>,
) -> Job<Work<'s, 'env, T, E>>
where
    F: FnOnce(&Cx<'s, 'env, T, E>) -> Result<T, E> + Send + 's,
{
    match task.take() {
        Some(work) => Job { index, name, work },
        None => unreachable!("a job is made once"),
    }
}

/// A spawner's wait for a place.
pub(crate) struct PlaceWait<'a, W> {
    pub(crate) pool: &'a Pool<W>,
    pub(crate) ticket: Option<Ticket>,
}

impl<W> PlaceWait<'_, W> {
    pub(crate) fn poll(&mut self, waker: &Waker) -> Place {
        self.pool.poll_place(&mut self.ticket, waker)
    }
}

impl<W> Drop for PlaceWait<'_, W> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            // CANCEL: a place that was promised goes to the next spawner.
            self.pool.leave_place(ticket);
        }
    }
}

/// A wait until every task has ended.
pub(crate) struct QuietWait<'a, W> {
    pub(crate) pool: &'a Pool<W>,
    pub(crate) ticket: Option<Ticket>,
}

impl<W> QuietWait<'_, W> {
    pub(crate) fn poll(&mut self, waker: &Waker) -> Place {
        self.pool.poll_quiet(&mut self.ticket, waker)
    }
}

impl<W> Drop for QuietWait<'_, W> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.pool.leave_quiet(ticket);
        }
    }
}

impl<T, E> fmt::Debug for Crew<'_, '_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew").field("core", &self.core).finish_non_exhaustive()
    }
}
