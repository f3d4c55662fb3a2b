//! What the workloads ask of a group and of a token: each trait one ability, since not every rival
//! has all.

use crate::harness::Subject;
use std::future::Future;
use std::time::Duration;

/// Runs tasks that borrow in threads.
pub trait Threads: Subject + 'static {
    /// Runs `task` so many times, at most `limit` at once, and waits for all.
    fn run<F: Fn() + Sync>(limit: usize, tasks: usize, task: &F);
}

/// Runs a body for each item of a slice, in so many threads.
pub trait Slices: Subject + 'static {
    fn for_each<F: Fn(&u64) + Sync>(threads: usize, items: &[u64], body: &F);
}

/// What each task does: it gives its number.
pub trait Work: 'static {
    fn task(number: u64) -> impl Future<Output = Result<u64, ()>> + Send + 'static;
}

/// The sum of what the tasks gave, if somebody looked at it.
pub type Sum = Option<u64>;

/// Runs tasks of tokio's that are [`Empty`](crate::tasks::Empty), without a limit, and hands all results over.
pub trait Keep: Subject + 'static {
    fn keep(tasks: u64) -> impl Future<Output = Sum> + Send + 'static;
}

/// The same, and nobody wants to know the results.
pub trait Discard: Subject + 'static {
    fn discard(tasks: u64) -> impl Future<Output = Sum> + Send + 'static;
}

/// Runs tasks of tokio's, at most `limit` at once.
pub trait Limit: Subject + 'static {
    fn limit<W: Work>(limit: usize, tasks: u64) -> impl Future<Output = Sum> + Send + 'static;
}

/// Runs tasks of tokio's that wait for the end, and one that fails when all others wait.
pub trait Fail: Subject + 'static {
    /// From the error to the moment when all have ended and who waits for them goes on.
    fn fail(tasks: usize) -> impl Future<Output = Duration> + Send + 'static;
}

/// Holds tasks of tokio's that wait for the end, all at the same time.
pub trait Crowd: Subject + Send + Sync + Sized + 'static {
    fn new() -> Self;

    /// Spawns a task that begins, waits for the end and ends (see `blocked.rs`).
    fn spawn(&mut self) -> impl Future<Output = ()> + Send;

    fn cancel(&self);

    fn join(self) -> impl Future<Output = ()> + Send;
}

/// Says once that it is over.
pub trait Flag: Subject + Send + Sync + 'static {
    fn new() -> Self;

    fn cancel(&self);

    fn is_cancelled(&self) -> bool;
}

/// Many own it.
pub trait Token: Flag + Clone {}

/// Has tokens beneath it.
pub trait Tree: Token {
    fn child(&self) -> Self;
}

/// A task waits for it.
pub trait Wait: Subject + Send + Sync + 'static {
    fn new() -> Self;

    fn wait(&self) -> impl Future;
}

/// A thread waits for it.
pub trait Park: Subject + Send + Sync + 'static {
    fn new() -> Self;

    fn cancel(&self);

    fn park(&self);
}
