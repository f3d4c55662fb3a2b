//! The calls of the last while.

use super::{Call, Counts};
use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::state::{Generation, LAG};

/// A ring of buckets, each a stretch of time: a stretch that begins takes over the bucket of one that
/// has left the window, by the first call that writes to it. There is no step that clears.
#[derive(Debug)]
pub(crate) struct TimeWindow {
    /// 2⁶⁴ ÷ the nanoseconds of a bucket.
    per_nano: u64,
    /// 2⁶⁴ ÷ the number of buckets, rounded up: by it, a remainder is two multiplications (Lemire, Kaser,
    /// Kurz 2019).
    per_bucket: u64,
    buckets: Box<[Bucket]>,
}

#[derive(Debug)]
struct Bucket {
    calls: AtomicU64,
    failures: AtomicU64,
    slow: AtomicU64,
}

/// `generation:12 | tick:28 | count:24`
const COUNT_BITS: u32 = 24;
const COUNT: u64 = (1 << COUNT_BITS) - 1;
const TICK_BITS: u32 = 28;
const TICK: u64 = (1 << TICK_BITS) - 1;
const GENERATION: u32 = COUNT_BITS + TICK_BITS;
const GENERATION_LOW: u32 = (1 << (64 - GENERATION)) - 1;

/// Where a call is filed: the low bits of the generation, and the number of its stretch.
#[derive(Clone, Copy, Debug)]
struct Tag {
    generation: u32,
    tick: u64,
}

enum Found {
    Mine,
    Older,
    /// The word belongs to what comes after.
    Newer,
}

impl Tag {
    const fn of(word: u64) -> Self {
        Self { generation: (word >> GENERATION) as u32, tick: word >> COUNT_BITS & TICK }
    }

    const fn word(self, count: u64) -> u64 {
        (self.generation as u64) << GENERATION | self.tick << COUNT_BITS | count
    }

    /// How many ticks this lies before `now`, on the shorter way round; negative if it lies after.
    const fn age(self, now: Self) -> i64 {
        let ahead = now.tick.wrapping_sub(self.tick) & TICK;
        if ahead > TICK / 2 { ahead as i64 - TICK as i64 - 1 } else { ahead as i64 }
    }

    fn find(self, word: u64, window: i64) -> Found {
        let found = Self::of(word);
        let age = found.age(self);
        if found.generation != self.generation {
            // Twelve bits come round soon. What has left the window is no loss, whoever wrote it.
            let ahead = found.generation.wrapping_sub(self.generation) & GENERATION_LOW;
            let newer = ahead <= LAG && age.abs() <= window;
            return if newer { Found::Newer } else { Found::Older };
        }
        match age {
            0 => Found::Mine,
            // One round ahead: I am late. More: the clock has stepped back, and what it said before
            // counts no more.
            age if age < 0 && age >= -window => Found::Newer,
            _ => Found::Older,
        }
    }
}

#[inline]
fn add(atomic: &AtomicU64, tag: Tag, window: i64) {
    // ORDERING: Relaxed: these are counts, and who trips on them goes through the control word.
    let now = atomic.load(Ordering::Relaxed);
    // Nearly always the bucket is this call's, with room for more, and nobody comes between.
    if now >= tag.word(0) && now < tag.word(COUNT) {
        // ORDERING: as in `add_slow`.
        let added = atomic.compare_exchange(now, now + 1, Ordering::Release, Ordering::Relaxed);
        if added.is_ok() {
            return;
        }
    }
    add_slow(atomic, tag, window);
}

#[cold]
fn add_slow(atomic: &AtomicU64, tag: Tag, window: i64) {
    // ORDERING: Relaxed, as in `add`.
    let mut now = atomic.load(Ordering::Relaxed);
    loop {
        let count = match tag.find(now, window) {
            Found::Mine => ((now & COUNT) + 1).min(COUNT),
            Found::Older => 1,
            Found::Newer => return,
        };
        // ORDERING: Release pairs with the Acquire in `counts`: a failure that is seen has been counted
        // as a call.
        match atomic.compare_exchange_weak(
            now,
            tag.word(count),
            Ordering::Release,
            Ordering::Relaxed,
        ) {
            Ok(_) => return,
            Err(actual) => now = actual,
        }
    }
}

impl TimeWindow {
    /// `length` nanoseconds, in so many buckets.
    pub(crate) fn new(length: u64, buckets: u32) -> Self {
        let width = (length / u64::from(buckets)).max(1);
        let bucket = |_| Bucket {
            calls: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            slow: AtomicU64::new(0),
        };
        Self {
            per_nano: u64::MAX / width,
            per_bucket: (u64::MAX / u64::from(buckets)).wrapping_add(1),
            buckets: (0..buckets).map(bucket).collect(),
        }
    }

    #[inline]
    fn tag(&self, generation: Generation, now: u64) -> (Tag, usize) {
        // A multiplication instead of a division: a bucket may be a few nanoseconds off its width,
        // the same for everybody.
        let tick = ((u128::from(now) * u128::from(self.per_nano)) >> 64) as u64;
        let tag = Tag { generation: generation.0 & GENERATION_LOW, tick: tick & TICK };
        // The remainder. When the ticks come round, the ring skips a few buckets.
        let part = self.per_bucket.wrapping_mul(tag.tick);
        let index = (u128::from(part) * self.buckets.len() as u128) >> 64;
        (tag, index as usize)
    }

    /// A call that has begun, of whose end nothing is known.
    pub(crate) fn begin(&self, generation: Generation, now: u64) {
        let (tag, index) = self.tag(generation, now);
        add(&self.buckets[index].calls, tag, self.buckets.len() as i64);
    }

    /// The end of one that was begun. Its failures are those that did not come here.
    pub(crate) fn end(&self, generation: Generation, now: u64) {
        let (tag, index) = self.tag(generation, now);
        add(&self.buckets[index].slow, tag, self.buckets.len() as i64);
    }

    /// How many have begun in the window, and how many have ended in it: calls that take long may have
    /// begun before it.
    pub(crate) fn begun_and_ended(&self, generation: Generation, now: u64) -> (u64, u64) {
        let counts = self.counts(generation, now);
        (counts.calls, counts.slow)
    }

    #[inline]
    pub(crate) fn record(&self, generation: Generation, call: Call, now: u64) {
        let (tag, index) = self.tag(generation, now);
        let (bucket, window) = (&self.buckets[index], self.buckets.len() as i64);
        add(&bucket.calls, tag, window);
        if call.failed {
            add(&bucket.failures, tag, window);
        }
        if call.slow {
            add(&bucket.slow, tag, window);
        }
    }

    pub(crate) fn counts(&self, generation: Generation, now: u64) -> Counts {
        let (tag, _) = self.tag(generation, now);
        let window = self.buckets.len() as i64;
        let read = |atomic: &AtomicU64| {
            // ORDERING: Acquire, see `add`.
            let word = atomic.load(Ordering::Acquire);
            let found = Tag::of(word);
            let age = found.age(tag);
            let counts = found.generation == tag.generation && age < window && age > -window;
            if counts { word & COUNT } else { 0 }
        };
        let mut counts = Counts::default();
        for bucket in &self.buckets {
            // Before the calls: who is interrupted in between must not find more failures than there
            // were among them.
            counts.failures += read(&bucket.failures);
            counts.slow += read(&bucket.slow);
            counts.calls += read(&bucket.calls);
        }
        // A bucket that was taken over in between.
        counts.failures = counts.failures.min(counts.calls);
        counts.slow = counts.slow.min(counts.calls);
        counts
    }
}
