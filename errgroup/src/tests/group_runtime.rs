//! The runtime of a model: none. What is spawned is kept until a thread of the model takes it,
//! to poll it or to drop it.

use crate::primitives::{Arc, future};
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
pub(crate) struct Runtime(Arc<Mutex<VecDeque<Kept>>>);

struct Kept(Spawned);

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept")
    }
}

impl Runtime {
    /// A new one, for the groups that are made from here on.
    pub(crate) fn enter() -> Self {
        let runtime = Self::default();
        CURRENT.set(runtime.clone());
        runtime
    }

    pub(crate) fn current() -> Self {
        CURRENT.with_borrow(Self::clone)
    }

    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.0.lock().unwrap().push_back(Kept(Box::pin(future)));
    }

    pub(crate) fn spawn_and_keep(&self, future: impl Future<Output = ()> + Send + 'static) {
        self.spawn(future);
    }

    /// Nothing is kept.
    pub(crate) fn release(&self) {}

    /// What was spawned first and is still here.
    pub(crate) fn take(&self) -> Option<Spawned> {
        self.0.lock().unwrap().pop_front().map(|kept| kept.0)
    }

    /// Runs what is here, and what that spawns, to its end in this thread.
    pub(crate) fn run(&self) {
        while let Some(future) = self.take() {
            future::block_on(future);
        }
    }
}
