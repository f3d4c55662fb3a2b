//! What other instances say.

use crate::support::{Log, WAIT, fail, is_rejected, secs, succeed, touchy};
use lockgate_breaker::clock::Manual;
use lockgate_breaker::{Breaker, BuildError, Hinted, Reason, State};

const TTL: std::time::Duration = secs(3);

fn of_two(clock: &Manual) -> Breaker<Manual> {
    touchy(clock).build().unwrap()
}

#[test]
fn a_quorum_opens_for_the_time_that_it_is_believed() {
    let clock = Manual::new();
    let breaker = of_two(&clock);
    let log = Log::of(&breaker);
    assert_eq!(breaker.apply_remote_hint(State::Open, TTL, "a"), Hinted::Noted { open: 1 });
    assert_eq!(breaker.apply_remote_hint(State::Open, TTL, "a"), Hinted::Noted { open: 1 });
    succeed(&breaker);
    assert_eq!(breaker.apply_remote_hint(State::Open, TTL, "b"), Hinted::Opened);
    assert_eq!(breaker.retry_after(), Some(TTL));
    assert_eq!(log.all()[0].reason, Reason::Hinted);
    clock.advance(TTL);
    succeed(&breaker);
    assert_eq!(log.path(), [State::Open, State::HalfOpen, State::Closed]);
}

#[test]
fn nobody_else_can_hold_it_open_for_longer_than_its_own_back_off() {
    let clock = Manual::new();
    let breaker = of_two(&clock);
    breaker.apply_remote_hint(State::Open, secs(1_000_000), "a");
    breaker.apply_remote_hint(State::Open, secs(1_000_000), "b");
    assert_eq!(breaker.retry_after(), Some(WAIT));
    let third = breaker.apply_remote_hint(State::Open, secs(1_000_000), "c");
    assert_eq!(third, Hinted::Noted { open: 3 });
    assert_eq!(breaker.retry_after(), Some(WAIT));
    clock.advance(WAIT);
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed, "old votes do not open it again by themselves");
}

#[test]
fn votes_that_have_expired_count_no_more() {
    let clock = Manual::new();
    let breaker = of_two(&clock);
    breaker.apply_remote_hint(State::Open, TTL, "a");
    clock.advance(TTL);
    assert_eq!(breaker.apply_remote_hint(State::Open, TTL, "b"), Hinted::Noted { open: 1 });
    let late = breaker.apply_remote_hint(State::Open, secs(0), "c");
    assert_eq!(late, Hinted::Noted { open: 1 });
}

#[test]
fn votes_that_are_taken_back_let_a_probe_through() {
    let clock = Manual::new();
    let breaker = of_two(&clock);
    breaker.apply_remote_hint(State::Open, TTL, "a");
    breaker.apply_remote_hint(State::Open, TTL, "b");
    assert!(is_rejected(&breaker));
    assert_eq!(breaker.apply_remote_hint(State::Closed, TTL, "b"), Hinted::Shortened);
    assert_eq!(breaker.state(), State::HalfOpen);
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_circuit_that_opened_by_itself_is_not_shortened() {
    let clock = Manual::new();
    let breaker = of_two(&clock);
    fail(&breaker);
    let note = breaker.apply_remote_hint(State::Open, TTL, "a");
    assert_eq!(note, Hinted::Noted { open: 1 });
    let note = breaker.apply_remote_hint(State::Closed, TTL, "a");
    assert_eq!((note, breaker.state()), (Hinted::Noted { open: 0 }, State::Open));
}

#[test]
fn only_open_is_a_vote() {
    let breaker = of_two(&Manual::new());
    for state in [State::ForcedOpen, State::HalfOpen, State::Disabled, State::MetricsOnly] {
        for origin in ["a", "b", "c"] {
            let noted = breaker.apply_remote_hint(state, TTL, origin);
            assert_eq!(noted, Hinted::Noted { open: 0 });
        }
    }
    assert_eq!(breaker.state(), State::Closed);
}

/// Whoever says that he is closed opens nobody, however many still say otherwise.
#[test]
fn a_vote_that_is_taken_back_opens_nothing() {
    let clock = Manual::new();
    let breaker = of_two(&clock);
    let long = secs(1_000);
    for origin in ["a", "b", "c"] {
        breaker.apply_remote_hint(State::Open, long, origin);
    }
    clock.advance(WAIT);
    succeed(&breaker);
    let noted = breaker.apply_remote_hint(State::Closed, long, "c");
    assert_eq!((noted, breaker.state()), (Hinted::Noted { open: 2 }, State::Closed));
    breaker.reset();
    let noted = breaker.apply_remote_hint(State::Open, secs(0), "c");
    assert_eq!((noted, breaker.state()), (Hinted::Noted { open: 2 }, State::Closed));
}

/// What it has found out itself since weighs more than what others said before.
#[test]
fn votes_of_before_a_recovery_open_nothing_again() {
    let clock = Manual::new();
    let breaker = of_two(&clock);
    let long = secs(1_000);
    breaker.apply_remote_hint(State::Open, long, "a");
    assert_eq!(breaker.apply_remote_hint(State::Open, long, "b"), Hinted::Opened);
    // Said while it is open: older than the recovery all the same.
    breaker.apply_remote_hint(State::Open, long, "b");
    clock.advance(WAIT);
    succeed(&breaker);
    for _ in 0..3 {
        let noted = breaker.apply_remote_hint(State::Open, long, "a");
        assert_eq!((noted, breaker.state()), (Hinted::Noted { open: 2 }, State::Closed));
    }
    assert_eq!(breaker.apply_remote_hint(State::Open, long, "b"), Hinted::Opened, "both, again");
    assert_eq!(breaker.apply_remote_hint(State::Closed, long, "a"), Hinted::Shortened);
}

#[test]
fn what_was_decided_by_hand_stays() {
    let clock = Manual::new();
    let breaker = touchy(&clock).remote_quorum(1).build().unwrap();
    breaker.disable();
    breaker.apply_remote_hint(State::Open, TTL, "a");
    assert_eq!(breaker.state(), State::Disabled);
    breaker.force_open();
    breaker.apply_remote_hint(State::Closed, TTL, "a");
    assert_eq!(breaker.state(), State::ForcedOpen);
}

#[test]
fn the_quorum_has_a_range() {
    for given in [0, 1_025] {
        let error = touchy(&Manual::new()).remote_quorum(given).build().unwrap_err();
        let given = u64::from(given);
        let knob = "the remote quorum";
        assert_eq!(error, BuildError::Number { knob, given, least: 1, most: 1_024 });
    }
}
