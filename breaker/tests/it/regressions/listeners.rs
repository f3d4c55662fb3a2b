//! Who is told, and what may be done there.

use crate::support::{Log, WAIT, builder, fail, secs, succeed, touchy};
use lockgate_breaker::clock::{Manual, Timestamp};
use lockgate_breaker::{
    Backoff, Breaker, Counts, Error, Outcome, Policy, Reason, Recorded, State, Window,
};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

/// gobreaker#37, its pull requests 39 and 119, failsafe's `reset` inside its instrument, circuit_breaker 0.1.1,
/// tower-resilience, Polly (`ManualControl` awaited by a callback): a listener that uses the breaker.
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

/// A breaker that its own parts know, once it is there.
type Itself = Arc<OnceLock<Breaker<Manual>>>;

/// Uses all that is not a transition, and nothing may wait.
fn look(breaker: &Itself) {
    let breaker = breaker.get().expect("it is there before the first call");
    let _ = (breaker.state(), breaker.retry_after(), breaker.snapshot(), breaker.try_acquire());
    let _ = breaker.call(|| Ok::<_, ()>(()));
    drop(breaker.on_transition(|_| {}));
    drop(breaker.subscribe(1));
}

/// gobreaker's four callbacks are called under its lock, Polly's and circuit_breaker's under theirs: here the call,
/// the classifier, the judge, the back-off and the listener each use the breaker that asks them.
#[test]
fn whatever_is_yours_may_use_the_breaker() {
    let clock = Manual::new();
    let (itself, asked) = (Itself::default(), Arc::new(AtomicU32::new(0)));
    let counted = |itself: &Itself| {
        let (itself, asked) = (Arc::clone(itself), Arc::clone(&asked));
        move || {
            asked.fetch_add(1, Ordering::Relaxed);
            look(&itself);
        }
    };
    let (by_judge, by_back_off, by_listener) =
        (counted(&itself), counted(&itself), counted(&itself));
    let judge = move |counts: &Counts| {
        by_judge();
        counts.failures > 0
    };
    let back_off = move |_| {
        by_back_off();
        WAIT
    };
    let breaker = builder(&clock, Policy::custom(Window::count(10), judge))
        .open_for(Backoff::custom(back_off).jitter(0.0))
        .build()
        .unwrap();
    itself.set(breaker.clone()).unwrap();
    let listener = breaker.on_transition(move |_| by_listener());
    let (by_classifier, by_call) = (counted(&itself), counted(&itself));
    let classifier = move |result: &Result<(), ()>| {
        by_classifier();
        if result.is_ok() { Outcome::Success } else { Outcome::Failure }
    };
    let work = || {
        by_call();
        Err(())
    };
    assert_eq!(breaker.call_with(&classifier, work), Err(Error::Inner(())));
    assert_eq!(breaker.state(), State::Open);
    // The call, the classifier, the judge, the back-off and the listener.
    assert_eq!(asked.load(Ordering::Relaxed), 5);
    // It knows itself, and so would never be gone.
    drop(listener);
    breaker.force_open();
}

/// A judge, a back-off or a classifier that changes the state: what they were asked about is over then.
#[test]
fn whoever_is_asked_may_decide_himself() {
    let (clock, itself) = (Manual::new(), Itself::default());
    let of_judge = Arc::clone(&itself);
    let judge = move |_: &Counts| {
        of_judge.get().unwrap().disable();
        true
    };
    let breaker = builder(&clock, Policy::custom(Window::count(10), judge)).build().unwrap();
    itself.set(breaker.clone()).unwrap();
    let log = Log::of(&breaker);
    assert_eq!(breaker.try_acquire().unwrap().failure(), Recorded::Counted);
    assert_eq!(log.path(), [State::Disabled]);

    let itself = Itself::default();
    let of_back_off = Arc::clone(&itself);
    let back_off = move |_| {
        of_back_off.get().unwrap().force_open();
        WAIT
    };
    let breaker = touchy(&clock).open_for(Backoff::custom(back_off)).build().unwrap();
    itself.set(breaker.clone()).unwrap();
    let log = Log::of(&breaker);
    assert_eq!(breaker.try_acquire().unwrap().failure(), Recorded::Counted);
    assert_eq!((log.path(), breaker.retry_after()), (vec![State::ForcedOpen], None));

    let breaker = touchy(&clock).build().unwrap();
    let log = Log::of(&breaker);
    let classifier = |_: &Result<(), ()>| {
        breaker.metrics_only();
        Outcome::Failure
    };
    assert_eq!(breaker.call_with(&classifier, || Ok(())), Ok(()));
    assert_eq!(breaker.snapshot().consecutive_failures, 0, "it belongs to the state before");
    assert_eq!(log.path(), [State::MetricsOnly]);
}

/// The waker of whoever waits for a transition is his code, too.
#[cfg(feature = "async")]
#[test]
fn a_waker_may_use_the_breaker() {
    use std::future::Future;
    use std::pin::Pin;
    use std::task::{Context, Wake, Waker};

    struct Resets(Breaker<Manual>);
    impl Wake for Resets {
        fn wake(self: Arc<Self>) {
            self.0.reset();
        }
    }
    impl Drop for Resets {
        fn drop(&mut self) {
            drop(self.0.snapshot());
        }
    }

    let breaker = touchy(&Manual::new()).build().unwrap();
    let mut transitions = breaker.subscribe(4).unwrap();
    let waker = Waker::from(Arc::new(Resets(breaker.clone())));
    let polled = Pin::new(&mut transitions.next()).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    drop(waker);
    fail(&breaker);
    let states = [0; 2].map(|_| transitions.try_next().unwrap().unwrap().to);
    assert_eq!(states, [State::Open, State::Closed]);
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

/// resilience4j (events of several threads have no order), failsafe-go (its lock is dropped in the middle of a
/// transition), Polly#1152: each transition begins where the one before it ended.
#[test]
fn transitions_of_many_threads_are_one_path() {
    const THREADS: u64 = 8;
    let clock = Manual::new();
    let breaker = touchy(&clock).probes(2).build().unwrap();
    let (log, inside) = (Log::of(&breaker), Arc::new(AtomicU32::new(0)));
    let together = Arc::new(AtomicU32::new(0));
    let (entered, overlaps) = (Arc::clone(&inside), Arc::clone(&together));
    let listener = breaker.on_transition(move |_| {
        overlaps.fetch_add(entered.fetch_add(1, Ordering::SeqCst), Ordering::SeqCst);
        std::thread::yield_now();
        entered.fetch_sub(1, Ordering::SeqCst);
    });
    let gate = std::sync::Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (breaker, clock, gate) = (&breaker, &clock, &gate);
            scope.spawn(move || {
                gate.wait();
                for step in 0..300 {
                    match (thread + step) % 7 {
                        0 => breaker.reset(),
                        1 => breaker.force_open_for(secs(1)),
                        2 => clock.advance(WAIT),
                        step => {
                            let _ = breaker.call(|| if step == 6 { Err(()) } else { Ok(()) });
                        }
                    }
                }
            });
        }
    });
    drop(listener);
    let path = log.path();
    assert!(path.len() > 100, "{}", path.len());
    let last = log.all().last().map(|it| (it.to, it.number));
    breaker.disable();
    let now = log.all().last().map(|it| (it.from, it.number - 1));
    // In between there may be one that nobody is told of: a reset of what is closed.
    assert_eq!(last.map(|it| it.0), now.map(|it| it.0));
    assert!(last.map(|it| it.1) <= now.map(|it| it.1));
    assert_eq!((inside.load(Ordering::SeqCst), together.load(Ordering::SeqCst)), (0, 0));
}
