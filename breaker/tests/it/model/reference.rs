//! The breaker as one would write it with a mutex around it: lists, plain numbers, whole seconds.

use super::steps::{DEADLINE, LEASE, QUORUM, Rule, SLOW, Span, Trial};
use lockgate_breaker::{DropPolicy, Hinted, Outcome, Reason, Recorded, State};
use std::collections::HashMap;

/// A call that has ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call {
    pub(super) failed: bool,
    pub(super) slow: bool,
    /// In which second.
    pub(super) at: u64,
}

/// What a permit of the breaker's is here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) number: u32,
    started: u64,
}

/// A transition that listeners are told of.
pub(super) type Told = (u32, State, State, Reason, u64, Option<u64>);

/// What can be seen of it: state, time left, failures in a row, windows, openings, probes.
pub(super) type Seen = (State, Option<u64>, u32, Vec<(u64, u64, u64)>, u32, [u32; 3]);

/// In the order in which they weigh.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Opinion {
    Fine,
    TooFew,
    Open,
}

pub(super) struct Reference {
    rule: Rule,
    trial: Trial,
    drops: DropPolicy,
    pub(super) now: u64,
    number: u32,
    pub(super) state: State,
    /// Until when it is open; `None`: for good.
    until: Option<u64>,
    lease: u64,
    /// Of this state.
    calls: Vec<Call>,
    too_few: bool,
    attempts: u32,
    admitted: u32,
    succeeded: u32,
    failed: u32,
    /// By origin: until when it is believed, and the round in which it was cast.
    votes: HashMap<u8, (u64, u32)>,
    round: u32,
    /// The number of the transition that hints have made.
    hinted: Option<u32>,
    pub(super) told: Vec<Told>,
}

impl Reference {
    pub(super) fn new(rule: Rule, trial: Trial, drops: DropPolicy) -> Self {
        Self {
            rule,
            trial,
            drops,
            now: 0,
            number: 0,
            state: State::Closed,
            until: None,
            lease: 0,
            calls: Vec::new(),
            too_few: false,
            attempts: 0,
            admitted: 0,
            succeeded: 0,
            failed: 0,
            votes: HashMap::new(),
            round: 0,
            hinted: None,
            told: Vec::new(),
        }
    }

    /// Two seconds, twice as long each time, nine at most.
    fn back_off(&self) -> u64 {
        (2 << self.attempts.min(10)).min(9)
    }

    fn enter(&mut self, state: State, reason: Reason, open_for: Option<u64>) {
        self.number += 1;
        if reason != Reason::ByHand || self.state != state {
            let (from, at) = (self.state, self.now);
            self.told.push((self.number, from, state, reason, at, open_for));
        }
        self.state = state;
        self.calls.clear();
        self.too_few = false;
        (self.admitted, self.succeeded, self.failed) = (0, 0, 0);
        match state {
            State::Open | State::ForcedOpen => {
                self.until = open_for.map(|time| self.now + time);
                self.attempts += u32::from(state == State::Open);
                self.hinted = (reason == Reason::Hinted).then_some(self.number);
            }
            State::HalfOpen => {
                self.lease = self.now + LEASE;
                self.admitted = 1;
            }
            State::Closed => {
                self.attempts = 0;
                self.round += 1;
            }
            _ => {}
        }
    }

    pub(super) fn by_hand(&mut self, state: State, open_for: Option<u64>) {
        self.enter(state, Reason::ByHand, open_for);
    }

    fn open(&mut self, reason: Reason, open_for: Option<u64>) -> Recorded {
        let open_for = open_for.unwrap_or_else(|| self.back_off());
        self.enter(State::Open, reason, Some(open_for));
        Recorded::Opened
    }

    const fn under_way(&self) -> u32 {
        self.admitted - self.succeeded - self.failed
    }

    /// A ticket, or how long to wait, if that is known.
    pub(super) fn acquire(&mut self) -> Result<Ticket, Option<u64>> {
        match self.state {
            State::Closed | State::Disabled | State::MetricsOnly => {}
            State::Open | State::ForcedOpen => match self.until {
                Some(until) if until <= self.now => {
                    self.enter(State::HalfOpen, Reason::OpenTimeOver, None);
                }
                until => return Err(until.map(|until| until - self.now)),
            },
            _ => {
                let Trial { probes, at_a_time, .. } = self.trial;
                if self.admitted < probes && self.under_way() < at_a_time {
                    self.lease = self.lease.max(self.now + LEASE);
                    self.admitted += 1;
                } else if self.lease <= self.now || self.lease > self.now + 2 * LEASE {
                    self.enter(State::HalfOpen, Reason::LeaseOver, None);
                } else {
                    return Err(None);
                }
            }
        }
        Ok(Ticket { number: self.number, started: self.now })
    }

    pub(super) fn dropped(&mut self, ticket: Ticket) -> Recorded {
        let late = self.now.saturating_sub(ticket.started) >= DEADLINE;
        let failed = match self.drops {
            DropPolicy::Timed => late,
            policy => policy == DropPolicy::Failure,
        };
        self.settle(ticket, if failed { Outcome::Failure } else { Outcome::Ignore })
    }

    pub(super) fn settle(&mut self, ticket: Ticket, outcome: Outcome) -> Recorded {
        if ticket.number != self.number {
            return Recorded::Stale;
        }
        let took = self.now.saturating_sub(ticket.started);
        let slow = self.rule.asks_for_slow() && took >= SLOW;
        let failed = outcome != Outcome::Success;
        match (self.state, outcome) {
            (State::Disabled, _) => Recorded::Ignored,
            (State::HalfOpen, Outcome::Ignore) => {
                self.admitted -= 1;
                Recorded::Ignored
            }
            (_, Outcome::Ignore) => Recorded::Ignored,
            (State::Closed | State::HalfOpen, Outcome::TripFor(wait)) => {
                self.open(Reason::Told, Some(wait.as_secs()))
            }
            (State::HalfOpen, _) if failed || slow => {
                self.failed += 1;
                match self.failed > self.trial.probes - self.trial.successes {
                    true => self.open(Reason::ProbesFailed, None),
                    false => Recorded::Counted,
                }
            }
            (State::HalfOpen, _) => {
                self.succeeded += 1;
                if self.succeeded < self.trial.successes {
                    return Recorded::Counted;
                }
                self.enter(State::Closed, Reason::Recovered, None);
                Recorded::Closed
            }
            _ => self.count(Call { failed, slow, at: self.now }),
        }
    }

    fn count(&mut self, call: Call) -> Recorded {
        self.calls.push(call);
        if !(call.failed || call.slow || self.too_few) {
            return Recorded::Counted;
        }
        let opinion = self.opinion(&self.rule);
        self.too_few = opinion == Opinion::TooFew;
        match opinion == Opinion::Open && self.state == State::Closed {
            true => self.open(Reason::Tripped, None),
            false => Recorded::Counted,
        }
    }

    fn streak(&self) -> u32 {
        self.calls.iter().rev().take_while(|call| call.failed).count() as u32
    }

    /// Calls, failures and slow calls in a window.
    fn counts(&self, span: Span) -> (u64, u64, u64) {
        let number = self.calls.len();
        let inside: Vec<Call> = match span {
            Span::Last(calls) => self.calls[number.saturating_sub(calls as usize)..].to_vec(),
            Span::Seconds(seconds) => {
                let since = (self.now + 1).saturating_sub(seconds.into());
                self.calls.iter().filter(|call| call.at >= since).copied().collect()
            }
        };
        let count = |of: fn(&Call) -> bool| inside.iter().filter(|it| of(it)).count() as u64;
        (inside.len() as u64, count(|it| it.failed), count(|it| it.slow))
    }

    fn opinion(&self, rule: &Rule) -> Opinion {
        let decide = |open| if open { Opinion::Open } else { Opinion::Fine };
        let at_least = |over: bool, calls: u64, min_calls: u32| match over {
            true if calls < u64::from(min_calls) => Opinion::TooFew,
            over => decide(over),
        };
        match rule {
            Rule::Streak(failures) => decide(self.streak() >= *failures),
            Rule::FailuresOf { failures, calls } => {
                decide(self.counts(Span::Last(*calls)).1 >= u64::from(*failures))
            }
            Rule::Failing { rate, min_calls, span } => {
                let (calls, failures, _) = self.counts(*span);
                let over = failures > 0 && failures as f64 >= rate * calls as f64;
                at_least(over, calls, *min_calls)
            }
            Rule::Slow { rate, min_calls, span } => {
                let (calls, _, slow) = self.counts(*span);
                let over = slow > 0 && slow as f64 >= rate * calls as f64;
                at_least(over, calls, *min_calls)
            }
            Rule::Own(span) => {
                let (calls, failures, _) = self.counts(*span);
                decide(Rule::judge(calls, failures))
            }
            Rule::Any(rules) => rules.iter().map(|it| self.opinion(it)).max().unwrap(),
            Rule::All(rules) => rules.iter().map(|it| self.opinion(it)).min().unwrap(),
        }
    }

    pub(super) fn hint(&mut self, origin: u8, says_open: bool, ttl: u64) -> Hinted {
        let now = self.now;
        self.votes.retain(|_, vote| vote.0 > now);
        let mut opening = 0;
        if says_open && ttl > 0 {
            self.votes.insert(origin, (now + ttl, self.round));
            opening = self.votes.values().filter(|vote| vote.1 == self.round).count();
        } else {
            self.votes.remove(&origin);
        }
        let open = self.votes.len();
        if self.state == State::Closed && opening >= QUORUM as usize {
            let open_for = self.back_off().min(ttl);
            self.open(Reason::Hinted, Some(open_for));
            return Hinted::Opened;
        }
        let by_hints = self.state == State::Open && self.hinted == Some(self.number);
        if by_hints && open < QUORUM as usize {
            self.hinted = None;
            self.until = Some(now);
            return Hinted::Shortened;
        }
        Hinted::Noted { open: open as u32 }
    }

    pub(super) fn seen(&self) -> Seen {
        let is_open = matches!(self.state, State::Open | State::ForcedOpen);
        let left = self.until.filter(|_| is_open).map(|until| until.saturating_sub(self.now));
        let (state, left) = match left {
            Some(0) => (State::HalfOpen, None),
            left => (self.state, left),
        };
        let streak = if self.rule.asks_for_streak() { self.streak() } else { 0 };
        let windows = self.rule.spans().into_iter().map(|span| self.counts(span)).collect();
        let probing = self.state == State::HalfOpen;
        let probes = [self.under_way(), self.succeeded, self.failed];
        (state, left, streak, windows, self.attempts, if probing { probes } else { [0; 3] })
    }
}
