//! The tasks of a group: how they are started, counted, aborted and waited for.

use super::alone::{Alone, Unnamed};
use super::cx::{Cx, Name};
use super::runner::Runner;
use crate::builder::Builder;
use crate::core::{Core, Verdict};
use crate::error::{TaskId, drop_payload};
use crate::join::Join;
use crate::pool::{Job, Place, Pool, Start};
use crate::primitives::atomic::{AtomicU8, AtomicUsize, Ordering};
use crate::primitives::{Arc, Mutex};
use crate::runtime::Runtime;
use crate::waiters::{Left, Ticket, Waiters, WakeBatch, WakePanic};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::Waker;

/// What a task does, where a runner polls it.
pub(crate) type Work<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// A group of tasks.
pub(crate) struct Crew<T, E> {
    pub(crate) core: Core<'static, T, E>,
    pub(super) mode: Mode<T, E>,
    /// Not 0 once the group is aborted.
    aborted: AtomicU8,
    /// Tasks that wait, each with the waker that an abort needs.
    waiting: Mutex<Waiters<TaskId, ()>>,
    runtime: Runtime,
}

/// How tasks become tasks of the runtime.
#[allow(clippy::large_enum_variant, reason = "there is one for each group, in an `Arc` already")]
pub(super) enum Mode<T, E> {
    /// Without a limit each is spawned by itself, and counted.
    Unlimited(Count),
    /// With one, jobs are queued, and each runner runs one after the other.
    Limited(Pool<Work<T, E>>),
}

impl<T: Send + 'static, E: Send + 'static> Crew<T, E> {
    pub(crate) fn new<J>(builder: Builder<J>) -> (Arc<Self>, Arc<Verdict<J>>)
    where
        J: Join<T, E> + 'static,
    {
        let mode = match builder.limit {
            None => Mode::Unlimited(Count::new()),
            Some(limit) => Mode::Limited(Pool::new(limit, builder.backlog)),
        };
        let (core, verdict) = Core::new(builder);
        let crew = Self {
            core,
            mode,
            aborted: AtomicU8::new(0),
            waiting: Mutex::new(Waiters::new()),
            runtime: Runtime::current(),
        };
        (Arc::new(crew), verdict)
    }

    /// Starts a task by itself, in a group without a limit; `inside` it, or from outside.
    #[inline]
    pub(super) fn launch<F, Fut>(
        self: &Arc<Self>,
        count: &Count,
        inside: bool,
        name: Option<Arc<str>>,
        task: F,
    ) -> TaskId
    where
        F: FnOnce(Cx<T, E>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let index = count.enter();
        #[cfg(feature = "tracing")]
        let task = traced(self.core.name.clone(), TaskId { index, name: name.clone() }, task);
        match name {
            None => {
                self.launch_it(inside, Alone::new(Arc::clone(self), index, Unnamed, task));
                TaskId { index, name: None }
            }
            Some(_) => {
                let name = Name::of(name);
                let id = name.id(index);
                self.launch_it(inside, Alone::new(Arc::clone(self), index, name, task));
                id
            }
        }
    }

    /// Tasks that spawn share nothing for it but the count: several may do so at a time.
    #[inline]
    fn launch_it(&self, inside: bool, task: impl Future<Output = ()> + Send + 'static) {
        if inside {
            self.runtime.spawn(task);
        } else {
            self.runtime.spawn_and_keep(task);
        }
    }

    /// Starts the runner that is needed.
    #[inline]
    pub(super) fn start(self: &Arc<Self>, start: Option<Start>) {
        if let Some(start) = start {
            self.runtime.spawn(Runner::new(Arc::clone(self), start));
        }
    }
}

impl<T, E> Crew<T, E> {
    /// Drops every task as soon as it is not being polled.
    pub(crate) fn abort(&self) {
        // ORDERING: Release pairs with the Acquire in `is_aborted`; who registers as waiting
        // after the wake-ups below looks at it under the same lock.
        self.aborted.store(1, Ordering::Release);
        if let Mode::Limited(pool) = &self.mode {
            pool.purge();
        }
        let mut batch = WakeBatch::default();
        self.waiting.lock().settle_where(&mut batch, |_| Some(()));
        let mut panic = WakePanic::default();
        batch.wake_all(&mut panic);
        drop_payload(panic);
    }

    #[inline]
    pub(super) fn is_aborted(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `abort`.
        self.aborted.load(Ordering::Acquire) != 0
    }

    /// A task waits, and `waker` is how an abort reaches it. The abort may have begun: then it is
    /// seen by a look after this.
    pub(super) fn wait(&self, id: TaskId, waker: &Waker) -> Ticket {
        let waker = waker.clone();
        self.waiting.lock().push_back(id, waker)
    }

    /// A task waits no more.
    pub(super) fn resume(&self, ticket: Ticket) {
        let left = self.waiting.lock().leave(ticket);
        if let Left::Queued(waker) = left {
            drop(waker);
        }
    }

    /// Shows every live task that is known by itself: `true` for one that started.
    pub(crate) fn visit(&self, mut show: impl FnMut(bool, TaskId)) {
        if let Mode::Limited(pool) = &self.mode {
            pool.visit(|running, index, name| show(running, TaskId { index, name: name.cloned() }));
        } else {
            self.visit_waiting(|id| show(true, id.clone()));
        }
    }

    /// Shows every task that waits.
    pub(super) fn visit_waiting(&self, show: impl FnMut(&TaskId)) {
        self.waiting.lock().for_each(show);
    }

    /// The wait for the moment when no accepted task is left.
    pub(super) fn poll_quiet(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Place {
        let place = match &self.mode {
            Mode::Unlimited(count) => count.poll_quiet(ticket, waker),
            Mode::Limited(pool) => pool.poll_quiet(ticket, waker),
        };
        if place == Place::Ready {
            self.runtime.release();
        }
        place
    }

    pub(super) fn leave_quiet(&self, ticket: Ticket) {
        match &self.mode {
            Mode::Unlimited(count) => count.leave_quiet(ticket),
            Mode::Limited(pool) => pool.leave_quiet(ticket),
        }
    }
}

/// A task that runs in its span.
#[cfg(feature = "tracing")]
pub(super) fn traced<C, F, Fut>(
    group: Option<Arc<str>>,
    id: TaskId,
    task: F,
) -> impl FnOnce(C) -> tracing::instrument::Instrumented<Fut> + Send
where
    F: FnOnce(C) -> Fut + Send,
    Fut: Future,
{
    move |cx| crate::trace::traced(group.as_deref(), &id, || task(cx))
}

/// Makes the job once it is accepted.
pub(super) fn job<T, E>(
    index: usize,
    name: Option<Arc<str>>,
    work: &mut Option<Work<T, E>>,
) -> Job<Work<T, E>> {
    match work.take() {
        Some(work) => Job { index, name, work },
        None => unreachable!("a job is made once"),
    }
}

impl<T, E> fmt::Debug for Crew<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew").field("core", &self.core).finish_non_exhaustive()
    }
}

/// How many tasks live, and who waits for the last one.
///
/// Spawns and ends are counted apart, on cache lines of their own: one word for both goes from the
/// spawner's core to the workers' and back for each task.
#[derive(Debug)]
pub(super) struct Count {
    /// How many were spawned, times `ONE`.
    entered: Apart<AtomicUsize>,
    /// How many have ended, times `ONE`, and `WAITED`.
    exited: Apart<AtomicUsize>,
    joiners: Mutex<Waiters<(), ()>>,
}

/// On a cache line of its own.
#[derive(Debug)]
#[repr(align(64))]
struct Apart<T>(T);

/// Somebody waits for the last task. Set under the lock.
const WAITED: usize = 1;
const ONE: usize = 2;

impl Count {
    fn new() -> Self {
        Self {
            entered: Apart(AtomicUsize::new(0)),
            exited: Apart(AtomicUsize::new(0)),
            joiners: Mutex::new(Waiters::new()),
        }
    }

    /// One more; its index.
    #[inline]
    pub(super) fn enter(&self) -> usize {
        // ORDERING: Relaxed: a number that nobody else gets. It publishes nothing: whoever counts
        // the task's end has it from the task, by way of `exit`.
        self.entered.0.fetch_add(ONE, Ordering::Relaxed) / ONE
    }

    pub(super) fn live(&self) -> usize {
        // ORDERING: Acquire pairs with the Release in `exit`: who has ended was spawned.
        let exited = self.exited.0.load(Ordering::Acquire) & !WAITED;
        // ORDERING: Relaxed: a snapshot.
        self.entered.0.load(Ordering::Relaxed).wrapping_sub(exited) / ONE
    }

    /// Whether all have ended that were spawned, where `exited` was found by an Acquire.
    ///
    /// INVARIANT: it is exact for what the caller may know of. Each task was spawned before it
    /// ended, by whoever waits or by a task; so the Acquire has brought every spawn but those that
    /// run beside it, and their own ends come after this one.
    fn all_of(&self, exited: usize) -> bool {
        // ORDERING: Relaxed: see above.
        self.entered.0.load(Ordering::Relaxed) == exited & !WAITED
    }

    /// One less.
    #[inline]
    pub(super) fn exit(&self) {
        // ORDERING: Release, so that what the task did happens before the join; AcqRel because the
        // last of them passes on what the others did, by way of the lock.
        let before = self.exited.0.fetch_add(ONE, Ordering::AcqRel);
        if before & WAITED != 0 && self.all_of(before.wrapping_add(ONE)) {
            self.tell_joiners();
        }
    }

    #[cold]
    fn tell_joiners(&self) {
        let mut batch = WakeBatch::default();
        let mut joiners = self.joiners.lock();
        // ORDERING: Acquire pairs with the Release in `exit`, for `all_of`. If there are new ones,
        // the last of those tells.
        if !self.all_of(self.exited.0.load(Ordering::Acquire)) {
            return;
        }
        // ORDERING: Relaxed: `exit` has acquired, and the lock passes it on.
        self.exited.0.fetch_and(!WAITED, Ordering::Relaxed);
        joiners.settle_where(&mut batch, |()| Some(()));
        drop(joiners);
        let mut panic = WakePanic::default();
        batch.wake_all(&mut panic);
        // Nobody is here to take it: the hook has told of it.
        drop_payload(panic);
    }

    fn poll_quiet(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Place {
        let fresh = waker.clone();
        let mut joiners = self.joiners.lock();
        if let Some(held) = ticket.as_ref() {
            let stale = joiners.replace_waker(held, fresh);
            let settled = joiners.leave_settled(ticket).is_some();
            drop(joiners);
            drop(stale);
            return if settled { Place::Ready } else { Place::Queued };
        }
        // ORDERING: AcqRel: an Acquire of what the tasks released, where none is left. One
        // operation announces the wait and looks: the last `exit` comes before it and is seen,
        // or after it and sees WAITED.
        if self.all_of(self.exited.0.fetch_or(WAITED, Ordering::AcqRel)) {
            // INVARIANT: while somebody is in line WAITED stands, also if the last `exit` is on
            // its way to the lock: tasks that come before it gets there leave it to their last.
            if joiners.is_empty() {
                // ORDERING: Relaxed: under the lock, where nobody else waits.
                self.exited.0.fetch_and(!WAITED, Ordering::Relaxed);
            }
            drop(joiners);
            drop(fresh);
            return Place::Ready;
        }
        *ticket = Some(joiners.push_back((), fresh));
        Place::Queued
    }

    fn leave_quiet(&self, ticket: Ticket) {
        let left = self.joiners.lock().leave(ticket);
        drop(left);
    }
}
