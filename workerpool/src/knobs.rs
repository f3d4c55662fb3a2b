//! What both builders can be told.

use crate::error::BuildError;
use crate::hooks::Hooks;
use crate::policy::Queue;
use crate::primitives::Arc;
use crate::timings::Timings;
use crate::watch::Watch;
use std::fmt;

pub(crate) struct Knobs {
    pub(crate) queue: Queue,
    pub(crate) lanes: usize,
    pub(crate) name: Option<String>,
    pub(crate) timings: Timings,
    pub(crate) observes: bool,
    pub(crate) hooks: Hooks,
}

impl Knobs {
    const NAME: &str = "workerpool";

    pub(crate) fn new() -> Self {
        Self {
            queue: Queue::Bounded(1024),
            lanes: 1,
            name: None,
            timings: Timings::Off,
            observes: false,
            hooks: Hooks::default(),
        }
    }

    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or(Self::NAME)
    }

    /// Whether all that it was told can be.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        if !(1..=usize::from(u16::MAX)).contains(&self.lanes) {
            return Err(BuildError::Lanes(self.lanes));
        }
        if self.timings == Timings::Sampled(0) {
            return Err(BuildError::Timings(0));
        }
        Ok(())
    }

    /// The hooks of a pool of so many workers, with who keeps what is to be known of its jobs.
    pub(crate) fn hooks(mut self, workers: usize) -> Hooks {
        let watch = Watch::new(self.name(), self.timings, self.observes, workers);
        self.hooks.watch = Some(Arc::new(watch));
        self.hooks
    }

    /// For `Debug`.
    pub(crate) fn tell(&self, it: &mut fmt::DebugStruct<'_, '_>) {
        it.field("queue", &self.queue)
            .field("reject", &self.hooks.reject)
            .field("lanes", &self.lanes);
    }
}
