//! The queue: one FIFO for each priority.

use std::collections::VecDeque;

/// Each time that many jobs were taken by priority, one is taken from the other end, so that a
/// steady stream of urgent jobs delays the least urgent one and does not starve it. A prime, as
/// tokio's interval for its global queue is, so that it does not fall in step with a workload.
const FROM_BELOW: u32 = 61;

/// Lane 0 goes first.
#[derive(Debug)]
pub(crate) struct Lanes<J> {
    lanes: Box<[VecDeque<J>]>,
    /// All lanes together.
    length: usize,
    taken: u32,
}

impl<J> Lanes<J> {
    pub(crate) fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes).map(|_| VecDeque::new()).collect(), length: 0, taken: 0 }
    }

    pub(crate) fn count(&self) -> usize {
        self.lanes.len()
    }

    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.length == 0
    }

    pub(crate) fn len_of(&self, lane: usize) -> usize {
        self.lanes[lane].len()
    }

    pub(crate) fn push_back(&mut self, lane: usize, job: J) {
        self.lanes[lane].push_back(job);
        self.length += 1;
    }

    /// For a job that had its turn and did not run.
    pub(crate) fn push_front(&mut self, lane: usize, job: J) {
        self.lanes[lane].push_front(job);
        self.length += 1;
    }

    pub(crate) fn pop(&mut self) -> Option<J> {
        self.taken = (self.taken + 1) % FROM_BELOW;
        let job = if self.taken == 0 {
            self.lanes.iter_mut().rev().find_map(VecDeque::pop_front)
        } else {
            self.lanes.iter_mut().find_map(VecDeque::pop_front)
        };
        self.length -= usize::from(job.is_some());
        job
    }

    /// Takes the job that has waited longest where it matters least: in the lowest lane.
    pub(crate) fn evict(&mut self) -> Option<J> {
        let job = self.lanes.iter_mut().rev().find_map(VecDeque::pop_front);
        self.length -= usize::from(job.is_some());
        job
    }

    /// Takes those for which `leaves` says so, in order.
    pub(crate) fn sweep(&mut self, mut leaves: impl FnMut(&J) -> bool, out: &mut Vec<J>) {
        for lane in &mut self.lanes {
            let mut kept = VecDeque::with_capacity(lane.len());
            for job in lane.drain(..) {
                if leaves(&job) { out.push(job) } else { kept.push_back(job) }
            }
            *lane = kept;
        }
        self.length = self.lanes.iter().map(VecDeque::len).sum();
    }
}
