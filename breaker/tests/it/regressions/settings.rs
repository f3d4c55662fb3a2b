//! What is built, told by hand, waited for and handed on.

use crate::support::{Log, WAIT, builder, fail, is_rejected, secs, succeed, touchy};
use lockgate_breaker::clock::{Clock, Manual, Timestamp};
use lockgate_breaker::{
    Backoff, Breaker, Builder, DropPolicy, Error, Outcome, Policy, Reason, Recorded, State, Window,
};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// tower-resilience#372, #417 (a configuration that cannot be was taken), gobreaker (negative times are silently its
/// defaults), resilience4j (a minimum of calls beyond the window is silently the window): an error each, which names
/// the knob, the value and the range.
#[test]
fn what_cannot_be_is_not_built() {
    type Told = fn(Builder<Manual>) -> Builder<Manual>;
    let over = Window::count(10);
    let policies = [
        (
            Policy::consecutive_failures(0),
            "the failures in a row of 0 is out of the range 1 to 4294967295",
        ),
        (Policy::failures_of(0, 5), "the failures of a policy of 0 is out of the range 1 to 5"),
        (Policy::failures_of(6, 5), "the failures of a policy of 6 is out of the range 1 to 5"),
        (Policy::failure_rate(0.0), "the rate of a policy of 0 is out of the range above 0 to 1"),
        (Policy::failure_rate(1.5), "the rate of a policy of 1.5 is out of the range above 0 to 1"),
        (
            Policy::failure_rate(f64::NAN),
            "the rate of a policy of NaN is out of the range above 0 to 1",
        ),
        (
            Policy::failure_rate(0.5).min_calls(0),
            "the minimum of calls of 0 is out of the range 1 to 100",
        ),
        (
            Policy::failure_rate(0.5).min_calls(11).window(over),
            "the minimum of calls of 11 is out of the range 1 to 10",
        ),
        (
            Policy::failure_rate(0.5).window(Window::count(0)),
            "the calls of a window of 0 is out of the range 1 to 1048576",
        ),
        (
            Policy::failure_rate(0.5).window(Window::time(secs(1), 0)),
            "the buckets of a window of 0 is out of the range 1 to 1000",
        ),
        (
            Policy::failure_rate(0.5).window(Window::time(secs(7_200), 1)),
            "the time of a bucket of 7200s is out of the range 1µs to 3600s",
        ),
        (
            Policy::slow_call_rate(0.5, Duration::ZERO),
            "the limit for slow calls of 0ns is out of the range 1ns to 31622400s",
        ),
        (Policy::any([]), "any or all of no policy"),
        (Policy::all([Policy::any([])]), "any or all of no policy"),
    ];
    let knobs: [(Told, &str); 9] = [
        (|it| it.probes(0), "the probes of 0 is out of the range 1 to 4095"),
        (|it| it.probes(4_096), "the probes of 4096 is out of the range 1 to 4095"),
        (
            |it| it.probes(3).successes(4),
            "the successes among the probes of 4 is out of the range 1 to 3",
        ),
        (
            |it| it.probes(3).probes_at_a_time(0),
            "the probes at a time of 0 is out of the range 1 to 3",
        ),
        (
            |it| it.probe_lease(Duration::ZERO),
            "the probe lease of 0ns is out of the range 1ns to 31622400s",
        ),
        (
            |it| it.open_for(Backoff::fixed(Duration::ZERO)),
            "the open time of 0ns is out of the range 1ns to 31622400s",
        ),
        (
            |it| it.open_for(Backoff::exponential(secs(2), secs(1))),
            "the longest open time of 1s is out of the range 2s to 31622400s",
        ),
        (
            |it| it.open_for(Backoff::fixed(WAIT).jitter(-0.1)),
            "a jitter of -0.1 is out of the range 0 to 1",
        ),
        (
            |it| it.call_deadline(Duration::MAX),
            "the call deadline of 18446744073709551615.999999999s is out of the range 0ns to 31622400s",
        ),
    ];
    let clock = Manual::new();
    let all = policies.map(|(policy, text)| (builder(&clock, policy), text));
    let all = all.into_iter().chain(knobs.map(|(tell, text)| (tell(touchy(&clock)), text)));
    for (builder, text) in all {
        assert_eq!(builder.build().unwrap_err().to_string(), text);
    }
}

/// circuit_breaker 0.1.1 takes boxed errors only. Here it is any type, and neither side need be anything.
#[test]
fn any_error_goes_through() {
    struct Bare(Rc<u8>);
    let breaker = touchy(&Manual::new()).build().unwrap();
    let shared = Rc::new(5);
    let error = breaker.call(|| Err::<Rc<u8>, _>(Bare(Rc::clone(&shared)))).unwrap_err();
    assert!(error.into_inner().is_some_and(|it| Rc::ptr_eq(&it.0, &shared)));
    breaker.reset();
    assert!(breaker.call(|| Ok::<_, Bare>(Rc::clone(&shared))).is_ok());
}

/// tower-rs/tower#855 and tower-resilience#375, #418: a switch from outside, and a rejection that a retry tells from a
/// failure, so that it pays for none.
#[test]
fn a_switch_from_outside() {
    let clock = Manual::new();
    let breaker = builder(&clock, Policy::consecutive_failures(2)).build().unwrap();
    let rejected = |breaker: &Breaker<Manual>| match breaker.call(|| Ok::<_, u8>(1)) {
        Err(error @ Error::Rejected(_)) => {
            assert!(error.is_rejected() && error.into_inner().is_none());
            true
        }
        answer => {
            assert_eq!(answer, Ok(1));
            false
        }
    };
    for _ in 0..2 {
        breaker.force_open();
        // Rejections are no failures, however many.
        assert!((0..100).all(|_| rejected(&breaker)));
        breaker.disable();
        assert!((0..100).all(|_| !rejected(&breaker)));
        fail(&breaker);
        breaker.reset();
        fail(&breaker);
        assert_eq!((breaker.state(), breaker.snapshot().consecutive_failures), (State::Closed, 1));
    }
}

/// gobreaker#122: `done` may be called twice, and nobody is told that a result came too late. Here a permit is used up by
/// telling (its page has the program that does not compile), and the answer says what became of it.
#[test]
fn whoever_tells_is_told() {
    let clock = Manual::new();
    let breaker = touchy(&clock).probes(2).build().unwrap();
    let [counted, ignored, opens, late] = [0; 4].map(|_| breaker.try_acquire().unwrap());
    assert_eq!(counted.success(), Recorded::Counted);
    assert_eq!(ignored.ignore(), Recorded::Ignored);
    assert_eq!(opens.failure(), Recorded::Opened);
    assert_eq!(late.success(), Recorded::Stale);
    clock.advance(WAIT);
    let [one, closes] = [0; 2].map(|_| breaker.try_acquire().unwrap());
    assert_eq!([one.success(), closes.success()], [Recorded::Counted, Recorded::Closed]);
}

/// resilience4j#351: a thread for transitions kept programs from ending. A breaker has none, and the one of a cached
/// clock ends with the clock.
#[cfg(target_os = "linux")]
#[test]
fn no_thread_stays() {
    use lockgate_breaker::clock::Cached;
    let is_there = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm"));
        // One that has ended meanwhile has no name any more.
        tasks.flatten().any(|task| name(task).is_ok_and(|it| it.trim() == "lockgate-clock"))
    };
    let clock = Cached::with_thread(Duration::from_millis(1)).unwrap();
    let breaker = Breaker::builder("t").clock(clock).build().unwrap();
    while !is_there() {
        std::thread::yield_now();
    }
    drop(breaker);
    while is_there() {
        std::thread::yield_now();
    }
    let breaker = Breaker::new("t");
    fail(&breaker);
    assert!(!is_there());
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

/// gobreaker#44, recloser and most of the others have no such thing. What was forced stays, whatever comes back from before.
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

/// Polly: a duration that overflows, of a generator or of doubling. Here a year is the most.
#[test]
fn no_open_time_overflows() {
    let clock = Manual::new();
    let year = secs(366 * 24 * 60 * 60);
    let longest = [
        Backoff::custom(|_| Duration::MAX),
        Backoff::exponential(Duration::from_nanos(1), year),
        Backoff::fixed(year),
    ];
    for open_for in longest {
        clock.set(Timestamp::from_nanos(u64::MAX / 2));
        let breaker = touchy(&clock).open_for(open_for.jitter(0.0)).build().unwrap();
        fail(&breaker);
        for _ in 0..100 {
            let wait = breaker.retry_after().expect("it is open");
            assert!(wait <= year, "{wait:?}");
            // As if it had been as long: the clock would come to its end.
            breaker.force_open_for(Duration::ZERO);
            fail(&breaker);
        }
        assert_eq!(breaker.retry_after(), Some(year));
    }
    // Nearer to the end of the clock than the open time is long.
    clock.set(Timestamp::from_nanos(u64::MAX - 5));
    let breaker = touchy(&clock).open_for(Backoff::fixed(year).jitter(0.0)).build().unwrap();
    fail(&breaker);
    assert_eq!(breaker.retry_after(), Some(Duration::from_nanos(4)));
    clock.advance(secs(1));
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
}

/// Failsafe#70, failsafe-go#142 (none), breaker 2.0.2 (seeded by the time of day, so that many who are made at once have
/// the same): shorter by no more than the part, and another for each.
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

/// resilience4j#682: what was cancelled counted as a failure. #1123: what was cancelled by a time-out did not. A permit
/// that is dropped after its deadline is a failure, and before it nothing.
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
