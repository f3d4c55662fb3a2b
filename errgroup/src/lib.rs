//! Groups of threads and of async tasks that fail together, and the token that stops them.
//!
//! ```
//! # #[cfg(feature = "sync")] {
//! use lockgate_errgroup::{Builder, thread};
//!
//! let environments = ["eu-west", "us-east", "ap-south"];
//! let deployed = thread::scope(Builder::new().limit(2), |g| {
//!     for env in &environments {
//!         g.named(*env).spawn(move |g| {
//!             g.check().map_err(|_| "not started")?; // somebody else has failed
//!             if *env == "us-east" { Err("no quota") } else { Ok(()) }
//!         });
//!     }
//! });
//! assert_eq!(deployed.unwrap_err().to_string(), "task 1 (us-east): no quota");
//! # }
//! ```
//!
//! # Threads and tasks
//!
//! | | threads | tasks |
//! |---|---|---|
//! | borrowing | [`thread::scope`](crate::thread::scope()) | [`task::scope`](crate::task::scope()): concurrent, in the task that awaits it |
//! | owning, in parallel | [`thread::Group`] | [`task::Group`], on tokio |
//! | spawn | `g.spawn(\|g\| ..)`: blocks by the backlog | `g.spawn(\|g\| async move { .. }).await` |
//! | do not wait for a place | `g.try_spawn(..)` | the same |
//! | one task for each item | [`thread::for_each`](crate::thread::for_each()), [`map`](crate::thread::map()) | [`task::for_each`](crate::task::for_each()), [`map`](crate::task::map()) |
//! | join | the scope's end; `group.join().wait()` | the scope's end; `group.join().await` |
//! | no longer than | `.wait_timeout(..)`, `.wait_deadline(..)`, of a join, an idle group, a token, a sleep | the same, or the runtime's time-out |
//! | count only | [`WaitGroup`]: `.wait()` | the same: `.await` |
//! | stop | [`CancelToken`]: `token.check()?`, `token.cancelled().wait()` | the same: `.await`, [`token.run(future)`](CancelToken::run) |
//!
//! # Semantics
//!
//! * **Failing together.** The first error in time is recorded, then the group's token is
//!   cancelled, and the join returns that error. What the others return afterwards (that they were
//!   cancelled) never counts. The token's [`Cause`] says which task it was.
//! * **Policies.** That is [`join::FirstError`]; [others](join) collect every result or error, want
//!   the first success or a quorum, tolerate some errors, or supervise. [`join::Join`] is the trait.
//! * **Limits.** `limit` bounds the tasks that run, `backlog` those that are accepted beyond; then
//!   `spawn` waits, and is woken by the cancel, or when half of the backlog is free. The default
//!   backlog is 8 times the limit, and 4000 at the least. A spawn from inside the group never
//!   waits: at the limit it runs the new task inside the one that spawns, up to 64 deep, and
//!   queues it beyond; in a `task::scope`, which polls all in one place, it is queued beyond the
//!   backlog from the start. So nested spawns neither deadlock nor overflow the stack.
//! * **Nothing starts after the cancel**, unless [`run_all`](Builder::run_all) says so. `spawn` says
//!   that it was rejected, and gives the closure back.
//! * **Threads** are started when there is something to do, reused, and never more than the limit
//!   or the tasks. Joined, all of them have ended, with the destructors of their thread-locals.
//!   Where the system refuses a thread, the others do the work, or the spawner does.
//! * **Panics** cancel the group at once; when all have ended, the first one goes on with its own
//!   payload in whoever joins. [`OnPanic`] has other ways. A payload whose own drop panics breaks
//!   nothing.
//! * **Deadlines.** At its deadline a group is cancelled. A scope joins what runs, because it
//!   borrows; a `Group` returns with what is there and names the stragglers, which are aborted
//!   (tasks) or left behind (threads). That is also the time-out for a call that takes no notice
//!   of a cancel.
//! * **Dropping** a group of tasks aborts it, a group of threads cancels it. Forgetting either
//!   leaks and does nothing else.
//! * **Memory.** A task costs one allocation. What a policy keeps is bounded and said with it. On a
//!   runtime of several threads a group of tasks without a limit keeps the memory of tasks that were
//!   spawned from outside and are over, to free it where it was allocated: about 1 MiB at the most.
//!   Each spawn frees two of them, down to the last 256 (tens of KiB, with small tasks); a join or
//!   [`wait_idle`](task::Group::wait_idle) that finds the group idle, and its drop, free all.
//!
//! # The token
//!
//! [`CancelToken`] is Go's context without the values: a tree, with a cause and a deadline, on
//! which threads and tasks wait alike. `is_cancelled()` is one load; a token without a deadline
//! never reads a clock; a child costs one allocation and leaves nothing behind.
//!
//! # When not to use it
//!
//! The figures are nanoseconds for a task that does nothing, from the README, which says how they
//! were measured. Beside tasks that do something they are small.
//!
//! * Work for the processor alone, split small: [rayon](https://docs.rs/rayon) steals better than a
//!   queue. A spawn in its scope costs about 60, one in a group of two threads 117. (Over a slice,
//!   `thread::for_each` is nearly as fast as rayon: 2.7 and 2.2.)
//! * A handful of threads, each with a result of its own type: [`std::thread::scope`]. Eight that
//!   sleep take as long in either; for many tasks a thread each costs 35 000.
//! * Tasks that come and go for as long as the program lives, each looked at by itself when it
//!   ends: tokio's `JoinSet`, or, where nobody looks, `TaskTracker`. Without a limit both cost some
//!   400, a group 280; a spawn and a `Vec` of handles costs 260, if you need no more.
//! * Futures that need no parallelism and are all there from the start: `buffer_unordered` spawns
//!   nothing and beats everything that does, with 31. `FuturesUnordered` takes 49, and
//!   `task::scope` 170.
//!
//! # Coming from Go
//!
//! | Go | here |
//! |---|---|
//! | `g, ctx := errgroup.WithContext(ctx)` | `Builder::new().token(&token)`, and `g.token()` in the task |
//! | `g.Go(f)` | `g.spawn(f)`; a task is handed its group |
//! | `g.SetLimit(8)` | `Builder::new().limit(8)`; `g.set_limit(8)` at any time |
//! | `g.TryGo(f)` | `g.try_spawn(f)`, which gives the closure back |
//! | `err := g.Wait()` | the scope's value; `g.join().wait()`, `.await` |
//! | runs all tasks even if one has failed | [`Builder::run_all`] |
//! | `context.WithCancelCause` | [`CancelToken::child`], [`cancel_with`](CancelToken::cancel_with) |
//! | `context.WithTimeout(ctx, d)` | [`child_with_timeout(d)`](CancelToken::child_with_timeout), [`Builder::timeout`] |
//! | `context.AfterFunc` | [`on_cancel`](CancelToken::on_cancel) |
//! | `context.WithoutCancel` | [`shield`](CancelToken::shield) |
//! | `ctx.Err()`, `context.Cause(ctx)` | [`check()`](CancelToken::check), [`cause()`](CancelToken::cause) |
//! | `<-ctx.Done()` | `token.cancelled().wait()`, `.await` |
//! | `select { case <-ctx.Done(): case <-time.After(d): }` | [`token.sleep(d)`](CancelToken::sleep) |
//! | `sync.WaitGroup` | [`WaitGroup`] |
//! | an error channel, read until closed | [`join::completions`] |
//! | a mutex around `[]error` | [`join::AllErrors`] |
//! | a goroutine profile | `g.snapshot()`, also of a scope |
//!
//! # Features
//!
//! | feature | default | means | brings |
//! |---|---|---|---|
//! | `sync` | yes | groups of threads, `.wait()` and its kin | parking_lot |
//! | `async` | yes | groups of tasks, `impl Future` for the waits | futures-core, pin-project-lite, tokio's `rt` |
//! | `tokio-util` | no | tokens [linked](CancelToken::linked_to) with tokio_util's | tokio-util |
//! | `serde` | no | [`Settings`] of a builder, from a configuration | serde |
//! | `tracing` | no | a span for each task | tracing |
//! | `test-util` | no | [`LeakGuard`]: a test fails if threads or tasks outlive it | nothing |
//!
//! # Memory ordering
//!
//! What a task did *happens before* the join that waits for it returns, and what its spawner did
//! before the spawn happens before the task. What was done before a cancel happens before whatever
//! sees the token cancelled, by `is_cancelled()` too. Between siblings there is no order but what
//! they make themselves. Snapshots and counts order nothing.
//!
//! # Design
//!
//! States, protocols, hazards with their models and mutants, and what was rejected are in
//! [DESIGN.md](https://docs.rs/crate/lockgate-errgroup/latest/source/DESIGN.md).
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(all(
        feature = "sync",
        feature = "async",
        feature = "serde",
        feature = "test-util",
        feature = "tokio-util"
    )),
    allow(rustdoc::broken_intra_doc_links, reason = "this page names what features bring")
)]
#![cfg_attr(
    not(all(feature = "sync", feature = "async")),
    allow(dead_code, reason = "some of what both worlds share has its only use in one of them")
)]

mod builder;
mod cause;
mod core;
#[cfg(all(feature = "sync", not(all(test, lockgate_loom))))]
mod cores;
mod error;
pub mod join;
#[cfg(feature = "test-util")]
mod leak_guard;
#[cfg(feature = "sync")]
mod parker;
mod pool;
mod primitives;
#[cfg(all(feature = "async", not(all(test, lockgate_loom))))]
mod runtime;
#[cfg(all(test, lockgate_loom))]
#[path = "tests/group_runtime.rs"]
mod runtime;
#[cfg(feature = "serde")]
mod settings;
mod snapshot;
mod state;
#[cfg(feature = "async")]
pub mod task;
#[cfg(test)]
mod tests;
#[cfg(feature = "sync")]
pub mod thread;
#[cfg(not(all(test, lockgate_loom)))]
mod timer;
#[cfg(all(test, lockgate_loom))]
#[path = "tests/token_timer.rs"]
mod timer;
mod token;
mod trace;
mod wait_group;
mod waiters;

pub use builder::{Builder, OnPanic};
pub use cause::Cause;
pub use core::Label;
pub use error::{
    BuildError, Cancelled, Error, LimitError, Panicked, Rejected, Spawned, TaskId, TrySpawnError,
    WaitTimeoutError,
};
#[cfg(feature = "test-util")]
pub use leak_guard::{LeakGuard, Leaked};
#[cfg(feature = "serde")]
pub use settings::Settings;
pub use snapshot::{LiveTask, Snapshot, TaskState};
#[cfg(feature = "async")]
pub use token::Run;
pub use token::{
    CancelToken, Condvar, DropGuard, Registration, Sleep, WaitCancelled, WaitCancelledOwned,
};
pub use wait_group::{Member, Members, StillBusy, WaitEmpty, WaitEmptyOwned, WaitGroup};
