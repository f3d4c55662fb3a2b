//! Strands: jobs of which only so many run at once, whoever runs them.
//!
//! A subpool is a strand with a cap, a key a strand with a cap of one. A job whose strand is at its
//! cap stands aside when its turn comes, and is put back, first in its lane, when one of the
//! strand's jobs has ended: it is *due* then. So a strand has no worker, no queue that anybody polls and no lock of
//! its own: it is a number and a list inside the pool's queue.

use super::Item;
use std::collections::VecDeque;
use std::num::NonZeroU32;

/// Names a strand; on a job that waits, also says whether the job is due: it had its turn once, and
/// is older than all that stand aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StrandId(NonZeroU32);

impl StrandId {
    const DUE: u32 = 1 << 31;

    const fn is_due(self) -> bool {
        self.0.get() & Self::DUE != 0
    }

    pub(super) fn due(self) -> Self {
        Self(self.0 | Self::DUE)
    }

    fn plain(self) -> Self {
        let number = NonZeroU32::new(self.0.get() & !Self::DUE);
        Self(number.unwrap_or_else(|| unreachable!("strands count from 1")))
    }
}

#[derive(Debug)]
pub(super) struct Strands<J> {
    strands: Vec<Strand<J>>,
    free: Vec<StrandId>,
    /// Jobs that stand aside, of all strands.
    aside: usize,
}

#[derive(Debug)]
struct Strand<J> {
    cap: usize,
    /// Jobs that run, or are in the deck of a worker.
    taken: usize,
    /// Jobs that are due, in the queue.
    ///
    /// INVARIANT: `taken + due` is at most `cap`, and no less while jobs stand aside: each of those
    /// has somebody before it whose end is its turn, and nobody overtakes it.
    due: usize,
    aside: VecDeque<Item<J>>,
    /// Jobs of it that were accepted and are not over.
    pending: usize,
    /// Whether somebody may still submit to it.
    held: bool,
}

impl<J> Strands<J> {
    pub(super) const fn new() -> Self {
        Self { strands: Vec::new(), free: Vec::new(), aside: 0 }
    }

    pub(super) fn open(&mut self, cap: usize) -> StrandId {
        let strand =
            Strand { cap, taken: 0, due: 0, aside: VecDeque::new(), pending: 0, held: true };
        if let Some(id) = self.free.pop() {
            *self.strand(id) = strand;
            return id;
        }
        self.strands.push(strand);
        let number = u32::try_from(self.strands.len()).ok().and_then(NonZeroU32::new);
        StrandId(number.unwrap_or_else(|| unreachable!("memory ends before 2^31 strands")))
    }

    /// Nobody submits to it any more.
    pub(super) fn close(&mut self, id: StrandId) {
        self.strand(id).held = false;
        self.free_if_over(id);
    }

    pub(super) fn accept(&mut self, id: StrandId) {
        self.strand(id).pending += 1;
    }

    pub(super) fn pending(&mut self, id: StrandId) -> usize {
        self.strand(id).pending
    }

    /// The turn of a job has come: it may run, or it stands aside.
    pub(super) fn admit(&mut self, id: StrandId, mut job: Item<J>) -> Option<Item<J>> {
        let strand = self.strand(id);
        if id.is_due() {
            strand.due -= 1;
            strand.taken += 1;
            job.strand = Some(id.plain());
            return Some(job);
        }
        if strand.taken + strand.due < strand.cap {
            strand.taken += 1;
            return Some(job);
        }
        strand.aside.push_back(job);
        self.aside += 1;
        None
    }

    /// A job that was admitted goes back into the queue without having run; it is due there.
    pub(super) fn readmit(&mut self, id: StrandId) -> StrandId {
        let strand = self.strand(id);
        strand.taken -= 1;
        strand.due += 1;
        id.due()
    }

    /// A job that was admitted is over. The job whose turn it is, if one stood aside.
    pub(super) fn end(&mut self, id: StrandId) -> Option<Item<J>> {
        let strand = self.strand(id);
        strand.taken -= 1;
        strand.pending -= 1;
        self.next(id)
    }

    /// A job that was accepted is taken out before it had its turn, or when it was due. The job
    /// whose turn it is then, if one stood aside.
    pub(super) fn withdraw(&mut self, id: StrandId) -> Option<Item<J>> {
        let strand = self.strand(id);
        strand.pending -= 1;
        strand.due -= usize::from(id.is_due());
        self.next(id)
    }

    fn next(&mut self, id: StrandId) -> Option<Item<J>> {
        let strand = self.strand(id);
        let free = strand.taken + strand.due < strand.cap;
        let mut next = if free { strand.aside.pop_front() } else { None };
        if let Some(job) = &mut next {
            strand.due += 1;
            job.strand = Some(id.due());
            self.aside -= 1;
        }
        self.free_if_over(id);
        next
    }

    /// Takes jobs that stand aside.
    pub(super) fn sweep(&mut self, leaves: impl Fn(&Item<J>) -> bool, out: &mut Vec<Item<J>>) {
        if self.aside == 0 {
            return;
        }
        for strand in &mut self.strands {
            for job in std::mem::take(&mut strand.aside) {
                if leaves(&job) { out.push(job) } else { strand.aside.push_back(job) }
            }
        }
        self.aside = self.strands.iter().map(|strand| strand.aside.len()).sum();
    }

    fn strand(&mut self, id: StrandId) -> &mut Strand<J> {
        &mut self.strands[id.plain().0.get() as usize - 1]
    }

    fn free_if_over(&mut self, id: StrandId) {
        let strand = self.strand(id);
        if !strand.held && strand.pending == 0 {
            self.free.push(id.plain());
        }
    }
}
