//! What becomes of an item for which a stage's function fails.

use crate::error::{Failed, Fault};
use crate::par::{Cancelled, Cx, Job};
use crate::primitives::{Arc, Deadline, Mutex};
use crate::stats::Count;
use std::any::Any;
use std::fmt;
use std::future::IntoFuture;
use std::hash::{BuildHasher, RandomState};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc;
use std::task::Context;
use std::time::Duration;

/// What a stage does about an error that no retry has cured.
///
/// There is nothing to implement here: see [`FailFast`], [`skip`], [`Errors`], [`dead_letter`] and
/// [`Pipe::fallback`](crate::Pipe::fallback).
pub trait Policy<T, U, E>: Send + Sync {
    /// What has to be kept of the input for it.
    #[doc(hidden)]
    type Kept;

    #[doc(hidden)]
    fn keep(&self, input: &T) -> Self::Kept;

    /// The item's result, nothing, or the end of the pipeline.
    #[doc(hidden)]
    fn settle(&self, cx: &Cx<'_>, kept: Self::Kept, error: E) -> Result<Option<U>, Failed<E>>;
}

/// The first error ends the pipeline. This is the default.
#[derive(Clone, Copy, Debug)]
pub struct FailFast;

impl<T, U, E> Policy<T, U, E> for FailFast {
    type Kept = ();

    fn keep(&self, _: &T) {}

    fn settle(&self, cx: &Cx<'_>, (): (), error: E) -> Result<Option<U>, Failed<E>> {
        Err(cx.failed(error))
    }
}

/// See [`skip`].
#[derive(Clone, Copy, Debug)]
pub struct Skip(());

/// Items that fail are left out, and counted in the [`Report`](crate::Report).
#[must_use]
pub fn skip() -> Skip {
    Skip(())
}

impl<T, U, E> Policy<T, U, E> for Skip {
    type Kept = ();

    fn keep(&self, _: &T) {}

    fn settle(&self, cx: &Cx<'_>, (): (), _: E) -> Result<Option<U>, Failed<E>> {
        cx.count(Count::Skipped);
        Ok(None)
    }
}

/// Errors that are collected while a pipeline goes on. Clones share what they hold.
///
/// # Examples
///
/// ```
/// use lockgate_pipeline::{Errors, thread};
///
/// let errors = Errors::at_most(10);
/// let numbers: Vec<u32> = thread::from_iter(["1", "two", "3"])
///     .try_par_map(2, str::parse::<u32>)
///     .on_error(errors.clone())
///     .collect()?;
/// assert_eq!(numbers, [1, 3]);
/// assert_eq!(errors.take()[0].index, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Errors<E> {
    held: Arc<Mutex<Vec<Failed<E>>>>,
    most: usize,
}

impl<E> Errors<E> {
    /// Holds so many; one more ends the pipeline. With several workers that is the one more in time, which
    /// need not be that of the latest item.
    #[must_use]
    pub fn at_most(most: usize) -> Self {
        Self { held: Arc::new(Mutex::new(Vec::new())), most }
    }

    /// Takes what was collected, by the order of the items.
    #[must_use]
    pub fn take(&self) -> Vec<Failed<E>> {
        let mut errors = mem::take(&mut *self.held.lock());
        errors.sort_by_key(|failed| failed.index);
        errors
    }
}

impl<E> Clone for Errors<E> {
    fn clone(&self) -> Self {
        Self { held: Arc::clone(&self.held), most: self.most }
    }
}

impl<E> fmt::Debug for Errors<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held.lock().len();
        f.debug_struct("Errors").field("held", &held).field("most", &self.most).finish()
    }
}

impl<T, U, E: Send> Policy<T, U, E> for Errors<E> {
    type Kept = ();

    fn keep(&self, _: &T) {}

    fn settle(&self, cx: &Cx<'_>, (): (), error: E) -> Result<Option<U>, Failed<E>> {
        let failed = cx.failed(error);
        let mut held = self.held.lock();
        if held.len() == self.most {
            return Err(failed);
        }
        held.push(failed);
        drop(held);
        cx.count(Count::Skipped);
        Ok(None)
    }
}

/// An item that failed for good.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Letter<T, E> {
    /// What the stage's function was given.
    pub input: T,
    /// Which of the stage's items it was, counted from 0.
    pub index: u64,
    /// What the function returned.
    pub error: E,
}

/// Where dead letters go: a channel of the standard library, or a closure.
pub trait Letters<T, E> {
    /// Takes one. If it cannot, because nobody reads, the letter is handed back, and the pipeline fails.
    ///
    /// # Errors
    ///
    /// The letter.
    fn send(&self, letter: Letter<T, E>) -> Result<(), Letter<T, E>>;
}

impl<T, E> Letters<T, E> for mpsc::Sender<Letter<T, E>> {
    fn send(&self, letter: Letter<T, E>) -> Result<(), Letter<T, E>> {
        Self::send(self, letter).map_err(|mpsc::SendError(letter)| letter)
    }
}

impl<T, E> Letters<T, E> for mpsc::SyncSender<Letter<T, E>> {
    fn send(&self, letter: Letter<T, E>) -> Result<(), Letter<T, E>> {
        Self::send(self, letter).map_err(|mpsc::SendError(letter)| letter)
    }
}

impl<T, E, F: Fn(Letter<T, E>)> Letters<T, E> for F {
    fn send(&self, letter: Letter<T, E>) -> Result<(), Letter<T, E>> {
        self(letter);
        Ok(())
    }
}

/// See [`dead_letter`].
#[derive(Clone, Debug)]
pub struct DeadLetter<L>(L);

/// Items that fail are sent there, with their error, and left out. Inputs are cloned before the call.
///
/// # Examples
///
/// ```
/// use lockgate_pipeline::{dead_letter, thread};
/// use std::sync::mpsc;
///
/// let (letters, dead) = mpsc::channel();
/// let numbers: Vec<u32> = thread::from_iter(["1", "two", "3"])
///     .try_par_map(2, str::parse::<u32>)
///     .on_error(dead_letter(letters))
///     .collect()?;
/// assert_eq!(numbers, [1, 3]);
/// assert_eq!(dead.iter().next().unwrap().input, "two");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub fn dead_letter<L>(letters: L) -> DeadLetter<L> {
    DeadLetter(letters)
}

impl<T: Clone, U, E, L: Letters<T, E> + Send + Sync> Policy<T, U, E> for DeadLetter<L> {
    type Kept = T;

    fn keep(&self, input: &T) -> T {
        input.clone()
    }

    fn settle(&self, cx: &Cx<'_>, input: T, error: E) -> Result<Option<U>, Failed<E>> {
        let Failed { index, error, .. } = cx.failed(error);
        let letter = Letter { input, index, error };
        match self.0.send(letter) {
            Ok(()) => {
                cx.count(Count::DeadLettered);
                Ok(None)
            }
            Err(letter) => Err(cx.failed(letter.error)),
        }
    }
}

/// See [`Pipe::fallback`](crate::Pipe::fallback).
#[derive(Clone, Debug)]
pub struct Fallback<F>(pub(crate) F);

impl<T, U, E, F: Fn(E) -> U + Send + Sync> Policy<T, U, E> for Fallback<F> {
    type Kept = ();

    fn keep(&self, _: &T) {}

    fn settle(&self, cx: &Cx<'_>, (): (), error: E) -> Result<Option<U>, Failed<E>> {
        cx.count(Count::Replaced);
        Ok(Some((self.0)(error)))
    }
}

/// How often a call is made again that has failed, and after how long.
///
/// The pause doubles each time, up to the longest. With jitter it is shortened at random, by up to a
/// half, so that those who failed together do not come back together.
#[derive(Clone, Copy, Debug)]
#[must_use = "a retry does nothing until a stage is given it"]
pub struct Retry {
    times: u32,
    first: Duration,
    longest: Duration,
    has_jitter: bool,
}

impl Retry {
    /// At most so many times after the first call, without a pause.
    pub fn times(times: u32) -> Self {
        let (first, longest) = (Duration::ZERO, Duration::ZERO);
        Self { times, first, longest, has_jitter: false }
    }

    /// The first pause, and the longest. A pause ends at once when the pipeline is cancelled.
    pub fn backoff(self, first: Duration, longest: Duration) -> Self {
        Self { first, longest, ..self }
    }

    /// Shortens pauses at random, by up to a half.
    pub fn jitter(self) -> Self {
        Self { has_jitter: true, ..self }
    }

    /// The pause before the call that follows `failures`, of which there are one or more.
    pub(crate) fn pause(&self, failures: u32) -> Duration {
        let factor = 1_u32.checked_shl(failures - 1).unwrap_or(u32::MAX);
        let whole = self.first.saturating_mul(factor).min(self.longest);
        if !self.has_jitter {
            return whole;
        }
        // Each state is seeded anew: random enough to come back apart.
        let random = RandomState::new().hash_one(failures) % 1024;
        whole - whole / 2048 * u32::try_from(random).unwrap_or(0)
    }
}

/// Whether a call is made again.
pub trait Again<T, E>: Send + Sync {
    /// What is kept for the next call.
    type Kept;

    fn keep(&self, input: &T) -> Self::Kept;

    /// The input once more, and after how long; or the error, which stands.
    fn again(&self, failures: u32, kept: &Self::Kept, error: E) -> Result<(T, Duration), E>;
}

/// A stage without retries.
#[derive(Clone, Copy, Debug)]
pub struct Once;

impl<T, E> Again<T, E> for Once {
    type Kept = ();

    fn keep(&self, _: &T) {}

    fn again(&self, _: u32, (): &(), error: E) -> Result<(T, Duration), E> {
        Err(error)
    }
}

/// A stage with retries, for errors that are worth it.
#[derive(Clone, Debug)]
pub struct Retrying<C> {
    pub(crate) retry: Retry,
    pub(crate) when: C,
}

impl<T: Clone, E, C: Fn(&E) -> bool + Send + Sync> Again<T, E> for Retrying<C> {
    type Kept = T;

    fn keep(&self, input: &T) -> T {
        input.clone()
    }

    fn again(&self, failures: u32, kept: &T, error: E) -> Result<(T, Duration), E> {
        if failures > self.retry.times || !(self.when)(&error) {
            return Err(error);
        }
        Ok((kept.clone(), self.retry.pause(failures)))
    }
}

/// What has to be passed before each call, and is held until it is over.
pub trait Gate<E>: Send + Sync {
    type Pass;

    fn pass(&self, cx: &Cx<'_>) -> Result<Result<Self::Pass, E>, Cancelled>;
}

/// A stage without a gate.
#[derive(Clone, Copy, Debug)]
pub struct Open;

impl<E> Gate<E> for Open {
    type Pass = ();

    fn pass(&self, _: &Cx<'_>) -> Result<Result<(), E>, Cancelled> {
        Ok(Ok(()))
    }
}

/// A stage behind a gate.
#[derive(Clone, Debug)]
pub struct Gated<G>(pub(crate) G);

impl<E, G, W, P, X> Gate<E> for Gated<G>
where
    G: Fn() -> W + Send + Sync,
    W: IntoFuture<Output = Result<P, X>>,
    E: From<X>,
{
    type Pass = P;

    fn pass(&self, cx: &Cx<'_>) -> Result<Result<P, E>, Cancelled> {
        let mut wait = pin!((self.0)().into_future());
        let mut passed = None;
        cx.park(None, &mut |waker| {
            if let std::task::Poll::Ready(outcome) =
                wait.as_mut().poll(&mut Context::from_waker(waker))
            {
                passed = Some(outcome);
            }
            passed.is_some()
        })?;
        // CANCEL: a wait that is dropped gives up its turn, as any future does.
        Ok(passed.ok_or(Cancelled)?.map_err(E::from))
    }
}

/// What becomes of a panic in a stage's function.
pub trait Catch<E>: Send + Sync {
    fn call<U>(&self, call: impl FnOnce() -> Result<U, E>) -> Result<U, E>;
}

/// A panic ends the pipeline, and goes on in whoever runs it.
#[derive(Clone, Copy, Debug)]
pub struct Propagate;

impl<E> Catch<E> for Propagate {
    #[inline]
    fn call<U>(&self, call: impl FnOnce() -> Result<U, E>) -> Result<U, E> {
        call()
    }
}

/// A panic is an error.
#[derive(Clone, Debug)]
pub struct AsError<F>(pub(crate) F);

impl<E, F: Fn(Box<dyn Any + Send>) -> E + Send + Sync> Catch<E> for AsError<F> {
    fn call<U>(&self, call: impl FnOnce() -> Result<U, E>) -> Result<U, E> {
        catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|payload| Err((self.0)(payload)))
    }
}

/// What a fallible stage does with one item: gate, function, retries, policy.
#[derive(Clone, Debug)]
pub struct TryJob<F, P, R, G, C> {
    pub(crate) f: F,
    pub(crate) policy: P,
    pub(crate) again: R,
    pub(crate) gate: G,
    pub(crate) catch: C,
}

impl<T, U, E, F, P, R, G, C> Job<T, E> for TryJob<F, P, R, G, C>
where
    F: Fn(T) -> Result<U, E> + Send + Sync,
    P: Policy<T, U, E>,
    R: Again<T, E>,
    G: Gate<E>,
    C: Catch<E>,
{
    type Out = U;
    type Local = ();

    fn local(&self) {}

    #[inline]
    fn call(&self, cx: &Cx<'_>, (): &mut (), item: T, out: &mut Vec<U>) -> Result<(), Fault<E>> {
        let (kept, spare) = (self.policy.keep(&item), self.again.keep(&item));
        match self.attempts(cx, &spare, item) {
            Ok(Ok(made)) => out.push(made),
            Ok(Err(error)) => {
                out.extend(self.policy.settle(cx, kept, error).map_err(Fault::Failed)?);
            }
            Err(Cancelled) => return Err(Fault::Cancelled),
        }
        Ok(())
    }
}

impl<F, P, R, G, C> TryJob<F, P, R, G, C> {
    #[inline]
    fn attempts<T, U, E>(
        &self,
        cx: &Cx<'_>,
        spare: &R::Kept,
        mut item: T,
    ) -> Result<Result<U, E>, Cancelled>
    where
        F: Fn(T) -> Result<U, E>,
        R: Again<T, E>,
        G: Gate<E>,
        C: Catch<E>,
    {
        let mut failures = 0;
        loop {
            // The pass is held until the function returns, and no longer.
            let called = match self.gate.pass(cx)? {
                Ok(_pass) => self.catch.call(|| (self.f)(item)),
                Err(error) => Err(error),
            };
            let error = match called {
                Ok(made) => return Ok(Ok(made)),
                Err(error) => error,
            };
            cx.count(Count::Failed);
            failures += 1;
            let pause;
            (item, pause) = match self.again.again(failures, spare, error) {
                Ok(again) => again,
                Err(error) => return Ok(Err(error)),
            };
            cx.count(Count::Retried);
            if !pause.is_zero() {
                // Too long for the clock is for ever, which a cancel ends.
                cx.park(Deadline::after(pause).as_ref(), &mut |_| false)?;
            }
        }
    }
}
