//! The ends: they run a pipeline on this thread and on those of its stages, and return when all have
//! ended.

use crate::error::{Fault, RunError};
use crate::feed::{ALL, Fed, Feed, Until};
use crate::launch::run;
use crate::ops::TryMap;
use crate::pipe::{Fails, Pipe, Pure};
use crate::report::Report;
use crate::stage::Stage;
use std::convert::Infallible;
use std::fmt;
use std::ops::ControlFlow::{self, Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Pushes everything there is into `sink`, until it breaks off.
fn each<R: Feed>(
    running: &mut R,
    mut sink: impl FnMut(R::Item) -> ControlFlow<()>,
) -> Result<(), Fault<R::Error>> {
    let mut broken = false;
    while !broken {
        let fed = running.feed(Until::NEVER, ALL, |item| {
            let flow = sink(item);
            broken = flow.is_break();
            flow
        })?;
        if fed == Fed::Over {
            break;
        }
    }
    Ok(())
}

/// Ends.
///
/// # Errors
///
/// Each fails with a [`RunError`] if an option of a stage is out of range, if the system refuses a
/// thread, or if a stage fails: in an ordered pipeline the first item that fails decides, and everything
/// before it has come through.
///
/// # Panics
///
/// Each panics with the payload of a stage that did, when all threads have ended.
impl<S: Stage, P> Pipe<S, P> {
    /// Runs it to its end, and drops what comes out.
    ///
    /// # Errors
    ///
    /// As all ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::{opts, thread};
    ///
    /// let report = thread::from_iter(0..1000).par_map(opts("double").workers(2), |n| n * 2).run()?;
    /// assert_eq!(report.stage("double").unwrap().given, 1000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run(self) -> Result<Report, RunError<S::Error>> {
        self.for_each(drop)
    }

    /// Calls `f` with each item, on this thread.
    ///
    /// # Errors
    ///
    /// As all ends.
    pub fn for_each(self, mut f: impl FnMut(S::Item)) -> Result<Report, RunError<S::Error>> {
        let each = |running: &mut S::Running| {
            each(running, |item| {
                f(item);
                Continue(())
            })
        };
        run(self.stage, each).map(|((), report)| report)
    }

    /// Collects the items.
    ///
    /// # Errors
    ///
    /// As all ends; what was collected is dropped.
    pub fn collect<C: Default + Extend<S::Item>>(self) -> Result<C, RunError<S::Error>> {
        let mut collected = C::default();
        self.for_each(|item| collected.extend(Some(item)))?;
        Ok(collected)
    }

    /// Counts the items.
    ///
    /// # Errors
    ///
    /// As all ends.
    pub fn count(self) -> Result<u64, RunError<S::Error>> {
        self.fold(0, |count, _| count + 1)
    }

    /// Folds the items, in their order, on this thread.
    ///
    /// # Errors
    ///
    /// As all ends.
    pub fn fold<A>(
        self,
        init: A,
        mut f: impl FnMut(A, S::Item) -> A,
    ) -> Result<A, RunError<S::Error>> {
        let mut folded = Some(init);
        self.for_each(|item| folded = folded.take().map(|so_far| f(so_far, item)))?;
        // It is there unless `f` panicked, and then this is not reached.
        folded.ok_or(RunError::Aborted)
    }

    /// Reduces the items to one, in their order, on this thread; `None` if there is no item.
    ///
    /// # Errors
    ///
    /// As all ends.
    pub fn reduce(
        self,
        mut f: impl FnMut(S::Item, S::Item) -> S::Item,
    ) -> Result<Option<S::Item>, RunError<S::Error>> {
        self.fold(None, |so_far, item| match so_far {
            Some(so_far) => Some(f(so_far, item)),
            None => Some(item),
        })
    }

    /// The first item for which `f` is `true`. Nothing is started after it.
    ///
    /// # Errors
    ///
    /// As all ends, for what comes before that item.
    pub fn find(
        self,
        mut f: impl FnMut(&S::Item) -> bool,
    ) -> Result<Option<S::Item>, RunError<S::Error>> {
        let mut found = None;
        let each = |running: &mut S::Running| {
            each(running, |item| {
                if !f(&item) {
                    return Continue(());
                }
                found = Some(item);
                Break(())
            })
        };
        run(self.stage, each)?;
        Ok(found)
    }

    /// Whether `f` is `true` for an item. Nothing is started after it.
    ///
    /// # Errors
    ///
    /// As all ends, for what comes before that item.
    pub fn any(self, f: impl FnMut(S::Item) -> bool) -> Result<bool, RunError<S::Error>> {
        self.map(f).find(|is_true| *is_true).map(|found| found.is_some())
    }

    /// Whether `f` is `true` for each item. Nothing is started after the first for which it is not.
    ///
    /// # Errors
    ///
    /// As all ends, for what comes before that item.
    pub fn all(self, mut f: impl FnMut(S::Item) -> bool) -> Result<bool, RunError<S::Error>> {
        self.any(move |item| !f(item)).map(|any| !any)
    }

    /// Has `body` iterate over the items, on this thread. What it leaves is not worked on any more.
    ///
    /// This is the iterator of a pipeline that borrows; it cannot leave `body`. One that owns what it uses
    /// is an iterator itself.
    ///
    /// # Errors
    ///
    /// As all ends. The iterator ends before an item that failed, and then the error is returned instead
    /// of what `body` made of it.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::thread;
    ///
    /// let words = ["gate".to_owned(), "lock".to_owned(), "pipe".to_owned()];
    /// let longest = thread::from_iter(&words)
    ///     .par_map(2, |word| word.len())
    ///     .with_iter(|lengths| lengths.take(2).max())?;
    /// assert_eq!(longest, Some(4));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// Neither the iterator nor a borrow of it leaves `body`:
    ///
    /// ```compile_fail,E0521
    /// use lockgate_pipeline::thread;
    ///
    /// let words = ["gate".to_owned(), "lock".to_owned()];
    /// let mut escaped = None;
    /// thread::from_iter(&words).par_map(2, |word| word.len()).with_iter(|lengths| {
    ///     escaped = Some(lengths);
    /// })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// ```compile_fail
    /// use lockgate_pipeline::thread;
    ///
    /// let words = ["gate".to_owned(), "lock".to_owned()];
    /// let escaped = thread::from_iter(&words).par_map(2, |word| word.len()).with_iter(|lengths| lengths);
    /// ```
    pub fn with_iter<R>(
        self,
        body: impl FnOnce(&mut Items<'_, S>) -> R,
    ) -> Result<R, RunError<S::Error>> {
        let outcome = run(self.stage, |running| {
            let mut items = Items { running, end: None };
            let result = body(&mut items);
            match items.end {
                Some(Err(fault)) => Err(fault),
                _ => Ok(result),
            }
        });
        outcome.map(|(result, _)| result)
    }
}

impl<S: Stage<Error = Infallible>> Pipe<S, Pure> {
    /// Calls `f` with each item, on this thread. The first error ends the pipeline.
    ///
    /// # Errors
    ///
    /// As all ends, and what `f` returns.
    pub fn try_for_each<E>(
        self,
        f: impl FnMut(S::Item) -> Result<(), E>,
    ) -> Result<Report, RunError<E>> {
        self.lift().try_for_each(f)
    }
}

impl<S: Stage<Error = E>, E> Pipe<S, Fails<E>> {
    /// Calls `f` with each item, on this thread. The first error ends the pipeline.
    ///
    /// # Errors
    ///
    /// As all ends, and what `f` returns.
    pub fn try_for_each(
        self,
        f: impl FnMut(S::Item) -> Result<(), E>,
    ) -> Result<Report, RunError<E>> {
        let last = TryMap { f, name: "try_for_each", seen: 0 };
        self.then(last).run()
    }
}

/// The items of a pipeline, for [`Pipe::with_iter`].
pub struct Items<'a, S: Stage> {
    running: &'a mut S::Running,
    end: Option<Result<(), Fault<S::Error>>>,
}

impl<S: Stage> fmt::Debug for Items<'_, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").finish_non_exhaustive()
    }
}

impl<S: Stage> Iterator for Items<'_, S> {
    type Item = S::Item;

    fn next(&mut self) -> Option<S::Item> {
        if self.end.is_some() {
            return None;
        }
        next(self.running).unwrap_or_else(|end| {
            self.end = Some(end);
            None
        })
    }
}

/// The next item; `Err` with what comes after the last one. An item that comes with the end is given
/// first: the end is said again.
#[allow(clippy::type_complexity, reason = "an item, or how it ends")]
pub(crate) fn next<R: Feed>(
    running: &mut R,
) -> Result<Option<R::Item>, Result<(), Fault<R::Error>>> {
    let mut next = None;
    loop {
        let fed = catch_unwind(AssertUnwindSafe(|| {
            running.feed(Until::NEVER, 1, |item| {
                next = Some(item);
                Break(())
            })
        }));
        // An operator on this thread, whose panic is an end like any other's.
        let fed = fed.unwrap_or_else(|payload| Err(Fault::Panicked(payload)));
        if next.is_some() && !matches!(fed, Err(Fault::Panicked(_))) {
            return Ok(next);
        }
        match fed {
            Ok(Fed::More) => {}
            Ok(Fed::Over) => return Err(Ok(())),
            Err(fault) => return Err(Err(fault)),
        }
    }
}
