//! Random operations, one after the other, against a reference that is too simple to be wrong.
//!
//! After each operation everything that can be seen of the semaphore, of each wait and of each
//! waker has to be what the reference says.
#![cfg(feature = "async")]

use crate::support::tasks::poll;
use crate::support::{Wakes, bounded};
use lockgate_semaphore::{
    AcquireError, AcquireOwned, IdleOwned, OwnedPermit, Semaphore, TryAcquireError,
};
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::Arc;
use std::task::Poll;

/// What is asked for: `(min, max)`, or everything.
#[derive(Clone, Copy, Debug)]
enum Need {
    UpTo(usize, usize),
    All,
}

type Verdict = Result<usize, AcquireError>;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// Not polled yet.
    New,
    Queued,
    /// To be told at the next poll.
    Settled(Verdict),
    /// Told, or dropped.
    Over,
}

/// The reference: who holds how much, and who waits, in a list.
struct Reference {
    limit: usize,
    held: usize,
    closed: bool,
    max_waiters: usize,
    /// Indices of requests, in order.
    line: Vec<usize>,
    requests: Vec<(Need, Stage)>,
    /// Waits for idleness; `Settled` for those that are over and not told.
    idles: Vec<Stage>,
}

impl Reference {
    fn free(&self) -> usize {
        self.limit.saturating_sub(self.held)
    }

    fn least_and_most(&self, need: Need) -> (usize, usize) {
        match need {
            Need::UpTo(min, max) => (min, max),
            Need::All => (self.limit.max(1), self.limit),
        }
    }

    /// The outcome of a request that comes now, if it need not queue.
    fn ask(&mut self, need: Need) -> Option<Verdict> {
        let (least, most) = self.least_and_most(need);
        if self.closed {
            return Some(Err(AcquireError::Closed));
        }
        if least > self.limit {
            let limit = self.limit;
            return Some(Err(AcquireError::ExceedsLimit { requested: least, limit }));
        }
        if self.line.is_empty() && least <= self.free() {
            let taken = most.min(self.free());
            self.held += taken;
            return Some(Ok(taken));
        }
        (least == 0).then_some(Ok(0))
    }

    /// Fails who can never be served, and serves from the front.
    fn settle(&mut self) {
        for waiting in std::mem::take(&mut self.line) {
            let need = self.requests[waiting].0;
            let (least, most) = self.least_and_most(need);
            let verdict = if self.closed {
                Err(AcquireError::Closed)
            } else if least > self.limit {
                Err(AcquireError::ExceedsLimit { requested: least, limit: self.limit })
            } else if self.line.is_empty() && least <= self.free() {
                Ok(most.min(self.free()))
            } else {
                self.line.push(waiting);
                continue;
            };
            self.held += verdict.unwrap_or(0);
            self.requests[waiting].1 = Stage::Settled(verdict);
        }
        if self.held == 0 && self.line.is_empty() {
            for idle in self.idles.iter_mut().filter(|idle| **idle == Stage::Queued) {
                *idle = Stage::Settled(Ok(0));
            }
        }
    }

    fn poll(&mut self, request: usize) -> Option<Verdict> {
        let (need, stage) = self.requests[request];
        let verdict = match stage {
            Stage::New => self.ask(need).or_else(|| {
                let full = AcquireError::QueueFull { max_waiters: self.max_waiters };
                (self.line.len() >= self.max_waiters).then_some(Err(full))
            }),
            Stage::Settled(verdict) => Some(verdict),
            Stage::Queued => None,
            Stage::Over => unreachable!("it is not polled any more"),
        };
        self.requests[request].1 = if verdict.is_some() { Stage::Over } else { Stage::Queued };
        if verdict.is_none() && stage == Stage::New {
            self.line.push(request);
        }
        verdict
    }

    fn cancel(&mut self, request: usize) {
        if let Stage::Settled(Ok(granted)) = self.requests[request].1 {
            self.held -= granted;
        }
        self.requests[request].1 = Stage::Over;
        self.line.retain(|&waiting| waiting != request);
        self.settle();
    }

    fn poll_idle(&mut self, idle: usize) -> bool {
        let idle_now = self.held == 0 && self.line.is_empty();
        let stage = &mut self.idles[idle];
        let ends = match *stage {
            Stage::New => idle_now,
            Stage::Queued => false,
            Stage::Settled(_) => true,
            Stage::Over => unreachable!("it is not polled any more"),
        };
        *stage = if ends { Stage::Over } else { Stage::Queued };
        ends
    }

    fn release(&mut self, permits: usize) {
        self.held -= permits;
        self.settle();
    }

    fn forget(&mut self, permits: usize) {
        self.held -= permits;
        self.limit = self.limit.saturating_sub(permits);
        self.settle();
    }
}

#[derive(Clone, Debug)]
enum Op {
    /// Makes a wait and does not poll it.
    Make(Need),
    /// Makes a wait and polls it.
    Acquire(Need),
    /// Polls a wait again, or for the first time; `true`: from another task.
    Poll(Index, bool),
    Cancel(Index),
    Try(Need),
    Idle,
    PollIdle(Index, bool),
    CancelIdle(Index),
    Release(Index),
    ReleaseSome(Index, usize),
    Split(Index, usize),
    Merge(Index, Index),
    Forget(Index),
    SetLimit(usize),
    Close,
}

fn any_need() -> impl Strategy<Value = Need> {
    prop_oneof![
        6 => (0..6usize).prop_map(|n| Need::UpTo(n, n)),
        2 => (0..6usize, 0..6usize).prop_map(|(min, more)| Need::UpTo(min, min + more)),
        1 => Just(Need::All),
    ]
}

fn any_op() -> impl Strategy<Value = Op> {
    let at = any::<Index>;
    prop_oneof![
        2 => any_need().prop_map(Op::Make),
        12 => any_need().prop_map(Op::Acquire),
        10 => (at(), any::<bool>()).prop_map(|(wait, moved)| Op::Poll(wait, moved)),
        6 => at().prop_map(Op::Cancel),
        4 => any_need().prop_map(Op::Try),
        2 => Just(Op::Idle),
        2 => (at(), any::<bool>()).prop_map(|(wait, moved)| Op::PollIdle(wait, moved)),
        1 => at().prop_map(Op::CancelIdle),
        10 => at().prop_map(Op::Release),
        3 => (at(), 0..4usize).prop_map(|(permit, n)| Op::ReleaseSome(permit, n)),
        2 => (at(), 0..4usize).prop_map(|(permit, n)| Op::Split(permit, n)),
        2 => (at(), at()).prop_map(|(one, other)| Op::Merge(one, other)),
        1 => at().prop_map(Op::Forget),
        4 => (0..8usize).prop_map(Op::SetLimit),
        1 => prop_oneof![9 => Just(Op::SetLimit(5)), 1 => Just(Op::Close)],
    ]
}

/// A wait with the waker of its last poll and those of the polls before.
struct Wait<F> {
    future: Option<F>,
    wakes: Arc<Wakes>,
    /// Each with how often it had been called when it was replaced.
    old: Vec<(Arc<Wakes>, usize)>,
}

impl<F: Future + Unpin> Wait<F> {
    fn new(future: F) -> Self {
        Self { future: Some(future), wakes: Wakes::new(), old: Vec::new() }
    }

    fn poll(&mut self, moved: bool) -> Option<F::Output> {
        if moved {
            let old = std::mem::replace(&mut self.wakes, Wakes::new());
            let calls = old.count();
            self.old.push((old, calls));
        }
        match poll(self.future.as_mut()?, &self.wakes.waker()) {
            Poll::Ready(output) => {
                self.future = None;
                Some(output)
            }
            Poll::Pending => None,
        }
    }

    /// Who is settled was woken, exactly once and by the waker of its last poll; and a waker is
    /// kept for those alone who are queued.
    fn check(&self, stage: Stage) {
        assert_eq!(self.future.is_none(), stage == Stage::Over);
        let kept = Arc::strong_count(&self.wakes) - 1;
        assert_eq!(kept, usize::from(stage == Stage::Queued), "{stage:?}");
        match stage {
            Stage::New | Stage::Queued => assert_eq!(self.wakes.count(), 0, "{stage:?}"),
            Stage::Settled(_) => assert_eq!(self.wakes.count(), 1, "{stage:?}"),
            Stage::Over => assert!(self.wakes.count() <= 1),
        }
        for (old, calls) in &self.old {
            assert_eq!((old.count(), Arc::strong_count(old)), (*calls, 1), "a waker of the past");
        }
    }
}

/// The semaphore, and all that its users have in hand.
struct World {
    sem: Arc<Semaphore>,
    waits: Vec<Wait<AcquireOwned>>,
    idles: Vec<Wait<IdleOwned>>,
    permits: Vec<OwnedPermit>,
    reference: Reference,
}

impl World {
    fn new(permits: usize, max_waiters: usize) -> Self {
        Self {
            sem: bounded(permits, max_waiters),
            waits: Vec::new(),
            idles: Vec::new(),
            permits: Vec::new(),
            reference: Reference {
                limit: permits,
                held: 0,
                closed: false,
                max_waiters,
                line: Vec::new(),
                requests: Vec::new(),
                idles: Vec::new(),
            },
        }
    }

    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Make(need) => self.make(need),
            Op::Acquire(need) => {
                self.make(need);
                self.poll(self.waits.len() - 1, false);
            }
            Op::Poll(wait, moved) => {
                if let Some(wait) = pick(&wait, &self.waits, |wait| wait.future.is_some()) {
                    self.poll(wait, moved);
                }
            }
            Op::Cancel(wait) => {
                if let Some(wait) = pick(&wait, &self.waits, |wait| wait.future.is_some()) {
                    self.waits[wait].future = None;
                    self.reference.cancel(wait);
                }
            }
            Op::Try(need) => self.attempt(need),
            Op::Idle => {
                self.idles.push(Wait::new(self.sem.wait_idle_owned()));
                self.reference.idles.push(Stage::New);
                self.poll_idle(self.idles.len() - 1, false);
            }
            Op::PollIdle(idle, moved) => {
                if let Some(idle) = pick(&idle, &self.idles, |idle| idle.future.is_some()) {
                    self.poll_idle(idle, moved);
                }
            }
            Op::CancelIdle(idle) => {
                if let Some(idle) = pick(&idle, &self.idles, |idle| idle.future.is_some()) {
                    self.idles[idle].future = None;
                    self.reference.idles[idle] = Stage::Over;
                }
            }
            Op::SetLimit(limit) => {
                let set = self.sem.set_limit(limit);
                assert_eq!(set.is_ok(), limit != 0);
                if limit != 0 {
                    self.reference.limit = limit;
                    self.reference.settle();
                }
            }
            Op::Close => {
                self.sem.close();
                self.reference.closed = true;
                self.reference.settle();
            }
            Op::Release(_)
            | Op::ReleaseSome(..)
            | Op::Split(..)
            | Op::Merge(..)
            | Op::Forget(_) => {
                self.apply_to_permits(op);
            }
        }
    }

    fn apply_to_permits(&mut self, op: &Op) {
        let (Op::Release(at)
        | Op::ReleaseSome(at, _)
        | Op::Split(at, _)
        | Op::Merge(at, _)
        | Op::Forget(at)) = op
        else {
            unreachable!("an operation on permits");
        };
        let Some(at) = pick(at, &self.permits, |_| true) else { return };
        let weight = self.permits[at].weight();
        match *op {
            Op::Release(_) => {
                drop(self.permits.swap_remove(at));
                self.reference.release(weight);
            }
            Op::ReleaseSome(_, n) => {
                let released = self.permits[at].release_some(n);
                assert_eq!(released.is_ok(), n <= weight);
                if n <= weight {
                    self.reference.release(n);
                }
            }
            Op::Split(_, n) => match self.permits[at].split(n) {
                Ok(part) => {
                    assert_eq!((part.weight(), self.permits[at].weight()), (n, weight - n));
                    self.permits.push(part);
                }
                Err(_) => assert!(n > weight),
            },
            Op::Merge(_, other) => {
                let moved = self.permits.swap_remove(at);
                match pick(&other, &self.permits, |_| true) {
                    Some(other) => self.permits[other].merge(moved),
                    None => self.permits.push(moved),
                }
            }
            _ => {
                self.permits.swap_remove(at).forget();
                self.reference.forget(weight);
            }
        }
    }

    fn make(&mut self, need: Need) {
        self.waits.push(Wait::new(match need {
            Need::UpTo(min, max) if min == max => self.sem.acquire_owned(min),
            Need::UpTo(min, max) => self.sem.acquire_up_to_owned(min, max),
            Need::All => self.sem.acquire_all_owned(),
        }));
        self.reference.requests.push((need, Stage::New));
    }

    fn poll(&mut self, wait: usize, moved: bool) {
        let outcome = self.waits[wait].poll(moved);
        let expected = self.reference.poll(wait);
        let verdict = outcome
            .as_ref()
            .map(|outcome| outcome.as_ref().map(OwnedPermit::weight).map_err(|e| *e));
        assert_eq!(verdict, expected);
        self.permits.extend(outcome.and_then(Result::ok));
    }

    fn poll_idle(&mut self, idle: usize, moved: bool) {
        let ended = self.idles[idle].poll(moved).is_some();
        assert_eq!(ended, self.reference.poll_idle(idle));
    }

    fn attempt(&mut self, need: Need) {
        let attempt = match need {
            Need::UpTo(min, max) if min == max => self.sem.try_acquire_owned(min),
            Need::UpTo(min, max) => self.sem.try_acquire_up_to_owned(min, max),
            Need::All => self.sem.try_acquire_all_owned(),
        };
        let expected = match self.reference.ask(need) {
            Some(Ok(weight)) => Ok(weight),
            Some(Err(AcquireError::Closed)) => Err(TryAcquireError::Closed),
            Some(Err(AcquireError::ExceedsLimit { requested, limit })) => {
                Err(TryAcquireError::ExceedsLimit { requested, limit })
            }
            _ => Err(TryAcquireError::NoPermits),
        };
        assert_eq!(attempt.as_ref().map(OwnedPermit::weight).map_err(|error| *error), expected);
        self.permits.extend(attempt);
    }

    fn check(&self) {
        let (sem, reference) = (&*self.sem, &self.reference);
        assert_eq!(sem.limit(), reference.limit);
        assert_eq!(sem.in_use(), reference.held);
        assert_eq!(sem.available(), reference.free());
        assert_eq!(sem.waiters(), reference.line.len());
        assert_eq!(sem.is_closed(), reference.closed);
        for (wait, (_, stage)) in self.waits.iter().zip(&reference.requests) {
            wait.check(*stage);
        }
        for (idle, stage) in self.idles.iter().zip(&reference.idles) {
            idle.check(*stage);
        }
        // Each permit is in one hand, and each hand that is gone has let go of the semaphore.
        let granted = |(_, stage): &(Need, Stage)| match stage {
            Stage::Settled(Ok(weight)) => *weight,
            _ => 0,
        };
        let held: usize = self.permits.iter().map(OwnedPermit::weight).sum();
        assert_eq!(held + reference.requests.iter().map(granted).sum::<usize>(), reference.held);
        let waits = self.waits.iter().filter(|wait| wait.future.is_some()).count();
        let idles = self.idles.iter().filter(|idle| idle.future.is_some()).count();
        assert_eq!(Arc::strong_count(&self.sem), 1 + waits + idles + self.permits.len());
    }
}

/// One of those that qualify.
fn pick<T>(at: &Index, among: &[T], qualifies: impl Fn(&T) -> bool) -> Option<usize> {
    let fit: Vec<_> = (0..among.len()).filter(|&index| qualifies(&among[index])).collect();
    (!fit.is_empty()).then(|| *at.get(&fit))
}

proptest! {
    #![proptest_config(ProptestConfig {
        // No files beside the sources: a failure prints all that is needed to repeat it.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_sequence_of_operations_does_what_the_reference_does(
        permits in 1..8usize,
        max_waiters in prop_oneof![8 => Just(usize::MAX), 1 => 0..4usize],
        ops in proptest::collection::vec(any_op(), 1..80),
    ) {
        let mut world = World::new(permits, max_waiters);
        for op in &ops {
            world.apply(op);
            world.check();
        }
        let World { sem, waits, idles, permits, reference } = world;
        drop(waits);
        drop(permits);
        prop_assert_eq!((sem.in_use(), sem.waiters()), (0, 0));
        prop_assert_eq!((sem.available(), sem.limit()), (reference.limit, reference.limit));
        for mut idle in idles.into_iter().filter(|idle| idle.future.is_some()) {
            prop_assert!(idle.poll(false).is_some(), "it is idle, and every wait for that ends");
        }
        prop_assert_eq!(Arc::strong_count(&sem), 1);
    }
}
