//! Events for whoever listens: transitions and rejections.

use crate::support::{WAIT, fail, is_rejected, secs, succeed, touchy};
use lockgate_breaker::clock::Manual;
use lockgate_breaker::{Outcome, State};
use std::fmt::Write;
use std::sync::{Arc, Mutex, Once};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// Writes down every event of the crate, up to a level, or panics at it.
#[derive(Clone)]
struct Recorder {
    events: Arc<Mutex<Vec<String>>>,
    level: Level,
    panics: bool,
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "lockgate_breaker" && *metadata.level() <= self.level
    }

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.events.lock().unwrap().push(fields.0);
        assert!(!self.panics, "a subscriber that is broken");
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
    heard_by(Recorder { events: Arc::default(), level, panics: false }, run)
}

fn heard_by(recorder: Recorder, run: impl FnOnce()) -> Vec<String> {
    static ALWAYS: Once = Once::new();
    ALWAYS
        .call_once(|| tracing::subscriber::set_global_default(Nobody).expect("there is no other"));
    tracing::subscriber::with_default(recorder.clone(), run);
    let events = recorder.events.lock().unwrap();
    events.clone()
}

#[test]
fn each_transition_and_each_rejection_is_told() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let events = heard(Level::DEBUG, || {
        succeed(&breaker);
        fail(&breaker);
        clock.advance(secs(1));
        assert!(is_rejected(&breaker));
        assert_eq!(breaker.state(), State::Open, "what asks is not rejected");
        clock.advance(WAIT);
        let probe = breaker.try_acquire().unwrap();
        assert!(breaker.try_acquire_owned().is_err());
        probe.success();
    });
    assert_eq!(
        events,
        [
            "INFO message=transition breaker=\"test\" from=\"closed\" to=\"open\" \
             reason=\"tripped\" open_for=5.0 number=1",
            "DEBUG message=rejected breaker=\"test\" state=\"open\" retry_after=4.0",
            "INFO message=transition breaker=\"test\" from=\"open\" to=\"half_open\" \
             reason=\"open_time_over\" number=2",
            "DEBUG message=rejected breaker=\"test\" state=\"half_open\"",
            "INFO message=transition breaker=\"test\" from=\"half_open\" to=\"closed\" \
             reason=\"recovered\" number=3",
        ]
    );
}

#[test]
fn rejections_are_less_important() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let events = heard(Level::INFO, || {
        let _ =
            breaker.call_with(&|_: &Result<(), ()>| Outcome::TripFor(secs(90)), || Ok::<_, ()>(()));
        assert!(is_rejected(&breaker));
        breaker.force_open();
        assert!(is_rejected(&breaker));
        breaker.disable();
    });
    assert_eq!(
        events,
        [
            "INFO message=transition breaker=\"test\" from=\"closed\" to=\"open\" \
             reason=\"told\" open_for=90.0 number=1",
            "INFO message=transition breaker=\"test\" from=\"open\" to=\"forced_open\" \
             reason=\"by_hand\" number=2",
            "INFO message=transition breaker=\"test\" from=\"forced_open\" to=\"disabled\" \
             reason=\"by_hand\" number=3",
        ]
    );
}

/// A future that is rejected, and a permit that is dropped.
#[cfg(feature = "async")]
#[test]
fn futures_are_told_of_as_well() {
    use futures::FutureExt;
    use lockgate_breaker::DropPolicy;
    let clock = Manual::new();
    let breaker = touchy(&clock).on_drop(DropPolicy::Failure).build().unwrap();
    let events = heard(Level::DEBUG, || {
        drop(breaker.try_acquire());
        let run = breaker.run(std::future::pending::<Result<(), ()>>());
        assert!(run.now_or_never().unwrap().unwrap_err().is_rejected());
    });
    assert_eq!(
        events,
        [
            "INFO message=transition breaker=\"test\" from=\"closed\" to=\"open\" \
             reason=\"tripped\" open_for=5.0 number=1",
            "DEBUG message=rejected breaker=\"test\" state=\"open\" retry_after=5.0",
        ]
    );
}

/// Whoever listens may be broken: the call is not, and neither is the circuit.
#[test]
fn a_subscriber_that_panics_breaks_nothing() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let recorder = Recorder { events: Arc::default(), level: Level::DEBUG, panics: true };
    let events = heard_by(recorder, || {
        fail(&breaker);
        assert!(is_rejected(&breaker));
        clock.advance(WAIT);
        succeed(&breaker);
    });
    assert_eq!(events.len(), 4, "{events:?}");
    assert_eq!(breaker.state(), State::Closed);
}
