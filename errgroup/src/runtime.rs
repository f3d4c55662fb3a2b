//! Where the tasks of a group run: a runtime of tokio's. Models have one of their own.

use std::future::Future;
use tokio::runtime::Handle;

#[derive(Debug)]
pub(crate) struct Runtime(Option<Handle>);

impl Runtime {
    /// The one in which this is called, or, outside of one, that in which each task is spawned.
    pub(crate) fn current() -> Self {
        Self(Handle::try_current().ok())
    }

    #[inline]
    pub(crate) fn spawn(&self, future: impl Future<Output = ()> + Send + 'static) {
        match &self.0 {
            Some(handle) => drop(handle.spawn(future)),
            None => drop(tokio::spawn(future)),
        }
    }
}
