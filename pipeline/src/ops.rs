//! Operators that fuse: each takes an item and pushes what becomes of it, on the thread that runs
//! whatever comes next.

use crate::control::Control;
use crate::error::{Failed, Fault};
use crate::feed::{ALL, Fed, Feed, Until};
use crate::launch::Launch;
use crate::primitives::Arc;
use crate::stage::Stage;
use std::borrow::Cow;
use std::ops::ControlFlow::{self, Break, Continue};

mod flat;
mod simple;

pub(crate) use flat::{Chunks, FlatMap};
pub(crate) use simple::{
    Enumerate, Filter, FilterMap, Inspect, Map, MapInit, Scan, Skip, SkipWhile, Take, TakeWhile,
    TryMap,
};

/// Why an operator wants no further item.
#[derive(Debug)]
pub enum Stop<E> {
    /// The sink has broken off; the item is dealt with.
    Sink,
    /// This was the last item.
    Over,
    Failed(E),
}

/// What the sink said, as a result.
#[inline]
fn passed<E>(flow: ControlFlow<()>) -> Result<(), Stop<E>> {
    match flow {
        Continue(()) => Ok(()),
        Break(()) => Err(Stop::Sink),
    }
}

/// One operator, for items `T` of a pipeline that may fail with `E`.
pub trait Op<T, E> {
    type Out;
    /// Whether one item may become many, even without end.
    const EXPANDS: bool = false;

    /// What becomes of an item.
    fn apply(
        &mut self,
        item: T,
        sink: &mut impl FnMut(Self::Out) -> ControlFlow<()>,
    ) -> Result<(), Stop<E>>;

    /// Pushes what an earlier item left over because the sink broke off.
    #[inline]
    fn resume(&mut self, _sink: &mut impl FnMut(Self::Out) -> ControlFlow<()>) -> ControlFlow<()> {
        Continue(())
    }

    /// Whether it wants no item any more.
    #[inline]
    fn is_over(&self) -> bool {
        false
    }

    /// What it still holds when nothing more comes.
    #[inline]
    fn rest(&mut self) -> Option<Self::Out> {
        None
    }

    /// Which of its items the last one was, and the name of the stage, for an error.
    fn place(&self) -> (Cow<'static, str>, u64) {
        (Cow::Borrowed("fused"), 0)
    }

    /// The most items that it keeps.
    fn bound(&self) -> usize {
        0
    }
}

/// A pipeline, and an operator after it.
#[derive(Debug)]
pub struct Then<S, O, E> {
    inner: S,
    op: O,
    /// What comes after the rest that the sink broke off at.
    after: Option<Result<Fed, Fault<E>>>,
    /// The word, for an expansion without end. Nothing is running before there is one.
    control: Option<Arc<Control>>,
}

impl<S, O, E> Then<S, O, E> {
    pub(crate) fn new(inner: S, op: O) -> Self {
        Self { inner, op, after: None, control: None }
    }
}

impl<S: Stage, O: Op<S::Item, S::Error>> Stage for Then<S, O, S::Error> {
    type Item = O::Out;
    type Error = S::Error;
    type Running = Then<S::Running, O, S::Error>;
    const TIMED: bool = S::TIMED;

    fn start<'env>(self, launch: &mut Launch<'env>) -> Self::Running
    where
        Self: 'env,
    {
        let control = O::EXPANDS.then(|| Arc::clone(&launch.control));
        Then { control, ..Then::new(self.inner.start(launch), self.op) }
    }

    fn bound(&self) -> usize {
        self.inner.bound().saturating_add(self.op.bound())
    }
}

impl<R: Feed, O: Op<R::Item, R::Error>> Feed for Then<R, O, R::Error> {
    type Item = O::Out;
    type Error = R::Error;

    #[inline]
    fn feed(
        &mut self,
        until: Until<'_>,
        most: usize,
        mut sink: impl FnMut(O::Out) -> ControlFlow<()>,
    ) -> Result<Fed, Fault<R::Error>> {
        if let Some(after) = self.after.take() {
            return after;
        }
        // CANCEL: the operators behind it may let nothing through, so nobody else would look.
        let control = self.control.as_deref();
        let is_cancelled = || O::EXPANDS && control.is_some_and(Control::is_cancelled);
        if is_cancelled() {
            return Err(Fault::Cancelled);
        }
        let mut sink = |item| match sink(item) {
            Continue(()) if is_cancelled() => Break(()),
            flow => flow,
        };
        let op = &mut self.op;
        let mut has_pushed = false;
        let resumed = op.resume(&mut |item| {
            has_pushed = true;
            sink(item)
        });
        // What it has pushed must not wait for what comes next.
        if resumed.is_break() || has_pushed && most != ALL {
            return Ok(Fed::More);
        }
        if op.is_over() {
            return Ok(Fed::Over);
        }
        let mut stop = None;
        let fed = self.inner.feed(until, most, |item| match op.apply(item, &mut sink) {
            Ok(()) => Continue(()),
            Err(why) => {
                stop = Some(why);
                Break(())
            }
        });
        let end = match stop {
            // INVARIANT: whoever breaks off is told `More`, so nothing that is left over is forgotten.
            Some(Stop::Sink) => return Ok(Fed::More),
            Some(Stop::Over) => Ok(Fed::Over),
            Some(Stop::Failed(error)) => {
                let (stage, index) = op.place();
                Err(Fault::Failed(Failed { stage, index, error }))
            }
            None => match fed {
                Ok(Fed::More) => return Ok(Fed::More),
                // CANCEL: nobody is given what was held back.
                Err(Fault::Cancelled) => return Err(Fault::Cancelled),
                end => end,
            },
        };
        if matches!(end, Err(Fault::Cancelled)) {
            // CANCEL: nothing starts any more, nor what comes after this operator.
            return end;
        }
        let is_broken = op.rest().is_some_and(|rest| sink(rest).is_break());
        if is_broken {
            self.after = Some(end);
            return Ok(Fed::More);
        }
        end
    }
}

/// A pipeline whose errors are converted.
#[derive(Debug)]
pub struct MapErr<S, F> {
    pub(crate) inner: S,
    pub(crate) convert: F,
}

impl<S: Stage, E, F: FnMut(S::Error) -> E> Stage for MapErr<S, F> {
    type Item = S::Item;
    type Error = E;
    type Running = MapErr<S::Running, F>;
    const TIMED: bool = S::TIMED;

    fn start<'env>(self, launch: &mut Launch<'env>) -> Self::Running
    where
        Self: 'env,
    {
        MapErr { inner: self.inner.start(launch), convert: self.convert }
    }

    fn bound(&self) -> usize {
        self.inner.bound()
    }
}

impl<R: Feed, E, F: FnMut(R::Error) -> E> Feed for MapErr<R, F> {
    type Item = R::Item;
    type Error = E;

    #[inline]
    fn feed(
        &mut self,
        until: Until<'_>,
        most: usize,
        sink: impl FnMut(R::Item) -> ControlFlow<()>,
    ) -> Result<Fed, Fault<E>> {
        self.inner.feed(until, most, sink).map_err(|fault| fault.map(&mut self.convert))
    }
}
