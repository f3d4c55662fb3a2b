//! Maps of closures: their batches are closures, and a worker that maps runs some itself.

mod front;

#[cfg(feature = "async")]
pub use front::NextResult;

use super::handle::Job;
use super::house::House;
use super::slot::PlaceWait;
use super::submit::Submitter;
use super::task::Task;
use crate::batch_size::BatchSize;
use crate::engine::{Grant, Wait};
use crate::error::{JobError, MapError, Panicked, Reason};
use crate::job::{Cell, Claim};
use crate::map::{Feed, Feeder, Named, Overflow, Placed, Portion, Portions, Stands, Ways};
use crate::parker::{Step, drive};
use crate::primitives::{Arc, Mutex};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// The items of a batch, until the closure gets them.
type Stock<X> = Arc<Mutex<Vec<X>>>;

/// How batches come into a pool of threads.
struct ByThreads<'p, 'env, F> {
    submitter: Submitter<'p, 'env>,
    f: Arc<F>,
}

impl<'p, 'env, X, F, T> Ways<X, T> for ByThreads<'p, 'env, F> {
    type Stock = Stock<X>;
    type Job = Job<'env, Portion<T>>;
    type Place = PlaceWait<'p, 'env>;
}

impl<T> Placed<T> for Job<'_, Portion<T>> {
    fn poll(&mut self, waker: &Waker) -> Option<Result<Portion<T>, JobError>> {
        self.promise.poll(waker)
    }

    fn abort(&self) {
        Job::abort(self);
    }
}

impl<'p, 'env, F> ByThreads<'p, 'env, F> {
    fn house(&self) -> &'p House<'env, Task<'env>> {
        self.submitter.house
    }
}

impl<'env, X, F, T> Feed<X, T> for ByThreads<'_, 'env, F>
where
    X: Send + 'env,
    F: Fn(X) -> T + Send + Sync + 'env,
    T: Send + 'env,
{
    fn workers(&self) -> usize {
        self.house().engine.limits().1
    }

    fn is_inside(&self) -> bool {
        self.house().is_inside()
    }

    fn stock(&self, items: Vec<X>) -> Stock<X> {
        Arc::new(Mutex::new(items))
    }

    fn wait(&self) -> Self::Place {
        PlaceWait::new(self.submitter.house)
    }

    fn poll_place(place: &mut Self::Place, waker: &Waker) -> Wait<Grant> {
        place.poll(waker)
    }

    fn place(&self, stock: &Stock<X>, promised: bool) -> Result<Self::Job, Reason> {
        let house = self.submitter.house;
        let (submitter, job) = (self.submitter, job(&self.f, stock));
        let cell = Cell::new(job, submitter.deadline, Portions, submitter.tag());
        let make = || submitter.item(Task::Job(Arc::clone(&cell) as _));
        if promised { house.place_reserved(make) } else { house.try_place(make) }?;
        Ok(submitter.handle(cell))
    }

    /// A worker of the pool itself never waits for a place: where there is none it runs the batch that
    /// it needs next.
    fn overflow(&self, stock: &Stock<X>, is_first: bool) -> Overflow<Self::Job> {
        let house = self.house();
        if !house.is_inside() {
            return Overflow::Wait;
        }
        if !is_first {
            return Overflow::Later;
        }
        // Whose turn it is in a strand is not known here.
        if self.submitter.strand.is_some() {
            return Overflow::Instead(Err(Reason::Full));
        }
        let (submitter, job) = (self.submitter, job(&self.f, stock));
        let cell = Cell::new(job, submitter.deadline, Portions, submitter.tag());
        let ran = house.nest(|| house.finish(cell.run()));
        Overflow::Instead(ran.ok_or(Reason::TooDeep).map(|outcome| {
            house.engine.note_outside(outcome);
            submitter.handle(cell)
        }))
    }

    /// [`Map::next_inside`] does, where a thread may park.
    fn run_here(&self, _: &mut Self::Job) -> bool {
        false
    }

    fn note_rejected(&self, reason: Reason) {
        self.house().note_rejected(reason);
    }

    fn leave(stock: &Stock<X>) -> (Portion<T>, Vec<X>) {
        (Vec::new(), mem::take(&mut *stock.lock()))
    }
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
pub struct Map<'p, 'env, I: Iterator, F, T>(Feeder<ByThreads<'p, 'env, F>, I, T>);

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
        Self(Feeder::new(ByThreads { submitter, f: Arc::new(f) }, items, size))
    }

    /// Gives each result as soon as it is there, with the index of its item.
    pub fn unordered(mut self) -> Unordered<'p, 'env, I, F, T> {
        self.0.unordered = true;
        Unordered(self)
    }

    /// Waits for all results, in the order of the items.
    ///
    /// # Errors
    ///
    /// The first [`MapError`] in that order. What has not started by then is aborted.
    pub fn wait(mut self) -> Result<Vec<T>, MapError<I::Item>> {
        let mut all = Vec::with_capacity(self.0.least());
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
        if self.0.feed.house().is_inside() {
            return self.next_inside();
        }
        let next = drive(None, |waker| match self.0.poll_next(waker) {
            Some(next) => Step::Ready(next),
            None => Step::Queued { spin: true },
        });
        next.flatten()
    }

    fn next_inside(&mut self) -> Option<Named<I::Item, T>> {
        let map = &mut self.0;
        loop {
            if let Some(result) = map.results.pop_front() {
                return Some(result);
            }
            map.fill(Waker::noop());
            if map.collect(Waker::noop()) {
                continue;
            }
            // INVARIANT: the first has a place, or has run.
            match map.batches.front_mut() {
                None => return None,
                Some(first) => match mem::replace(&mut first.stands, Stands::Unplaced) {
                    Stands::Placed(job) => {
                        let result = job.wait();
                        map.collected(0, result);
                    }
                    other => first.stands = other,
                },
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

/// A panic is of that item alone.
fn guard<X, T>(f: impl Fn(X) -> T, item: X) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(|| f(item))).map_err(Panicked::new)
}
