//! Random scripts against a reference that is too simple to be wrong: what runs, what is refused,
//! and which error is the first.
//!
//! After each operation the group is given time to come to rest, so that the reference can do one
//! thing after the other: a task is over at once, or held until the script lets it go.
#![cfg(any(feature = "sync", feature = "async"))]

use crate::support::within_patience;
use lockgate_errgroup::join::FirstError;
use lockgate_errgroup::{Builder, CancelToken, Cause, Error, OnPanic, TaskId, TrySpawnError};
use proptest::prelude::*;
use proptest::sample::Index;
use std::sync::{Arc, Mutex};

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    Good,
    Error,
    Panic,
}

#[derive(Clone, Debug)]
enum Op {
    /// A task that is over at once. Where it would have to wait for a place, it is only tried.
    Spawn(End),
    TrySpawn(End),
    /// A task that is held.
    Hold(End),
    LetGo(Index),
    Cancel,
    SetLimit(usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let end = || prop_oneof![8 => Just(End::Good), 1 => Just(End::Error), 1 => Just(End::Panic)];
    let op = prop_oneof![
        6 => end().prop_map(Op::Spawn),
        4 => end().prop_map(Op::TrySpawn),
        6 => end().prop_map(Op::Hold),
        6 => any::<Index>().prop_map(Op::LetGo),
        1 => Just(Op::Cancel),
        2 => (1..5_usize).prop_map(Op::SetLimit),
    ];
    prop::collection::vec(op, 0..40)
}

/// What becomes of a spawn.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Accepted(usize),
    Full,
    Cancelled,
}

/// What has ended a group.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Why {
    Error(usize),
    Panic(usize),
    Request,
}

/// The reference: a counter, those who are held, and the first that went wrong.
#[derive(Debug)]
struct Reference {
    limit: usize,
    run_all: bool,
    next: usize,
    held: Vec<(usize, End)>,
    ran: Vec<usize>,
    /// The token's cause.
    cause: Option<Why>,
    /// What the join gives: an error of a task counts after a request too.
    verdict: Option<Why>,
}

impl Reference {
    fn spawn(&mut self, end: End, holds: bool) -> Fate {
        if self.cause.is_some() && !self.run_all {
            return Fate::Cancelled;
        }
        if self.held.len() >= self.limit {
            return Fate::Full;
        }
        let index = self.next;
        self.next += 1;
        self.ran.push(index);
        if holds {
            self.held.push((index, end));
        } else {
            self.end(index, end);
        }
        Fate::Accepted(index)
    }

    fn end(&mut self, index: usize, end: End) {
        let why = match end {
            End::Good => return,
            End::Error => Why::Error(index),
            End::Panic => Why::Panic(index),
        };
        self.cause.get_or_insert(why);
        if matches!(self.verdict, None | Some(Why::Request)) {
            self.verdict = Some(why);
        }
    }

    fn cancel(&mut self) {
        self.cause.get_or_insert(Why::Request);
        self.verdict.get_or_insert(Why::Request);
    }
}

fn why(token: &CancelToken) -> Option<Why> {
    match token.cause()? {
        Cause::Task { index, .. } => Some(Why::Error(index)),
        Cause::Panic { index, .. } => Some(Why::Panic(index)),
        Cause::Requested => Some(Why::Request),
        other => panic!("not by this script: {other}"),
    }
}

fn verdict(outcome: Result<(), Error<usize>>) -> Option<Why> {
    match outcome {
        Ok(()) => None,
        Err(Error::Task { index, error, .. }) => {
            assert_eq!(index, error, "its own error");
            Some(Why::Error(index))
        }
        Err(Error::Panicked(panicked)) => Some(Why::Panic(panicked.task().index())),
        Err(Error::Cancelled(Cause::Requested)) => Some(Why::Request),
        Err(other) => panic!("not by this script: {other}"),
    }
}

/// What a task does, in either world: says that it runs, waits at its gate, and ends.
#[derive(Clone, Debug)]
struct Task {
    log: Arc<Mutex<Vec<usize>>>,
    gate: CancelToken,
    end: End,
}

impl Task {
    fn starts(&self, index: usize) {
        self.log.lock().unwrap().push(index);
    }

    fn ends(&self, index: usize) -> Result<(), usize> {
        match self.end {
            End::Good => Ok(()),
            End::Error => Err(index),
            // Without the hook, which would tell of each.
            End::Panic => std::panic::resume_unwind(Box::new(index)),
        }
    }
}

/// A group of threads or of tasks, driven by one thread.
trait World {
    fn new(builder: Builder<FirstError<usize>>) -> Self;
    fn spawn(&self, task: Task) -> Fate;
    fn try_spawn(&self, task: Task) -> Fate;
    fn set_limit(&self, limit: usize);
    fn token(&self) -> &CancelToken;
    /// Waits until so many run and no more are about to, and until `over` all the same: a task
    /// that counts as one that runs may not have said so.
    fn rest(&self, running: usize, over: impl Fn() -> bool);
    fn join(self) -> Result<(), Error<usize>>;
}

fn fate<F>(spawned: Result<TaskId, TrySpawnError<F>>) -> Fate {
    match spawned {
        Ok(id) => Fate::Accepted(id.index()),
        Err(error) if error.is_full() => Fate::Full,
        Err(_) => Fate::Cancelled,
    }
}

fn run<W: World>(limit: usize, run_all: bool, ops: Vec<Op>) {
    let builder = Builder::new().limit(limit).on_panic(OnPanic::Error);
    let group = W::new(if run_all { builder.run_all() } else { builder });
    let (held, ran, cause, verdict_of) = (Vec::new(), Vec::new(), None, None);
    let mut model = Reference { limit, run_all, next: 0, held, ran, cause, verdict: verdict_of };
    let (log, mut gates) = (Arc::new(Mutex::new(Vec::new())), Vec::new());
    for op in ops {
        match op {
            Op::Spawn(end) | Op::TrySpawn(end) | Op::Hold(end) => {
                let (holds, gate) = (matches!(op, Op::Hold(_)), CancelToken::new());
                let task = Task { log: Arc::clone(&log), gate: gate.clone(), end };
                let wanted = model.spawn(end, holds);
                if holds && wanted != Fate::Full && wanted != Fate::Cancelled {
                    gates.push(gate);
                } else {
                    gate.cancel();
                }
                let tries = matches!(op, Op::TrySpawn(_)) || wanted == Fate::Full;
                let fate = if tries { group.try_spawn(task) } else { group.spawn(task) };
                assert_eq!(fate, wanted, "{op:?}");
            }
            Op::LetGo(_) if gates.is_empty() => {}
            Op::LetGo(which) => {
                let which = which.index(gates.len());
                let (index, end) = model.held.remove(which);
                model.end(index, end);
                gates.remove(which).cancel();
            }
            Op::Cancel => {
                model.cancel();
                group.token().cancel();
            }
            Op::SetLimit(limit) => {
                model.limit = limit;
                group.set_limit(limit);
            }
        }
        group.rest(model.held.len(), || log.lock().unwrap().len() >= model.ran.len());
        assert_eq!(*log.lock().unwrap(), model.ran, "what ran");
        assert_eq!(why(group.token()), model.cause, "why it is cancelled");
    }
    for gate in gates {
        gate.cancel();
        let (index, end) = model.held.remove(0);
        model.end(index, end);
        group.rest(model.held.len(), || true);
    }
    let token = group.token().clone();
    assert_eq!(verdict(group.join()), model.verdict);
    if model.cause.is_some() {
        assert_eq!(why(&token), model.cause, "it stays");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[cfg(feature = "sync")]
    #[test]
    fn threads_do_what_the_reference_does(
        limit in 1..4_usize, run_all in any::<bool>(), ops in ops()
    ) {
        within_patience(move || run::<threads::Threads>(limit, run_all, ops));
    }

    #[cfg(feature = "async")]
    #[test]
    fn tasks_do_what_the_reference_does(
        limit in 1..4_usize, run_all in any::<bool>(), ops in ops()
    ) {
        within_patience(move || run::<tasks::Tasks>(limit, run_all, ops));
    }
}

#[cfg(feature = "sync")]
mod threads {
    use super::{Fate, Task, World, fate};
    use crate::support::until;
    use lockgate_errgroup::join::FirstError;
    use lockgate_errgroup::thread::{Cx, Group};
    use lockgate_errgroup::{Builder, CancelToken, Error};

    pub(super) struct Threads(Group<(), usize>);

    fn closure(
        task: Task,
    ) -> impl FnOnce(&Cx<'static, 'static, (), usize>) -> Result<(), usize> + Send {
        move |cx| {
            let index = cx.id().unwrap().index();
            task.starts(index);
            task.gate.cancelled().wait();
            task.ends(index)
        }
    }

    impl World for Threads {
        fn new(builder: Builder<FirstError<usize>>) -> Self {
            Self(Group::build(builder).unwrap())
        }

        fn spawn(&self, task: Task) -> Fate {
            let spawned = self.0.spawn(closure(task)).accepted();
            spawned.map_or(Fate::Cancelled, |id| Fate::Accepted(id.index()))
        }

        fn try_spawn(&self, task: Task) -> Fate {
            fate(self.0.try_spawn(closure(task)))
        }

        fn set_limit(&self, limit: usize) {
            self.0.set_limit(limit).unwrap();
        }

        fn token(&self) -> &CancelToken {
            self.0.token()
        }

        fn rest(&self, running: usize, over: impl Fn() -> bool) {
            until("it has come to rest", || {
                let snapshot = self.0.snapshot();
                (snapshot.running, snapshot.queued) == (running, 0) && over()
            });
        }

        fn join(self) -> Result<(), Error<usize>> {
            self.0.join().wait()
        }
    }
}

#[cfg(feature = "async")]
mod tasks {
    use super::{Fate, Task, World, fate};
    use crate::support::tasks::{Boxed, current_thread, until};
    use lockgate_errgroup::join::FirstError;
    use lockgate_errgroup::task::{Cx, Group};
    use lockgate_errgroup::{Builder, CancelToken, Error};
    use tokio::runtime::Runtime;

    pub(super) struct Tasks(Runtime, Group<(), usize>);

    fn closure(task: Task) -> impl FnOnce(Cx<(), usize>) -> Boxed<Result<(), usize>> + Send {
        move |cx| {
            Box::pin(async move {
                let index = cx.id().index();
                task.starts(index);
                task.gate.cancelled().await;
                task.ends(index)
            })
        }
    }

    impl World for Tasks {
        fn new(builder: Builder<FirstError<usize>>) -> Self {
            let runtime = current_thread();
            let group = runtime.block_on(async { Group::build(builder).unwrap() });
            Self(runtime, group)
        }

        fn spawn(&self, task: Task) -> Fate {
            let spawned = self.0.block_on(self.1.spawn(closure(task))).accepted();
            spawned.map_or(Fate::Cancelled, |id| Fate::Accepted(id.index()))
        }

        fn try_spawn(&self, task: Task) -> Fate {
            fate(self.1.try_spawn(closure(task)))
        }

        fn set_limit(&self, limit: usize) {
            self.1.set_limit(limit).unwrap();
        }

        fn token(&self) -> &CancelToken {
            self.1.token()
        }

        fn rest(&self, running: usize, over: impl Fn() -> bool) {
            self.0.block_on(until("it has come to rest", || {
                let snapshot = self.1.snapshot();
                (snapshot.running, snapshot.queued) == (running, 0) && over()
            }));
        }

        fn join(self) -> Result<(), Error<usize>> {
            let Self(runtime, group) = self;
            runtime.block_on(group.join())
        }
    }
}
