//! What holds whatever the policy.

use lockgate_breaker::clock::{Cached, Clock, Manual, Monotonic, Timestamp};
use lockgate_breaker::{Backoff, Breaker, Error, Policy, State};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

const WAIT: Duration = Duration::from_secs(5);

fn breaker(clock: &Manual, policy: Policy) -> Breaker<Manual> {
    let open_for = Backoff::fixed(WAIT).jitter(0.0);
    Breaker::builder("t").policy(policy).open_for(open_for).clock(clock.clone()).build().unwrap()
}

fn fail<C: Clock>(breaker: &Breaker<C>) {
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

/// Whatever the drop policy says of drops: a probe whose holder panics has failed, and gives no place away.
#[test]
fn a_permit_that_unwinds_is_a_failure() {
    let clock = Manual::new();
    let breaker = breaker(&clock, Policy::consecutive_failures(1));
    fail(&breaker);
    clock.advance(breaker.retry_after().unwrap());
    let permit = breaker.try_acquire_owned().unwrap();
    let holder = AssertUnwindSafe(move || {
        let _permit = permit;
        panic!("of the holder");
    });
    assert!(catch_unwind(holder).is_err());
    assert_eq!((breaker.state(), breaker.snapshot().openings), (State::Open, 2));
}

/// A clock's own subtraction agrees with its time.
#[test]
fn what_is_left_is_what_is_between() {
    fn check(clock: &(impl Clock + ?Sized)) {
        let before = clock.now();
        let then = before + Duration::from_secs(3_600);
        let left = clock.left(then).expect("an hour is left");
        let after = clock.now();
        assert!(left <= then.saturating_since(before), "{left:?}");
        assert!(left >= then.saturating_since(after), "{left:?}");
        assert_eq!(clock.left(before), None, "over");
        assert_eq!(clock.left(Timestamp::default()), None, "long over");
        assert!(clock.left(Timestamp::from_nanos(u64::MAX)).is_some(), "the last moment there is");
    }
    check(&Monotonic::new());
    check(&Arc::new(Monotonic::new()));
    check(&Cached::by_hand());
    let manual = Manual::new();
    manual.set(Timestamp::from_nanos(1_999_999_999));
    check(&manual);
    assert_eq!(manual.left(Timestamp::from_nanos(2_000_000_000)), Some(Duration::from_nanos(1)));
}
