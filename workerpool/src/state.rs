//! How many workers there are, how many jobs wait, and who has to be called: the pool's numbers as
//! a pure state machine, without threads, clocks or runtimes.
//!
//! A *job* waits until a *worker* runs it. A worker is idle, on its way (it was woken or started
//! and has not looked for a job yet) or busy. All numbers change under the lock of the queue, and
//! nowhere else: counts of idle workers that are kept beside the queue are where pools break
//! (tokio#8056, tokio#7922, tokio#6439).

/// What to do after a change, outside the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Summon {
    /// Nobody is needed, or somebody is on the way.
    Nobody,
    /// Wake the worker that fell asleep last.
    Wake,
    /// Start a worker.
    Start,
}

/// Whether the pool takes jobs, and whether it runs them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Open,
    /// Takes jobs and runs none.
    Paused,
    /// Takes none, and runs those it has.
    Closed,
}

/// The numbers.
#[derive(Clone, Debug)]
pub(crate) struct Crew {
    min: usize,
    max: usize,
    /// How many jobs may wait beside those for which a worker is free.
    bound: usize,
    phase: Phase,
    /// Workers that exist, or are being started.
    live: usize,
    /// Workers that sleep and were not called.
    idle: usize,
    /// Workers that were woken or started and have not looked for a job yet. A call comes only
    /// when there are none: whoever arrives calls the next if there is more to do.
    arriving: usize,
    /// Of those, threads that the system has not granted yet.
    unconfirmed: usize,
    /// Busy workers that are parked until a job of this very pool ends; for a moment one less, where
    /// it ended before its worker was counted.
    blocked: isize,
    /// Jobs that were accepted and not started.
    queued: usize,
    /// Places that were promised and have no job yet.
    reserved: usize,
}

impl Crew {
    pub(crate) const fn new(min: usize, max: usize, bound: usize) -> Self {
        Self {
            min,
            max,
            bound,
            phase: Phase::Open,
            live: 0,
            idle: 0,
            arriving: 0,
            unconfirmed: 0,
            blocked: 0,
            queued: 0,
            reserved: 0,
        }
    }

    pub(crate) const fn min(&self) -> usize {
        self.min
    }

    pub(crate) const fn max(&self) -> usize {
        self.max
    }

    pub(crate) const fn bound(&self) -> usize {
        self.bound
    }

    pub(crate) const fn live(&self) -> usize {
        self.live
    }

    pub(crate) const fn idle(&self) -> usize {
        self.idle
    }

    pub(crate) const fn queued(&self) -> usize {
        self.queued
    }

    /// Workers that have a job. One that is between two jobs counts too.
    pub(crate) const fn busy(&self) -> usize {
        self.live - self.idle - self.arriving
    }

    pub(crate) const fn is_paused(&self) -> bool {
        matches!(self.phase, Phase::Paused)
    }

    pub(crate) const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Whether nothing that was accepted waits or runs.
    pub(crate) const fn is_quiet(&self) -> bool {
        self.queued == 0 && self.busy() == 0
    }

    /// Whether there is nobody left, and nobody will come.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_closed() && self.live == 0
    }

    /// How many more jobs may be accepted.
    ///
    /// INVARIANT: a job for which a worker is free takes no place in the queue, so that a queue of
    /// zero hands over and `max + bound` jobs are in a pool at the most. Nobody is free in a pause.
    pub(crate) const fn room(&self) -> usize {
        let taken = self.queued.saturating_add(self.reserved);
        let free = match self.phase {
            Phase::Open => self.max.saturating_sub(self.busy()),
            Phase::Paused => 0,
            Phase::Closed => return 0,
        };
        self.bound.saturating_add(free).saturating_sub(taken)
    }

    /// `count` jobs were accepted.
    pub(crate) const fn push(&mut self, count: usize) {
        self.queued += count;
    }

    /// `count` jobs left the queue: started, taken out or refused.
    pub(crate) const fn pop(&mut self, count: usize) {
        self.queued -= count;
    }

    /// A place is promised …
    pub(crate) const fn reserve(&mut self) {
        self.reserved += 1;
    }

    /// … and used or given back.
    pub(crate) const fn unreserve(&mut self) {
        self.reserved -= 1;
    }

    /// Whether a worker is on its way.
    pub(crate) const fn is_expected(&self) -> bool {
        self.arriving > 0
    }

    /// Whether anybody could be called.
    pub(crate) const fn may_summon(&self) -> bool {
        self.arriving == 0
            && !self.is_paused()
            && (self.idle > 0 || self.live < self.max)
            && self.live - self.idle < self.max
    }

    /// Who is to come, now that jobs are `waiting` for a worker or not.
    ///
    /// INVARIANT: while a job waits and a worker is idle or could be started, one is on its way.
    pub(crate) const fn summon(&mut self, waiting: bool) -> Summon {
        if !waiting || !self.may_summon() {
            return Summon::Nobody;
        }
        if self.idle > 0 {
            self.idle -= 1;
            self.arriving += 1;
            Summon::Wake
        } else {
            self.start();
            Summon::Start
        }
    }

    /// A worker is to be started because the pool has fewer than it is to have.
    pub(crate) const fn hire(&mut self) -> bool {
        let short = !self.is_closed() && self.live < self.min;
        if short {
            self.start();
        }
        short
    }

    /// Whether a worker exists: one that was merely asked for may be refused by the system, and
    /// a job that counted on it would be lost (tokio#8406).
    pub(crate) const fn has_worker(&self) -> bool {
        self.live > self.unconfirmed
    }

    /// A worker is to be started because there is none at all; `false` if no more are allowed.
    pub(crate) const fn hire_first(&mut self) -> bool {
        let may = !self.is_closed() && self.live < self.max;
        if may {
            self.start();
        }
        may
    }

    const fn start(&mut self) {
        self.live += 1;
        self.arriving += 1;
        self.unconfirmed += 1;
    }

    /// The system has granted a worker. It may have arrived by now.
    pub(crate) const fn confirm(&mut self) {
        self.unconfirmed -= 1;
    }

    /// A worker that was on its way looks for a job.
    pub(crate) const fn arrive(&mut self) {
        self.arriving -= 1;
    }

    /// A worker that was to be started does not exist.
    pub(crate) const fn start_failed(&mut self) {
        self.unconfirmed -= 1;
        self.arriving -= 1;
        self.live -= 1;
    }

    /// Whether a worker that has nothing to do, or that comes for a job, is one too many.
    pub(crate) const fn is_surplus(&self) -> bool {
        self.live > self.max
    }

    /// Whether there are more workers than the least number.
    pub(crate) const fn may_expire(&self) -> bool {
        self.live > self.min
    }

    /// Whether a job is about to come that counts on somebody who is there.
    pub(crate) const fn expects(&self) -> bool {
        self.reserved > 0
    }

    /// Whether nothing will ever come for a worker that has nothing to do.
    pub(crate) const fn is_drained(&self) -> bool {
        self.is_closed() && self.queued == 0
    }

    /// A busy worker has found nothing, and is about to look again.
    pub(crate) const fn linger(&mut self) {
        self.arriving += 1;
    }

    /// A busy worker falls asleep.
    pub(crate) const fn sleep(&mut self) {
        self.idle += 1;
    }

    /// A worker that sleeps is called, whatever there is for it.
    pub(crate) const fn call_idle(&mut self) {
        self.idle -= 1;
        self.arriving += 1;
    }

    /// A worker that slept and was not called looks for a job.
    pub(crate) const fn rise(&mut self) {
        self.idle -= 1;
    }

    /// A busy worker goes for good.
    pub(crate) const fn leave(&mut self) {
        self.live -= 1;
    }

    /// A worker is about to park until a job of this pool ends that runs elsewhere; `false` when
    /// every other busy worker is parked so, and nobody could ever end it.
    pub(crate) const fn block(&mut self) -> bool {
        let last = self.blocked + 1 >= self.busy() as isize && !self.may_find_more();
        if !last {
            self.blocked += 1;
        }
        !last
    }

    /// Whether every worker that has a job is parked until another's ends.
    pub(crate) const fn is_stuck(&self) -> bool {
        self.blocked > 0 && self.blocked >= self.busy() as isize && !self.may_find_more()
    }

    /// Whether somebody may yet come to a job that waits: he is on the way, or a pause will end.
    const fn may_find_more(&self) -> bool {
        self.arriving > 0 || self.is_paused()
    }

    /// What a worker was to park for had ended, and it was uncounted, before it was counted.
    pub(crate) const fn was_unblocked(&mut self) {
        self.blocked += 1;
    }

    /// What a worker was parked for has ended, or it waits no longer.
    pub(crate) const fn unblock(&mut self) {
        self.blocked -= 1;
    }

    pub(crate) const fn resize(&mut self, min: usize, max: usize) {
        self.min = min;
        self.max = max;
    }

    /// `false` if it is closed: there is nothing to pause.
    pub(crate) const fn pause(&mut self) -> bool {
        let open = !self.is_closed();
        if open {
            self.phase = Phase::Paused;
        }
        open
    }

    pub(crate) const fn resume(&mut self) {
        if self.is_paused() {
            self.phase = Phase::Open;
        }
    }

    /// Ends a pause too: what was accepted runs. `false` if it was closed before.
    pub(crate) const fn close(&mut self) -> bool {
        let open = !self.is_closed();
        self.phase = Phase::Closed;
        open
    }
}
