//! What is tried: policies, trials, and what may be done to a breaker.

use crate::support::{builder, secs};
use lockgate_breaker::clock::{Manual, Timestamp};
use lockgate_breaker::{Backoff, Breaker, Counts, DropPolicy, Outcome, Policy, State, Window};
use proptest::collection::vec;
use proptest::prelude::*;

/// From here on, a call is slow. In seconds, as all that follows.
pub(super) const SLOW: u64 = 3;
/// From here on, a permit that is dropped has failed.
pub(super) const DEADLINE: u64 = 2;
pub(super) const LEASE: u64 = 30;
pub(super) const QUORUM: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Last(u32),
    Seconds(u32),
}

#[derive(Clone, Debug)]
pub(super) enum Rule {
    Streak(u32),
    FailuresOf { failures: u32, calls: u32 },
    Failing { rate: f64, min_calls: u32, span: Span },
    Slow { rate: f64, min_calls: u32, span: Span },
    Own(Span),
    Any(Vec<Rule>),
    All(Vec<Rule>),
}

impl Rule {
    /// What [`Own`](Self::Own) decides by.
    pub(super) const fn judge(calls: u64, failures: u64) -> bool {
        calls > 3 && failures * 3 > calls
    }

    pub(super) fn policy(&self) -> Policy {
        let window = |span: &Span| match *span {
            Span::Last(calls) => Window::count(calls),
            Span::Seconds(seconds) => Window::time(secs(seconds.into()), seconds),
        };
        match self {
            Self::Streak(failures) => Policy::consecutive_failures(*failures),
            Self::FailuresOf { failures, calls } => Policy::failures_of(*failures, *calls),
            Self::Failing { rate, min_calls, span } => {
                Policy::failure_rate(*rate).min_calls(*min_calls).window(window(span))
            }
            Self::Slow { rate, min_calls, span } => {
                let policy = Policy::slow_call_rate(*rate, secs(SLOW));
                policy.min_calls(*min_calls).window(window(span))
            }
            Self::Own(span) => {
                let judge = |counts: &Counts| Self::judge(counts.calls, counts.failures);
                Policy::custom(window(span), judge)
            }
            Self::Any(rules) => Policy::any(rules.iter().map(Self::policy)),
            Self::All(rules) => Policy::all(rules.iter().map(Self::policy)),
        }
    }

    fn is(&self, leaf: &dyn Fn(&Self) -> bool) -> bool {
        match self {
            Self::Any(rules) | Self::All(rules) => rules.iter().any(|rule| rule.is(leaf)),
            rule => leaf(rule),
        }
    }

    pub(super) fn asks_for_slow(&self) -> bool {
        self.is(&|rule| matches!(rule, Self::Slow { .. }))
    }

    pub(super) fn asks_for_streak(&self) -> bool {
        self.is(&|rule| matches!(rule, Self::Streak(_)))
    }

    pub(super) fn goes_by_time(&self) -> bool {
        self.spans().iter().any(|span| matches!(span, Span::Seconds(_)))
    }

    /// Each once, in the order in which they are named.
    pub(super) fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        self.collect(&mut spans);
        spans
    }

    fn collect(&self, spans: &mut Vec<Span>) {
        let span = match self {
            Self::Streak(_) => return,
            Self::FailuresOf { calls, .. } => Span::Last(*calls),
            Self::Failing { span, .. } | Self::Slow { span, .. } | Self::Own(span) => *span,
            Self::Any(rules) | Self::All(rules) => {
                return rules.iter().for_each(|rule| rule.collect(spans));
            }
        };
        if !spans.contains(&span) {
            spans.push(span);
        }
    }
}

/// A window, and a minimum of calls that it may reach.
fn spans() -> impl Strategy<Value = (Span, u32)> {
    let count = (1_u32..40).prop_flat_map(|calls| (Just(Span::Last(calls)), 1..=calls.min(6)));
    let time = ((1_u32..8).prop_map(Span::Seconds), 1_u32..6);
    prop_oneof![count, time]
}

fn rates() -> impl Strategy<Value = f64> {
    prop_oneof![Just(0.3), Just(0.5), Just(0.9), Just(1.0)]
}

pub(super) fn rules() -> impl Strategy<Value = Rule> {
    let leaf = prop_oneof![
        (1_u32..5).prop_map(Rule::Streak),
        (1_u32..20)
            .prop_flat_map(|calls| (1..=calls.min(5), Just(calls)))
            .prop_map(|(failures, calls)| Rule::FailuresOf { failures, calls }),
        (rates(), spans()).prop_map(|(rate, (span, min_calls))| Rule::Failing {
            rate,
            min_calls,
            span
        }),
        (rates(), spans()).prop_map(|(rate, (span, min_calls))| Rule::Slow {
            rate,
            min_calls,
            span
        }),
        spans().prop_map(|(span, _)| Rule::Own(span)),
    ];
    leaf.prop_recursive(2, 6, 3, |rule| {
        prop_oneof![
            vec(rule.clone(), 1..4).prop_map(Rule::Any),
            vec(rule, 1..4).prop_map(Rule::All)
        ]
    })
}

/// What a half-open circuit asks for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial {
    pub(super) probes: u32,
    pub(super) at_a_time: u32,
    pub(super) successes: u32,
}

pub(super) fn trials() -> impl Strategy<Value = Trial> {
    (1_u32..5).prop_flat_map(|probes| {
        (1..=probes, 1..=probes).prop_map(move |(at_a_time, successes)| Trial {
            probes,
            at_a_time,
            successes,
        })
    })
}

pub(super) fn drops() -> impl Strategy<Value = DropPolicy> {
    prop_oneof![Just(DropPolicy::Timed), Just(DropPolicy::Ignore), Just(DropPolicy::Failure)]
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    Acquire,
    /// The permit at this place, of those that are held, as often round as it takes.
    Settle(usize, Outcome),
    Drop(usize),
    Forget(usize),
    /// A call of so many seconds.
    Call(Outcome, u64),
    /// One that panics.
    Panic,
    Advance(u64),
    /// The clock steps back.
    Back(u64),
    Reset,
    ForceOpen,
    ForceOpenFor(u64),
    Disable,
    MetricsOnly,
    Hint {
        origin: u8,
        says_open: bool,
        ttl: u64,
    },
}

fn outcomes() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        5 => Just(Outcome::Success),
        5 => Just(Outcome::Failure),
        1 => Just(Outcome::Ignore),
        1 => (1_u64..9).prop_map(|wait| Outcome::TripFor(secs(wait))),
    ]
}

pub(super) fn steps() -> impl Strategy<Value = Step> {
    let hint = (0_u8..3, any::<bool>(), 0_u64..8);
    prop_oneof![
        12 => (outcomes(), 0_u64..5).prop_map(|(outcome, time)| Step::Call(outcome, time)),
        8 => Just(Step::Acquire),
        8 => (0_usize..8, outcomes()).prop_map(|(which, outcome)| Step::Settle(which, outcome)),
        2 => (0_usize..8).prop_map(Step::Drop),
        1 => (0_usize..8).prop_map(Step::Forget),
        1 => Just(Step::Panic),
        4 => (0_u64..8).prop_map(Step::Advance),
        1 => (20_u64..40).prop_map(Step::Advance),
        1 => (0_u64..90).prop_map(Step::Back),
        1 => Just(Step::Reset),
        1 => (0_u64..9).prop_map(Step::ForceOpenFor),
        1 => prop_oneof![Just(Step::ForceOpen), Just(Step::Disable), Just(Step::MetricsOnly)],
        3 => hint.prop_map(|(origin, says_open, ttl)| Step::Hint { origin, says_open, ttl }),
    ]
}

/// The middle of a second, so that no time lies on a border.
pub(super) const fn moment(second: u64) -> Timestamp {
    Timestamp::from_nanos(second * 1_000_000_000 + 500_000_000)
}

pub(super) fn build(
    clock: &Manual,
    policy: Policy,
    trial: Trial,
    drops: DropPolicy,
) -> Breaker<Manual> {
    let open_for = Backoff::exponential(secs(2), secs(9)).jitter(0.0);
    builder(clock, policy)
        .open_for(open_for)
        .probes(trial.probes)
        .probes_at_a_time(trial.at_a_time)
        .successes(trial.successes)
        .probe_lease(secs(LEASE))
        .on_drop(drops)
        .call_deadline(secs(DEADLINE))
        .remote_quorum(QUORUM)
        .build()
        .unwrap()
}

/// What somebody does who decides by hand.
pub(super) fn by_hand(breaker: &Breaker<Manual>, step: Step) -> Option<(State, Option<u64>)> {
    Some(match step {
        Step::Reset => {
            breaker.reset();
            (State::Closed, None)
        }
        Step::ForceOpen => {
            breaker.force_open();
            (State::ForcedOpen, None)
        }
        Step::ForceOpenFor(seconds) => {
            breaker.force_open_for(secs(seconds));
            (State::ForcedOpen, Some(seconds))
        }
        Step::Disable => {
            breaker.disable();
            (State::Disabled, None)
        }
        Step::MetricsOnly => {
            breaker.metrics_only();
            (State::MetricsOnly, None)
        }
        _ => return None,
    })
}
