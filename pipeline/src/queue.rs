//! A line between threads that is not a stage's way out: many feeders, one reader, and a rule for what
//! has no place.

use crate::control::Control;
use crate::edge::Cancel;
use crate::error::Fault;
use crate::feed::{ALL, Fed, Feed, Until};
use crate::lane::{Got, Lane, Overflow, Room};
use crate::parker::{Step, drive};
use crate::primitives::atomic::{AtomicBool, Ordering};
use crate::primitives::{Arc, Deadline, Mutex};
use crate::stats::{Count, Stats};
use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::ops::ControlFlow::{self, Break, Continue};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

pub(crate) struct Queue<T, E> {
    lane: Mutex<Lane<T, E, Waker>>,
    pub(crate) control: Arc<Control>,
    /// Whether nothing more is wanted: a hint, to be asked without a lock.
    is_closed: AtomicBool,
    pub(crate) stats: Arc<Stats>,
}

/// The pipeline does not want more of this feeder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unwanted;

fn wake(wakers: impl IntoIterator<Item = Waker>) {
    wakers.into_iter().for_each(Waker::wake);
}

impl<T, E> Queue<T, E> {
    pub(crate) fn new(
        places: usize,
        feeders: usize,
        control: Arc<Control>,
        stats: Arc<Stats>,
    ) -> Self {
        let lane = Mutex::new(Lane::new(places, feeders));
        Self { lane, control, is_closed: AtomicBool::new(false), stats }
    }

    /// Waits for places, for `most` items at the most.
    pub(crate) fn reserve(&self, feeder: usize, most: usize) -> Result<usize, Unwanted> {
        let places = drive(None, |waker| {
            let waker = waker.clone();
            let mut lane = self.lane.lock();
            let room = lane.reserve(most);
            let spare = match room {
                Room::Full => lane.feeder_sleeps(feeder, waker),
                _ => Some(waker),
            };
            drop(lane);
            drop(spare);
            match room {
                Room::Places(places) => Step::Ready(Some(places)),
                Room::Closed => Step::Ready(None),
                // After the waker is there: who cancels sets the word, and takes the wakers then.
                Room::Full if self.control.is_cancelled() => Step::Ready(None),
                Room::Full => Step::Queued { spin: self.control.may_spin() },
            }
        });
        places.flatten().ok_or(Unwanted)
    }

    pub(crate) fn vacate(&self, places: usize) {
        let woken = self.lane.lock().vacate(places);
        wake(woken);
    }

    /// Adds items, which have places.
    pub(crate) fn put(&self, mut items: Vec<T>) -> Result<(), Unwanted> {
        let woken = self.lane.lock().put(&mut items);
        wake(woken);
        self.drop_all(items, Count::Dropped)
    }

    /// Adds items, as soon as there are places.
    pub(crate) fn add(&self, feeder: usize, mut items: Vec<T>) -> Result<(), Unwanted> {
        while !items.is_empty() {
            let Ok(places) = self.reserve(feeder, items.len()) else {
                return self.drop_all(items, Count::Dropped);
            };
            let later = items.split_off(places);
            self.put(mem::replace(&mut items, later))?;
        }
        Ok(())
    }

    /// Adds items, and drops some of them if there are not enough places.
    ///
    /// # Errors
    ///
    /// The number of the first item that had no place, if that is to be the end; `None` if nothing more is
    /// wanted.
    pub(crate) fn crowd(&self, mut items: Vec<T>, overflow: Overflow) -> Result<(), Option<u64>> {
        let crowded = self.lane.lock().crowd(&mut items, overflow);
        // Of the user's, and dropped outside of the lock.
        match crowded {
            Ok(woken) => {
                wake(woken);
                let _ = self.drop_all(items, Count::Overflowed);
                Ok(())
            }
            Err(Room::Full) => {
                let index = self.stats.get(Count::Taken).saturating_sub(items.len() as u64);
                let _ = self.drop_all(items, Count::Overflowed);
                Err(Some(index))
            }
            Err(_) => {
                let _ = self.drop_all(items, Count::Dropped);
                Err(None)
            }
        }
    }

    fn drop_all(&self, items: Vec<T>, count: Count) -> Result<(), Unwanted> {
        if items.is_empty() {
            return Ok(());
        }
        self.stats.add(count, items.len() as u64);
        Err(Unwanted)
    }

    /// See [`Lane::leave`].
    pub(crate) fn leave(&self, fault: Option<Fault<E>>, urgent: bool) {
        if fault.is_some() && urgent {
            self.set_closed();
        }
        let (woken, unheard) = self.lane.lock().leave(fault, urgent);
        wake(woken);
        drop(unheard);
    }

    fn set_closed(&self) {
        // ORDERING: Relaxed: a hint to stop work that nobody will read.
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Whether to stop in the middle of work.
    #[inline]
    pub(crate) fn is_unwanted(&self) -> bool {
        // ORDERING: Relaxed: as at the write; who misses it works for nothing.
        self.is_closed.load(Ordering::Relaxed) || self.control.is_cancelled()
    }
}

impl<T: Send, E: Send> Cancel for Queue<T, E> {
    fn cancel(&self) {
        let woken = self.lane.lock().wake_all();
        wake(woken);
    }
}

impl<T, E> fmt::Debug for Queue<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").finish_non_exhaustive()
    }
}

/// The one reader of a queue. Dropping it stops who feeds it.
pub struct Taker<T, E> {
    queue: Arc<Queue<T, E>>,
    hand: VecDeque<T>,
    /// How many items are taken at once by who would take all.
    grasp: usize,
    /// How many items are taken at once at the most.
    reach: usize,
    /// Whether an item has its place until it is used up.
    keeps_places: bool,
    /// Places of what is in the hand.
    places: usize,
}

impl<T, E> Taker<T, E> {
    /// An item has its place until it is used up, so that no more are under way than there are places.
    pub(crate) fn new(queue: Arc<Queue<T, E>>, places: usize) -> Self {
        // While this is being used up there is room for as much again.
        let half = (places / 2).max(1);
        let (grasp, reach) = (half, half);
        Self { queue, hand: VecDeque::new(), grasp, reach, keeps_places: true, places: 0 }
    }

    /// An item has its place until it is taken, one by one where nobody asks for more, so that what is
    /// dropped in its stead is as old as can be.
    pub(crate) fn fresh(queue: Arc<Queue<T, E>>, places: usize) -> Self {
        let (grasp, reach) = (1, places);
        Self { queue, hand: VecDeque::new(), grasp, reach, keeps_places: false, places: 0 }
    }

    /// Fills the hand. `None` when `until` has passed.
    fn fill(&mut self, until: Option<&Deadline>, most: usize) -> Option<Got<E>> {
        let Self { queue, hand, .. } = self;
        let places = mem::take(&mut self.places);
        if places > 0 {
            queue.vacate(places);
        }
        if queue.control.is_cancelled() {
            return Some(Got::Fault(Fault::Cancelled));
        }
        let keeps_places = self.keeps_places;
        let got = drive(until, |waker| {
            let waker = waker.clone();
            let mut lane = queue.lane.lock();
            let got = lane.take(most, hand);
            // INVARIANT: under the same lock: between two, a crowd would find neither a place nor an item to
            // drop for one, and the places would become more.
            let woken = if keeps_places { Vec::new() } else { lane.vacate(hand.len()) };
            let spare = match got {
                Got::NothingYet => lane.reader_sleeps(waker),
                _ => Some(waker),
            };
            drop(lane);
            drop(spare);
            wake(woken);
            match got {
                // After the waker is there: who cancels sets the word, and takes the wakers then.
                Got::NothingYet if queue.control.is_cancelled() => {
                    Step::Ready(Got::Fault(Fault::Cancelled))
                }
                Got::NothingYet => Step::Queued { spin: queue.control.may_spin() },
                got => Step::Ready(got),
            }
        });
        let count = self.hand.len();
        self.queue.stats.add(Count::Given, count as u64);
        if keeps_places {
            self.places = count;
        }
        got
    }
}

impl<T, E> Feed for Taker<T, E> {
    type Item = T;
    type Error = E;

    fn feed(
        &mut self,
        until: Until<'_>,
        most: usize,
        mut sink: impl FnMut(T) -> ControlFlow<()>,
    ) -> Result<Fed, Fault<E>> {
        let mut pushed = 0;
        loop {
            while let Some(item) = self.hand.pop_front() {
                pushed += 1;
                if sink(item).is_break() || pushed == most {
                    return Ok(Fed::More);
                }
            }
            if pushed > 0 && most != ALL {
                return Ok(Fed::More);
            }
            let most = if most == ALL { self.grasp } else { most.min(self.reach) };
            match self.fill(until.0, most) {
                None => return Ok(Fed::More),
                Some(Got::Items | Got::NothingYet) => {}
                Some(Got::Over) => return Ok(Fed::Over),
                Some(Got::Fault(fault)) => return Err(fault),
            }
        }
    }
}

impl<T, E> Drop for Taker<T, E> {
    fn drop(&mut self) {
        self.queue.set_closed();
        let (items, woken) = self.queue.lane.lock().close();
        wake(woken);
        drop(items);
    }
}

impl<T, E> fmt::Debug for Taker<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taker").finish_non_exhaustive()
    }
}

/// Takes items out of `source` and passes them on, until there are none or they are not wanted; then
/// drops it. How it ended. Before it takes some it asks how many at the most, which may wait.
pub(crate) fn pump<R: Feed>(
    mut source: R,
    mut room: impl FnMut() -> Result<usize, Unwanted>,
    mut pass: impl FnMut(Vec<R::Item>, usize) -> Result<(), Option<Fault<R::Error>>>,
) -> Option<Fault<R::Error>> {
    let mut round = || {
        let Ok(most) = room() else { return Break(None) };
        let mut items = Vec::new();
        let fed = catch_unwind(AssertUnwindSafe(|| {
            source.feed(Until::NEVER, most, |item| {
                items.push(item);
                if items.len() >= most { Break(()) } else { Continue(()) }
            })
        }));
        // What came before a fault comes through.
        match catch_unwind(AssertUnwindSafe(|| pass(items, most))) {
            Ok(Ok(())) => {}
            Ok(Err(fault)) => return Break(fault),
            Err(payload) => return Break(Some(Fault::Panicked(payload))),
        }
        match fed {
            Ok(Ok(Fed::More)) => Continue(()),
            Ok(Ok(Fed::Over)) => Break(None),
            Ok(Err(fault)) => Break(Some(fault)),
            Err(payload) => Break(Some(Fault::Panicked(payload))),
        }
    };
    let fault = loop {
        if let Break(fault) = round() {
            break fault;
        }
    };
    // It is the user's, and may panic when it is dropped.
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(source))).err().map(Fault::Panicked);
    fault.or(dropped)
}
