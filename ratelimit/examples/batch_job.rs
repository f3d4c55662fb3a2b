//! Threads: deletes expired rows from a store in batches, at most so many rows a second, because
//! others work with it. When the peak hours are over the rate is raised, and whoever waits is told.
//!
//! `cargo run --example batch_job [ROWS]`
#![allow(clippy::print_stdout, reason = "what a program prints")]

use lockgate_ratelimit::clock::{Clock, Timestamp};
use lockgate_ratelimit::{AcquireError, Quota, Rate, RateLimiter};
use std::error::Error;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

const BATCH: u32 = 64;
const PEAK: u32 = 2_000;
const NIGHT: u32 = 8_000;
const BURST: u32 = 128;

fn main() -> Result<(), Box<dyn Error>> {
    let rows = std::env::args().nth(1).map_or(Ok(3_000), |rows| rows.parse())?;
    let limiter = RateLimiter::new(Quota::per_second(PEAK).burst(BURST));
    let store = Store { rows: Mutex::new(rows), log: Mutex::default(), night: Mutex::default() };
    let start = limiter.clock().now();

    let waited: Duration = thread::scope(|scope| {
        let workers: Vec<_> = (0..4).map(|_| scope.spawn(|| work(&limiter, &store))).collect();
        workers.into_iter().map(|worker| worker.join().expect("a worker does not panic")).sum()
    });

    let (log, night) = (store.log.into_inner()?, store.night.into_inner()?);
    let took = limiter.clock().now().saturating_duration_since(start);
    println!("{rows} rows in {} batches and {took:?}, {waited:?} waited by 4 threads", log.len());
    assert_eq!(log.iter().map(|(_, rows)| rows).sum::<u32>(), rows);

    // At every moment, no more rows than the quota allows by then.
    let mut sum = 0.0;
    for (now, rows) in log {
        sum += f64::from(rows);
        let peak = night.map_or(now, |night| night.min(now));
        let seconds = |from, to: Timestamp| to.saturating_duration_since(from).as_secs_f64();
        let allowed = f64::from(BURST)
            + seconds(start, peak) * f64::from(PEAK)
            + seconds(peak, now) * f64::from(NIGHT);
        assert!(sum <= allowed, "{sum} rows where {allowed} were allowed");
    }
    Ok(())
}

/// Deletes batches until there is nothing left, and says how long it waited for its turns.
fn work(limiter: &RateLimiter, store: &Store) -> Duration {
    let mut waited = Duration::ZERO;
    loop {
        match limiter.acquire(BATCH).wait() {
            Ok(wait) => waited += wait,
            // Another worker has found that nothing is left.
            Err(AcquireError::Closed) => return waited,
            Err(error) => unreachable!("a batch is less than the burst: {error}"),
        }
        let deleted = store.delete(BATCH, limiter);
        // What a batch costs is known afterwards only.
        limiter.refund(BATCH - deleted);
        if deleted < BATCH {
            limiter.close();
            return waited;
        }
    }
}

/// What stands for the database.
struct Store {
    rows: Mutex<u32>,
    log: Mutex<Vec<(Timestamp, u32)>>,
    /// When the peak hours ended.
    night: Mutex<Option<Timestamp>>,
}

impl Store {
    fn delete(&self, at_most: u32, limiter: &RateLimiter) -> u32 {
        let mut rows = self.rows.lock().unwrap();
        let deleted = at_most.min(*rows);
        *rows -= deleted;
        let now = limiter.clock().now();
        self.log.lock().unwrap().push((now, deleted));
        let mut night = self.night.lock().unwrap();
        if night.is_none() && *rows < 2_000 {
            *night = Some(now);
            limiter.set_rate(Rate::per_second(NIGHT));
        }
        deleted
    }
}
