//! The builder: a pipeline as it is described.

use crate::ops::{
    Chunks, Enumerate, Filter, FilterMap, FlatMap, Inspect, Map, MapInit, Scan, Skip, SkipWhile,
    Take, TakeWhile, Then,
};
use crate::opts::Opts;
use crate::par::{BufferJob, FlatMapJob, MapInitJob, MapJob, Par};
use crate::stage::{FromIter, Stage};
use std::fmt;
use std::marker::PhantomData;

mod fallible;
mod shape;

/// A pipeline as it is described; nothing runs before one of its ends is called.
///
/// Operators fuse: they run on the thread of whatever comes next, an item at a time, as if they had
/// been written into one function. Stages whose names begin with `par_` or `try_par_`, and
/// [`buffer`](Self::buffer), have threads of their own. All may borrow.
///
/// `P` says whether it can fail: [`Pure`] until the first stage that can, [`Fails<E>`] afterwards.
#[must_use = "nothing runs before one of its ends is called"]
pub struct Pipe<S, P = Pure> {
    pub(crate) stage: S,
    phase: PhantomData<fn() -> P>,
}

/// A pipeline without a stage that can fail.
#[derive(Clone, Copy, Debug)]
pub enum Pure {}

/// A pipeline with a stage that can fail with `E`.
pub struct Fails<E>(PhantomData<fn() -> E>);

impl<E> fmt::Debug for Fails<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fails")
    }
}

impl<S, P> fmt::Debug for Pipe<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipe").finish_non_exhaustive()
    }
}

/// A pipeline with one more operator.
pub(crate) type Fused<S, O, P> = Pipe<Then<S, O, <S as Stage>::Error>, P>;

impl<S, P> Pipe<S, P> {
    pub(crate) fn new(stage: S) -> Self {
        Self { stage, phase: PhantomData }
    }
}

impl<I: Iterator> Pipe<FromIter<I>> {
    /// Takes up to `items` at once for a stage with workers, although the iterator does not promise
    /// (by [`size_hint`](Iterator::size_hint)) that there are so many.
    ///
    /// Without it such an iterator is asked for one item at a time, because it may wait: what a channel
    /// gave is not to wait for what it gives next. For one that computes, a larger number is faster.
    pub fn prefetch(mut self, items: usize) -> Self {
        self.stage.prefetch = items.max(1);
        self
    }
}

/// Operators that fuse.
impl<S: Stage, P> Pipe<S, P> {
    pub(crate) fn then<O>(self, op: O) -> Fused<S, O, P> {
        Pipe::new(Then::new(self.stage, op))
    }

    /// What `f` makes of each item.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::thread;
    ///
    /// let squares: Vec<u32> = thread::from_iter(1..4).map(|n| n * n).collect()?;
    /// assert_eq!(squares, [1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn map<U, F: FnMut(S::Item) -> U>(self, f: F) -> Fused<S, Map<F>, P> {
        self.then(Map { f })
    }

    /// What `f` makes of each item, with a state that `init` makes before the first one.
    pub fn map_init<L, U, I, F>(self, init: I, f: F) -> Fused<S, MapInit<L, I, F>, P>
    where
        I: FnMut() -> L,
        F: FnMut(&mut L, S::Item) -> U,
    {
        self.then(MapInit { local: None, init, f })
    }

    /// The items for which `f` is `true`.
    pub fn filter<F: FnMut(&S::Item) -> bool>(self, f: F) -> Fused<S, Filter<F>, P> {
        self.then(Filter { f })
    }

    /// What `f` makes of the items of which it makes something.
    pub fn filter_map<U, F>(self, f: F) -> Fused<S, FilterMap<F>, P>
    where
        F: FnMut(S::Item) -> Option<U>,
    {
        self.then(FilterMap { f })
    }

    /// The items of what `f` makes of each item, one after the other.
    pub fn flat_map<J, F>(self, f: F) -> Fused<S, FlatMap<F, J::IntoIter>, P>
    where
        J: IntoIterator,
        F: FnMut(S::Item) -> J,
    {
        self.then(FlatMap::new(f))
    }

    /// The items, one by one, of items that are batches.
    #[allow(clippy::type_complexity, reason = "the type is that of a flat_map")]
    pub fn unbatch(
        self,
    ) -> Fused<S, FlatMap<fn(S::Item) -> S::Item, <S::Item as IntoIterator>::IntoIter>, P>
    where
        S::Item: IntoIterator,
    {
        self.then(FlatMap::new(std::convert::identity as fn(S::Item) -> S::Item))
    }

    /// Shows each item to `f` on its way.
    pub fn inspect<F: FnMut(&S::Item)>(self, f: F) -> Fused<S, Inspect<F>, P> {
        self.then(Inspect { f })
    }

    /// What `f` makes of each item and of a state that it changes; the first `None` is the end.
    pub fn scan<L, U, F>(self, state: L, f: F) -> Fused<S, Scan<L, F>, P>
    where
        F: FnMut(&mut L, S::Item) -> Option<U>,
    {
        self.then(Scan { state, f })
    }

    /// The first `n` items. No further one is asked for.
    pub fn take(self, n: u64) -> Fused<S, Take, P> {
        self.then(Take { left: n })
    }

    /// The items before the first for which `f` is `false`.
    pub fn take_while<F: FnMut(&S::Item) -> bool>(self, f: F) -> Fused<S, TakeWhile<F>, P> {
        self.then(TakeWhile { f })
    }

    /// The items after the first `n`.
    pub fn skip(self, n: u64) -> Fused<S, Skip, P> {
        self.then(Skip { left: n })
    }

    /// The items from the first on for which `f` is `false`.
    pub fn skip_while<F: FnMut(&S::Item) -> bool>(self, f: F) -> Fused<S, SkipWhile<F>, P> {
        self.then(SkipWhile { f, skips: true })
    }

    /// Each item with its number, from 0.
    pub fn enumerate(self) -> Fused<S, Enumerate, P> {
        self.then(Enumerate { next: 0 })
    }

    /// Items in batches of `size`; the last may be smaller, and so is one that an error cuts short.
    ///
    /// # Panics
    ///
    /// If `size` is 0.
    pub fn chunks(self, size: usize) -> Fused<S, Chunks<S::Item>, P> {
        assert!(size > 0, "a batch of no item");
        self.then(Chunks::new(size))
    }
}

/// Stages with threads of their own.
impl<S: Stage, P> Pipe<S, P> {
    fn par<J>(self, opts: impl Into<Opts>, default_name: &'static str, job: J) -> Staged<S, J, P> {
        Pipe::new(Par { inner: self.stage, opts: opts.into(), default_name, job })
    }

    /// What `f` makes of each item, several at once. A plain number says how many.
    ///
    /// Unless it is [`unordered`](Opts::unordered), results come in the order of the items, while
    /// workers get ahead of one that takes long by as much as the [`window`](Opts::window) allows.
    ///
    /// # Panics
    ///
    /// A panic of `f` ends the pipeline and goes on, with its payload, in whoever runs it: in an ordered
    /// stage after the results of the items before.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::thread;
    ///
    /// let words = ["gate".to_owned(), "lock".to_owned()];
    /// let lengths: Vec<usize> = thread::from_iter(&words).par_map(2, |word| word.len()).collect()?;
    /// assert_eq!(lengths, [4, 4]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// What stays on its thread is not for a stage, neither an item nor what the function uses:
    ///
    /// ```compile_fail,E0599
    /// use lockgate_pipeline::thread;
    /// use std::rc::Rc;
    ///
    /// let shared = thread::from_iter([1, 2]).map(Rc::new).par_map(2, |n| *n).count();
    /// ```
    ///
    /// ```compile_fail,E0277
    /// use lockgate_pipeline::thread;
    /// use std::cell::Cell;
    ///
    /// let sum = Cell::new(0);
    /// let ran = thread::from_iter([1, 2]).par_map(2, |n| sum.set(sum.get() + n)).run();
    /// ```
    pub fn par_map<U, F>(self, opts: impl Into<Opts>, f: F) -> Staged<S, MapJob<F>, P>
    where
        F: Fn(S::Item) -> U + Send + Sync,
    {
        self.par(opts, "par_map", MapJob(f))
    }

    /// As [`par_map`](Self::par_map), with a state that each worker makes for itself, on its thread,
    /// before its first item.
    pub fn par_map_init<L, U, I, F>(
        self,
        opts: impl Into<Opts>,
        init: I,
        f: F,
    ) -> Staged<S, MapInitJob<I, F>, P>
    where
        I: Fn() -> L + Send + Sync,
        F: Fn(&mut L, S::Item) -> U + Send + Sync,
    {
        self.par(opts, "par_map_init", MapInitJob { init, f })
    }

    /// The items of what `f` makes of each item, several at once, ordered like
    /// [`par_map`](Self::par_map).
    ///
    /// The window counts what `f` is given: each expansion is complete before it goes on, and counts
    /// as one.
    pub fn par_flat_map<J, F>(self, opts: impl Into<Opts>, f: F) -> Staged<S, FlatMapJob<F>, P>
    where
        J: IntoIterator,
        F: Fn(S::Item) -> J + Send + Sync,
    {
        self.par(opts, "par_flat_map", FlatMapJob(f))
    }

    /// A thread of its own for everything before, up to `items` ahead of what comes next (from 1 to
    /// 65 536). When it is so far ahead, it waits, unless [`overflow`](Pipe::overflow) says otherwise.
    pub fn buffer(self, items: usize) -> Staged<S, BufferJob, P> {
        self.par(Opts::new().window(items), "buffer", BufferJob)
    }

    /// The most items that may be under way at the same time: taken from the source, and not yet used up
    /// by the end of the pipeline. It never is more, whatever takes long.
    ///
    /// What [`flat_map`](Self::flat_map) and [`par_flat_map`](Self::par_flat_map) make of one item counts
    /// as one, and so does a batch after it has been made.
    #[must_use]
    pub fn max_in_flight(&self) -> usize {
        self.stage.bound()
    }
}

/// A pipeline with one more stage that has workers.
type Staged<S, J, P> = Pipe<Par<S, J>, P>;
