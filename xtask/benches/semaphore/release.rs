//! One release that serves many: `k` requests of weight 1 are queued, then a permit of weight `k`
//! is dropped. Only the release is timed; one operation is one request served.

use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::Ours;
use crate::rivals::{Asyncband, Tokio};
use crate::subject::{Await, assert_free};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

/// Requests served between two looks at the clock, at least: a look costs as much as a wake-up.
const PER_LOOK: usize = 256;

pub fn scenarios() -> Vec<Scenario> {
    let scenarios = [1, 10, 100, 1000].map(|k| {
        let scenario = Scenario::new(format!("release-many/{k}"), Unit::Wall);
        entries!(scenario, release(k): Ours, Tokio, Asyncband)
    });
    scenarios.into()
}

/// What a task's waker does at the least: it is counted, and nothing is scheduled.
#[derive(Default)]
struct Counter(AtomicUsize);

impl Wake for Counter {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn release<A: Await>(k: usize) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let gates: Vec<A> = (0..PER_LOOK.div_ceil(k)).map(|_| A::new(k)).collect();
        let per_round = (gates.len() * k) as u64;
        let rounds = ops.div_ceil(per_round);
        let time = (0..rounds).map(|_| round(&gates, k)).sum();
        gates.iter().for_each(|gate| assert_free(gate, k));
        Sample::time(rounds * per_round, time)
    }
}

fn round<A: Await>(gates: &[A], k: usize) -> Duration {
    let woken = Arc::new(Counter::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let permits: Vec<_> =
        gates.iter().map(|gate| gate.try_acquire(k).expect("all are free")).collect();
    let mut requests: Vec<Pin<Box<_>>> =
        gates.iter().flat_map(|gate| (0..k).map(|_| Box::pin(gate.acquire(1)))).collect();
    for request in &mut requests {
        assert!(request.as_mut().poll(&mut context).is_pending());
    }
    let start = Instant::now();
    drop(permits);
    let time = start.elapsed();
    assert_eq!(woken.0.load(Ordering::Relaxed), requests.len(), "{}: not all woken", A::NAME);
    let served = requests.iter_mut().map(|request| request.as_mut().poll(&mut context));
    assert!(served.filter(Poll::is_ready).count() == gates.len() * k, "{}: not served", A::NAME);
    time
}
