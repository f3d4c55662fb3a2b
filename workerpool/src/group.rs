//! Jobs that belong together: the first error cancels those that have not started.
//!
//! A group is a list of its jobs beside the pool's queue, so that a cancel reaches each of them wherever
//! it waits, and whoever waits for the group inside a pool of threads can run them. Who ends a job, by
//! running or by refusing it, counts it out; the last one tells whoever waits. Threads and tasks differ in
//! how a job waits for its group inside the pool, and in nothing else.

use crate::desk::Desk;
use crate::engine::Outcome;
use crate::error::{GroupError, JobError, Reason, drop_payload};
use crate::judge::{Judge, outcome_of};
use crate::kept::{self, wake};
use crate::primitives::{Arc, Mutex};
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::task::Waker;

/// A pool, as its groups need it.
pub(crate) trait Host: Desk + Send + Sync {
    /// A job that was accepted, whatever it gives.
    type Job: ?Sized + Send + Sync;

    fn is_void(job: &Self::Job) -> bool;
    /// Ends it if it has not started, and tells whoever waits for it; `false` if it has.
    fn abort(&self, job: &Self::Job) -> bool;
}

type Members<H> = VecDeque<Arc<<H as Host>::Job>>;

pub(crate) struct Shared<H: Host, E> {
    pub(crate) house: Arc<H>,
    state: Mutex<State<H, E>>,
}

struct State<H: Host, E> {
    /// Jobs that were accepted, or are about to be, and are not over.
    live: usize,
    /// Of those, jobs that were handed back and run by hand.
    #[cfg(feature = "sync")]
    outside: usize,
    /// Those that nobody has started, and void ones between them: at most about as many.
    ///
    /// INVARIANT: empty when no job is live, or a group would keep itself alive.
    members: Members<H>,
    cancelled: bool,
    /// What the wait gives, once.
    first: Option<GroupError<E>>,
    /// Of whoever waits.
    waker: Option<Waker>,
    /// It is a worker of the pool that waits, and counts as blocked.
    parked: bool,
}

impl<H: Host, E> Shared<H, E> {
    pub(crate) fn new(house: &Arc<H>) -> Arc<Self> {
        let state = State {
            live: 0,
            #[cfg(feature = "sync")]
            outside: 0,
            members: Members::<H>::new(),
            cancelled: false,
            first: None,
            waker: None,
            parked: false,
        };
        Arc::new(Self { house: Arc::clone(house), state: Mutex::new(state) })
    }

    /// Counts a job in, before it is placed: it may be over before the pool says that it was accepted.
    pub(crate) fn admit(&self, member: Arc<H::Job>) -> Result<(), Reason> {
        const FEW: usize = 64;
        let mut state = self.state.lock();
        if state.cancelled {
            drop(state);
            return Err(Reason::Cancelled);
        }
        state.live += 1;
        let mut void = Members::<H>::new();
        if state.members.len() >= FEW.max(state.live * 2) {
            let all = mem::take(&mut state.members);
            let (gone, kept) = all.into_iter().partition(|member| H::is_void(member));
            (void, state.members) = (gone, kept);
        }
        state.members.push_back(member);
        // A worker that waits for the group may be the only one who can run it.
        let waker = if state.parked { state.waker.take() } else { None };
        drop(state);
        drop_payload(void);
        wake(waker);
        Ok(())
    }

    /// A job is over, or was not accepted after all.
    pub(crate) fn end(&self) {
        let mut state = self.state.lock();
        state.live -= 1;
        if state.live > 0 {
            return;
        }
        let (void, waker) = (mem::take(&mut state.members), state.waker.take());
        let parked = mem::take(&mut state.parked);
        drop(state);
        if parked {
            // First: whoever is told next counts again.
            self.house.engine().unblock();
        }
        wake(waker);
        drop_payload(void);
    }

    /// Ends what has not started. Gives the error back if it is not the first.
    pub(crate) fn fail(&self, error: GroupError<E>) -> Option<GroupError<E>> {
        let mut state = self.state.lock();
        if state.cancelled {
            drop(state);
            return Some(error);
        }
        state.cancelled = true;
        state.first = Some(error);
        let members = mem::take(&mut state.members);
        drop(state);
        let refused = members.iter().filter(|member| self.house.abort(member)).count();
        if refused > 0 {
            self.house.engine().withdraw_many(refused, None);
        }
        drop_payload(members);
        None
    }

    /// What the group makes of a result, before its handle has it.
    fn judge<T>(&self, result: Result<Result<T, E>, JobError>) -> (Result<T, JobError>, Outcome) {
        match result {
            Ok(Ok(value)) => (Ok(value), Outcome::Completed),
            Ok(Err(error)) => {
                drop_payload(self.fail(GroupError::Failed(error)));
                (Err(JobError::Failed), Outcome::Failed)
            }
            Err(error) => {
                let outcome = outcome_of(&error);
                // The handle has the panic's words if the group has the panic.
                let twin = error.twin();
                match self.fail(GroupError::Job(error)) {
                    Some(GroupError::Job(own)) => (Err(own), outcome),
                    _ => (Err(twin), outcome),
                }
            }
        }
    }

    pub(crate) fn poll(&self, waker: &Waker) -> Option<Result<(), GroupError<E>>> {
        let over = |state: &mut State<H, E>| {
            (state.live == 0).then(|| state.first.take().map_or(Ok(()), Err))
        };
        kept::poll(&self.state, waker, over, |state| &mut state.waker)
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.state.lock().cancelled
    }

    /// Jobs that were accepted, or are about to be, and are not over.
    pub(crate) fn live(&self) -> usize {
        self.state.lock().live
    }

    pub(crate) fn tell(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock();
        let (pending, cancelled) = (state.live, state.cancelled);
        drop(state);
        f.debug_struct("GroupHandle")
            .field("pending", &pending)
            .field("cancelled", &cancelled)
            .finish_non_exhaustive()
    }
}

/// What a worker needs that waits for a group on its thread.
#[cfg(feature = "sync")]
impl<H: Host, E> Shared<H, E> {
    /// A job of the group that nobody has started, as far as is known.
    pub(crate) fn take_member(&self) -> Option<Arc<H::Job>> {
        self.state.lock().members.pop_front()
    }

    pub(crate) fn return_member(&self, member: Arc<H::Job>) {
        self.state.lock().members.push_front(member);
    }

    pub(crate) fn has_members(&self) -> bool {
        !self.state.lock().members.is_empty()
    }

    /// Whether workers of the pool run all that is left of it, but for what nobody has started if whoever
    /// waits `looks` for that.
    pub(crate) fn needs_workers(&self, looks: bool) -> bool {
        let state = self.state.lock();
        state.outside == 0 && (!looks || state.members.is_empty())
    }

    /// Notes that a worker parks until it is over; `false` if it is.
    pub(crate) fn note_parked(&self) -> bool {
        let mut state = self.state.lock();
        state.parked = state.live > 0;
        state.parked
    }

    /// Takes the note back; `false` if whoever ended the last job has taken it.
    pub(crate) fn take_note(&self) -> bool {
        mem::take(&mut self.state.lock().parked)
    }
}

/// Of a job of a group: what happens to it, its group hears first.
pub(crate) struct OfGroup<H: Host, E>(pub(crate) Arc<Shared<H, E>>);

impl<H: Host, T: Send, E: Send> Judge<Result<T, E>> for OfGroup<H, E> {
    type Value = T;

    fn judge(&self, result: Result<Result<T, E>, JobError>) -> (Result<T, JobError>, Outcome) {
        self.0.judge(result)
    }

    fn over(&self) {
        self.0.end();
    }

    #[cfg(feature = "sync")]
    fn outside(&self) {
        self.0.state.lock().outside += 1;
    }
}
