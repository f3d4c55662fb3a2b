//! A pipeline in the background, and who waits for it.

use crate::error::{BuildError, Fault, RunError};
use crate::feed::{ALL, Fed, Feed, Until};
use crate::launch::{Canceller, Detached, detach, join};
use crate::parker::{Step, drive};
use crate::pipe::Pipe;
use crate::primitives::{Arc, Mutex};
use crate::report::Report;
use crate::stage::Stage;
use std::any::Any;
use std::fmt;
use std::mem;
use std::ops::ControlFlow::Continue;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;
use std::thread::{Builder, JoinHandle};

/// A pipeline that runs in the background. Dropping it detaches: the pipeline goes on.
///
/// A thread `.wait()`s for its end, a task `.await`s it.
///
/// # Examples
///
/// ```
/// use lockgate_pipeline::thread;
///
/// let pipeline = thread::from_iter(0_u64..).par_map(2, |n| n + 1).spawn()?;
/// pipeline.drain();
/// let report = pipeline.wait()?;
/// assert_eq!(report.stages[0].taken, report.stages[0].given);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "dropping it detaches, and then nobody hears of errors"]
pub struct Handle<E> {
    canceller: Arc<Canceller<'static>>,
    outcome: Arc<Outcome<E>>,
    thread: Option<JoinHandle<()>>,
}

/// How a pipeline in the background ended, and who waits for that.
struct Outcome<E>(Mutex<State<E>>);

enum State<E> {
    Running(Option<Waker>),
    Over(Ended<E>),
    Taken,
}

type Ended<E> = Result<Result<Report, RunError<E>>, Box<dyn Any + Send>>;

impl<E> Outcome<E> {
    fn set(&self, ended: Ended<E>) {
        let before = mem::replace(&mut *self.0.lock(), State::Over(ended));
        if let State::Running(Some(waker)) = before {
            waker.wake();
        }
    }

    /// The outcome, once; `waker` is called when it is there.
    fn poll(&self, waker: &Waker) -> Option<Ended<E>> {
        // Cloned, and what it replaces dropped, outside of the lock.
        let waker = waker.clone();
        let mut state = self.0.lock();
        let before = match &*state {
            State::Running(_) => mem::replace(&mut *state, State::Running(Some(waker))),
            State::Over(_) | State::Taken => mem::replace(&mut *state, State::Taken),
        };
        drop(state);
        match before {
            State::Running(_) => None,
            State::Over(ended) => Some(ended),
            State::Taken => panic!("a handle gives its outcome once"),
        }
    }
}

impl<S: Stage + 'static, P> Pipe<S, P> {
    /// Runs it to its end in the background, and drops what comes out.
    ///
    /// What it uses is owned. What borrows has an end that waits, such as [`run`](Self::run):
    ///
    /// ```compile_fail,E0597
    /// use lockgate_pipeline::thread;
    ///
    /// let words = ["gate".to_owned(), "lock".to_owned()];
    /// thread::from_iter(&words).par_map(2, |word| word.len()).spawn()?.wait()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If an option of a stage is out of range, or if the system refuses a thread.
    pub fn spawn(self) -> Result<Handle<S::Error>, BuildError>
    where
        S::Running: Send,
        S::Error: Send,
    {
        let Detached { running, canceller, threads } = detach(self.stage)?;
        let outcome = Arc::new(Outcome(Mutex::new(State::Running(None))));
        let runs = Background {
            running: Some(running),
            canceller: Arc::clone(&canceller),
            threads,
            outcome: Arc::clone(&outcome),
        };
        let spawned = Builder::new().name("pipeline".to_owned()).spawn(move || runs.run());
        match spawned {
            Ok(thread) => Ok(Handle { canceller, outcome, thread: Some(thread) }),
            // What was to run is dropped, which has stopped the stages.
            Err(error) => Err(BuildError::Thread { stage: "pipeline".into(), error }),
        }
    }
}

/// What the thread of a pipeline in the background has.
struct Background<R: Feed> {
    running: Option<R>,
    canceller: Arc<Canceller<'static>>,
    threads: Vec<JoinHandle<()>>,
    outcome: Arc<Outcome<R::Error>>,
}

impl<R: Feed> Background<R> {
    fn run(mut self) {
        let ended = catch_unwind(AssertUnwindSafe(|| self.read()));
        let ended = match ended {
            Ok(Ok(())) => Ok(Ok(self.canceller.report())),
            Ok(Err(Fault::Failed(failed))) => Ok(Err(RunError::Failed(failed))),
            Ok(Err(Fault::Overflowed(error))) => Ok(Err(RunError::Overflowed(error))),
            Ok(Err(Fault::Cancelled)) => Ok(Err(RunError::Aborted)),
            Ok(Err(Fault::Panicked(payload))) | Err(payload) => Err(payload),
        };
        let outcome = Arc::clone(&self.outcome);
        // The source is the user's, and may panic when it is dropped. Somebody waits all the same.
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(self)));
        outcome.set(match (ended, dropped) {
            (Ok(Ok(_)), Err(payload)) => Err(payload),
            (ended, _) => ended,
        });
    }

    fn read(&mut self) -> Result<(), Fault<R::Error>> {
        let Some(running) = &mut self.running else { return Ok(()) };
        while running.feed(Until::NEVER, ALL, |_| Continue(()))? == Fed::More {}
        Ok(())
    }
}

impl<R: Feed> Drop for Background<R> {
    fn drop(&mut self) {
        self.canceller.cancel();
        let dropped = catch_unwind(AssertUnwindSafe(|| drop(self.running.take())));
        join(mem::take(&mut self.threads));
        if let (Err(payload), false) = (dropped, std::thread::panicking()) {
            resume_unwind(payload);
        }
    }
}

impl<E> Handle<E> {
    /// Ends the source: nothing more is taken from it, and everything that was taken comes through,
    /// batches that are not full too. An item that its `next` is about to give is waited for.
    pub fn drain(&self) {
        self.canceller.control.drain();
    }

    /// Stops everything: no call of a stage's function is started any more, and what is under way is
    /// dropped when those that run have returned. The outcome is [`RunError::Aborted`], unless the pipeline
    /// has ended before.
    pub fn abort(&self) {
        self.canceller.cancel();
    }

    /// The numbers as they are now.
    #[must_use]
    pub fn report(&self) -> Report {
        self.canceller.report()
    }

    /// Waits until every thread of the pipeline has ended.
    ///
    /// # Errors
    ///
    /// If a stage failed, or if it was aborted.
    ///
    /// # Panics
    ///
    /// With the payload of a stage that did.
    pub fn wait(mut self) -> Result<Report, RunError<E>> {
        let ended = drive(None, |waker| match self.outcome.poll(waker) {
            Some(ended) => Step::Ready(ended),
            None => Step::Queued { spin: false },
        });
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
        match ended {
            Some(Ok(outcome)) => outcome,
            Some(Err(payload)) => resume_unwind(payload),
            None => Err(RunError::Aborted),
        }
    }
}

/// # Cancel safety
///
/// Dropping the handle detaches the pipeline, which goes on.
///
/// # Panics
///
/// With the payload of a stage that did; and if it is polled after it was ready.
#[cfg(feature = "async")]
impl<E> Future for Handle<E> {
    type Output = Result<Report, RunError<E>>;

    fn poll(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        match self.outcome.poll(cx.waker()) {
            None => std::task::Poll::Pending,
            Some(Ok(outcome)) => std::task::Poll::Ready(outcome),
            Some(Err(payload)) => resume_unwind(payload),
        }
    }
}

impl<E> fmt::Debug for Handle<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").field("canceller", &self.canceller).finish_non_exhaustive()
    }
}
