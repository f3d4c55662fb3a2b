//! A job, its result, and whoever waits for it.
//!
//! One allocation holds the closure, and after it the result: the queue and the [`Job`] share it.
//! So a job that waits can be taken out by whoever waits for it, wherever the queue has put it; the
//! entry that stays behind is void.

use crate::engine::Outcome;
use crate::error::{JobError, Panicked, drop_payload};
use crate::primitives::{Arc, Deadline, Mutex};
use crate::watch::{OnPanic, Tag};
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

pub(crate) struct Cell<F, T> {
    state: Mutex<State<F, T>>,
    deadline: Option<Instant>,
    /// Whether what it gave is a failure.
    fails: fn(&T) -> bool,
}

struct State<F, T> {
    stage: Stage<F, T>,
    waker: Option<Waker>,
    parked: bool,
    /// It was handed back, and is run by hand.
    outside: bool,
}

enum Stage<F, T> {
    Queued(F, Option<Box<Tag>>),
    Running,
    Over(Result<T, JobError>),
    /// The result was collected, or the job taken back.
    Gone,
}

impl<F, T> Cell<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    pub(crate) fn tagged(
        job: F,
        deadline: Option<Instant>,
        fails: fn(&T) -> bool,
        tag: Option<Box<Tag>>,
    ) -> Arc<Self> {
        let stage = Stage::Queued(job, tag);
        let state = State { stage, waker: None, parked: false, outside: false };
        Arc::new(Self { state: Mutex::new(state), deadline, fails })
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

    /// Runs it, if nobody else did; `judge` has the result before anybody who waits for it.
    pub(crate) fn run_judged(
        &self,
        judge: impl FnOnce(Result<T, JobError>) -> (Result<T, JobError>, Outcome),
    ) -> Ran {
        let Some((job, tag)) = self.claim() else {
            return Ran::of(Outcome::Void);
        };
        if self.deadline.is_some_and(|deadline| Deadline::at(deadline).has_passed()) {
            drop_payload(job);
            drop(tag);
            let (result, outcome) = judge(Err(JobError::Expired));
            return self.settle(result, outcome);
        }
        // The closure is consumed by it: nobody can see it in a half-way state.
        let job = || catch_unwind(AssertUnwindSafe(job));
        let (ran, on_panic) = match tag {
            None => (job(), None),
            Some(tag) => (tag.around(job), tag.on_panic().cloned()),
        };
        let result = ran.map_err(|payload| {
            let panicked = Panicked::new(payload);
            if let Some(on_panic) = on_panic {
                tell_panic(&on_panic, &panicked);
            }
            JobError::Panicked(panicked)
        });
        let (result, outcome) = judge(result);
        self.settle(result, outcome)
    }

    fn settle(&self, result: Result<T, JobError>, outcome: Outcome) -> Ran {
        let mut state = self.state.lock();
        let before = mem::replace(&mut state.stage, Stage::Over(result));
        let waker = state.waker.take();
        let unblock = mem::take(&mut state.parked);
        drop(state);
        debug_assert!(matches!(before, Stage::Running), "only what runs is settled");
        drop_payload(before);
        Ran { outcome, waker, unblock }
    }
}

impl<F, T> Claim for Cell<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn run(&self) -> Ran {
        self.run_judged(|result| {
            let outcome = match &result {
                Ok(value) if (self.fails)(value) => Outcome::Failed,
                Ok(_) => Outcome::Completed,
                Err(JobError::Panicked(_)) => Outcome::Panicked,
                Err(_) => Outcome::Expired,
            };
            (result, outcome)
        })
    }

    fn note_outside(&self) {
        self.state.lock().outside = true;
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
        Some(self.settle(Err(why), Outcome::Void))
    }
}

impl<F, T> Promise<T> for Cell<F, T>
where
    F: FnOnce() -> T + Send,
    T: Send,
{
    fn poll(&self, waker: &Waker) -> Option<Result<T, JobError>> {
        let mut spare = None;
        loop {
            let mut state = self.state.lock();
            match mem::replace(&mut state.stage, Stage::Gone) {
                Stage::Over(result) => return Some(result),
                other => state.stage = other,
            }
            if state.waker.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
                return None;
            }
            if let Some(fresh) = spare.take() {
                let stale = state.waker.replace(fresh);
                drop(state);
                drop(stale);
                return None;
            }
            drop(state);
            spare = Some(waker.clone());
        }
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

/// Tells somebody of a panic. One of his own ends here.
pub(crate) fn tell_panic(hook: &OnPanic, panicked: &Panicked) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(panicked))) {
        drop_payload(payload);
    }
}

impl<F, T> fmt::Debug for Cell<F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cell").finish_non_exhaustive()
    }
}
