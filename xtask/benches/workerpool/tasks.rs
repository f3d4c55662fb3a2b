//! Tasks of tokio's that do nothing but be counted, ten at a time. One operation is one of them.

use crate::harness::{Role, Sample, Scenario, Subject, Unit, entries};
use crate::place::Place;
use crate::tally;
use lockgate_workerpool::task::Pool;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, yield_now};

const TASKS: u64 = 2_000;
const LIMIT: usize = 10;

pub fn scenarios() -> Vec<Scenario> {
    let places = [
        ("task", Place::Task),
        ("block-on", Place::BlockOn),
        ("current-thread", Place::CurrentThread),
    ];
    let scenario = |name: &str, place| {
        Scenario::new(format!("tasks/{name}/{place}"), Unit::Wall).sample_ms(10)
    };
    let at = |(name, place)| {
        [
            entries!(scenario("limit-10", name), limited(place, false):
                Submitted, Spawned, JoinSetSemaphore),
            entries!(scenario("limit-10-yielding", name), limited(place, true):
                Submitted, Spawned, JoinSetSemaphore),
        ]
    };
    places.into_iter().flat_map(at).collect()
}

/// Runs tasks, so many at a time.
trait Limited: Subject {
    /// The sum of the results, where anybody looks at them.
    fn run(yields: bool) -> impl Future<Output = Option<u64>> + Send + 'static;
}

async fn job(number: u64, yields: bool) -> u64 {
    if yields {
        yield_now().await;
    }
    tally::count();
    number
}

/// Every result is looked at, once all are handed over: as the rival's are.
struct Submitted;

impl Subject for Submitted {
    const NAME: &'static str = "lockgate";
    const ROLE: Role = Role::Ours;
}

impl Limited for Submitted {
    async fn run(yields: bool) -> Option<u64> {
        let pool = Pool::new(LIMIT).expect("a runtime");
        let mut jobs = Vec::new();
        for number in 0..TASKS {
            jobs.push(pool.submit(job(number, yields)).await.expect("it is open"));
        }
        let mut sum = 0;
        for job in jobs {
            sum += job.await.expect("no task fails");
        }
        Some(sum)
    }
}

/// Nobody wants the results.
struct Spawned;

impl Subject for Spawned {
    const NAME: &'static str = "lockgate, spawn";
}

impl Limited for Spawned {
    async fn run(yields: bool) -> Option<u64> {
        let pool = Pool::new(LIMIT).expect("a runtime");
        for number in 0..TASKS {
            let job = job(number, yields);
            let loose = async move {
                job.await;
            };
            pool.spawn(loose).await.expect("it is open");
        }
        pool.wait_idle().await;
        None
    }
}

/// Takes a permit before each spawn, and joins when all are spawned.
struct JoinSetSemaphore;

impl Subject for JoinSetSemaphore {
    const NAME: &'static str = "JoinSet + Semaphore";
}

impl Limited for JoinSetSemaphore {
    async fn run(yields: bool) -> Option<u64> {
        let semaphore = Arc::new(Semaphore::new(LIMIT));
        let mut set = JoinSet::new();
        for number in 0..TASKS {
            let permit = Arc::clone(&semaphore).acquire_owned().await.expect("it is open");
            let job = job(number, yields);
            set.spawn(async move {
                let _permit = permit;
                job.await
            });
        }
        let mut sum = 0;
        while let Some(joined) = set.join_next().await {
            sum += joined.expect("no task fails");
        }
        Some(sum)
    }
}

fn limited<L: Limited>(place: Place, yields: bool) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let batches = ops.div_ceil(TASKS);
        let batch = |_| {
            let (time, sum) = place.run(timed(L::run(yields)));
            let expected = TASKS * (TASKS - 1) / 2;
            assert!(sum.is_none_or(|sum| sum == expected), "{}: results got lost", L::NAME);
            time
        };
        let tasks = batches * TASKS;
        let time = tally::assert_counts(L::NAME, tasks, || (0..batches).map(batch).sum());
        Sample::time(tasks, time)
    }
}

/// Neither making the runtime nor starting to run in it is counted.
async fn timed(future: impl Future<Output = Option<u64>>) -> (Duration, Option<u64>) {
    let start = Instant::now();
    let sum = future.await;
    (start.elapsed(), sum)
}
