//! One closure over many items: so many to a job, results in order or as they come.
//!
//! A map is a request that feeds itself. Whoever waits for its next result puts batches into the queue,
//! up to a window that bounds what is in memory, and collects them. Batches are jobs like any other;
//! their items stay where both sides can reach them until the closure gets them, so that a batch which
//! the pool drops or hands back is not lost. Threads and tasks differ in what a batch is, and in how it is
//! run by a job of the pool itself: that is [`Feed`].

use crate::batch_size::BatchSize;
use crate::engine::{Grant, Outcome, Wait};
use crate::error::{JobError, MapError, Panicked, Reason};
use crate::judge::{Judge, outcome_of};
use crate::primitives::Deadline;
use crate::tune::Tuner;
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::task::Waker;
use std::time::Duration;

/// So many batches for each worker are in the pool, or done and not collected: one that runs, one that
/// comes next, and as many again for the time until somebody collects.
const WINDOW: usize = 4;

/// How many workers there are is asked anew once for so many batches.
const LOOK_EVERY: u32 = 64;

/// The outcome of an item, with its index.
pub(crate) type Named<X, T> = (usize, Result<T, MapError<X>>);

/// What the closure made of each item.
pub(crate) type Portion<T> = Vec<Result<T, Panicked>>;

/// What the batches of a map are made of, in a world.
pub(crate) trait Ways<X, T> {
    /// The items of a batch, until the closure gets them.
    type Stock;
    /// A batch that is in the pool, or runs beside it.
    type Job: Placed<T>;
    /// A wait for a place.
    type Place;
}

/// A batch that has a place.
pub(crate) trait Placed<T> {
    fn poll(&mut self, waker: &Waker) -> Option<Result<Portion<T>, JobError>>;
    /// Ends it if it has not started.
    fn abort(&self);
}

/// A way into a pool, for the batches of a map.
pub(crate) trait Feed<X, T>: Ways<X, T> {
    /// How many workers there may be.
    fn workers(&self) -> usize;
    /// Whether it is a job of the pool that asks, which does not wait for a place.
    fn is_inside(&self) -> bool;
    fn stock(&self, items: Vec<X>) -> Self::Stock;
    fn wait(&self) -> Self::Place;
    fn poll_place(place: &mut Self::Place, waker: &Waker) -> Wait<Grant>;
    /// Puts a batch into the queue: into the place that was promised, or if there is room.
    fn place(&self, stock: &Self::Stock, promised: bool) -> Result<Self::Job, Reason>;
    /// What is to be done without a place; the first batch is the one that is needed next.
    fn overflow(&self, stock: &Self::Stock, is_first: bool) -> Overflow<Self::Job>;
    /// Has whoever waits for a batch run it, where that is the thing to do; `false` if it is not.
    fn run_here(&self, job: &mut Self::Job) -> bool;
    fn note_rejected(&self, reason: Reason);
    /// What the closure made of the first items of a batch that did not run to its end, and the items that
    /// it did not get.
    fn leave(stock: &Self::Stock) -> (Portion<T>, Vec<X>);
}

/// See [`Feed::overflow`].
pub(crate) enum Overflow<J> {
    /// It waits for a place.
    Wait,
    /// Others are needed first, and nothing is waited for.
    Later,
    /// It runs without one, or never will.
    Instead(Result<J, Reason>),
}

/// A batch that is not collected.
pub(crate) struct Batch<S, J> {
    /// The index of its first item.
    first: usize,
    length: usize,
    /// What the size was when it was made.
    size: usize,
    stock: S,
    pub(crate) stands: Stands<J>,
}

pub(crate) enum Stands<J> {
    /// It has no place in the queue yet.
    Unplaced,
    Placed(J),
    /// It will have none. Whoever collects comes to it in its turn.
    Refused(Reason),
}

type Batches<W, X, T> = VecDeque<Batch<<W as Ways<X, T>>::Stock, <W as Ways<X, T>>::Job>>;

/// The state of a map.
pub(crate) struct Feeder<W: Ways<I::Item, T>, I: Iterator, T> {
    pub(crate) feed: W,
    items: I,
    /// The next item's index.
    index: usize,
    size: usize,
    tuner: Option<Tuner>,
    /// When a batch was collected last.
    collected: Option<Deadline>,
    exhausted: bool,
    pub(crate) unordered: bool,
    workers: usize,
    /// How many batches were made.
    made: u32,
    pub(crate) batches: Batches<W, I::Item, T>,
    pub(crate) results: VecDeque<Named<I::Item, T>>,
    place: Option<W::Place>,
    /// What `.await` has so far.
    #[cfg(feature = "async")]
    all: Vec<T>,
}

impl<W, I, T> Feeder<W, I, T>
where
    W: Feed<I::Item, T>,
    I: Iterator,
{
    /// Panics if `size` is `Fixed(0)`.
    pub(crate) fn new(feed: W, items: I, size: BatchSize) -> Self {
        let workers = feed.workers();
        let (size, tuner) = size.begin(workers);
        Self {
            feed,
            items,
            index: 0,
            size,
            tuner,
            collected: None,
            exhausted: false,
            unordered: false,
            workers,
            made: 0,
            batches: VecDeque::new(),
            results: VecDeque::new(),
            place: None,
            #[cfg(feature = "async")]
            all: Vec::new(),
        }
    }

    /// As many results as are sure to come, for whoever wants to keep them.
    #[cfg(feature = "sync")]
    pub(crate) fn least(&self) -> usize {
        self.items.size_hint().0.min(1 << 16)
    }

    /// One poll: a result, the end of all, or nothing yet.
    pub(crate) fn poll_next(&mut self, waker: &Waker) -> Option<Option<Named<I::Item, T>>> {
        loop {
            if let Some(result) = self.results.pop_front() {
                // Whoever works on it does not stand in line meanwhile.
                self.place = None;
                return Some(Some(result));
            }
            self.fill(waker);
            if self.results.is_empty() && !self.collect(waker) && !self.runs_first() {
                return self.is_over().then_some(None);
            }
        }
    }

    /// One poll for all results, or the first error.
    #[cfg(feature = "async")]
    pub(crate) fn poll_all(&mut self, waker: &Waker) -> Option<Result<Vec<T>, MapError<I::Item>>> {
        loop {
            match self.poll_next(waker)? {
                None => return Some(Ok(mem::take(&mut self.all))),
                Some((_, Ok(value))) => self.all.push(value),
                Some((_, Err(error))) => return Some(Err(error)),
            }
        }
    }

    fn is_over(&self) -> bool {
        self.exhausted && self.batches.is_empty() && self.results.is_empty()
    }

    fn runs_first(&mut self) -> bool {
        match self.batches.front_mut().map(|first| &mut first.stands) {
            Some(Stands::Placed(job)) => self.feed.run_here(job),
            _ => false,
        }
    }

    /// Puts batches into the queue: as many as the window has, and the queue takes.
    pub(crate) fn fill(&mut self, waker: &Waker) {
        if self.place.is_some() && self.feed.is_inside() {
            // It was polled outside before.
            self.place = None;
        }
        let mut from = 0;
        while let Some(at) = self.next_to_place(&mut from) {
            let grant = match &mut self.place {
                None => None,
                Some(place) => match W::poll_place(place, waker) {
                    Wait::Queued => return,
                    Wait::Ready(grant) => Some(grant),
                },
            };
            self.place = None;
            let stock = &self.batches[at].stock;
            let placed = match grant {
                Some(Grant::Closed) => Err(Reason::Closed),
                grant => self.feed.place(stock, grant.is_some()),
            };
            let placed = match placed {
                Err(Reason::Full) => match self.feed.overflow(stock, at == 0) {
                    Overflow::Wait => {
                        self.place = Some(self.feed.wait());
                        continue;
                    }
                    Overflow::Later => return,
                    Overflow::Instead(placed) => placed,
                },
                placed => placed,
            };
            self.batches[at].stands = match placed {
                Ok(job) => Stands::Placed(job),
                Err(reason) => {
                    self.feed.note_rejected(reason);
                    Stands::Refused(reason)
                }
            };
        }
    }

    /// A batch that has no place, made if the window has room for one more.
    fn next_to_place(&mut self, from: &mut usize) -> Option<usize> {
        while let Some(batch) = self.batches.get(*from) {
            if matches!(batch.stands, Stands::Unplaced) {
                return Some(*from);
            }
            *from += 1;
        }
        if self.made % LOOK_EVERY == 0 {
            self.workers = self.feed.workers();
        }
        if self.exhausted || self.batches.len() >= self.workers.saturating_mul(WINDOW) {
            return None;
        }
        let length = self.length();
        let mut items = Vec::with_capacity(length.min(self.items.size_hint().1.unwrap_or(length)));
        items.extend(self.items.by_ref().take(length));
        self.exhausted = items.len() < length;
        if items.is_empty() {
            return None;
        }
        let (first, length) = (self.index, items.len());
        self.index += length;
        self.made = self.made.wrapping_add(1);
        let (size, stock) = (self.size, self.feed.stock(items));
        self.batches.push_back(Batch { first, length, size, stock, stands: Stands::Unplaced });
        Some(*from)
    }

    /// How many items the next batch has: fewer in the end, if one knows where that is, so that the
    /// workers end together. What the user has fixed stays.
    fn length(&self) -> usize {
        match (&self.tuner, self.items.size_hint()) {
            (Some(_), (left, Some(most))) if left == most => {
                self.size.min(left.div_ceil(self.workers).max(1))
            }
            _ => self.size,
        }
    }

    /// Collects a batch that is over: the first one, or whichever. `false` if there is none.
    pub(crate) fn collect(&mut self, waker: &Waker) -> bool {
        let looked_at = if self.unordered { self.batches.len() } else { 1 };
        for at in 0..looked_at.min(self.batches.len()) {
            let found = match &mut self.batches[at].stands {
                Stands::Unplaced => None,
                Stands::Placed(job) => job.poll(waker),
                Stands::Refused(reason) => Some(Err(JobError::Rejected(*reason))),
            };
            if let Some(result) = found {
                self.collected(at, result);
                return true;
            }
        }
        false
    }

    /// A batch is over: its results are the next, in their order.
    pub(crate) fn collected(&mut self, at: usize, result: Result<Portion<T>, JobError>) {
        if matches!(result, Err(JobError::Dropped)) {
            // It had to make room for others, and was accepted all the same: it is placed again.
            self.batches[at].stands = Stands::Unplaced;
            return;
        }
        let Some(batch) = self.batches.remove(at) else { unreachable!("it was just there") };
        let (portion, unused, error) = match result {
            Ok(portion) => {
                self.tune(batch.size, batch.length);
                (portion, Vec::new(), None)
            }
            Err(error) => {
                let (portion, unused) = W::leave(&batch.stock);
                (portion, unused, Some(error))
            }
        };
        let done = portion.len();
        self.results.extend(portion.into_iter().enumerate().map(|(nth, result)| {
            let index = batch.first + nth;
            (index, result.map_err(|it| MapError::new(index, None, JobError::Panicked(it))))
        }));
        if let Some(error) = error {
            let lost = batch.length - unused.len();
            let mut unused = unused.into_iter();
            self.results.extend((done..batch.length).map(|nth| {
                let item = if nth < lost { None } else { unused.next() };
                let index = batch.first + nth;
                (index, Err(MapError::new(index, item, error.twin())))
            }));
        }
    }

    /// Tells whoever finds out the best size, by one look at the clock for a batch.
    fn tune(&mut self, size: usize, length: usize) {
        let Some(tuner) = &mut self.tuner else { return };
        let before = mem::replace(&mut self.collected, Deadline::after(Duration::ZERO));
        if length == size {
            if let (Some(before), Some(now)) = (before, &self.collected) {
                let elapsed = now.instant().saturating_duration_since(before.instant());
                tuner.record(size, length, elapsed);
                self.size = tuner.size();
            }
        }
    }
}

impl<W: Ways<I::Item, T>, I: Iterator, T> Drop for Feeder<W, I, T> {
    fn drop(&mut self) {
        for batch in &self.batches {
            if let Stands::Placed(job) = &batch.stands {
                // CANCEL: what has not started does not.
                job.abort();
            }
        }
    }
}

impl<W: Ways<I::Item, T>, I: Iterator, T> fmt::Debug for Feeder<W, I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map")
            .field("index", &self.index)
            .field("size", &self.size)
            .field("batches", &self.batches.len())
            .finish_non_exhaustive()
    }
}

pub(crate) fn with_index<X, T>((index, result): Named<X, T>) -> Result<(usize, T), MapError<X>> {
    result.map(|value| (index, value))
}

/// A batch has failed if one of its items has.
#[derive(Debug)]
pub(crate) struct Portions;

impl<T: Send> Judge<Portion<T>> for Portions {
    type Value = Portion<T>;

    fn judge(&self, it: Result<Portion<T>, JobError>) -> (Result<Portion<T>, JobError>, Outcome) {
        let outcome = match &it {
            Ok(portion) if portion.iter().any(Result::is_err) => Outcome::Failed,
            Ok(_) => Outcome::Completed,
            Err(error) => outcome_of(error),
        };
        (it, outcome)
    }
}
