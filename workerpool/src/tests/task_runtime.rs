//! The runtime of a model: none. What is spawned is kept until a thread of the model takes it,
//! to poll it or to drop it.

use crate::primitives::Arc;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Mutex;

pub(crate) type Spawned = Pin<Box<dyn Future<Output = ()> + Send>>;

// LOOM: the threads of a model are coroutines of one real thread: a thread-local is a global of
// the model. No step of loom's lies within the lock.
thread_local!(static CURRENT: RefCell<Runtime> = RefCell::new(Runtime::default()));

#[derive(Clone, Debug, Default)]
pub(crate) struct Runtime(Arc<Mutex<Tasks>>);

#[derive(Default)]
struct Tasks {
    kept: VecDeque<Spawned>,
    /// It is shut down: what is spawned is dropped.
    over: bool,
}

impl std::fmt::Debug for Tasks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tasks").finish_non_exhaustive()
    }
}

/// As long as the thread is in the runtime.
pub(crate) struct Entered;

impl Runtime {
    /// A new one, for the pools that are made from here on.
    pub(crate) fn install() -> Self {
        let runtime = Self::default();
        CURRENT.set(runtime.clone());
        runtime
    }

    pub(crate) fn of(_: tokio::runtime::Handle) -> Self {
        unreachable!("no model has one of tokio's")
    }

    pub(crate) fn current() -> Option<Self> {
        Some(CURRENT.with_borrow(Self::clone))
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        let mut future: Option<Spawned> = Some(Box::pin(future));
        let mut tasks = self.0.lock().unwrap();
        if !tasks.over {
            tasks.kept.extend(future.take());
        }
        drop(tasks);
        drop(future);
    }

    /// A model has nothing that a future could find in it.
    pub(crate) fn enter(&self) -> Entered {
        Entered
    }

    /// What was spawned first and is still here.
    pub(crate) fn take(&self) -> Option<Spawned> {
        self.0.lock().unwrap().kept.pop_front()
    }

    /// Drops what is here, and what comes.
    pub(crate) fn shut_down(&self) {
        self.0.lock().unwrap().over = true;
        while let Some(task) = self.take() {
            drop(task);
        }
    }
}
