//! The breaker against a sequential reference, and what must hold after any sequence.

use crate::support::{Log, WAIT, builder, secs, succeed};
use lockgate_breaker::clock::Manual;
use lockgate_breaker::{Outcome, OwnedPermit, Policy, Recorded, State, Window};
use proptest::prelude::*;
use std::time::Duration;

const PROBES: u32 = 2;
const LEASE: u64 = 30;

#[derive(Clone, Copy, Debug)]
enum Step {
    Acquire,
    /// The permit at this place, of those that are held.
    Settle(usize, Outcome),
    Forget(usize),
    Advance(u64),
    Reset,
    ForceOpenFor(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let outcome = prop_oneof![
        3 => Just(Outcome::Success),
        4 => Just(Outcome::Failure),
        1 => Just(Outcome::Ignore),
        1 => (1_u64..9).prop_map(|wait| Outcome::TripFor(secs(wait))),
    ];
    prop_oneof![
        8 => Just(Step::Acquire),
        8 => (0_usize..8, outcome).prop_map(|(which, outcome)| Step::Settle(which, outcome)),
        1 => (0_usize..8).prop_map(Step::Forget),
        3 => (0_u64..8).prop_map(Step::Advance),
        1 => (20_u64..40).prop_map(Step::Advance),
        1 => Just(Step::Reset),
        1 => (1_u64..9).prop_map(Step::ForceOpenFor),
    ]
}

/// Three failures in a row, two probes that both succeed.
struct Reference {
    now: u64,
    number: u32,
    state: State,
    until: u64,
    lease: u64,
    streak: u32,
    admitted: u32,
    succeeded: u32,
}

impl Reference {
    fn enter(&mut self, state: State) {
        self.number += 1;
        self.state = state;
        (self.streak, self.admitted, self.succeeded) = (0, 0, 0);
    }

    fn open(&mut self, state: State, wait: u64) {
        self.enter(state);
        self.until = self.now + wait;
    }

    fn acquire(&mut self) -> Option<u32> {
        let due = match self.state {
            State::Open | State::ForcedOpen => self.now >= self.until,
            _ => self.state == State::HalfOpen && self.admitted == PROBES && self.now >= self.lease,
        };
        if due {
            self.enter(State::HalfOpen);
        }
        match self.state {
            State::HalfOpen if self.admitted < PROBES => {
                self.admitted += 1;
                self.lease = self.lease.max(self.now + LEASE);
            }
            State::Closed => {}
            _ => return None,
        }
        Some(self.number)
    }

    fn settle(&mut self, number: u32, outcome: Outcome) -> Recorded {
        if number != self.number {
            return Recorded::Stale;
        }
        let probing = self.state == State::HalfOpen;
        match outcome {
            Outcome::Ignore => {
                self.admitted -= u32::from(probing);
                return Recorded::Ignored;
            }
            Outcome::TripFor(wait) => self.open(State::Open, wait.as_secs()),
            Outcome::Failure if probing => self.open(State::Open, WAIT.as_secs()),
            Outcome::Failure => {
                self.streak += 1;
                if self.streak < 3 {
                    return Recorded::Counted;
                }
                self.open(State::Open, WAIT.as_secs());
            }
            _ if probing => {
                self.succeeded += 1;
                if self.succeeded < PROBES {
                    return Recorded::Counted;
                }
                self.enter(State::Closed);
                return Recorded::Closed;
            }
            _ => {
                self.streak = 0;
                return Recorded::Counted;
            }
        }
        Recorded::Opened
    }
}

proptest! {
    #[test]
    fn any_sequence_is_as_the_reference_has_it(steps in prop::collection::vec(step(), 0..200)) {
        let clock = Manual::new();
        let policy = Policy::consecutive_failures(3);
        let lease = secs(LEASE);
        let breaker = builder(&clock, policy).probes(PROBES).probe_lease(lease).build().unwrap();
        let log = Log::of(&breaker);
        let mut model = Reference {
            now: 0,
            number: 0,
            state: State::Closed,
            until: 0,
            lease: 0,
            streak: 0,
            admitted: 0,
            succeeded: 0,
        };
        let mut held: Vec<(OwnedPermit<Manual>, u32)> = Vec::new();
        let mut told = 0;
        for step in steps {
            let before = (model.number, model.state);
            let by_hand = matches!(step, Step::Reset | Step::ForceOpenFor(_));
            match step {
                Step::Acquire => match (breaker.try_acquire_owned(), model.acquire()) {
                    (Ok(permit), Some(number)) => held.push((permit, number)),
                    (Err(rejected), None) => prop_assert_eq!(rejected.state, model.state),
                    (got, expected) => prop_assert!(false, "{got:?}, not {expected:?}"),
                },
                Step::Settle(which, outcome) if which < held.len() => {
                    let (permit, number) = held.swap_remove(which);
                    prop_assert_eq!(permit.outcome(outcome), model.settle(number, outcome));
                }
                Step::Forget(which) if which < held.len() => {
                    std::mem::forget(held.swap_remove(which));
                }
                Step::Settle(..) | Step::Forget(_) => {}
                Step::Advance(seconds) => {
                    clock.advance(secs(seconds));
                    model.now += seconds;
                }
                Step::Reset => {
                    breaker.reset();
                    model.enter(State::Closed);
                }
                Step::ForceOpenFor(seconds) => {
                    breaker.force_open_for(secs(seconds));
                    model.open(State::ForcedOpen, seconds);
                }
            }
            // One step makes one transition at most, and by hand none into the state that it was in is told.
            let changed = before.0 != model.number && !(by_hand && before.1 == model.state);
            told += usize::from(changed);
            let open = matches!(model.state, State::Open | State::ForcedOpen);
            let due = open && model.now >= model.until;
            let snapshot = breaker.snapshot();
            prop_assert_eq!(snapshot.state, if due { State::HalfOpen } else { model.state });
            prop_assert_eq!(snapshot.consecutive_failures, model.streak);
        }
        prop_assert_eq!(log.path().len(), told);
    }

    /// Whatever happened, whoever has forgotten what: with time and a backend that is well it closes.
    #[test]
    fn it_always_closes(
        which in 0_usize..4,
        steps in prop::collection::vec((step(), any::<u64>()), 0..100),
    ) {
        let window = Window::time(secs(10), 10);
        let policy = [
            Policy::consecutive_failures(2),
            Policy::failures_of(3, 7),
            Policy::failure_rate(0.5).min_calls(3).window(window),
            Policy::slow_call_rate(0.5, secs(2)).min_calls(2).window(window),
        ];
        let clock = Manual::new();
        let breaker = builder(&clock, policy[which].clone()).probes(PROBES).build().unwrap();
        let mut held = Vec::new();
        for (step, jump) in steps {
            match step {
                Step::Acquire => held.extend(breaker.try_acquire_owned()),
                Step::Settle(which, outcome) if which < held.len() => {
                    held.swap_remove(which).outcome(outcome);
                }
                Step::Forget(which) if which < held.len() => {
                    std::mem::forget(held.swap_remove(which));
                }
                Step::Settle(..) | Step::Forget(_) => {}
                Step::Advance(seconds) => clock.advance(secs(seconds % (1 + jump % 100))),
                Step::Reset => breaker.reset(),
                Step::ForceOpenFor(seconds) => breaker.force_open_for(secs(seconds)),
            }
        }
        // Longer than any open time and any lease, so many times as there are ways to lose it.
        for _ in 0..3 {
            clock.advance(secs(40));
            for _ in 0..PROBES {
                if let Ok(permit) = breaker.try_acquire() {
                    permit.success();
                }
            }
        }
        prop_assert_eq!(breaker.state(), State::Closed);
        succeed(&breaker);
        clock.advance(Duration::from_nanos(1));
    }
}
