//! What the models of groups share: groups of the model's threads.

use super::token_support::Count;
use crate::core::{Core, Verdict};
use crate::error::{Payload, Spawned, TaskId};
use crate::join::{FirstError, Join};
use crate::primitives::{Arc, thread};
use crate::thread::Cx;
use crate::thread::crew::{Crew, Origin, Starter};
use crate::{Builder, Cause, Error};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

pub(super) type Policy = FirstError<&'static str>;
pub(super) type Outcome = Result<(), Error<&'static str>>;
pub(super) type Inside = Cx<'static, 'static, (), &'static str>;
pub(super) type Done = Result<(), &'static str>;

type TheCrew = Crew<'static, 'static, (), &'static str>;
// LOOM: no lock of the model's: handles are no part of any algorithm.
type Handles = Arc<Mutex<Vec<thread::JoinHandle<()>>>>;

/// A group of the model's threads, and what a scope does with it.
pub(super) struct Threads {
    pub(super) crew: Arc<TheCrew>,
    verdict: Arc<Verdict<Policy>>,
    handles: Handles,
}

pub(super) fn builder() -> Builder<Policy> {
    Builder::new()
}

impl Threads {
    pub(super) fn new(builder: Builder<Policy>) -> Self {
        let handles = Handles::default();
        let starter: Starter<'static, 'static, (), &'static str> = {
            let handles = Arc::clone(&handles);
            Box::new(move |crew| {
                let handle = thread::spawn(move || crew.serve());
                handles.lock().unwrap().push(handle);
                Ok(())
            })
        };
        let (crew, verdict) = Crew::new(builder, starter);
        Self { crew, verdict, handles }
    }

    pub(super) fn limited(limit: usize) -> Self {
        Self::new(builder().limit(limit))
    }

    /// `limit` run, and none waits.
    pub(super) fn tight(limit: usize) -> Self {
        Self::new(builder().limit(limit).backlog(0))
    }

    pub(super) fn spawn<F>(&self, task: F) -> Spawned<F>
    where
        F: FnOnce(&Inside) -> Done + Send + 'static,
    {
        spawn(&self.crew, task)
    }

    pub(super) fn try_spawn<F>(&self, task: F) -> bool
    where
        F: FnOnce(&Inside) -> Done + Send + 'static,
    {
        self.crew.try_spawn(&Origin::Outside, None, task).is_ok()
    }

    /// Waits without a hand in it, so that the group's own threads have to do it.
    pub(super) fn watch(&self) {
        assert!(self.crew.wait_quiet(true));
    }

    /// The end of a scope.
    pub(super) fn join(self) -> Outcome {
        self.crew.wait_quiet(false);
        self.end()
    }

    /// The end, after a wait.
    pub(super) fn end(self) -> Outcome {
        self.crew.pool.dismiss();
        loop {
            let handle = self.handles.lock().unwrap().pop();
            let Some(handle) = handle else { break };
            handle.join().unwrap();
        }
        let numbers = self.crew.pool.numbers();
        assert_eq!((numbers.running, numbers.queued), (0, 0), "all is given back");
        self.crew.core.conclude(&self.verdict, Vec::new())
    }
}

pub(super) fn spawn<F>(crew: &Arc<TheCrew>, task: F) -> Spawned<F>
where
    F: FnOnce(&Inside) -> Done + Send + 'static,
{
    crew.spawn(&Origin::Outside, None, task)
}

/// A group without anybody who runs its tasks: what they end with is told to it.
pub(super) struct Told<T: 'static, J> {
    pub(super) core: Arc<Core<'static, T, &'static str>>,
    verdict: Arc<Verdict<J>>,
}

impl<T: Send, J: Join<T, &'static str> + 'static> Told<T, J> {
    pub(super) fn new(builder: Builder<J>) -> Self {
        let (core, verdict) = Core::new(builder);
        Self { core: Arc::new(core), verdict }
    }

    /// A thread in which the task at `index` runs.
    pub(super) fn task(
        &self,
        index: usize,
        run: impl FnOnce(&Core<'static, T, &'static str>) -> Result<T, &'static str> + Send + 'static,
    ) -> thread::JoinHandle<()> {
        let core = Arc::clone(&self.core);
        thread::spawn(move || core.settle(&id(index), || Some(run(&core))))
    }

    pub(super) fn conclude(&self) -> J::Output {
        self.core.conclude(&self.verdict, Vec::new())
    }

    pub(super) fn abandon(&self, payload: Payload) -> ! {
        self.core.abandon(&self.verdict, payload)
    }
}

pub(super) const fn id(index: usize) -> TaskId {
    TaskId { index, name: None }
}

/// The index of the task that a cause names.
#[track_caller]
pub(super) fn blamed(cause: Option<Cause>) -> usize {
    match cause {
        Some(Cause::Task { index, .. } | Cause::Panic { index, .. }) => index,
        other => panic!("no task is the cause: {other:?}"),
    }
}

/// A panic that no hook tells of.
pub(super) fn quiet_panic(text: &'static str) -> ! {
    std::panic::resume_unwind(Box::new(text))
}

/// The text with which `run` panics.
#[track_caller]
pub(super) fn panic_of<R>(run: impl FnOnce() -> R) -> &'static str {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(_) => panic!("it should panic"),
        Err(payload) => *payload.downcast::<&'static str>().expect("a text of the model's"),
    }
}

/// Counts when it is dropped.
pub(super) struct Dropped(pub(super) Arc<Count>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.add();
    }
}
