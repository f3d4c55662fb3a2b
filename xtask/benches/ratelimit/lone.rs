//! One task that waits again and again: what part of its tokens it misses because nothing wakes it
//! to the nanosecond. A bucket with room for what comes meanwhile misses nothing.

use crate::harness::{Sample, Scenario, Unit, entries};
use crate::ours::Ours;
use crate::rivals::{GovernorQuanta, LeakyBucket};
use crate::subject::{Await, Limit};
use std::time::{Duration, Instant};

const LENGTH: Duration = Duration::from_millis(500);

pub fn scenarios() -> Vec<Scenario> {
    let mut scenarios = Vec::new();
    for rate in [100, 1_000, 10_000, 100_000] {
        // Of two: a bucket of one, and of what a timer of a millisecond needs.
        let enough = 1 + rate / 500;
        for burst in if enough == 1 { vec![1] } else { vec![1, enough] } {
            let name = format!("lone/{rate}-per-second/burst-{burst}");
            let scenario = Scenario::new(name, Unit::Percent);
            scenarios.push(if rate > 1_000 {
                // leaky-bucket's intervals are of a millisecond or more.
                entries!(scenario, missed(rate, burst): Ours, GovernorQuanta)
            } else {
                entries!(scenario, missed(rate, burst): Ours, GovernorQuanta, LeakyBucket)
            });
        }
    }
    scenarios
}

fn missed<A: Await>(rate: u32, burst: u32) -> impl FnMut(u64) -> Sample {
    move |ops| {
        let length = if ops == 1 { LENGTH / 10 } else { LENGTH };
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (granted, elapsed) = runtime.block_on(async {
            let limiter = A::new(Limit::per_second(rate, burst));
            // From the first token on, so that where the first interval begins does not count.
            limiter.acquire(1).await;
            let begin = Instant::now();
            let mut granted = 0_u64;
            while begin.elapsed() < length {
                limiter.acquire(1).await;
                granted += 1;
            }
            (granted, begin.elapsed())
        });
        let ideal = elapsed.as_secs_f64() * f64::from(rate);
        let most = ideal + f64::from(burst) + 1.0;
        assert!(granted as f64 <= most, "{}: {granted} of at most {most}", A::NAME);
        Sample::count(1, 100.0 * (1.0 - granted as f64 / ideal).max(0.0))
    }
}
