//! What a call allocates, which is nothing, and what a transition leaves behind, which is nothing either.
//!
//! A binary of its own, because it replaces the allocator by one that counts, for each thread by
//! itself.

use allocation_counter::{AllocationInfo, measure};
use lockgate_breaker::clock::{Clock, Manual};
use lockgate_breaker::{Backoff, Breaker, Builder, Outcome, Policy, State, Window};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const CALLS: u32 = 1_000;

/// How often `body` allocates.
fn allocations(body: impl FnOnce()) -> u64 {
    measure(body).count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(Box::new(std::hint::black_box(1)))), 1);
}

fn built(policy: Policy, clock: &Manual) -> Builder<Manual> {
    let open_for = Backoff::fixed(SECOND).jitter(0.0);
    Breaker::builder("test").policy(policy).open_for(open_for).clock(clock.clone())
}

/// One of each kind, and none that opens in these tests.
fn policies() -> Vec<Policy> {
    let last = Window::time(10 * SECOND, 10);
    vec![
        Policy::consecutive_failures(CALLS),
        Policy::failures_of(CALLS, CALLS),
        Policy::failure_rate(1.0),
        Policy::failure_rate(1.0).window(last),
        Policy::slow_call_rate(1.0, SECOND),
        Policy::slow_call_rate(1.0, SECOND).window(last),
        Policy::custom(last, |counts| counts.calls == u64::MAX),
        Policy::client_throttle(1_000.0),
        Policy::any([Policy::consecutive_failures(CALLS), Policy::failure_rate(1.0).window(last)]),
        Policy::all([Policy::consecutive_failures(CALLS), Policy::failure_rate(1.0)]),
    ]
}

/// A call in ten fails; `call` is given whether it does. The time goes on, so that windows do.
fn all(call: impl Fn(&Breaker<Manual>, bool)) {
    for policy in policies() {
        let clock = Manual::new();
        let breaker = built(policy.clone(), &clock).build().unwrap();
        let count = allocations(|| {
            for number in 0..CALLS {
                call(&breaker, number % 10 == 0);
                clock.advance(SECOND / 50);
            }
        });
        assert_eq!((count, breaker.state()), (0, State::Closed), "{policy:?}");
    }
}

#[test]
fn calls() {
    all(|breaker, fails| {
        let _ = breaker.call(|| if fails { Err(()) } else { Ok(()) });
    });
    let meaning = |result: &Result<(), u32>| match result {
        Ok(()) => Outcome::Ignore,
        Err(_) => Outcome::Success,
    };
    all(|breaker, fails| {
        let _ = breaker.call_with(&meaning, || if fails { Err(1) } else { Ok(()) });
    });
}

/// Told, or dropped; borrowed or not.
#[test]
fn permits() {
    all(|breaker, fails| {
        let permit = breaker.try_acquire().unwrap();
        if fails {
            permit.failure()
        } else {
            permit.success()
        };
        drop(breaker.try_acquire().unwrap());
    });
    all(|breaker, fails| {
        let permit = breaker.try_acquire_owned().unwrap();
        permit.record(&if fails { Err(()) } else { Ok(()) });
        drop(breaker.try_acquire_owned().unwrap());
    });
}

#[cfg(feature = "async")]
#[test]
fn futures() {
    use std::future::{Future, pending, ready};
    use std::pin::pin;
    use std::task::{Context, Waker};

    all(|breaker, fails| {
        let waker = &mut Context::from_waker(Waker::noop());
        let result = if fails { Err(()) } else { Ok(()) };
        assert!(pin!(breaker.run(ready(result))).poll(waker).is_ready());
        // Cancelled between two polls.
        assert!(pin!(breaker.run(pending::<Result<(), ()>>())).poll(waker).is_pending());
    });
}

/// Open, forced open for good, half open without a place, throttled.
#[test]
fn rejections() {
    let clock = Manual::new();
    let open = built(Policy::consecutive_failures(1), &clock).build().unwrap();
    assert!(open.call(|| Err::<(), _>(())).is_err());
    let forced = built(Policy::default(), &clock).build().unwrap();
    forced.force_open();
    let full = built(Policy::consecutive_failures(1), &clock).build().unwrap();
    full.force_open_for(Duration::ZERO);
    let _probe = full.try_acquire().unwrap();
    let throttled = built(Policy::client_throttle(1.1).max_rejection_rate(0.999_999), &clock);
    let throttled = throttled.build().unwrap();
    for _ in 0..10_000 {
        let _ = throttled.call(|| Err::<(), _>(()));
    }
    for breaker in [&open, &forced, &full, &throttled] {
        let mut rejected = 0;
        let count = allocations(|| {
            for _ in 0..CALLS {
                rejected +=
                    u32::from(breaker.call(|| Err::<(), _>(())).is_err_and(|it| it.is_rejected()));
                rejected += u32::from(breaker.try_acquire().is_err());
                rejected += u32::from(breaker.try_acquire_owned().is_err());
                #[cfg(feature = "async")]
                {
                    use std::future::Future;
                    let waker = &mut std::task::Context::from_waker(std::task::Waker::noop());
                    let run = std::pin::pin!(breaker.run(std::future::ready(Err::<(), _>(()))));
                    assert!(run.poll(waker).is_ready());
                }
            }
        });
        assert_eq!(count, 0, "{breaker:?}");
        assert!(rejected > 3 * CALLS - 100, "{rejected} by {breaker:?}");
    }
}

#[cfg(feature = "tower")]
mod tower {
    use super::{CALLS, allocations, built};
    use lockgate_breaker::clock::Manual;
    use lockgate_breaker::tower::{BreakerLayer, KeyedBreakerLayer};
    use lockgate_breaker::{Policy, Registry};
    use std::future::{Future, Ready, ready};
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};
    use tower_layer::Layer;
    use tower_service::Service;

    /// Answers with the request, and fails at each tenth.
    #[derive(Clone)]
    struct Echo;

    impl Service<u32> for Echo {
        type Response = u32;
        type Error = ();
        type Future = Ready<Result<u32, ()>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ()>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: u32) -> Self::Future {
            ready(if request % 10 == 0 { Err(()) } else { Ok(request) })
        }
    }

    fn answered(service: &mut impl Service<u32, Response = u32>) -> u32 {
        let waker = &mut Context::from_waker(Waker::noop());
        let mut answered = 0;
        for request in 0..CALLS {
            assert!(matches!(service.poll_ready(waker), Poll::Ready(Ok(()))));
            let Poll::Ready(answer) = pin!(service.call(request)).poll(waker) else {
                panic!("nothing here waits");
            };
            answered += u32::from(answer.is_ok());
        }
        answered
    }

    #[test]
    fn requests() {
        let clock = Manual::new();
        let breaker = built(Policy::failure_rate(1.0), &clock).build().unwrap();
        let mut service = BreakerLayer::new(breaker.clone()).layer(Echo);
        let mut answers = 0;
        assert_eq!(allocations(|| answers += answered(&mut service)), 0);
        assert_eq!(answers, CALLS - CALLS / 10);
        breaker.force_open();
        assert_eq!(allocations(|| answers = answered(&mut service)), 0);
        assert_eq!(answers, 0);
    }

    /// Of keys that are known.
    #[test]
    fn requests_by_key() {
        let clock = Manual::new();
        let registry = Registry::new(built(Policy::failure_rate(1.0), &clock)).unwrap();
        let registry = Arc::new(registry);
        let keyed = KeyedBreakerLayer::new(Arc::clone(&registry), |request: &u32| request % 4);
        let mut service = keyed.layer(Echo);
        answered(&mut service);
        let mut answers = 0;
        assert_eq!(allocations(|| answers += answered(&mut service)), 0);
        assert_eq!(answers, CALLS - CALLS / 10);
        for (_, breaker) in registry.all() {
            breaker.force_open();
        }
        assert_eq!(allocations(|| answers = answered(&mut service)), 0);
        assert_eq!(answers, 0);
    }
}

fn flap<C: Clock>(breaker: &Breaker<C>, cycles: u32, pass: impl Fn()) {
    for _ in 0..cycles {
        let _ = breaker.call(|| Err::<(), _>(()));
        assert_eq!(breaker.state(), State::Open);
        pass();
        let _ = breaker.call(|| Ok::<_, ()>(()));
        assert_eq!(breaker.state(), State::Closed);
    }
}

/// recloser 1.4 keeps 302 bytes for each time that a circuit opens and closes, for ever. With nobody to tell there is
/// nothing to allocate; with somebody, it is given back.
#[test]
fn openings_leave_nothing_behind() {
    let clock = Manual::new();
    let whole = measure(|| {
        let breaker = built(Policy::consecutive_failures(1), &clock).build().unwrap();
        let flaps = |cycles| measure(|| flap(&breaker, cycles, || clock.advance(SECOND)));
        let told = cfg!(any(feature = "tracing", feature = "metrics"));
        assert_eq!(flaps(CALLS).count_total > 0, told, "nobody else listens");
        breaker.on_transition(|it| drop(it.clone())).forever();
        let subscription = breaker.subscribe(4).unwrap();
        // What the queues grow to is there after the first.
        flaps(8);
        let AllocationInfo { count_current, bytes_current, .. } = flaps(CALLS);
        assert_eq!((count_current, bytes_current), (0, 0));
        drop((breaker, subscription));
    });
    assert_eq!((whole.count_current, whole.bytes_current), (0, 0), "and nothing stays after it");
}

/// recloser 1.4 holds its epoch while a call runs, so that a long one keeps what all others would free.
#[test]
fn a_long_call_holds_nothing_up() {
    let clock = Manual::new();
    let breaker = built(Policy::consecutive_failures(1), &clock).build().unwrap();
    breaker.on_transition(|_| {}).forever();
    let (begun, may_end) = (std::sync::Barrier::new(2), std::sync::Barrier::new(2));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let answer = breaker.call(|| {
                begun.wait();
                may_end.wait();
                Ok::<_, ()>(7)
            });
            assert_eq!(answer, Ok(7));
        });
        begun.wait();
        flap(&breaker, 8, || clock.advance(SECOND));
        let counted = measure(|| flap(&breaker, CALLS, || clock.advance(SECOND)));
        may_end.wait();
        assert_eq!((counted.count_current, counted.bytes_current), (0, 0));
    });
}

/// tower-resilience keeps each call of its window; here it has its size from the first call on.
#[test]
fn a_window_does_not_grow() {
    let clock = Manual::new();
    for window in [Window::count(1 << 20), Window::time(3_600 * SECOND, 1_000)] {
        let policy = Policy::failure_rate(1.0).window(window);
        let breaker = built(policy, &clock).build().unwrap();
        let count = allocations(|| {
            for call in 0..10_000 {
                let _ = breaker.call(|| if call % 2 == 0 { Err(()) } else { Ok(()) });
            }
        });
        assert_eq!(count, 0, "{window:?}");
        assert_eq!(breaker.snapshot().windows[0].calls, 10_000);
    }
}
