//! What users call: the maps of a pool, for tasks and for threads outside of the runtime.

use super::{ByTasks, Map, Unordered};
use crate::batch_size::BatchSize;
use crate::error::MapError;
use crate::map::{Feeder, with_index};
use crate::primitives::Arc;
use crate::task::pool::Pool;
use crate::task::submit::Submitter;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

impl<'p, I: Iterator, F, T> Map<'p, I, F, T> {
    /// Gives each result as soon as it is there, with the index of its item.
    pub fn unordered(mut self) -> Unordered<'p, I, F, T> {
        self.0.unordered = true;
        Unordered(self)
    }

    /// The wait for the next result, for tasks; a thread outside of the runtime iterates.
    pub const fn next_result(&mut self) -> NextResult<'_, Self> {
        NextResult(self)
    }
}

impl<I: Iterator, F, T> Unordered<'_, I, F, T> {
    /// The wait for the next result, for tasks; a thread outside of the runtime iterates.
    pub const fn next_result(&mut self) -> NextResult<'_, Self> {
        NextResult(self)
    }
}

/// The wait for the next result of a [`Map`] or of an [`Unordered`]; `None` after the last.
///
/// # Cancel safety
///
/// Dropping it loses nothing.
#[must_use = "a request does nothing until it is waited for"]
pub struct NextResult<'m, M>(&'m mut M);

/// Nothing in it is ever pinned: the iterator and the closure are called, and futures are boxed.
impl<I: Iterator, F, T> Unpin for Map<'_, I, F, T> {}

impl<I, F, Fut, T> Future for Map<'_, I, F, T>
where
    I: Iterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<Vec<T>, MapError<I::Item>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.0.poll_all(cx.waker()).map_or(Poll::Pending, Poll::Ready)
    }
}

impl<I, F, Fut, T> Future for NextResult<'_, Map<'_, I, F, T>>
where
    I: Iterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    type Output = Option<Result<T, MapError<I::Item>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let found = self.0.0.poll_next(cx.waker());
        found.map_or(Poll::Pending, |next| Poll::Ready(next.map(|(_, result)| result)))
    }
}

impl<I, F, Fut, T> Future for NextResult<'_, Unordered<'_, I, F, T>>
where
    I: Iterator,
    I::Item: Send + 'static,
    F: Fn(I::Item) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    type Output = Option<Result<(usize, T), MapError<I::Item>>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let found = self.0.0.0.poll_next(cx.waker());
        found.map_or(Poll::Pending, |next| Poll::Ready(next.map(with_index)))
    }
}

#[cfg(feature = "sync")]
mod threads {
    use super::{Future, Map, MapError, Unordered, with_index};
    use crate::task::submit::block_on;
    use std::task::Poll;

    impl<I, F, Fut, T> Map<'_, I, F, T>
    where
        I: Iterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        /// Waits for all results, in the order of the items, on a thread outside of the runtime.
        ///
        /// # Errors
        ///
        /// The first [`MapError`] in that order. What has not started by then is aborted.
        pub fn wait(mut self) -> Result<Vec<T>, MapError<I::Item>> {
            let mut all = Vec::with_capacity(self.0.least());
            for result in &mut self {
                all.push(result?);
            }
            Ok(all)
        }
    }

    impl<I, F, Fut, T> Iterator for Map<'_, I, F, T>
    where
        I: Iterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        type Item = Result<T, MapError<I::Item>>;

        /// Waits for the next result, in the order of the items, on a thread outside of the runtime.
        fn next(&mut self) -> Option<Self::Item> {
            let next =
                block_on(|cx| self.0.poll_next(cx.waker()).map_or(Poll::Pending, Poll::Ready));
            next.map(|(_, result)| result)
        }
    }

    impl<I, F, Fut, T> Iterator for Unordered<'_, I, F, T>
    where
        I: Iterator,
        I::Item: Send + 'static,
        F: Fn(I::Item) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        type Item = Result<(usize, T), MapError<I::Item>>;

        /// Waits for the next result, whichever it is, on a thread outside of the runtime.
        fn next(&mut self) -> Option<Self::Item> {
            let next =
                block_on(|cx| self.0.0.poll_next(cx.waker()).map_or(Poll::Pending, Poll::Ready));
            next.map(with_index)
        }
    }
}

impl<'p> Submitter<'p> {
    /// See [`Pool::map`].
    pub fn map<X, F, Fut>(self, items: X, f: F) -> Map<'p, X::IntoIter, F, Fut::Output>
    where
        X: IntoIterator<Item: Send + 'static>,
        F: Fn(X::Item) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Send> + Send + 'static,
    {
        self.map_batched(items, BatchSize::Fixed(1), f)
    }

    /// See [`Pool::map_batched`].
    ///
    /// # Panics
    ///
    /// If `size` is [`BatchSize::Fixed`] of 0.
    pub fn map_batched<X, F, Fut>(
        self,
        items: X,
        size: BatchSize,
        f: F,
    ) -> Map<'p, X::IntoIter, F, Fut::Output>
    where
        X: IntoIterator<Item: Send + 'static>,
        F: Fn(X::Item) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Send> + Send + 'static,
    {
        Map(Feeder::new(ByTasks { submitter: self, f: Arc::new(f) }, items.into_iter(), size))
    }
}

impl Pool {
    /// Calls `f` for each item, and polls what it gives in a job of its own: a request, which gives the
    /// results in the order of the items, to a task that awaits it or takes one after the other; or
    /// [`unordered`](Map::unordered).
    ///
    /// Of each item that is accepted, `f` is called once, whatever the pool's
    /// [`Reject`](crate::Reject) says: a map waits for room, in the line of all submitters, and a batch
    /// that is dropped for others is submitted again. At the most four batches for each worker are in
    /// the pool, or done and not collected; items are taken from the iterator as they are needed. A job
    /// of the pool that maps over the same pool runs batches itself, rather than to wait for them.
    ///
    /// # Errors
    ///
    /// See [`Map`]: one outcome for each item.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let squares = pool.map(1..=4, |n: u32| async move { n * n }).await?;
    /// assert_eq!(squares, [1, 4, 9, 16]);
    ///
    /// let mut wrong = Vec::new();
    /// let mut halves = pool.map([8, 0, 2], |n: u32| async move { 16 / n });
    /// while let Some(result) = halves.next_result().await {
    ///     wrong.extend(result.err().map(|error| error.index));
    /// }
    /// assert_eq!(wrong, [1], "a division by zero is that item's alone");
    /// # Ok(())
    /// # }
    /// ```
    pub fn map<X, F, Fut>(&self, items: X, f: F) -> Map<'_, X::IntoIter, F, Fut::Output>
    where
        X: IntoIterator<Item: Send + 'static>,
        F: Fn(X::Item) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Send> + Send + 'static,
    {
        self.submitter().map(items, f)
    }

    /// The same, with so many items to a job, one after the other: [`BatchSize::Auto`] finds out how many
    /// are best. For items that are done soon; of those that wait for something, more wait at once in
    /// jobs of their own.
    ///
    /// # Panics
    ///
    /// If `size` is [`BatchSize::Fixed`] of 0.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::{BatchSize, task::Pool};
    ///
    /// let pool = Pool::new(2)?;
    /// let mut sum = 0;
    /// let double = |n: u32| async move { 2 * n };
    /// let mut doubled = pool.map_batched(1..=100, BatchSize::Auto, double).unordered();
    /// while let Some(result) = doubled.next_result().await {
    ///     let (_index, value) = result?;
    ///     sum += value;
    /// }
    /// assert_eq!(sum, 10_100);
    /// # Ok(())
    /// # }
    /// ```
    pub fn map_batched<X, F, Fut>(
        &self,
        items: X,
        size: BatchSize,
        f: F,
    ) -> Map<'_, X::IntoIter, F, Fut::Output>
    where
        X: IntoIterator<Item: Send + 'static>,
        F: Fn(X::Item) -> Fut + Send + Sync + 'static,
        Fut: Future<Output: Send> + Send + 'static,
    {
        self.submitter().map_batched(items, size, f)
    }
}

impl<M> fmt::Debug for NextResult<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextResult").finish_non_exhaustive()
    }
}

impl<I: Iterator, F, T> fmt::Debug for Map<'_, I, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<I: Iterator, F, T> fmt::Debug for Unordered<'_, I, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unordered").field(&self.0).finish()
    }
}
