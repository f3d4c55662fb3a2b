//! What is done to a pool as a whole, and what it says of itself.

use super::line::{After, Line};
use super::{Engine, Entry, Item, Outcome, Start, StrandId};
use crate::metrics::Metrics;
use std::sync::atomic::Ordering;

impl<J: Entry> Engine<J> {
    /// A job that waits has become void. Its place is free when its turn comes, or when somebody
    /// needs it. With an outcome it was run elsewhere.
    pub(crate) fn withdraw(&self, ran: Option<Outcome>) {
        self.withdraw_many(1, ran);
    }

    /// The same for several, none of which was run elsewhere if they are not one.
    pub(crate) fn withdraw_many(&self, count: usize, ran: Option<Outcome>) {
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        if let Some(outcome) = ran {
            line.retired.note(outcome);
            line.ran_elsewhere += 1;
        }
        line.voids += count;
        let many = line.voids > 32 && line.voids > line.crew.queued() / 2;
        if many || !line.placers.is_empty() || !line.quiet.is_empty() || line.crew.is_closed() {
            line.sweep_voids(&mut after);
            line.promise_places(&mut after.batch);
            line.tell(&mut after.batch);
        }
        drop(line);
        after.finish();
    }

    /// Takes out what nobody has started and `leaves` says.
    pub(crate) fn sweep(&self, leaves: impl Fn(&J) -> bool) -> Vec<Item<J>> {
        let mut after: After<J> = After::default();
        let mut out = Vec::new();
        let mut line = self.line.lock();
        line.sweep_voids(&mut after);
        line.sweep(|item| leaves(&item.entry), &mut out);
        line.promise_places(&mut after.batch);
        line.tell(&mut after.batch);
        drop(line);
        after.finish();
        out
    }

    /// Takes no more jobs; with `now`, gives back those that wait.
    pub(crate) fn close(&self, now: bool) -> (Vec<Item<J>>, Option<Start>) {
        let mut after: After<J> = After::default();
        let mut out = Vec::new();
        let mut line = self.line.lock();
        line.crew.close();
        line.revoke();
        line.sweep_voids(&mut after);
        if now {
            line.sweep(|_| true, &mut out);
        }
        line.promise_places(&mut after.batch);
        line.tell(&mut after.batch);
        (out, self.leave(line, &mut after))
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.line.lock().crew.is_closed()
    }

    /// `false` if the pool is closed.
    pub(crate) fn pause(&self) -> bool {
        let mut line = self.line.lock();
        // What is in a deck comes back when its worker comes.
        line.recount(true);
        line.crew.pause()
    }

    pub(crate) fn resume(&self) -> Option<Start> {
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        line.crew.resume();
        line.promise_places(&mut after.batch);
        self.leave(line, &mut after)
    }

    /// Idle workers look whether they are to go; the others when they come.
    pub(crate) fn resize(&self, min: usize, max: usize) -> Option<Start> {
        let mut after: After<J> = After::default();
        let mut line = self.line.lock();
        line.crew.resize(min, max);
        // ORDERING: Relaxed: under the lock, before anybody is called to look.
        self.resizes.fetch_add(1, Ordering::Relaxed);
        line.call_all(&mut after.batch);
        line.recount(true);
        line.promise_places(&mut after.batch);
        self.leave(line, &mut after)
    }

    /// A job was refused.
    pub(crate) fn note_rejected(&self) {
        self.line.lock().rejected += 1;
    }

    /// What was taken out for another was aborted, or run elsewhere, at the same moment.
    pub(crate) fn note_evicted_void(&self) {
        let mut line = self.line.lock();
        line.rejected -= 1;
        line.retired.void += 1;
    }

    /// A job that is [withdrawn](Self::withdraw) never came into the queue: it was over before there was
    /// a place for it.
    pub(crate) fn note_unplaced(&self) {
        let mut line = self.line.lock();
        line.submitted += 1;
        line.retired.void += 1;
        line.voids = line.voids.saturating_sub(1);
    }

    /// A job was run by whoever submitted it, and never waited.
    pub(crate) fn note_outside(&self, outcome: Outcome) {
        let mut line = self.line.lock();
        line.submitted += 1;
        line.retired.note(outcome);
    }

    pub(crate) fn open_strand(&self, cap: usize) -> StrandId {
        self.line.lock().strands.open(cap)
    }

    pub(crate) fn close_strand(&self, id: StrandId) {
        self.line.lock().strands.close(id);
    }

    /// Jobs of a strand that were accepted and are not over.
    pub(crate) fn pending(&self, id: StrandId) -> usize {
        self.line.lock().strands.pending(id)
    }

    /// Whether jobs wait for a worker, and none is on the way.
    pub(crate) fn has_backlog(&self) -> bool {
        let line = self.line.lock();
        // What is lent to workers and not used counts as queued, and waits for nobody.
        !line.crew.is_expected() && line.has_work()
    }

    pub(crate) fn lanes(&self) -> usize {
        self.line.lock().lanes.count()
    }

    pub(crate) fn limits(&self) -> (usize, usize) {
        let line = self.line.lock();
        (line.crew.min(), line.crew.max())
    }

    pub(crate) fn metrics(&self) -> Metrics {
        Self::numbers(&mut self.line.lock())
    }

    pub(super) fn numbers(line: &mut Line<J>) -> Metrics {
        let counts = line.tally();
        Metrics {
            workers: line.crew.live(),
            running: line.crew.busy(),
            idle: line.crew.idle(),
            queued: line.crew.queued(),
            lanes: (0..line.lanes.count()).map(|lane| line.lanes.len_of(lane)).collect(),
            waiting: line.placers.len(),
            submitted: line.submitted,
            completed: counts.completed,
            failed: counts.failed,
            panicked: counts.panicked,
            aborted: counts.void.saturating_sub(line.ran_elsewhere),
            expired: counts.expired,
            rejected: line.rejected,
        }
    }
}
