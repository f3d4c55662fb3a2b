//! The processor's counter.

use super::{Clock, ORIGIN, RealSleep, Timer, Timestamp, now, since};
use std::fmt;
use std::hint::black_box;
use std::time::Instant;

/// The processor's time stamp counter, by `quanta`: half the price of the default clock.
///
/// It is not the default, and has to be asked for by a feature, because counters of different cores
/// may disagree (quanta#111, governor#299 report steps back of more than a second). A limiter that
/// sees time step back grants less than it could until it has caught up, and never more.
#[derive(Clone)]
pub struct Tsc {
    clock: quanta::Clock,
    /// The counter's nanoseconds at `begin`, that moment on the clocks that follow real time, and
    /// the difference.
    zero: u64,
    begin: u64,
    offset: u64,
}

impl Tsc {
    /// The clock. The first is calibrated, which takes some milliseconds.
    #[must_use]
    pub fn new() -> Self {
        let clock = quanta::Clock::new();
        let zero = clock.delta_as_nanos(0, clock.raw());
        let begin = since(now(), *ORIGIN);
        Self { clock, zero, begin, offset: begin.wrapping_sub(zero) }
    }
}

impl Default for Tsc {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for Tsc {
    #[inline]
    fn now(&self) -> Timestamp {
        let nanos = self.clock.delta_as_nanos(0, self.clock.raw());
        if nanos < self.zero {
            // A branch that is foretold, rather than steps that everything waits for.
            black_box(());
            return Timestamp(self.begin);
        }
        Timestamp(nanos.wrapping_add(self.offset))
    }
}

impl Timer for Tsc {
    type Sleep = RealSleep;

    fn sleep_until(&self, at: Timestamp) -> RealSleep {
        RealSleep::until(self.instant(at))
    }

    fn instant(&self, at: Timestamp) -> Option<Instant> {
        // From here, because the counter drifts: over an hour it is off by more than a wait is.
        now().checked_add(at.saturating_duration_since(self.now()))
    }
}

impl fmt::Debug for Tsc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tsc")
    }
}
