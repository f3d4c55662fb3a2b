//! The workers of a pool: how they are started, what they do, how they end.

use super::adapt::Adapt;
use crate::desk::Desk;
use crate::engine::{Done, Engine, Entry, Expiry, Item, Next, Outcome, Push, Start};
use crate::error::{JobError, Reason, drop_payload};
use crate::hooks::{Hook, Hooks};
use crate::job::Ran;
use crate::kept::wake;
use crate::parker::{Step, drive};
use crate::primitives::atomic::{AtomicUsize, Ordering};
use crate::primitives::{Arc, Deadline, IS_MODEL, thread, thread_local};
use crate::state::Crew;
use std::cell::Cell;
use std::fmt;
use std::io;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// What workers are made to do.
pub(crate) trait Work: Entry + Send {
    /// What all of them need.
    type Context: Send + Sync;

    /// Runs it, whatever it does.
    fn run(self, hooks: &Hooks, context: &Self::Context) -> Ran;
    /// Ends it without running it, and says whom to tell.
    fn refuse(self, why: JobError) -> Option<Ran>;
}

/// Starts a thread that calls [`House::serve`]. The threads of a pool, of a scope and of a model
/// differ in nothing else.
pub(crate) type Starter<'env, W> =
    Box<dyn Fn(Arc<House<'env, W>>, usize) -> io::Result<()> + Send + Sync + 'env>;

/// A pool, as its workers and its submitters share it.
pub(crate) struct House<'env, W: Work> {
    pub(crate) engine: Engine<W>,
    pub(crate) hooks: Hooks,
    pub(crate) context: W::Context,
    /// Who finds out how many workers are best, where somebody is to.
    pub(crate) adapt: Option<Adapt>,
    /// For how long a worker stays that is not needed; `None`: who starts it knows.
    keep_alive: Option<Duration>,
    starter: Starter<'env, W>,
    started: AtomicUsize,
    /// See [`YIELDS`].
    yields: u32,
}

/// So often a worker that has run out of jobs gives way and looks again before it sleeps: whoever
/// submits may wait for this very core, and calls nobody meanwhile.
// LOOM: never, but where a model says so: each look makes all of them longer.
const YIELDS: u32 = if IS_MODEL { 0 } else { 10 };

thread_local! {
    // LOOM: its locals have no constant initialisers.
    #[allow(clippy::missing_const_for_thread_local, reason = "the model cannot")]
    /// Whose worker this thread is, and how many jobs run inside each other.
    static INSIDE: Cell<Inside> = Cell::new(Inside { house: 0, seat: 0, depth: 0 });
}

/// What a worker knows of itself from one fetch to the next.
struct Habits {
    /// Not before the first sleep: a new thread would have to ask first on how many cores it runs,
    /// which takes longer than the spin.
    spins: bool,
    /// It had a job since it looked for one last.
    worked: bool,
    /// What the limits were looked at for.
    resizes: Option<usize>,
    /// Whether a worker may go for want of work, by the limits.
    varies: bool,
}

/// What a fetch comes to.
enum Found<W> {
    Job(Item<W>),
    Leave,
    /// The limits have changed: how long it may sleep is asked anew.
    Again,
}

#[derive(Clone, Copy)]
struct Inside {
    /// The address of the house, and 0 outside of any.
    house: usize,
    /// The number of its seat, if it has one.
    seat: usize,
    depth: usize,
}

impl<W: Work> Desk for House<'_, W> {
    type Entry = W;

    #[inline]
    fn engine(&self) -> &Engine<W> {
        &self.engine
    }
}

impl<'env, W: Work> House<'env, W> {
    pub(crate) fn new(
        crew: Crew,
        lanes: usize,
        keep_alive: Option<Duration>,
        hooks: Hooks,
        context: W::Context,
        starter: Starter<'env, W>,
    ) -> Self {
        let engine = Engine::new(crew, lanes);
        let (adapt, started) = (None, AtomicUsize::new(0));
        let yields = YIELDS;
        Self { engine, hooks, context, adapt, keep_alive, starter, started, yields }
    }

    /// The same, of workers that keep the jobs that their jobs submit.
    pub(crate) fn with_stacks(mut self) -> Self {
        self.engine = self.engine.with_stacks();
        self
    }

    /// The same, of workers that look again so often before they sleep.
    #[cfg(test)]
    #[allow(dead_code, reason = "models alone say so")]
    pub(crate) const fn with_looks(mut self, looks: u32) -> Self {
        self.yields = looks;
        self
    }

    /// Starts workers up to the least number of them.
    pub(crate) fn hire(self: &Arc<Self>) -> io::Result<()> {
        while let Some(start) = self.engine.hire() {
            self.start_now(start)?;
        }
        Ok(())
    }

    /// Starts the worker that is needed. Where the system refuses it, those that are there go on.
    #[inline]
    pub(crate) fn start(self: &Arc<Self>, start: Option<Start>) {
        if let Some(start) = start {
            let _ = self.start_now(start);
        }
    }

    #[cold]
    fn start_now(self: &Arc<Self>, start: Start) -> io::Result<()> {
        // ORDERING: Relaxed: a name.
        let index = self.started.fetch_add(1, Ordering::Relaxed);
        let started = (self.starter)(Arc::clone(self), index);
        match started {
            Ok(()) => self.engine.confirm(start),
            Err(_) => self.engine.start_failed(start),
        }
        started
    }

    /// Starts a worker where there is none: a job is accepted by somebody who exists.
    #[cold]
    pub(crate) fn first_worker(self: &Arc<Self>) -> Result<(), Reason> {
        match self.engine.hire_first() {
            Some(start) => self.start_now(start).map_err(|error| Reason::NoThread(error.kind())),
            None => {
                // Others are about to start as many as there may be.
                thread::yield_now();
                Ok(())
            }
        }
    }

    /// Puts a job into the queue if there is room. `make` is called when it is accepted.
    #[inline]
    pub(crate) fn try_place(
        self: &Arc<Self>,
        mut make: impl FnMut() -> Item<W>,
    ) -> Result<(), Reason> {
        match self.engine.push(&mut make) {
            Push::Accepted(start) => {
                self.start(start);
                Ok(())
            }
            Push::Full => Err(Reason::Full),
            Push::Closed => Err(Reason::Closed),
            Push::NoWorker => self.place_reserved(make),
        }
    }

    /// Puts a job into the deck of the worker that this thread is, where workers keep what their
    /// jobs submit. `false`: it has to be placed as any other.
    #[inline]
    pub(crate) fn place_own(self: &Arc<Self>, make: impl FnOnce() -> Item<W>) -> bool {
        if !self.engine.has_stacks() {
            return false;
        }
        let inside = INSIDE.try_with(Cell::get).ok();
        let Some(inside) = inside.filter(|inside| inside.house == self.address()) else {
            return false;
        };
        match self.engine.push_own(inside.seat, make) {
            Some(start) => {
                self.start(start);
                true
            }
            None => false,
        }
    }

    /// Puts a job into the place that is reserved for it. The place is gone afterwards.
    pub(crate) fn place_reserved(
        self: &Arc<Self>,
        mut make: impl FnMut() -> Item<W>,
    ) -> Result<(), Reason> {
        loop {
            match self.engine.push_reserved(&mut make) {
                Push::Accepted(start) => {
                    self.start(start);
                    return Ok(());
                }
                Push::Full => unreachable!("a place is reserved"),
                Push::Closed => return Err(Reason::Closed),
                Push::NoWorker => {
                    if let Err(reason) = self.first_worker() {
                        self.engine.unreserve();
                        return Err(reason);
                    }
                }
            }
        }
    }

    /// What a worker does, from its start to its end.
    pub(crate) fn serve(self: &Arc<Self>) {
        self.serve_until(&|| self.keep_alive.and_then(Deadline::after));
    }

    /// The same; `until` says for how long a worker that is not needed stays.
    pub(crate) fn serve_until(self: &Arc<Self>, until: &dyn Fn() -> Option<Deadline>) {
        let seat = self.engine.arrive();
        let inside = Inside { house: self.address(), seat: seat.number(), depth: 1 };
        let before = INSIDE.with(|it| it.replace(inside));
        call(self.hooks.on_start.as_ref());
        let mut done = None;
        let mut habits = Habits { spins: false, worked: false, resizes: None, varies: true };
        loop {
            let next = self.engine.next_own(&seat, &mut done);
            let item = match next.or_else(|| self.fetch(&seat, &mut done, &mut habits, until)) {
                Some(item) => item,
                None => break,
            };
            let Item { entry, strand, .. } = item;
            // Before it runs: afterwards, what comes because it is over would count as what waits.
            if let Some(adapt) = &self.adapt {
                adapt.note(self);
            }
            let outcome = self.finish(entry.run(&self.hooks, &self.context));
            done = Some(Done { outcome, strand });
            habits.worked = true;
        }
        // It has no seat any more: what the hook submits goes through the queue.
        INSIDE.with(|it| it.set(Inside { seat: usize::MAX, ..inside }));
        call(self.hooks.on_stop.as_ref());
        INSIDE.with(|it| it.set(before));
    }

    /// The next job, however long it takes; `None` when the worker is to end.
    fn fetch(
        self: &Arc<Self>,
        seat: &Arc<crate::engine::Seat<W>>,
        done: &mut Option<Done>,
        habits: &mut Habits,
        until: &dyn Fn() -> Option<Deadline>,
    ) -> Option<Item<W>> {
        let mut ticket = None;
        // It may be that a job is about to come, for which it has to stay.
        let mut stays = false;
        let mut yields = if mem::take(&mut habits.worked) { self.yields } else { 0 };
        loop {
            let mut slept = false;
            let resizes = self.engine.resizes();
            if habits.resizes != Some(resizes) {
                (habits.resizes, habits.varies) = (Some(resizes), self.varies());
                stays = false;
            }
            let deadline = if stays || !habits.varies { None } else { until() };
            let found = drive(deadline.as_ref(), |waker| {
                loop {
                    let (next, start) =
                        self.engine.next_or_linger(seat, done, &mut ticket, waker, yields > 0);
                    self.start(start);
                    match next {
                        Next::Job(item) => return Step::Ready(Found::Job(item)),
                        Next::Leave => return Step::Ready(Found::Leave),
                        Next::Asleep if self.engine.resizes() != resizes => {
                            return Step::Ready(Found::Again);
                        }
                        Next::Lingers => {
                            yields -= 1;
                            thread::yield_now();
                        }
                        Next::Asleep => {
                            slept = true;
                            return Step::Queued { spin: habits.spins };
                        }
                    }
                }
            });
            habits.spins |= slept;
            let late = match found {
                Some(Found::Job(item)) => return Some(item),
                Some(Found::Leave) => return None,
                Some(Found::Again) => None,
                None => ticket.take(),
            };
            match late {
                None => {}
                Some(held) => match self.engine.expire(seat, held) {
                    Expiry::Goes => return None,
                    Expiry::Looks => stays = false,
                    Expiry::Stays => stays = true,
                },
            }
        }
    }

    /// Whether a worker may go for want of work.
    fn varies(&self) -> bool {
        if self.keep_alive.is_none() || self.adapt.is_some() {
            return true;
        }
        let (min, max) = self.engine.limits();
        min < max
    }

    /// A job was refused, or dropped for want of room.
    pub(crate) fn note_rejected(&self, reason: Reason) {
        self.hooks.note_rejected(&self.engine, reason);
    }

    /// Tells whoever waits for a job that it is over.
    #[inline]
    pub(crate) fn finish(&self, ran: Ran) -> Outcome {
        if ran.unblock {
            // First: whoever is told next counts again.
            self.engine.unblock();
        }
        wake(ran.waker);
        self.hooks.note_end(ran.outcome);
        ran.outcome
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether the calling thread is a worker of this very pool.
    pub(crate) fn is_inside(&self) -> bool {
        INSIDE.try_with(|inside| inside.get().house == self.address()).unwrap_or(false)
    }

    /// Runs `job` inside the one that runs, unless there are too many inside each other.
    pub(crate) fn nest<R>(&self, job: impl FnOnce() -> R) -> Option<R> {
        const DEEPEST: usize = 64;
        let before = INSIDE.with(Cell::get);
        if before.depth > DEEPEST {
            return None;
        }
        INSIDE.with(|it| it.set(Inside { depth: before.depth + 1, ..before }));
        let result = job();
        INSIDE.with(|it| it.set(before));
        Some(result)
    }
}

fn call(hook: Option<&Hook>) {
    if let Some(hook) = hook {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(hook)) {
            drop_payload(payload);
        }
    }
}

impl<W: Work> fmt::Debug for House<'_, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("House").finish_non_exhaustive()
    }
}
