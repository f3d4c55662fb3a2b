//! Streams that are given another shape: batches.

use super::support::{control, crew, join, serve, source};
use crate::batch::{Batch, Each};
use crate::error::Fault;
use crate::feed::{Fed, Feed, Until};
use crate::primitives::atomic::{Ordering, Witness};
use crate::primitives::{Arc, Deadline, Explore, explore, thread};
use crate::state::Order;
use std::ops::ControlFlow::{self, Continue};

/// A timer of its own for the first batch; the others wait for ever.
fn alarm(deadline: &Deadline) -> Box<dyn FnMut() -> Option<Deadline> + Send> {
    let mut first = Some(deadline.clone());
    Box::new(move || first.take())
}

fn fires(deadline: Deadline) -> thread::JoinHandle<()> {
    thread::spawn(move || deadline.fire())
}

/// H20: the time of a batch is over while its next item is on its way: in this batch or the next, and
/// once.
#[test]
fn time_meets_an_item_on_its_way() {
    explore(Explore::Preemptions(3), || {
        let crew = crew(source([1, 2]), Order::AsTaken, 2, &control());
        let deadline = Deadline::unfired();
        let mut batches = Batch::new(crew.reader(), Each, 9, alarm(&deadline));
        let mut threads = serve(&crew, 1, |item| Ok(Some(item)));
        threads.push(fires(deadline));
        let mut items = Vec::new();
        while let Ok(Fed::More) = batches.feed(Until::NEVER, 1, |batch| {
            assert!(!batch.is_empty());
            items.extend(batch);
            Continue(())
        }) {}
        assert_eq!(items, [1, 2]);
        join(threads);
    });
}

/// Gives one item, and the end only when that has been seen.
struct One {
    item: Option<u8>,
    seen: Arc<Witness>,
}

impl Feed for One {
    type Item = u8;
    type Error = u8;

    fn feed(
        &mut self,
        _: Until<'_>,
        _: usize,
        mut sink: impl FnMut(u8) -> ControlFlow<()>,
    ) -> Result<Fed, Fault<u8>> {
        if let Some(item) = self.item.take() {
            let _ = sink(item);
            return Ok(Fed::More);
        }
        // ORDERING: Relaxed: it says that the item was seen, and publishes nothing.
        while self.seen.load(Ordering::Relaxed) == 0 {
            thread::yield_now();
        }
        Ok(Fed::Over)
    }
}

/// H20: the time of a batch is over while its reader falls asleep, and no item will wake it.
#[test]
fn time_meets_a_reader_that_falls_asleep() {
    explore(Explore::Preemptions(3), || {
        let seen = Arc::new(Witness::new(0));
        let one = One { item: Some(5), seen: Arc::clone(&seen) };
        let crew = crew(one, Order::AsTaken, 2, &control());
        let deadline = Deadline::unfired();
        let mut batches = Batch::new(crew.reader(), Each, 9, alarm(&deadline));
        let mut threads = serve(&crew, 1, |item| Ok(Some(item)));
        threads.push(fires(deadline));
        let mut items = Vec::new();
        while let Ok(Fed::More) = batches.feed(Until::NEVER, 1, |batch| {
            items.push(batch);
            // ORDERING: Relaxed: as at the load.
            seen.store(1, Ordering::Relaxed);
            Continue(())
        }) {}
        assert_eq!(items, [[5]]);
        join(threads);
    });
}
