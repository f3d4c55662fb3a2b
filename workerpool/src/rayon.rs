//! CPU-bound maps on a rayon pool that is there already.
//!
//! A program that has a rayon pool for its computations should not have a second set of threads
//! beside it. [`map`] gives such a pool items and a function, and its result to threads and tasks
//! alike, with each panic kept to its item.

use crate::error::{JobError, Panicked, drop_payload};
use crate::parker::{Step, drive};
use crate::primitives::atomic::{AtomicBool, Ordering};
use crate::primitives::{Arc, Deadline, Mutex};
use ::rayon::ThreadPool;
use ::rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::fmt;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::time::{Duration, Instant};

/// The results, in the order of the items.
type Results<R> = Vec<Result<R, JobError>>;

/// Applies `f` to every item, in parallel on `pool`, and gives the results in the order of the items.
///
/// It is a request: nothing starts before it is waited for, by a thread (`.wait()`) or a task
/// (`.await`). rayon splits the items by itself. Its queue has no bound; what bounds the memory is
/// that the items are there already.
///
/// A panic of `f` is the result of its item, [`JobError::Panicked`]; the other items go on. If `f`
/// leaves what it shares in a state that is not whole when it panics, the other items may see it.
///
/// # Examples
///
/// ```
/// let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build()?;
/// let squares = lockgate_workerpool::rayon::map(&pool, 1..=4, |n: u64| n * n).wait();
/// let squares: Vec<u64> = squares.into_iter().collect::<Result<_, _>>()?;
/// assert_eq!(squares, [1, 4, 9, 16]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn map<T, R, F>(pool: &ThreadPool, items: impl IntoIterator<Item = T>, f: F) -> Map<'_, T, R, F>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Fn(T) -> R + Send + Sync + 'static,
{
    Map { pool, state: State::Idle(items.into_iter().collect(), f) }
}

/// The wait for the results of [`map`]: a request, which does nothing until it is waited for.
///
/// # Cancel safety
///
/// Dropping it gives up: items that have not started are dropped, those that run go on and their
/// results are dropped. It does not wait for them.
#[must_use = "a request does nothing until it is waited for"]
pub struct Map<'p, T, R, F> {
    pool: &'p ThreadPool,
    state: State<T, R, F>,
}

enum State<T, R, F> {
    Idle(Vec<T>, F),
    Runs(Arc<Shared<R>>),
    Over,
}

struct Shared<R> {
    given_up: AtomicBool,
    end: Mutex<End<R>>,
}

struct End<R> {
    results: Option<Results<R>>,
    waker: Option<Waker>,
}

impl<T, R, F> Map<'_, T, R, F>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Fn(T) -> R + Send + Sync + 'static,
{
    /// Waits for the results. A thread of a rayon pool does not sleep meanwhile: it takes its share
    /// of the items, or whatever else its pool has to do, as rayon's `install` does.
    pub fn wait(mut self) -> Results<R> {
        match self.wait_until(None) {
            Some(results) => results,
            None => unreachable!("there is no deadline"),
        }
    }

    /// Waits for the results, for no longer than `timeout`. A thread of a rayon pool waits for
    /// however long it takes.
    ///
    /// # Errors
    ///
    /// The request, when the time is over. The items go on.
    pub fn wait_timeout(mut self, timeout: Duration) -> Result<Results<R>, Self> {
        self.wait_until(Deadline::after(timeout).as_ref()).ok_or(self)
    }

    /// Waits for the results, until `deadline`. A thread of a rayon pool waits for however long it
    /// takes.
    ///
    /// # Errors
    ///
    /// The request, when the time is over. The items go on.
    pub fn wait_deadline(mut self, deadline: Instant) -> Result<Results<R>, Self> {
        self.wait_until(Some(&Deadline::at(deadline))).ok_or(self)
    }

    fn wait_until(&mut self, deadline: Option<&Deadline>) -> Option<Results<R>> {
        if ::rayon::current_thread_index().is_some() {
            return Some(self.run_inside());
        }
        self.start();
        let found = drive(deadline, |waker| match self.poll_once(waker) {
            Some(results) => Step::Ready(results),
            None => Step::Queued { spin: true },
        });
        // It may have ended at the very moment.
        found.or_else(|| self.poll_once(Waker::noop()))
    }

    /// On a thread of a rayon pool, which must not sleep.
    fn run_inside(&mut self) -> Results<R> {
        match mem::replace(&mut self.state, State::Over) {
            State::Idle(items, f) => {
                let never = AtomicBool::new(false);
                let results = self.pool.install(|| apply(items, &f, &never));
                drop_payload(f);
                results
            }
            // It was polled or waited for elsewhere before, and came here.
            State::Runs(shared) => loop {
                if let Some(results) = shared.end.lock().results.take() {
                    break results;
                }
                if ::rayon::yield_now() != Some(::rayon::Yield::Executed) {
                    crate::primitives::thread::yield_now();
                }
            },
            State::Over => unreachable!("a request is waited for once"),
        }
    }

    fn start(&mut self) {
        let (items, f) = match mem::replace(&mut self.state, State::Over) {
            State::Idle(items, f) => (items, f),
            other => {
                self.state = other;
                return;
            }
        };
        let shared = Arc::new(Shared {
            given_up: AtomicBool::new(false),
            end: Mutex::new(End { results: None, waker: None }),
        });
        self.state = State::Runs(Arc::clone(&shared));
        self.pool.spawn(move || {
            let results = apply(items, &f, &shared.given_up);
            // A panic in a job of rayon's ends the process: nothing of the user's is dropped openly.
            drop_payload(f);
            shared.finish(results);
        });
    }

    fn poll_once(&mut self, waker: &Waker) -> Option<Results<R>> {
        let State::Runs(shared) = &self.state else { unreachable!("polled after its end") };
        let results = shared.poll(waker)?;
        self.state = State::Over;
        Some(results)
    }
}

fn apply<T, R, F>(items: Vec<T>, f: &F, given_up: &AtomicBool) -> Results<R>
where
    T: Send,
    R: Send,
    F: Fn(T) -> R + Sync,
{
    let one = |item| {
        // ORDERING: Relaxed: nothing is published; one item more may run.
        if given_up.load(Ordering::Relaxed) {
            drop_payload(item);
            return Err(JobError::Aborted);
        }
        catch_unwind(AssertUnwindSafe(|| f(item)))
            .map_err(|payload| JobError::Panicked(Panicked::new(payload)))
    };
    items.into_par_iter().map(one).collect()
}

impl<R> Shared<R> {
    fn finish(self: Arc<Self>, results: Results<R>) {
        let mut end = self.end.lock();
        end.results = Some(results);
        let waker = end.waker.take();
        drop(end);
        if let Some(waker) = waker {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
                drop_payload(payload);
            }
        }
        // CANCEL: nobody may be there to take them.
        drop_payload(self);
    }

    fn poll(&self, waker: &Waker) -> Option<Results<R>> {
        let mut spare = None;
        loop {
            let mut end = self.end.lock();
            if let Some(results) = end.results.take() {
                return Some(results);
            }
            if end.waker.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
                return None;
            }
            if let Some(fresh) = spare.take() {
                let stale = end.waker.replace(fresh);
                drop(end);
                drop(stale);
                return None;
            }
            drop(end);
            spare = Some(waker.clone());
        }
    }
}

#[cfg(feature = "async")]
impl<T, R, F> Future for Map<'_, T, R, F>
where
    T: Send + 'static,
    R: Send + 'static,
    F: Fn(T) -> R + Send + Sync + 'static,
{
    type Output = Results<R>;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        self.start();
        match self.poll_once(cx.waker()) {
            Some(results) => std::task::Poll::Ready(results),
            None => std::task::Poll::Pending,
        }
    }
}

/// Nothing in it is ever pinned: the function is called, not polled.
impl<T, R, F> Unpin for Map<'_, T, R, F> {}

impl<T, R, F> Drop for Map<'_, T, R, F> {
    fn drop(&mut self) {
        if let State::Runs(shared) = &self.state {
            // CANCEL: items that have not started do not.
            // ORDERING: Relaxed: nothing is published.
            shared.given_up.store(true, Ordering::Relaxed);
        }
    }
}

impl<T, R, F> fmt::Debug for Map<'_, T, R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").finish_non_exhaustive()
    }
}
