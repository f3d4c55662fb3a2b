//! Counters and gauges, by a recorder of the tests' own.

use crate::support::{WAIT, builder, fail, is_rejected, secs, succeed, touchy};
use lockgate_breaker::clock::Manual;
use lockgate_breaker::metrics::{CALLS, REJECTIONS, STATE, TRANSITIONS, describe};
use lockgate_breaker::{Breaker, Outcome, Policy, Registry, State};
use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, Key, KeyName, Metadata, Recorder, SharedString,
    Unit,
};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Keeps every number by its name and labels: whole ones, for counters and for gauges that count.
#[derive(Clone, Default)]
struct Numbers {
    all: Arc<Mutex<BTreeMap<String, Arc<Number>>>>,
    described: Arc<Mutex<Vec<String>>>,
    panics: Arc<AtomicBool>,
}

#[derive(Default)]
struct Number {
    value: AtomicU64,
    panics: Arc<AtomicBool>,
}

impl Number {
    fn add(&self, value: u64) {
        self.value.fetch_add(value, Ordering::SeqCst);
        assert!(!self.panics.load(Ordering::SeqCst), "a recorder that is broken");
    }
}

impl CounterFn for Number {
    fn increment(&self, value: u64) {
        self.add(value);
    }

    fn absolute(&self, _: u64) {
        unreachable!("nothing is counted elsewhere");
    }
}

impl GaugeFn for Number {
    fn increment(&self, value: f64) {
        assert_eq!(value, 1.0);
        self.add(1);
    }

    fn decrement(&self, value: f64) {
        assert_eq!(value, 1.0);
        self.add(u64::MAX);
    }

    fn set(&self, _: f64) {
        unreachable!("several of one name would overwrite one another");
    }
}

impl Numbers {
    fn of(&self, key: &Key) -> Arc<Number> {
        let labels: Vec<_> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        let name = format!("{}{{{}}}", key.name(), labels.join(","));
        let panics = Arc::clone(&self.panics);
        let made = || Arc::new(Number { panics, ..Number::default() });
        Arc::clone(self.all.lock().unwrap().entry(name).or_insert_with(made))
    }

    /// Of this metric, what is not zero.
    fn of_metric(&self, metric: &str) -> Vec<(String, i64)> {
        let all = self.all.lock().unwrap();
        let of_it = all.iter().filter(|(name, _)| name.starts_with(metric));
        let values = of_it.map(|(name, number)| {
            let value = number.value.load(Ordering::SeqCst) as i64;
            (name[metric.len()..].to_owned(), value)
        });
        values.filter(|(_, value)| *value != 0).collect()
    }

    /// The one state in which the gauges say that it is.
    fn state(&self, breaker: &str) -> String {
        let states = self.of_metric(&format!("{STATE}{{name={breaker},state="));
        let [(state, 1)] = &*states else { panic!("{states:?}") };
        state.trim_end_matches('}').to_owned()
    }

    fn during<T>(&self, run: impl FnOnce() -> T) -> T {
        metrics::with_local_recorder(self, run)
    }
}

impl Recorder for Numbers {
    fn describe_counter(&self, key: KeyName, _: Option<Unit>, text: SharedString) {
        self.described.lock().unwrap().push(format!("{}: {text}", key.as_str()));
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, text: SharedString) {
        self.describe_counter(key, unit, text);
    }

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {
        unreachable!("there is none");
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.of(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        unreachable!("there is none");
    }
}

fn setup() -> (Numbers, Manual, Breaker<Manual>) {
    let (numbers, clock) = (Numbers::default(), Manual::new());
    let breaker = numbers.during(|| touchy(&clock).build().unwrap());
    (numbers, clock, breaker)
}

fn named(text: &str, count: i64) -> (String, i64) {
    (format!("{{name=test,{text}}}"), count)
}

#[test]
fn calls_are_counted_by_what_they_mean() {
    let (numbers, _, breaker) = setup();
    let late = breaker.try_acquire().unwrap();
    breaker.try_acquire().unwrap().ignore();
    drop(breaker.try_acquire());
    for _ in 0..5 {
        succeed(&breaker);
    }
    fail(&breaker);
    late.success();
    breaker.disable();
    succeed(&breaker);
    fail(&breaker);
    breaker.metrics_only();
    fail(&breaker);
    let told = |_: &Result<(), ()>| Outcome::TripFor(secs(1));
    breaker.call_with(&told, || Ok(())).unwrap();
    let panicking = || -> Result<(), ()> { panic!("the call") };
    assert!(catch_unwind(AssertUnwindSafe(|| breaker.call(panicking))).is_err());
    assert_eq!(
        numbers.of_metric(CALLS),
        [
            named("outcome=failure", 4),
            named("outcome=ignored", 4),
            named("outcome=stale", 1),
            named("outcome=success", 5),
        ]
    );
}

#[test]
fn rejections_are_counted_by_state() {
    let (numbers, clock, breaker) = setup();
    fail(&breaker);
    assert!(is_rejected(&breaker));
    assert!(is_rejected(&breaker));
    clock.advance(WAIT);
    let probe = breaker.try_acquire().unwrap();
    assert!(breaker.try_acquire().is_err());
    breaker.force_open();
    probe.success();
    for _ in 0..3 {
        assert!(breaker.try_acquire_owned().is_err());
    }
    assert_eq!(
        numbers.of_metric(REJECTIONS),
        [named("state=forced_open", 3), named("state=half_open", 1), named("state=open", 2)]
    );
}

/// By a counter that was looked up when the breaker was built: outside, no recorder is there.
#[test]
fn throttled_calls_are_rejections_of_a_closed_circuit() {
    let (numbers, clock) = (Numbers::default(), Manual::new());
    let throttle = Policy::client_throttle(2.0).max_rejection_rate(0.999_999);
    let breaker = numbers.during(|| builder(&clock, throttle).build().unwrap());
    let call = |_: &u32| breaker.call(|| Err::<(), _>(())).is_err_and(|it| it.is_rejected());
    let rejected = (0..10_000).filter(call).count() as i64;
    assert!(rejected > 5_000, "{rejected}");
    assert_eq!(numbers.of_metric(REJECTIONS), [named("state=closed", rejected)]);
    assert_eq!(numbers.of_metric(CALLS), [named("outcome=failure", 10_000 - rejected)]);
}

#[test]
fn transitions_are_counted() {
    let (numbers, clock, breaker) = setup();
    for _ in 0..2 {
        fail(&breaker);
        clock.advance(WAIT);
        succeed(&breaker);
    }
    breaker.force_open();
    assert_eq!(
        numbers.during(|| numbers.of_metric(TRANSITIONS)),
        [],
        "they are looked up where they are made: outside, no recorder was there"
    );
    numbers.during(|| {
        breaker.reset();
        for _ in 0..2 {
            fail(&breaker);
            clock.advance(WAIT);
            succeed(&breaker);
        }
    });
    assert_eq!(
        numbers.of_metric(TRANSITIONS),
        [
            named("from=closed,to=open,reason=tripped", 2),
            named("from=forced_open,to=closed,reason=by_hand", 1),
            named("from=half_open,to=closed,reason=recovered", 2),
            named("from=open,to=half_open,reason=open_time_over", 2),
        ]
    );
}

/// tower-resilience: the gauge of the old state kept its 1.
#[test]
fn the_old_state_is_no_more() {
    let (numbers, clock, breaker) = setup();
    assert_eq!(numbers.state("test"), "closed");
    fail(&breaker);
    assert_eq!(numbers.state("test"), "open");
    clock.advance(WAIT);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(numbers.state("test"), "open", "nobody has tried it yet");
    let probe = breaker.try_acquire().unwrap();
    assert_eq!(numbers.state("test"), "half_open");
    probe.success();
    assert_eq!(numbers.state("test"), "closed");
    for (change, state) in [
        (Breaker::force_open as fn(&_), "forced_open"),
        (Breaker::force_open, "forced_open"),
        (Breaker::disable, "disabled"),
        (Breaker::metrics_only, "metrics_only"),
        (Breaker::reset, "closed"),
    ] {
        change(&breaker);
        assert_eq!(numbers.state("test"), state);
    }
}

#[test]
fn one_that_is_gone_is_in_no_state() {
    let (numbers, _, breaker) = setup();
    let clone = breaker.clone();
    fail(&breaker);
    drop(breaker);
    assert_eq!(numbers.state("test"), "open", "a clone is left");
    drop(clone);
    assert_eq!(numbers.of_metric(STATE), []);
}

/// As they do in a registry that forgets one while somebody asks for it again.
#[test]
fn those_of_one_name_are_counted_together() {
    let (numbers, clock, first) = setup();
    fail(&first);
    let second = numbers.during(|| touchy(&clock).build().unwrap());
    assert_eq!(numbers.of_metric(STATE), [named("state=closed", 1), named("state=open", 1)]);
    drop(first);
    assert_eq!(numbers.state("test"), "closed");
    drop(second);
}

/// To know whether a builder builds, nobody has to be told of a breaker without a name.
#[test]
fn what_is_built_to_be_checked_is_not_shown() {
    let numbers = Numbers::default();
    numbers.during(|| {
        let registry = Registry::new(Breaker::builder("usual")).unwrap();
        let registry = registry.with("a", Breaker::builder("special")).unwrap();
        assert!(numbers.all.lock().unwrap().is_empty());
        registry.get(&"a");
        assert_eq!(numbers.state("a"), "closed");
        drop(registry);
        assert_eq!(numbers.of_metric(STATE), []);
    });
    #[cfg(feature = "serde")]
    numbers.during(|| {
        let before = numbers.all.lock().unwrap().len();
        serde_json::from_str::<lockgate_breaker::BreakerConfig>("{}").unwrap();
        assert_eq!(numbers.all.lock().unwrap().len(), before);
    });
}

/// The recorder may be broken: calls, transitions and drops that unwind already are not.
#[test]
fn a_recorder_that_panics_breaks_nothing() {
    let (numbers, clock, breaker) = setup();
    numbers.panics.store(true, Ordering::SeqCst);
    fail(&breaker);
    assert!(is_rejected(&breaker));
    clock.advance(WAIT);
    let permit = breaker.try_acquire().unwrap();
    let unwinds = catch_unwind(AssertUnwindSafe(move || {
        let _permit = permit;
        panic!("the call");
    }));
    assert!(unwinds.is_err());
    assert_eq!(breaker.state(), State::Open);
    clock.advance(WAIT);
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);
    let counted: i64 = numbers.of_metric(CALLS).iter().map(|(_, count)| count).sum();
    assert_eq!(counted, 3, "each was told all the same");
}

/// However transitions overlap, what is shown in the end is what is.
#[test]
fn threads_that_change_the_state_leave_one() {
    let (numbers, clock, breaker) = setup();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (breaker, clock) = (&breaker, &clock);
            scope.spawn(move || {
                for round in 0..500 {
                    match (round + thread) % 5 {
                        0 => breaker.force_open(),
                        1 => breaker.reset(),
                        2 => drop(breaker.call(|| Err::<(), _>(()))),
                        3 => clock.advance(WAIT),
                        _ => drop(breaker.call(|| Ok::<_, ()>(()))),
                    }
                }
            });
        }
    });
    let stands = breaker.snapshot();
    let shown = numbers.state("test");
    // Due counts as done in the one and not in the other.
    let due = stands.state == State::HalfOpen && shown == "open";
    assert!(due || shown == stands.state.as_str(), "{shown}, {stands:?}");
    breaker.reset();
    assert_eq!(numbers.state("test"), "closed");
}

#[test]
fn each_is_described() {
    let numbers = Numbers::default();
    numbers.during(describe);
    let described = numbers.described.lock().unwrap();
    for metric in [CALLS, REJECTIONS, TRANSITIONS, STATE] {
        let of_it = described.iter().filter(|it| it.starts_with(&format!("{metric}: ")));
        assert_eq!(of_it.count(), 1, "{metric}: {described:?}");
    }
}

#[cfg(feature = "async")]
#[test]
fn futures_are_counted_as_well() {
    use crate::support::due;
    use futures::FutureExt;
    use lockgate_breaker::{DropPolicy, Error};
    let (numbers, clock) = (Numbers::default(), Manual::new());
    numbers.during(|| {
        let breaker = due(touchy(&clock).on_drop(DropPolicy::Failure), &clock);
        let mut hangs = Box::pin(breaker.run(std::future::pending::<Result<(), ()>>()));
        assert!((&mut hangs).now_or_never().is_none());
        let other = breaker.run(std::future::ready(Ok::<_, ()>(())));
        assert!(matches!(other.now_or_never(), Some(Err(Error::Rejected(_)))));
        drop(hangs);
        assert_eq!(numbers.of_metric(CALLS), [named("outcome=failure", 2)]);
        assert_eq!(numbers.of_metric(REJECTIONS), [named("state=half_open", 1)]);
        assert_eq!(numbers.state("test"), "open");
    });
}

/// A service that is asked three times whether it is ready has rejected nothing yet.
#[cfg(feature = "tower")]
#[test]
fn a_service_rejects_once_for_each_request() {
    use futures::FutureExt;
    use lockgate_breaker::tower::BreakerLayer;
    use tower::{Layer, Service, service_fn};
    let (numbers, _, breaker) = setup();
    let inner = service_fn(|(): ()| std::future::ready(Ok::<_, ()>(())));
    let mut service = BreakerLayer::new(breaker.clone()).layer(inner);
    let mut poll = || {
        let ready = std::future::poll_fn(|cx| service.poll_ready(cx)).now_or_never();
        assert_eq!(ready, Some(Ok(())));
    };
    poll();
    breaker.force_open();
    for _ in 0..3 {
        poll();
    }
    assert_eq!(numbers.of_metric(REJECTIONS), []);
    assert!(service.call(()).now_or_never().unwrap().is_err());
    assert_eq!(numbers.of_metric(REJECTIONS), [named("state=forced_open", 1)]);
    assert!(service.call(()).now_or_never().unwrap().is_err());
    assert_eq!(numbers.of_metric(REJECTIONS), [named("state=forced_open", 2)]);
    assert_eq!(numbers.of_metric(CALLS), []);
}
