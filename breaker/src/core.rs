//! The circuit as threads share it: one word that all calls read, and a lock that transitions take.

#[cfg(feature = "tower")]
mod rejection;

use crate::backoff::Backoff;
use crate::clock::{Time, Timestamp, nanos};
use crate::error::Rejected;
use crate::events::{Hub, Reason, Transition};
use crate::gauge::Gauge;
use crate::hint::{Hint, Hinted, Tally};
use crate::outcome::{DropPolicy, Outcome, Recorded};
use crate::primitives::Arc;
use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::state::{Generation, Probe, State, Trial, Verdict, Word};
use crate::window::Call;
use std::fmt;
use std::time::Duration;

/// For good.
const NEVER: u64 = u64::MAX;

#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) name: Arc<str>,
    pub(crate) trial: Trial,
    pub(crate) open_for: Backoff,
    /// How long probes may take, in nanoseconds.
    pub(crate) lease: u64,
    pub(crate) drop_policy: DropPolicy,
    /// In nanoseconds.
    pub(crate) call_deadline: u64,
    pub(crate) remote_quorum: u32,
}

/// A call that was admitted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ticket {
    pub(crate) generation: Generation,
    /// When it began, if anybody will ask.
    pub(crate) started: Option<u64>,
}

pub(crate) struct Core {
    word: AtomicU64,
    /// When an open circuit lets probes through.
    until: AtomicU64,
    /// When a half-open circuit gives its probes up.
    lease: AtomicU64,
    pub(crate) gauge: Gauge,
    pub(crate) config: Config,
    pub(crate) hub: Hub,
}

/// A transition that is to be made.
struct Switch {
    /// In this generation only; in any, if it is made by hand.
    from: Option<Generation>,
    to: State,
    reason: Reason,
    now: u64,
    open_for: Option<Duration>,
}

impl Core {
    pub(crate) fn new(gauge: Gauge, config: Config) -> Self {
        let closed = Self::closed(Generation(0), &gauge);
        Self {
            word: AtomicU64::new(closed.0),
            until: AtomicU64::new(0),
            lease: AtomicU64::new(0),
            gauge,
            config,
            hub: Hub::new(),
        }
    }

    const fn closed(generation: Generation, gauge: &Gauge) -> Word {
        let word = Word::new(generation, State::Closed);
        if gauge.throttle.is_some() { word.throttled() } else { word }
    }

    #[inline]
    pub(crate) fn word(&self) -> Word {
        // ORDERING: Acquire pairs with the Release of `switch`: who sees a state sees what was
        // done before it came, `until` and `lease` included.
        Word(self.word.load(Ordering::Acquire))
    }

    /// Lets a call through, or not.
    #[inline]
    pub(crate) fn admit(&self, time: impl Time) -> Result<Generation, Rejected> {
        let word = self.word();
        if word.is_free() { Ok(word.generation()) } else { self.admit_or_reject(word, &time) }
    }

    /// Apart from the rest: whoever is rejected a million times a second should not pay for what is rare.
    #[inline(never)]
    fn admit_or_reject(&self, word: Word, time: &impl Time) -> Result<Generation, Rejected> {
        if word.is_open() {
            // ORDERING: Relaxed, as in `admit_slow`.
            let until = self.until.load(Ordering::Relaxed);
            let retry_after = if until == NEVER { None } else { time.left(until) };
            if retry_after.is_some() {
                return Err(Rejected { state: word.state(), retry_after });
            }
        }
        self.admit_slow(word, &|| time.now())
    }

    #[cold]
    fn admit_slow(&self, mut word: Word, now: &dyn Fn() -> u64) -> Result<Generation, Rejected> {
        loop {
            let generation = word.generation();
            let state = word.state();
            match state {
                State::Disabled => return Ok(generation),
                State::Closed | State::MetricsOnly => {
                    let Some(throttle) = &self.gauge.throttle else { return Ok(generation) };
                    let rejected = throttle.attempt(generation, now()) && state == State::Closed;
                    return match rejected {
                        true => Err(Rejected { state, retry_after: None }),
                        false => Ok(generation),
                    };
                }
                State::Open | State::ForcedOpen => {
                    // ORDERING: Relaxed: written before the state that was seen. It may be of a later
                    // one, whose generation `switch` will not take for ours.
                    let until = self.until.load(Ordering::Relaxed);
                    if until == NEVER {
                        return Err(Rejected { state, retry_after: None });
                    }
                    let now = now();
                    if now < until {
                        let retry_after = Some(Duration::from_nanos(until - now));
                        return Err(Rejected { state, retry_after });
                    }
                    if let Some(next) = self.try_out(generation, Reason::OpenTimeOver, now) {
                        return Ok(next);
                    }
                    word = self.word();
                }
                State::HalfOpen => {
                    if let Some(next) = word.admit(&self.config.trial) {
                        // Before the probe is there, lest somebody sees that one and the lease of
                        // those before.
                        self.extend_lease(now());
                        match self.exchange(word, next) {
                            Ok(()) => return Ok(generation),
                            Err(actual) => word = actual,
                        }
                        continue;
                    }
                    let (over, now) = self.lease_over(now);
                    if !over {
                        return Err(Rejected { state, retry_after: None });
                    }
                    if let Some(next) = self.try_out(generation, Reason::LeaseOver, now) {
                        return Ok(next);
                    }
                    word = self.word();
                }
            }
        }
    }

    fn extend_lease(&self, now: u64) {
        // ORDERING: Release pairs with the Acquire in `lease_over`. The exchange of the word that follows
        // publishes it.
        self.lease.fetch_max(now.saturating_add(self.config.lease), Ordering::Release);
    }

    /// Whether the probes are given up, and the time by which they are.
    ///
    /// So are those whose lease ends later than two leases from now: the clock has stepped back, and they would
    /// be waited for until it has caught up.
    fn lease_over(&self, now: &dyn Fn() -> u64) -> (bool, u64) {
        // ORDERING: Acquire, and before the clock is read: what is found was not written by a later time.
        // A lease is extended before the probe that it is for was seen.
        let lease = self.lease.load(Ordering::Acquire);
        let now = now();
        let latest = now.saturating_add(self.config.lease).saturating_add(self.config.lease);
        (lease <= now || lease > latest, now)
    }

    /// Replaces the word within its generation; gives what it is if that is another.
    fn exchange(&self, from: Word, to: Word) -> Result<(), Word> {
        // ORDERING: AcqRel pairs with itself and with `switch`: the one whose probe decides sees what
        // came before the others' ends.
        self.word
            .compare_exchange_weak(from.0, to.0, Ordering::AcqRel, Ordering::Acquire)
            .map(drop)
            .map_err(Word)
    }

    /// Half open, with the caller as the first probe.
    fn try_out(&self, from: Generation, reason: Reason, now: u64) -> Option<Generation> {
        let (from, to) = (Some(from), State::HalfOpen);
        self.switch(&Switch { from, to, reason, now, open_for: None })
    }

    /// Opens, for as long as is said here or by the back-off.
    fn open(&self, from: Generation, reason: Reason, now: u64, open_for: Option<Duration>) -> bool {
        let open_for = open_for.unwrap_or_else(|| {
            // The user's code, and so outside the lock. Within a generation the attempts stay the
            // same, and in another `switch` does nothing.
            let attempts = self.hub.lock().attempts;
            self.config.open_for.wait(attempts.saturating_add(1))
        });
        let (from, to, open_for) = (Some(from), State::Open, Some(open_for));
        self.switch(&Switch { from, to, reason, now, open_for }).is_some()
    }

    /// Other instances say that it should be open: it is, if it was closed, for no longer than its own
    /// back-off says.
    pub(crate) fn hint(&self, hint: &Hint<'_>, now: u64) -> Hinted {
        let Hint { origin, says_open, ttl } = *hint;
        let quorum = self.config.remote_quorum;
        let (generation, attempts, votes) = {
            let mut slow = self.hub.lock();
            let until = says_open.then(|| now.saturating_add(nanos(ttl)));
            let Tally { open: votes, opening } = slow.votes.cast(origin, until, now);
            // ORDERING: Relaxed: the generation changes under this lock only.
            let word = Word(self.word.load(Ordering::Relaxed));
            match word.state() {
                State::Closed if opening >= quorum => (word.generation(), slow.attempts, votes),
                State::Open if votes < quorum && slow.votes.opened == Some(word.generation()) => {
                    slow.votes.opened = None;
                    // ORDERING: Relaxed: who still reads the old time comes back later.
                    self.until.store(now, Ordering::Relaxed);
                    return Hinted::Shortened;
                }
                _ => return Hinted::Noted { open: votes },
            }
        };
        let own = self.config.open_for.wait(attempts.saturating_add(1));
        let (from, open_for) = (Some(generation), Some(own.min(ttl)));
        let switch = Switch { from, to: State::Open, reason: Reason::Hinted, now, open_for };
        match self.switch(&switch) {
            Some(_) => Hinted::Opened,
            None => Hinted::Noted { open: votes },
        }
    }

    pub(crate) fn by_hand(&self, to: State, now: u64, open_for: Option<Duration>) {
        self.switch(&Switch { from: None, to, reason: Reason::ByHand, now, open_for });
    }

    /// The one place where the state changes. `None` if the generation is over.
    #[cold]
    fn switch(&self, switch: &Switch) -> Option<Generation> {
        let &Switch { from, to, reason, now, open_for } = switch;
        let next = {
            let mut slow = self.hub.lock();
            // ORDERING: Relaxed: the generation changes under this lock only.
            let word = Word(self.word.load(Ordering::Relaxed));
            if from.is_some_and(|from| from != word.generation()) {
                return None;
            }
            let next = word.generation().next();
            let mut begun = Word::new(next, to);
            match to {
                State::Open | State::ForcedOpen => {
                    let until =
                        open_for.map_or(NEVER, |it| now.saturating_add(nanos(it)).min(NEVER - 1));
                    // ORDERING: Relaxed: the swap below publishes it.
                    self.until.store(until, Ordering::Relaxed);
                    if to == State::Open {
                        slow.attempts = slow.attempts.saturating_add(1);
                    }
                    slow.votes.opened = (reason == Reason::Hinted).then_some(next);
                }
                State::HalfOpen => {
                    // Not longer than that, whatever the episodes before have had.
                    // ORDERING: Release, as in `extend_lease`.
                    self.lease.store(now.saturating_add(self.config.lease), Ordering::Release);
                    begun = Word(begun.0 + 1);
                }
                State::Closed => {
                    slow.attempts = 0;
                    slow.votes.begin_anew();
                    begun = Self::closed(next, &self.gauge);
                }
                State::Disabled | State::MetricsOnly => {}
            }
            // ORDERING: Release pairs with the Acquire in `word`. A probe that has been admitted or
            // has ended since the load above belonged to the generation that ends here.
            self.word.swap(begun.0, Ordering::AcqRel);
            // By hand, what is so already begins anew, and that is no news.
            if reason != Reason::ByHand || word.state() != to {
                slow.push(|| Transition {
                    name: Arc::clone(&self.config.name),
                    from: word.state(),
                    to,
                    reason,
                    at: Timestamp::from_nanos(now),
                    open_for,
                    number: next.0,
                });
            }
            next
        };
        self.hub.tell();
        Some(next)
    }

    /// A call has ended. `now` is asked if the gauge needs it, and if the circuit opens.
    // Always: where it is not, the ticket goes through memory.
    #[inline(always)]
    pub(crate) fn settle(
        &self,
        ticket: Ticket,
        outcome: Outcome,
        now: impl Fn() -> u64,
    ) -> Recorded {
        let word = self.word();
        let Ticket { generation, started } = ticket;
        // INVARIANT: a closed circuit has no probes in its word, which is the same for the generation.
        if word == Word::new(generation, State::Closed) {
            let over = match outcome {
                Outcome::Success => self.gauge.succeed(generation, &now),
                Outcome::Failure => self.gauge.fail(generation, &now),
                _ => None,
            };
            match over {
                Some(false) => return Recorded::Counted,
                Some(true) => return self.trip(generation, &now),
                None => {}
            }
        }
        self.settle_slow(word, generation, started, outcome, &now)
    }

    #[inline]
    fn is_slow(&self, started: Option<u64>, at: u64) -> bool {
        match (self.gauge.slower_than, started) {
            (Some(limit), Some(started)) => at.saturating_sub(started) >= limit,
            _ => false,
        }
    }

    #[inline(never)]
    fn settle_slow(
        &self,
        word: Word,
        generation: Generation,
        started: Option<u64>,
        outcome: Outcome,
        now: &dyn Fn() -> u64,
    ) -> Recorded {
        if word.generation() != generation {
            return Recorded::Stale;
        }
        let state = word.state();
        match (state, outcome) {
            (State::Disabled, _) => return Recorded::Ignored,
            (State::Open | State::ForcedOpen, _) => return Recorded::Stale,
            (State::HalfOpen, Outcome::Ignore) => {
                return self.settle_probe(word, generation, Probe::GivenBack, now);
            }
            (_, Outcome::Ignore) => {
                // Whoever has answered, with whatever, has accepted the call.
                if let Some(throttle) = &self.gauge.throttle {
                    throttle.accepted(generation, now());
                }
                return Recorded::Ignored;
            }
            _ => {}
        }
        let at = if self.gauge.needs_time { now() } else { 0 };
        let slow = self.is_slow(started, at);
        let failed = outcome != Outcome::Success;
        if let (Outcome::TripFor(wait), false) = (outcome, state == State::MetricsOnly) {
            return self.opened(generation, Reason::Told, now(), Some(wait));
        }
        if state == State::HalfOpen {
            // What is slow has not recovered, where slowness opens the circuit.
            let probe = if failed || slow { Probe::Failed } else { Probe::Succeeded };
            return self.settle_probe(word, generation, probe, now);
        }
        let over = self.gauge.record(generation, Call { failed, slow }, at);
        if over && state == State::Closed {
            return self.trip(generation, now);
        }
        Recorded::Counted
    }

    #[cold]
    fn trip(&self, generation: Generation, now: &dyn Fn() -> u64) -> Recorded {
        self.opened(generation, Reason::Tripped, now(), None)
    }

    fn opened(
        &self,
        generation: Generation,
        reason: Reason,
        now: u64,
        open_for: Option<Duration>,
    ) -> Recorded {
        // Somebody else may have been faster: then this was counted, and that is all.
        let first = self.open(generation, reason, now, open_for);
        if first { Recorded::Opened } else { Recorded::Counted }
    }

    fn settle_probe(
        &self,
        mut word: Word,
        generation: Generation,
        probe: Probe,
        now: &dyn Fn() -> u64,
    ) -> Recorded {
        let verdict = loop {
            if word.generation() != generation {
                return Recorded::Stale;
            }
            let (next, verdict) = word.settle(probe, &self.config.trial);
            match self.exchange(word, next) {
                Ok(()) => break verdict,
                Err(actual) => word = actual,
            }
        };
        match verdict {
            None if probe == Probe::GivenBack => Recorded::Ignored,
            None => Recorded::Counted,
            Some(Verdict::Broken) => self.opened(generation, Reason::ProbesFailed, now(), None),
            Some(Verdict::Recovered) => {
                let (from, to) = (Some(generation), State::Closed);
                let reason = Reason::Recovered;
                let switch = Switch { from, to, reason, now: now(), open_for: None };
                let first = self.switch(&switch).is_some();
                if first { Recorded::Closed } else { Recorded::Counted }
            }
        }
    }

    /// The result of a call will never be told: what held the ticket is being dropped.
    pub(crate) fn dropped(&self, ticket: Ticket, unwinds: bool, now: impl Fn() -> u64) -> Recorded {
        let failed = match self.config.drop_policy {
            _ if unwinds => true,
            DropPolicy::Ignore => false,
            DropPolicy::Failure => true,
            DropPolicy::Timed => ticket
                .started
                .is_some_and(|started| now().saturating_sub(started) >= self.config.call_deadline),
        };
        let outcome = if failed { Outcome::Failure } else { Outcome::Ignore };
        self.settle(ticket, outcome, now)
    }

    /// Whether it is closed, half open, or open with its time over.
    pub(crate) fn is_spent(&self, now: u64) -> bool {
        match self.word().state() {
            State::Closed | State::HalfOpen => true,
            // ORDERING: Relaxed, as in `admit_slow`.
            State::Open | State::ForcedOpen => match self.until.load(Ordering::Relaxed) {
                NEVER => false,
                until => until <= now,
            },
            State::Disabled | State::MetricsOnly => false,
        }
    }

    /// The state, where what is due counts as done; and until when it is open.
    pub(crate) fn effective(&self, now: impl Fn() -> u64) -> (State, Option<Duration>) {
        let state = self.word().state();
        if !matches!(state, State::Open | State::ForcedOpen) {
            return (state, None);
        }
        // ORDERING: Relaxed, as in `admit_slow`.
        match self.until.load(Ordering::Relaxed) {
            NEVER => (state, None),
            until => match until.saturating_sub(now()) {
                0 => (State::HalfOpen, None),
                left => (state, Some(Duration::from_nanos(left))),
            },
        }
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.hub.close();
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("word", &self.word()).finish_non_exhaustive()
    }
}
