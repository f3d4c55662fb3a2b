//! Stages with workers of their own.

use crate::crew::{Crew, Plan, Work};
use crate::edge::{Edge, Reader};
use crate::error::{Failed, Fault};
use crate::launch::Launch;
use crate::opts::Opts;
use crate::primitives::{Arc, Deadline};
use crate::stage::Stage;
use crate::state::{Order, Ticket, Window};
use crate::stats::{Count, Stats};
use std::task::Waker;
use std::{fmt, vec};

/// What a stage does with one item.
pub trait Job<T, E>: Send + Sync {
    type Out;
    /// What each worker has for itself.
    type Local;

    /// Made on the worker's thread, before its first item.
    fn local(&self) -> Self::Local;

    /// Pushes what becomes of an item.
    fn call(
        &self,
        cx: &Cx<'_>,
        local: &mut Self::Local,
        item: T,
        out: &mut Vec<Self::Out>,
    ) -> Result<(), Fault<E>>;

    /// What it does with a whole chunk, if that is faster.
    #[inline]
    fn pass(&self, items: Vec<T>) -> Result<Vec<Self::Out>, Vec<T>> {
        Err(items)
    }
}

/// Where a job is called.
pub struct Cx<'a> {
    edge: &'a dyn Park,
    worker: usize,
    /// Which of the stage's items it is.
    index: u64,
    stats: &'a Stats,
}

/// Nobody wants the result of a wait any more.
#[derive(Debug)]
pub struct Cancelled;

/// Waiting, without the types of an edge.
trait Park {
    /// Polls until it is `true` or `deadline` has passed.
    fn park(
        &self,
        worker: usize,
        deadline: Option<&Deadline>,
        poll: &mut dyn FnMut(&Waker) -> bool,
    ) -> Result<(), Cancelled>;
}

impl<T, E> Park for Edge<T, E> {
    fn park(
        &self,
        worker: usize,
        deadline: Option<&Deadline>,
        poll: &mut dyn FnMut(&Waker) -> bool,
    ) -> Result<(), Cancelled> {
        match Edge::park(self, worker, deadline, |waker| poll(waker).then_some(())) {
            Some(_) => Ok(()),
            None => Err(Cancelled),
        }
    }
}

impl Cx<'_> {
    /// Waits until `poll` is `true` or `deadline` has passed.
    pub(crate) fn park(
        &self,
        deadline: Option<&Deadline>,
        poll: &mut dyn FnMut(&Waker) -> bool,
    ) -> Result<(), Cancelled> {
        self.edge.park(self.worker, deadline, poll)
    }

    pub(crate) fn count(&self, count: Count) {
        self.stats.add(count, 1);
    }

    pub(crate) fn failed<E>(&self, error: E) -> Failed<E> {
        Failed { stage: self.stats.name.clone(), index: self.index, error }
    }
}

impl fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx").field("index", &self.index).finish_non_exhaustive()
    }
}

/// A pipeline, and a stage with workers after it.
#[derive(Debug)]
pub struct Par<S, J> {
    pub(crate) inner: S,
    pub(crate) opts: Opts,
    pub(crate) default_name: &'static str,
    pub(crate) job: J,
}

impl<S: Stage, J: Job<S::Item, S::Error>> Par<S, J> {
    /// What decides how large a chunk may be.
    const BYTES: usize = {
        let (taken, given) = (size_of::<S::Item>(), size_of::<J::Out>());
        if taken > given { taken } else { given }
    };
}

impl<S, J> Stage for Par<S, J>
where
    S: Stage<Running: Send, Item: Send, Error: Send>,
    J: Job<S::Item, S::Error, Out: Send>,
{
    type Item = J::Out;
    type Error = S::Error;
    type Running = Reader<J::Out, S::Error>;
    const TIMED: bool = true;

    fn start<'env>(self, launch: &mut Launch<'env>) -> Self::Running
    where
        Self: 'env,
    {
        let name = self.opts.named(self.default_name);
        let plan = self.opts.plan(Self::BYTES, &name).unwrap_or_else(|error| {
            launch.refuse(error);
            let window = Window { chunks: 1, alone: 1, items: 1 };
            Plan { order: Order::AsTaken, workers: 0, window, chunk: 1, is_fixed: true }
        });
        let workers = plan.workers;
        let source = self.inner.start(launch);
        let stats = launch.stats(name.clone(), workers);
        let crew = Arc::new(Crew::new(source, plan, Arc::clone(&launch.control), stats));
        launch.edge(Arc::clone(&crew.edge) as _);
        let job = Arc::new(self.job);
        for worker in 0..workers {
            let (crew, job) = (Arc::clone(&crew), Arc::clone(&job));
            launch.job(name.clone(), worker, move || {
                crew.serve(worker, &mut Runner { job: &*job, local: None, worker });
            });
        }
        crew.reader()
    }

    fn bound(&self) -> usize {
        self.inner.bound().saturating_add(self.opts.bound(Self::BYTES))
    }
}

/// The items of a chunk that are still to come. Those behind a fault are counted as dropped.
struct Behind<'a, T> {
    items: vec::IntoIter<T>,
    stats: &'a Stats,
}

impl<T> Drop for Behind<'_, T> {
    fn drop(&mut self) {
        self.stats.add(Count::Dropped, self.items.len() as u64);
    }
}

/// One worker's view of the job.
struct Runner<'a, J, L> {
    job: &'a J,
    local: Option<L>,
    worker: usize,
}

impl<T, E, J: Job<T, E>> Work<T, J::Out, E> for Runner<'_, J, J::Local> {
    fn work(
        &mut self,
        edge: &Edge<J::Out, E>,
        ticket: &Ticket,
        items: Vec<T>,
        out: &mut Vec<J::Out>,
    ) -> Result<(), Fault<E>> {
        let Self { job, worker, .. } = *self;
        let items = match job.pass(items) {
            Ok(passed) => {
                *out = passed;
                return Ok(());
            }
            Err(items) => items,
        };
        out.reserve(items.len());
        let mut behind = Behind { items: items.into_iter(), stats: &edge.stats };
        let local = self.local.get_or_insert_with(|| job.local());
        let mut cx = Cx { edge, worker, index: ticket.first, stats: &edge.stats };
        for item in behind.items.by_ref() {
            if edge.is_unwanted(ticket) {
                edge.stats.add(Count::Dropped, 1);
                return Err(Fault::Cancelled);
            }
            if let Err(fault) = job.call(&cx, local, item, out) {
                edge.stats.add(Count::Dropped, u64::from(matches!(fault, Fault::Cancelled)));
                return Err(fault);
            }
            cx.index += 1;
        }
        Ok(())
    }
}

/// See [`Pipe::par_map`](crate::Pipe::par_map).
#[derive(Debug)]
pub struct MapJob<F>(pub(crate) F);

impl<T, U, E, F: Fn(T) -> U + Send + Sync> Job<T, E> for MapJob<F> {
    type Out = U;
    type Local = ();

    fn local(&self) {}

    #[inline]
    fn call(&self, _: &Cx<'_>, (): &mut (), item: T, out: &mut Vec<U>) -> Result<(), Fault<E>> {
        out.push((self.0)(item));
        Ok(())
    }
}

/// See [`Pipe::par_map_init`](crate::Pipe::par_map_init).
#[derive(Debug)]
pub struct MapInitJob<I, F> {
    pub(crate) init: I,
    pub(crate) f: F,
}

impl<T, U, E, L, I, F> Job<T, E> for MapInitJob<I, F>
where
    I: Fn() -> L + Send + Sync,
    F: Fn(&mut L, T) -> U + Send + Sync,
{
    type Out = U;
    type Local = L;

    fn local(&self) -> L {
        (self.init)()
    }

    #[inline]
    fn call(&self, _: &Cx<'_>, local: &mut L, item: T, out: &mut Vec<U>) -> Result<(), Fault<E>> {
        out.push((self.f)(local, item));
        Ok(())
    }
}

/// See [`Pipe::par_flat_map`](crate::Pipe::par_flat_map).
#[derive(Debug)]
pub struct FlatMapJob<F>(pub(crate) F);

impl<T, J: IntoIterator, E, F: Fn(T) -> J + Send + Sync> Job<T, E> for FlatMapJob<F> {
    type Out = J::Item;
    type Local = ();

    fn local(&self) {}

    #[inline]
    fn call(
        &self,
        _: &Cx<'_>,
        (): &mut (),
        item: T,
        out: &mut Vec<J::Item>,
    ) -> Result<(), Fault<E>> {
        out.extend((self.0)(item));
        Ok(())
    }
}

/// See [`Pipe::buffer`](crate::Pipe::buffer).
#[derive(Debug)]
pub struct BufferJob;

impl<T, E> Job<T, E> for BufferJob {
    type Out = T;
    type Local = ();

    fn local(&self) {}

    #[inline]
    fn call(&self, _: &Cx<'_>, (): &mut (), item: T, out: &mut Vec<T>) -> Result<(), Fault<E>> {
        out.push(item);
        Ok(())
    }

    #[inline]
    fn pass(&self, items: Vec<T>) -> Result<Vec<T>, Vec<T>> {
        Ok(items)
    }
}
