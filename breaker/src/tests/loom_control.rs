//! The control word: who changes the state, and once.

use super::support::{Log, OPEN, admit, core, open, settle, touchy};
use crate::core::Core;
use crate::hint::{Hint, Hinted};
use crate::outcome::{Outcome, Recorded};
use crate::policy::Policy;
use crate::primitives::{Explore, explore, thread};
use crate::state::State;
use std::sync::Arc;
use std::time::Duration;

/// Two calls fail, and each is one too many.
#[test]
fn failure_meets_failure() {
    explore(Explore::All, || {
        let core = touchy(1, 1);
        let log = Log::of(&core);
        let tickets = [admit(&core, 0).unwrap(), admit(&core, 0).unwrap()];
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || settle(&core, tickets[1], Outcome::Failure, 0))
        };
        let told = [settle(&core, tickets[0], Outcome::Failure, 0), other.join().unwrap()];
        let opened = told.iter().filter(|it| **it == Recorded::Opened).count();
        assert_eq!(opened, 1, "{told:?}");
        assert_eq!(log.path(), [State::Open]);
    });
}

/// A call of before ends while a probe is under way: it neither closes the circuit nor opens it
/// again, and takes no probe's place.
fn stale_meets_a_probe(outcome: Outcome) {
    explore(Explore::All, move || {
        let core = touchy(1, 1);
        let stale = admit(&core, 0).unwrap();
        let trips = admit(&core, 0).unwrap();
        settle(&core, trips, Outcome::Failure, 0);
        let late = {
            let core = Arc::clone(&core);
            thread::spawn(move || settle(&core, stale, outcome, OPEN))
        };
        let probe = admit(&core, OPEN).unwrap();
        assert!(admit(&core, OPEN).is_err());
        assert_eq!(late.join().unwrap(), Recorded::Stale);
        assert_eq!(core.word().state(), State::HalfOpen);
        assert_eq!(core.word().admitted(), 1);
        assert_eq!(settle(&core, probe, Outcome::Success, OPEN), Recorded::Closed);
    });
}

#[test]
fn stale_success_meets_a_probe() {
    stale_meets_a_probe(Outcome::Success);
}

#[test]
fn stale_failure_meets_a_probe() {
    stale_meets_a_probe(Outcome::Failure);
}

#[test]
fn stale_cancel_meets_a_probe() {
    stale_meets_a_probe(Outcome::Ignore);
}

/// The policy opens it while somebody forces it: what was forced stays, and the one transition
/// follows the other.
#[test]
fn trip_meets_force() {
    explore(Explore::All, || {
        let core = touchy(1, 1);
        let log = Log::of(&core);
        let ticket = admit(&core, 0).unwrap();
        let forced = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.by_hand(State::ForcedOpen, 0, None))
        };
        settle(&core, ticket, Outcome::Failure, 0);
        forced.join().unwrap();
        let path = log.path();
        assert_eq!(path.last(), Some(&State::ForcedOpen));
        assert_eq!(core.word().state(), State::ForcedOpen);
        assert!(admit(&core, OPEN * 9).is_err(), "for good");
    });
}

/// The circuit is reset and opens again while somebody finds it open: he goes by the open time
/// that belongs to what he saw, or finds that it is over.
#[test]
fn reset_meets_an_admission() {
    explore(Explore::All, || {
        let core = open(1, 1);
        let again = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                core.by_hand(State::Closed, OPEN, None);
                let ticket = admit(&core, OPEN).unwrap();
                settle(&core, ticket, Outcome::Failure, OPEN);
            })
        };
        // Due by the first open time, and not by the second.
        let _ = admit(&core, OPEN);
        again.join().unwrap();
        assert_eq!(core.word().state(), State::Open, "a probe went by the open time of before");
    });
}

/// A success and a failure in a row of two: the streak is what one of the two orders makes it.
#[test]
fn success_meets_failure() {
    explore(Explore::All, || {
        let core = core(&Policy::consecutive_failures(3), 1, 1);
        let tickets = [0; 3].map(|_| admit(&core, 0).unwrap());
        settle(&core, tickets[0], Outcome::Failure, 0);
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || settle(&core, tickets[1], Outcome::Success, 0))
        };
        settle(&core, tickets[2], Outcome::Failure, 0);
        other.join().unwrap();
        let streak = core.gauge.streak(core.word().generation());
        assert!(streak <= 1, "{streak} in a row, with a success among three");
    });
}

/// A failure is counted while the circuit is reset: what counts afterwards are later ones.
#[test]
fn failure_meets_reset() {
    explore(Explore::All, || {
        let core = core(&Policy::consecutive_failures(2), 1, 1);
        let tickets = [0; 2].map(|_| admit(&core, 0).unwrap());
        settle(&core, tickets[0], Outcome::Failure, 0);
        let reset = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                core.by_hand(State::Closed, 0, None);
                let ticket = admit(&core, 0).ok()?;
                Some(settle(&core, ticket, Outcome::Failure, 0))
            })
        };
        let told = settle(&core, tickets[1], Outcome::Failure, 0);
        let later = reset.join().unwrap();
        assert_ne!(later, Some(Recorded::Opened), "one failure since the reset");
        assert!(told != Recorded::Opened || core.word().state() != State::Open);
        assert_eq!(core.gauge.streak(core.word().generation()), 1);
    });
}

/// The last two hints of a quorum come at the same time.
#[test]
fn hint_meets_hint() {
    explore(Explore::All, || {
        let core = touchy(1, 1);
        let log = Log::of(&core);
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || hint(&core, "b"))
        };
        let told = [hint(&core, "a"), other.join().unwrap()];
        assert_eq!(told.iter().filter(|it| **it == Hinted::Opened).count(), 1, "{told:?}");
        assert_eq!(log.path(), [State::Open]);
    });
}

/// What somebody forces between the counting of the votes and the opening stays.
#[test]
fn hint_meets_force() {
    explore(Explore::All, || {
        let core = touchy(1, 1);
        hint(&core, "a");
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || hint(&core, "b"))
        };
        core.by_hand(State::Disabled, 0, None);
        other.join().unwrap();
        assert_eq!(core.word().state(), State::Disabled);
    });
}

fn hint(core: &Core, origin: &str) -> Hinted {
    let ttl = Duration::from_nanos(OPEN);
    core.hint(&Hint { origin, says_open: true, ttl }, 0)
}
