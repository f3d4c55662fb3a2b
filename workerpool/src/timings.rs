//! How long jobs wait and run, in fixed memory.
//!
//! A histogram is log-linear: each power of two of nanoseconds is cut into 64 equal parts, so that what
//! it says of a time is less than 1 % off. That is all of `hdrhistogram` that a pool needs, in an array
//! that never grows.

use crate::primitives::Mutex;
use std::fmt;
use std::time::Duration;

/// Which jobs are timed. See `timings` of both builders.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Timings {
    /// None: no clock is read.
    #[default]
    Off,
    /// Each so manyth that is submitted.
    Sampled(u32),
    /// All.
    All,
}

/// One in so many bits of a time is kept.
const BITS: u32 = 6;
const PARTS: usize = 1 << BITS;
/// The longest time that is told from longer ones: 2^42 ns, 73 minutes.
const LONGEST: u32 = 42;
const BUCKETS: usize = PARTS * (LONGEST - BITS + 1) as usize;
/// No pool has more of them: workers beyond share.
const SHARDS: usize = 64;

/// In which bucket a time is counted.
const fn bucket(nanos: u64) -> usize {
    if nanos < PARTS as u64 {
        return nanos as usize;
    }
    let power = nanos.ilog2();
    if power >= LONGEST {
        return BUCKETS - 1;
    }
    let shift = power - BITS;
    // The leading bit of what is left says as much as one more power.
    (shift as usize) * PARTS + (nanos >> shift) as usize
}

/// The shortest time that is counted in a bucket, and how many nanoseconds it spans.
const fn span(bucket: usize) -> (u64, u64) {
    if bucket < PARTS {
        return (bucket as u64, 1);
    }
    let shift = bucket / PARTS - 1;
    (((bucket % PARTS + PARTS) as u64) << shift, 1 << shift)
}

/// How long something took, many times: a distribution in which each time is less than 1 % off.
///
/// Times of more than 73 minutes are told from each other by [`max`](Self::max) alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Histogram {
    counts: Box<[u64]>,
    count: u64,
    /// In nanoseconds. It takes 500 years of waiting to overflow, and it stops there.
    sum: u64,
    min: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self { counts: vec![0; BUCKETS].into(), count: 0, sum: 0, min: u64::MAX, max: 0 }
    }

    pub(crate) fn record(&mut self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(nanos)] += 1;
        self.count += 1;
        self.sum = self.sum.saturating_add(nanos);
        self.min = self.min.min(nanos);
        self.max = self.max.max(nanos);
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.counts.iter_mut().zip(&other.counts) {
            *mine += theirs;
        }
        self.count += other.count;
        self.sum = self.sum.saturating_add(other.sum);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// How many times were counted.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The shortest, exactly; `None` if there are none.
    pub fn min(&self) -> Option<Duration> {
        self.or_none(self.min)
    }

    /// The longest, exactly; `None` if there are none.
    pub fn max(&self) -> Option<Duration> {
        self.or_none(self.max)
    }

    /// Their mean, exactly; `None` if there are none.
    pub fn mean(&self) -> Option<Duration> {
        self.or_none(self.sum.checked_div(self.count)?)
    }

    /// The time that so many percent of them do not exceed, less than 1 % off: `percentile(50.0)` is
    /// the median. `None` if there are none.
    ///
    /// # Panics
    ///
    /// If `percent` is not in 0 to 100.
    pub fn percentile(&self, percent: f64) -> Option<Duration> {
        assert!((0.0..=100.0).contains(&percent), "a percentile of {percent}: it is in 0 to 100");
        let rank = ((percent / 100.0 * self.count as f64).ceil() as u64).max(1);
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return self.or_none(middle(bucket).clamp(self.min, self.max));
            }
        }
        None
    }

    /// The times that occur, each less than 1 % off, and how often; the shortest first.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let all = self.counts.iter().enumerate().filter(|(_, count)| **count > 0);
        all.map(|(bucket, count)| (Duration::from_nanos(middle(bucket)), *count))
    }

    /// The times that are here and were not in `before`, each less than 1 % off, and how often.
    #[cfg(feature = "metrics")]
    pub(crate) fn since(&self, before: Option<&Self>) -> impl Iterator<Item = (Duration, u64)> {
        let added = self.counts.iter().enumerate().map(move |(bucket, count)| {
            let told = before.map_or(0, |before| before.counts[bucket]);
            (Duration::from_nanos(middle(bucket)), count.saturating_sub(told))
        });
        added.filter(|(_, count)| *count > 0)
    }

    fn or_none(&self, nanos: u64) -> Option<Duration> {
        (self.count > 0).then_some(Duration::from_nanos(nanos))
    }
}

const fn middle(bucket: usize) -> u64 {
    let (from, width) = span(bucket);
    from + width / 2
}

impl fmt::Debug for Histogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Histogram")
            .field("count", &self.count)
            .field("min", &self.min())
            .field("mean", &self.mean())
            .field("p99", &self.percentile(99.0))
            .field("max", &self.max())
            .finish_non_exhaustive()
    }
}

/// How long the jobs that were timed waited, and how long they ran.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Times {
    /// From the submission to the start, a wait for a place included.
    pub wait: Histogram,
    /// From the start to the end, with what ran inside.
    pub run: Histogram,
}

impl Times {
    fn new() -> Self {
        Self { wait: Histogram::new(), run: Histogram::new() }
    }
}

/// What the workers of a pool write into: 37 KiB for each, from the first time on.
pub(crate) struct Sheets {
    // Boxed each: no two workers write to one cache line.
    shards: Box<[Mutex<Option<Box<Times>>>]>,
}

impl Sheets {
    pub(crate) fn new(workers: usize) -> Self {
        Self { shards: (0..workers.clamp(1, SHARDS)).map(|_| Mutex::new(None)).collect() }
    }

    /// `seat` tells the worker from the others; a sheet that is shared is right all the same.
    pub(crate) fn record(&self, seat: usize, wait: Duration, run: Duration) {
        let mut sheet = self.shards[seat % self.shards.len()].lock();
        let times = sheet.get_or_insert_with(|| Box::new(Times::new()));
        times.wait.record(wait);
        times.run.record(run);
    }

    pub(crate) fn sum(&self) -> Times {
        let mut all = Times::new();
        for shard in &self.shards {
            if let Some(times) = &*shard.lock() {
                all.wait.add(&times.wait);
                all.run.add(&times.run);
            }
        }
        all
    }
}
