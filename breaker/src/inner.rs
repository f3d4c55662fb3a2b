//! What the clones of a breaker share: the circuit, its clock, and what they tell of each call.

use crate::clock::{By, Clock};
use crate::core::{Core, Ticket};
use crate::error::Rejected;
#[cfg(feature = "metrics")]
use crate::metrics::Meters;
use crate::outcome::{DropPolicy, Outcome, Recorded};
use crate::trace;

pub(crate) struct Inner<C: Clock> {
    pub(crate) core: Core,
    clock: C,
    #[cfg(feature = "metrics")]
    meters: Meters,
}

impl<C: Clock> Inner<C> {
    pub(crate) fn new(core: Core, clock: C) -> Self {
        trace::listen(&core.hub);
        Self {
            #[cfg(feature = "metrics")]
            meters: Meters::new(&core.config.name, &core.hub, core.gauge.throttle.is_some()),
            core,
            clock,
        }
    }

    #[inline]
    pub(crate) fn now(&self) -> u64 {
        self.clock.now().as_nanos()
    }

    /// Whether it matters how long a call has taken when it is dropped.
    pub(crate) fn asks_drops(&self) -> bool {
        self.core.config.drop_policy == DropPolicy::Timed
    }

    /// For calls that cannot be dropped but by a panic.
    #[inline]
    pub(crate) fn admit_timed(&self) -> Result<Ticket, Rejected> {
        let admitted = self.core.admit(By(&self.clock));
        let generation = admitted.map_err(|rejected| self.rejected(rejected))?;
        let started = self.core.gauge.slower_than.map(|_| self.now());
        Ok(Ticket { generation, started })
    }

    /// For permits, of which anything may become.
    pub(crate) fn admit(&self) -> Result<Ticket, Rejected> {
        let mut ticket = self.admit_timed()?;
        if ticket.started.is_none() && self.asks_drops() {
            ticket.started = Some(self.now());
        }
        Ok(ticket)
    }

    /// A call was not let through.
    // Where it does something, that is kept out of the way of calls that are.
    #[cfg_attr(any(feature = "metrics", feature = "tracing"), cold)]
    #[cfg_attr(not(any(feature = "metrics", feature = "tracing")), inline)]
    pub(crate) fn rejected(&self, rejected: Rejected) -> Rejected {
        trace::rejected(&self.core.config.name, &rejected);
        #[cfg(feature = "metrics")]
        self.meters.rejected(&rejected);
        rejected
    }

    /// A call has ended.
    #[inline(always)]
    pub(crate) fn settle(&self, ticket: Ticket, outcome: Outcome) -> Recorded {
        let recorded = self.core.settle(ticket, outcome, || self.now());
        #[cfg(feature = "metrics")]
        self.meters.ended(outcome, recorded);
        recorded
    }

    /// The same, where that is rare or not ours to make fast.
    #[cold]
    pub(crate) fn settle_apart(&self, ticket: Ticket, outcome: Outcome) -> Recorded {
        self.settle(ticket, outcome)
    }

    /// Something was seen of the other side, though no call was made.
    #[cfg(feature = "tower")]
    pub(crate) fn witness(&self, outcome: Outcome) {
        if let Ok(generation) = self.core.admit(|| self.now()) {
            self.settle_apart(Ticket { generation, started: None }, outcome);
        }
    }

    /// The result of a call will never be told: what held the ticket is being dropped.
    pub(crate) fn dropped(&self, ticket: Ticket) -> Recorded {
        let unwinds = std::thread::panicking();
        let recorded = self.core.dropped(ticket, unwinds, || self.now());
        // What is counted of it is never a success.
        #[cfg(feature = "metrics")]
        self.meters.ended(Outcome::Failure, recorded);
        recorded
    }
}

/// A call that has not come back: dropped, it has panicked. It is forgotten when the call has come back, which is
/// cheaper than to ask at the end whether it has.
pub(crate) struct Unwinding<'a, C: Clock> {
    pub(crate) inner: &'a Inner<C>,
    pub(crate) ticket: Ticket,
}

impl<C: Clock> Drop for Unwinding<'_, C> {
    #[cold]
    fn drop(&mut self) {
        self.inner.settle_apart(self.ticket, Outcome::Failure);
    }
}
