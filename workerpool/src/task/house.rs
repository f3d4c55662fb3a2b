//! What the workers of a pool and its submitters share.

use super::runner::Runner;
use super::work::Work;
use crate::desk::Desk;
use crate::engine::{Engine, Item, Push, Seat, Start};
use crate::error::{JobError, Reason};
use crate::hooks::Hooks;
use crate::primitives::{Arc, thread, thread_local};
use crate::runtime::Runtime;
use crate::state::Crew;
use crate::trace;
use std::cell::Cell;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(crate) struct House {
    pub(crate) engine: Engine<Work>,
    pub(crate) hooks: Hooks,
    pub(super) runtime: Runtime,
    /// How many workers were started, for their names.
    // LOOM: no atomic of the model's: a number is no part of any algorithm.
    started: AtomicUsize,
}

thread_local! {
    // LOOM: its locals have no constant initialisers.
    #[allow(clippy::missing_const_for_thread_local, reason = "the model cannot")]
    /// Whose job is polled on this thread, and how many are polled inside each other.
    static INSIDE: Cell<Inside> = Cell::new(Inside { house: 0, depth: 0 });
}

#[derive(Clone, Copy)]
struct Inside {
    /// The address of the house, and 0 outside of any.
    house: usize,
    depth: usize,
}

impl Desk for House {
    type Entry = Work;

    fn engine(&self) -> &Engine<Work> {
        &self.engine
    }
}

impl House {
    pub(super) fn new(crew: Crew, lanes: usize, hooks: Hooks, runtime: Runtime) -> Self {
        let (engine, started) = (Engine::new(crew, lanes), AtomicUsize::new(0));
        Self { engine, hooks, runtime, started }
    }

    /// Starts the worker that is needed.
    pub(super) fn start(self: &Arc<Self>, start: Option<Start>) {
        if let Some(start) = start {
            self.start_now(start);
        }
    }

    #[cold]
    fn start_now(self: &Arc<Self>, start: Start) {
        self.runtime.spawn(Runner::new(Arc::clone(self)));
        // INVARIANT: also where the runtime is gone and has dropped it: it has counted itself out
        // by then, as one that is there.
        self.engine.confirm(start);
    }

    /// A worker that was started takes its seat.
    pub(super) fn arrive(&self) -> Arc<Seat<Work>> {
        // ORDERING: Relaxed: a name.
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let name = self.hooks.pool().map(|pool| format!("{pool}-{number}").into());
        self.engine.arrive_as(name)
    }

    /// Takes no more; with `now`, gives back what waits.
    pub(super) fn close(self: &Arc<Self>, now: bool) -> Vec<Item<Work>> {
        let first = !self.engine.is_closed();
        let (items, start) = self.engine.close(now);
        self.start(start);
        if first || !items.is_empty() {
            trace::shutdown(self.hooks.pool(), items.len());
        }
        items
    }

    /// Puts a job into the queue if there is room. `make` is called when it is accepted.
    pub(super) fn try_place(
        self: &Arc<Self>,
        mut make: impl FnMut() -> Item<Work>,
    ) -> Result<(), Reason> {
        let pushed = self.engine.push(&mut make);
        self.placed(pushed, make)
    }

    /// What became of a job that was pushed; one that found no worker has a place, and gets one.
    pub(super) fn placed(
        self: &Arc<Self>,
        pushed: Push,
        make: impl FnMut() -> Item<Work>,
    ) -> Result<(), Reason> {
        match pushed {
            Push::Accepted(start) => {
                self.start(start);
                Ok(())
            }
            Push::Full => Err(Reason::Full),
            Push::Closed => Err(Reason::Closed),
            Push::NoWorker => self.place_reserved(make),
        }
    }

    /// Puts a job into the place that is reserved for it. The place is gone afterwards.
    pub(super) fn place_reserved(
        self: &Arc<Self>,
        mut make: impl FnMut() -> Item<Work>,
    ) -> Result<(), Reason> {
        loop {
            match self.engine.push_reserved(&mut make) {
                Push::Accepted(start) => {
                    self.start(start);
                    return Ok(());
                }
                Push::Full => unreachable!("a place is reserved"),
                Push::Closed => return Err(Reason::Closed),
                Push::NoWorker => match self.engine.hire_first() {
                    Some(start) => self.start_now(start),
                    // Others are about to start as many as there may be.
                    None => thread::yield_now(),
                },
            }
        }
    }

    /// The runtime is gone: nobody would run what waits, and nothing more is taken.
    pub(super) fn abandon(&self) {
        let (items, start) = self.engine.close(true);
        debug_assert!(start.is_none(), "there is nothing to do any more");
        for item in items {
            let _ = item.entry.refuse(JobError::NoRuntime);
        }
    }

    fn address(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    /// Whether the caller is polled by a job of this very pool.
    pub(super) fn is_inside(&self) -> bool {
        INSIDE.try_with(|inside| inside.get().house == self.address()).unwrap_or(false)
    }

    /// Whether too many jobs are polled inside each other for one more.
    pub(super) fn is_deep() -> bool {
        const DEEPEST: usize = 64;
        INSIDE.try_with(|inside| inside.get().depth > DEEPEST).unwrap_or(true)
    }

    /// Polls a job. It does not panic: its panics are caught by then.
    pub(super) fn inside<R>(&self, poll: impl FnOnce() -> R) -> R {
        let here = |before: Inside| Inside { house: self.address(), depth: before.depth + 1 };
        let before = INSIDE.try_with(|it| it.replace(here(it.get())));
        let result = poll();
        if let Ok(before) = before {
            let _ = INSIDE.try_with(|it| it.set(before));
        }
        result
    }
}

impl fmt::Debug for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("House").finish_non_exhaustive()
    }
}
