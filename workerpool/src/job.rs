//! A job, its result, and whoever waits for it.
//!
//! One allocation holds the closure, and after it the result: the queue and the [`Job`] share it.
//! So a job that waits can be taken out by whoever waits for it, wherever the queue has put it; the
//! entry that stays behind is void.

use crate::engine::Outcome;
use crate::error::{JobError, Panicked, drop_payload};
use crate::hooks::tell_panic;
use crate::judge::{Alone, Judge};
use crate::kept;
use crate::primitives::{Arc, Deadline, Mutex};
use crate::watch::Tag;
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::time::Instant;

/// The pool's side of a job.
pub(crate) trait Claim: Send + Sync {
    /// Runs it, if nobody else did.
    fn run(&self) -> Ran;
    /// The next who runs it is no worker of the pool.
    fn note_outside(&self);
    /// It was taken out of the queue, and no worker of the pool comes to it any more. Whoever waits
    /// for it is told of that, if somebody parks.
    fn hand_back(&self) -> Ran;
    fn is_void(&self) -> bool;
    /// Ends it without running it, and says whom to tell; `None` if it started before.
    fn refuse(&self, why: JobError) -> Option<Ran>;
}

/// The other side: of whoever waits for it.
pub(crate) trait Promise<T>: Claim {
    /// The result, once; `waker` is kept until there is one.
    fn poll(&self, waker: &Waker) -> Option<Result<T, JobError>>;
    fn is_over(&self) -> bool;
    /// Whether a worker of the pool runs it, or has to come to it first.
    fn needs_workers(&self) -> bool;
    /// Notes that a worker of the same pool parks until it is over; `false` if it is, or needs no
    /// worker.
    fn note_parked(&self) -> bool;
    /// Takes the note back; `false` if whoever ended the job has taken it.
    fn take_note(&self) -> bool;
}

/// What is to be done when a job has ended.
#[derive(Debug)]
#[must_use]
pub(crate) struct Ran {
    pub(crate) outcome: Outcome,
    pub(crate) waker: Option<Waker>,
    /// A worker of the pool is parked for it.
    pub(crate) unblock: bool,
}

impl Ran {
    /// The end of a job for which nobody waits.
    pub(crate) const fn of(outcome: Outcome) -> Self {
        Self { outcome, waker: None, unblock: false }
    }
}

/// A job that gives `V` to whoever waits, by what `J` makes of what the closure gives.
pub(crate) struct Cell<F, V, J = Alone> {
    state: Mutex<State<F, V>>,
    deadline: Option<Instant>,
    judge: J,
}

struct State<F, V> {
    stage: Stage<F, V>,
    waker: Option<Waker>,
    parked: bool,
    /// It was handed back, and is run by hand.
    outside: bool,
}

enum Stage<F, V> {
    Queued(F, Option<Box<Tag>>),
    Running,
    Over(Result<V, JobError>),
    /// The result was collected, or the job taken back.
    Gone,
}

impl<F, V, J> Cell<F, V, J> {
    pub(crate) fn new(
        job: F,
        deadline: Option<Instant>,
        judge: J,
        tag: Option<Box<Tag>>,
    ) -> Arc<Self> {
        let stage = Stage::Queued(job, tag);
        let state = State { stage, waker: None, parked: false, outside: false };
        Arc::new(Self { state: Mutex::new(state), deadline, judge })
    }

    /// The closure, if it was not accepted.
    pub(crate) fn take_back(&self) -> Option<F> {
        match self.claim() {
            Some((job, tag)) => {
                self.state.lock().stage = Stage::Gone;
                drop(tag);
                Some(job)
            }
            None => None,
        }
    }

    fn claim(&self) -> Option<(F, Option<Box<Tag>>)> {
        let mut state = self.state.lock();
        match mem::replace(&mut state.stage, Stage::Running) {
            Stage::Queued(job, tag) => Some((job, tag)),
            other => {
                state.stage = other;
                None
            }
        }
    }

    /// It is over: it has given this, or has not run.
    fn settle<O>(&self, result: Result<O, JobError>) -> Ran
    where
        J: Judge<O, Value = V>,
    {
        let (result, outcome) = self.judge.judge(result);
        let mut state = self.state.lock();
        let before = mem::replace(&mut state.stage, Stage::Over(result));
        let waker = state.waker.take();
        let unblock = mem::take(&mut state.parked);
        drop(state);
        debug_assert!(matches!(before, Stage::Running), "only what runs is settled");
        drop_payload(before);
        self.judge.over();
        Ran { outcome, waker, unblock }
    }
}

impl<F, O, V, J> Claim for Cell<F, V, J>
where
    F: FnOnce() -> O + Send,
    V: Send,
    J: Judge<O, Value = V>,
{
    fn run(&self) -> Ran {
        let Some((job, tag)) = self.claim() else {
            return Ran::of(Outcome::Void);
        };
        if self.deadline.is_some_and(|deadline| Deadline::at(deadline).has_passed()) {
            drop_payload(job);
            drop(tag);
            return self.settle(Err(JobError::Expired));
        }
        // The closure is consumed by it: nobody can see it in a half-way state.
        let job = || catch_unwind(AssertUnwindSafe(job));
        let (ran, on_panic) = match tag {
            None => (job(), None),
            Some(mut tag) => (tag.around(job), tag.on_panic().cloned()),
        };
        let result = ran.map_err(|payload| {
            let panicked = Panicked::new(payload);
            if let Some(on_panic) = on_panic {
                tell_panic(&on_panic, &panicked);
            }
            JobError::Panicked(panicked)
        });
        self.settle(result)
    }

    fn note_outside(&self) {
        self.state.lock().outside = true;
        self.judge.outside();
    }

    fn is_void(&self) -> bool {
        !matches!(self.state.lock().stage, Stage::Queued(..))
    }

    fn hand_back(&self) -> Ran {
        let mut state = self.state.lock();
        state.outside = true;
        let unblock = mem::take(&mut state.parked);
        let waker = if unblock { state.waker.take() } else { None };
        Ran { outcome: Outcome::Void, waker, unblock }
    }

    fn refuse(&self, why: JobError) -> Option<Ran> {
        let (job, tag) = self.claim()?;
        drop_payload(job);
        drop(tag);
        Some(Ran { outcome: Outcome::Void, ..self.settle(Err(why)) })
    }
}

impl<F, O, V, J> Promise<V> for Cell<F, V, J>
where
    F: FnOnce() -> O + Send,
    V: Send,
    J: Judge<O, Value = V>,
{
    fn poll(&self, waker: &Waker) -> Option<Result<V, JobError>> {
        let ready = |state: &mut State<F, V>| match mem::replace(&mut state.stage, Stage::Gone) {
            Stage::Over(result) => Some(result),
            other => {
                state.stage = other;
                None
            }
        };
        kept::poll(&self.state, waker, ready, |state| &mut state.waker)
    }

    fn is_over(&self) -> bool {
        matches!(self.state.lock().stage, Stage::Over(_) | Stage::Gone)
    }

    fn needs_workers(&self) -> bool {
        let state = self.state.lock();
        matches!(state.stage, Stage::Queued(..) | Stage::Running) && !state.outside
    }

    fn take_note(&self) -> bool {
        mem::take(&mut self.state.lock().parked)
    }

    fn note_parked(&self) -> bool {
        let mut state = self.state.lock();
        let over = matches!(state.stage, Stage::Over(_) | Stage::Gone);
        let parks = !over && !state.outside;
        state.parked |= parks;
        parks
    }
}

impl<F, V, J> fmt::Debug for Cell<F, V, J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").finish_non_exhaustive()
    }
}
