//! A closed circuit that rejects a share of the calls.

use crate::support::{Log, builder, fail, is_rejected, secs, succeed};
use lockgate_breaker::clock::Manual;
use lockgate_breaker::{Breaker, BuildError, Error, Outcome, Policy, State, Window};

fn throttle() -> Policy {
    Policy::client_throttle(2.0).window(Window::time(secs(60), 12))
}

/// So many of `calls` were rejected, by a server that answers as `well` says.
fn rejected(breaker: &Breaker<Manual>, calls: u32, well: impl Fn(u32) -> bool) -> u32 {
    let call = |number: &u32| {
        let result = breaker.call(|| if well(*number) { Ok(()) } else { Err(()) });
        matches!(result, Err(Error::Rejected(_)))
    };
    (0..calls).filter(call).count() as u32
}

#[test]
fn a_server_that_accepts_half_of_the_calls_loses_none() {
    let breaker = builder(&Manual::new(), throttle()).build().unwrap();
    // Twice as many as are accepted go through.
    assert_eq!(rejected(&breaker, 10_000, |number| number % 2 == 0), 0);
}

#[test]
fn a_server_that_is_down_gets_a_tenth() {
    let breaker = builder(&Manual::new(), throttle()).build().unwrap();
    let log = Log::of(&breaker);
    let rejected = rejected(&breaker, 10_000, |_| false);
    assert!((8_850..9_150).contains(&rejected), "{rejected} of 10000, where 9000 are expected");
    assert!((breaker.snapshot().rejection_rate - 0.9).abs() < 1e-9);
    assert_eq!((breaker.state(), log.path()), (State::Closed, vec![]), "nothing opens");
}

#[test]
fn the_rejected_call_is_not_made_and_says_why() {
    let policy = throttle().max_rejection_rate(0.999_999);
    let breaker = builder(&Manual::new(), policy).build().unwrap();
    rejected(&breaker, 100_000, |_| false);
    let error = breaker.call(|| -> Result<(), ()> { unreachable!("it was to be rejected") });
    let Err(Error::Rejected(rejected)) = error else { panic!("{error:?}") };
    assert_eq!((rejected.state, rejected.retry_after), (State::Closed, None));
    assert_eq!(rejected.to_string(), "the call was throttled");
}

#[test]
fn it_waits_for_its_minimum_of_calls() {
    let breaker = builder(&Manual::new(), throttle().min_calls(50)).build().unwrap();
    assert_eq!(rejected(&breaker, 50, |_| false), 0);
    assert!(rejected(&breaker, 50, |_| false) > 30);
}

#[test]
fn whoever_stays_busy_recovers_within_the_window_too() {
    let breaker = builder(&Manual::new(), throttle()).build().unwrap();
    rejected(&breaker, 10_000, |_| false);
    // The clock stands still, so that nothing leaves the window. With a tenth let through, and all of
    // that accepted, it takes 20 times as many calls as there were: twice until the rate falls below
    // its bound, and then the accepted ones grow with the square of all.
    let mut calls = 0;
    while breaker.snapshot().rejection_rate > 0.0 {
        rejected(&breaker, 1_000, |_| true);
        calls += 1;
        assert!(calls < 220, "still at {}", breaker.snapshot().rejection_rate);
    }
}

#[test]
fn what_has_left_the_window_is_forgotten() {
    let clock = Manual::new();
    let breaker = builder(&clock, throttle()).build().unwrap();
    rejected(&breaker, 1_000, |_| false);
    clock.advance(secs(66));
    assert_eq!(breaker.snapshot().rejection_rate, 0.0);
    assert_eq!(rejected(&breaker, 1_000, |_| true), 0);
}

#[test]
fn an_ignored_call_was_accepted() {
    let breaker = builder(&Manual::new(), throttle()).build().unwrap();
    for _ in 0..1_000 {
        breaker.try_acquire().unwrap().ignore();
    }
    assert_eq!(breaker.snapshot().rejection_rate, 0.0);
}

#[test]
fn calls_under_way_count_as_attempted() {
    let breaker = builder(&Manual::new(), throttle()).build().unwrap();
    let held: Vec<_> = std::iter::from_fn(|| breaker.try_acquire().ok()).collect();
    assert!(held.len() >= 10, "the minimum goes through");
    assert!(breaker.snapshot().rejection_rate > 0.0, "nobody has answered any");
    for permit in held {
        permit.success();
    }
}

#[test]
fn beside_a_policy_that_opens() {
    let clock = Manual::new();
    let policy = Policy::any([throttle(), Policy::consecutive_failures(3)]);
    let breaker = builder(&clock, policy).build().unwrap();
    for _ in 0..3 {
        fail(&breaker);
    }
    assert_eq!(breaker.state(), State::Open);
    clock.advance(secs(5));
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().rejection_rate, 0.0, "a circuit that has closed begins anew");
}

#[test]
fn metrics_only_counts_and_rejects_nothing() {
    let breaker = builder(&Manual::new(), throttle()).build().unwrap();
    breaker.metrics_only();
    assert_eq!(rejected(&breaker, 1_000, |_| false), 0);
    breaker.disable();
    assert!(!is_rejected(&breaker));
    breaker.reset();
    assert_eq!(breaker.call_with(&|_: &Result<(), ()>| Outcome::Failure, || Ok(())), Ok(()));
}

#[test]
fn what_cannot_be() {
    let error = |policy| builder(&Manual::new(), policy).build().unwrap_err();
    for given in [1.0, 0.0, -1.0, 1_001.0, f64::INFINITY] {
        assert_eq!(error(Policy::client_throttle(given)), BuildError::Factor { given });
    }
    assert!(matches!(error(Policy::client_throttle(f64::NAN)), BuildError::Factor { .. }));
    for given in [0.0, 1.0, -0.5] {
        let policy = throttle().max_rejection_rate(given);
        assert_eq!(error(policy), BuildError::RejectionRate { given });
    }
    let several = Policy::any([throttle(), throttle()]);
    assert_eq!(error(several).to_string(), "a throttle beside another");
    let all = Policy::all([throttle(), Policy::consecutive_failures(1)]);
    assert!(matches!(error(all), BuildError::Throttle(_)));
    let count = Policy::client_throttle(2.0).window(Window::count(100));
    assert!(matches!(error(count), BuildError::Throttle(_)));
    assert!(matches!(error(throttle().min_calls(0)), BuildError::Number { .. }));
}
