//! A cancel storm: nine of ten requests give up while they are queued (the storm of short
//! time-outs in which Java's queue went into a livelock, JDK-8386085). Without clocks: a request
//! is polled once, so that it is queued, and dropped, so that it is cancelled.

use crate::harness::threads::{Padded, Placement, Quota, together};
use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::Ours;
use crate::rivals::{AsyncLock, Asyncband, Tokio};
use crate::subject::{Await, assert_free};
use std::future::Future;
use std::hint;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};
use std::thread;

/// Requests in the queue at a time, per thread.
const REQUESTS: usize = 10;
/// The one that stays is in the middle: cancelled are heads, tails and what lies between.
const STAYS: usize = 6;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(format!("cancel-storm/{name}"), Unit::Wall);
    let two = scenario("two-threads").sample_ms(10).needs_two_cores();
    vec![
        entries!(scenario("one-thread"), storm(Placement::Free, 1):
            Ours, Tokio, Asyncband, AsyncLock),
        entries!(two, storm(Placement::Pinned, 2): Ours, Tokio, Asyncband, AsyncLock),
    ]
}

/// As many permits as threads, each thread with one in its hand. One operation is one request.
fn storm<A: Await>(placement: Placement, threads: usize) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let gate = Padded(A::new(threads));
        let batches = ops.div_ceil(REQUESTS as u64);
        let quota = Quota::new(batches, 1);
        // Taken beforehand: `try_acquire` fails while the other thread's requests are queued.
        let hands: Vec<_> = (0..threads).map(|_| Mutex::new(gate.0.try_acquire(1))).collect();
        let (elapsed, done) = together(threads, placement, |me| {
            let held = hands[me].lock().expect("no panic inside").take();
            storms(&gate.0, held.expect("a permit per thread"), &quota, threads == 1)
        });
        assert_eq!(done.iter().sum::<u64>(), batches);
        assert_free(&gate.0, threads);
        Sample::time(batches * REQUESTS as u64, elapsed.wall)
    }
}

fn storms<'g, A: Await>(gate: &'g A, mut held: A::Permit<'g>, quota: &Quota, alone: bool) -> u64 {
    let mut context = Context::from_waker(Waker::noop());
    // Boxed once, so that filling and emptying them does not allocate.
    let mut requests: Vec<_> = (0..REQUESTS).map(|_| Box::pin(None)).collect();
    let mut done = 0;
    while quota.take() > 0 {
        let mut given = None;
        for (index, slot) in requests.iter_mut().enumerate() {
            slot.set(Some(gate.acquire(1)));
            if let Poll::Ready(permit) = poll(slot, &mut context) {
                // The other thread has released, and this semaphore lets newcomers pass.
                assert!(!alone, "{}: more holders than permits", A::NAME);
                given = (index == STAYS).then_some(permit).or(given);
            }
        }
        for (index, slot) in requests.iter_mut().enumerate() {
            if index != STAYS {
                slot.set(None);
            }
        }
        drop(held);
        let granted = given.unwrap_or_else(|| poll_to_the_end(&mut requests[STAYS], &mut context));
        held = A::permit(granted);
        requests[STAYS].set(None);
        done += 1;
    }
    done
}

fn poll<F: Future>(slot: &mut Pin<Box<Option<F>>>, context: &mut Context<'_>) -> Poll<F::Output> {
    slot.as_mut().as_pin_mut().expect("the slot is filled").poll(context)
}

/// Spins, rarely for long: the other thread releases as soon as it has made its requests.
fn poll_to_the_end<F: Future>(
    slot: &mut Pin<Box<Option<F>>>,
    context: &mut Context<'_>,
) -> F::Output {
    for spins in 1_u32.. {
        if let Poll::Ready(output) = poll(slot, context) {
            return output;
        }
        hint::spin_loop();
        if spins.is_multiple_of(1 << 10) {
            thread::yield_now();
        }
    }
    unreachable!("the watchdog is faster")
}
