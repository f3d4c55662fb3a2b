//! A job, its result, and whoever waits for it.
//!
//! While it waits, one allocation holds the future: the queue and the [`Job`](super::Job) share it, so
//! that an abort reaches it wherever the queue has put it. A worker that begins with it moves the
//! future to where it may be pinned, and the result comes back to the same place.

use crate::engine::Outcome;
use crate::error::{JobError, Panicked, drop_payload};
use crate::hooks::tell_panic;
use crate::judge::{Alone, Judge};
use crate::kept::{self, wake};
use crate::primitives::{Arc, Deadline, Mutex};
use crate::watch::Tag;
use pin_project_lite::pin_project;
use std::future::Future;
use std::marker::PhantomData;
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

/// A job that gives `V` to whoever waits, by what `J` makes of what the future gives.
pub(super) struct Cell<F, V, J = Alone> {
    state: Mutex<State<F, V>>,
    deadline: Option<Instant>,
    judge: J,
}

struct State<F, V> {
    stage: Stage<F, V>,
    /// Of whoever waits for the result.
    waiter: Option<Waker>,
    /// Of whoever polls the job, while it waits for something.
    runner: Option<Waker>,
    aborted: bool,
}

enum Stage<F, V> {
    Queued(F, Option<Box<Tag>>),
    Running,
    Over(Result<V, JobError>),
    /// The result was collected, or the job taken back.
    Gone,
}

impl<F, V, J> Cell<F, V, J> {
    pub(super) fn new(
        job: F,
        deadline: Option<Instant>,
        judge: J,
        tag: Option<Box<Tag>>,
    ) -> Arc<Self> {
        let stage = Stage::Queued(job, tag);
        let state = State { stage, waiter: None, runner: None, aborted: false };
        Arc::new(Self { state: Mutex::new(state), deadline, judge })
    }

    pub(super) const fn judge(&self) -> &J {
        &self.judge
    }

    /// The future, if it was not accepted.
    pub(super) fn take_back(&self) -> Option<F> {
        let (job, tag) = self.claim()?;
        self.state.lock().stage = Stage::Gone;
        drop(tag);
        Some(job)
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

    fn is_aborted(&self) -> bool {
        self.state.lock().aborted
    }

    /// The job waits for something, and `waker` is how an abort reaches it; `false` if one came before.
    fn parks(&self, waker: &Waker) -> bool {
        let aborted = |state: &mut State<F, V>| state.aborted.then_some(());
        kept::poll(&self.state, waker, aborted, |state| &mut state.runner).is_none()
    }

    /// It is over: it has given this, or has not run to its end.
    fn settle<O>(&self, result: Result<O, JobError>) -> Outcome
    where
        J: Judge<O, Value = V>,
    {
        let (result, outcome) = self.judge.judge(result);
        let mut state = self.state.lock();
        let before = mem::replace(&mut state.stage, Stage::Over(result));
        let (waiter, runner) = (state.waiter.take(), state.runner.take());
        drop(state);
        debug_assert!(matches!(before, Stage::Running), "only what runs is settled");
        drop_payload(runner);
        self.judge.over();
        wake(waiter);
        outcome
    }
}

impl<F, V, J> Claim for Cell<F, V, J>
where
    F: Future<Output: Send> + Send + 'static,
    V: Send + 'static,
    J: Judge<F::Output, Value = V> + 'static,
{
    fn begin(self: Arc<Self>) -> Result<Pin<Box<dyn Running>>, Outcome> {
        let Some((job, tag)) = self.claim() else { return Err(Outcome::Void) };
        if self.deadline.is_some_and(|deadline| Deadline::at(deadline).has_passed()) {
            drop_payload(job);
            drop(tag);
            return Err(self.settle(Err(JobError::Expired)));
        }
        let mut end = End { cell: self, tag, over: false, parked: false, output: PhantomData };
        if let Some(tag) = &mut end.tag {
            tag.start(false);
        }
        Ok(Box::pin(Shell { future: Some(job), end }))
    }

    fn is_void(&self) -> bool {
        !matches!(self.state.lock().stage, Stage::Queued(..))
    }

    fn refuse(&self, why: JobError) -> bool {
        let Some((job, tag)) = self.claim() else { return false };
        drop_payload(job);
        drop(tag);
        self.settle(Err(why));
        true
    }
}

impl<F, V, J> Promise<V> for Cell<F, V, J>
where
    F: Future<Output: Send> + Send + 'static,
    V: Send + 'static,
    J: Judge<F::Output, Value = V> + 'static,
{
    fn poll(&self, waker: &Waker) -> Option<Result<V, JobError>> {
        let ready = |state: &mut State<F, V>| match mem::replace(&mut state.stage, Stage::Gone) {
            Stage::Over(result) => Some(result),
            other => {
                state.stage = other;
                None
            }
        };
        kept::poll(&self.state, waker, ready, |state| &mut state.waiter)
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
        wake(runner);
        Abort::Ran
    }
}

pin_project! {
    /// Polls the user's future, and settles its end. The future goes first when this is dropped:
    /// whoever has the result finds nothing of the job any more.
    struct Shell<F, O, V, J>
    where
        J: Judge<O, Value = V>,
    {
        #[pin]
        future: Option<F>,
        end: End<F, O, V, J>,
    }
}

struct End<F, O, V, J: Judge<O, Value = V>> {
    cell: Arc<Cell<F, V, J>>,
    /// What is to be known of the job, as long as it runs.
    tag: Option<Box<Tag>>,
    over: bool,
    /// It has waited for something: an abort may have come since.
    parked: bool,
    output: PhantomData<fn() -> O>,
}

impl<F, O, V, J: Judge<O, Value = V>> End<F, O, V, J> {
    fn settle(&mut self, result: Result<O, JobError>) -> Outcome {
        self.over = true;
        if let Some(tag) = self.tag.take() {
            tag.end();
            if let (Err(JobError::Panicked(panicked)), Some(hook)) = (&result, tag.on_panic()) {
                tell_panic(hook, panicked);
            }
        }
        self.cell.settle(result)
    }
}

impl<F, V, J> Shell<F, F::Output, V, J>
where
    F: Future,
    J: Judge<F::Output, Value = V>,
{
    fn finish(mut self: Pin<&mut Self>, mut result: Result<F::Output, JobError>) -> Outcome {
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
        this.end.settle(result)
    }
}

impl<F, V, J> Running for Shell<F, F::Output, V, J>
where
    F: Future<Output: Send> + Send + 'static,
    V: Send + 'static,
    J: Judge<F::Output, Value = V> + 'static,
{
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome> {
        let this = self.as_mut().project();
        let Some(future) = this.future.as_pin_mut() else { unreachable!("polled after its end") };
        let result = if this.end.parked && this.end.cell.is_aborted() {
            Err(JobError::Aborted)
        } else {
            // It is dropped when it has panicked: nobody can see it in a half-way state.
            let poll = || catch_unwind(AssertUnwindSafe(|| future.poll(cx)));
            let polled = match &this.end.tag {
                None => poll(),
                Some(tag) => tag.enter(poll),
            };
            match polled {
                Ok(Poll::Pending) => {
                    this.end.parked = true;
                    if this.end.cell.parks(cx.waker()) {
                        return Poll::Pending;
                    }
                    // CANCEL: the abort came while it was polled.
                    Err(JobError::Aborted)
                }
                Ok(Poll::Ready(value)) => Ok(value),
                Err(payload) => Err(JobError::Panicked(Panicked::new(payload))),
            }
        };
        Poll::Ready(self.finish(result))
    }

    fn lose(self: Pin<&mut Self>, why: JobError) {
        if !self.end.over {
            self.finish(Err(why));
        }
    }
}

impl<F, O, V, J: Judge<O, Value = V>> Drop for End<F, O, V, J> {
    fn drop(&mut self) {
        if !self.over {
            // CANCEL: whoever ran it by hand has left it.
            self.settle(Err(JobError::Aborted));
        }
    }
}
