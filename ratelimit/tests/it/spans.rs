//! Events for whoever listens: denials and changes.

use lockgate_ratelimit::clock::Manual;
use lockgate_ratelimit::{Inherit, Keyed, Quota, Rate, RateLimiter, try_acquire_all};
use std::fmt::Write;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// Writes down every event of the crate, at a level.
#[derive(Clone)]
struct Recorder(Arc<Mutex<Vec<String>>>, Level);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "lockgate_ratelimit" && *metadata.level() <= self.1
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// Listens to nothing, but always: so nobody remembers of an event that no one wants it, because the
/// tests beside this one, which do not listen, came upon it first.
struct Nobody;

impl Subscriber for Nobody {
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn enabled(&self, _: &Metadata<'_>) -> bool {
        false
    }

    fn event(&self, _: &Event<'_>) {}

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// What `run` has made the crate say.
fn heard(level: Level, run: impl FnOnce()) -> Vec<String> {
    static ALWAYS: Once = Once::new();
    ALWAYS
        .call_once(|| tracing::subscriber::set_global_default(Nobody).expect("there is no other"));
    let recorder = Recorder(Arc::default(), level);
    tracing::subscriber::with_default(recorder.clone(), run);
    let events = recorder.0.lock().unwrap();
    events.clone()
}

fn limiter() -> RateLimiter<Manual> {
    RateLimiter::with_clock(Quota::per_second(2), Manual::new())
}

#[test]
fn a_denial_is_told_with_its_reason() {
    let limiter = limiter();
    let events = heard(Level::DEBUG, || {
        limiter.try_acquire(2).unwrap();
        limiter.try_acquire(1).unwrap_err();
        limiter.try_acquire(3).unwrap_err();
        limiter.reserve_within(1, Duration::ZERO).unwrap_err();
        limiter.peek(1).unwrap_err();
    });
    assert_eq!(
        events,
        [
            "DEBUG message=denied n=1 reason=NotYet retry_after=0.5",
            "DEBUG message=denied n=3 reason=ExceedsBurst { requested: 3, burst: 2 }",
            "DEBUG message=denied n=1 reason=TooLong { wait: Some(500ms) }",
        ],
        "what asks without wanting is not denied"
    );
}

/// Who asks for what there is, and there is nothing; to empty a bucket that is empty is no denial.
#[test]
fn nothing_where_some_was_wanted_is_told() {
    let limiter = limiter();
    let events = heard(Level::DEBUG, || {
        assert_eq!([limiter.try_up_to(9), limiter.try_up_to(5)], [2, 0]);
        assert_eq!([limiter.try_up_to(0), limiter.drain()], [0, 0]);
        limiter.close();
        assert_eq!(limiter.try_up_to(1), 0);
    });
    assert_eq!(
        events,
        [
            "DEBUG message=denied n=5 reason=NotYet retry_after=0.5",
            "INFO message=closed",
            "DEBUG message=denied n=1 reason=Closed",
        ]
    );
}

/// Of several limiters, the denial that lasts longest is told, once.
#[test]
fn a_denial_by_several_is_told_once() {
    let clock = Manual::new();
    let quotas = [Quota::per_second(2), Quota::per_minute(1)];
    let [fast, slow] = quotas.map(|quota| RateLimiter::with_clock(quota, clock.clone()));
    let events = heard(Level::DEBUG, || {
        try_acquire_all(&[&fast, &slow], 1).unwrap();
        try_acquire_all(&[&fast, &slow], 1).unwrap_err();
        try_acquire_all(&[&slow, &fast], 3).unwrap_err();
    });
    assert_eq!(
        events,
        [
            "DEBUG message=denied n=1 reason=NotYet retry_after=60.0",
            "DEBUG message=denied n=3 reason=ExceedsBurst { requested: 3, burst: 1 }",
        ]
    );
}

/// A wait for several that fails: at once, and when one of them is closed.
#[cfg(feature = "async")]
#[test]
fn a_wait_for_several_that_fails_is_told() {
    use futures::FutureExt;
    let [first, second] = [limiter(), limiter()];
    let both = || lockgate_ratelimit::acquire_all(&[&first, &second], 2);
    let events = heard(Level::DEBUG, || {
        both().now_or_never().unwrap().unwrap();
        both().within(Duration::ZERO).now_or_never().unwrap().unwrap_err();
        let mut wait = both();
        assert!((&mut wait).now_or_never().is_none());
        second.close();
        wait.now_or_never().unwrap().unwrap_err();
    });
    assert_eq!(
        events,
        [
            "DEBUG message=denied n=2 reason=TooLong { wait: Some(1s) }",
            "INFO message=closed",
            "DEBUG message=denied n=2 reason=Closed",
        ]
    );
}

#[cfg(any(feature = "sync", feature = "async"))]
#[test]
fn a_wait_that_fails_is_told() {
    let limiter = limiter();
    let wait = |n| {
        let wait = limiter.acquire(n).within(Duration::ZERO);
        #[cfg(feature = "sync")]
        return wait.wait();
        #[cfg(not(feature = "sync"))]
        futures::executor::block_on(wait)
    };
    let events = heard(Level::DEBUG, || {
        wait(2).unwrap();
        wait(1).unwrap_err();
        limiter.close();
        wait(1).unwrap_err();
    });
    assert_eq!(
        events,
        [
            "DEBUG message=denied n=1 reason=TooLong { wait: Some(500ms) }",
            "INFO message=closed",
            "DEBUG message=denied n=1 reason=Closed",
        ]
    );
}

/// It stood in line when the limiter was closed.
#[cfg(feature = "async")]
#[test]
fn a_wait_that_fails_later_is_told() {
    use futures::FutureExt;
    let limiter = limiter();
    let events = heard(Level::DEBUG, || {
        limiter.try_acquire(2).unwrap();
        let mut wait = limiter.acquire(1);
        assert!((&mut wait).now_or_never().is_none());
        limiter.close();
        wait.now_or_never().unwrap().unwrap_err();
    });
    assert_eq!(events, ["INFO message=closed", "DEBUG message=denied n=1 reason=Closed"]);
}

#[test]
fn changes_are_told_and_denials_are_less_important() {
    let limiter = limiter();
    let events = heard(Level::INFO, || {
        limiter.set_rate(Rate::per_minute(30));
        limiter.set_burst(4);
        limiter.replace(Quota::per_second(8), Inherit::Reset);
        limiter.set_tokens(3).unwrap();
        limiter.set_tokens(9).unwrap_err();
        limiter.pause_for(Duration::from_millis(1500));
        limiter.try_acquire(1).unwrap_err();
        limiter.close();
    });
    assert_eq!(
        events,
        [
            "INFO message=reconfigured what=\"rate\" rate=0.5 burst=2",
            "INFO message=reconfigured what=\"burst\" rate=0.5 burst=4",
            "INFO message=reconfigured what=\"quota\" rate=8.0 burst=8",
            "INFO message=tokens set tokens=3",
            "INFO message=paused seconds=1.5",
            "INFO message=closed",
        ]
    );
}

/// Of a limiter by key, the same is told, and no key: it may be a secret.
#[test]
fn a_limiter_by_key_tells_the_same() {
    let limiter = Keyed::builder(Quota::per_second(1)).clock(Manual::new()).build().unwrap();
    let events = heard(Level::DEBUG, || {
        limiter.try_acquire("key", 1).unwrap();
        limiter.try_acquire("key", 1).unwrap_err();
        limiter.peek("key", 1).unwrap_err();
        limiter.set_override("key".to_owned(), Quota::per_second(3));
        limiter.set_quota(Quota::per_second(2), Inherit::AsIs);
        assert!(limiter.remove_override("key"));
        assert!(!limiter.remove_override("key"));
        limiter.close();
    });
    assert_eq!(
        events,
        [
            "DEBUG message=denied n=1 reason=NotYet retry_after=1.0",
            "INFO message=reconfigured what=\"override\" rate=3.0 burst=3",
            "INFO message=reconfigured what=\"quota\" rate=2.0 burst=2",
            "INFO message=reconfigured what=\"override removed\" rate=2.0 burst=2",
            "INFO message=closed",
        ]
    );
}

#[cfg(feature = "async")]
#[test]
fn a_wait_by_key_that_fails_is_told() {
    use futures::FutureExt;
    let limiter = Keyed::builder(Quota::per_second(1)).clock(Manual::new()).build().unwrap();
    let wait = || limiter.acquire("key".to_owned(), 1);
    let events = heard(Level::DEBUG, || {
        wait().now_or_never().unwrap().unwrap();
        wait().within(Duration::ZERO).now_or_never().unwrap().unwrap_err();
        let mut waits = wait();
        assert!((&mut waits).now_or_never().is_none());
        limiter.close();
        waits.now_or_never().unwrap().unwrap_err();
    });
    assert_eq!(
        events,
        [
            "DEBUG message=denied n=1 reason=TooLong { wait: Some(1s) }",
            "INFO message=closed",
            "DEBUG message=denied n=1 reason=Closed",
        ]
    );
}

/// `Retry-After: 0` changes nothing, so nothing is told; a real one is.
#[cfg(feature = "http")]
#[test]
fn advice_that_changes_nothing_is_not_told() {
    use lockgate_ratelimit::http::Advice;
    let limiter = limiter();
    let follow = |after: &'static str| {
        let mut headers = http::HeaderMap::new();
        headers.insert("retry-after", http::HeaderValue::from_static(after));
        Advice::read(&headers).follow(&limiter);
    };
    assert_eq!(heard(Level::DEBUG, || follow("0")), [""; 0]);
    assert_eq!(heard(Level::DEBUG, || follow("2")), ["INFO message=paused seconds=2.0"]);
}
