//! Two pipelines that become one: side by side, or item by item.

use crate::error::Fault;
use crate::feed::{ALL, Fed, Feed, Until};
use crate::launch::Launch;
use crate::primitives::Arc;
use crate::queue::{Queue, Taker, Unwanted, pump};
use crate::stage::Stage;
use crate::stats::Count;
use std::ops::ControlFlow::{self, Break};

/// Two pipelines, whose items come as they are there.
#[derive(Debug)]
pub struct Merged<A, B> {
    pub(crate) left: A,
    pub(crate) right: B,
}

/// How many items may be on their way from both.
const PLACES: usize = 256;
/// How many of them one takes together, if so many are there. While it waits for them they have places,
/// which the other must not want for.
const TOGETHER: usize = PLACES / 4;

impl<A, B> Stage for Merged<A, B>
where
    A: Stage<Running: Send, Item: Send, Error: Send>,
    B: Stage<Item = A::Item, Error = A::Error, Running: Send>,
{
    type Item = A::Item;
    type Error = A::Error;
    type Running = Taker<A::Item, A::Error>;
    const TIMED: bool = true;

    fn start<'env>(self, launch: &mut Launch<'env>) -> Self::Running
    where
        Self: 'env,
    {
        let (left, right) = (self.left.start(launch), self.right.start(launch));
        let stats = launch.stats("merge".into(), 2);
        let queue = Arc::new(Queue::new(PLACES, 2, Arc::clone(&launch.control), stats));
        launch.edge(Arc::clone(&queue) as _);
        let (one, other) = (Arc::clone(&queue), Arc::clone(&queue));
        launch.job("merge".into(), 0, move || run(left, &one, 0));
        launch.job("merge".into(), 1, move || run(right, &other, 1));
        Taker::new(queue, PLACES)
    }

    fn bound(&self) -> usize {
        self.left.bound().saturating_add(self.right.bound()).saturating_add(PLACES)
    }
}

/// What the thread of one of them does.
fn run<R: Feed>(source: R, queue: &Queue<R::Item, R::Error>, feeder: usize) {
    let pass = |items: Vec<R::Item>, room: usize| {
        queue.vacate(room.saturating_sub(items.len()));
        queue.stats.add(Count::Taken, items.len() as u64);
        queue.put(items).map_err(|Unwanted| None)
    };
    let fault = pump(source, || queue.reserve(feeder, TOGETHER), pass);
    // The other may go on for ever.
    queue.leave(fault, true);
}

/// Two pipelines, an item of each at a time.
#[derive(Debug)]
pub struct Zipped<A, B> {
    pub(crate) left: A,
    pub(crate) right: B,
}

impl<A: Stage, B: Stage<Error = A::Error>> Stage for Zipped<A, B> {
    type Item = (A::Item, B::Item);
    type Error = A::Error;
    type Running = Zip<A::Running, B::Running>;
    const TIMED: bool = A::TIMED && B::TIMED;

    fn start<'env>(self, launch: &mut Launch<'env>) -> Self::Running
    where
        Self: 'env,
    {
        let (left, right) = (self.left.start(launch), self.right.start(launch));
        Zip { left, right, held: None }
    }

    fn bound(&self) -> usize {
        // The one that waits for its other half.
        self.left.bound().saturating_add(self.right.bound()).saturating_add(1)
    }
}

/// The running half of [`Zipped`].
pub struct Zip<A: Feed, B> {
    left: A,
    right: B,
    /// An item that waits for its other half.
    held: Option<A::Item>,
}

impl<A: Feed, B> std::fmt::Debug for Zip<A, B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Zip").field("is_held", &self.held.is_some()).finish_non_exhaustive()
    }
}

/// What a feed says that has no item.
type Ended<E> = Result<Fed, Fault<E>>;

/// One item. `Err` with what it says if there is none.
fn one<R: Feed>(feed: &mut R, until: Until<'_>) -> Result<R::Item, Ended<R::Error>> {
    let mut item = None;
    loop {
        let fed = feed.feed(until, 1, |next| {
            item = Some(next);
            Break(())
        });
        match (item.take(), fed) {
            // INVARIANT: a sink that breaks off is told the end with the next call.
            (Some(item), _) => return Ok(item),
            (None, Ok(Fed::More)) if !until.has_passed() => {}
            (None, fed) => return Err(fed),
        }
    }
}

impl<A: Feed, B: Feed<Error = A::Error>> Zip<A, B> {
    #[allow(clippy::type_complexity, reason = "a pair, or how it ends")]
    fn pair(&mut self, until: Until<'_>) -> Result<(A::Item, B::Item), Ended<A::Error>> {
        let left = match self.held.take() {
            Some(left) => left,
            None => one(&mut self.left, until)?,
        };
        match one(&mut self.right, until) {
            Ok(right) => Ok((left, right)),
            Err(end) => {
                self.held = Some(left);
                Err(end)
            }
        }
    }
}

impl<A: Feed, B: Feed<Error = A::Error>> Feed for Zip<A, B> {
    type Item = (A::Item, B::Item);
    type Error = A::Error;

    fn feed(
        &mut self,
        until: Until<'_>,
        most: usize,
        mut sink: impl FnMut(Self::Item) -> ControlFlow<()>,
    ) -> Result<Fed, Fault<A::Error>> {
        loop {
            let pair = match self.pair(until) {
                Ok(pair) => pair,
                Err(end) => return end,
            };
            // Whether the next would have to be waited for is known when it is there.
            if sink(pair).is_break() || most != ALL {
                return Ok(Fed::More);
            }
        }
    }
}
