//! Half open: so many probes, whatever becomes of them, and a verdict that is theirs.

use crate::support::{Log, WAIT, builder, due, fail, is_rejected, secs, succeed, touchy};
use lockgate_breaker::clock::{Clock, Manual, Timestamp};
use lockgate_breaker::{DropPolicy, Error, Outcome, Policy, Reason, Recorded, State, Window};
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// resilience4j#544, #545, #858, #903, #935, Polly#1979, gobreaker#49, #122, circuitbreaker-rs, nora#585: a probe that
/// said nothing, was dropped or hung rejected calls for ever.
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

/// gobreaker: a goroutine that ends by `runtime.Goexit`, and never says `done`. A thread that ends drops its permit; one
/// whose permit is lost with it is given up when the lease is over.
#[test]
fn a_thread_that_ends_without_telling() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock), &clock);
    let probe = breaker.try_acquire_owned().unwrap();
    std::thread::spawn(move || {
        let _probe = probe;
    })
    .join()
    .unwrap();
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.probes_under_way), (State::HalfOpen, 0));
    let probe = breaker.try_acquire_owned().unwrap();
    std::thread::spawn(move || std::mem::forget(probe)).join().unwrap();
    assert!(is_rejected(&breaker));
    clock.advance(secs(30));
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}

/// gobreaker#30, #49, #53, #63: nobody knew why a half-open circuit rejects, or that the first failure decides, and it
/// could not be said otherwise.
#[test]
fn what_a_half_open_circuit_asks_for_can_be_said() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock).probes(3), &clock);
    let [one, two, three] = [0; 3].map(|_| breaker.try_acquire().unwrap());
    let rejected = breaker.try_acquire().unwrap_err();
    assert_eq!((rejected.state, rejected.retry_after), (State::HalfOpen, None));
    assert_eq!(rejected.to_string(), "the circuit is half open and has no probe left");
    assert_eq!(one.success(), Recorded::Counted);
    assert_eq!(two.failure(), Recorded::Opened, "all have to succeed");
    assert_eq!(three.success(), Recorded::Stale);

    let breaker = due(touchy(&clock).probes(3).successes(2), &clock);
    let [one, two, three] = [0; 3].map(|_| breaker.try_acquire().unwrap());
    assert_eq!(one.failure(), Recorded::Counted, "two may still succeed");
    assert_eq!(two.success(), Recorded::Counted);
    assert_eq!(three.success(), Recorded::Closed);

    let breaker = due(touchy(&clock).probes(3).successes(2), &clock);
    let [one, two, three] = [0; 3].map(|_| breaker.try_acquire().unwrap());
    assert_eq!(one.failure(), Recorded::Counted);
    assert_eq!(two.failure(), Recorded::Opened, "decided before the third is back");
    assert_eq!(three.success(), Recorded::Stale);
}

/// failsafe-go and breaker 2.x count probes at a time only, tower-resilience in all only. Here it is both, if wanted.
#[test]
fn so_many_in_all_and_so_many_at_a_time() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock).probes(5).probes_at_a_time(2), &clock);
    for _ in 0..2 {
        let [one, two] = [0; 2].map(|_| breaker.try_acquire().unwrap());
        assert!(is_rejected(&breaker), "a third at a time");
        assert_eq!([one.success(), two.success()], [Recorded::Counted; 2]);
    }
    let last = breaker.try_acquire().unwrap();
    assert!(is_rejected(&breaker), "a sixth");
    assert_eq!(last.success(), Recorded::Closed);
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

/// Hystrix#1350, #1853, #1861, Polly#216, #217, failsafe, failsafe-go, breaker 2.0.2, tower-resilience, linkerd2-proxy (the
/// verdict is that of the next response): a result of before the circuit opened.
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

/// Hystrix#1853, #1861: any command that was cancelled took the true probe's place, so that its success closed
/// nothing. dsx-ai-factory/nv-redfish#211: nor does a probe of an older episode free the place of the one that is
/// under way.
#[test]
fn a_cancelled_call_of_before_frees_no_place() {
    let clock = Manual::new();
    for policy in [DropPolicy::Timed, DropPolicy::Ignore, DropPolicy::Failure] {
        let breaker = touchy(&clock).on_drop(policy).build().unwrap();
        let [closed_era, other] = [0; 2].map(|_| breaker.try_acquire().unwrap());
        fail(&breaker);
        clock.advance(WAIT);
        let first = breaker.try_acquire().unwrap();
        drop(closed_era);
        assert_eq!((breaker.state(), is_rejected(&breaker)), (State::HalfOpen, true));
        clock.advance(secs(30));
        let second = breaker.try_acquire().unwrap();
        drop((other, first));
        let snapshot = breaker.snapshot();
        assert_eq!((snapshot.state, snapshot.probes_under_way), (State::HalfOpen, 1), "{policy:?}");
        assert!(is_rejected(&breaker));
        assert_eq!(second.success(), Recorded::Closed, "{policy:?}");
    }
}

/// Polly: an outcome that its predicate does not handle, a cancelled probe for one, closed the circuit; or, as in
/// Polly#311 and #717, was the single attempt for as long as the circuit would have been open.
#[test]
fn what_says_nothing_decides_nothing() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock).on_drop(DropPolicy::Ignore), &clock);
    let says_nothing = |_: &Result<(), ()>| Outcome::Ignore;
    for _ in 0..3 {
        assert_eq!(breaker.call_with(&says_nothing, || Err(())), Err(Error::Inner(())));
        assert_eq!(breaker.state(), State::HalfOpen);
        drop(breaker.try_acquire().unwrap());
        assert_eq!(breaker.state(), State::HalfOpen);
    }
    fail(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

/// getnora-io/nora#585, #607: a path, that of the 4xx, recorded nothing. Here every outcome ends a probe.
#[test]
fn every_outcome_ends_a_probe() {
    let clock = Manual::new();
    let all = [Outcome::Success, Outcome::Failure, Outcome::Ignore, Outcome::TripFor(secs(1))];
    for outcome in all {
        let breaker = due(touchy(&clock).probes(2), &clock);
        let held = breaker.try_acquire().unwrap();
        assert_eq!(
            breaker.call_with(&|_: &Result<(), u16>| outcome, || Err(404)),
            Err(Error::Inner(404))
        );
        let left = match breaker.state() {
            State::HalfOpen => 1,
            _ => 0,
        };
        assert_eq!(breaker.snapshot().probes_under_way, left, "{outcome:?}");
        held.ignore();
        assert_eq!(breaker.snapshot().probes_under_way, 0, "{outcome:?}");
    }
}

/// resilience4j: `releasePermission` adds without a bound. circuitbreaker-rs: its counter of probes is read and then
/// taken from, and may go below zero. However many are given back, of whatever state, there are as many places as
/// there were.
#[test]
fn giving_back_makes_no_places() {
    const THREADS: usize = 8;
    const PROBES: u32 = 2;
    let clock = Manual::new();
    let breaker = touchy(&clock).probes(PROBES).build().unwrap();
    let before: Vec<_> = (0..100).map(|_| breaker.try_acquire().unwrap()).collect();
    fail(&breaker);
    clock.advance(WAIT);
    for _ in 0..100 {
        assert_eq!(breaker.try_acquire().unwrap().ignore(), Recorded::Ignored);
    }
    let (gate, inside) = (Barrier::new(THREADS), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                gate.wait();
                for turn in 0..1_000 {
                    let Ok(permit) = breaker.try_acquire() else { continue };
                    assert!(inside.fetch_add(1, Ordering::SeqCst) < PROBES);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    let _ = (turn % 2 == 0).then(|| permit.ignore());
                }
            });
        }
    });
    drop(before);
    assert_eq!(breaker.snapshot().probes_under_way, 0);
    let held: Vec<_> = std::iter::from_fn(|| breaker.try_acquire().ok()).collect();
    assert_eq!(held.len(), PROBES as usize);
}

/// resilience4j#858: what is only a question ate permits. matrixorigin/matrixone#26473: a request that asks twice.
#[test]
fn asking_takes_no_place() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock), &clock);
    for _ in 0..100 {
        assert_eq!((breaker.state(), breaker.retry_after()), (State::HalfOpen, None));
        assert_eq!(breaker.snapshot().probes_under_way, 0);
        assert!(breaker.try_acquire().is_ok(), "and dropped");
    }
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}

/// diegosouzapw/OmniRoute#13836, Hystrix#1723, #1781: for days and 49 607 rejections nothing got through, though all was
/// well. Each probe here is lost in a new way, and one gets through per lease all the same.
#[test]
fn a_probe_gets_through_whatever_becomes_of_those_before() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock).probe_lease(secs(10)), &clock);
    let mut rejections = 0;
    while rejections < 49_607 {
        std::mem::forget(breaker.try_acquire().expect("the lease is over"));
        for _ in 0..99 {
            assert!(breaker.try_acquire().is_err());
            rejections += 1;
            clock.advance(Duration::from_millis(100));
        }
        clock.advance(Duration::from_millis(100));
    }
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}

/// resilience4j#1568: it went from open to half open and back, and no call was let through meanwhile. Half open begins
/// with a probe here, whatever the ones before were told.
#[test]
fn half_open_begins_with_a_probe() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let log = Log::of(&breaker);
    fail(&breaker);
    for round in 0..100 {
        clock.advance(WAIT);
        assert_eq!(log.all().last().unwrap().to, State::Open);
        let probe = breaker.try_acquire().unwrap();
        assert_eq!(log.all().last().unwrap().to, State::HalfOpen);
        if round % 2 == 0 {
            probe.ignore();
            fail(&breaker);
        } else {
            probe.failure();
        }
    }
    assert_eq!(log.path().len(), 201);
}

/// exaring/hoglet#12: a circuit that a failed probe opens again is open for the whole time again, from then on.
#[test]
fn a_failed_probe_opens_for_the_whole_time() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock), &clock);
    let probe = breaker.try_acquire().unwrap();
    clock.advance(secs(3));
    assert_eq!(probe.failure(), Recorded::Opened);
    assert_eq!(breaker.retry_after(), Some(WAIT));
    clock.advance(WAIT - Duration::from_nanos(1));
    assert!(is_rejected(&breaker));
    clock.advance(Duration::from_nanos(1));
    assert!(!is_rejected(&breaker));
}

/// Failsafe's nested breakers: what the inner one rejects is no news of what the outer one looks at.
#[test]
fn a_breaker_in_a_breaker() {
    let clock = Manual::new();
    let (outer, inner) = (touchy(&clock).build().unwrap(), touchy(&clock).build().unwrap());
    let seen = |result: &Result<(), Error<u8>>| match result {
        Ok(()) => Outcome::Success,
        Err(Error::Rejected(_)) => Outcome::Ignore,
        Err(Error::Inner(_)) => Outcome::Failure,
    };
    fail(&inner);
    let both = |well: bool| {
        let work = || inner.call(|| if well { Ok(()) } else { Err(1) });
        outer.call_with(&seen, work)
    };
    assert!(matches!(both(true), Err(Error::Inner(Error::Rejected(_)))));
    assert_eq!(outer.state(), State::Closed);
    clock.advance(WAIT);
    assert!(matches!(both(false), Err(Error::Inner(Error::Inner(1)))));
    assert_eq!((outer.state(), inner.state()), (State::Open, State::Open));
    clock.advance(WAIT);
    assert_eq!(both(true), Ok(()));
    assert_eq!((outer.state(), inner.state()), (State::Closed, State::Closed));
}

/// Failsafe#391: places that were given back after a success let more than N through. Failsafe#135, OpenLiberty#7080: used
/// by itself, call by call, it could not limit them.
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

/// tower-resilience 0.14: probes that had succeeded left the window of time, and it stayed half open.
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

/// failsafe and recloser let 32 of 32 through, circuit_breaker, nobreak, antflydb/termite#27 and OmniRoute all who come
/// while it is half open, resilience4j#1432 and hoglet all who came at the deadline, Polly#216 and #223 several.
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
            let (gate, admitted) = (Barrier::new(THREADS), AtomicU32::new(0));
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
