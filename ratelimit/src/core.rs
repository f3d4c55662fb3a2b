//! The bucket as several threads share it: one hot word, and what tells it how to count.
//!
//! DESIGN.md, section 3, numbers the protocols (P1 …) that the comments here refer to.

mod change;
mod promise;

use crate::error::{AcquireError, Denied, DeniedReason};
use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::primitives::{Mutex, spin};
use crate::quota::Quota;
use crate::state::{
    Bucket, CLOSED, Change, Curve, INFINITE, PAUSED, Renew, Supply, Taken, Tokens, Word,
};
use crate::waiters::Waiters;

#[derive(Debug)]
pub(crate) struct Core {
    hot: Hot,
    /// The configuration of an even epoch, and of an odd one.
    slots: [Slot; 2],
    cold: Cold,
}

/// A pair of cache lines, because the neighbour of a line is fetched with it.
#[derive(Debug)]
#[repr(align(128))]
struct Hot(AtomicU64);

#[derive(Debug)]
#[repr(align(128))]
struct Cold {
    /// The furthest that was promised and not at once, as a [`Word`]. Written before the word is.
    last: AtomicU64,
    control: Mutex<Control>,
}

/// What only changes of the configuration, and waits, look at.
#[derive(Debug)]
struct Control {
    curve: Curve,
    /// The number of changes: its low bits are the word's epoch.
    generation: u64,
    /// The latest moment at which the curve was changed: no other may begin before it.
    seen: u64,
    /// Whom to tell of a change. It settles them all; who still has to wait comes again.
    waiters: Waiters<(), ()>,
}

/// A [`Curve`] in a cache line of its own. It is written while no word names it.
#[derive(Debug)]
#[repr(align(64))]
struct Slot {
    start: AtomicU64,
    base: AtomicU64,
    slope: AtomicU64,
    step: AtomicU64,
    period: AtomicU64,
    /// Burst, fraction and flags.
    shape: AtomicU64,
    origin_low: AtomicU64,
    origin_high: AtomicU64,
}

/// Tokens that were promised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    /// Where supply has to be for them.
    place: Tokens,
    /// None, where nothing is counted.
    n: u32,
    /// They were there when they were promised.
    at_once: bool,
    /// When it will be there, as things were; `None` if never.
    pub(crate) at: Option<u64>,
}

/// How it stands with a promise.
#[derive(Debug)]
pub(crate) enum Due {
    Now,
    /// The waker will be called if this changes. `None`: there is no such moment, as things are.
    At(Option<u64>),
    Never(AcquireError),
}

impl Slot {
    fn new(curve: &Curve) -> Self {
        let (low, high) = halves(curve.origin);
        Self {
            start: AtomicU64::new(curve.start),
            base: AtomicU64::new(curve.base),
            slope: AtomicU64::new(curve.slope),
            step: AtomicU64::new(curve.step),
            period: AtomicU64::new(curve.period),
            shape: AtomicU64::new(shape(curve)),
            origin_low: AtomicU64::new(low),
            origin_high: AtomicU64::new(high),
        }
    }

    fn write(&self, curve: &Curve) {
        let (low, high) = halves(curve.origin);
        // ORDERING: Release, each: who reads one of them by Acquire, in a slot that was his when he
        // looked, sees at his next look at the word that it is not any more.
        self.start.store(curve.start, Ordering::Release);
        self.base.store(curve.base, Ordering::Release);
        self.slope.store(curve.slope, Ordering::Release);
        self.step.store(curve.step, Ordering::Release);
        self.period.store(curve.period, Ordering::Release);
        self.shape.store(shape(curve), Ordering::Release);
        self.origin_low.store(low, Ordering::Release);
        self.origin_high.store(high, Ordering::Release);
    }

    #[inline]
    fn shape(&self) -> u64 {
        // ORDERING: Acquire, as all in `read`.
        self.shape.load(Ordering::Acquire)
    }

    /// All but the origin. What is read may be of two configurations: whoever acts on it exchanges
    /// the word that named the slot, and whoever does not looks at the word again.
    #[inline]
    fn read(&self, shape: u64) -> Curve {
        // ORDERING: Acquire pairs with the Release in `write`, of a configuration that comes too
        // early; that of the one that is asked for comes with the word.
        Curve {
            start: self.start.load(Ordering::Acquire),
            base: self.base.load(Ordering::Acquire),
            slope: self.slope.load(Ordering::Acquire),
            step: self.step.load(Ordering::Acquire),
            period: self.period.load(Ordering::Acquire),
            burst: shape as u32,
            fraction: (shape >> 32) as u8,
            flags: (shape >> 40) as u8,
            origin: 0,
        }
    }

    fn read_whole(&self) -> Curve {
        let shape = self.shape();
        // ORDERING: Acquire, as in `read`.
        let low = self.origin_low.load(Ordering::Acquire);
        let high = self.origin_high.load(Ordering::Acquire);
        let origin = (u128::from(high) << 64 | u128::from(low)) as Tokens;
        Curve { origin, ..self.read(shape) }
    }
}

const fn halves(origin: Tokens) -> (u64, u64) {
    (origin as u64, (origin >> 64) as u64)
}

const fn shape(curve: &Curve) -> u64 {
    curve.burst as u64 | (curve.fraction as u64) << 32 | (curve.flags as u64) << 40
}

/// The flags within a [`shape`].
const FLAGS: u64 = 0xff << 40;

impl Core {
    pub(crate) fn new(quota: Quota, now: u64) -> Self {
        let Bucket { curve, consumed } = Bucket::new(quota, now);
        Self {
            hot: Hot(AtomicU64::new(Word::new(0, consumed).0)),
            slots: [Slot::new(&curve), Slot::new(&curve)],
            cold: Cold {
                last: AtomicU64::new(Word::new(0, 0).0),
                control: Mutex::new(Control {
                    curve,
                    generation: 0,
                    seen: now,
                    waiters: Waiters::new(),
                }),
            },
        }
    }

    #[inline]
    fn word(&self) -> Word {
        // ORDERING: Acquire pairs with the Release of the exchange in `change`: the slot that the
        // word names is written.
        Word(self.hot.0.load(Ordering::Acquire))
    }

    /// P1: only who exchanges the very word by which he judged has taken anything. It names the
    /// configuration too, so no change can come in between.
    #[inline]
    fn exchange(&self, word: Word, to: u64) -> Result<(), Word> {
        let to = word.with(to).0;
        // ORDERING: Release: a change, which exchanges the word by Acquire before it writes to the
        // slot next time, comes after the reads of the slot here. Acquire on failure as in `word`.
        let exchanged =
            self.hot.0.compare_exchange(word.0, to, Ordering::Release, Ordering::Acquire);
        exchanged.map(drop).map_err(|is| {
            // Who loses an exchange has company, who gets further while this one stands aside.
            spin(16);
            Word(is)
        })
    }

    /// P1: takes `n` if they are there.
    #[inline]
    pub(crate) fn try_acquire(&self, n: u32, clock: impl Fn() -> u64) -> Result<(), Denied> {
        let mut word = self.word();
        let mut shape = self.slots[word.slot()].shape();
        // The flags are 0 and the burst is the low half.
        if n == 0 || shape & FLAGS != 0 || n > shape as u32 {
            return self.try_acquire_slow(n, clock).map(drop);
        }
        let now = clock();
        loop {
            let curve = self.slots[word.slot()].read(shape);
            let Ok(supply) = curve.supply(now) else { break };
            match curve.take(word.consumed(), supply, n) {
                Taken::Now { to } => match self.exchange(word, to) {
                    Ok(()) => return Ok(()),
                    Err(is) => word = is,
                },
                Taken::Later { to } => {
                    let again = self.word();
                    if again.same_epoch(word) {
                        return Err(Denied::not_yet(&curve, now, to));
                    }
                    word = again;
                }
            }
            shape = self.slots[word.slot()].shape();
            if shape & FLAGS != 0 || n > shape as u32 {
                break;
            }
        }
        self.try_acquire_slow(n, clock).map(drop)
    }

    /// The same, in every state that a limiter can be in, and it says what was taken.
    #[cold]
    pub(crate) fn try_acquire_slow(
        &self,
        n: u32,
        clock: impl Fn() -> u64,
    ) -> Result<Promise, Denied> {
        let now = clock();
        loop {
            let (word, curve) = self.whole();
            match self.judge(&curve, word, n, now) {
                Judged::Free => return Ok(Promise::nothing(now)),
                Judged::Refused(denied) if self.still(word) => return Err(denied),
                Judged::Renew => self.change(Change::Renew, now),
                Judged::Taken(Taken::Now { to }) if self.exchange(word, to).is_ok() => {
                    return Ok(Promise { place: curve.place(to), n, at_once: true, at: Some(now) });
                }
                Judged::Taken(Taken::Later { to }) if self.still(word) => {
                    return Err(if curve.flags & PAUSED != 0 {
                        Denied::paused(&curve, now, to)
                    } else {
                        Denied::not_yet(&curve, now, to)
                    });
                }
                // Of two configurations, or too late.
                Judged::Refused(_) | Judged::Taken(_) => {}
            }
        }
    }

    /// What the same call would say, without taking anything.
    pub(crate) fn peek(&self, n: u32, clock: impl Fn() -> u64) -> Result<(), Denied> {
        let now = clock();
        loop {
            let (word, curve) = self.whole();
            let judged = self.judge(&curve, word, n, now);
            if !self.still(word) {
                continue;
            }
            match judged {
                Judged::Free | Judged::Taken(Taken::Now { .. }) => return Ok(()),
                Judged::Refused(denied) => return Err(denied),
                Judged::Renew => self.change(Change::Renew, now),
                Judged::Taken(Taken::Later { to }) if curve.flags & PAUSED != 0 => {
                    return Err(Denied::paused(&curve, now, to));
                }
                Judged::Taken(Taken::Later { to }) => {
                    return Err(Denied::not_yet(&curve, now, to));
                }
            }
        }
    }

    /// Takes what is there, whole tokens and at most `n`.
    pub(crate) fn try_up_to(&self, n: u32, now: u64) -> u32 {
        loop {
            let (word, curve) = self.whole();
            if n == 0 || curve.flags & INFINITE != 0 {
                return n;
            }
            if curve.flags & CLOSED != 0 || (curve.flags & PAUSED != 0 && now < curve.start) {
                if self.still(word) {
                    return 0;
                }
                continue;
            }
            let Ok(supply) = curve.supply(now) else {
                self.change(Change::Renew, now);
                continue;
            };
            let whole = curve.whole(word.consumed(), supply).min(n);
            if whole == 0 {
                if self.still(word) {
                    return 0;
                }
                continue;
            }
            if let Taken::Now { to } = curve.take(word.consumed(), supply, whole) {
                if self.exchange(word, to).is_ok() {
                    return whole;
                }
            }
        }
    }

    pub(crate) fn tokens(&self, now: u64) -> f64 {
        loop {
            let (word, curve) = self.whole();
            let Ok(supply) = curve.supply(now) else {
                self.change(Change::Renew, now);
                continue;
            };
            let level = curve.level(word.consumed(), supply);
            if self.still(word) {
                return if curve.flags & INFINITE != 0 { f64::INFINITY } else { level };
            }
        }
    }

    pub(crate) fn quota(&self) -> Quota {
        self.whole_now().1.quota()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.whole_now().1.flags & CLOSED != 0
    }

    /// A word, and the configuration that it names, perhaps with parts of a later one.
    fn whole(&self) -> (Word, Curve) {
        let word = self.word();
        (word, self.slots[word.slot()].read_whole())
    }

    /// The same, of one moment.
    fn whole_now(&self) -> (Word, Curve) {
        loop {
            let (word, curve) = self.whole();
            if self.still(word) {
                return (word, curve);
            }
        }
    }

    /// Whether what was read of the slot was of one configuration.
    #[inline]
    fn still(&self, word: Word) -> bool {
        self.word().same_epoch(word)
    }

    fn judge(&self, curve: &Curve, word: Word, n: u32, now: u64) -> Judged {
        if n == 0 || curve.flags & INFINITE != 0 {
            return Judged::Free;
        }
        if curve.flags & CLOSED != 0 {
            return Judged::Refused(Denied::never(DeniedReason::Closed));
        }
        if n > curve.burst {
            let reason = DeniedReason::ExceedsBurst { requested: n, burst: curve.burst };
            return Judged::Refused(Denied::never(reason));
        }
        let paused = curve.flags & PAUSED != 0;
        if paused && now >= curve.start {
            return Judged::Renew;
        }
        let supply: Supply = match curve.supply(now) {
            Ok(supply) => supply,
            Err(Renew) => return Judged::Renew,
        };
        match curve.take(word.consumed(), supply, n) {
            Taken::Now { to } if paused => Judged::Taken(Taken::Later { to }),
            taken => Judged::Taken(taken),
        }
    }

    /// Whether nobody is registered, for tests.
    #[cfg(all(test, lockgate_loom))]
    pub(crate) fn nobody_waits(&self) -> bool {
        self.cold.control.lock().waiters.is_empty()
    }
}

enum Judged {
    /// Granted, and nothing is counted.
    Free,
    Refused(Denied),
    Renew,
    Taken(Taken),
}

impl Promise {
    const fn nothing(now: u64) -> Self {
        Self { place: 0, n: 0, at_once: true, at: Some(now) }
    }
}

impl From<Denied> for AcquireError {
    fn from(denied: Denied) -> Self {
        match denied.reason() {
            DeniedReason::ExceedsBurst { requested, burst } => {
                Self::ExceedsBurst { requested, burst }
            }
            DeniedReason::Closed => Self::Closed,
            DeniedReason::TableFull => Self::TableFull,
            DeniedReason::NotYet | DeniedReason::Paused => {
                Self::TooLong { wait: denied.retry_after() }
            }
        }
    }
}
