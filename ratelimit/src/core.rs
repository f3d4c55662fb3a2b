//! The bucket as several threads share it: one hot word, and what tells it how to count.
//!
//! DESIGN.md, section 3, numbers the protocols (P1 …) that the comments here refer to.

mod change;
mod promise;
mod slot;

use crate::error::{AcquireError, Denied, DeniedReason};
use crate::primitives::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::primitives::{Mutex, spin};
use crate::quota::Quota;
use crate::state::{Bucket, CLOSED, Change, Curve, INFINITE, PAUSED, Taken, Tokens, Word};
use crate::waiters::Waiters;
pub(crate) use slot::{Road, Slot};
use std::hint::black_box;
use std::panic::{RefUnwindSafe, UnwindSafe};

#[derive(Debug)]
pub(crate) struct Core {
    hot: Hot,
    /// The configuration of an even epoch, and of an odd one.
    slots: [Slot; 2],
    /// A hint that there is no limit, so that no clock is read: beside what seldom changes, because
    /// whoever looked at the word for it would take the line from who is about to exchange it.
    unlimited: Unlimited,
    cold: Cold,
}

// No code of the user's runs under the lock, and an exchange is all or nothing: what a panic
// interrupts is never the limiter.
impl UnwindSafe for Core {}
impl RefUnwindSafe for Core {}

/// A pair of cache lines, because the neighbour of a line is fetched with it.
#[derive(Debug)]
#[repr(align(128))]
struct Hot {
    word: AtomicU64,
}

#[derive(Debug)]
#[repr(align(64))]
struct Unlimited(AtomicBool);

#[derive(Debug)]
#[repr(align(128))]
struct Cold {
    control: Mutex<Control>,
}

/// What only changes of the configuration, and waits, look at.
#[derive(Debug)]
struct Control {
    curve: Curve,
    /// The one before that, for its slope.
    former: Curve,
    /// The number of changes: its low bits are the word's epoch.
    generation: u64,
    /// The latest moment at which the curve was changed: no other may begin before it.
    seen: u64,
    /// Whom to tell of a change. It settles them all; who still has to wait comes again.
    waiters: Waiters<(), ()>,
}

/// Tokens that were promised.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Promise {
    /// Where supply has to be for them.
    pub(crate) place: Tokens,
    /// None, where nothing is counted. A wait for the end of a pause may be all there is to it.
    n: u32,
    /// They were there when they were promised.
    at_once: bool,
    /// By which line of supply that was.
    line: u16,
    /// The word as this promise left it, for who finds it as it was.
    pub(crate) word: Word,
    /// When it will be there, as things were; `None` if never.
    pub(crate) at: Option<u64>,
}

/// How it stands with a promise.
#[derive(Debug)]
pub(crate) enum Due {
    /// Since this moment.
    Now(u64),
    /// The waker will be called if this changes. `None`: there is no such moment, as things are.
    At(Option<u64>),
    Never(AcquireError),
}

/// For so many turns: as long as a dozen grants take whoever has the word to himself.
const ASIDE: u32 = 64;

/// Where a request left the open road.
enum Leaving {
    /// Before the clock was read.
    Unread,
    At(u64),
    /// Somebody else exchanged the word.
    Lost(u64),
}

impl Core {
    pub(crate) fn new(quota: Quota, now: u64) -> Self {
        let Bucket { curve, consumed } = Bucket::new(quota, now);
        Self {
            hot: Hot { word: AtomicU64::new(Word::new(0, consumed).0) },
            slots: [Slot::new(&curve), Slot::new(&curve)],
            unlimited: Unlimited(AtomicBool::new(curve.flags & INFINITE != 0)),
            cold: Cold {
                control: Mutex::new(Control {
                    curve,
                    former: curve,
                    generation: 0,
                    seen: now,
                    waiters: Waiters::new(),
                }),
            },
        }
    }

    /// The configuration that a word names. By a branch, which is foretold, so that reading the slot
    /// need not wait for the word.
    #[inline]
    fn slot(&self, word: Word) -> &Slot {
        if word.slot() == 0 {
            return &self.slots[0];
        }
        // Keeps a branch a branch, and becomes no instruction.
        black_box(());
        &self.slots[1]
    }

    #[inline]
    fn word(&self) -> Word {
        // ORDERING: Acquire pairs with the Release of the exchange in `change`: the slot that the
        // word names is written.
        Word(self.hot.word.load(Ordering::Acquire))
    }

    /// P1: only who exchanges the very word by which he judged has taken anything. It names the
    /// configuration too, so no change can come in between.
    #[inline]
    fn exchange(&self, word: Word, to: Word) -> Result<(), Word> {
        // ORDERING: Release: a change, which exchanges the word by Acquire before it writes to the
        // slot next time, comes after the reads of the slot here. Acquire on failure as in `word`.
        let exchanged =
            self.hot.word.compare_exchange(word.0, to.0, Ordering::Release, Ordering::Acquire);
        exchanged.map(drop).map_err(Word)
    }

    /// The same, for what is consumed in the end.
    fn consume(&self, word: Word, to: u64) -> Result<(), Word> {
        let exchanged = self.exchange(word, word.with(to));
        exchanged.inspect_err(|is| {
            Self::stand_aside(word, *is);
        })
    }

    /// Who loses the word has company, which gets further while this one stands aside. If it was a
    /// change, that is over. Says whether it stood aside.
    pub(crate) fn stand_aside(word: Word, is: Word) -> bool {
        let company = is.same_epoch(word);
        if company {
            spin(ASIDE);
        }
        company
    }

    /// P1: takes `n` if they are there.
    ///
    /// It is small enough to become part of the caller; what is rare is elsewhere, in one place.
    #[inline]
    pub(crate) fn try_acquire(&self, n: u32, clock: impl Fn() -> u64) -> Result<(), Denied> {
        let mut left = Leaving::Unread;
        // ORDERING: Relaxed: a hint; the word tells.
        if n > 0 && !self.unlimited.0.load(Ordering::Relaxed) {
            let now = clock();
            left = Leaving::At(now);
            // Only now: what is loaded before the clock is read is old by the time of the exchange.
            let word = self.word();
            match self.slot(word).road(word, n, now) {
                Road::Take(to) if self.exchange(word, to).is_ok() => return Ok(()),
                Road::Take(_) => left = Leaving::Lost(now),
                Road::Deny(denied) if self.still(word) => return Err(denied),
                Road::Deny(_) | Road::Leave => {}
            }
        }
        // By a copy: what a call writes to does not live in registers, whatever becomes of it.
        match self.try_off_road(n, left, clock) {
            Ok(()) => Ok(()),
            Err(denied) => Err(denied),
        }
    }

    /// The same, in every state that a limiter can be in.
    #[cold]
    #[inline(never)]
    fn try_off_road(&self, n: u32, left: Leaving, clock: impl Fn() -> u64) -> Result<(), Denied> {
        let now = match left {
            Leaving::Unread => return self.try_acquire_slow(n, clock).map(drop),
            Leaving::At(now) => now,
            Leaving::Lost(now) => {
                // The word it was lost to is not kept, which would cost those who win. A change begins a
                // line, so one that is older than this call was not what came between.
                if self.slot(self.word()).start() < now {
                    spin(ASIDE);
                }
                now
            }
        };
        self.try_acquire_slow(n, || now).map(drop)
    }

    /// The same, and it says what was taken.
    #[cold]
    pub(crate) fn try_acquire_slow(
        &self,
        n: u32,
        clock: impl Fn() -> u64,
    ) -> Result<Promise, Denied> {
        let mut read = None;
        loop {
            let (word, curve) = self.whole();
            if Self::free(&curve, n) && self.still(word) {
                return Ok(Promise::nothing(0));
            }
            let now = *read.get_or_insert_with(&clock);
            match self.judge(&curve, word, n, now) {
                Judged::Free if self.still(word) => return Ok(Promise::nothing(now)),
                Judged::Refused(denied) if self.still(word) => return Err(denied),
                Judged::Renew => self.change(Change::Renew, now),
                Judged::Taken(Taken::Now { to }) if self.consume(word, to).is_ok() => {
                    return Ok(Promise::made(&curve, word.with(to), n, true, Some(now)));
                }
                Judged::Taken(Taken::Later { to }) if self.still(word) => {
                    return Err(if curve.flags & PAUSED != 0 {
                        Denied::paused(&curve, now, to)
                    } else {
                        Denied::not_yet(&curve, now, to)
                    });
                }
                // Of two configurations, or too late.
                Judged::Free | Judged::Refused(_) | Judged::Taken(_) => {}
            }
        }
    }

    /// What the same call would say, without taking anything.
    pub(crate) fn peek(&self, n: u32, clock: impl Fn() -> u64) -> Result<(), Denied> {
        let mut read = None;
        loop {
            let (word, curve) = self.whole();
            if Self::free(&curve, n) && self.still(word) {
                return Ok(());
            }
            let now = *read.get_or_insert_with(&clock);
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
            let (flags, paused) = (curve.flags, curve.flags & PAUSED != 0 && now < curve.start);
            if n == 0 || flags & (CLOSED | INFINITE) != 0 || paused {
                if self.still(word) {
                    return if flags & CLOSED != 0 || paused { 0 } else { n };
                }
                continue;
            }
            let Ok(glance) = curve.glance(now) else {
                self.change(Change::Renew, now);
                continue;
            };
            let whole = curve.whole(word.consumed(), curve.exact(glance)).min(n);
            if whole == 0 {
                if self.still(word) {
                    return 0;
                }
                continue;
            }
            if let Taken::Now { to } = curve.take(word.consumed(), glance, whole) {
                if self.consume(word, to).is_ok() {
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
        (word, self.slots[word.slot()].read())
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

    /// Whether nothing is counted, whatever the time.
    const fn free(curve: &Curve, n: u32) -> bool {
        n == 0 || curve.flags & (INFINITE | PAUSED) == INFINITE
    }

    fn judge(&self, curve: &Curve, word: Word, n: u32, now: u64) -> Judged {
        let paused = curve.flags & PAUSED != 0;
        if Self::free(curve, n) || (curve.flags & INFINITE != 0 && now >= curve.start) {
            return Judged::Free;
        }
        if curve.flags & INFINITE != 0 {
            // Nothing is counted, so there is nothing to wait for but the end of the pause.
            return Judged::Taken(Taken::Later { to: curve.base });
        }
        if curve.flags & CLOSED != 0 {
            return Judged::Refused(Denied::never(DeniedReason::Closed));
        }
        if n > curve.burst {
            let reason = DeniedReason::ExceedsBurst { requested: n, burst: curve.burst };
            return Judged::Refused(Denied::never(reason));
        }
        if paused && now >= curve.start {
            return Judged::Renew;
        }
        let Ok(glance) = curve.glance(now) else { return Judged::Renew };
        match curve.take(word.consumed(), glance, n) {
            Taken::Now { to } if paused => Judged::Taken(Taken::Later { to }),
            taken => Judged::Taken(taken),
        }
    }

    /// The word, for tests.
    #[cfg(test)]
    pub(crate) fn bits(&self) -> u64 {
        // ORDERING: Relaxed: nothing is done by it.
        self.hot.word.load(Ordering::Relaxed)
    }

    /// Whether nobody is registered, for tests.
    #[cfg(test)]
    #[allow(dead_code, reason = "what only models ask")]
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
    #[cfg(test)]
    #[allow(dead_code, reason = "no model asks")]
    pub(crate) const fn n(&self) -> u32 {
        self.n
    }

    const fn made(curve: &Curve, word: Word, n: u32, at_once: bool, at: Option<u64>) -> Self {
        Self { place: curve.place(word.consumed()), n, at_once, line: curve.line, word, at }
    }

    const fn nothing(now: u64) -> Self {
        Self { place: 0, n: 0, at_once: true, line: 0, word: Word(0), at: Some(now) }
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
