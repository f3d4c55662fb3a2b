//! A worker's seat: the jobs that are its own unless somebody takes them, and its tallies.

use super::stealing::Own;
use super::{Entry, Item};
use crate::metrics::Counts;
use crate::primitives::{Arc, Mutex};
use std::collections::VecDeque;
use std::mem;

/// How a job ended, for the tallies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    /// It gave an error, where jobs give results.
    Failed,
    Panicked,
    /// Its deadline had passed before it started.
    Expired,
    /// There was nothing to run: it was taken out or aborted while it waited.
    Void,
}

/// A cache line of its own: next to no one else takes its lock.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Seat<J> {
    pub(super) deck: Mutex<Deck<J>>,
    /// Where its worker finds it, if it may put jobs there.
    pub(super) number: Option<usize>,
}

#[derive(Debug)]
pub(super) struct Deck<J> {
    /// What its worker is called.
    pub(super) name: Option<Arc<str>>,
    pub(super) jobs: VecDeque<Item<J>>,
    /// How many of its jobs the line still counts as queued: never fewer than there are.
    pub(super) counted: usize,
    /// The next job is to be fetched by way of the line, where somebody wants to know.
    pub(super) report: bool,
    /// Its worker was called and has not looked for a job yet.
    pub(super) arriving: bool,
    /// Whether its worker has a job now.
    pub(super) runs: bool,
    pub(super) counts: Counts,
    /// What else there is where workers keep the jobs that their jobs submit.
    pub(super) own: Own,
}

impl<J> Seat<J> {
    pub(super) fn new() -> Self {
        Self {
            deck: Mutex::new(Deck {
                name: None,
                jobs: VecDeque::new(),
                counted: 0,
                report: false,
                arriving: true,
                runs: false,
                counts: Counts::default(),
                own: Own::default(),
            }),
            number: None,
        }
    }

    /// The next job of the worker's own, when `done` has ended.
    #[inline]
    pub(super) fn next(&self, done: Outcome) -> Option<Item<J>> {
        let mut deck = self.deck.lock();
        deck.counts.note(done);
        let job = if deck.report || deck.own.yields() { None } else { deck.jobs.pop_front() };
        deck.runs = job.is_some();
        job
    }
}

impl<J: Entry> Deck<J> {
    /// How many jobs were started since the line counted last.
    pub(super) fn settle(&mut self) -> usize {
        let gone = self.counted - self.jobs.len();
        self.counted = self.jobs.len();
        gone
    }

    /// Takes those that are void.
    pub(super) fn sweep(&mut self, leaves: impl Fn(&Item<J>) -> bool, out: &mut Vec<Item<J>>) {
        for job in mem::take(&mut self.jobs) {
            if leaves(&job) { out.push(job) } else { self.jobs.push_back(job) }
        }
    }
}
