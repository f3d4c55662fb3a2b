//! What a breaker is built from.

use crate::backoff::Backoff;
use crate::breaker::Breaker;
use crate::clock::{Clock, Monotonic, Timestamp, nanos};
use crate::core::{Config, Core};
use crate::error::BuildError;
use crate::outcome::DropPolicy;
use crate::policy::{Policy, number};
use crate::primitives::Arc;
use crate::state::{MOST_PROBES, Trial};
use std::time::Duration;

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
    remote_quorum: u32,
    clock: C,
}

impl Builder {
    pub(crate) fn new(name: Arc<str>) -> Self {
        Self {
            name,
            policy: Policy::default(),
            open_for: Backoff::default(),
            probes: 1,
            successes: None,
            at_a_time: None,
            lease: Duration::from_secs(30),
            drop_policy: DropPolicy::default(),
            call_deadline: Duration::from_secs(1),
            remote_quorum: 2,
            clock: Monotonic::new(),
        }
    }
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

    /// How many other instances have to say that their circuits are open before this one opens because of
    /// them, 1 to 1024: 2, if not said, so that one sick instance does not stop all. See
    /// [`apply_remote_hint`](Breaker::apply_remote_hint).
    pub const fn remote_quorum(mut self, origins: u32) -> Self {
        self.remote_quorum = origins;
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
            remote_quorum,
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
            remote_quorum,
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
        Ok(Breaker::from_parts(core, clock))
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
        number("the remote quorum", self.remote_quorum, 1, 1_024)?;
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
            remote_quorum: self.remote_quorum,
        };
        Ok((Core::new(gauge, config), self.clock))
    }
}

const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
