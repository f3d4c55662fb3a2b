//! Several limiters at once: so many a second and so many a day.

use crate::alarm::Alarm;
use crate::clock::{Clock, Monotonic, Timer, Timestamp};
use crate::core::{Due, Promise};
use crate::error::{AcquireError, Denied};
use crate::limiter::RateLimiter;
#[cfg(feature = "sync")]
use crate::parker::{Step, drive};
use crate::primitives::Arc;
use crate::trace;
use crate::waiters::Ticket;
use std::fmt;
use std::ops::Deref;
use std::task::Waker;
use std::time::Duration;
#[cfg(feature = "async")]
use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

/// Takes `n` tokens of each of the limiters, or none of any.
///
/// The limiters go by one clock, or by clones of one. A limiter that is named twice is asked for
/// twice as much. What was taken before a denial is given back at the same moment; in between,
/// somebody else may be denied who would have been granted it. More than a limiter allows is never
/// granted.
///
/// # Errors
///
/// The [`Denied`] of the limiter that takes longest.
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::{Quota, RateLimiter, try_acquire_all};
/// # use std::time::Duration;
/// let per_second = RateLimiter::new(Quota::per_second(10));
/// let per_day = RateLimiter::new(Quota::per(2, Duration::from_secs(86_400)));
/// assert!(try_acquire_all(&[&per_second, &per_day], 2).is_ok());
/// let denied = try_acquire_all(&[&per_second, &per_day], 1).unwrap_err();
/// assert!(denied.retry_after() > Some(Duration::from_secs(3_600)));
/// assert!(per_second.tokens() >= 8.0); // nothing was taken
/// ```
pub fn try_acquire_all<C: Clock>(limiters: &[&RateLimiter<C>], n: u32) -> Result<(), Denied> {
    let Some(first) = limiters.first() else { return Ok(()) };
    let now = first.nanos();
    take_all(limiters, n, now).map_err(|(index, denied)| {
        // Whoever comes back after the longest of the delays is not denied again by the next.
        let others = limiters[index + 1..].iter();
        let others = others.filter_map(|limiter| limiter.core.peek(n, || now).err());
        let longest = others.fold(denied, |longest, other| {
            let key = |denied: &Denied| denied.retry_after().unwrap_or(Duration::MAX);
            if key(&other) > key(&longest) { other } else { longest }
        });
        trace::denied(n, &longest);
        longest
    })
}

/// One after the other, and back again in the opposite order.
fn take_all<C: Clock>(
    limiters: &[&RateLimiter<C>],
    n: u32,
    now: u64,
) -> Result<(), (usize, Denied)> {
    let Some((first, others)) = limiters.split_first() else { return Ok(()) };
    let promise = first.core.try_acquire_slow(n, || now).map_err(|denied| (0, denied))?;
    take_all(others, n, now).map_err(|(index, denied)| {
        first.core.cancel(promise, now);
        (index + 1, denied)
    })
}

/// A wait for `n` tokens of each of the limiters, all at one moment.
///
/// See [`AcquireAll`].
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// # use lockgate_ratelimit::{Quota, RateLimiter, acquire_all};
/// let per_second = RateLimiter::new(Quota::per_second(1_000).burst(1));
/// let per_minute = RateLimiter::new(Quota::per_minute(30_000).burst(1));
/// for _ in 0..3 {
///     acquire_all(&[&per_second, &per_minute], 1).wait().unwrap();
/// }
/// # }
/// ```
pub fn acquire_all<'a, C: Timer>(
    limiters: &[&'a RateLimiter<C>],
    n: u32,
) -> AcquireAll<&'a RateLimiter<C>, C> {
    AcquireAll::new(limiters.iter().copied(), n)
}

/// [`acquire_all`] for another thread or task: it owns the limiters.
pub fn acquire_all_owned<C: Timer>(
    limiters: &[Arc<RateLimiter<C>>],
    n: u32,
) -> AcquireAll<Arc<RateLimiter<C>>, C> {
    AcquireAll::new(limiters.iter().map(Arc::clone), n)
}

/// A wait for tokens of several limiters, made by [`acquire_all`]. It gives the time that was waited.
///
/// It stands in the line of every limiter, and is over at the latest of the moments that they name.
/// Tokens that would have gone over the brim by then are not held for it: it gives them back, and
/// takes others a few milliseconds before they are needed. So no limiter ever grants more than it
/// allows (the moments of several limiters count as one if they are within 8 ns), a slow limiter does not make a fast one deny what it has for hours, and in the line of
/// the fast one it may come to stand further behind.
///
/// A limiter that is named twice is asked for twice as much. The limiters go by one clock, or by
/// clones of one.
///
/// # Cancel safety
///
/// Dropping it gives back what it holds, as a dropped [`Acquire`](crate::Acquire) does.
#[must_use = "a wait does nothing unless it is waited for with `.wait()` or `.await`"]
pub struct AcquireAll<S, C = Monotonic>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
    holds: Vec<Hold<S>>,
    n: u32,
    latest: Option<Timestamp>,
    since: Option<u64>,
    alarm: Alarm<C::Sleep>,
}

/// One of the limiters, and what it has promised.
struct Hold<S> {
    limiter: S,
    n: u32,
    promise: Option<Promise>,
    /// What was promised is for then, or later.
    moment: u64,
    ticket: Option<Ticket>,
    /// It is asked again when the others are nearly due.
    postponed: bool,
}

/// For so long a limiter holds back for us what would go over the brim.
const SOON: u64 = 5_000_000;
/// Each pass moves the moment forward. Two are enough unless others take what is asked for.
const PASSES: usize = 8;

enum Polled {
    Ready(Result<Duration, AcquireError>),
    Until(Option<u64>),
}

impl<S, C> AcquireAll<S, C>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
    fn new(limiters: impl Iterator<Item = S>, n: u32) -> Self {
        let mut holds: Vec<Hold<S>> = Vec::new();
        for limiter in limiters {
            let same = holds.iter_mut().find(|hold| std::ptr::eq(&*hold.limiter, &*limiter));
            match same {
                Some(hold) => hold.n = hold.n.saturating_add(n),
                None => holds.push(Hold {
                    limiter,
                    n,
                    promise: None,
                    moment: 0,
                    ticket: None,
                    postponed: false,
                }),
            }
        }
        Self { holds, n, latest: None, since: None, alarm: Alarm::unset() }
    }

    /// Fails at once, and takes nothing, if it would take longer than `max`, counted from now.
    pub fn within(mut self, max: Duration) -> Self {
        self.latest = self.holds.first().map(|hold| hold.limiter.clock.now() + max);
        self
    }

    /// [`within`](Self::within), for a moment.
    pub fn by(mut self, latest: impl Into<Timestamp>) -> Self {
        self.latest = Some(latest.into());
        self
    }

    fn poll_turn(&mut self, waker: &Waker) -> Polled {
        let Some(first) = self.holds.first() else { return Polled::Ready(Ok(Duration::ZERO)) };
        let now = first.limiter.nanos();
        let since = *self.since.get_or_insert(now);
        let outcome = match self.settle(now, waker) {
            Ok(Some(Some(due))) if due <= now && self.is_whole() => {
                Ok(Duration::from_nanos(now.saturating_sub(since)))
            }
            Ok(at) => return Polled::Until(at.unwrap_or(Some(now.saturating_add(SOON)))),
            Err(error) => {
                trace::refused(self.n, &error);
                Err(error)
            }
        };
        for hold in &mut self.holds {
            match outcome {
                Ok(_) => hold.leave(),
                Err(_) => hold.give_back(now),
            }
        }
        self.holds.clear();
        Polled::Ready(outcome)
    }

    /// Brings the limiters to one moment. Gives when to look again, or that it is due; `None` inside
    /// if that is never, as things are, and outside if it could not be found out.
    fn settle(&mut self, now: u64, waker: &Waker) -> Result<Option<Option<u64>>, AcquireError> {
        let latest = self.latest.map(Timestamp::as_nanos);
        for _ in 0..PASSES {
            // The moment at which all are granted, which may have passed: whoever is woken late, or
            // acts late, has been granted his tokens then.
            let mut due = 0;
            for index in 0..self.holds.len() {
                match self.holds[index].due(now, latest, waker)? {
                    Some(at) => due = due.max(at),
                    None => {
                        // Nothing is held for a limiter that supplies nothing.
                        let others = self.holds.iter_mut().enumerate();
                        others.filter(|(other, _)| *other != index).for_each(|(_, hold)| {
                            hold.give_back(now);
                            hold.postponed = true;
                        });
                        return Ok(Some(None));
                    }
                }
            }
            let soon = due <= now.saturating_add(SOON);
            let mut moved = false;
            for hold in &mut self.holds {
                if hold.promise.as_ref().is_some_and(|it| hold.limiter.core.is_stale(it, due)) {
                    hold.give_back(now);
                    hold.postponed = true;
                }
                if hold.postponed && soon {
                    // Also if it has passed: whoever is woken late is not made to begin anew.
                    let moment = if due == 0 { now } else { due };
                    moved |= hold.ask_for(moment, latest, now)? > Some(due);
                }
            }
            if !moved {
                let postponed = self.holds.iter().any(|hold| hold.postponed);
                return Ok(Some(Some(if postponed { due.saturating_sub(SOON) } else { due })));
            }
        }
        Ok(None)
    }

    fn is_whole(&self) -> bool {
        self.holds.iter().all(|hold| hold.promise.is_some())
    }

    fn leave(&mut self) {
        for hold in &mut self.holds {
            if hold.promise.is_some() {
                let now = hold.limiter.nanos();
                hold.give_back(now);
            }
        }
    }
}

impl<S, C> Hold<S>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
    /// When what is promised is there; asks for it first, if it is not postponed.
    fn due(
        &mut self,
        now: u64,
        latest: Option<u64>,
        waker: &Waker,
    ) -> Result<Option<u64>, AcquireError> {
        if self.postponed {
            return Ok(Some(0));
        }
        let core = &self.limiter.core;
        let promise = match self.promise {
            Some(promise) => promise,
            None => {
                self.moment = now;
                *self.promise.insert(core.reserve(self.n, latest, now)?)
            }
        };
        match core.look_after(&promise, &mut self.ticket, now, latest, waker) {
            Due::Now(at) => Ok(Some(at.max(self.moment))),
            Due::At(at) => Ok(at.map(|at| at.max(self.moment))),
            Due::Never(error) => Err(error),
        }
    }

    /// Asks for what is there at `moment`; gives when it will be.
    fn ask_for(
        &mut self,
        moment: u64,
        latest: Option<u64>,
        now: u64,
    ) -> Result<Option<u64>, AcquireError> {
        let promise = self.limiter.core.reserve_at(self.n, moment, latest, now)?;
        self.promise = Some(promise);
        self.moment = moment;
        self.postponed = false;
        Ok(promise.at)
    }

    fn leave(&mut self) {
        self.limiter.core.leave(&mut self.ticket);
    }

    fn give_back(&mut self, now: u64) {
        self.leave();
        if let Some(promise) = self.promise.take() {
            self.limiter.core.cancel(promise, now);
        }
        self.moment = 0;
    }
}

#[cfg(feature = "sync")]
impl<S, C> AcquireAll<S, C>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
    /// Blocks this thread until the tokens are there, and gives the time waited.
    ///
    /// # Errors
    ///
    /// See [`AcquireError`].
    pub fn wait(mut self) -> Result<Duration, AcquireError> {
        loop {
            let outcome = drive(None, |waker| match self.poll_turn(waker) {
                Polled::Ready(outcome) => Step::Ready(outcome),
                Polled::Until(at) => self.alarm.step(&self.holds[0].limiter.clock, at, waker),
            });
            if let Some(outcome) = outcome {
                return outcome;
            }
        }
    }

    /// [`wait`](Self::wait), but fails at once if it would take longer than `timeout`.
    ///
    /// # Errors
    ///
    /// [`TooLong`](AcquireError::TooLong), among others.
    pub fn wait_timeout(self, timeout: Duration) -> Result<Duration, AcquireError> {
        self.within(timeout).wait()
    }

    /// [`wait_timeout`](Self::wait_timeout), for a moment.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn wait_deadline(self, deadline: impl Into<Timestamp>) -> Result<Duration, AcquireError> {
        self.by(deadline).wait()
    }
}

#[cfg(feature = "async")]
impl<S, C> Future for AcquireAll<S, C>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
    type Output = Result<Duration, AcquireError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // Twice, as in `Acquire`.
        for _ in 0..2 {
            match this.poll_turn(cx.waker()) {
                Polled::Ready(outcome) => return Poll::Ready(outcome),
                Polled::Until(at) => {
                    let clock = &this.holds[0].limiter.clock;
                    if !this.alarm.poll(clock, at, cx.waker()) {
                        return Poll::Pending;
                    }
                }
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<S, C> Unpin for AcquireAll<S, C>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
}

impl<S, C> Drop for AcquireAll<S, C>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
    fn drop(&mut self) {
        // CANCEL: gives up its places.
        self.leave();
    }
}

impl<S, C> fmt::Debug for AcquireAll<S, C>
where
    S: Deref<Target = RateLimiter<C>>,
    C: Timer,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AcquireAll")
            .field("n", &self.n)
            .field("limiters", &self.holds.len())
            .field("latest", &self.latest)
            .finish_non_exhaustive()
    }
}
