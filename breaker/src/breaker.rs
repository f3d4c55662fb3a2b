//! The breaker, and what it is built from.

use crate::backoff::Backoff;
use crate::clock::{Clock, Monotonic, Timestamp, nanos};
use crate::core::{Config, Core};
use crate::error::{BuildError, Error, Rejected};
use crate::events::{Listener, Transition};
use crate::inner::{Inner, Unwinding};
use crate::outcome::{Classify, DropPolicy, ErrIsFailure};
use crate::permit::{OwnedPermit, Permit};
use crate::policy::{Policy, number};
use crate::primitives::Arc;
use crate::state::{MOST_PROBES, State, Trial};
use crate::subscription::{self, Subscription};
use crate::window::Counts;
use std::fmt;
use std::time::Duration;

/// A circuit breaker. Clones are the same one.
///
/// See the [crate's page](crate) for what it does and how to choose its numbers.
pub struct Breaker<C: Clock = Monotonic>(Arc<Inner<C>>);

impl Breaker {
    /// A breaker with the defaults: five failures in a row open it.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        match Self::builder(name).build() {
            Ok(breaker) => breaker,
            Err(error) => unreachable!("the defaults are within their ranges: {error}"),
        }
    }

    /// Everything else.
    pub fn builder(name: impl Into<Arc<str>>) -> Builder {
        Builder {
            name: name.into(),
            policy: Policy::default(),
            open_for: Backoff::default(),
            probes: 1,
            successes: None,
            at_a_time: None,
            lease: Duration::from_secs(30),
            drop_policy: DropPolicy::default(),
            call_deadline: Duration::from_secs(1),
            clock: Monotonic::new(),
        }
    }
}

impl<C: Clock> Breaker<C> {
    /// Makes a call, if the circuit lets it through. `Err` is a failure, and so is a panic, which goes on.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if `work` was not called, [`Error::Inner`] if it failed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::{Breaker, Error};
    /// let breaker = Breaker::new("payments");
    /// assert_eq!(breaker.call(|| "7".parse::<u8>()).unwrap(), 7);
    /// assert!(matches!(breaker.call(|| "seven".parse::<u8>()), Err(Error::Inner(_))));
    /// ```
    #[inline]
    pub fn call<T, E>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<T, Error<E>> {
        self.call_with(&ErrIsFailure, work)
    }

    /// The same, with another opinion of what a failure is.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if `work` was not called, [`Error::Inner`] if it failed.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::{Breaker, Outcome};
    /// let breaker = Breaker::new("users");
    /// let not_found_is_fine = |result: &Result<&str, u16>| match result {
    ///     Ok(_) | Err(404) => Outcome::Success,
    ///     Err(_) => Outcome::Failure,
    /// };
    /// let _ = breaker.call_with(&not_found_is_fine, || Err(404));
    /// assert_eq!(breaker.snapshot().consecutive_failures, 0);
    /// ```
    #[inline]
    pub fn call_with<T, E>(
        &self,
        classifier: &impl Classify<T, E>,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, Error<E>> {
        let ticket = self.0.admit_timed()?;
        let unwinding = Unwinding { inner: &self.0, ticket };
        let result = work();
        let outcome = classifier.classify(&result);
        std::mem::forget(unwinding);
        self.0.settle(ticket, outcome);
        result.map_err(Error::Inner)
    }

    /// The same for a future: it is admitted when it is first polled.
    ///
    /// # Errors
    ///
    /// [`Error::Rejected`] if `future` was not polled, [`Error::Inner`] if it failed.
    ///
    /// # Cancel safety
    ///
    /// See [`Run`](crate::Run).
    #[cfg(feature = "async")]
    pub fn run<F>(&self, future: F) -> crate::Run<F, ErrIsFailure, C> {
        crate::Run::new(Arc::clone(&self.0), ErrIsFailure, future)
    }

    /// Leave for one call that this crate does not make.
    ///
    /// # Errors
    ///
    /// If the circuit lets no call through.
    pub fn try_acquire(&self) -> Result<Permit<'_, C>, Rejected> {
        self.0.admit().map(|ticket| Permit::new(&self.0, ticket))
    }

    /// The same, as a permit that borrows nothing.
    ///
    /// # Errors
    ///
    /// If the circuit lets no call through.
    pub fn try_acquire_owned(&self) -> Result<OwnedPermit<C>, Rejected> {
        self.0.admit().map(|ticket| OwnedPermit::new(Arc::clone(&self.0), ticket))
    }

    /// The state. One whose open time is over is half open, though nobody has tried it yet: asking
    /// changes nothing and tells no listener.
    #[must_use]
    pub fn state(&self) -> State {
        self.0.core.effective(|| self.0.now()).0
    }

    /// How long until a call may get through again, if it is open and if that is known.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.core.effective(|| self.0.now()).1
    }

    /// The name that it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.core.config.name
    }

    #[cfg(feature = "tower")]
    pub(crate) const fn inner(&self) -> &Arc<Inner<C>> {
        &self.0
    }

    /// What a call would be told that came now, if it were rejected.
    #[cfg(feature = "tower")]
    #[inline]
    pub(crate) fn rejection(&self) -> Option<Rejected> {
        self.0.core.rejection(|| self.0.now())
    }

    /// Whether it is closed as it stands, without a look at the clock.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.core.word().is_closed()
    }

    /// Whether there are other clones.
    pub(crate) fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// What there is to know at this moment; each number by itself, for calls go on.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let core = &self.0.core;
        let (state, retry_after) = core.effective(|| self.0.now());
        let word = core.word();
        let probing = word.state() == State::HalfOpen;
        let probes = if probing { word } else { crate::state::Word(0) };
        Snapshot {
            state,
            retry_after,
            consecutive_failures: core.gauge.streak(word.generation()),
            windows: core.gauge.counts(word.generation(), self.0.now()),
            openings: core.hub.lock().attempts,
            probes_under_way: probes.under_way(),
            probes_succeeded: probes.succeeded(),
            probes_failed: probes.failed(),
        }
    }

    /// Closes it, and begins anew.
    pub fn reset(&self) {
        self.0.core.by_hand(State::Closed, self.0.now(), None);
    }

    /// Rejects all calls, until somebody says otherwise.
    pub fn force_open(&self) {
        self.0.core.by_hand(State::ForcedOpen, self.0.now(), None);
    }

    /// Rejects all calls for so long; then probes are let through.
    pub fn force_open_for(&self, duration: Duration) {
        self.0.core.by_hand(State::ForcedOpen, self.0.now(), Some(duration));
    }

    /// Lets all calls through and counts nothing, until somebody says otherwise.
    pub fn disable(&self) {
        self.0.core.by_hand(State::Disabled, self.0.now(), None);
    }

    /// Lets all calls through and counts them, until somebody says otherwise.
    pub fn metrics_only(&self) {
        self.0.core.by_hand(State::MetricsOnly, self.0.now(), None);
    }

    /// Tells `listener` of each transition from now on, until what is returned is dropped.
    ///
    /// Listeners are called in the order of the transitions, one at a time and outside every lock, by the
    /// thread whose call made the transition, or by one that is telling of an earlier transition at the
    /// time. So they should be quick; they may use the breaker. A panic of theirs ends with
    /// them: the others are told all the same. One that holds a clone of the breaker keeps it alive, as long
    /// as it is listening.
    pub fn on_transition(
        &self,
        listener: impl Fn(&Transition) + Send + Sync + 'static,
    ) -> Listener {
        self.0.core.hub.listen(Arc::new(listener))
    }
}

impl<C: Clock> Breaker<C> {
    /// The transitions from now on, to be fetched or waited for. It holds the last `room` of those that were
    /// not fetched, 1 to 65 536.
    ///
    /// # Errors
    ///
    /// `room` is out of its range.
    pub fn subscribe(&self, room: u32) -> Result<Subscription, BuildError> {
        number("the room of a subscription", room, 1, 1 << 16)?;
        let (feed, ring) = subscription::ring(room as usize);
        let listener = self.on_transition(move |transition| feed.push(transition));
        Ok(Subscription::new(ring, listener))
    }
}

impl<C: Clock> Clone for Breaker<C> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<C: Clock> fmt::Debug for Breaker<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breaker")
            .field("name", &self.name())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

/// What there is to know of a breaker at one moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// As [`Breaker::state`] has it.
    pub state: State,
    /// As [`Breaker::retry_after`] has it.
    pub retry_after: Option<Duration>,
    /// Failures since the last success, where the policy counts them.
    pub consecutive_failures: u32,
    /// The calls in each window of the policy, in the order in which it names them.
    pub windows: Vec<Counts>,
    /// How often it has opened since it was last closed.
    pub openings: u32,
    /// Probes that have not come back.
    pub probes_under_way: u16,
    /// Probes of this half-open episode that succeeded.
    pub probes_succeeded: u16,
    /// Probes of this half-open episode that failed.
    pub probes_failed: u16,
}

/// What a breaker is built from. Whatever is not said has a default.
#[derive(Clone, Debug)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder<C: Clock = Monotonic> {
    name: Arc<str>,
    policy: Policy,
    open_for: Backoff,
    probes: u32,
    successes: Option<u32>,
    at_a_time: Option<u32>,
    lease: Duration,
    drop_policy: DropPolicy,
    call_deadline: Duration,
    clock: C,
}

impl<C: Clock> Builder<C> {
    /// Another name than the one that it was begun with.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = name.into();
        self
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// When it opens: after five failures in a row, if not said.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// How long it stays open: 5 s, and twice as long after each failed recovery, up to a minute, if
    /// not said.
    pub fn open_for(mut self, open_for: Backoff) -> Self {
        self.open_for = open_for;
        self
    }

    /// How many calls a half-open circuit lets through, 1 to 4095: 1, if not said. No more of them,
    /// however many come.
    pub const fn probes(mut self, probes: u32) -> Self {
        self.probes = probes;
        self
    }

    /// How many of the probes have to succeed: all, if not said. It opens again as soon as too few
    /// are left.
    pub const fn successes(mut self, successes: u32) -> Self {
        self.successes = Some(successes);
        self
    }

    /// How many probes may be under way at the same time: all, if not said.
    pub const fn probes_at_a_time(mut self, probes: u32) -> Self {
        self.at_a_time = Some(probes);
        self
    }

    /// How long a half-open circuit waits for its probes, counted from the last one that it let through:
    /// 30 s, if not said. After that it gives them up and lets as many others through, so that a
    /// probe that hangs or was forgotten does not reject calls for ever.
    pub const fn probe_lease(mut self, lease: Duration) -> Self {
        self.lease = lease;
        self
    }

    /// What becomes of a call that was dropped: [`DropPolicy::Timed`], if not said.
    pub const fn on_drop(mut self, policy: DropPolicy) -> Self {
        self.drop_policy = policy;
        self
    }

    /// How long a call must have taken for its drop to be a failure, by [`DropPolicy::Timed`]: 1 s, if not
    /// said. Choose the time-out that stands around the calls, or a little less.
    pub const fn call_deadline(mut self, deadline: Duration) -> Self {
        self.call_deadline = deadline;
        self
    }

    /// Where the time comes from: [`Monotonic`], if not said.
    pub fn clock<D: Clock>(self, clock: D) -> Builder<D> {
        let Self {
            name,
            policy,
            open_for,
            probes,
            successes,
            at_a_time,
            lease,
            drop_policy,
            call_deadline,
            clock: _,
        } = self;
        Builder {
            name,
            policy,
            open_for,
            probes,
            successes,
            at_a_time,
            lease,
            drop_policy,
            call_deadline,
            clock,
        }
    }

    /// The breaker, closed.
    ///
    /// # Errors
    ///
    /// What was said is out of its range. The error names it and the range.
    pub fn build(self) -> Result<Breaker<C>, BuildError> {
        let (core, clock) = self.parts()?;
        Ok(Breaker(Arc::new(Inner::new(core, clock))))
    }

    /// What it would be made of: to know whether it can be, without one that anybody is told of.
    pub(crate) fn parts(self) -> Result<(Core, C), BuildError> {
        let gauge = self.policy.gauge()?;
        self.open_for.check()?;
        number("the probes", self.probes, 1, MOST_PROBES.into())?;
        let successes = self.successes.unwrap_or(self.probes);
        number("the successes among the probes", successes, 1, self.probes)?;
        let at_a_time = self.at_a_time.unwrap_or(self.probes);
        number("the probes at a time", at_a_time, 1, self.probes)?;
        let within = |knob, given, least| match given {
            given if (least..=LONGEST).contains(&given) => Ok(()),
            given => Err(BuildError::Duration { knob, given, least, most: LONGEST }),
        };
        within("the probe lease", self.lease, Duration::from_nanos(1))?;
        within("the call deadline", self.call_deadline, Duration::ZERO)?;
        let narrow = |number: u32| u16::try_from(number).unwrap_or(MOST_PROBES);
        let config = Config {
            name: self.name,
            trial: Trial {
                probes: narrow(self.probes),
                at_a_time: narrow(at_a_time),
                successes: narrow(successes),
            },
            open_for: self.open_for,
            lease: nanos(self.lease),
            drop_policy: self.drop_policy,
            call_deadline: nanos(self.call_deadline),
        };
        Ok((Core::new(gauge, config), self.clock))
    }
}

const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
