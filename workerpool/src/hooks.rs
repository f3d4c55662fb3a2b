//! What the user of a pool wants to be told, and what is to be done with jobs that find no room.

use crate::engine::{Engine, Entry, Outcome};
use crate::error::{Panicked, Reason, drop_payload};
use crate::policy::Reject;
use crate::primitives::Arc;
use crate::snapshot::Snapshot;
use crate::timings::Times;
use crate::trace;
use crate::watch::{OnPanic, Tag, Watch};
use std::panic::{AssertUnwindSafe, catch_unwind};

#[cfg(feature = "sync")]
pub(crate) type Hook = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
pub(crate) struct Hooks {
    pub(crate) reject: Reject,
    pub(crate) on_panic: Option<OnPanic>,
    #[cfg(feature = "sync")]
    pub(crate) on_start: Option<Hook>,
    #[cfg(feature = "sync")]
    pub(crate) on_stop: Option<Hook>,
    /// Who keeps what is to be known of jobs. A model has nobody.
    pub(crate) watch: Option<Arc<Watch>>,
}

impl Hooks {
    pub(crate) fn tell_panic(&self, panicked: Panicked) {
        if let Some(hook) = &self.on_panic {
            tell_panic(hook, &panicked);
        }
        drop_payload(panicked);
    }

    /// The name of the pool, for whoever is told of it.
    pub(crate) fn pool(&self) -> Option<&str> {
        self.watch.as_ref().map(|watch| &**watch.name())
    }

    /// What is to be known of a job that is about to be submitted, if anything.
    #[inline]
    pub(crate) fn tag(&self, name: Option<&str>, lane: u16) -> Option<Box<Tag>> {
        self.watch.as_ref()?.tag(name, lane)
    }

    /// A job was refused.
    pub(crate) fn note_rejected<J: Entry>(&self, engine: &Engine<J>, reason: Reason) {
        engine.note_rejected();
        trace::rejected(self.pool(), reason);
    }

    /// A job is over.
    #[inline]
    pub(crate) fn note_end(&self, outcome: Outcome) {
        if outcome == Outcome::Panicked {
            trace::panicked(self.pool());
        }
    }

    pub(crate) fn times(&self) -> Option<Times> {
        self.watch.as_ref().and_then(|watch| watch.times())
    }

    pub(crate) fn snapshot<J: Entry>(&self, engine: &Engine<J>) -> Snapshot {
        let (metrics, workers) = engine.survey();
        let (name, jobs) = match &self.watch {
            Some(watch) => (Arc::clone(watch.name()), watch.jobs()),
            None => ("".into(), Vec::new()),
        };
        Snapshot { name, metrics, workers, jobs }
    }
}

/// Tells somebody of a panic. One of his own ends here.
pub(crate) fn tell_panic(hook: &OnPanic, panicked: &Panicked) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| hook(panicked))) {
        drop_payload(payload);
    }
}
