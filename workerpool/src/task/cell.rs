//! A job, its result, and whoever waits for it.
//!
//! While it waits, one allocation holds the future: the queue and the [`Job`](super::Job) share it, so
//! that an abort reaches it wherever the queue has put it. A worker that begins with it moves the
//! future to where it may be pinned, and the result comes back to the same place.

use crate::engine::Outcome;
use crate::error::{JobError, Panicked, drop_payload};
use crate::primitives::{Arc, Deadline, Mutex};
use pin_project_lite::pin_project;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

/// The pool's side of a job.
pub(crate) trait Claim: Send + Sync {
    /// Begins with it, if nobody else did and its time is not over.
    fn begin(self: Arc<Self>) -> Result<Pin<Box<dyn Running>>, Outcome>;
    fn is_void(&self) -> bool;
    /// Ends it without running it; `false` if it started before.
    fn refuse(&self, why: JobError) -> bool;
}

/// The other side: of whoever waits for it.
pub(super) trait Promise<T>: Claim {
    /// The result, once; `waker` is kept until there is one.
    fn poll(&self, waker: &Waker) -> Option<Result<T, JobError>>;
    fn is_over(&self) -> bool;
    /// Ends it if it waits; if it runs, has it end where it waits next.
    fn abort(&self) -> Abort;
}

/// A job that was begun with.
pub(crate) trait Running: Send {
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome>;
    /// Ends it where it is.
    fn lose(self: Pin<&mut Self>, why: JobError);
}

/// What an abort has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Abort {
    Waited,
    Ran,
    Over,
}

pub(super) struct Cell<F: Future> {
    state: Mutex<State<F>>,
    deadline: Option<Instant>,
}

struct State<F: Future> {
    stage: Stage<F>,
    /// Of whoever waits for the result.
    waiter: Option<Waker>,
    /// Of whoever polls the job, while it waits for something.
    runner: Option<Waker>,
    aborted: bool,
}

enum Stage<F: Future> {
    Queued(F),
    Running,
    Over(Result<F::Output, JobError>),
    /// The result was collected, or the job taken back.
    Gone,
}

impl<F> Cell<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    pub(super) fn new(job: F, deadline: Option<Instant>) -> Arc<Self> {
        let stage = Stage::Queued(job);
        let state = State { stage, waiter: None, runner: None, aborted: false };
        Arc::new(Self { state: Mutex::new(state), deadline })
    }

    /// The future, if it was not accepted.
    pub(super) fn take_back(&self) -> Option<F> {
        let job = self.claim();
        if job.is_some() {
            self.state.lock().stage = Stage::Gone;
        }
        job
    }

    fn claim(&self) -> Option<F> {
        let mut state = self.state.lock();
        match mem::replace(&mut state.stage, Stage::Running) {
            Stage::Queued(job) => Some(job),
            other => {
                state.stage = other;
                None
            }
        }
    }

    fn is_aborted(&self) -> bool {
        self.state.lock().aborted
    }

    /// The job waits for something, and `waker` is how an abort reaches it; `false` if one came before.
    fn parks(&self, waker: &Waker) -> bool {
        let mut spare = None;
        loop {
            let mut state = self.state.lock();
            if state.aborted {
                return false;
            }
            if state.runner.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
                return true;
            }
            if let Some(fresh) = spare.take() {
                let stale = state.runner.replace(fresh);
                drop(state);
                drop_payload(stale);
                return true;
            }
            drop(state);
            spare = Some(waker.clone());
        }
    }
}

impl<F: Future> Cell<F> {
    fn settle(&self, result: Result<F::Output, JobError>) {
        let mut state = self.state.lock();
        let before = mem::replace(&mut state.stage, Stage::Over(result));
        let (waiter, runner) = (state.waiter.take(), state.runner.take());
        drop(state);
        debug_assert!(matches!(before, Stage::Running), "only what runs is settled");
        drop_payload(runner);
        if let Some(waiter) = waiter {
            wake(waiter);
        }
    }
}

impl<F> Claim for Cell<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn begin(self: Arc<Self>) -> Result<Pin<Box<dyn Running>>, Outcome> {
        let Some(job) = self.claim() else { return Err(Outcome::Void) };
        if self.deadline.is_some_and(|deadline| Deadline::at(deadline).has_passed()) {
            drop_payload(job);
            self.settle(Err(JobError::Expired));
            return Err(Outcome::Expired);
        }
        let end = End { cell: self, over: false, parked: false };
        Ok(Box::pin(Shell { future: Some(job), end }))
    }

    fn is_void(&self) -> bool {
        !matches!(self.state.lock().stage, Stage::Queued(_))
    }

    fn refuse(&self, why: JobError) -> bool {
        let Some(job) = self.claim() else { return false };
        drop_payload(job);
        self.settle(Err(why));
        true
    }
}

impl<F> Promise<F::Output> for Cell<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn poll(&self, waker: &Waker) -> Option<Result<F::Output, JobError>> {
        let mut spare = None;
        loop {
            let mut state = self.state.lock();
            match mem::replace(&mut state.stage, Stage::Gone) {
                Stage::Over(result) => return Some(result),
                other => state.stage = other,
            }
            if state.waiter.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
                return None;
            }
            if let Some(fresh) = spare.take() {
                let stale = state.waiter.replace(fresh);
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

    fn abort(&self) -> Abort {
        if self.refuse(JobError::Aborted) {
            return Abort::Waited;
        }
        let mut state = self.state.lock();
        if !matches!(state.stage, Stage::Running) {
            return Abort::Over;
        }
        state.aborted = true;
        let runner = state.runner.take();
        drop(state);
        if let Some(runner) = runner {
            wake(runner);
        }
        Abort::Ran
    }
}

pin_project! {
    /// Polls the user's future, and settles its end. The future goes first when this is dropped:
    /// whoever has the result finds nothing of the job any more.
    struct Shell<F: Future> {
        #[pin]
        future: Option<F>,
        end: End<F>,
    }
}

struct End<F: Future> {
    cell: Arc<Cell<F>>,
    over: bool,
    /// It has waited for something: an abort may have come since.
    parked: bool,
}

impl<F> Shell<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn finish(mut self: Pin<&mut Self>, mut result: Result<F::Output, JobError>) {
        let mut this = self.as_mut().project();
        // A panic of its drop is the job's panic.
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| this.future.set(None))) {
            if result.is_ok() {
                let panicked = Err(JobError::Panicked(Panicked::new(payload)));
                drop_payload(mem::replace(&mut result, panicked));
            } else {
                drop_payload(payload);
            }
        }
        this.end.over = true;
        this.end.cell.settle(result);
    }
}

impl<F> Running for Shell<F>
where
    F: Future<Output: Send> + Send + 'static,
{
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let this = self.as_mut().project();
        let Some(future) = this.future.as_pin_mut() else { unreachable!("polled after its end") };
        let (result, outcome) = if this.end.parked && this.end.cell.is_aborted() {
            (Err(JobError::Aborted), Outcome::Void)
        } else {
            // It is dropped when it has panicked: nobody can see it in a half-way state.
            match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
                Ok(Poll::Pending) => {
                    this.end.parked = true;
                    if this.end.cell.parks(cx.waker()) {
                        return Poll::Pending;
                    }
                    // CANCEL: the abort came while it was polled.
                    (Err(JobError::Aborted), Outcome::Void)
                }
                Ok(Poll::Ready(value)) => (Ok(value), Outcome::Completed),
                Err(payload) => {
                    (Err(JobError::Panicked(Panicked::new(payload))), Outcome::Panicked)
                }
            }
        };
        self.finish(result);
        Poll::Ready(outcome)
    }

    fn lose(self: Pin<&mut Self>, why: JobError) {
        if !self.end.over {
            self.finish(Err(why));
        }
    }
}

impl<F: Future> Drop for End<F> {
    fn drop(&mut self) {
        if !self.over {
            // CANCEL: whoever ran it by hand has left it.
            self.cell.settle(Err(JobError::Aborted));
        }
    }
}

/// Nobody is here to take a waker's panic, least of all a worker with a job in its hands.
fn wake(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        drop_payload(payload);
    }
}
