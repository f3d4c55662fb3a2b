//! One task for each item of a slice or an iterator, without a queue.

mod source;

pub use source::{Items, Pull, pull};

use super::group::thread_builder;
use crate::builder::Builder;
use crate::core::Core;
use crate::error::{Cancelled, TaskId};
use crate::join::Join;
use crate::primitives::usable_cores;
use crate::token::CancelToken;
use crate::trace;
use source::{Share, Source};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::thread;

/// What the body of [`for_each`] and [`map`] is handed beside the item.
pub struct EachCx<'a> {
    token: &'a CancelToken,
    index: usize,
}

impl EachCx<'_> {
    /// The group's token. It is cancelled by the first error, a panic, the deadline, the parent,
    /// and when all is over.
    #[inline]
    #[must_use]
    pub const fn token(&self) -> &CancelToken {
        self.token
    }

    /// Whether the group goes on.
    ///
    /// # Errors
    ///
    /// It is cancelled.
    #[inline]
    pub fn check(&self) -> Result<(), Cancelled> {
        self.token.check()
    }

    /// Which item this is, counted from 0.
    #[inline]
    #[must_use]
    pub const fn index(&self) -> usize {
        self.index
    }
}

impl fmt::Debug for EachCx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EachCx").field("index", &self.index).finish_non_exhaustive()
    }
}

/// Runs `body` for each item, in several threads at a time, and returns when all is over: what
/// the policy makes of the results.
///
/// `items` is a slice, a vector or an array by reference, a `Range<usize>`, or
/// [`pull(iterator)`](pull). Each item is a task, and its place is the task's index: with the
/// policy [`FirstError`](crate::join::FirstError) the first error cancels the rest. Items that
/// were not started by then are skipped (but see [`run_all`](Builder::run_all)), and an iterator
/// is not asked for them.
///
/// As many threads take part as the [`limit`](Builder::limit) says, or as there are cores, and no
/// more than there are items. The calling thread is one of them, so a single item starts none. If
/// the system refuses a thread, the others do its share.
///
/// Bodies that are quick are handed out in chunks, slow ones one by one: for a slice the cost of an
/// item is some nanoseconds (with a deadline, a reading of the clock in addition). So no body
/// should wait for what the body of another item does.
///
/// # Panics
///
/// If a body or the iterator panicked (see [`on_panic`](Builder::on_panic)). All threads have
/// ended by then.
///
/// # Examples
///
/// ```
/// use lockgate_errgroup::{Builder, thread};
///
/// let error = thread::for_each(Builder::new().limit(4), &["db", "web", ""], |_, host| {
///     if host.is_empty() { Err("a host without a name") } else { Ok(()) }
/// })
/// .unwrap_err();
/// assert_eq!(error.to_string(), "task 2: a host without a name");
/// ```
pub fn for_each<S, E, J, F>(builder: Builder<J>, items: S, body: F) -> J::Output
where
    S: Items,
    E: Send,
    J: Join<(), E>,
    F: Fn(&EachCx<'_>, S::Item) -> Result<(), E> + Sync,
{
    map(builder, items, body)
}

/// [`for_each`] for bodies that return a value, which goes to the policy.
///
/// Each value costs a lock of the policy's: where bodies are tiny and values many, it is
/// worth while to make an item of several.
///
/// # Panics
///
/// As [`for_each`].
///
/// # Examples
///
/// ```
/// use lockgate_errgroup::{Builder, join::AllOk, thread};
///
/// let texts = ["1", "2", "3"];
/// let numbers = thread::map(Builder::with(AllOk::new()), &texts, |_, text| text.parse::<u32>());
/// assert_eq!(numbers.unwrap(), [1, 2, 3]);
///
/// let lines = "4\n5".lines();
/// let numbers =
///     thread::map(Builder::with(AllOk::new()), thread::pull(lines), |_, text| text.parse::<u32>());
/// assert_eq!(numbers.unwrap(), [4, 5]);
/// ```
pub fn map<S, T, E, J, F>(builder: Builder<J>, items: S, body: F) -> J::Output
where
    S: Items,
    T: Send,
    E: Send,
    J: Join<T, E>,
    F: Fn(&EachCx<'_>, S::Item) -> Result<T, E> + Sync,
{
    if let Err(error) = builder.check() {
        return builder.join.refuse(error);
    }
    let source = items.into_source();
    let most = builder.limit.unwrap_or_else(usable_cores);
    let workers = source.at_most().map_or(most, |items| items.min(most)).max(1);
    let (name, stack_size) = (builder.name.clone(), builder.stack_size);
    let (core, verdict) = Core::new(builder);
    thread::scope(|scope| {
        let work = || work(&core, &source, workers, &body);
        let mut handles = Vec::new();
        for _ in 1..workers {
            if source.is_over() || core.refuses() {
                break;
            }
            let builder = thread_builder(name.as_deref(), stack_size);
            match builder.spawn_scoped(scope, work) {
                Ok(handle) => handles.push(handle),
                Err(_) => break,
            }
        }
        work();
        // One by one: the end of the scope does not wait for the destructors of thread-locals.
        for handle in handles {
            if let Err(payload) = handle.join() {
                resume_unwind(payload);
            }
        }
    });
    drop(source);
    core.conclude(&verdict, Vec::new())
}

/// What one of the threads does.
fn work<S, T, E, F>(core: &Core<'_, T, E>, source: &S, workers: usize, body: &F)
where
    S: Source,
    F: Fn(&EachCx<'_>, S::Item) -> Result<T, E>,
{
    let mut share = Share::new(workers);
    loop {
        // Once for many items. What is left of a share after a panic is in the share.
        let ran = catch_unwind(AssertUnwindSafe(|| {
            source.run(
                &mut share,
                || !core.refuses(),
                |index, item| {
                    let task = TaskId { index, name: None };
                    let result = trace::in_span(core.name.as_deref(), &task, || {
                        body(&EachCx { token: &core.token, index }, item)
                    });
                    core.complete(&task, result);
                },
            );
        }));
        match ran {
            Ok(()) => return,
            Err(payload) => core.panicked(&TaskId { index: share.current(), name: None }, payload),
        }
    }
}
