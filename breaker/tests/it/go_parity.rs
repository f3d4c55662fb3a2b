//! gobreaker's tests (v2 at fed8e9e), by behaviour: one for each, under its name.
//!
//! | its file | where its tests are |
//! |---|---|
//! | `gobreaker_test.go` | `TestStateConstants`, `TestNewCircuitBreaker`, `TestDefaultCircuitBreaker`, `TestCustomCircuitBreaker`, `TestRollingWindowCircuitBreaker`, `TestPanicInRequest`, `TestGeneration`, `TestCustomIsSuccessful`, `TestIsExcludedAndIsSuccessfulCombination`, `TestCircuitBreakerInParallel`, `TestRollingWindowCircuitBreakerInParallel`: here, all |
//! | `twostep_gobreaker_test.go` | `TestTwoStepCircuitBreaker`: here |
//! | `counter_test.go` | `TestCountsMethods`, `TestNewRollingCounts`, `TestRollingCountsIndex`, `TestRollingCountsCurrent`, `TestRollingCountsMethods`, `TestRollingCountsGrow`, `TestRollingCountsBucketAt`, `TestEmptyRollingCounts`: here, as far as a [`Snapshot`](lockgate_breaker::Snapshot) shows it. Its buckets are no type here: that no index is out of bounds is what `tests::windows` of the white-box tests tries, by random calls against a list |
//! | `distributed_gobreaker_test.go` | the table below |
//! | `redis/store_test.go` | none: there is no store. It asks of a store what a store of one's own would have to do |
//!
//! Its distributed breaker keeps one state for all in a store, which each call locks. Here each instance has its own and
//! tells the others; what its tests ask of the instance that runs them is asked here all the same, with a second one to be
//! told:
//!
//! | its test | here |
//! |---|---|
//! | `TestDistributedCircuitBreakerInitialization` | [`distributed_initialization`]: a new instance closes nothing and opens nothing |
//! | `TestDistributedCircuitBreakerStateTransitions` | [`distributed_state_transitions`] |
//! | `TestDistributedCircuitBreakerExecution` | [`distributed_execution`]: what others say changes no result |
//! | `TestDistributedCircuitBreakerCounts` | not shared, so that a sick instance does not count for all: [`distributed_counts`] |
//! | `TestCustomDistributedCircuitBreaker` | counts and interval are `TestCustomCircuitBreaker`, as an instance has them by itself |
//! | `TestCustomDistributedCircuitBreakerStateTransitions` | [`distributed_state_transitions`]: the listeners of both |
//! | `TestDistributedCircuitBreakerTimeSynchronization`, `TestDistributedCircuitBreakerBucketIndexingConsistency` | cannot be: no time of one is a time of another. A hint has a time to live by the clock of who gets it: [`distributed_time`] |

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

/// `Counts`: what each kind of result adds, and that a transition begins anew.
#[test]
fn counts_methods() {
    let clock = Manual::new();
    let window = Policy::failure_rate(1.0).window(Window::count(10));
    let breaker = builder(&clock, Policy::all([Policy::consecutive_failures(5), window]));
    let breaker = breaker.build().unwrap();
    let counts = || {
        let snapshot = breaker.snapshot();
        let all = snapshot.windows[0];
        (all.calls, all.failures, snapshot.consecutive_failures)
    };
    assert_eq!(counts(), (0, 0, 0));
    succeed(&breaker);
    assert_eq!(counts(), (1, 0, 0));
    fail(&breaker);
    fail(&breaker);
    assert_eq!(counts(), (3, 2, 2));
    breaker.try_acquire().unwrap().ignore();
    assert_eq!(counts(), (3, 2, 2), "what is excluded counts nowhere");
    succeed(&breaker);
    assert_eq!(counts(), (4, 2, 0));
    breaker.reset();
    assert_eq!(counts(), (0, 0, 0));
}

/// There, no bucket or fewer is one. Here it is an error.
#[test]
fn new_rolling_counts() {
    let of = |buckets| {
        let policy = Policy::failure_rate(0.5).window(Window::time(secs(5), buckets));
        builder(&Manual::new(), policy).build()
    };
    let error = of(0).unwrap_err().to_string();
    assert_eq!(error, "the buckets of a window of 0 is out of the range 1 to 1000");
    for buckets in [1, 5] {
        let empty = of(buckets).unwrap().snapshot().windows;
        assert_eq!(empty, [lockgate_breaker::Counts::default()], "TestEmptyRollingCounts");
    }
}

/// `Index`, `Current`, `Grow` and `BucketAt`: a second per bucket, through several rounds, and one step that is longer
/// than all.
#[test]
fn rolling_counts() {
    let clock = Manual::new();
    let policy = Policy::failure_rate(1.0).min_calls(1_000).window(Window::time(secs(5), 5));
    let breaker = builder(&clock, policy).build().unwrap();
    let counts = || (breaker.snapshot().windows[0].calls, breaker.snapshot().windows[0].failures);
    clock.advance(Duration::from_millis(100));
    for second in 0_u64..17 {
        // So many calls in this second, all of which fail in each second one.
        for _ in 0..=second {
            if second % 2 == 0 { succeed(&breaker) } else { fail(&breaker) }
        }
        let last = second.saturating_sub(4)..=second;
        let calls = last.clone().map(|it| it + 1).sum();
        let failures = last.filter(|it| it % 2 == 1).map(|it| it + 1).sum();
        assert_eq!(counts(), (calls, failures), "{second}");
        clock.advance(secs(1));
    }
    clock.advance(secs(100));
    assert_eq!(counts(), (0, 0));
    fail(&breaker);
    assert_eq!(counts(), (1, 1));
    clock.advance(secs(4));
    succeed(&breaker);
    assert_eq!(counts(), (2, 1), "both ends of the window");
    clock.advance(secs(1));
    assert_eq!(counts(), (1, 0));
}

/// Two instances, each of which hears what the other publishes.
struct Fleet {
    clock: Manual,
    one: Breaker<Manual>,
    other: Breaker<Manual>,
}

impl Fleet {
    fn new() -> Self {
        let clock = Manual::new();
        let build = || touchy(&clock).remote_quorum(1).build().unwrap();
        let fleet = Self { clock: clock.clone(), one: build(), other: build() };
        Self::hears(&fleet.other, &fleet.one, "one");
        Self::hears(&fleet.one, &fleet.other, "other");
        fleet
    }

    fn hears(who: &Breaker<Manual>, whom: &Breaker<Manual>, origin: &'static str) {
        let who = who.clone();
        let publish = move |it: &lockgate_breaker::Transition| {
            // What was heard is not told again.
            if it.reason != lockgate_breaker::Reason::Hinted {
                who.apply_remote_hint(it.to, it.open_for.unwrap_or(WAIT), origin);
            }
        };
        whom.on_transition(publish).forever();
    }

    fn states(&self) -> [State; 2] {
        [self.one.state(), self.other.state()]
    }
}

#[test]
fn distributed_initialization() {
    let fleet = Fleet::new();
    assert_eq!(fleet.states(), [State::Closed; 2]);
    fail(&fleet.one);
    assert_eq!(fleet.states(), [State::Open; 2]);
    // One that comes later has heard nothing, and nobody hears of it.
    let third = touchy(&fleet.clock).remote_quorum(1).build().unwrap();
    Fleet::hears(&fleet.one, &third, "third");
    assert_eq!((third.state(), fleet.states()), (State::Closed, [State::Open; 2]));
}

#[test]
fn distributed_state_transitions() {
    let fleet = Fleet::new();
    let logs = [Log::of(&fleet.one), Log::of(&fleet.other)];
    fail(&fleet.one);
    assert_eq!(fleet.states(), [State::Open; 2]);
    assert!(is_rejected(&fleet.other));
    fleet.clock.advance(WAIT);
    assert_eq!(fleet.states(), [State::HalfOpen; 2]);
    succeed(&fleet.one);
    assert_eq!(fleet.states(), [State::Closed, State::HalfOpen], "each has probes of its own");
    fail(&fleet.other);
    assert_eq!(fleet.states(), [State::Open; 2], "and what they find out is told");
    fleet.clock.advance(WAIT);
    succeed(&fleet.one);
    succeed(&fleet.other);
    assert_eq!(fleet.states(), [State::Closed; 2]);
    let path = [State::Open, State::HalfOpen, State::Closed];
    assert_eq!(logs[0].path(), [path, path].concat());
    let other = [&path[..2], &path[..]].concat();
    assert_eq!(logs[1].path(), other);
}

#[test]
fn distributed_execution() {
    let fleet = Fleet::new();
    assert_eq!(fleet.one.call(|| Ok::<_, ()>("result")), Ok("result"));
    assert_eq!(fleet.one.call(|| Err::<(), _>("error")), Err(Error::Inner("error")));
    let called = fleet.other.call(|| -> Result<(), ()> { unreachable!("it is open") });
    assert!(called.unwrap_err().is_rejected());
}

#[test]
fn distributed_counts() {
    let clock = Manual::new();
    let build = || builder(&clock, Policy::consecutive_failures(3)).build().unwrap();
    let (one, other) = (build(), build());
    Fleet::hears(&other, &one, "one");
    fail(&one);
    fail(&one);
    let streaks = [&one, &other].map(|it| it.snapshot().consecutive_failures);
    assert_eq!(streaks, [2, 0]);
}

#[test]
fn distributed_time() {
    let (here, there) = (Manual::new(), Manual::new());
    // Their clocks have nothing to do with each other.
    there.advance(secs(1_000_000));
    let one = touchy(&here).remote_quorum(1).build().unwrap();
    let other = touchy(&there).remote_quorum(1).build().unwrap();
    Fleet::hears(&other, &one, "one");
    fail(&one);
    assert_eq!([one.retry_after(), other.retry_after()], [Some(WAIT); 2]);
    there.advance(WAIT);
    assert_eq!([one.state(), other.state()], [State::Open, State::HalfOpen]);
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
