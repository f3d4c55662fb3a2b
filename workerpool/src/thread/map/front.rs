//! What users call: the maps of a pool, as iterators and as futures.

use super::{Map, Unordered};
use crate::batch_size::BatchSize;
use crate::error::MapError;
use crate::map::with_index;
use crate::thread::pool::Pool;
use crate::thread::submit::Submitter;
use std::fmt;

impl<'env, I, F, T> Iterator for Map<'_, 'env, I, F, T>
where
    I: Iterator,
    I::Item: Send + 'env,
    F: Fn(I::Item) -> T + Send + Sync + 'env,
    T: Send + 'env,
{
    type Item = Result<T, MapError<I::Item>>;

    /// Waits for the next result, in the order of the items.
    fn next(&mut self) -> Option<Self::Item> {
        self.next_here().map(|(_, result)| result)
    }
}

impl<'env, I, F, T> Iterator for Unordered<'_, 'env, I, F, T>
where
    I: Iterator,
    I::Item: Send + 'env,
    F: Fn(I::Item) -> T + Send + Sync + 'env,
    T: Send + 'env,
{
    type Item = Result<(usize, T), MapError<I::Item>>;

    /// Waits for the next result, whichever it is.
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next_here().map(with_index)
    }
}

impl<'p, 'env> Submitter<'p, 'env> {
    /// See [`Pool::map`].
    pub fn map<X, F, T>(self, items: X, f: F) -> Map<'p, 'env, X::IntoIter, F, T>
    where
        X: IntoIterator<Item: Send + 'env>,
        F: Fn(X::Item) -> T + Send + Sync + 'env,
        T: Send + 'env,
    {
        self.map_batched(items, BatchSize::Fixed(1), f)
    }

    /// See [`Pool::map_batched`].
    ///
    /// # Panics
    ///
    /// If `size` is [`BatchSize::Fixed`] of 0.
    pub fn map_batched<X, F, T>(
        self,
        items: X,
        size: BatchSize,
        f: F,
    ) -> Map<'p, 'env, X::IntoIter, F, T>
    where
        X: IntoIterator<Item: Send + 'env>,
        F: Fn(X::Item) -> T + Send + Sync + 'env,
        T: Send + 'env,
    {
        Map::new(self, items.into_iter(), size, f)
    }
}

impl<'env> Pool<'env> {
    /// Calls `f` for each item, in a job of its own: a request, which gives the results in the order of
    /// the items, to a thread that [`wait`](Map::wait)s or iterates and to a task that awaits it; or
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
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let squares = pool.map(1..=4, |n: u32| n * n).wait()?;
    /// assert_eq!(squares, [1, 4, 9, 16]);
    ///
    /// let mut wrong = Vec::new();
    /// for result in pool.map([8, 0, 2], |n: u32| 16 / n) {
    ///     wrong.extend(result.err().map(|error| error.index));
    /// }
    /// assert_eq!(wrong, [1], "a division by zero is that item's alone");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map<X, F, T>(&self, items: X, f: F) -> Map<'_, 'env, X::IntoIter, F, T>
    where
        X: IntoIterator<Item: Send + 'env>,
        F: Fn(X::Item) -> T + Send + Sync + 'env,
        T: Send + 'env,
    {
        self.submitter().map(items, f)
    }

    /// The same, with so many items to a job: [`BatchSize::Auto`] finds out how many are best.
    ///
    /// # Panics
    ///
    /// If `size` is [`BatchSize::Fixed`] of 0.
    ///
    /// # Examples
    ///
    /// In a scope the items and the closure may borrow:
    ///
    /// ```
    /// use lockgate_workerpool::BatchSize;
    /// use lockgate_workerpool::thread::{Pool, scope};
    ///
    /// let lines = vec!["one two", "three", "four five six"];
    /// let words = scope(Pool::builder().threads(2), |pool| {
    ///     let counts = pool.map_batched(&lines, BatchSize::Auto, |line| line.split(' ').count());
    ///     counts.wait().map(|counts| counts.iter().sum::<usize>())
    /// })?;
    /// assert_eq!(words.unwrap(), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map_batched<X, F, T>(
        &self,
        items: X,
        size: BatchSize,
        f: F,
    ) -> Map<'_, 'env, X::IntoIter, F, T>
    where
        X: IntoIterator<Item: Send + 'env>,
        F: Fn(X::Item) -> T + Send + Sync + 'env,
        T: Send + 'env,
    {
        self.submitter().map_batched(items, size, f)
    }
}

/// The wait for the next result of a [`Map`] or of an [`Unordered`]; `None` after the last.
///
/// # Cancel safety
///
/// Dropping it loses nothing.
#[cfg(feature = "async")]
#[must_use = "a request does nothing until it is waited for"]
pub struct NextResult<'m, M>(pub(super) &'m mut M);

#[cfg(feature = "async")]
mod tasks {
    use super::{Map, MapError, NextResult, Unordered};
    use crate::map::with_index;
    use std::pin::Pin;
    use std::task::{Context, Poll};

    /// Nothing in it is ever pinned: the iterator and the closure are called, not polled.
    impl<I: Iterator, F, T> Unpin for Map<'_, '_, I, F, T> {}

    impl<'env, I, F, T> Future for Map<'_, 'env, I, F, T>
    where
        I: Iterator,
        I::Item: Send + 'env,
        F: Fn(I::Item) -> T + Send + Sync + 'env,
        T: Send + 'env,
    {
        type Output = Result<Vec<T>, MapError<I::Item>>;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            self.0.poll_all(cx.waker()).map_or(Poll::Pending, Poll::Ready)
        }
    }

    impl<'env, I, F, T> Future for NextResult<'_, Map<'_, 'env, I, F, T>>
    where
        I: Iterator,
        I::Item: Send + 'env,
        F: Fn(I::Item) -> T + Send + Sync + 'env,
        T: Send + 'env,
    {
        type Output = Option<Result<T, MapError<I::Item>>>;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            let found = self.0.0.poll_next(cx.waker());
            found.map_or(Poll::Pending, |next| Poll::Ready(next.map(|(_, result)| result)))
        }
    }

    impl<'env, I, F, T> Future for NextResult<'_, Unordered<'_, 'env, I, F, T>>
    where
        I: Iterator,
        I::Item: Send + 'env,
        F: Fn(I::Item) -> T + Send + Sync + 'env,
        T: Send + 'env,
    {
        type Output = Option<Result<(usize, T), MapError<I::Item>>>;

        fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
            let found = self.0.0.0.poll_next(cx.waker());
            found.map_or(Poll::Pending, |next| Poll::Ready(next.map(with_index)))
        }
    }

    impl<I: Iterator, F, T> Unordered<'_, '_, I, F, T> {
        /// The wait for the next result, for tasks; a thread iterates.
        pub const fn next_result(&mut self) -> NextResult<'_, Self> {
            NextResult(self)
        }
    }

    impl<M> std::fmt::Debug for NextResult<'_, M> {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("NextResult").finish_non_exhaustive()
        }
    }
}

impl<I: Iterator, F, T> fmt::Debug for Map<'_, '_, I, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<I: Iterator, F, T> fmt::Debug for Unordered<'_, '_, I, F, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Unordered").field(&self.0).finish()
    }
}
