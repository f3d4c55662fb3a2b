//! A subscriber of the tests' own.

use std::sync::{Arc, Mutex};
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
