//! Stages that can fail. The first one fixes the error; later ones return the same, or it is converted.
#![allow(clippy::type_complexity, reason = "a stage's type says what it does about errors")]

use super::{Fails, Fused, Pipe, Pure, Staged};
use crate::launch::never;
use crate::ops::{MapErr, Then, TryMap};
use crate::opts::Opts;
use crate::par::Par;
use crate::policy::{
    AsError, FailFast, Fallback, Gate, Gated, Once, Open, Policy, Propagate, Retry, Retrying,
    TryJob,
};
use crate::stage::Stage;
use std::any::Any;
use std::convert::Infallible;
use std::future::IntoFuture;

/// What a pipeline is from its first stage that can fail on.
pub(crate) type Lifted<S, E> = MapErr<S, fn(Infallible) -> E>;

/// A fallible stage, as it is until it is told otherwise.
type Plain<F> = TryJob<F, FailFast, Once, Open, Propagate>;

fn plain<F>(f: F) -> Plain<F> {
    TryJob { f, policy: FailFast, again: Once, gate: Open, catch: Propagate }
}

/// The first stage that can fail.
impl<S: Stage<Error = Infallible>> Pipe<S, Pure> {
    pub(crate) fn lift<E>(self) -> Pipe<Lifted<S, E>, Fails<E>> {
        Pipe::new(MapErr { inner: self.stage, convert: never })
    }

    /// What `f` makes of each item. The first error ends the pipeline.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::thread;
    ///
    /// let parsed = thread::from_iter(["1", "two"]).try_map(str::parse::<u32>).collect::<Vec<_>>();
    /// assert_eq!(parsed.unwrap_err().into_failed().unwrap().index, 1);
    /// ```
    pub fn try_map<U, E, F>(self, f: F) -> Fused<Lifted<S, E>, TryMap<F>, Fails<E>>
    where
        F: FnMut(S::Item) -> Result<U, E>,
    {
        self.lift().try_map(f)
    }

    /// What `f` makes of each item, several at once, like [`par_map`](Pipe::par_map). The first error
    /// ends the pipeline, unless [`on_error`](Pipe::on_error) says otherwise: in an ordered stage the
    /// error of the first item that fails, after the results of all items before it.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::{opts, thread};
    ///
    /// let parsed = thread::from_iter(["1", "two", "3", "four"])
    ///     .try_par_map(opts("parse").workers(2), str::parse::<u32>)
    ///     .collect::<Vec<_>>();
    /// let failed = parsed.unwrap_err().into_failed().unwrap();
    /// assert_eq!((&*failed.stage, failed.index), ("parse", 1));
    /// ```
    pub fn try_par_map<U, E, F>(
        self,
        opts: impl Into<Opts>,
        f: F,
    ) -> Staged<Lifted<S, E>, Plain<F>, Fails<E>>
    where
        F: Fn(S::Item) -> Result<U, E> + Send + Sync,
    {
        self.lift().try_par_map(opts, f)
    }
}

/// Further stages that can fail.
impl<S: Stage<Error = E>, E> Pipe<S, Fails<E>> {
    /// As the first `try_map`, with the same error.
    pub fn try_map<U, F>(self, f: F) -> Fused<S, TryMap<F>, Fails<E>>
    where
        F: FnMut(S::Item) -> Result<U, E>,
    {
        Pipe::new(Then::new(self.stage, TryMap { f, name: "try_map", seen: 0 }))
    }

    /// As the first `try_par_map`, with the same error.
    pub fn try_par_map<U, F>(self, opts: impl Into<Opts>, f: F) -> Staged<S, Plain<F>, Fails<E>>
    where
        F: Fn(S::Item) -> Result<U, E> + Send + Sync,
    {
        self.par(opts, "try_par_map", plain(f))
    }

    /// Converts what the stages before may fail with.
    pub fn map_err<X, F: FnMut(E) -> X>(self, convert: F) -> Pipe<MapErr<S, F>, Fails<X>> {
        Pipe::new(MapErr { inner: self.stage, convert })
    }

    /// Converts what the stages before may fail with, by `From`.
    pub fn err_into<X: From<E>>(self) -> Pipe<MapErr<S, fn(E) -> X>, Fails<X>> {
        self.map_err(X::from as fn(E) -> X)
    }
}

/// What the stage just before is to do about errors.
impl<S: Stage, E, F, P, R, G, C> Staged<S, TryJob<F, P, R, G, C>, Fails<E>> {
    fn with<J>(self, change: impl FnOnce(TryJob<F, P, R, G, C>) -> J) -> Staged<S, J, Fails<E>> {
        let Par { inner, opts, default_name, job } = self.stage;
        Pipe::new(Par { inner, opts, default_name, job: change(job) })
    }

    /// What becomes of an item for which the stage's function fails: [`FailFast`], which is the default,
    /// [`skip`](crate::skip), [`Errors`](crate::Errors) to collect some, or
    /// [`dead_letter`](crate::dead_letter). See [`fallback`](Self::fallback) too.
    pub fn on_error<U, Q>(self, policy: Q) -> Staged<S, TryJob<F, Q, R, G, C>, Fails<E>>
    where
        F: Fn(S::Item) -> Result<U, E>,
        Q: Policy<S::Item, U, E>,
    {
        self.with(|TryJob { f, again, gate, catch, .. }| TryJob { f, policy, again, gate, catch })
    }

    /// Makes a result of the error.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_pipeline::thread;
    ///
    /// let numbers: Vec<u32> = thread::from_iter(["1", "two", "3"])
    ///     .try_par_map(2, str::parse)
    ///     .fallback(|_| 0)
    ///     .collect()?;
    /// assert_eq!(numbers, [1, 0, 3]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn fallback<U, H>(self, f: H) -> Staged<S, TryJob<F, Fallback<H>, R, G, C>, Fails<E>>
    where
        F: Fn(S::Item) -> Result<U, E>,
        H: Fn(E) -> U + Send + Sync,
    {
        self.on_error(Fallback(f))
    }

    /// Calls the stage's function again if it fails, with a clone of the item, before the error goes
    /// where [`on_error`](Self::on_error) says.
    pub fn retry<U>(
        self,
        retry: Retry,
    ) -> Staged<S, TryJob<F, P, Retrying<fn(&E) -> bool>, G, C>, Fails<E>>
    where
        F: Fn(S::Item) -> Result<U, E>,
        S::Item: Clone,
    {
        self.retry_if(retry, (|_| true) as fn(&E) -> bool)
    }

    /// As [`retry`](Self::retry), for errors for which `when` is `true`.
    pub fn retry_if<U, H>(
        self,
        retry: Retry,
        when: H,
    ) -> Staged<S, TryJob<F, P, Retrying<H>, G, C>, Fails<E>>
    where
        F: Fn(S::Item) -> Result<U, E>,
        S::Item: Clone,
        H: Fn(&E) -> bool + Send + Sync,
    {
        let again = Retrying { retry, when };
        self.with(|TryJob { f, policy, gate, catch, .. }| TryJob { f, policy, again, gate, catch })
    }

    /// Waits before each call for what `gate` returns, a permit of a semaphore or a rate limit's consent,
    /// and holds it until the call is over. The worker's thread polls it; if the pipeline is cancelled,
    /// it is dropped. If it fails, that is an error like the function's.
    pub fn gate<H, W, X, Y>(self, gate: H) -> Staged<S, TryJob<F, P, R, Gated<H>, C>, Fails<E>>
    where
        H: Fn() -> W + Send + Sync,
        W: IntoFuture<Output = Result<X, Y>>,
        E: From<Y>,
        Gated<H>: Gate<E>,
    {
        let gate = Gated(gate);
        self.with(|TryJob { f, policy, again, catch, .. }| TryJob { f, policy, again, gate, catch })
    }

    /// Makes an error of a panic of the stage's function, from its payload.
    pub fn panic_as<H>(self, f: H) -> Staged<S, TryJob<F, P, R, G, AsError<H>>, Fails<E>>
    where
        H: Fn(Box<dyn Any + Send>) -> E + Send + Sync,
    {
        let catch = AsError(f);
        self.with(|TryJob { f, policy, again, gate, .. }| TryJob { f, policy, again, gate, catch })
    }
}
