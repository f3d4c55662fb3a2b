//! A weighted, FIFO-fair semaphore on which threads and async tasks wait in one queue.
//!
//! ```
//! # #[cfg(feature = "sync")] {
//! use lockgate_semaphore::Semaphore;
//!
//! let memory = Semaphore::new(64); // say, mebibytes
//! std::thread::scope(|scope| {
//!     for size in [1, 40, 10, 30, 2] {
//!         let memory = &memory;
//!         scope.spawn(move || {
//!             let permit = memory.acquire(size).wait()?;
//!             // ... at most 64 MiB are in use at a time ...
//!             drop(permit);
//!             Ok::<(), lockgate_semaphore::AcquireError>(())
//!         });
//!     }
//! });
//! # }
//! ```
//!
//! # Threads and tasks
//!
//! Every operation that may have to wait returns a *wait*. A thread calls `.wait()` on it, a
//! task `.await`s it: one object, one queue, one set of rules.
//!
//! | | a thread | a task |
//! |---|---|---|
//! | wait for 3 permits | `sem.acquire(3).wait()?` | `sem.acquire(3).await?` |
//! | with a deadline | `.wait_timeout(d)?`, `.wait_deadline(t)?` | your runtime's `timeout` around it |
//! | give up | the deadline, or [`close`](Semaphore::close) | drop it |
//! | move the permit elsewhere | `sem.acquire_owned(3).wait()?` | `sem.acquire_owned(3).await?` |
//! | do not wait | [`sem.try_acquire(3)?`](Semaphore::try_acquire) | the same |
//! | what is there, 1 to 64 | [`sem.acquire_up_to(1, 64)`](Semaphore::acquire_up_to) | the same |
//! | all, exclusively | [`sem.acquire_all()`](Semaphore::acquire_all) | the same |
//! | until nobody holds any | [`sem.wait_idle()`](Semaphore::wait_idle) | the same |
//!
//! # Semantics
//!
//! * **Fair.** Requests are granted in the order in which they queued, all of their permits at
//!   once. Nobody overtakes: while anyone waits, [`try_acquire`](Semaphore::try_acquire) fails,
//!   even for permits that are free. So a large request is not starved by small ones, and while
//!   it waits it holds nothing.
//! * **What cannot be granted fails.** A request above the limit gets
//!   [`ExceedsLimit`](AcquireError::ExceedsLimit) at once instead of waiting for ever, also when
//!   the limit shrinks below it while it waits. A request for nothing succeeds at once.
//! * **The limit changes at run time.** [`set_limit`](Semaphore::set_limit) never blocks; below
//!   what is held it leaves a debt that releases pay.
//! * **Closing.** [`close`](Semaphore::close) fails everybody who waits and everybody who comes,
//!   for good. Permits that are out come back as usual, and
//!   [`wait_idle`](Semaphore::wait_idle) tells when.
//! * **Cancelling.** Dropping a wait at any moment loses nothing: in line it gives up its place
//!   to those behind it, granted it gives the permits back.
//! * **Deadlines.** A deadline that has passed when the wait begins wins over free permits.
//!   Afterwards, a grant that was made wins over the deadline.
//! * **Panics.** No code of yours runs under the semaphore's lock: wakers are cloned, called and
//!   dropped outside. One that panics does not keep the others from being called.
//! * **Memory.** Waiting allocates nothing, once there have been as many waits at a time before.
//!   The queue keeps the room it has grown to.
//!
//! # Two traps
//!
//! **A granted wait that nobody polls holds up the line**, because permits are handed over.
//! That is so with every fair semaphore (tokio#6450). Drop a wait that you do not poll, for
//! instance the loser of a `select!`; [`Acquire`] says more.
//!
//! **The ready path takes no part in a runtime's cooperative budget.** A task that finds free
//! permits again and again never yields here, where tokio's own semaphore would make it. In a
//! loop that awaits nothing else, add a `tokio::task::yield_now().await` every so often, or wrap
//! the wait: `tokio::task::coop::cooperative(sem.acquire(1)).await`.
//!
//! # When not to use it
//!
//! * One holder at a time of some *data*: use a mutex, which keeps the data inside.
//! * Raw throughput where nobody minds who is served first: `async-lock`'s semaphore barges, and
//!   so does a mutex with a condition variable.
//! * Signalling (permits that nobody acquired): use a channel, or tokio's semaphore, whose
//!   `add_permits` is made for it.
//! * So many per second, rather than at a time: that is a rate limit.
//!
//! # Coming from Go
//!
//! | `golang.org/x/sync/semaphore` | here |
//! |---|---|
//! | `semaphore.NewWeighted(10)` | `Semaphore::new(10)` |
//! | `sem.Acquire(ctx, n)` | `sem.acquire(n).wait()`, or `.await` |
//! | `ctx` with a deadline | `.wait_deadline(t)` |
//! | `ctx` cancelled | dropping the future; [`close`](Semaphore::close) |
//! | `sem.TryAcquire(n)` | `sem.try_acquire(n)` |
//! | `defer sem.Release(n)` | the permit, dropped |
//! | `sem.Acquire(ctx, 10)` to wait for all | `sem.acquire_all()`, or `sem.wait_idle()` |
//! | `n` above the size: waits for `ctx` | [`ExceedsLimit`](AcquireError::ExceedsLimit) at once |
//! | `Release` of more than held: panics | cannot be written |
//!
//! # Features
//!
//! | feature | default | means | brings |
//! |---|---|---|---|
//! | `sync` | yes | `.wait()`, `.wait_timeout()`, `.wait_deadline()` | parking_lot |
//! | `async` | yes | `impl Future` for the waits | nothing |
//!
//! With `async` alone the crate has no dependency at all. Any executor drives the waits.
//!
//! # Memory ordering
//!
//! What a holder did before it gave its permits back *happens before* what the next holder of
//! any of them does: a release is a Release operation on one word, taking permits an Acquire
//! operation on the same word, and every change between them a read-modify-write. What was done
//! before [`close`](Semaphore::close) happens before the failure that it causes, and what was
//! done under the last permit before the end of [`wait_idle`](Semaphore::wait_idle).
//! [`available`](Semaphore::available) and its kin are snapshots and order nothing.
//!
//! # Design
//!
//! States, protocols, hazards with their models and mutants, and what was rejected are in
//! [DESIGN.md](https://docs.rs/crate/lockgate-semaphore/latest/source/DESIGN.md).
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg_attr(
    not(any(feature = "sync", feature = "async")),
    allow(dead_code, reason = "without a way to wait, only what never waits is reachable")
)]

mod acquire;
mod builder;
#[cfg(all(feature = "sync", not(all(test, lockgate_loom))))]
mod cores;
mod error;
mod idle;
#[cfg(feature = "sync")]
mod parker;
mod permit;
mod primitives;
mod protocol;
mod semaphore;
mod state;
#[cfg(test)]
mod tests;
mod waiters;

pub use acquire::{Acquire, AcquireOwned};
pub use builder::Builder;
pub use error::{
    AcquireError, AcquireTimeoutError, IdleTimeoutError, LimitError, TryAcquireError, WeightError,
};
pub use idle::{Idle, IdleOwned};
pub use permit::{OwnedPermit, Permit};
pub use semaphore::Semaphore;
