//! How many may run, how many may wait, and who has to be called: the group's numbers as a pure
//! state machine, without threads, clocks or runtimes.
//!
//! A *job* is a task that was accepted. A *runner* is a thread, or a task of a runtime, that runs
//! one job after the other; it holds a *slot* while it works. So `limit` bounds the slots, and
//! nothing is counted for each job.

/// The backlog where none is given, as a multiple of the limit …
pub(crate) const BACKLOG_PER_SLOT: usize = 8;
/// … and at least so much. A spawner that outruns its tasks sleeps once for half a backlog, and a
/// wake-up across threads costs 5 to 50 µs: with tiny tasks and a backlog of 16 that is 1 to 2 µs
/// for each, with this one less than the task's own queueing. Half of it has to last until the
/// spawner is back: two runners empty 512 places of tiny tasks in less time than a wake-up takes. The
/// queue's room doubles, and with this many it is the 4096 that a usual limit does not exceed.
pub(crate) const LEAST_BACKLOG: usize = 4000;

/// What to do after a change, outside the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Summon {
    /// Nobody is needed, or somebody is on the way.
    Nobody,
    /// Wake an idle runner: it has a slot by now.
    Wake,
    /// Start a new runner: it has a slot by now.
    Start,
}

/// The numbers. All change under the pool's lock.
#[derive(Clone, Debug)]
pub(crate) struct Slots {
    limit: usize,
    /// `None`: so many times the limit.
    backlog: Option<usize>,
    /// Runners that hold a slot, the one that is on its way included.
    running: usize,
    /// Whether a runner was woken or started and has not looked for a job yet. There is at most
    /// one: it calls the next itself, if there is more to do when it comes.
    searching: bool,
    /// Runners that sleep. They hold no slot.
    idle: usize,
    /// Jobs that were accepted and not started, places included that were promised to a spawner.
    queued: usize,
}

impl Slots {
    pub(crate) const fn new(limit: usize, backlog: Option<usize>) -> Self {
        Self { limit, backlog, running: 0, searching: false, idle: 0, queued: 0 }
    }

    pub(crate) const fn limit(&self) -> usize {
        self.limit
    }

    /// How many accepted jobs may be not started yet, beside those for which slots are free.
    pub(crate) const fn backlog(&self) -> usize {
        match self.backlog {
            Some(backlog) => backlog,
            None if self.limit < LEAST_BACKLOG / BACKLOG_PER_SLOT => LEAST_BACKLOG,
            None => self.limit.saturating_mul(BACKLOG_PER_SLOT),
        }
    }

    pub(crate) const fn queued(&self) -> usize {
        self.queued
    }

    /// Runners that have a job. One that is between two jobs counts too.
    pub(crate) const fn busy(&self) -> usize {
        self.running - self.searching as usize
    }

    /// Whether nothing is accepted that is not over.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.queued == 0 && self.running == 0
    }

    /// Jobs that are accepted and not over.
    const fn accepted(&self) -> usize {
        self.busy().saturating_add(self.queued)
    }

    /// Whether one more job would find a free slot.
    pub(crate) const fn has_slot(&self) -> bool {
        self.accepted() < self.limit
    }

    /// Whether one more job may be accepted.
    pub(crate) const fn has_room(&self) -> bool {
        self.accepted() < self.limit.saturating_add(self.backlog())
    }

    /// Whether the backlog has emptied so far that it is worth while to wake a spawner.
    pub(crate) const fn is_half_empty(&self) -> bool {
        self.starts_until_half_empty() == 0
    }

    /// How many jobs have to start before that, if no runner gives its slot back.
    pub(crate) const fn starts_until_half_empty(&self) -> usize {
        let half = match self.backlog() {
            // A half of nothing is no room.
            0 => self.limit - 1,
            backlog => self.limit.saturating_add(backlog / 2),
        };
        self.accepted().saturating_sub(half)
    }

    /// A job was accepted, or a place promised to a spawner.
    pub(crate) const fn push(&mut self) {
        self.queued += 1;
    }

    /// `count` jobs left the queue: started, refused, or a promise was given back.
    pub(crate) const fn pop(&mut self, count: usize) {
        self.queued -= count;
    }

    /// Whether anybody could be called.
    pub(crate) const fn may_summon(&self) -> bool {
        !self.searching && self.running < self.limit
    }

    /// Who is to come, now that jobs are `waiting` or not.
    ///
    /// INVARIANT: jobs that wait while a slot is free have somebody on the way to them.
    pub(crate) const fn summon(&mut self, waiting: bool) -> Summon {
        if !waiting || !self.may_summon() {
            return Summon::Nobody;
        }
        self.searching = true;
        self.running += 1;
        if self.idle > 0 {
            self.idle -= 1;
            Summon::Wake
        } else {
            Summon::Start
        }
    }

    /// The runner that was on its way is there, or will never be.
    pub(crate) const fn arrive(&mut self) {
        self.searching = false;
    }

    /// Whether all is over when the one that holds a slot gives it back.
    pub(crate) const fn is_last(&self) -> bool {
        self.queued == 0 && self.running == 1
    }

    /// Whether somebody holds a slot that the limit, lowered since, does not have.
    pub(crate) const fn is_over_limit(&self) -> bool {
        self.running > self.limit
    }

    /// Whether a slot is free for somebody who was not called: a thread that joins.
    pub(crate) const fn enlist(&mut self) -> bool {
        let free = self.running < self.limit;
        if free {
            self.running += 1;
        }
        free
    }

    /// A runner gives its slot back, to sleep or for good.
    pub(crate) const fn retire(&mut self, to_sleep: bool) {
        self.running -= 1;
        if to_sleep {
            self.idle += 1;
        }
    }

    /// A sleeping runner ends.
    pub(crate) const fn forget_idle(&mut self) {
        self.idle -= 1;
    }

    pub(crate) const fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }
}
