//! Typed multi-stage pipelines on threads, with the speed of batches and the semantics of an iterator:
//! ordered, bounded, and an error is never an end.
//!
//! ```
//! # #[cfg(feature = "sync")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use lockgate_pipeline::{opts, thread};
//!
//! let lines = ["3", "1", "4", "1", "5"];
//! let sum = thread::from_iter(lines)
//!     .try_par_map(opts("parse").workers(2).window(64), str::parse::<u64>)
//!     .filter(|n| n % 2 == 1) // fused: no hop
//!     .par_map(2, |n| n * n)
//!     .fold(0, |sum, n| sum + n)?;
//! assert_eq!(sum, 9 + 1 + 1 + 25);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "sync"))]
//! # fn main() {}
//! ```
//!
//! This version has pipelines on threads. Pipelines of tasks are to follow; a task can wait for a pipeline
//! that threads run, by awaiting its `Handle`.
//!
//! # Stages and operators
//!
//! | | what |
//! |---|---|
//! | source | `thread::from_iter`: an iterator, a collection, a channel's receiver; `prefetch` |
//! | operators, which fuse | `map`, `try_map`, `map_init`, `filter`, `filter_map`, `flat_map`, `inspect`, `scan`, `take`, `take_while`, `skip`, `skip_while`, `enumerate`, `chunks`, `batch`, `batch_weighted`, `unbatch` |
//! | stages with threads | `par_map`, `par_map_init`, `par_flat_map`, `try_par_map`, `par_partition_by`, `buffer` |
//! | two that become one | `merge`, `zip` |
//! | of a buffer | `overflow`: `Block`, `DropOldest`, `DropNewest`, `Fail` |
//! | of a fallible stage | `on_error` (`FailFast`, `skip`, `Errors`, `dead_letter`), `fallback`, `retry`, `retry_if`, `gate`, `panic_as`; `map_err`, `err_into` |
//! | ends | `run`, `for_each`, `try_for_each`, `collect`, `count`, `fold`, `reduce`, `find`, `any`, `all`, `with_iter`, `into_iter`, `spawn` |
//!
//! Options stand at the call: `opts("name").workers(4).window(64)`, or a plain number of workers.
//!
//! # Semantics
//!
//! * **Order.** An ordered pipeline gives what the chain of iterators would give, errors included: the
//!   first item that fails decides, and everything before it has come through. `unordered` gives results
//!   as they come; `par_partition_by` keeps the order of each key.
//! * **Bounds.** A stage's `window` is the most items that may be under way in it, one that takes long
//!   at the head included; `max_in_flight` is the sum.
//! * **Chunks.** Fast items travel together, slow ones alone. No item waits for others to come:
//!   what is there goes on before anybody sleeps.
//! * **Abnormal ends** are errors or panics, never an end of the items.
//! * **Panics** end the pipeline and go on, with their payload, in whoever runs it; or are errors
//!   (`panic_as`).
//! * **Threads** are those of the stages, for the time of the pipeline. A source and operators run on the
//!   thread of the stage after them, one of its workers at a time, or on the caller's.
//! * **Zero** workers, and numbers out of range, are errors when the pipeline starts.
//! * **Memory ordering.** What a stage did with an item happens before whatever the next one does with
//!   it.
//!
//! # How it ends
//!
//! | | source | calls that run | what is under way | outcome |
//! |---|---|---|---|---|
//! | the source ends, or `Handle::drain` | is asked no more | return | comes through, batches that are not full too | `Ok` |
//! | a stage fails or panics | is asked no more | return | before the item: comes through; after it: dropped | the error, the panic |
//! | the end has enough (`find`, `with_iter`), the iterator is dropped | is asked no more | return | dropped | what the end has |
//! | `Handle::abort` | is asked no more | return | dropped; no call starts | `RunError::Aborted` |
//! | the `Handle` is dropped | goes on | | | nobody hears of it |
//!
//! In each case the threads have ended when the end returns; a call of the user's that does not return,
//! or a source's `next`, is waited for. Each item is dropped once.
//!
//! # When not to use it
//!
//! For data that is in memory and a function that is all there is to do, rayon's `par_iter` splits better
//! than any pipeline. For a graph that branches, channels. Where each item takes nanoseconds and no stage
//! waits, an iterator: operators without a parallel stage are one.
//!
//! # Coming from Go
//!
//! | Go | here |
//! |---|---|
//! | a goroutine that ranges over `in` and sends to `out` | `.map(f).buffer(n)`, or no hop at all: `.map(f)` |
//! | n goroutines on one channel | `.par_map(opts("f").workers(n).unordered(), f)` |
//! | `select { case out <- v: case <-done: return }` | drop the iterator, `Handle::abort` |
//! | rill's `OrderedMap(in, n, f)` | `.try_par_map(n, f)` |
//! | rill's `Batch(in, n, t)`, `Unbatch` | `.batch(n, t)`, or `.chunks(n)` without a time; `.unbatch()` |
//! | rill's `Merge` | `.merge(other)` |
//! | rill's `Catch` | `.on_error(skip())`, `.fallback(f)` |
//! | rill's `ForEach`, `Reduce`, `First`, `Any`, `All` | `for_each`, `reduce`, `find`, `any`, `all` |
//! | `defer rill.Discard(results)` | nothing: dropping stops the pipeline |
//!
//! # Features
//!
//! `sync` (default): pipelines on threads; brings parking_lot. `async` (default): `Handle` is a future;
//! brings nothing. Without `sync` there is nothing yet.
//!
//! How it works, with every hazard and the model that shows it: `DESIGN.md` of this crate.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![cfg(feature = "sync")]

mod batch;
mod buffer;
mod control;
#[cfg(not(all(test, lockgate_loom)))]
mod cores;
mod crew;
mod edge;
mod ends;
mod error;
mod feed;
mod handle;
mod iter;
mod join;
mod lane;
mod launch;
mod ops;
mod opts;
mod par;
mod parker;
mod partition;
mod pipe;
mod policy;
mod primitives;
mod queue;
mod report;
mod ring;
mod stage;
mod state;
mod stats;
#[cfg(test)]
mod tests;
pub mod thread;

pub use ends::Items;
pub use error::{BuildError, Failed, Overflowed, RunError};
pub use handle::Handle;
pub use iter::IntoIter;
pub use lane::Overflow;
pub use opts::{Opts, opts};
pub use pipe::{Fails, Pipe, Pure};
pub use policy::{
    DeadLetter, Errors, FailFast, Fallback, Letter, Letters, Policy, Retry, Skip, dead_letter, skip,
};
pub use report::{Report, StageReport};
pub use stage::Stage;
