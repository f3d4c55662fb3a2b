//! Maps of tasks: a batch is a future that calls the closure for one item after the other.

mod front;

pub use front::NextResult;

use super::cell::{Cell, Claim, Promise};
use super::house::House;
use super::placing::PlaceWait;
use super::submit::Submitter;
use super::work::{Body, Work};
use crate::engine::{Grant, Outcome, Wait};
use crate::error::{JobError, Panicked, Reason};
use crate::map::{Feed, Feeder, Overflow, Placed, Portion, Portions, Ways};
use crate::primitives::{Arc, Mutex};
use pin_project_lite::pin_project;
use std::future::Future;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::vec;

/// The items of a batch that the closure did not get yet, and what it made of the others: a batch may be
/// dropped between two of them.
struct Stock<X, T> {
    items: vec::IntoIter<X>,
    done: Portion<T>,
}

/// A batch that has a place, or runs in whoever waits for it.
struct Batch<T> {
    house: Arc<House>,
    promise: Arc<dyn Promise<Portion<T>>>,
    claim: Arc<dyn Claim>,
    /// It is of a strand: whose turn it is, the pool says, and not whoever waits.
    has_turn: bool,
    /// It is polled here …
    here: Option<Body>,
    /// … and waits in the queue, as far as that knows.
    is_queued: bool,
}

impl<T> Batch<T> {
    /// It is over, where it is polled here.
    fn over(&mut self, outcome: Outcome) {
        self.house.hooks.note_end(outcome);
        if mem::take(&mut self.is_queued) {
            self.house.engine.withdraw(Some(outcome));
        } else {
            self.house.engine.note_outside(outcome);
        }
    }

    /// Begins with it here; what has begun elsewhere stays there.
    fn begin(&mut self) -> bool {
        match Arc::clone(&self.claim).begin() {
            Ok(running) => {
                self.here = Some(Body::Job(running));
                true
            }
            Err(Outcome::Void) => false,
            Err(outcome) => {
                self.over(outcome);
                true
            }
        }
    }
}

impl<T> Placed<T> for Batch<T> {
    fn poll(&mut self, waker: &Waker) -> Option<Result<Portion<T>, JobError>> {
        if self.here.is_some() {
            let house = Arc::clone(&self.house);
            let _entered = house.runtime.enter();
            let cx = &mut Context::from_waker(waker);
            match house.inside(|| Body::poll(&mut self.here, &house.hooks, cx)) {
                Poll::Pending => return None,
                Poll::Ready(outcome) => self.over(outcome),
            }
        }
        self.promise.poll(waker)
    }

    fn abort(&self) {
        if self.promise.refuse(JobError::Aborted) {
            self.house.engine.withdraw(None);
        }
    }
}

impl<T> Drop for Batch<T> {
    fn drop(&mut self) {
        if let Some(body) = self.here.take() {
            // CANCEL: it goes with the map.
            body.lose(JobError::Aborted);
            self.over(Outcome::Void);
        }
    }
}

/// How batches come into a pool of tasks.
struct ByTasks<'p, F> {
    submitter: Submitter<'p>,
    f: Arc<F>,
}

impl<'p, X, F, T> Ways<X, T> for ByTasks<'p, F> {
    type Stock = Arc<Mutex<Stock<X, T>>>;
    type Job = Batch<T>;
    type Place = PlaceWait<'p>;
}

impl<X, F, Fut, T> Feed<X, T> for ByTasks<'_, F>
where
    X: Send + 'static,
    F: Fn(X) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    fn workers(&self) -> usize {
        self.submitter.house.engine.limits().1
    }

    fn is_inside(&self) -> bool {
        self.submitter.house.is_inside()
    }

    fn stock(&self, items: Vec<X>) -> Self::Stock {
        let done = Vec::with_capacity(items.len());
        Arc::new(Mutex::new(Stock { items: items.into_iter(), done }))
    }

    fn wait(&self) -> Self::Place {
        PlaceWait::new(self.submitter.house)
    }

    fn poll_place(place: &mut Self::Place, waker: &Waker) -> Wait<Grant> {
        place.poll(waker)
    }

    fn place(&self, stock: &Self::Stock, promised: bool) -> Result<Self::Job, Reason> {
        let (submitter, house) = (self.submitter, self.submitter.house);
        let batch = self.batch(stock, true);
        let make = || submitter.item(Work::Job(Arc::clone(&batch.claim)));
        if promised { house.place_reserved(make) } else { house.try_place(make) }?;
        Ok(batch)
    }

    /// A job of the pool itself never waits for a place: where there is none it runs the batch that it
    /// needs next.
    fn overflow(&self, stock: &Self::Stock, is_first: bool) -> Overflow<Self::Job> {
        if !self.submitter.house.is_inside() {
            return Overflow::Wait;
        }
        if !is_first {
            return Overflow::Later;
        }
        // Whose turn it is in a strand is not known here.
        if self.submitter.strand.is_some() {
            return Overflow::Instead(Err(Reason::Full));
        }
        if House::is_deep() {
            return Overflow::Instead(Err(Reason::TooDeep));
        }
        let mut batch = self.batch(stock, false);
        batch.begin();
        Overflow::Instead(Ok(batch))
    }

    /// A job of the pool itself may have the place that the batch waits for.
    fn run_here(&self, batch: &mut Self::Job) -> bool {
        let may = batch.here.is_none() && !batch.has_turn;
        may && self.submitter.house.is_inside() && !House::is_deep() && batch.begin()
    }

    fn note_rejected(&self, reason: Reason) {
        let house = self.submitter.house;
        house.hooks.note_rejected(&house.engine, reason);
    }

    fn leave(stock: &Self::Stock) -> (Portion<T>, Vec<X>) {
        let mut stock = stock.lock();
        let (done, items) = (mem::take(&mut stock.done), mem::take(&mut stock.items));
        drop(stock);
        (done, items.collect())
    }
}

impl<F> ByTasks<'_, F> {
    fn batch<X, Fut, T>(&self, stock: &Arc<Mutex<Stock<X, T>>>, is_queued: bool) -> Batch<T>
    where
        X: Send + 'static,
        F: Fn(X) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = T> + Send + 'static,
        T: Send + 'static,
    {
        let submitter = self.submitter;
        let job = job(Arc::clone(&self.f), Arc::clone(stock));
        let cell = Cell::new(job, submitter.deadline, Portions, submitter.tag());
        Batch {
            house: Arc::clone(submitter.house),
            promise: Arc::clone(&cell) as _,
            claim: cell,
            has_turn: submitter.strand.is_some(),
            here: None,
            is_queued,
        }
    }
}

/// What a batch does: each item is taken when it is its turn. One lock for each, which nobody else wants.
async fn job<X, F, Fut, T>(f: Arc<F>, stock: Arc<Mutex<Stock<X, T>>>) -> Portion<T>
where
    F: Fn(X) -> Fut,
    Fut: Future<Output = T>,
{
    let mut done = None;
    loop {
        let item = take(&stock, done.take());
        let Some(item) = item else { break };
        done = Some(match catch_unwind(AssertUnwindSafe(|| f(item))) {
            Ok(future) => Guarded { future: Some(future) }.await,
            Err(payload) => Err(Panicked::new(payload)),
        });
    }
    mem::take(&mut stock.lock().done)
}

fn take<X, T>(stock: &Mutex<Stock<X, T>>, done: Option<Result<T, Panicked>>) -> Option<X> {
    let mut stock = stock.lock();
    stock.done.extend(done);
    stock.items.next()
}

pin_project! {
    /// A panic of it is of that item alone.
    struct Guarded<F> {
        #[pin]
        future: Option<F>,
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, Panicked>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let Some(future) = this.future.as_mut().as_pin_mut() else {
            unreachable!("polled after its end")
        };
        let result = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(payload) => Err(Panicked::new(payload)),
        };
        // A panic of its drop is the item's too.
        match catch_unwind(AssertUnwindSafe(|| this.future.set(None))) {
            Ok(()) => Poll::Ready(result),
            Err(payload) => {
                crate::error::drop_payload(result);
                Poll::Ready(Err(Panicked::new(payload)))
            }
        }
    }
}

/// A closure over many items, by the workers of a pool; what it gives for each is a future. See
/// [`Pool::map`](super::Pool::map).
///
/// It is a request: nothing happens until it is waited for, and then as much as fits into its window.
/// `.await` gives all results in the order of the items; [`next_result`](Self::next_result) gives one
/// after the other. A thread outside of the runtime waits or iterates.
///
/// # Errors
///
/// Each item has one outcome: what the closure's future gave, or a [`MapError`](crate::MapError) that names its index and,
/// unless the closure got it, hands it back. A panic is an error of that item alone. Whoever takes
/// one after the other sees all outcomes; `.await` and `wait` end with the first error, in the order of the
/// items.
///
/// # Cancel safety
///
/// Dropping it aborts the batches that have not started, and their items are dropped; what runs goes
/// on, but for what a job of the pool runs inside of itself, and its results are dropped. A wait for the
/// next result may be dropped at any time.
#[must_use = "a request does nothing until it is waited for"]
pub struct Map<'p, I: Iterator, F, T>(Feeder<ByTasks<'p, F>, I, T>);

/// The same as [`Map`], with each result as soon as it is there, and the index of its item.
#[must_use = "a request does nothing until it is waited for"]
pub struct Unordered<'p, I: Iterator, F, T>(Map<'p, I, F, T>);
