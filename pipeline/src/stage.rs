//! What a pipeline is before it runs.

use crate::feed::{Feed, IterFeed};
use crate::launch::Launch;
use crate::primitives::Arc;
use std::convert::Infallible;

/// A pipeline as far as it is described: a source, and everything that was added to it.
///
/// There is nothing to call here, and nothing to implement: it is what `S` of a
/// [`Pipe`](crate::Pipe) is.
pub trait Stage: Sized {
    /// What it gives.
    type Item;
    /// What it may fail with; [`Infallible`] before the first stage that can.
    type Error;
    #[doc(hidden)]
    type Running: Feed<Item = Self::Item, Error = Self::Error>;
    /// Whether what runs can stop waiting at a moment: it cannot inside of an iterator's `next`.
    #[doc(hidden)]
    const TIMED: bool;

    #[doc(hidden)]
    fn start<'env>(self, launch: &mut Launch<'env>) -> Self::Running
    where
        Self: 'env;

    /// The most items that may be under way.
    #[doc(hidden)]
    fn bound(&self) -> usize;
}

/// The items of an iterator. See [`thread::from_iter`](crate::thread::from_iter).
#[derive(Clone, Debug)]
pub struct FromIter<I> {
    pub(crate) iter: I,
    pub(crate) prefetch: usize,
}

impl<I: Iterator> Stage for FromIter<I> {
    type Item = I::Item;
    type Error = Infallible;
    type Running = IterFeed<I>;
    const TIMED: bool = false;

    fn start<'env>(self, launch: &mut Launch<'env>) -> IterFeed<I>
    where
        Self: 'env,
    {
        IterFeed::new(self.iter, Arc::clone(&launch.control), self.prefetch)
    }

    fn bound(&self) -> usize {
        // The one that is passed on.
        1
    }
}
