//! Batches that go on when they are full, or some time after their first item.

use crate::edge::Reader;
use crate::error::Fault;
use crate::feed::{ALL, Fed, Feed, Until};
use crate::launch::Launch;
use crate::opts::{Opts, check};
use crate::par::{BufferJob, Par};
use crate::primitives::Deadline;
use crate::stage::Stage;
use std::fmt;
use std::mem;
use std::ops::ControlFlow::{self, Break, Continue};
use std::time::Duration;

/// A batch that grows, and the one before it if the item that was to be its last was too much for it.
/// No threads, no clock.
#[derive(Debug)]
pub(crate) struct Packer<T> {
    most: usize,
    held: Vec<T>,
    weight: usize,
    full: Option<Vec<T>>,
}

impl<T> Packer<T> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, held: Vec::new(), weight: 0, full: None }
    }

    /// Whether there is no item that waits for others.
    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Adds an item, which weighs at least 1; `true` if it is the first of its batch. Whoever adds one
    /// takes what is full first.
    pub(crate) fn add(&mut self, item: T, weight: usize) -> bool {
        let weight = weight.max(1);
        if !self.held.is_empty() && self.weight.saturating_add(weight) > self.most {
            debug_assert!(self.full.is_none(), "a full batch was left");
            self.full = Some(self.take());
        }
        self.held.push(item);
        self.weight = self.weight.saturating_add(weight);
        self.held.len() == 1
    }

    /// Whether a batch is to go on now.
    pub(crate) fn is_full(&self) -> bool {
        self.full.is_some() || self.weight >= self.most
    }

    /// A batch that is to go on now.
    pub(crate) fn take_full(&mut self) -> Option<Vec<T>> {
        if self.full.is_some() {
            return self.full.take();
        }
        (self.weight >= self.most).then(|| self.take())
    }

    /// The next batch, full or not, if there is an item.
    pub(crate) fn take_rest(&mut self) -> Option<Vec<T>> {
        self.take_full().or_else(|| (!self.held.is_empty()).then(|| self.take()))
    }

    /// How many items may fit in.
    fn room(&self) -> usize {
        self.most.saturating_sub(self.weight).max(1)
    }

    fn take(&mut self) -> Vec<T> {
        self.weight = 0;
        mem::take(&mut self.held)
    }
}

/// What an item weighs in its batch.
pub trait Weigh<T> {
    fn weigh(&mut self, item: &T) -> usize;
}

/// Each item counts as one.
#[derive(Clone, Copy, Debug)]
pub struct Each;

impl<T> Weigh<T> for Each {
    #[inline]
    fn weigh(&mut self, _: &T) -> usize {
        1
    }
}

/// As a function says.
#[derive(Clone, Copy, Debug)]
pub struct By<F>(pub(crate) F);

impl<T, F: FnMut(&T) -> usize> Weigh<T> for By<F> {
    #[inline]
    fn weigh(&mut self, item: &T) -> usize {
        (self.0)(item)
    }
}

/// When a batch that begins now is to go on, whatever it has then; `None` is never.
type Alarm = Box<dyn FnMut() -> Option<Deadline> + Send>;

/// The running half of [`Batched`].
pub struct Batch<R: Feed, M> {
    inner: R,
    weigh: M,
    packer: Packer<R::Item>,
    alarm: Alarm,
    /// When the batch that grows is to go on.
    until: Option<Deadline>,
    /// Its moment has passed, and no item was there.
    is_late: bool,
    /// What comes after the rest.
    end: Option<Result<Fed, Fault<R::Error>>>,
}

impl<R: Feed, M> fmt::Debug for Batch<R, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("weight", &self.packer.weight).finish_non_exhaustive()
    }
}

impl<R: Feed, M: Weigh<R::Item>> Batch<R, M> {
    pub(crate) fn new(inner: R, weigh: M, most: usize, alarm: Alarm) -> Self {
        Self {
            inner,
            weigh,
            packer: Packer::new(most),
            alarm,
            until: None,
            is_late: false,
            end: None,
        }
    }

    /// The next batch that is to go on.
    fn due(&mut self) -> Option<Vec<R::Item>> {
        if self.end.is_some() || mem::take(&mut self.is_late) {
            return self.packer.take_rest();
        }
        self.packer.take_full()
    }

    /// Takes items until there is a full batch, or `until`, or the batch's own moment; what is there at
    /// that moment belongs to it.
    fn fill(&mut self, until: Until<'_>) -> Result<Fed, Fault<R::Error>> {
        let own = if self.packer.is_empty() { None } else { self.until.take() };
        let earlier = match (&own, until.0) {
            (Some(own), Some(until)) if until.is_before(own) => Some(until),
            (own, until) => own.as_ref().or(until),
        };
        let (mut begun, mut has_more) = (None, false);
        let Self { packer, weigh, alarm, .. } = self;
        let fed = self.inner.feed(Until(earlier), packer.room().min(ALL - 1), |item| {
            has_more = true;
            let weight = weigh.weigh(&item);
            if packer.add(item, weight) {
                begun = Some(alarm());
            }
            // INVARIANT: nothing is added before what is full has gone, so one place for it is enough.
            if packer.is_full() { Break(()) } else { Continue(()) }
        });
        self.until = begun.unwrap_or(own);
        let is_over = !has_more && !self.packer.is_full();
        self.is_late = is_over && self.until.as_ref().is_some_and(Deadline::has_passed);
        fed
    }
}

impl<R: Feed, M: Weigh<R::Item>> Feed for Batch<R, M> {
    type Item = Vec<R::Item>;
    type Error = R::Error;

    fn feed(
        &mut self,
        until: Until<'_>,
        most: usize,
        mut sink: impl FnMut(Vec<R::Item>) -> ControlFlow<()>,
    ) -> Result<Fed, Fault<R::Error>> {
        let mut pushed = false;
        loop {
            while let Some(batch) = self.due() {
                pushed = true;
                if sink(batch).is_break() {
                    return Ok(Fed::More);
                }
            }
            if let Some(end) = self.end.take() {
                return end;
            }
            // What has been pushed does not wait for what is to come.
            if pushed && most != ALL {
                return Ok(Fed::More);
            }
            match self.fill(until) {
                Ok(Fed::More) => {
                    if !self.is_late && !self.packer.is_full() && until.has_passed() {
                        return Ok(Fed::More);
                    }
                }
                // CANCEL: what is held is dropped with this; nothing that comes after starts any more.
                Err(Fault::Cancelled) => return Err(Fault::Cancelled),
                end => self.end = Some(end),
            }
        }
    }
}

/// A pipeline, and batches of what it gives.
#[derive(Debug)]
pub struct Batched<S, M> {
    pub(crate) inner: S,
    pub(crate) most: usize,
    pub(crate) time: Duration,
    pub(crate) weigh: M,
}

impl<S, M> Batched<S, M> {
    /// For the thread that runs what cannot stop waiting: as far ahead as a batch is long.
    fn ahead(&self) -> Opts {
        Opts::new().window(self.most.clamp(16, 65_536))
    }
}

impl<S, M> Stage for Batched<S, M>
where
    S: Stage<Running: Send, Item: Send, Error: Send>,
    M: Weigh<S::Item>,
{
    type Item = Vec<S::Item>;
    type Error = S::Error;
    type Running = Batch<Ahead<S::Running>, M>;
    const TIMED: bool = true;

    fn start<'env>(self, launch: &mut Launch<'env>) -> Self::Running
    where
        Self: 'env,
    {
        if let Err(error) = check("batch", "size", self.most, 1..=usize::MAX) {
            launch.refuse(error);
        }
        let opts = self.ahead();
        let Self { inner, most, time, weigh } = self;
        let inner = if S::TIMED {
            Ahead::Here(inner.start(launch))
        } else {
            Ahead::Thread(Par { inner, opts, default_name: "batch", job: BufferJob }.start(launch))
        };
        Batch::new(inner, weigh, most, Box::new(move || Deadline::after(time)))
    }

    fn bound(&self) -> usize {
        let ahead = if S::TIMED { 0 } else { self.ahead().bound(size_of::<S::Item>()) };
        // The batch that grows, and the one before it.
        self.inner.bound().saturating_add(ahead).saturating_add(self.most.saturating_add(1))
    }
}

/// What runs before a batch: here, or on a thread of its own if it could not stop waiting.
#[derive(Debug)]
pub enum Ahead<R: Feed> {
    Here(R),
    Thread(Reader<R::Item, R::Error>),
}

impl<R: Feed> Feed for Ahead<R> {
    type Item = R::Item;
    type Error = R::Error;

    #[inline]
    fn feed(
        &mut self,
        until: Until<'_>,
        most: usize,
        sink: impl FnMut(R::Item) -> ControlFlow<()>,
    ) -> Result<Fed, Fault<R::Error>> {
        match self {
            Self::Here(inner) => inner.feed(until, most, sink),
            Self::Thread(reader) => reader.feed(until, most, sink),
        }
    }
}
