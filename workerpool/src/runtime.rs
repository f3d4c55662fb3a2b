//! Where the tasks of a pool run: a runtime of tokio's. Models have one of their own.

use std::future::Future;
use tokio::runtime::{EnterGuard, Handle};

#[derive(Clone, Debug)]
pub(crate) struct Runtime(Handle);

impl Runtime {
    pub(crate) const fn of(handle: Handle) -> Self {
        Self(handle)
    }

    /// The one in which this is called.
    pub(crate) fn current() -> Option<Self> {
        Handle::try_current().ok().map(Self)
    }

    /// If the runtime is shut down, the future is dropped before this returns.
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        drop(self.0.spawn(future));
    }

    /// What is polled on a thread of somebody else's finds timers and sockets all the same.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.0.enter()
    }
}
