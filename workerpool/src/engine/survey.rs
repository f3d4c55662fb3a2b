//! Who works, for snapshots.

use super::{Engine, Entry, Seat};
use crate::metrics::Metrics;
use crate::primitives::Arc;
use crate::snapshot::{LiveWorker, WorkerState};

impl<J: Entry> Engine<J> {
    /// The numbers, and the workers.
    pub(crate) fn survey(&self) -> (Metrics, Vec<LiveWorker>) {
        let mut line = self.line.lock();
        let seen = |seat: &Arc<Seat<J>>| {
            let deck = seat.deck.lock();
            let state = if deck.runs { WorkerState::Running } else { WorkerState::Idle };
            LiveWorker { name: deck.name.clone(), state }
        };
        let workers = line.seats.iter().map(seen).collect();
        (Self::numbers(&mut line), workers)
    }
}
