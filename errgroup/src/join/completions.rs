//! Results as tasks end.

use super::Join;
use crate::cause::Cause;
use crate::error::{BuildError, Error, Panicked, TaskId};
use crate::primitives::{Arc, Mutex};
use std::collections::VecDeque;
use std::fmt;
use std::ops::ControlFlow;
use std::task::{Poll, Waker};

/// A policy and the receiver of what it is told: each result as its task ends, in that order.
///
/// The receiver is [iterated](IntoIterator) over, which blocks (feature `sync`), and is a
/// `futures_core::Stream` (feature `async`); it ends once the group is joined, or refused, and everything is taken. So
/// whoever joins the group cannot be the one who takes everything: it belongs into another
/// thread or task, or takes as many as there are tasks. The body of a scope comes before the
/// join.
///
/// Nothing that a task returns ends the group. When the receiver is dropped nobody listens any
/// more: the next task that ends, ends the group.
///
/// At most `capacity` results wait to be taken. A policy cannot wait: a result that finds no
/// place is dropped and counted, in [`Completed::missed`] and [`Delivered::missed`]. With a
/// capacity that no number of tasks reaches, nothing is ever missed, and the memory is bounded by
/// the tasks that are spawned.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::{Builder, join::completions, thread};
///
/// let (policy, results) = completions(100);
/// let sum = std::thread::spawn(move || {
///     results.into_iter().filter_map(|(_, result)| result.ok()).sum::<u32>()
/// });
/// let delivered = thread::scope(Builder::with(policy), |g| {
///     for n in 1..=4 {
///         g.spawn(move |_| if n == 2 { Err("two") } else { Ok(n) });
///     }
/// })?;
/// assert_eq!((sum.join().unwrap(), delivered.missed), (8, 0));
/// # }
/// # Ok::<(), lockgate_errgroup::BuildError>(())
/// ```
pub fn completions<T, E>(capacity: usize) -> (Completions<T, E>, Completed<T, E>) {
    let state = State {
        items: VecDeque::new(),
        capacity,
        missed: 0,
        sender: true,
        receiver: true,
        waker: None,
    };
    let shared = Arc::new(Mutex::new(state));
    let policy = Completions { shared: Arc::clone(&shared), delivered: Delivered::default() };
    (policy, Completed { shared })
}

/// The policy that [`completions`] makes.
pub struct Completions<T, E> {
    shared: Arc<Mutex<State<T, E>>>,
    delivered: Delivered,
}

/// The receiver that [`completions`] makes.
#[must_use = "dropped, it lets the next task that ends end the group"]
pub struct Completed<T, E> {
    shared: Arc<Mutex<State<T, E>>>,
}

/// What became of the results, told by the join.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Delivered {
    /// Results that the receiver was given, or can still take.
    pub delivered: u64,
    /// Results for which there was no place.
    pub missed: u64,
    /// Why the group was cancelled, if it was, and not for want of a receiver.
    pub cancelled: Option<Cause>,
    /// Tasks that still ran at the deadline and were left behind.
    pub stragglers: Vec<TaskId>,
}

type Item<T, E> = (TaskId, Result<T, Error<E>>);

struct State<T, E> {
    items: VecDeque<Item<T, E>>,
    capacity: usize,
    missed: u64,
    sender: bool,
    receiver: bool,
    /// Of the receiver, while it waits. There is one receiver: no queue is needed.
    waker: Option<Waker>,
}

impl<T, E> Completions<T, E> {
    fn send(&mut self, task: &TaskId, result: Result<T, Error<E>>) -> ControlFlow<()> {
        let mut state = self.shared.lock();
        if !state.receiver {
            drop(state);
            return ControlFlow::Break(());
        }
        if state.items.len() >= state.capacity {
            state.missed += 1;
            drop(state); // the lock first: the result is the user's
            return ControlFlow::Continue(());
        }
        state.items.push_back((task.clone(), result));
        drop(state);
        self.delivered.delivered += 1;
        ControlFlow::Continue(())
    }
}

impl<T: Send, E: Send> Join<T, E> for Completions<T, E> {
    type Output = Result<Delivered, BuildError>;

    fn complete(&mut self, index: usize, result: Result<T, E>) -> ControlFlow<()> {
        self.complete_task(&TaskId { index, name: None }, result)
    }

    fn complete_task(&mut self, task: &TaskId, result: Result<T, E>) -> ControlFlow<()> {
        let result = result.map_err(|error| {
            let TaskId { index, name } = task.clone();
            Error::Task { index, name, error }
        });
        self.send(task, result)
    }

    fn panicked(&mut self, panicked: Panicked) -> ControlFlow<()> {
        let task = panicked.task().clone();
        self.send(&task, Err(Error::Panicked(panicked)))
    }

    fn waker(&mut self) -> Option<Waker> {
        self.shared.lock().waker.take()
    }

    fn cancelled(&mut self, cause: Cause) {
        self.delivered.cancelled = Some(cause);
    }

    fn stragglers(&mut self, tasks: Vec<TaskId>) {
        self.delivered.stragglers = tasks;
    }

    fn finish(mut self) -> Self::Output {
        let mut delivered = std::mem::take(&mut self.delivered);
        delivered.missed = self.shared.lock().missed;
        Ok(delivered)
    }

    fn refuse(self, error: BuildError) -> Self::Output {
        Err(error)
    }
}

impl<T, E> Drop for Completions<T, E> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.sender = false;
        let waker = state.waker.take();
        drop(state);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T, E> Completed<T, E> {
    /// A result that is there, without waiting for one.
    #[must_use]
    pub fn try_next(&mut self) -> Option<(TaskId, Result<T, Error<E>>)> {
        self.shared.lock().items.pop_front()
    }

    /// For how many results there was no place so far.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.shared.lock().missed
    }

    fn poll_once(&mut self, waker: &Waker) -> Poll<Option<Item<T, E>>> {
        // Cloned and dropped outside the lock: that is user code.
        let mut spare: Option<Waker> = None;
        loop {
            let mut state = self.shared.lock();
            if let Some(item) = state.items.pop_front() {
                drop(state);
                return Poll::Ready(Some(item));
            }
            if !state.sender {
                drop(state);
                return Poll::Ready(None);
            }
            if state.waker.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
                drop(state);
                return Poll::Pending;
            }
            if let Some(fresh) = spare.take() {
                let stale = state.waker.replace(fresh);
                drop(state);
                drop(stale);
                return Poll::Pending;
            }
            drop(state);
            spare = Some(waker.clone());
        }
    }
}

#[cfg(feature = "sync")]
impl<T, E> Completed<T, E> {
    /// An iterator that blocks until the next task ends, and ends when the group is joined and
    /// everything is taken.
    pub const fn iter(&mut self) -> Iter<'_, T, E> {
        Iter(self)
    }

    fn wait_next(&mut self) -> Option<Item<T, E>> {
        use crate::parker::{Step, drive};
        drive(None, |waker| match self.poll_once(waker) {
            Poll::Ready(item) => Step::Ready(item),
            Poll::Pending => Step::Queued { spin: true },
        })
        .flatten()
    }
}

/// Blocks until the next task ends, made by [`Completed::iter`].
#[cfg(feature = "sync")]
#[derive(Debug)]
pub struct Iter<'a, T, E>(&'a mut Completed<T, E>);

#[cfg(feature = "sync")]
impl<T, E> Iterator for Iter<'_, T, E> {
    type Item = (TaskId, Result<T, Error<E>>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.wait_next()
    }
}

/// Blocks until the next task ends: a [`Completed`] as an iterator.
#[cfg(feature = "sync")]
#[derive(Debug)]
pub struct IntoIter<T, E>(Completed<T, E>);

#[cfg(feature = "sync")]
impl<T, E> Iterator for IntoIter<T, E> {
    type Item = (TaskId, Result<T, Error<E>>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.wait_next()
    }
}

// Not an iterator itself: together with `Stream`, each call of `next` or `map` would be ambiguous.
#[cfg(feature = "sync")]
impl<T, E> IntoIterator for Completed<T, E> {
    type Item = (TaskId, Result<T, Error<E>>);
    type IntoIter = IntoIter<T, E>;

    fn into_iter(self) -> Self::IntoIter {
        IntoIter(self)
    }
}

#[cfg(feature = "sync")]
impl<'a, T, E> IntoIterator for &'a mut Completed<T, E> {
    type Item = (TaskId, Result<T, Error<E>>);
    type IntoIter = Iter<'a, T, E>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The next result as its task ends; `None` when the group is joined and everything is taken.
///
/// # Cancel safety
///
/// What waits for the next item may be dropped: a result that is not handed out stays here.
#[cfg(feature = "async")]
impl<T, E> futures_core::Stream for Completed<T, E> {
    type Item = (TaskId, Result<T, Error<E>>);

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_once(cx.waker())
    }
}

impl<T, E> Drop for Completed<T, E> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.receiver = false;
        let left = (state.waker.take(), std::mem::take(&mut state.items));
        drop(state);
        drop(left); // the user's, outside the lock
    }
}

impl<T, E> fmt::Debug for Completions<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Completions").field("delivered", &self.delivered).finish_non_exhaustive()
    }
}

impl<T, E> fmt::Debug for Completed<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        let (waiting, missed) = (state.items.len(), state.missed);
        drop(state);
        f.debug_struct("Completed")
            .field("waiting", &waiting)
            .field("missed", &missed)
            .finish_non_exhaustive()
    }
}
