//! The blocking half of every wait: poll, park, repeat.
//!
//! Linked into every crate that has threads wait, as `primitives.rs` is.
#![allow(dead_code, reason = "a crate without timers never says `Until`")]

use crate::primitives::atomic::{AtomicU8, Ordering};
use crate::primitives::{Arc, Deadline, cached_parker, hint, spin_deadline, thread};
use std::cell::Cell;
use std::task::{Wake, Waker};

/// What one poll of a wait tells the thread that drives it.
#[derive(Debug)]
pub(crate) enum Step<T> {
    /// Over.
    Ready(T),
    /// In the queue; the waker will be called. `spin` when the wake-up may be so near that
    /// a short spin is cheaper than parking.
    Queued { spin: bool },
    /// Nothing will call the waker before this moment.
    Until(Deadline),
}

/// Drives `step` on this thread until it is ready, or gives `None` once `deadline` has
/// passed: whether something was granted in the meantime is for the caller to settle.
pub(crate) fn drive<T>(
    deadline: Option<&Deadline>,
    mut step: impl FnMut(&Waker) -> Step<T>,
) -> Option<T> {
    cached_parker(|parker| {
        loop {
            match step(&parker.waker) {
                Step::Ready(value) => return Some(value),
                Step::Queued { spin } => {
                    if !(spin && parker.spin(deadline)) {
                        parker.park(deadline);
                    }
                }
                Step::Until(moment) => match deadline {
                    Some(deadline) if deadline.is_before(&moment) => parker.park(Some(deadline)),
                    _ => parker.park(Some(&moment)),
                },
            }
            if deadline.is_some_and(Deadline::has_passed) {
                return None;
            }
        }
    })
}

/// A thread's seat: a waker whose wake-up costs one swap while the thread spins and a
/// system call only when it sleeps.
///
/// It keeps a flag of its own beside the thread's parking token because the token cannot be
/// polled. A token that comes late (the waker was called while the thread gave up on a
/// deadline) makes a later park return early, which every loop over it allows for.
#[derive(Debug)]
pub(crate) struct Parker {
    signal: Arc<Signal>,
    waker: Waker,
    /// How many spins to leave out before the next one …
    skip: Cell<u32>,
    /// … and how many to leave out if that one is in vain again.
    penalty: Cell<u32>,
}

#[derive(Debug)]
struct Signal {
    /// `EMPTY -> PARKED` by the thread before it sleeps, `-> NOTIFIED` by whoever wakes it,
    /// `-> EMPTY` by the thread before it polls again.
    state: AtomicU8,
    thread: thread::Thread,
}

const EMPTY: u8 = 0;
const PARKED: u8 = 1;
const NOTIFIED: u8 = 2;

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // ORDERING: Release pairs with the Acquire swap in `consume`: who sees NOTIFIED sees
        // what was settled before the wake-up. A swap even if NOTIFIED stands already, so
        // that the latest wake-up is the one that the thread synchronises with.
        if self.state.swap(NOTIFIED, Ordering::Release) == PARKED {
            self.thread.unpark();
        }
    }
}

impl Parker {
    pub(crate) fn new() -> Self {
        let signal = Arc::new(Signal { state: AtomicU8::new(EMPTY), thread: thread::current() });
        Self {
            waker: Waker::from(Arc::clone(&signal)),
            signal,
            skip: Cell::new(0),
            penalty: Cell::new(0),
        }
    }

    /// Sleeps until woken or until `deadline`; may return early, as any park.
    fn park(&self, deadline: Option<&Deadline>) {
        // ORDERING: Relaxed: this publishes nothing, and on failure `consume` acquires.
        let free =
            self.signal.state.compare_exchange(EMPTY, PARKED, Ordering::Relaxed, Ordering::Relaxed);
        if free.is_ok() {
            match deadline {
                Some(deadline) => deadline.park(),
                None => thread::park(),
            }
        }
        self.consume();
    }

    /// Spins for a wake-up that is expected at once; `true` when it came.
    ///
    /// Where it does not come (holders are slow, or wait for the core that is burnt here), a
    /// thread soon spins once in 64 waits only, until one succeeds.
    fn spin(&self, deadline: Option<&Deadline>) -> bool {
        const MOST_SKIPPED: u32 = 63;
        if let Some(left) = self.skip.get().checked_sub(1) {
            self.skip.set(left);
            return false;
        }
        let came = self.spin_now(deadline);
        let penalty = if came { 0 } else { (self.penalty.get() * 2 + 1).min(MOST_SKIPPED) };
        self.penalty.set(penalty);
        self.skip.set(penalty);
        came
    }

    fn spin_now(&self, deadline: Option<&Deadline>) -> bool {
        /// A clock costs as much as one of these rounds, so it is read once for many.
        const ROUNDS: u32 = 32;
        let Some(end) = spin_deadline(deadline) else { return false };
        loop {
            for _ in 0..ROUNDS {
                // ORDERING: Relaxed: a hint to stop spinning; `consume` acquires.
                if self.signal.state.load(Ordering::Relaxed) == NOTIFIED {
                    self.consume();
                    return true;
                }
                hint::spin_loop();
            }
            if end.has_passed() {
                return false;
            }
        }
    }

    /// Takes the notification back, so that one which comes after the next poll is seen.
    fn consume(&self) {
        // ORDERING: Acquire pairs with the Release swap in `wake_by_ref`.
        self.signal.state.swap(EMPTY, Ordering::Acquire);
    }
}
