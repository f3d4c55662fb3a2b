//! Who works, for snapshots.

use super::{Engine, Entry, Seat};
use crate::metrics::Metrics;
use crate::primitives::Arc;
use crate::snapshot::{LiveWorker, WorkerState};

impl<J: Entry> Engine<J> {
    /// The numbers, and the workers.
    pub(crate) fn survey(&self) -> (Metrics, Vec<LiveWorker>) {
        let mut line = self.line.lock();
        let seen = |seat: &Arc<Seat<J>>| LiveWorker {
            name: seat.name.clone(),
            state: if seat.deck.lock().runs { WorkerState::Running } else { WorkerState::Idle },
        };
        let workers = line.seats.iter().map(seen).collect();
        (Self::numbers(&mut line), workers)
    }
}
