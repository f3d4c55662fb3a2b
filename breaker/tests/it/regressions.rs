//! Defects of others, each with its reference: what must not happen here.

use crate::support::{Log, WAIT, builder, due, fail, is_rejected, secs, succeed, touchy};
use lockgate_breaker::clock::{Clock, Manual, Timestamp};
use lockgate_breaker::{
    Backoff, Breaker, DropPolicy, Outcome, Policy, Reason, Recorded, State, Window,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// gobreaker#37, failsafe's `reset` inside its instrument: a listener that uses the breaker.
#[test]
fn a_listener_may_use_the_breaker() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let log = Log::of(&breaker);
    let inner = breaker.clone();
    let listener = breaker.on_transition(move |it| {
        assert_eq!(inner.state(), it.to);
        if it.to == State::Open {
            inner.reset();
        }
    });
    fail(&breaker);
    assert_eq!(log.path(), [State::Open, State::Closed]);
    drop(listener);
    fail(&breaker);
    assert_eq!(log.path(), [State::Open, State::Closed, State::Open]);
}

/// One that comes while another is told: what was before it, though not told yet, is not its business.
#[test]
fn a_listener_is_told_of_nothing_before_it() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let (inner, later) = (breaker.clone(), Arc::new(std::sync::Mutex::new(None)));
    let slot = Arc::clone(&later);
    let first = breaker.on_transition(move |it| {
        if it.to == State::Open {
            inner.disable();
            *slot.lock().unwrap() = Some(Log::of(&inner));
            inner.metrics_only();
        }
    });
    fail(&breaker);
    drop(first);
    let later = later.lock().unwrap().take().unwrap();
    assert_eq!(later.path(), [State::MetricsOnly]);
}

/// Polly#223, resilience4j#674: a state that was so already is told again.
#[test]
fn what_is_so_already_is_not_told() {
    let clock = Manual::new();
    let breaker = builder(&clock, Policy::consecutive_failures(2)).build().unwrap();
    let log = Log::of(&breaker);
    fail(&breaker);
    breaker.reset();
    fail(&breaker);
    assert_eq!((log.path(), breaker.state()), (vec![], State::Closed), "it has begun anew");
    breaker.force_open();
    breaker.force_open();
    breaker.force_open_for(secs(2));
    assert_eq!(breaker.retry_after(), Some(secs(2)));
    breaker.disable();
    breaker.disable();
    breaker.metrics_only();
    breaker.metrics_only();
    assert_eq!(log.path(), [State::ForcedOpen, State::Disabled, State::MetricsOnly]);
}

/// A panic of a listener is its own.
#[test]
fn a_listener_may_panic() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    breaker.on_transition(|_| panic!("a listener")).forever();
    let log = Log::of(&breaker);
    fail(&breaker);
    breaker.reset();
    assert_eq!(log.path(), [State::Open, State::Closed]);
}

/// SolaceProducts/solace-broker-mcp#296 on gobreaker: failures that are wide apart never got to
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

/// resilience4j#544, #858, #903, Polly#1979, circuitbreaker-rs, nora#585: a probe that said nothing, was
/// dropped or hung rejected calls for ever.
#[test]
fn no_probe_wedges_the_circuit() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock).on_drop(DropPolicy::Ignore), &clock);
    assert_eq!(breaker.try_acquire().unwrap().ignore(), Recorded::Ignored);
    drop(breaker.try_acquire().unwrap());
    // One that is never heard of again.
    std::mem::forget(breaker.try_acquire().unwrap());
    assert!(is_rejected(&breaker));
    clock.advance(secs(30));
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}

/// gobreaker: a half-open circuit without traffic; its probe comes back after the lease.
#[test]
fn a_probe_that_is_late_changes_nothing() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock), &clock);
    let log = Log::of(&breaker);
    let late = breaker.try_acquire().unwrap();
    clock.advance(secs(30));
    let next = breaker.try_acquire().unwrap();
    assert_eq!(late.failure(), Recorded::Stale);
    assert_eq!(breaker.snapshot().probes_under_way, 1);
    assert_eq!(next.success(), Recorded::Closed);
    let reasons: Vec<_> = log.all().iter().map(|it| it.reason).collect();
    assert_eq!(reasons, [Reason::OpenTimeOver, Reason::LeaseOver, Reason::Recovered]);
}

/// Hystrix#1853, Polly#216, failsafe-go, breaker 2.0.2: a result of before the circuit opened.
#[test]
fn results_of_before_decide_nothing() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let before = [0; 3].map(|_| breaker.try_acquire().unwrap());
    fail(&breaker);
    let [one, two, three] = before;
    assert_eq!(one.failure(), Recorded::Stale, "open");
    assert_eq!(breaker.retry_after(), Some(WAIT), "Polly#218: not longer for that");
    clock.advance(WAIT);
    let probe = breaker.try_acquire().unwrap();
    assert_eq!(two.success(), Recorded::Stale);
    assert_eq!(three.ignore(), Recorded::Stale);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(is_rejected(&breaker), "and no place was made by them");
    assert_eq!(probe.success(), Recorded::Closed);
}

/// Failsafe#391: places that were given back after a success let more than N through.
#[test]
fn probes_are_counted_per_episode() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock).probes(3), &clock);
    let mut admitted = 0;
    let held = breaker.try_acquire().unwrap();
    while let Ok(permit) = breaker.try_acquire() {
        admitted += 1;
        assert_eq!(permit.success(), Recorded::Counted);
    }
    assert_eq!(admitted, 2);
    assert_eq!(held.success(), Recorded::Closed);
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

/// The same crate: probes that had succeeded left the window of time, and it stayed half open.
#[test]
fn a_slow_recovery_is_one() {
    let clock = Manual::new();
    let window = Window::time(secs(10), 10);
    let policy = Policy::failure_rate(0.5).min_calls(1).window(window);
    let breaker = due(builder(&clock, policy).probes(3), &clock);
    for _ in 0..3 {
        assert_eq!(breaker.state(), State::HalfOpen);
        succeed(&breaker);
        clock.advance(secs(25));
    }
    assert_eq!(breaker.state(), State::Closed);
}

/// resilience4j#646, #674, breaker 2.0.2: opened while open, told twice, with a longer back-off.
#[test]
fn what_is_open_opens_once() {
    let clock = Manual::new();
    let policy = Policy::consecutive_failures(1);
    let open_for = Backoff::exponential(WAIT, secs(60)).jitter(0.0);
    let breaker = builder(&clock, policy).open_for(open_for).build().unwrap();
    let log = Log::of(&breaker);
    let permits = [0; 8].map(|_| breaker.try_acquire().unwrap());
    for permit in permits {
        permit.failure();
    }
    assert_eq!(log.path(), [State::Open]);
    assert_eq!(breaker.retry_after(), Some(WAIT));
    for wait in [10, 20, 40, 60, 60] {
        clock.advance(breaker.retry_after().unwrap());
        fail(&breaker);
        assert_eq!(breaker.retry_after(), Some(secs(wait)));
    }
}

/// breaker 2.0.2 told of closed to open and of half open to closed, and not of what lay between.
#[test]
fn all_transitions_are_told() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let log = Log::of(&breaker);
    fail(&breaker);
    clock.advance(WAIT);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(log.path(), [State::Open], "asking changes nothing (Polly#481)");
    succeed(&breaker);
    assert_eq!(log.path(), [State::Open, State::HalfOpen, State::Closed]);
    let opened = &log.all()[0];
    assert_eq!((opened.reason, opened.open_for), (Reason::Tripped, Some(WAIT)));
    assert_eq!((&*opened.name, opened.at), ("test", Timestamp::default()));
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

/// failsafe's average asserts that time goes forward.
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

/// A clock that jumps ahead while probes are under way and comes back: their lease is no lease of others, and
/// a probe that is forgotten is waited for no longer than two leases.
#[test]
fn a_lease_of_a_clock_that_jumped_wedges_nobody() {
    let clock = Manual::new();
    let lease = secs(30);
    let breaker = due(touchy(&clock).probe_lease(lease), &clock);
    let now = clock.now();
    let far = Timestamp::from_nanos(1 << 60);
    // The next episodes have leases of their own.
    clock.set(far);
    let probe = breaker.try_acquire().unwrap();
    clock.set(now);
    probe.success();
    fail(&breaker);
    clock.advance(WAIT);
    std::mem::forget(breaker.try_acquire().unwrap());
    assert!(is_rejected(&breaker));
    clock.advance(lease);
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    // The probe of the jump itself is forgotten.
    fail(&breaker);
    clock.advance(WAIT);
    let now = clock.now();
    clock.set(far);
    std::mem::forget(breaker.try_acquire().unwrap());
    assert!(is_rejected(&breaker));
    clock.set(now);
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    // A small step back is not a jump.
    fail(&breaker);
    clock.advance(WAIT);
    let now = clock.now();
    clock.advance(lease);
    std::mem::forget(breaker.try_acquire().unwrap());
    clock.set(now);
    assert!(is_rejected(&breaker));
    clock.advance(2 * lease);
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}

/// A server that says for how long: failsafe-go's `DelayFunc`, Polly's generator.
#[test]
fn an_outcome_may_open_it() {
    let clock = Manual::new();
    let breaker = Breaker::builder("test").clock(clock.clone()).build().unwrap();
    let log = Log::of(&breaker);
    let told = breaker.try_acquire().unwrap().outcome(Outcome::TripFor(secs(17)));
    assert_eq!(told, Recorded::Opened);
    assert_eq!(breaker.retry_after(), Some(secs(17)));
    assert_eq!(log.all()[0].reason, Reason::Told);
    clock.advance(secs(17));
    let told = breaker.try_acquire().unwrap().outcome(Outcome::TripFor(secs(3)));
    assert_eq!((told, breaker.retry_after()), (Recorded::Opened, Some(secs(3))));
}

/// What was forced stays, whatever comes back from before.
#[test]
fn forced_states_hold() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let before = breaker.try_acquire().unwrap();
    breaker.metrics_only();
    assert_eq!(before.failure(), Recorded::Stale);
    (0..3).for_each(|_| fail(&breaker));
    assert_eq!(breaker.snapshot().consecutive_failures, 3);
    assert_eq!(breaker.state(), State::MetricsOnly);
    breaker.disable();
    fail(&breaker);
    assert_eq!((breaker.state(), breaker.snapshot().consecutive_failures), (State::Disabled, 0));
    breaker.force_open();
    clock.advance(secs(1 << 30));
    assert!(is_rejected(&breaker));
    assert_eq!((breaker.state(), breaker.retry_after()), (State::ForcedOpen, None));
    breaker.force_open_for(secs(2));
    assert_eq!(breaker.retry_after(), Some(secs(2)));
    clock.advance(secs(2));
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
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

/// failsafe and recloser let 32 of 32 through, resilience4j#1432 all who came at the deadline.
#[test]
fn a_storm_at_the_deadline_gets_exactly_n() {
    const THREADS: usize = 64;
    for probes in [1, 3, 10] {
        let clock = Manual::new();
        let breaker = touchy(&clock).probes(probes).build().unwrap();
        let log = Log::of(&breaker);
        for _ in 0..20 {
            fail(&breaker);
            clock.advance(WAIT);
            let (gate, admitted) = (std::sync::Barrier::new(THREADS), AtomicU32::new(0));
            std::thread::scope(|scope| {
                for _ in 0..THREADS {
                    scope.spawn(|| {
                        gate.wait();
                        let permit = breaker.try_acquire();
                        // All have come before the first goes.
                        gate.wait();
                        if let Ok(permit) = permit {
                            admitted.fetch_add(1, Ordering::Relaxed);
                            permit.success();
                        }
                    });
                }
            });
            assert_eq!(admitted.into_inner(), probes);
            assert_eq!(breaker.state(), State::Closed);
        }
        assert_eq!(log.path().len(), 60);
    }
}

/// A back-off that is the user's, and panics.
#[test]
fn a_back_off_of_ones_own() {
    let clock = Manual::new();
    let open_for = Backoff::custom(|attempt| match attempt {
        1 => secs(3),
        2 => secs(8),
        _ => panic!("no more"),
    });
    let breaker = touchy(&clock).open_for(open_for.jitter(0.0)).build().unwrap();
    for wait in [3, 8, 60] {
        fail(&breaker);
        assert_eq!(breaker.retry_after(), Some(secs(wait)));
        clock.advance(secs(wait));
    }
}

/// What has been said of chance: shorter by no more than the part, and not always the same.
#[test]
fn jitter_shortens() {
    let clock = Arc::new(Manual::new());
    let policy = Policy::consecutive_failures(1);
    let open_for = Backoff::fixed(secs(100)).jitter(0.5);
    let mut waits = Vec::new();
    for _ in 0..100 {
        let builder = Breaker::builder("t").policy(policy.clone()).open_for(open_for.clone());
        let breaker = builder.clock(Arc::clone(&clock)).build().unwrap();
        fail(&breaker);
        waits.push(breaker.retry_after().unwrap());
    }
    assert!(waits.iter().all(|wait| (secs(50)..=secs(100)).contains(wait)), "{waits:?}");
    waits.sort_unstable();
    assert!(waits[90] - waits[10] > secs(10), "{waits:?}");
    assert_eq!(clock.now(), Timestamp::default());
}

/// A permit that is dropped after its deadline is a failure, and before it nothing.
#[test]
fn a_dropped_permit_counts_by_its_time() {
    let clock = Manual::new();
    let breaker = touchy(&clock).call_deadline(secs(2)).build().unwrap();
    let permit = breaker.try_acquire().unwrap();
    clock.advance(secs(2) - Duration::from_nanos(1));
    drop(permit);
    assert_eq!(breaker.state(), State::Closed);
    let permit = breaker.try_acquire_owned().unwrap();
    clock.advance(secs(2));
    drop(permit);
    assert_eq!(breaker.state(), State::Open);
    for (policy, state) in [(DropPolicy::Ignore, State::Closed), (DropPolicy::Failure, State::Open)]
    {
        let breaker = touchy(&clock).on_drop(policy).build().unwrap();
        let permit = breaker.try_acquire().unwrap();
        clock.advance(secs(60));
        drop(permit);
        assert_eq!(breaker.state(), state);
    }
}
