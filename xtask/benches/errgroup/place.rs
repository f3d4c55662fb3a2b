//! Where tasks of tokio's are spawned; of the benches that spawn some.

use std::future::Future;
use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

const WORKERS: usize = 2;

/// Where the tasks are spawned.
#[derive(Clone, Copy)]
pub enum Place {
    /// In a task of a runtime with two workers.
    Task,
    /// Outside its workers, where each spawn goes through the queue that all share.
    BlockOn,
    /// In a runtime of this thread alone.
    CurrentThread,
}

impl Place {
    pub fn run<F>(self, future: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        static WORKERS_RUNTIME: OnceLock<Runtime> = OnceLock::new();
        let workers = || {
            let build = || Builder::new_multi_thread().worker_threads(WORKERS).build();
            WORKERS_RUNTIME.get_or_init(|| build().expect("a runtime"))
        };
        match self {
            Self::Task => {
                let task = workers().spawn(future);
                workers().block_on(task).expect("a panic exits")
            }
            Self::BlockOn => workers().block_on(future),
            Self::CurrentThread => {
                let runtime = Builder::new_current_thread().build().expect("a runtime");
                runtime.block_on(future)
            }
        }
    }
}
