//! The last N calls.

use super::{Call, Counts};
use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::state::{GENERATION_BITS, Generation};

/// A ring of one bit for each of the last N calls, and the number of bits that are set.
///
/// A call takes a slot and writes its bit; a success that finds its bit clear writes nothing more.
/// With k calls at this very point, the window is exact up to those k: a bit may be overwritten out
/// of turn by a call that was N slots behind. Once they are through it is exact.
#[derive(Debug)]
pub(crate) struct CountWindow {
    size: u64,
    /// The place of the next call.
    next: AtomicU64,
    failures: Bits,
    slow: Option<Bits>,
}

/// The generation is above, what belongs to it below.
const BELOW: u32 = 64 - GENERATION_BITS;
const VALUE: u64 = (1 << BELOW) - 1;
/// Counts start in the middle: one call may take off its bit before another has added its own.
const ZERO: u64 = 1 << (BELOW - 1);
const BITS_A_WORD: u64 = 32;

/// A place is `full:1 | rounds:19 | slot:20`. The rounds are there so that no place comes again while a call is
/// between its look and its exchange.
const SLOT_BITS: u32 = 20;
const SLOT: u64 = (1 << SLOT_BITS) - 1;
const FULL: u64 = 1 << (BELOW - 1);
const ROUNDS: u64 = FULL - 1 - SLOT;

const fn of(word: u64) -> Generation {
    Generation((word >> BELOW) as u32)
}

const fn word(generation: Generation, value: u64) -> u64 {
    (generation.0 as u64) << BELOW | value & VALUE
}

/// Replaces the value of a word by what `change` makes of it, which is given `fresh` if the word
/// belongs to an older generation. Gives what it was; `None` if the generation is over.
#[inline(always)]
fn update(
    atomic: &AtomicU64,
    generation: Generation,
    fresh: u64,
    mut change: impl FnMut(u64) -> Option<u64>,
) -> Option<u64> {
    // ORDERING: Relaxed: these are counts, and who trips on them goes through the control word.
    let mut now = atomic.load(Ordering::Relaxed);
    loop {
        let value = if of(now) == generation {
            now & VALUE
        } else if generation.is_behind(of(now)) {
            return None;
        } else {
            fresh
        };
        let Some(next) = change(value) else { return Some(value) };
        let next = word(generation, next);
        // ORDERING: Release pairs with the Acquire in `Bits::count`: a failure that is seen has been
        // counted as a call.
        match atomic.compare_exchange_weak(now, next, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => return Some(value),
            Err(actual) => now = actual,
        }
    }
}

#[derive(Debug)]
struct Bits {
    words: Box<[AtomicU64]>,
    set: AtomicU64,
}

impl Bits {
    fn new(size: u64) -> Self {
        let words = (0..size.div_ceil(BITS_A_WORD)).map(|_| AtomicU64::new(0)).collect();
        Self { words, set: AtomicU64::new(ZERO) }
    }

    /// Whether a slot's bit is so already.
    #[inline]
    fn is(&self, generation: Generation, slot: u64, set: bool) -> bool {
        // ORDERING: Relaxed, see `update`.
        let now = self.words[(slot / BITS_A_WORD) as usize].load(Ordering::Relaxed);
        (of(now) == generation && now >> (slot % BITS_A_WORD) & 1 == 1) == set
    }

    fn write(&self, generation: Generation, slot: u64, set: bool) {
        let atomic = &self.words[(slot / BITS_A_WORD) as usize];
        let bit = 1 << (slot % BITS_A_WORD);
        let before = update(atomic, generation, 0, |bits| {
            let next = if set { bits | bit } else { bits & !bit };
            (next != bits).then_some(next)
        });
        let Some(before) = before else { return };
        if (before & bit != 0) != set {
            let by = if set { 1 } else { u64::MAX };
            update(&self.set, generation, ZERO, |count| Some(count.wrapping_add(by)));
        }
    }

    /// Whether no bit is set. The number of a generation before this one says nothing of it.
    #[inline]
    fn is_clear(&self, generation: Generation) -> bool {
        // ORDERING: Relaxed, see `is_all_well`.
        let differs = self.set.load(Ordering::Relaxed) ^ word(generation, ZERO);
        differs == 0 || differs > VALUE
    }

    fn count(&self, generation: Generation) -> u64 {
        // ORDERING: Acquire, see `update`.
        let now = self.set.load(Ordering::Acquire);
        if of(now) == generation { (now & VALUE).saturating_sub(ZERO) } else { 0 }
    }
}

impl CountWindow {
    pub(crate) fn new(size: u32, slow: bool) -> Self {
        let size = u64::from(size);
        Self {
            size,
            next: AtomicU64::new(0),
            failures: Bits::new(size),
            slow: slow.then(|| Bits::new(size)),
        }
    }

    /// Whether it holds N calls of which none has failed or was slow. One more success makes no difference
    /// then: a ring of nothing but zeros is the same wherever it begins.
    #[inline]
    pub(crate) fn is_all_well(&self, generation: Generation) -> bool {
        // ORDERING: Relaxed: of two calls at the same time either may be the first, so that a failure that
        // is not seen comes after this success.
        let full = self.next.load(Ordering::Relaxed) ^ word(generation, FULL) < FULL;
        full && self.failures.is_clear(generation)
            && self.slow.as_ref().is_none_or(|slow| slow.is_clear(generation))
    }

    #[inline(always)]
    pub(crate) fn record(&self, generation: Generation, call: Call) {
        if !call.failed && !call.slow && self.is_all_well(generation) {
            return;
        }
        self.add(generation, call);
    }

    /// The same without the look at whether it makes a difference.
    #[inline(always)]
    pub(crate) fn add(&self, generation: Generation, call: Call) {
        let mut same = true;
        let place = update(&self.next, generation, 0, |place| {
            let slot = place & SLOT;
            // Before the exchange, for which what is loaded after it has to wait. Mostly there is nothing else
            // to do then.
            same = self.failures.is(generation, slot, call.failed)
                && self.slow.as_ref().is_none_or(|it| it.is(generation, slot, call.slow));
            Some(if slot + 1 < self.size { place + 1 } else { FULL | (place + SLOT + 1) & ROUNDS })
        });
        if let (Some(place), false) = (place, same) {
            self.write(generation, place & SLOT, call);
        }
    }

    fn write(&self, generation: Generation, slot: u64, call: Call) {
        self.failures.write(generation, slot, call.failed);
        if let Some(slow) = &self.slow {
            slow.write(generation, slot, call.slow);
        }
    }

    pub(crate) fn counts(&self, generation: Generation) -> Counts {
        // Before the calls: who is interrupted in between must not find more failures than there were
        // among them.
        let failures = self.failures.count(generation);
        let slow = self.slow.as_ref().map_or(0, |slow| slow.count(generation));
        // ORDERING: Relaxed, see `update`.
        let now = self.next.load(Ordering::Relaxed);
        let place = if of(now) == generation { now & VALUE } else { 0 };
        let calls = if place & FULL == 0 { place } else { self.size };
        let (failures, slow) = (failures.min(calls), slow.min(calls));
        Counts { calls, failures, slow }
    }
}
