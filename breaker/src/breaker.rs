//! The breaker.

use crate::builder::Builder;
use crate::clock::{Clock, Monotonic, Timestamp};
use crate::core::Core;
use crate::error::{BuildError, Error, Rejected};
use crate::events::{Listener, Transition};
use crate::hint::{Hint, Hinted};
use crate::inner::{Inner, Unwinding};
use crate::outcome::{Classify, ErrIsFailure};
use crate::permit::{OwnedPermit, Permit};
use crate::policy::number;
use crate::primitives::Arc;
use crate::state::State;
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
        Builder::new(name.into())
    }
}

impl<C: Clock> Breaker<C> {
    pub(crate) fn from_parts(core: Core, clock: C) -> Self {
        Self(Arc::new(Inner::new(core, clock)))
    }

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
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::{Breaker, Error};
    /// # futures::executor::block_on(async {
    /// let breaker = Breaker::new("payments");
    /// assert_eq!(breaker.run(async { Ok::<_, u16>(7) }).await, Ok(7));
    /// breaker.force_open();
    /// let never_polled = async { Err::<(), u16>(503) };
    /// assert!(matches!(breaker.run(never_polled).await, Err(Error::Rejected(_))));
    /// # });
    /// ```
    #[cfg(feature = "async")]
    pub fn run<F>(&self, future: F) -> crate::Run<F, ErrIsFailure, C> {
        crate::Run::new(Arc::clone(&self.0), ErrIsFailure, future)
    }

    /// Leave for one call that this crate does not make.
    ///
    /// # Errors
    ///
    /// If the circuit lets no call through.
    ///
    /// # Cancel safety
    ///
    /// See [`Permit`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::{Breaker, Recorded};
    /// let breaker = Breaker::new("payments");
    /// match breaker.try_acquire() {
    ///     Ok(permit) => assert_eq!(permit.success(), Recorded::Counted),
    ///     Err(rejected) => println!("come again in {:?}", rejected.retry_after),
    /// }
    /// ```
    pub fn try_acquire(&self) -> Result<Permit<'_, C>, Rejected> {
        self.0.admit().map(|ticket| Permit::new(&self.0, ticket))
    }

    /// The same, as a permit that borrows nothing.
    ///
    /// # Errors
    ///
    /// If the circuit lets no call through.
    ///
    /// # Cancel safety
    ///
    /// See [`Permit`].
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

    /// Whether it would let a call through at this time without being told to, so that a new one in its place
    /// differs by its memory only. Nobody holds a clone, and so there are no probes under way.
    pub(crate) fn is_spent(&self, now: Timestamp) -> bool {
        self.0.core.is_spent(now.as_nanos())
    }

    /// Whether there are other clones.
    pub(crate) fn is_held(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// What there is to know at this moment; each number by itself, for calls go on.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::{Breaker, Policy};
    /// let policy = Policy::any([Policy::consecutive_failures(5), Policy::failure_rate(0.5)]);
    /// let breaker = Breaker::builder("payments").policy(policy).build()?;
    /// breaker.call(|| Ok::<_, ()>(())).unwrap();
    /// breaker.call(|| Err::<(), _>(())).unwrap_err();
    /// let now = breaker.snapshot();
    /// assert_eq!((now.consecutive_failures, now.windows[0].failure_rate()), (1, 0.5));
    /// # Ok::<(), lockgate_breaker::BuildError>(())
    /// ```
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
            rejection_rate: core
                .gauge
                .throttle
                .as_ref()
                .filter(|_| word.is_closed())
                .map_or(0.0, |throttle| throttle.rejection_rate(word.generation(), self.0.now())),
        }
    }

    /// Closes it, and begins anew. If it is closed already, what was counted is forgotten, and no listener is told.
    pub fn reset(&self) {
        self.0.core.by_hand(State::Closed, self.0.now(), None);
    }

    /// Rejects all calls, until somebody says otherwise. Listeners are told unless it was forced open already.
    pub fn force_open(&self) {
        self.0.core.by_hand(State::ForcedOpen, self.0.now(), None);
    }

    /// Rejects all calls for so long; then probes are let through. The last to say so decides for how long; listeners
    /// are told unless it was forced open already.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::{Breaker, State};
    /// # use std::time::Duration;
    /// let breaker = Breaker::new("payments");
    /// breaker.force_open_for(Duration::from_secs(60));
    /// assert_eq!(breaker.state(), State::ForcedOpen);
    /// assert!(breaker.retry_after() <= Some(Duration::from_secs(60)));
    /// breaker.reset();
    /// assert_eq!(breaker.state(), State::Closed);
    /// ```
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

    /// Another instance of the service says what state its own circuit is in, and for how long to believe
    /// that. Instances are told apart by `origin`.
    ///
    /// Only [`State::Open`] is a vote for opening; every other state takes the vote of `origin` back. Once
    /// [`remote_quorum`](Builder::remote_quorum) others say open and this circuit is closed, it opens, for
    /// `ttl` or as long as its own back-off says, whichever is shorter. Then it goes its own way: nobody
    /// else can hold it open, or close it. Only votes that were given since it was last closed open it, the
    /// hint at hand among them: what its own probes have found out weighs more than what was said before. If votes are taken back before that time is over, the next call
    /// is a probe.
    ///
    /// For use with [`subscribe`](Self::subscribe) and any message bus: publish the transitions whose
    /// reason is not [`Reason::Hinted`](crate::Reason::Hinted) (lest instances keep each other open with
    /// echoes), and apply what comes in. Calls never wait for it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::{Breaker, Hinted, State};
    /// # use std::time::Duration;
    /// let breaker = Breaker::new("payments");
    /// let ttl = Duration::from_secs(5);
    /// assert_eq!(breaker.apply_remote_hint(State::Open, ttl, "host-2"), Hinted::Noted { open: 1 });
    /// assert_eq!(breaker.apply_remote_hint(State::Open, ttl, "host-3"), Hinted::Opened);
    /// assert_eq!(breaker.state(), State::Open);
    /// ```
    pub fn apply_remote_hint(&self, state: State, ttl: Duration, origin: &str) -> Hinted {
        let hint = Hint { origin, says_open: state == State::Open, ttl };
        self.0.core.hint(&hint, self.0.now())
    }

    /// Tells `listener` of each transition from now on, until what is returned is dropped.
    ///
    /// Listeners are called in the order of the transitions, one at a time and outside every lock, by the
    /// thread whose call made the transition, or by one that is telling of an earlier transition at the
    /// time. So they should be quick; they may use the breaker. A panic of theirs ends with
    /// them: the others are told all the same. One that holds a clone of the breaker keeps it alive, as long
    /// as it is listening.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::Breaker;
    /// let breaker = Breaker::new("payments");
    /// let listener = breaker.on_transition(|it| println!("{}: {} -> {}", it.name, it.from, it.to));
    /// breaker.force_open();
    /// drop(listener);
    /// breaker.reset(); // nobody is told
    /// ```
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
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::{Breaker, Reason};
    /// let breaker = Breaker::new("payments");
    /// let mut transitions = breaker.subscribe(16)?;
    /// breaker.force_open();
    /// let first = transitions.try_next()?.expect("there is one");
    /// assert_eq!(first.reason, Reason::ByHand);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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
    /// The probability with which a closed circuit rejects the next call:
    /// [`Policy::client_throttle`](crate::Policy::client_throttle).
    pub rejection_rate: f64,
}
