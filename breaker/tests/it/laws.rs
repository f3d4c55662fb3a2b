//! What holds whatever the policy.

use lockgate_breaker::clock::Manual;
use lockgate_breaker::{Backoff, Breaker, Error, Policy, State};
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(5);

fn breaker(clock: &Manual, policy: Policy) -> Breaker<Manual> {
    let open_for = Backoff::fixed(WAIT).jitter(0.0);
    Breaker::builder("t").policy(policy).open_for(open_for).clock(clock.clone()).build().unwrap()
}

fn fail<C: lockgate_breaker::clock::Clock>(breaker: &Breaker<C>) {
    assert_eq!(breaker.call(|| Err::<(), _>(7)), Err(Error::Inner(7)));
}

#[test]
fn a_circuit_opens_tries_and_closes() {
    let clock = Manual::new();
    let breaker = breaker(&clock, Policy::consecutive_failures(3));
    fail(&breaker);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.retry_after(), Some(WAIT));
    let rejected = breaker.call(|| -> Result<(), ()> { unreachable!("it is open") }).unwrap_err();
    assert!(matches!(rejected, Error::Rejected(it) if it.retry_after == Some(WAIT)));
    clock.advance(WAIT);
    assert_eq!(breaker.state(), State::HalfOpen);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(WAIT);
    assert_eq!(breaker.call(|| Ok::<_, ()>(1)), Ok(1));
    assert_eq!(breaker.state(), State::Closed);
}
