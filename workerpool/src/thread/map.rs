//! One closure over many items: so many to a job, results in order or as they come.
//!
//! A map is a request that feeds itself. Whoever waits for its next result puts batches into the queue,
//! up to a window that bounds what is in memory, and collects them. Batches are jobs like any other;
//! their items stay where both sides can reach them until the closure gets them, so that a batch which
//! the pool drops or hands back is not lost.

mod front;

#[cfg(feature = "async")]
pub use front::NextResult;

use super::handle::Job;
use super::slot::PlaceWait;
use super::submit::Submitter;
use super::task::Task;
use crate::batch_size::BatchSize;
use crate::engine::{Grant, Wait};
use crate::error::{JobError, MapError, Panicked, Reason};
use crate::job::{Cell, Claim};
use crate::parker::{Step, drive};
use crate::primitives::{Arc, Deadline, Mutex};
use crate::tune::Tuner;
use std::collections::VecDeque;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::time::Duration;

/// So many batches for each worker are in the pool, or done and not collected: one that runs, one that
/// comes next, and as many again for the time until somebody collects.
const WINDOW: usize = 4;

/// How many workers there are is asked anew once for so many batches.
const LOOK_EVERY: u32 = 64;

type Outcome<X, T> = Result<T, MapError<X>>;

/// With the index of its item.
type Named<X, T> = (usize, Outcome<X, T>);

/// The items of a batch, until the closure gets them.
type Stock<X> = Arc<Mutex<Vec<X>>>;

/// What the closure made of each item.
type Portion<T> = Vec<Result<T, Panicked>>;

/// A batch that is not collected.
struct Batch<'env, X, T> {
    /// The index of its first item.
    first: usize,
    length: usize,
    /// What the size was when it was made.
    size: usize,
    stock: Stock<X>,
    stands: Stands<'env, T>,
}

enum Stands<'env, T> {
    /// It has no place in the queue yet.
    Unplaced,
    Placed(Job<'env, Portion<T>>),
    /// It will have none. Whoever collects comes to it in its turn.
    Refused(Reason),
}

/// A closure over many items, by the workers of a pool. See [`Pool::map`](super::Pool::map).
///
/// It is a request: nothing happens until it is waited for, and then as much as fits into its window.
/// [`wait`](Self::wait), `.await` give all results in the order of the items; as an iterator, or by
/// `next_result` in a task, it gives one after the other.
///
/// # Errors
///
/// Each item has one outcome: what the closure gave, or a [`MapError`] that names its index and, unless
/// the closure got it, hands it back. A panic of the closure is an error of that item alone. Whoever
/// iterates sees all outcomes; `wait` and `.await` end with the first error, in the order of the items.
///
/// # Cancel safety
///
/// Dropping it aborts the batches that have not started, and their items are dropped; what runs goes
/// on, and its results are dropped. A wait for the next result may be dropped at any time.
#[must_use = "a request does nothing until it is waited for"]
pub struct Map<'p, 'env, I: Iterator, F, T> {
    submitter: Submitter<'p, 'env>,
    items: I,
    f: Arc<F>,
    /// The next item's index.
    index: usize,
    size: usize,
    tuner: Option<Tuner>,
    /// When a batch was collected last.
    collected: Option<Deadline>,
    exhausted: bool,
    unordered: bool,
    workers: usize,
    /// How many batches were made.
    made: u32,
    batches: VecDeque<Batch<'env, I::Item, T>>,
    results: VecDeque<Named<I::Item, T>>,
    place: Option<PlaceWait<'p, 'env>>,
    /// What `.await` has so far.
    #[cfg(feature = "async")]
    all: Vec<T>,
}

/// The same as [`Map`], with each result as soon as it is there, and the index of its item.
#[must_use = "a request does nothing until it is waited for"]
pub struct Unordered<'p, 'env, I: Iterator, F, T>(Map<'p, 'env, I, F, T>);

impl<'p, 'env, I, F, T> Map<'p, 'env, I, F, T>
where
    I: Iterator,
    I::Item: Send + 'env,
    F: Fn(I::Item) -> T + Send + Sync + 'env,
    T: Send + 'env,
{
    pub(crate) fn new(submitter: Submitter<'p, 'env>, items: I, size: BatchSize, f: F) -> Self {
        let (_, workers) = submitter.house.engine.limits();
        let (size, tuner) = size.begin(workers);
        Self {
            submitter,
            items,
            f: Arc::new(f),
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

    /// Gives each result as soon as it is there, with the index of its item.
    pub fn unordered(mut self) -> Unordered<'p, 'env, I, F, T> {
        self.unordered = true;
        Unordered(self)
    }

    /// Waits for all results, in the order of the items.
    ///
    /// # Errors
    ///
    /// The first [`MapError`] in that order. What has not started by then is aborted.
    pub fn wait(mut self) -> Result<Vec<T>, MapError<I::Item>> {
        let mut all = Vec::with_capacity(self.items.size_hint().0.min(1 << 16));
        while let Some((_, result)) = self.next_here() {
            all.push(result?);
        }
        Ok(all)
    }

    /// The wait for the next result, for tasks; a thread iterates.
    #[cfg(feature = "async")]
    pub const fn next_result(&mut self) -> NextResult<'_, Self> {
        NextResult(self)
    }

    /// The next result, on this thread.
    fn next_here(&mut self) -> Option<Named<I::Item, T>> {
        if self.submitter.house.is_inside() {
            return self.next_inside();
        }
        let next = drive(None, |waker| match self.poll_next(waker) {
            Some(next) => Step::Ready(next),
            None => Step::Queued { spin: true },
        });
        next.flatten()
    }

    /// One poll: a result, the end of all, or nothing yet.
    fn poll_next(&mut self, waker: &Waker) -> Option<Option<Named<I::Item, T>>> {
        loop {
            if let Some(result) = self.results.pop_front() {
                // Whoever works on it does not stand in line meanwhile.
                self.place = None;
                return Some(Some(result));
            }
            self.fill(waker);
            if self.results.is_empty() && !self.collect(waker) {
                return self.is_over().then_some(None);
            }
        }
    }

    fn is_over(&self) -> bool {
        self.exhausted && self.batches.is_empty() && self.results.is_empty()
    }

    /// Puts batches into the queue: as many as the window has, and the queue takes.
    fn fill(&mut self, waker: &Waker) {
        let (mut from, house) = (0, self.submitter.house);
        while let Some(at) = self.next_to_place(&mut from) {
            let grant = match &mut self.place {
                None => None,
                Some(place) => match place.poll(waker) {
                    Wait::Queued => return,
                    Wait::Ready(grant) => Some(grant),
                },
            };
            self.place = None;
            let cell = self.submitter.cell(job(&self.f, &self.batches[at].stock), has_failed);
            let make = || self.submitter.item(Task::Job(Arc::clone(&cell) as _));
            let placed = match grant {
                None => house.try_place(make),
                Some(Grant::Place) => house.place_reserved(make),
                Some(Grant::Closed) => Err(Reason::Closed),
            };
            match placed {
                Err(Reason::Full) => self.place = Some(PlaceWait::new(house)),
                placed => self.placed(at, cell, placed),
            }
        }
    }

    /// The same for a worker of the pool itself, which never waits for a place: where there is none it
    /// runs the batch that it needs next, or the only one.
    fn fill_inside(&mut self) {
        let (mut from, house) = (0, self.submitter.house);
        while let Some(at) = self.next_to_place(&mut from) {
            let cell = self.submitter.cell(job(&self.f, &self.batches[at].stock), has_failed);
            let make = || self.submitter.item(Task::Job(Arc::clone(&cell) as _));
            let mut placed = house.try_place(make);
            if placed == Err(Reason::Full) {
                if at > 0 {
                    return;
                }
                // Whose turn it is in a strand is not known here.
                if self.submitter.strand.is_none() {
                    let ran = house.nest(|| house.finish(cell.run()));
                    placed = ran.ok_or(Reason::TooDeep).map(|it| house.engine.note_outside(it));
                }
            }
            self.placed(at, cell, placed);
        }
    }

    fn next_inside(&mut self) -> Option<Named<I::Item, T>> {
        loop {
            if let Some(result) = self.results.pop_front() {
                return Some(result);
            }
            self.fill_inside();
            if self.collect(Waker::noop()) {
                continue;
            }
            // INVARIANT: the first has a place, or has run.
            match self.batches.front_mut() {
                None => return None,
                Some(first) => match mem::replace(&mut first.stands, Stands::Unplaced) {
                    Stands::Placed(job) => {
                        let result = job.wait();
                        self.collected(0, result);
                    }
                    other => first.stands = other,
                },
            }
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
            self.workers = self.submitter.house.engine.limits().1;
        }
        if self.exhausted || self.batches.len() >= self.workers.saturating_mul(WINDOW) {
            return None;
        }
        let length = self.length();
        let mut stock = Vec::with_capacity(length.min(self.items.size_hint().1.unwrap_or(length)));
        stock.extend(self.items.by_ref().take(length));
        self.exhausted = stock.len() < length;
        if stock.is_empty() {
            return None;
        }
        let (first, length) = (self.index, stock.len());
        self.index += length;
        self.made = self.made.wrapping_add(1);
        let (size, stock) = (self.size, Arc::new(Mutex::new(stock)));
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

    /// What came of the attempt to place a batch.
    fn placed<J>(&mut self, at: usize, cell: Arc<Cell<J, Portion<T>>>, placed: Result<(), Reason>)
    where
        J: FnOnce() -> Portion<T> + Send + 'env,
    {
        self.batches[at].stands = match placed {
            Ok(()) => Stands::Placed(self.submitter.handle(cell)),
            Err(reason) => {
                self.submitter.house.note_rejected(reason);
                Stands::Refused(reason)
            }
        };
    }

    /// Collects a batch that is over: the first one, or whichever. `false` if there is none.
    fn collect(&mut self, waker: &Waker) -> bool {
        let looked_at = if self.unordered { self.batches.len() } else { 1 };
        for at in 0..looked_at.min(self.batches.len()) {
            let found = match &self.batches[at].stands {
                Stands::Unplaced => None,
                Stands::Placed(job) => job.promise.poll(waker),
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
    fn collected(&mut self, at: usize, result: Result<Portion<T>, JobError>) {
        if matches!(result, Err(JobError::Dropped)) {
            // It had to make room for others, and was accepted all the same: it is placed again.
            self.batches[at].stands = Stands::Unplaced;
            return;
        }
        let Some(batch) = self.batches.remove(at) else { unreachable!("it was just there") };
        match result {
            Ok(portion) => {
                self.tune(batch.size, batch.length);
                self.results.extend(portion.into_iter().enumerate().map(|(nth, result)| {
                    let index = batch.first + nth;
                    let wrong = |it| MapError::new(index, None, JobError::Panicked(it));
                    (index, result.map_err(wrong))
                }));
            }
            Err(error) => {
                let mut unused = mem::take(&mut *batch.stock.lock()).into_iter();
                self.results.extend((0..batch.length).map(|nth| {
                    let index = batch.first + nth;
                    (index, Err(MapError::new(index, unused.next(), error.twin())))
                }));
            }
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

/// What a batch does. Its items are taken when it starts, and by it alone.
fn job<X, F, T>(f: &Arc<F>, stock: &Stock<X>) -> impl FnOnce() -> Portion<T> + Send + use<X, F, T>
where
    X: Send,
    F: Fn(X) -> T + Send + Sync,
    T: Send,
{
    let (f, stock) = (Arc::clone(f), Arc::clone(stock));
    move || {
        let items = mem::take(&mut *stock.lock());
        items.into_iter().map(|item| guard(&*f, item)).collect()
    }
}

fn has_failed<T>(portion: &Portion<T>) -> bool {
    portion.iter().any(Result::is_err)
}

/// A panic is of that item alone.
fn guard<X, T>(f: impl Fn(X) -> T, item: X) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(|| f(item))).map_err(Panicked::new)
}
