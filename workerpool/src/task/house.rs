//! What the workers of a pool and its submitters share.

use super::runner::Runner;
use super::work::Work;
use crate::engine::{Engine, Item, Push, Start};
use crate::error::{JobError, Panicked, Reason, drop_payload};
use crate::policy::Reject;
use crate::primitives::{Arc, thread, thread_local};
use crate::runtime::Runtime;
use crate::state::Crew;
use std::cell::Cell;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

type OnPanic = Box<dyn Fn(&Panicked) + Send + Sync>;

/// What the user wants to be told, and what is to be done with jobs that find no room.
#[derive(Default)]
pub(super) struct Hooks {
    pub(super) reject: Reject,
    pub(super) on_panic: Option<OnPanic>,
}

pub(crate) struct House {
    pub(crate) engine: Engine<Work>,
    pub(super) hooks: Hooks,
    pub(super) runtime: Runtime,
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

impl House {
    pub(super) fn new(crew: Crew, lanes: usize, hooks: Hooks, runtime: Runtime) -> Self {
        Self { engine: Engine::new(crew, lanes), hooks, runtime }
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
            item.entry.refuse(JobError::NoRuntime);
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

impl Hooks {
    pub(super) fn tell_panic(&self, panicked: Panicked) {
        if let Some(hook) = &self.on_panic {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(&panicked))) {
                drop_payload(payload);
            }
        }
        drop_payload(panicked);
    }
}

impl fmt::Debug for House {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("House").finish_non_exhaustive()
    }
}
