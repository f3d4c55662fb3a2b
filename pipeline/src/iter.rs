//! A pipeline as an iterator, on threads of its own.

use crate::ends::next;
use crate::error::RunError;
use crate::launch::{Detached, detach, join, settle};
use crate::pipe::Pipe;
use crate::stage::Stage;
use std::fmt;
use std::iter::FusedIterator;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// The results of a pipeline that owns what it uses.
///
/// After an error there is nothing more. Dropping it stops the pipeline, an infinite source included,
/// and waits until its threads have ended: those that run the user's functions, or wait in the source's
/// `next`, do so when these return.
pub struct IntoIter<S: Stage> {
    state: Option<Detached<S::Running>>,
    refused: Option<RunError<S::Error>>,
}

/// The threads start here. If they cannot, the only item is the error.
///
/// They may outlive whoever starts them, so what they use is owned. What borrows has
/// [`with_iter`](Pipe::with_iter):
///
/// ```compile_fail,E0597
/// use lockgate_pipeline::thread;
///
/// let mut lengths = {
///     let words = ["gate".to_owned(), "lock".to_owned()];
///     thread::from_iter(&words).par_map(2, |word| word.len()).into_iter()
/// };
/// assert!(lengths.next().is_some());
/// ```
impl<S: Stage + 'static, P> IntoIterator for Pipe<S, P> {
    type Item = Result<S::Item, RunError<S::Error>>;
    type IntoIter = IntoIter<S>;

    fn into_iter(self) -> IntoIter<S> {
        match detach(self.stage) {
            Ok(state) => IntoIter { state: Some(state), refused: None },
            Err(error) => IntoIter { state: None, refused: Some(RunError::Build(error)) },
        }
    }
}

impl<S: Stage> IntoIter<S> {
    /// Stops everything and waits for it.
    fn end(&mut self) {
        if let Some(Detached { running, canceller, threads }) = self.state.take() {
            canceller.cancel();
            // What it holds is the user's, and may panic. The threads are waited for all the same.
            let dropped = catch_unwind(AssertUnwindSafe(|| drop(running)));
            join(threads);
            if let (Err(payload), false) = (dropped, std::thread::panicking()) {
                resume_unwind(payload);
            }
        }
    }
}

impl<S: Stage> Iterator for IntoIter<S> {
    type Item = Result<S::Item, RunError<S::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(refused) = self.refused.take() {
            return Some(Err(refused));
        }
        match next(&mut self.state.as_mut()?.running) {
            Ok(item) => item.map(Ok),
            Err(end) => {
                self.end();
                end.err().map(|fault| Err(settle(fault)))
            }
        }
    }
}

impl<S: Stage> FusedIterator for IntoIter<S> {}

impl<S: Stage> Drop for IntoIter<S> {
    fn drop(&mut self) {
        self.end();
    }
}

impl<S: Stage> fmt::Debug for IntoIter<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoIter").field("is_running", &self.state.is_some()).finish()
    }
}
