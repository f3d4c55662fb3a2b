//! The breaker against a sequential reference, and what must hold after any sequence.
//!
//! | | what holds | where |
//! |---|---|---|
//! | P1 | any sequence does what the reference does, by any policy | [`any_sequence_is_as_the_reference_has_it`] |
//! | P2 | a window holds the last N calls, or those of the last while | the same, after each step; the windows by themselves in `tests::windows` of the white-box tests |
//! | P3 | transitions count up, and follow each other by edges that there are | the same |
//! | P4 | probes that were admitted and not given back are never more than was said | the same, by a count of its own |
//! | P5 | whatever happened: a backend that is well and time close the circuit | [`it_always_closes`] |
//! | P6 | a stale result changes nothing | the first, by a look before and after |
//! | P7 | a wait is within its jitter, doubles, and overflows nowhere | [`waits_are_within_their_bounds`] |
//! | P8 | a clock that goes anywhere breaks nothing | [`a_clock_that_goes_anywhere`] |
//! | P9 | what is read is what was written, and what cannot be is refused | `serde::what_is_written_is_read_back`, `regressions::settings::what_cannot_be_is_not_built` |
//!
//! `PROPTEST_CASES` is how many are tried of each.

mod reference;
mod steps;

use crate::support::{Log, builder, fail, secs, succeed};
use lockgate_breaker::clock::{Clock, Manual, Timestamp};
use lockgate_breaker::{
    Backoff, Breaker, Error, Outcome, OwnedPermit, Policy, Reason, Recorded, State, Transition,
    Window,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::TestCaseResult;
use reference::{Reference, Seen, Ticket, Told};
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::Duration;
use steps::{LEASE, Step, Trial, build, by_hand, drops, moment, rules, steps, trials};

/// A permit, what the reference has for it, and the episode whose probe it is.
type Held = (OwnedPermit<Manual>, Ticket, Option<u32>);

/// The two of them, side by side.
struct Pair {
    clock: Manual,
    breaker: Breaker<Manual>,
    log: Log,
    reference: Reference,
    trial: Trial,
    held: Vec<Held>,
    /// How many probes of an episode were admitted and not given back.
    admitted: HashMap<u32, u32>,
}

impl Pair {
    fn seen(&self) -> Seen {
        let it = self.breaker.snapshot();
        let windows = it.windows.iter().map(|it| (it.calls, it.failures, it.slow)).collect();
        let probes = [it.probes_under_way, it.probes_succeeded, it.probes_failed].map(u32::from);
        let left = it.retry_after.map(|left| left.as_secs());
        (it.state, left, it.consecutive_failures, windows, it.openings, probes)
    }

    fn set(&mut self, now: u64) {
        self.reference.now = now;
        self.clock.set(moment(now));
    }

    fn acquire(&mut self) -> TestCaseResult {
        match (self.breaker.try_acquire_owned(), self.reference.acquire()) {
            (Ok(permit), Ok(ticket)) => {
                // What has been told last is where it is: of probes, too.
                let last = self.log.all().pop().filter(|it| it.to == State::HalfOpen);
                let episode = last.map(|it| it.number);
                if let Some(episode) = episode {
                    let admitted = self.admitted.entry(episode).or_default();
                    *admitted += 1;
                    prop_assert!(*admitted <= self.trial.probes, "P4: {} probes", admitted);
                }
                self.held.push((permit, ticket, episode));
            }
            (Err(rejected), Err(left)) => {
                prop_assert_eq!(rejected.state, self.reference.state);
                prop_assert_eq!(rejected.retry_after.map(|it| it.as_secs()), left);
            }
            (got, expected) => prop_assert!(false, "{:?}, not {:?}", got, expected),
        }
        Ok(())
    }

    fn settle(&mut self, which: usize, outcome: Outcome) -> TestCaseResult {
        let (permit, ticket, episode) = self.held.swap_remove(which);
        let before = self.breaker.snapshot();
        let recorded = permit.outcome(outcome);
        prop_assert_eq!(recorded, self.reference.settle(ticket, outcome));
        match (recorded, episode) {
            (Recorded::Stale, _) => prop_assert_eq!(before, self.breaker.snapshot(), "P6"),
            (Recorded::Ignored, Some(episode)) => *self.admitted.get_mut(&episode).unwrap() -= 1,
            _ => {}
        }
        Ok(())
    }

    fn drop(&mut self, which: usize) -> TestCaseResult {
        let (permit, ticket, episode) = self.held.swap_remove(which);
        let before = self.breaker.snapshot();
        drop(permit);
        match (self.reference.dropped(ticket), episode) {
            (Recorded::Stale, _) => prop_assert_eq!(before, self.breaker.snapshot(), "P6"),
            (Recorded::Ignored, Some(episode)) => *self.admitted.get_mut(&episode).unwrap() -= 1,
            _ => {}
        }
        Ok(())
    }

    /// A call that lasts; `None`: it panics.
    fn call(&mut self, outcome: Option<Outcome>, seconds: u64) -> TestCaseResult {
        let ends = self.reference.now + seconds;
        let expected = self.reference.acquire();
        let classifier = |result: &Result<Option<Outcome>, ()>| result.unwrap().unwrap();
        let work = || {
            self.clock.set(moment(ends));
            match outcome {
                Some(outcome) => Ok(Some(outcome)),
                // Without the message that a panic prints.
                None => resume_unwind(Box::new(())),
            }
        };
        let call = || self.breaker.call_with(&classifier, work);
        let answer = catch_unwind(AssertUnwindSafe(call));
        match (answer, expected) {
            (Ok(Err(Error::Rejected(rejected))), Err(left)) => {
                prop_assert_eq!(rejected.retry_after.map(|it| it.as_secs()), left);
                return Ok(());
            }
            (answer, Ok(ticket)) => {
                self.reference.now = ends;
                let outcome = outcome.unwrap_or(Outcome::Failure);
                let panicked = answer.is_err();
                prop_assert!(panicked || matches!(answer, Ok(Ok(_))));
                self.reference.settle(ticket, outcome);
            }
            (answer, expected) => prop_assert!(false, "{:?}, not {:?}", answer, expected),
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> TestCaseResult {
        let now = self.reference.now;
        match step {
            Step::Acquire => self.acquire()?,
            Step::Settle(which, outcome) if !self.held.is_empty() => {
                self.settle(which % self.held.len(), outcome)?;
            }
            Step::Drop(which) if !self.held.is_empty() => self.drop(which % self.held.len())?,
            Step::Forget(which) if !self.held.is_empty() => {
                let which = which % self.held.len();
                std::mem::forget(self.held.swap_remove(which));
            }
            Step::Call(outcome, seconds) => self.call(Some(outcome), seconds)?,
            Step::Panic => self.call(None, 0)?,
            Step::Advance(seconds) => self.set(now + seconds),
            Step::Back(seconds) => self.set(now.saturating_sub(seconds)),
            Step::Hint { origin, says_open, ttl } => {
                let state = if says_open { State::Open } else { State::Closed };
                let origin_text = origin.to_string();
                let hinted = self.breaker.apply_remote_hint(state, secs(ttl), &origin_text);
                prop_assert_eq!(hinted, self.reference.hint(origin, says_open, ttl));
            }
            step => {
                if let Some((state, open_for)) = by_hand(&self.breaker, step) {
                    self.reference.by_hand(state, open_for);
                }
            }
        }
        prop_assert_eq!(self.seen(), self.reference.seen());
        Ok(())
    }
}

fn told(transition: &Transition) -> Told {
    let Transition { number, from, to, reason, at, open_for, .. } = *transition;
    let second = at.as_nanos() / 1_000_000_000;
    (number, from, to, reason, second, open_for.map(|it| it.as_secs()))
}

/// Whether there is such an edge.
fn is_an_edge(it: &Transition) -> bool {
    match (it.from, it.to, it.reason) {
        (from, to, Reason::ByHand) => from != to && to != State::HalfOpen && to != State::Open,
        (State::Closed, State::Open, Reason::Tripped | Reason::Told | Reason::Hinted) => true,
        (State::Open | State::ForcedOpen, State::HalfOpen, Reason::OpenTimeOver) => true,
        (State::HalfOpen, State::HalfOpen, Reason::LeaseOver) => true,
        (State::HalfOpen, State::Open, Reason::ProbesFailed | Reason::Told) => true,
        (State::HalfOpen, State::Closed, Reason::Recovered) => true,
        _ => false,
    }
}

/// Whatever a breaker is asked and told, by steps of which nobody looks at the answers.
fn stir(breaker: &Breaker<Manual>, clock: &Manual, steps: Vec<Step>) -> Vec<OwnedPermit<Manual>> {
    let mut held: Vec<OwnedPermit<Manual>> = Vec::new();
    for step in steps {
        let now = clock.now().as_nanos();
        match step {
            Step::Acquire => held.extend(breaker.try_acquire_owned()),
            Step::Settle(which, outcome) if !held.is_empty() => {
                held.swap_remove(which % held.len()).outcome(outcome);
            }
            Step::Drop(which) if !held.is_empty() => drop(held.swap_remove(which % held.len())),
            Step::Forget(which) if !held.is_empty() => {
                std::mem::forget(held.swap_remove(which % held.len()));
            }
            Step::Call(outcome, seconds) => {
                let work = || {
                    clock.advance(secs(seconds));
                    Ok::<_, ()>(())
                };
                let _ = breaker.call_with(&|_: &Result<(), ()>| outcome, work);
            }
            Step::Panic => {
                let call = || breaker.call(|| -> Result<(), ()> { resume_unwind(Box::new(())) });
                let _ = catch_unwind(AssertUnwindSafe(call));
            }
            Step::Advance(seconds) => clock.advance(secs(seconds)),
            Step::Back(seconds) => {
                clock.set(Timestamp::from_nanos(now.saturating_sub(seconds * 1_000_000_000)));
            }
            Step::Hint { origin, says_open, ttl } => {
                let state = if says_open { State::Open } else { State::HalfOpen };
                breaker.apply_remote_hint(state, secs(ttl), &origin.to_string());
            }
            step => {
                by_hand(breaker, step);
            }
        }
    }
    held
}

/// The backend is well, and time passes. What somebody has decided for good, he takes back.
fn recovers(breaker: &Breaker<Manual>, clock: &Manual) -> TestCaseResult {
    let holds = match breaker.state() {
        State::ForcedOpen => breaker.retry_after().is_none(),
        state => matches!(state, State::Disabled | State::MetricsOnly),
    };
    if holds {
        breaker.reset();
    }
    // Each time longer than any open time and any lease. In the first, what is under way is given up; and where old
    // failures lacked calls to count, these are the calls, and open it once more.
    for _ in 0..3 {
        clock.advance(secs(LEASE + 10));
        if (0..20).all(|_| breaker.call(|| Ok::<_, ()>(1)) == Ok(1)) {
            prop_assert_eq!(breaker.state(), State::Closed);
            return Ok(());
        }
    }
    prop_assert!(false, "wedged: {:?}", breaker.snapshot());
    Ok(())
}

/// The rules of the reference, and a throttle, by itself or beside one.
fn policies() -> impl Strategy<Value = Policy> {
    let throttle = || Policy::client_throttle(2.0).window(Window::time(secs(20), 5));
    prop_oneof![
        6 => rules().prop_map(|rule| rule.policy()),
        1 => Just(throttle()),
        1 => rules().prop_map(move |rule| Policy::any([rule.policy(), throttle()])),
    ]
}

proptest! {
    #[test]
    fn any_sequence_is_as_the_reference_has_it(
        rule in rules(),
        trial in trials(),
        drops in drops(),
        steps in vec(steps(), 0..150),
    ) {
        let clock = Manual::new();
        let breaker = build(&clock, rule.policy(), trial, drops);
        let by_time = rule.goes_by_time();
        let mut pair = Pair {
            log: Log::of(&breaker),
            clock,
            breaker,
            reference: Reference::new(rule, trial, drops),
            trial,
            held: Vec::new(),
            admitted: HashMap::new(),
        };
        pair.set(0);
        for step in steps {
            // What a window of time makes of a clock that steps back is its own affair: see P8.
            if !(by_time && matches!(step, Step::Back(_))) {
                pair.step(step)?;
            }
        }
        // `path` looks whether numbers go up, and each begins where the one before it ended.
        pair.log.path();
        let all = pair.log.all();
        prop_assert!(all.iter().all(is_an_edge), "P3: {:?}", all);
        let all: Vec<Told> = all.iter().map(told).collect();
        prop_assert_eq!(all, pair.reference.told);
    }

    /// Whatever happened, whoever has forgotten what.
    #[test]
    fn it_always_closes(
        policy in policies(),
        trial in trials(),
        drops in drops(),
        steps in vec(steps(), 0..150),
    ) {
        let clock = Manual::new();
        let breaker = build(&clock, policy, trial, drops);
        let held = stir(&breaker, &clock, steps);
        // A clock that has stepped back keeps it open for as much longer, and not by more.
        clock.advance(secs(90 * 150));
        recovers(&breaker, &clock)?;
        // Permits of a state that has never ended may still count, and open it.
        drop(held);
        recovers(&breaker, &clock)?;
        succeed(&breaker);
    }

    /// To where it has never been, and back: nothing panics, no number is out of its bounds, and it closes when the
    /// clock has caught up.
    #[test]
    fn a_clock_that_goes_anywhere(
        policy in policies(),
        trial in trials(),
        drops in drops(),
        parts in vec((any::<u64>(), vec(steps(), 0..20)), 1..10),
    ) {
        let clock = Manual::new();
        let breaker = build(&clock, policy, trial, drops);
        let (mut latest, mut held) = (0, Vec::new());
        for (jump, steps) in parts {
            // Anywhere, and as often near to the beginning or the end.
            let to = match jump % 4 {
                0 => jump >> 40,
                1 => u64::MAX - (jump >> 20),
                _ => jump,
            };
            clock.set(Timestamp::from_nanos(to));
            held.extend(stir(&breaker, &clock, steps));
            latest = latest.max(to).max(clock.now().as_nanos());
            let snapshot = breaker.snapshot();
            for counts in &snapshot.windows {
                prop_assert!(counts.failures <= counts.calls && counts.slow <= counts.calls);
                prop_assert!(counts.calls <= 200);
            }
            let probes = u32::from(snapshot.probes_under_way + snapshot.probes_succeeded);
            prop_assert!(probes + u32::from(snapshot.probes_failed) <= trial.probes);
        }
        // Beyond all that the steps can have made of it.
        clock.set(Timestamp::from_nanos(latest));
        clock.advance(secs(20 * 45 + 60));
        if clock.now().as_nanos() > u64::MAX - 1_000_000_000_000 {
            // No time is left that could pass.
            breaker.reset();
        }
        recovers(&breaker, &clock)?;
    }

    /// Of any lengths, after so many openings, at any time.
    #[test]
    fn waits_are_within_their_bounds(
        first in 1_u64..=31_622_400_000_000_000,
        more in 0_u64..=31_622_400_000_000_000,
        jitter in 0.0..=1.0_f64,
        now in any::<u64>(),
        openings in 1_u32..80,
    ) {
        const YEAR: u64 = 31_622_400_000_000_000;
        let most = first.saturating_add(more).min(YEAR);
        let clock = Manual::new();
        clock.set(Timestamp::from_nanos(now));
        let open_for = Backoff::exponential(Duration::from_nanos(first), Duration::from_nanos(most));
        let policy = Policy::consecutive_failures(1);
        let breaker = builder(&clock, policy).open_for(open_for.jitter(jitter)).build().unwrap();
        let log = Log::of(&breaker);
        for _ in 0..openings {
            // A probe, but for the first.
            fail(&breaker);
            breaker.force_open_for(Duration::ZERO);
        }
        let opened = log.all().into_iter().filter(|it| it.to == State::Open);
        let waits: Vec<u128> = opened.filter_map(|it| it.open_for).map(|it| it.as_nanos()).collect();
        prop_assert_eq!(waits.len(), openings as usize);
        for (doublings, wait) in waits.into_iter().enumerate() {
            let whole = (u128::from(first) << doublings.min(60)).min(u128::from(most));
            let least = (whole as f64 * (1.0 - jitter)) as u128;
            // A nanosecond, and what the last bit of a float is worth.
            prop_assert!(wait <= whole && wait + 1 + (whole >> 50) >= least, "{} of {}", wait, whole);
        }
    }
}
