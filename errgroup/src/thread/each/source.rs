//! Where the items come from, and how threads share them.

use crate::primitives::atomic::{AtomicUsize, Ordering};
use crate::primitives::{Deadline, Mutex};
use std::fmt;
use std::ops::Range;
use std::time::Duration;

/// A chunk that took no longer than this was too small.
///
/// Far more than what a chunk costs (an addition that others want to make as well, and two
/// readings of the clock: some 200 ns), far less than what a wake-up does.
const QUICK: Duration = Duration::from_micros(20);
/// So many times larger the next chunk is then.
const GROWTH: usize = 4;

/// What [`for_each`](super::for_each) and [`map`](super::map) take: a slice, a vector or an array
/// by reference, a `Range<usize>`, or [`pull(iterator)`](pull).
pub trait Items {
    /// What the body is handed.
    type Item;

    #[doc(hidden)]
    fn into_source(self) -> impl Source<Item = Self::Item>;
}

/// Items that threads take their shares of.
pub trait Source: Sync {
    type Item;

    /// Takes items and gives them to `body`, with their index, until there are none or `go_on` is
    /// false. Where it unwinds, another call with the same share goes on with the next item.
    fn run(&self, share: &mut Share, go_on: impl Fn() -> bool, body: impl Fn(usize, Self::Item));

    /// How many items there are, at most, where that is known.
    fn at_most(&self) -> Option<usize>;

    /// Whether all are taken.
    fn is_over(&self) -> bool;
}

/// What one thread has taken.
#[derive(Debug)]
pub struct Share {
    next: usize,
    end: usize,
    /// As how large a chunk the next one is taken.
    size: usize,
    workers: usize,
}

impl Share {
    pub(super) const fn new(workers: usize) -> Self {
        Self { next: 0, end: 0, size: 1, workers }
    }

    /// The item that was started last.
    pub(super) const fn current(&self) -> usize {
        self.next.saturating_sub(1)
    }
}

impl<'a, I: Sync> Items for &'a [I] {
    type Item = &'a I;

    fn into_source(self) -> impl Source<Item = &'a I> {
        Indexed::new(self.len(), move |index| &self[index])
    }
}

impl<'a, I: Sync> Items for &'a Vec<I> {
    type Item = &'a I;

    fn into_source(self) -> impl Source<Item = &'a I> {
        self.as_slice().into_source()
    }
}

impl<'a, I: Sync, const N: usize> Items for &'a [I; N] {
    type Item = &'a I;

    fn into_source(self) -> impl Source<Item = &'a I> {
        self.as_slice().into_source()
    }
}

impl Items for Range<usize> {
    type Item = usize;

    fn into_source(self) -> impl Source<Item = usize> {
        Indexed::new(self.len(), move |index| self.start + index)
    }
}

/// Items that are found by their index.
struct Indexed<G> {
    len: usize,
    get: G,
    next: Next,
}

/// The first item that nobody has taken. On a cache line of its own: all threads write it.
#[repr(align(64))]
struct Next(AtomicUsize);

impl<G> Indexed<G> {
    fn new(len: usize, get: G) -> Self {
        Self { len, get, next: Next(AtomicUsize::new(0)) }
    }

    fn left(&self) -> usize {
        // ORDERING: Relaxed: a guess; the addition decides.
        self.len.saturating_sub(self.next.0.load(Ordering::Relaxed))
    }

    /// Takes the next chunk: no more than half of this thread's part of what is left, so that all
    /// end at about the same time.
    fn take(&self, share: &mut Share) -> bool {
        let most = self.left() / share.workers / 2;
        let size = share.size.min(most).max(1);
        // The index passes the length by one chunk for each thread, at most.
        if self.left() == 0 {
            return false;
        }
        // ORDERING: Relaxed: nothing is published; items were there before the threads.
        let start = self.next.0.fetch_add(size, Ordering::Relaxed);
        if start >= self.len {
            return false;
        }
        share.next = start;
        share.end = start.saturating_add(size).min(self.len);
        true
    }
}

impl<I, G: Fn(usize) -> I + Sync> Source for Indexed<G> {
    type Item = I;

    #[inline]
    fn run(&self, share: &mut Share, go_on: impl Fn() -> bool, body: impl Fn(usize, I)) {
        loop {
            let quick = Deadline::after(QUICK);
            while share.next < share.end {
                if !go_on() {
                    return;
                }
                let index = share.next;
                // First, so that an item that panics is not begun again.
                share.next += 1;
                body(index, (self.get)(index));
            }
            let grows = quick.is_some_and(|quick| !quick.has_passed());
            share.size = if grows { share.size.saturating_mul(GROWTH) } else { 1 };
            if !self.take(share) {
                return;
            }
        }
    }

    fn at_most(&self) -> Option<usize> {
        Some(self.len)
    }

    fn is_over(&self) -> bool {
        self.left() == 0
    }
}

/// The items of an iterator, for [`for_each`](super::for_each) and [`map`](super::map): a thread
/// that is free takes the next one.
///
/// The iterator's `next` is called under a lock, by one thread at a time: the others that are free
/// wait for it. It should not wait for what a body does.
pub const fn pull<I: Iterator>(iterator: I) -> Pull<I> {
    Pull(iterator)
}

/// What [`pull`] makes.
#[derive(Clone)]
pub struct Pull<I>(I);

impl<I> fmt::Debug for Pull<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pull").finish_non_exhaustive()
    }
}

impl<I: Iterator + Send> Items for Pull<I> {
    type Item = I::Item;

    fn into_source(self) -> impl Source<Item = I::Item> {
        let at_most = self.0.size_hint().1;
        Pulled { at_most, line: Mutex::new(Line { iterator: self.0, next: 0, over: false }) }
    }
}

struct Pulled<I> {
    at_most: Option<usize>,
    line: Mutex<Line<I>>,
}

struct Line<I> {
    iterator: I,
    next: usize,
    /// It has ended, or panicked.
    over: bool,
}

impl<I: Iterator + Send> Source for Pulled<I> {
    type Item = I::Item;

    fn run(&self, share: &mut Share, go_on: impl Fn() -> bool, body: impl Fn(usize, I::Item)) {
        while go_on() {
            let mut line = self.line.lock();
            if line.over {
                return;
            }
            let index = line.next;
            share.next = index + 1;
            // An iterator that panics is not asked again.
            line.over = true;
            let Some(item) = line.iterator.next() else { return };
            line.over = false;
            line.next += 1;
            drop(line);
            body(index, item);
        }
    }

    fn at_most(&self) -> Option<usize> {
        self.at_most
    }

    fn is_over(&self) -> bool {
        self.line.lock().over
    }
}
