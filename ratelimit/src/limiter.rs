//! The limiter: what is asked of a bucket, by a clock.

use crate::acquire::{Acquire, AcquireOwned};
use crate::clock::{Clock, Monotonic, Timer, Timestamp};
use crate::core::Core;
use crate::error::{AcquireError, DebtError, Denied, TokensError};
use crate::primitives::Arc;
use crate::quota::{Quota, Rate};
use crate::reservation::Reservation;
use crate::state::{Change, Inherit};
use crate::trace;
use std::fmt;
use std::time::Duration;

/// A token bucket that threads and tasks share.
///
/// In any stretch of time Δ by its clock, it grants at most burst + rate · Δ tokens, whoever asks and
/// also if the clock steps back. Whoever waits is served in the order in which he came. The
/// [crate's page](crate) has the rules and examples.
///
/// Every method takes `&self`. Share it by reference, or in an [`Arc`].
pub struct RateLimiter<C = Monotonic> {
    pub(crate) core: Core,
    pub(crate) clock: C,
}

impl RateLimiter {
    /// A limiter by the standard library's clock.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_ratelimit::{Quota, RateLimiter};
    /// let limiter = RateLimiter::new(Quota::per_second(100).burst(20));
    /// assert!(limiter.try_acquire(1).is_ok());
    /// ```
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self::with_clock(quota, Monotonic::new())
    }
}

impl<C: Clock> RateLimiter<C> {
    /// A limiter by a clock of the caller's.
    #[must_use]
    pub fn with_clock(quota: Quota, clock: C) -> Self {
        let now = clock.now().as_nanos();
        Self { core: Core::new(quota, now), clock }
    }

    /// Takes `n` tokens if they are there now. A request for nothing succeeds.
    ///
    /// Whoever waits has been promised his tokens, so nobody is overtaken.
    ///
    /// # Errors
    ///
    /// [`Denied`], which says [when to come again](Denied::retry_after), or never. Nothing was
    /// taken then, nor written.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_ratelimit::{Quota, RateLimiter};
    /// # use std::time::Duration;
    /// let limiter = RateLimiter::new(Quota::per_minute(1));
    /// assert!(limiter.try_acquire(1).is_ok());
    /// let denied = limiter.try_acquire(1).unwrap_err();
    /// assert!(denied.retry_after() <= Some(Duration::from_secs(60)));
    /// assert!(limiter.try_acquire(2).unwrap_err().is_never());
    /// ```
    #[inline]
    pub fn try_acquire(&self, n: u32) -> Result<(), Denied> {
        let taken = self.core.try_acquire(n, || self.nanos());
        if let Err(denied) = &taken {
            trace::denied(n, denied);
        }
        taken
    }

    /// Takes what is there, whole tokens and at most `n`, and says how many.
    pub fn try_up_to(&self, n: u32) -> u32 {
        let now = self.nanos();
        let taken = self.core.try_up_to(n, now);
        if taken == 0 && n > 0 {
            trace::nothing(n, || self.core.peek(1, || now).err());
        }
        taken
    }

    /// What [`try_acquire`](Self::try_acquire) would say, without taking anything.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn peek(&self, n: u32) -> Result<(), Denied> {
        self.core.peek(n, || self.nanos())
    }

    /// What is in the bucket. Negative if more is promised than there is; infinite without a limit.
    ///
    /// For people and tests: it is rounded, and old when it arrives.
    pub fn tokens(&self) -> f64 {
        self.core.tokens(self.nanos())
    }

    /// Takes `n` tokens now that will be there later, and says when.
    ///
    /// Those who reserve and those who wait stand in one line. A reservation that is dropped is
    /// [cancelled](Reservation::cancel); who acts on it [commits](Reservation::commit) it.
    ///
    /// # Errors
    ///
    /// [`AcquireError`]; at once, and nothing was taken.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_ratelimit::{AcquireError, Quota, RateLimiter};
    /// # use std::time::Duration;
    /// let limiter = RateLimiter::new(Quota::per_second(1000).burst(1));
    /// limiter.reserve(1)?.commit();
    /// let reservation = limiter.reserve(1)?;
    /// assert!(reservation.delay() <= Duration::from_millis(1));
    /// reservation.commit(); // and act when the delay is over
    /// # Ok::<(), AcquireError>(())
    /// ```
    pub fn reserve(&self, n: u32) -> Result<Reservation<'_, C>, AcquireError> {
        self.reserve_by(n, Timestamp::from_nanos(u64::MAX))
    }

    /// [`reserve`](Self::reserve), if it takes no longer than `max`.
    ///
    /// # Errors
    ///
    /// [`TooLong`](AcquireError::TooLong), among others.
    pub fn reserve_within(
        &self,
        n: u32,
        max: Duration,
    ) -> Result<Reservation<'_, C>, AcquireError> {
        self.reserve_by(n, self.clock.now() + max)
    }

    fn reserve_by(&self, n: u32, latest: Timestamp) -> Result<Reservation<'_, C>, AcquireError> {
        match self.core.reserve(n, Some(latest.as_nanos()), self.nanos()) {
            Ok(promise) => Ok(Reservation::new(self, promise, n)),
            Err(error) => {
                trace::refused(n, &error);
                Err(error)
            }
        }
    }

    /// Puts `n` tokens back that were granted and not used, at most until the bucket is full.
    ///
    /// Those who wait come first: they are told that it is their turn. A token that is put back may
    /// be granted again, so within a stretch of time that contains this call, so many more are
    /// granted. [`Reservation::cancel`] gives back less, and never grants more.
    pub fn refund(&self, n: u32) {
        self.core.refund(n, self.nanos());
    }

    /// Takes `n` tokens whether they are there or not: for costs that are known only afterwards.
    /// Later requests pay the debt.
    ///
    /// # Errors
    ///
    /// [`DebtError`], if the debt grows beyond what a limiter can keep: it would take months to pay.
    pub fn consume_debt(&self, n: u32) -> Result<(), DebtError> {
        self.core.consume_debt(n, self.nanos())
    }

    /// Says that so many tokens are in the bucket, for instance because a server says so. Those who
    /// wait are served from it first.
    ///
    /// # Errors
    ///
    /// [`TokensError`], if the bucket does not hold so many.
    pub fn set_tokens(&self, tokens: u32) -> Result<(), TokensError> {
        let quota = self.core.quota();
        if tokens > quota.burst && !quota.rate.is_infinite() {
            return Err(TokensError { tokens, burst: quota.burst });
        }
        self.core.change(Change::Tokens(tokens), self.nanos());
        trace::filled(tokens);
        Ok(())
    }

    /// Takes all that is there, whole tokens, and says how many.
    pub fn drain(&self) -> u32 {
        match self.core.quota().rate.is_infinite() {
            true => 0,
            false => self.core.try_up_to(u32::MAX, self.nanos()),
        }
    }

    /// Grants nothing before `until`, and supplies nothing: what a server means by `Retry-After`.
    ///
    /// What is in the bucket stays there, and whoever waits, waits so much longer. A later call
    /// replaces an earlier one, and a moment that has passed ends the pause.
    pub fn pause_until(&self, until: impl Into<Timestamp>) {
        let (until, now) = (until.into(), self.clock.now());
        self.core.change(Change::Pause { until: until.as_nanos() }, now.as_nanos());
        trace::paused(until.saturating_duration_since(now));
    }

    /// [`pause_until`](Self::pause_until), counted from now.
    pub fn pause_for(&self, duration: Duration) {
        self.pause_until(self.clock.now() + duration);
    }

    /// [`pause_for`](Self::pause_for), unless it is paused for longer.
    #[cfg(feature = "http")]
    pub(crate) fn pause_for_at_least(&self, duration: Duration) {
        let now = self.clock.now();
        self.core.pause_at_least((now + duration).as_nanos(), now.as_nanos());
        trace::paused(duration);
    }

    /// Grants nothing any more, and fails everybody who waits and whose tokens are not there.
    pub fn close(&self) {
        self.core.change(Change::Close, self.nanos());
        trace::closed();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.core.is_closed()
    }

    /// Supplies at another rate from now on. What is in the bucket stays there; whoever waits is
    /// told and waits by the new rate.
    ///
    /// A closed limiter stays closed.
    pub fn set_rate(&self, rate: Rate) {
        let change = |quota: Quota| Quota { rate, initial: None, ..quota };
        self.core.reconfigure(change, Inherit::AsIs, self.nanos());
        trace::reconfigured("rate", || self.quota());
    }

    /// Holds at most so many tokens from now on. What is above the brim is gone. Those who wait for
    /// more than that stay in line, because they came before.
    pub fn set_burst(&self, burst: u32) {
        let change = |quota: Quota| Quota { burst, initial: None, ..quota };
        self.core.reconfigure(change, Inherit::AsIs, self.nanos());
        trace::reconfigured("burst", || self.quota());
    }

    /// Goes over to another quota, in one step.
    pub fn replace(&self, quota: Quota, inherit: Inherit) {
        self.core.reconfigure(|_| quota, inherit, self.nanos());
        trace::reconfigured("quota", || self.quota());
    }

    /// What is allowed at present.
    pub fn quota(&self) -> Quota {
        self.core.quota()
    }

    /// The clock.
    pub const fn clock(&self) -> &C {
        &self.clock
    }

    #[inline]
    pub(crate) fn nanos(&self) -> u64 {
        self.clock.now().as_nanos()
    }
}

impl<C: Timer> RateLimiter<C> {
    /// A wait for `n` tokens: a thread calls `.wait()`, a task `.await`s it. It gives
    /// the time that was waited.
    ///
    /// It takes its place in line when it is first polled or waited for. Dropped before its turn, it
    /// gives back what nobody behind it was made to wait for.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "sync")] {
    /// # use lockgate_ratelimit::{Quota, RateLimiter};
    /// let limiter = RateLimiter::new(Quota::per_second(1000).burst(2));
    /// for _ in 0..5 {
    ///     let waited = limiter.acquire(1).wait()?;
    ///     // ...
    /// #   drop(waited);
    /// }
    /// # }
    /// # Ok::<(), lockgate_ratelimit::AcquireError>(())
    /// ```
    pub const fn acquire(&self, n: u32) -> Acquire<&Self, C> {
        Acquire::new(self, n)
    }

    /// [`acquire`](Self::acquire) for another thread or task: it owns the limiter.
    pub fn acquire_owned(self: &Arc<Self>, n: u32) -> AcquireOwned<C> {
        Acquire::new(Arc::clone(self), n)
    }
}

impl<C> fmt::Debug for RateLimiter<C>
where
    C: Clock,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quota { rate, burst, .. } = self.core.quota();
        f.debug_struct("RateLimiter")
            .field("rate", &rate)
            .field("burst", &burst)
            .field("tokens", &self.tokens())
            .finish_non_exhaustive()
    }
}
