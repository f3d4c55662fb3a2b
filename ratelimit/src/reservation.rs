//! Tokens that were taken before they are there.

use crate::clock::{Clock, Monotonic, Timestamp};
use crate::core::Promise;
use crate::limiter::RateLimiter;
use std::fmt;
use std::time::Duration;

/// Tokens that will be there at a known time, made by [`reserve`](RateLimiter::reserve).
///
/// The time is that of the moment when it was made: a later change of the rate does not move it.
/// (A [wait](RateLimiter::acquire) is moved.)
#[must_use = "a reservation that is dropped is cancelled"]
pub struct Reservation<'a, C: Clock = Monotonic> {
    limiter: &'a RateLimiter<C>,
    promise: Promise,
    n: u32,
    over: bool,
}

impl<'a, C: Clock> Reservation<'a, C> {
    pub(crate) const fn new(limiter: &'a RateLimiter<C>, promise: Promise, n: u32) -> Self {
        Self { limiter, promise, n, over: false }
    }

    /// The number of tokens.
    #[must_use]
    pub const fn tokens(&self) -> u32 {
        self.n
    }

    /// When the tokens are there, by the limiter's clock.
    #[must_use]
    pub const fn ready_at(&self) -> Timestamp {
        // Who reserves is refused where there is no such moment.
        Timestamp::from_nanos(match self.promise.at {
            Some(at) => at,
            None => u64::MAX,
        })
    }

    /// How long until then: nothing if they are there.
    #[must_use]
    pub fn delay(&self) -> Duration {
        self.ready_at().saturating_duration_since(self.limiter.clock.now())
    }

    /// Keeps the tokens: the caller acts on them, not before [`ready_at`](Self::ready_at). Says when
    /// that is.
    pub fn commit(mut self) -> Timestamp {
        self.over = true;
        self.ready_at()
    }

    /// Gives the tokens back, and says how many could be.
    ///
    /// Whoever was promised tokens after these keeps the moment that he was told, so what lies
    /// behind cannot move up, and is not given back. Nor is anything once the time has passed:
    /// whoever does not act on tokens that are there lets them pass. Tokens that were there at once
    /// come back within the same moment of the clock, unless the limiter was changed or refunded in it.
    pub fn cancel(mut self) -> u32 {
        self.over = true;
        self.give_back()
    }

    fn give_back(&self) -> u32 {
        self.limiter.core.cancel(self.promise, self.limiter.nanos())
    }
}

impl<C: Clock> Drop for Reservation<'_, C> {
    fn drop(&mut self) {
        if !self.over {
            // CANCEL: as if by `cancel`.
            self.give_back();
        }
    }
}

impl<C: Clock> fmt::Debug for Reservation<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("tokens", &self.n)
            .field("ready_at", &self.ready_at())
            .finish_non_exhaustive()
    }
}
