//! Tasks of tokio's that do nothing but be counted. One operation is one task, spawned and joined.

use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::{OurScope, Ours, OursKept};
pub use crate::place::Place;
use crate::subject::{Discard, Keep, Limit, Sum, Work};
use crate::tally;
use crate::task_rivals::{
    BufferInPlace, BufferUnordered, JoinSetAll, JoinSetLen, JoinSetNext, JoinSetSemaphore, Tracker,
    Unordered, VecOfHandles,
};
use std::future::Future;
use std::time::{Duration, Instant};
use tokio::task;

const TASKS: u64 = 2_000;
const LIMIT: usize = 10;

pub fn scenarios() -> Vec<Scenario> {
    let places = [
        ("task", Place::Task),
        ("block-on", Place::BlockOn),
        ("current-thread", Place::CurrentThread),
    ];
    let spawned = places.into_iter().flat_map(|(name, place)| at(name, place));
    let yielding = Scenario::new("tokio/limit-10-yielding/task", Unit::Wall).sample_ms(20);
    let yielding = entries!(yielding, limited_yielding(Place::Task):
        Ours, BufferUnordered, JoinSetSemaphore, JoinSetLen);
    spawned.chain([yielding]).chain(in_place()).collect()
}

/// Nothing is spawned: all tasks run inside the one that waits for them. For the record.
fn in_place() -> [Scenario; 2] {
    let scenario = |name: &str| Scenario::new(format!("in-place/{name}"), Unit::Wall).sample_ms(5);
    let place = Place::CurrentThread;
    [
        entries!(scenario("kept"), kept(place): OurScope, Unordered),
        entries!(scenario("limit-10"), limited(place): OurScope, BufferInPlace),
    ]
}

fn at(place_name: &str, place: Place) -> [Scenario; 4] {
    let scenario =
        |name: &str| Scenario::new(format!("tokio/{name}/{place_name}"), Unit::Wall).sample_ms(10);
    [
        entries!(scenario("kept"), kept(place): Ours, JoinSetNext, JoinSetAll, VecOfHandles),
        entries!(scenario("discarded"), discarded(place): Ours, Tracker),
        entries!(scenario("limit-10"), limited(place):
            Ours, BufferUnordered, JoinSetSemaphore, JoinSetLen),
        entries!(scenario("limit-10-kept"), limited(place):
            OursKept, BufferUnordered, JoinSetSemaphore, JoinSetLen),
    ]
}

/// What almost all tasks do.
pub struct Empty;

impl Work for Empty {
    async fn task(number: u64) -> Result<u64, ()> {
        tally::count();
        Ok(number)
    }
}

/// What tasks do whose results nobody wants: no number goes in and none comes out.
///
/// The size matters: a task of tokio's takes a multiple of 128 bytes, ours has 8 bytes more than a
/// tracked one, and whoever is just beyond a multiple pays some 60 ns. With nothing in them both are
/// below, and with most sizes both are on the same side.
pub async fn nothing() -> Result<(), ()> {
    tally::count();
    Ok(())
}

/// Goes to the end of the runtime's queue once.
struct Yielding;

impl Work for Yielding {
    async fn task(number: u64) -> Result<u64, ()> {
        task::yield_now().await;
        tally::count();
        Ok(number)
    }
}

fn kept<K: Keep>(place: Place) -> impl FnMut(u64) -> Sample {
    move |ops| batches(K::NAME, place, ops, || K::keep(TASKS))
}

fn discarded<D: Discard>(place: Place) -> impl FnMut(u64) -> Sample {
    move |ops| batches(D::NAME, place, ops, || D::discard(TASKS))
}

fn limited<L: Limit>(place: Place) -> impl FnMut(u64) -> Sample {
    move |ops| batches(L::NAME, place, ops, || L::limit::<Empty>(LIMIT, TASKS))
}

fn limited_yielding<L: Limit>(place: Place) -> impl FnMut(u64) -> Sample {
    move |ops| batches(L::NAME, place, ops, || L::limit::<Yielding>(LIMIT, TASKS))
}

fn batches<F>(name: &str, place: Place, ops: u64, mut make: impl FnMut() -> F) -> Sample
where
    F: Future<Output = Sum> + Send + 'static,
{
    let batches = ops.div_ceil(TASKS);
    let batch = |_| {
        let (time, sum) = tally::assert_counts(name, TASKS, || place.run(timed(make())));
        assert_sum(name, sum, TASKS);
        time
    };
    Sample::time(batches * TASKS, (0..batches).map(batch).sum())
}

/// Neither making the runtime nor starting to run in it is counted.
async fn timed(future: impl Future<Output = Sum>) -> (Duration, Sum) {
    let start = Instant::now();
    let sum = future.await;
    (start.elapsed(), sum)
}

/// Asserts that the results of that many tasks have come, where somebody looked at them.
pub fn assert_sum(name: &str, sum: Sum, tasks: u64) {
    let expected = tasks * (tasks - 1) / 2;
    assert!(sum.is_none_or(|sum| sum == expected), "{name}: results got lost");
}
