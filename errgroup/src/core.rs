//! What groups of threads and groups of tasks have in common: the token, the policy, the panics.

use crate::builder::{Builder, OnPanic};
use crate::cause::Cause;
use crate::error::{Panicked, Payload, TaskId, drop_payload};
use crate::join::Join;
use crate::primitives::{Arc, Deadline, Mutex};
use crate::token::CancelToken;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;
use std::time::Duration;

/// How many panics are kept until the join, where the first one goes on and the others are
/// dropped. What comes beyond, in groups that live long, is dropped at once.
const KEPT_PANICS: usize = 64;

/// A group, seen by those who run its tasks: nothing here names the policy.
pub(crate) struct Core<'s, T, E> {
    pub(crate) token: CancelToken,
    judge: Arc<dyn Judge<T, E> + 's>,
    wants_values: bool,
    run_all: bool,
    on_panic: OnPanic,
    pub(crate) observe: bool,
    pub(crate) name: Option<Arc<str>>,
    panics: Mutex<Vec<Panicked>>,
    told: Mutex<Told>,
    #[cfg(feature = "test-util")]
    _attached: crate::leak_guard::Attached,
}

/// What snapshots tell beside the numbers, by the task's index.
#[derive(Debug, Default)]
struct Told {
    /// Of groups that observe alone.
    started: BTreeMap<usize, Deadline>,
    waits_for: BTreeMap<usize, &'static str>,
}

/// A label on a task, as long as it is kept: what the task waits for.
#[must_use = "the label is gone when this is dropped"]
pub struct Label<'a> {
    told: &'a Mutex<Told>,
    index: usize,
    before: Option<&'static str>,
}

impl Drop for Label<'_> {
    fn drop(&mut self) {
        let mut told = self.told.lock();
        match self.before {
            Some(before) => told.waits_for.insert(self.index, before),
            None => told.waits_for.remove(&self.index),
        };
    }
}

impl fmt::Debug for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Label").field("index", &self.index).finish_non_exhaustive()
    }
}

/// The policy, as those see it who complete tasks.
trait Judge<T, E>: Send + Sync {
    /// `true` for the one that ended the group.
    fn complete(&self, task: &TaskId, result: Result<T, E>) -> bool;

    fn panicked(&self, panicked: Panicked) -> bool;

    fn skipped(&self, task: &TaskId);
}

/// The policy, as the one sees it who joins.
pub(crate) struct Verdict<J>(Mutex<Bench<J>>);

struct Bench<J> {
    /// `None` when it has been taken by the join.
    join: Option<J>,
    /// It has said `Break`, and is not asked again.
    ended: bool,
}

impl<'s, T, E> Core<'s, T, E> {
    /// A group that begins now, by the options of `builder`.
    pub(crate) fn new<J>(builder: Builder<J>) -> (Self, Arc<Verdict<J>>)
    where
        J: Join<T, E> + 's,
    {
        let deadline = builder.deadline.map(Deadline::at);
        let timeout = builder.timeout.and_then(Deadline::after);
        let deadline = match (deadline, timeout) {
            (Some(deadline), Some(timeout)) if timeout.is_before(&deadline) => Some(timeout),
            (deadline, timeout) => deadline.or(timeout),
        };
        let token = match &builder.token {
            Some(parent) => parent.child_with(deadline),
            None => CancelToken::with(deadline),
        };
        let wants_values = builder.join.wants_values();
        let bench = Bench { join: Some(builder.join), ended: false };
        let verdict = Arc::new(Verdict(Mutex::new(bench)));
        let core = Self {
            token,
            judge: Arc::clone(&verdict) as Arc<dyn Judge<T, E> + 's>,
            wants_values,
            run_all: builder.run_all,
            on_panic: builder.on_panic,
            observe: builder.observe,
            #[cfg(feature = "test-util")]
            _attached: crate::leak_guard::Attached::new(builder.name.as_ref()),
            name: builder.name,
            panics: Mutex::new(Vec::new()),
            told: Mutex::new(Told::default()),
        };
        (core, verdict)
    }

    /// Whether tasks that did not start are not to start any more.
    #[inline]
    pub(crate) fn refuses(&self) -> bool {
        !self.run_all && self.token.is_cancelled()
    }

    /// A task starts.
    #[inline]
    pub(crate) fn started(&self, index: usize) {
        if self.observe {
            self.note_start(index);
        }
    }

    #[cold]
    fn note_start(&self, index: usize) {
        if let Some(now) = Deadline::after(Duration::ZERO) {
            self.told.lock().started.insert(index, now);
        }
    }

    /// A task has ended.
    #[inline]
    pub(crate) fn ended(&self, index: usize) {
        if self.observe {
            self.note_end(index);
        }
    }

    #[cold]
    fn note_end(&self, index: usize) {
        self.told.lock().started.remove(&index);
    }

    /// Until the label is dropped, snapshots tell that the task waits for `what`.
    pub(crate) fn label(&self, index: usize, what: &'static str) -> Label<'_> {
        let before = self.told.lock().waits_for.insert(index, what);
        Label { told: &self.told, index, before }
    }

    /// How long ago a task started and what it waits for, as far as is known.
    pub(crate) fn told_of(&self, index: usize) -> (Option<Duration>, Option<&'static str>) {
        let told = self.told.lock();
        let age = told.started.get(&index).map(Deadline::elapsed);
        (age, told.waits_for.get(&index).copied())
    }

    /// Whether the group's deadline has passed, whatever cancelled it.
    pub(crate) fn is_past_deadline(&self) -> bool {
        self.token.deadline().is_some_and(|moment| Deadline::at(moment).has_passed())
    }

    pub(crate) const fn runs_all(&self) -> bool {
        self.run_all
    }

    /// Runs what a task does, and settles how it ended. What it captured and what it returned is
    /// dropped, or in the policy's hands, when this returns.
    #[inline]
    pub(crate) fn settle(&self, task: &TaskId, run: impl FnOnce() -> Option<Result<T, E>>) {
        let settled = catch_unwind(AssertUnwindSafe(|| match run() {
            Some(result) => self.complete(task, result),
            None => self.judge.skipped(task),
        }));
        if let Err(payload) = settled {
            self.panicked(task, payload);
        }
    }

    /// A task has ended.
    #[inline]
    pub(crate) fn complete(&self, task: &TaskId, result: Result<T, E>) {
        if result.is_ok() && !self.wants_values {
            return;
        }
        self.judge_it(task, result);
    }

    fn judge_it(&self, task: &TaskId, result: Result<T, E>) {
        // The error is recorded first and the token cancelled then: a victim of the cancel comes
        // after it in time.
        if self.judge.complete(task, result) {
            let TaskId { index, name } = task.clone();
            self.token.cancel_with(Cause::Task { index, name });
        }
    }

    #[cold]
    pub(crate) fn panicked(&self, task: &TaskId, payload: Payload) {
        let panicked = Panicked::new(task.clone(), payload);
        let ends = match self.on_panic {
            OnPanic::Abort => std::process::abort(),
            OnPanic::Error => {
                // The policy is the user's code: it may panic too.
                let judged = catch_unwind(AssertUnwindSafe(|| self.judge.panicked(panicked)));
                judged.unwrap_or_else(|payload| {
                    drop_payload(payload);
                    true
                })
            }
            OnPanic::Resume => {
                let mut panics = self.panics.lock();
                let spare = if panics.len() < KEPT_PANICS {
                    panics.push(panicked);
                    None
                } else {
                    Some(panicked)
                };
                drop(panics);
                drop(spare);
                true
            }
        };
        if ends {
            let TaskId { index, name } = task.clone();
            self.cancel(Cause::Panic { index, name });
        }
    }

    /// Cancels the group where no panic may get through: who calls has a slot to give back, or
    /// others to join. Callbacks and wakers are the user's, and the first panic of the group is
    /// what goes on; the hook has told of this one.
    #[cold]
    pub(crate) fn cancel(&self, cause: impl Into<Cause>) {
        let cause = cause.into();
        let cancelled = catch_unwind(AssertUnwindSafe(|| self.token.cancel_with(cause)));
        drop_payload(cancelled);
    }

    /// [`refuses`](Self::refuses) for a task that is about to start: a deadline that is noticed
    /// here calls callbacks, and their panic is the task's.
    #[inline]
    pub(crate) fn turns_away(&self, task: &TaskId) -> bool {
        let refused = catch_unwind(AssertUnwindSafe(|| self.refuses()));
        refused.unwrap_or_else(|payload| {
            self.panicked(task, payload);
            true
        })
    }

    /// The end, when all is joined: the outcome, or the panic that goes on.
    pub(crate) fn conclude<J: Join<T, E>>(
        &self,
        verdict: &Verdict<J>,
        mut stragglers: Vec<TaskId>,
    ) -> J::Output {
        let (join, ended) = verdict.take();
        let mut panics = std::mem::take(&mut *self.panics.lock()).into_iter();
        let cause = self.token.cause();
        if let Some(first) = panics.next() {
            self.token.cancel_with(Cause::Finished);
            drop(panics);
            drop_payload(join);
            first.resume();
        }
        let mut join = join.expect("a group is joined once");
        if let (Some(cause), false) = (cause, ended) {
            join.cancelled(cause);
        }
        if !stragglers.is_empty() {
            // They were found in the order in which they had started.
            stragglers.sort_unstable_by_key(|task| task.index);
            join.stragglers(stragglers);
        }
        self.token.cancel_with(Cause::Finished);
        join.finish()
    }

    /// The end, where the scope's body has panicked: that panic goes on, and beats the tasks'.
    pub(crate) fn abandon<J>(&self, verdict: &Verdict<J>, payload: Payload) -> ! {
        let (join, _) = verdict.take();
        self.token.cancel_with(Cause::Finished);
        drop_payload(std::mem::take(&mut *self.panics.lock()));
        drop_payload(join);
        resume_unwind(payload)
    }
}

impl<T, E> fmt::Debug for Core<'_, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core")
            .field("name", &self.name)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

impl<J> Verdict<J> {
    /// The policy, and whether it has ended the group.
    fn take(&self) -> (Option<J>, bool) {
        let mut bench = self.0.lock();
        (bench.join.take(), bench.ended)
    }

    /// Asks the policy, unless it has ended the group or is gone: then `question` is dropped, like
    /// all else that is the user's, outside the lock.
    fn ask<X>(
        &self,
        question: X,
        ask: impl FnOnce(&mut J, X) -> ControlFlow<()>,
        waker: impl FnOnce(&mut J) -> Option<Waker>,
    ) -> bool {
        let mut bench = self.0.lock();
        let Bench { join, ended } = &mut *bench;
        let (Some(join), false) = (join, *ended) else {
            drop(bench);
            drop(question);
            return false;
        };
        *ended = ask(join, question).is_break();
        let (ends, waker) = (*ended, waker(join));
        drop(bench);
        if let Some(waker) = waker {
            waker.wake();
        }
        ends
    }
}

impl<T, E, J: Join<T, E>> Judge<T, E> for Verdict<J> {
    fn complete(&self, task: &TaskId, result: Result<T, E>) -> bool {
        self.ask(result, |join, result| join.complete_task(task, result), Join::waker)
    }

    fn panicked(&self, panicked: Panicked) -> bool {
        self.ask(panicked, Join::panicked, Join::waker)
    }

    fn skipped(&self, task: &TaskId) {
        if let Some(join) = &mut self.0.lock().join {
            join.skipped(task);
        }
    }
}
