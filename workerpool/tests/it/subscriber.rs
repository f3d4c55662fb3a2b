//! A subscriber of the tests' own.

use std::sync::{Arc, Mutex, Once};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Writes down what it is told.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    pub(crate) told: Arc<Mutex<Vec<String>>>,
    pub(crate) spans: Arc<Mutex<u64>>,
    pub(crate) panics: bool,
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!(" {}={value:?}", field.name());
    }
}

impl Recorder {
    fn tell(&self, what: String) {
        self.told.lock().unwrap().push(what);
        assert!(!self.panics, "a subscriber that is broken");
    }

    pub(crate) fn during<R>(&self, run: impl FnOnce() -> R) -> R {
        KNOWN.call_once(meet_all);
        tracing::subscriber::with_default(self.clone(), run)
    }

    pub(crate) fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }
}

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "lockgate_workerpool"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut spans = self.spans.lock().unwrap();
        *spans += 1;
        let id = *spans;
        drop(spans);
        let mut fields = Fields(format!("{id}: {}", span.metadata().name()));
        span.record(&mut fields);
        self.tell(fields.0);
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(event.metadata().level().to_string());
        event.record(&mut fields);
        self.tell(fields.0);
    }

    fn enter(&self, id: &Id) {
        self.tell(format!("{} entered", id.into_u64()));
    }

    fn exit(&self, id: &Id) {
        self.tell(format!("{} left", id.into_u64()));
    }

    fn try_close(&self, id: Id) -> bool {
        self.tell(format!("{} closed", id.into_u64()));
        true
    }
}

static KNOWN: Once = Once::new();

/// A place that tells something is asked once who listens. Where another test's thread, which has nobody,
/// passes it for the first time just when a subscriber comes, that one is never asked again. So all of
/// them are known before the first test that listens begins: each has told something by then.
fn meet_all() {
    let all = ["job pool=", "message=a job panicked", "message=job rejected", "message=shutdown"];
    crate::support::until("all that can be told was told", || {
        let probe = Recorder::default();
        tracing::subscriber::with_default(probe.clone(), || {
            tracing::callsite::rebuild_interest_cache();
            tell_all();
        });
        let told = probe.told();
        all.iter().all(|what| told.iter().any(|it| it.contains(what)))
    });
}

/// On this thread: it submits, has no room, panics and shuts down.
#[cfg(feature = "async")]
fn tell_all() {
    use lockgate_workerpool::task::{Pool, Queue, Reject};
    crate::support::runtime(1).block_on(async {
        let builder = Pool::builder().limit(1).queue(Queue::Bounded(1)).reject(Reject::Fail);
        let pool = builder.build().unwrap();
        let quiet = async { std::panic::resume_unwind(Box::new("quiet")) };
        pool.named("it").spawn(quiet).await.unwrap();
        pool.wait_idle().await;
        pool.pause();
        pool.spawn(async {}).await.unwrap();
        assert!(pool.spawn(async {}).await.is_err());
        pool.shutdown().await;
    });
}

#[cfg(not(feature = "async"))]
fn tell_all() {
    use lockgate_workerpool::thread::{Pool, Queue, Reject};
    for reject in [Reject::Fail, Reject::CallerRuns] {
        let pool = Pool::builder().threads(1).queue(Queue::Handoff).reject(reject).build().unwrap();
        pool.pause();
        let quiet = || std::panic::resume_unwind(Box::new("quiet"));
        let _ = pool.named("it").spawn(quiet);
        pool.shutdown().wait().unwrap();
    }
}
