//! What is counted, and when that is too much.

use crate::support::{WAIT, builder, fail, secs, succeed};
use lockgate_breaker::clock::{Manual, Timestamp};
use lockgate_breaker::{Breaker, Outcome, Policy, Recorded, State, Window};

/// SolaceProducts/solace-broker-mcp#205 and #296 on gobreaker: failures that are wide apart never got to
/// their number, because a streak aged with the window.
#[test]
fn time_does_not_age_a_streak() {
    let clock = Manual::new();
    let window = Window::time(secs(10), 10);
    let rate = Policy::failure_rate(0.9).min_calls(100).window(window);
    let policy = Policy::any([Policy::consecutive_failures(5), rate]);
    let breaker = builder(&clock, policy).build().unwrap();
    for _ in 0..5 {
        assert_eq!(breaker.state(), State::Closed);
        fail(&breaker);
        clock.advance(secs(3_600));
    }
    assert_eq!(breaker.snapshot().openings, 1);
}

/// gobreaker: where calls take longer than its interval, each result comes in another generation than its call, and
/// nothing opens it ever. A window is no state here.
#[test]
fn calls_that_outlast_the_window_open_it() {
    let clock = Manual::new();
    for buckets in [1, 10] {
        let policy = Policy::failure_rate(0.5).min_calls(3).window(Window::time(secs(1), buckets));
        let breaker = builder(&clock, policy).build().unwrap();
        let permits = [0; 3].map(|_| breaker.try_acquire().unwrap());
        clock.advance(secs(60));
        let told = permits.map(|permit| permit.failure());
        assert_eq!(told, [Recorded::Counted, Recorded::Counted, Recorded::Opened]);
    }
}

/// recloser opens at the call after the ring is full, Hystrix when its timer looks, recloser before its PR 10 not when the
/// call that was missing succeeds. Here it is open when the very call that was too much has ended.
#[test]
fn it_opens_at_the_very_call() {
    let clock = Manual::new();
    for window in [Window::count(10), Window::time(secs(10), 10)] {
        for (outcomes, opens_at) in [
            ([true; 10], 10),
            ([true, true, false, true, false, true, false, true, true, false], 10),
        ] {
            let policy = Policy::failure_rate(0.6).min_calls(10).window(window);
            let breaker = builder(&clock, policy).build().unwrap();
            let told = outcomes.map(|failed| {
                let permit = breaker.try_acquire().expect("it is closed");
                if failed { permit.failure() } else { permit.success() }
            });
            let opened = told.iter().position(|it| *it == Recorded::Opened);
            assert_eq!(opened, Some(opens_at - 1), "{outcomes:?}");
        }
    }
}

/// circuitbreaker-rs: two of its policies look at windows that nobody feeds.
#[test]
fn every_policy_is_fed_by_every_kind_of_call() {
    let last = Window::time(secs(10), 10);
    let slow = |window| Policy::slow_call_rate(1.0, secs(1)).min_calls(3).window(window);
    let rate = |window| Policy::failure_rate(1.0).min_calls(3).window(window);
    let policies = [
        Policy::consecutive_failures(3),
        Policy::failures_of(3, 5),
        rate(Window::count(5)),
        rate(last),
        slow(Window::count(5)),
        slow(last),
        Policy::custom(Window::count(5), |counts| counts.failures >= 3),
        Policy::custom(last, |counts| counts.failures >= 3),
        Policy::any([Policy::consecutive_failures(3), rate(last)]),
        Policy::all([Policy::consecutive_failures(3), rate(last)]),
    ];
    type Way = fn(&Breaker<Manual>, &Manual);
    let ways: &[Way] = &[
        |breaker, clock| {
            let _ = breaker.call(|| {
                clock.advance(secs(1));
                Err::<(), _>(())
            });
        },
        |breaker, clock| {
            let _ = breaker.call_with(&|_: &Result<(), ()>| Outcome::Failure, || {
                clock.advance(secs(1));
                Ok(())
            });
        },
        |breaker, clock| {
            let permit = breaker.try_acquire().unwrap();
            clock.advance(secs(1));
            permit.failure();
        },
        |breaker, clock| {
            let permit = breaker.try_acquire_owned().unwrap();
            clock.advance(secs(1));
            // By the policy of drops: that was too long.
            drop(permit);
        },
        #[cfg(feature = "async")]
        |breaker, clock| {
            let future = async {
                clock.advance(secs(1));
                Err::<(), _>(())
            };
            let _ = futures::executor::block_on(breaker.run(future));
        },
    ];
    for policy in &policies {
        for (number, way) in ways.iter().enumerate() {
            let clock = Manual::new();
            let breaker = builder(&clock, policy.clone()).build().unwrap();
            (0..3).for_each(|_| way(&breaker, &clock));
            assert_eq!(breaker.state(), State::Open, "{policy:?}, way {number}");
        }
    }
}

/// tower-resilience 0.14: after 10 000 successes it took 10 000 failures to open.
#[test]
fn a_count_window_slides() {
    let clock = Manual::new();
    let policy = Policy::failure_rate(0.5).window(Window::count(10));
    let breaker = builder(&clock, policy).build().unwrap();
    (0..10_000).for_each(|_| succeed(&breaker));
    (0..4).for_each(|_| fail(&breaker));
    assert_eq!(breaker.state(), State::Closed);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

/// circuit_breaker 0.1.1: a success did not begin the streak anew.
#[test]
fn a_success_begins_anew() {
    let clock = Manual::new();
    let breaker = builder(&clock, Policy::consecutive_failures(2)).build().unwrap();
    for _ in 0..10 {
        fail(&breaker);
        succeed(&breaker);
    }
    assert_eq!(breaker.state(), State::Closed);
}

/// failsafe's average asserts that time goes forward; hoglet before its PR 25, failsafe-go, Failsafe, Hystrix, Polly and
/// resilience4j go by a clock that somebody may set.
#[test]
fn clocks_may_jump() {
    let clock = Manual::new();
    let window = Window::time(secs(10), 10);
    let rate = Policy::failure_rate(0.5).min_calls(1).window(window);
    let slow = Policy::slow_call_rate(0.5, secs(1)).min_calls(1).window(window);
    let breaker = builder(&clock, Policy::any([rate, slow])).build().unwrap();
    for nanos in [u64::MAX, 0, 1 << 60, 5, u64::MAX - 1, 1] {
        let permit = breaker.try_acquire();
        clock.set(Timestamp::from_nanos(nanos));
        if let Ok(permit) = permit {
            permit.success();
        }
        let _ = (breaker.state(), breaker.retry_after(), breaker.snapshot());
    }
    breaker.reset();
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(WAIT);
    succeed(&breaker);
}

/// Slow calls open it, and a slow probe does not close it.
#[test]
fn slow_is_not_recovered() {
    let clock = Manual::new();
    let policy = Policy::slow_call_rate(1.0, secs(2)).min_calls(2).window(Window::count(2));
    let breaker = builder(&clock, policy).build().unwrap();
    let slowly = |breaker: &Breaker<Manual>| {
        let answer = breaker.call(|| {
            clock.advance(secs(2));
            Ok::<_, ()>(())
        });
        assert_eq!(answer, Ok(()));
    };
    slowly(&breaker);
    slowly(&breaker);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(WAIT);
    slowly(&breaker);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(WAIT);
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}
