//! gobreaker's tests (v2 at fed8e9e), by behaviour: one for each, under its name.

use crate::support::{Log, WAIT, builder, due, fail, is_rejected, secs, succeed, touchy};
use lockgate_breaker::clock::Manual;
use lockgate_breaker::{
    Backoff, Breaker, BuildError, Error, Outcome, Policy, Recorded, State, Window,
};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

#[test]
fn state_constants() {
    let names = [State::Closed, State::HalfOpen, State::Open].map(|state| state.to_string());
    assert_eq!(names, ["closed", "half_open", "open"]);
}

/// There, a negative time means the default. Here it cannot be said, and 0 is an error.
#[test]
fn new_circuit_breaker() {
    let breaker = Breaker::new("cb");
    assert_eq!((breaker.name(), breaker.state()), ("cb", State::Closed));
    assert_eq!(breaker.snapshot().consecutive_failures, 0);
    let error =
        Breaker::builder("cb").open_for(Backoff::fixed(Duration::ZERO)).build().unwrap_err();
    assert!(matches!(error, BuildError::Duration { knob: "the open time", .. }), "{error}");
    let error = Breaker::builder("cb").probes(0).build().unwrap_err();
    assert_eq!(error.to_string(), "the probes of 0 is out of the range 1 to 4095");
}

#[test]
fn default_circuit_breaker() {
    let clock = Manual::new();
    let breaker = builder(&clock, Policy::consecutive_failures(6)).build().unwrap();
    (0..5).for_each(|_| fail(&breaker));
    assert_eq!(breaker.snapshot().consecutive_failures, 5);
    succeed(&breaker);
    assert_eq!(breaker.snapshot().consecutive_failures, 0);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    (0..5).for_each(|_| fail(&breaker));
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(breaker.snapshot().consecutive_failures, 0);
    assert!(is_rejected(&breaker));
    clock.advance(WAIT - Duration::from_nanos(1));
    assert_eq!(breaker.state(), State::Open);
    assert!(is_rejected(&breaker));
    clock.advance(Duration::from_nanos(1));
    assert_eq!(breaker.state(), State::HalfOpen);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(WAIT);
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.snapshot().openings, 0);
}

#[test]
fn custom_circuit_breaker() {
    let clock = Manual::new();
    let window = Window::time(secs(30), 1);
    let policy = Policy::failure_rate(0.6).min_calls(3).window(window);
    let breaker = builder(&clock, policy).probes(3).build().unwrap();
    let log = Log::of(&breaker);
    succeed(&breaker);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    // What was counted leaves with its window.
    clock.advance(secs(40));
    assert_eq!(breaker.snapshot().windows[0].calls, 0);
    succeed(&breaker);
    fail(&breaker);
    assert_eq!(breaker.state(), State::Closed, "two are too few");
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(WAIT);
    for _ in 0..4 {
        assert_eq!(breaker.try_acquire().unwrap().ignore(), Recorded::Ignored);
    }
    assert_eq!(breaker.state(), State::HalfOpen, "what says nothing takes no place");
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
    clock.advance(WAIT);
    succeed(&breaker);
    succeed(&breaker);
    let third = breaker.try_acquire().unwrap();
    assert!(is_rejected(&breaker), "a fourth");
    assert_eq!(third.success(), Recorded::Closed);
    let path = [State::Open, State::HalfOpen, State::Open, State::HalfOpen, State::Closed];
    assert_eq!(log.path(), path);
}

#[test]
fn rolling_window_circuit_breaker() {
    let clock = Manual::new();
    let policy = Policy::failure_rate(0.6).min_calls(20).window(Window::time(secs(30), 10));
    let breaker = builder(&clock, policy).build().unwrap();
    let counts = || (breaker.snapshot().windows[0].calls, breaker.snapshot().windows[0].failures);
    clock.advance(Duration::from_millis(100));
    for bucket in 1..=10 {
        succeed(&breaker);
        fail(&breaker);
        assert_eq!(counts(), (2 * bucket, bucket), "{bucket}");
        clock.advance(secs(3));
    }
    assert_eq!(counts(), (18, 9), "the oldest has left");
    (0..4).for_each(|_| fail(&breaker));
    assert_eq!(breaker.state(), State::Closed, "13 of 22");
    assert_eq!(counts(), (22, 13));
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open, "14 of 23");
}

#[test]
fn panic_in_request() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let call = || breaker.call(|| -> Result<(), ()> { panic!("oops") });
    let payload = catch_unwind(AssertUnwindSafe(call)).unwrap_err();
    assert_eq!(payload.downcast_ref(), Some(&"oops"));
    assert_eq!(breaker.state(), State::Open);
}

/// There, a result is dropped when the interval has ended meanwhile. Here a window is no state: the
/// call counts when it ends. What is dropped is what began before a transition.
#[test]
fn generation() {
    let clock = Manual::new();
    let window = Window::time(secs(1), 1);
    let policy = Policy::failure_rate(0.5).min_calls(2).window(window);
    let breaker = builder(&clock, policy).build().unwrap();
    let long = breaker.try_acquire().unwrap();
    clock.advance(secs(10));
    assert_eq!(long.failure(), Recorded::Counted);
    assert_eq!(breaker.snapshot().windows[0].failures, 1);
    let stale = breaker.try_acquire().unwrap();
    breaker.reset();
    assert_eq!(stale.failure(), Recorded::Stale);
    assert_eq!(breaker.snapshot().windows[0].calls, 0);
}

#[test]
fn custom_is_successful() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let refused_is_fine = |result: &Result<(), u16>| match result {
        Ok(()) | Err(400..=499) => Outcome::Success,
        Err(_) => Outcome::Failure,
    };
    assert_eq!(breaker.call_with(&refused_is_fine, || Err(404)), Err(Error::Inner(404)));
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.call_with(&refused_is_fine, || Err(500)), Err(Error::Inner(500)));
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn is_excluded_and_is_successful_combination() {
    let clock = Manual::new();
    let policy = Policy::failure_rate(1.0).window(Window::count(10));
    let breaker = builder(&clock, policy).build().unwrap();
    let classify = |result: &Result<(), u16>| match result {
        Err(499) => Outcome::Ignore,
        Ok(()) | Err(400..=498) => Outcome::Success,
        Err(_) => Outcome::Failure,
    };
    for (status, calls, failures) in [(499, 0, 0), (404, 1, 0), (500, 2, 1), (499, 2, 1)] {
        let _ = breaker.call_with(&classify, || Err(status));
        let counts = breaker.snapshot().windows[0];
        assert_eq!((counts.calls, counts.failures), (calls, failures), "{status}");
    }
}

fn in_parallel(window: Window) {
    const THREADS: u64 = 10;
    const CALLS: u64 = 10_000;
    let clock = Manual::new();
    let policy = Policy::failure_rate(0.9).min_calls(10).window(window);
    let breaker = builder(&clock, policy).build().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                for call in 0..CALLS {
                    if call % 2 == 0 { succeed(&breaker) } else { fail(&breaker) }
                }
            });
        }
    });
    let counts = breaker.snapshot().windows[0];
    assert_eq!((counts.calls, counts.failures), (THREADS * CALLS, THREADS * CALLS / 2));
}

#[test]
fn circuit_breaker_in_parallel() {
    in_parallel(Window::count(100_000));
}

#[test]
fn rolling_window_circuit_breaker_in_parallel() {
    in_parallel(Window::time(secs(30), 10));
}

#[test]
fn two_step_circuit_breaker() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock).probes(2), &clock);
    let probes = [breaker.try_acquire().unwrap(), breaker.try_acquire().unwrap()];
    assert!(breaker.try_acquire().is_err());
    for probe in probes {
        assert_eq!(probe.ignore(), Recorded::Ignored);
    }
    let probes = [breaker.try_acquire().unwrap(), breaker.try_acquire().unwrap()];
    let told = probes.map(|probe| probe.record(&Ok::<_, ()>(())));
    assert_eq!(told, [Recorded::Counted, Recorded::Closed]);
}
