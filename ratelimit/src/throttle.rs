//! Iterators and streams that go no faster than a limiter lets them.

use crate::clock::Timer;
use crate::error::AcquireError;
use crate::limiter::RateLimiter;
use std::error::Error;
use std::fmt;
#[cfg(feature = "async")]
use {
    crate::acquire::AcquireOwned,
    crate::primitives::Arc,
    futures_core::{Stream, ready},
    std::future::Future,
    std::pin::Pin,
    std::task::{Context, Poll},
};

/// An item for which a limiter had no tokens, with the reason: it is handed back, not lost.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refused<T> {
    /// The item.
    pub item: T,
    /// Why.
    pub error: AcquireError,
}

impl<T> fmt::Debug for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("error", &self.error).finish_non_exhaustive()
    }
}

impl<T> fmt::Display for Refused<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an item was refused: {}", self.error)
    }
}

impl<T> Error for Refused<T> {}

/// How an item is weighed where none is heavier than another.
pub type OneEach<T> = fn(&T) -> u32;

fn one<T>(_: &T) -> u32 {
    1
}

#[cfg(feature = "sync")]
impl<C: Timer> RateLimiter<C> {
    /// The items of `iter`, each when there is a token for it: the thread that asks for the next item
    /// waits.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_ratelimit::{Quota, RateLimiter};
    /// let limiter = RateLimiter::new(Quota::per_second(1_000).burst(1));
    /// let squares: Result<Vec<u32>, _> =
    ///     limiter.throttle_iter(1..=5).map(|n| n.map(|n| n * n)).collect();
    /// assert_eq!(squares.unwrap(), [1, 4, 9, 16, 25]);
    /// ```
    pub fn throttle_iter<I: IntoIterator>(
        &self,
        iter: I,
    ) -> ThrottledIter<'_, I::IntoIter, C, OneEach<I::Item>> {
        self.throttle_iter_by(iter, one)
    }

    /// [`throttle_iter`](Self::throttle_iter), with so many tokens for an item as `weigh` says.
    pub fn throttle_iter_by<I: IntoIterator, W: FnMut(&I::Item) -> u32>(
        &self,
        iter: I,
        weigh: W,
    ) -> ThrottledIter<'_, I::IntoIter, C, W> {
        ThrottledIter { iter: iter.into_iter(), limiter: self, weigh }
    }
}

/// Items that wait for tokens, made by [`throttle_iter`](RateLimiter::throttle_iter).
///
/// An item whose weight is more than the burst, and every item after the limiter was closed, comes as
/// an error, with the item in it.
#[cfg(feature = "sync")]
#[must_use = "iterators are lazy"]
pub struct ThrottledIter<'a, I, C: Timer, W> {
    iter: I,
    limiter: &'a RateLimiter<C>,
    weigh: W,
}

#[cfg(feature = "sync")]
impl<I, C, W> Iterator for ThrottledIter<'_, I, C, W>
where
    I: Iterator,
    C: Timer,
    W: FnMut(&I::Item) -> u32,
{
    type Item = Result<I::Item, Refused<I::Item>>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.iter.next()?;
        let n = (self.weigh)(&item);
        Some(match self.limiter.acquire(n).wait() {
            Ok(_) => Ok(item),
            Err(error) => Err(Refused { item, error }),
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.iter.size_hint()
    }
}

#[cfg(feature = "sync")]
impl<I, C: Timer, W> fmt::Debug for ThrottledIter<'_, I, C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrottledIter").field("limiter", self.limiter).finish_non_exhaustive()
    }
}

#[cfg(feature = "async")]
impl<C: Timer> RateLimiter<C> {
    /// The items of `stream`, each when there is a token for it. The next item is asked for when the
    /// one before has gone on.
    ///
    /// # Examples
    ///
    /// ```
    /// # futures::executor::block_on(async {
    /// # use futures::{StreamExt, TryStreamExt, stream};
    /// # use lockgate_ratelimit::{Quota, RateLimiter};
    /// # use std::sync::Arc;
    /// let limiter = Arc::new(RateLimiter::new(Quota::per_second(1_000).burst(1)));
    /// let numbers = limiter.throttle_stream(stream::iter(1..=5));
    /// assert_eq!(numbers.try_collect::<Vec<_>>().await.unwrap(), [1, 2, 3, 4, 5]);
    /// # });
    /// ```
    pub fn throttle_stream<S: Stream>(
        self: &Arc<Self>,
        stream: S,
    ) -> ThrottledStream<S, C, OneEach<S::Item>> {
        self.throttle_stream_by(stream, one)
    }

    /// [`throttle_stream`](Self::throttle_stream), with so many tokens for an item as `weigh` says.
    pub fn throttle_stream_by<S: Stream, W: FnMut(&S::Item) -> u32>(
        self: &Arc<Self>,
        stream: S,
        weigh: W,
    ) -> ThrottledStream<S, C, W> {
        ThrottledStream { stream, limiter: Arc::clone(self), weigh, item: None, wait: None }
    }
}

#[cfg(feature = "async")]
pin_project_lite::pin_project! {
    /// Items that wait for tokens, made by [`throttle_stream`](RateLimiter::throttle_stream).
    ///
    /// An item whose weight is more than the burst, and every item after the limiter was closed,
    /// comes as an error, with the item in it. One item at a time is kept here while it waits.
    #[must_use = "streams do nothing unless polled"]
    pub struct ThrottledStream<S, C, W>
    where
        S: Stream,
        C: Timer,
    {
        #[pin]
        stream: S,
        limiter: Arc<RateLimiter<C>>,
        weigh: W,
        // INVARIANT: there is an item if and only if there is a wait.
        item: Option<S::Item>,
        wait: Option<AcquireOwned<C>>,
    }
}

#[cfg(feature = "async")]
impl<S, C, W> Stream for ThrottledStream<S, C, W>
where
    S: Stream,
    C: Timer,
    W: FnMut(&S::Item) -> u32,
{
    type Item = Result<S::Item, Refused<S::Item>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.project();
        if this.wait.is_none() {
            let Some(item) = ready!(this.stream.poll_next(cx)) else { return Poll::Ready(None) };
            let n = (this.weigh)(&item);
            *this.item = Some(item);
            *this.wait = Some(this.limiter.acquire_owned(n));
        }
        let Some(wait) = this.wait.as_mut() else { return Poll::Ready(None) };
        let outcome = ready!(Pin::new(wait).poll(cx));
        *this.wait = None;
        Poll::Ready(this.item.take().map(|item| match outcome {
            Ok(_) => Ok(item),
            Err(error) => Err(Refused { item, error }),
        }))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let held = usize::from(self.item.is_some());
        let (least, most) = self.stream.size_hint();
        (least.saturating_add(held), most.and_then(|most| most.checked_add(held)))
    }
}

#[cfg(feature = "async")]
impl<S: Stream, C: Timer, W> fmt::Debug for ThrottledStream<S, C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThrottledStream")
            .field("limiter", &self.limiter)
            .field("waits", &self.wait.is_some())
            .finish_non_exhaustive()
    }
}
