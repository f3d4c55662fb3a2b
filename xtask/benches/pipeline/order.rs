//! What order costs when items take differently long: eight workers that sleep, for times that are
//! distributed exponentially.

use crate::harness::{Role, Sample, Scenario, Subject, Unit, entries};
use futures::StreamExt;
use lockgate_pipeline::{Opts, thread as pipeline};
use pariter::IteratorExt;
use std::thread;
use std::time::{Duration, Instant};

const WORKERS: usize = 8;
const MEAN: Duration = Duration::from_millis(1);
const ITEMS: u64 = 1_600;

pub fn scenarios() -> Vec<Scenario> {
    let scenario = |name: &str| Scenario::new(name, Unit::Wall).sample_ms(200);
    vec![entries!(scenario("order/exponential"), each(): Ordered, Unordered, ParMap, Buffered)]
}

/// Sleeps for each item in eight workers, and checks the order of the results.
trait Sleep: Subject {
    fn results(items: u64, each: impl FnMut(u64));
}

fn each<S: Sleep>() -> impl FnMut(u64) -> Sample {
    |_| {
        let (mut count, mut sum) = (0, 0);
        let start = Instant::now();
        S::results(ITEMS, |n| {
            count += 1;
            sum += n;
        });
        let time = start.elapsed();
        assert_eq!((count, sum), (ITEMS, ITEMS * (ITEMS - 1) / 2), "{}: the results", S::NAME);
        Sample::time(ITEMS, time)
    }
}

/// The same for each subject and each run.
fn service_time(n: u64) -> Duration {
    let mut random = fastrand::Rng::with_seed(n);
    MEAN.mul_f64(-(1.0 - random.f64()).ln())
}

fn sleep(n: u64) -> u64 {
    thread::sleep(service_time(n));
    n
}

struct Ordered;

impl Subject for Ordered {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Sleep for Ordered {
    fn results(items: u64, each: impl FnMut(u64)) {
        pipeline::from_iter(0..items)
            .par_map(WORKERS, sleep)
            .for_each(each)
            .expect("nothing fails");
    }
}

struct Unordered;

/// What order is compared with.
impl Subject for Unordered {
    const NAME: &'static str = "ours, unordered";
}

impl Sleep for Unordered {
    fn results(items: u64, each: impl FnMut(u64)) {
        let opts = Opts::from(WORKERS).unordered();
        pipeline::from_iter(0..items).par_map(opts, sleep).for_each(each).expect("nothing fails");
    }
}

struct ParMap;

impl Subject for ParMap {
    const NAME: &'static str = "pariter parallel_map";
}

impl Sleep for ParMap {
    fn results(items: u64, each: impl FnMut(u64)) {
        (0..items).parallel_map_custom(|o| o.threads(WORKERS), sleep).for_each(each);
    }
}

/// Futures that sleep, eight at a time.
struct Buffered;

impl Subject for Buffered {
    const NAME: &'static str = "futures buffered";
}

impl Sleep for Buffered {
    fn results(items: u64, mut each: impl FnMut(u64)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        runtime.expect("a runtime").block_on(async {
            let sleeps = (0..items).map(|n| async move {
                tokio::time::sleep(service_time(n)).await;
                n
            });
            let mut results = futures::stream::iter(sleeps).buffered(WORKERS);
            while let Some(n) = results.next().await {
                each(n);
            }
        });
    }
}
