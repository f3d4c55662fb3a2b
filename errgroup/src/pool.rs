//! Jobs and the runners that take them: the queue of a group.
//!
//! A spawner pushes into one queue. A runner takes its share of it at once into a *deck* of its
//! own, whose lock nobody else wants, so that most jobs cost one lock that is free. Others who
//! find the queue empty take half of a deck: nothing that was accepted is stuck behind a job that
//! blocks. It knows nothing of results, tokens or panics.
//!
//! Locks are taken in one order: the line, then a deck.

mod line;
pub(crate) mod queue;

pub(crate) use line::Seat;
use line::{Line, Rise};
use queue::Queue;

use crate::error::drop_payload;
use crate::primitives::{Arc, Mutex};
use crate::state::{Slots, Summon};
use crate::waiters::{Left, Progress, Ticket, Waiters, WakeBatch, WakePanic};
use std::task::Waker;

/// A task that was accepted.
#[derive(Debug)]
pub(crate) struct Job<W> {
    pub(crate) index: usize,
    pub(crate) name: Option<Arc<str>>,
    pub(crate) work: W,
}

/// The line stands on cache lines of its own: what every spawner and runner writes.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Pool<W> {
    line: Mutex<Line<W>>,
}

/// What a runner finds.
#[derive(Debug)]
pub(crate) enum Next<W> {
    Job(Job<W>),
    /// Nothing: its waker is called when there is more.
    Asleep,
    /// Nothing, and its slot is gone: it ends.
    Leave,
}

/// What a spawner or a joiner finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Ready,
    Queued,
}

/// A runner has to be started: its slot is taken. [`Pool::start_failed`] gives it back.
#[derive(Debug)]
#[must_use]
pub(crate) struct Start(());

/// The numbers of a pool, at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Numbers {
    pub(crate) limit: usize,
    pub(crate) backlog: usize,
    pub(crate) running: usize,
    pub(crate) queued: usize,
}

impl Numbers {
    pub(crate) const fn of(slots: &Slots) -> Self {
        Self {
            limit: slots.limit(),
            backlog: slots.backlog(),
            running: slots.busy(),
            queued: slots.queued(),
        }
    }
}

impl<W> Pool<W> {
    pub(crate) fn new(limit: usize, backlog: Option<usize>) -> Self {
        Self {
            line: Mutex::new(Line {
                slots: Slots::new(limit, backlog),
                queue: Queue::new(),
                seats: Vec::new(),
                next_index: 0,
                in_decks: 0,
                reports: false,
                closed: false,
                dismissed: false,
                sleepers: Waiters::new(),
                spawners: Waiters::new(),
                joiners: Waiters::new(),
            }),
        }
    }

    /// Accepts a job if there is room for it: in a free slot, or with `backlog` in the backlog.
    /// Nobody overtakes spawners that wait. `make` is called under the lock, with the job's index.
    #[inline]
    pub(crate) fn push(
        &self,
        backlog: bool,
        make: impl FnOnce(usize) -> Job<W>,
    ) -> Option<(usize, Option<Start>)> {
        let mut line = self.line.lock();
        if !line.has_room(backlog) {
            return None;
        }
        line.slots.push();
        let index = line.enqueue(make);
        Some((index, self.summon(line)))
    }

    /// Accepts a job for which [`poll_place`](Self::poll_place) promised a place, or, from inside
    /// the group, one beyond all bounds.
    pub(crate) fn push_promised(
        &self,
        promised: bool,
        make: impl FnOnce(usize) -> Job<W>,
    ) -> (usize, Option<Start>) {
        let mut line = self.line.lock();
        if !promised {
            line.slots.push();
        }
        let index = line.enqueue(make);
        (index, self.summon(line))
    }

    /// Accepts, beyond all bounds, a job that its spawner has begun and runs no further.
    pub(crate) fn push_begun(&self, job: Job<W>) -> Option<Start> {
        let mut line = self.line.lock();
        line.slots.push();
        line.queue.push_back(job);
        self.summon(line)
    }

    /// The index of a job that its spawner runs itself.
    pub(crate) fn take_index(&self) -> usize {
        self.line.lock().take_index()
    }

    /// The wait of a spawner. Once it is ready, a place is promised.
    pub(crate) fn poll_place(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Place {
        let ask = |line: &mut Line<W>| {
            let room = line.has_room(true);
            if room {
                line.slots.push();
            }
            room
        };
        let queued = |line: &mut Line<W>, batch: &mut WakeBatch| {
            line.recount(false);
            line.promise_places(batch);
        };
        self.poll(ticket, waker, |line| &mut line.spawners, ask, queued)
    }

    /// Ends a wait for a place. A place that was promised in the meantime goes to the next.
    pub(crate) fn leave_place(&self, ticket: Ticket) {
        let mut line = self.line.lock();
        match line.spawners.leave(ticket) {
            Left::Queued(waker) => {
                drop(line);
                drop(waker);
            }
            Left::Settled(()) => self.give_back(line, 1),
        }
    }

    fn give_back(&self, mut line: Guard<'_, W>, places: usize) {
        line.slots.pop(places);
        let mut batch = WakeBatch::default();
        line.promise_places(&mut batch);
        line.tell_joiners(&mut batch);
        drop(line);
        wake(&mut batch);
    }

    /// The wait for the moment when nothing is accepted that is not over.
    pub(crate) fn poll_quiet(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Place {
        let ask = |line: &mut Line<W>| line.slots.is_quiet();
        self.poll(ticket, waker, |line| &mut line.joiners, ask, |_, _| {})
    }

    /// Ends a wait for quiet.
    pub(crate) fn leave_quiet(&self, ticket: Ticket) {
        let left = self.line.lock().joiners.leave(ticket);
        drop(left); // a waker perhaps, and the lock is left
    }

    /// One poll of a wait: ready if `ask` says so, or if somebody settled it since.
    fn poll(
        &self,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
        queue: impl Fn(&mut Line<W>) -> &mut Waiters<(), ()>,
        ask: impl Fn(&mut Line<W>) -> bool,
        queued: impl Fn(&mut Line<W>, &mut WakeBatch),
    ) -> Place {
        // Cloned and dropped outside the lock, where it is of use inside.
        let mut spare: Option<Waker> = None;
        loop {
            let mut line = self.line.lock();
            if let Some(held) = ticket.as_ref() {
                match queue(&mut line).progress(held, waker) {
                    Progress::Settled => {
                        queue(&mut line).leave_settled(ticket);
                        drop(line);
                        return Place::Ready;
                    }
                    Progress::Queued => {
                        drop(line);
                        return Place::Queued;
                    }
                    Progress::StaleWaker => {
                        if let Some(fresh) = spare.take() {
                            let stale = queue(&mut line).replace_waker(held, fresh);
                            drop(line);
                            drop(stale);
                            return Place::Queued;
                        }
                    }
                }
            } else if ask(&mut line) {
                drop(line);
                return Place::Ready;
            } else if let Some(waker) = spare.take() {
                *ticket = Some(queue(&mut line).push_back((), waker));
                let mut batch = WakeBatch::default();
                queued(&mut line, &mut batch);
                drop(line);
                wake(&mut batch);
                return Place::Queued;
            }
            drop(line);
            spare = Some(waker.clone());
        }
    }

    /// A runner that was started is there, and takes its seat.
    pub(crate) fn arrive(&self) -> Arc<Seat<W>> {
        // It is on its way until it looks: the job that it was called for is queued, and would
        // be counted twice if it were busy by now.
        let seat = Arc::new(Seat::new(true));
        self.line.lock().seats.push(Arc::clone(&seat));
        seat
    }

    /// A thread that was not called takes a free slot, if there is one and something to do.
    pub(crate) fn enlist(&self) -> Option<Arc<Seat<W>>> {
        let mut line = self.line.lock();
        if !line.has_jobs() || !line.slots.enlist() {
            return None;
        }
        let seat = Arc::new(Seat::new(false));
        line.seats.push(Arc::clone(&seat));
        Some(seat)
    }

    /// No runner could be started. Its slot is free again, for `enlist`.
    pub(crate) fn start_failed(&self, start: Start) {
        let Start(()) = start;
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        line.slots.arrive();
        line.slots.retire(false);
        line.tell_joiners(&mut batch);
        drop(line);
        wake(&mut batch);
    }

    /// The next job of the runner's own deck.
    #[inline]
    pub(crate) fn next_own(&self, seat: &Seat<W>) -> Option<Job<W>> {
        let mut deck = seat.deck.lock();
        if deck.report {
            return None;
        }
        let job = deck.jobs.pop_front();
        deck.note(job.as_ref());
        job
    }

    /// The next job, of the deck, the queue or another's deck. With a waker, a runner that finds
    /// none goes to sleep; without, it leaves.
    pub(crate) fn next(
        &self,
        seat: &Arc<Seat<W>>,
        ticket: &mut Option<Ticket>,
        waker: Option<&Waker>,
    ) -> (Next<W>, Option<Start>) {
        let mut spare: Option<Waker> = None;
        loop {
            let mut line = self.line.lock();
            if let Some(held) = ticket.as_ref() {
                match waker.map(|waker| line.sleepers.progress(held, waker)) {
                    None | Some(Progress::Settled) => {}
                    Some(Progress::Queued) => return (Next::Asleep, None),
                    Some(Progress::StaleWaker) => {
                        if let Some(fresh) = spare.take() {
                            let stale = line.sleepers.replace_waker(held, fresh);
                            drop(line);
                            drop(stale);
                            return (Next::Asleep, None);
                        }
                        drop(line);
                        spare = waker.cloned();
                        continue;
                    }
                }
                match line.sleepers.leave_settled(ticket) {
                    Some(Rise::Called) => line.slots.arrive(),
                    Some(Rise::Dismissed) => {
                        line.vacate(seat);
                        return (Next::Leave, None);
                    }
                    None => return (Next::Asleep, None),
                }
            }
            let over = line.slots.is_over_limit();
            let job = if over { None } else { line.take(seat) };
            let ends = line.dismissed || line.closed && line.slots.is_last();
            let sleeps = job.is_none() && !over && !ends && waker.is_some();
            if sleeps && spare.is_none() {
                drop(line);
                spare = waker.cloned();
                continue;
            }
            let mut batch = WakeBatch::default();
            let sleeper = if sleeps { spare.take() } else { None };
            let next = match (job, sleeper) {
                (Some(job), _) => Next::Job(job),
                (None, Some(waker)) => {
                    line.slots.retire(true);
                    *ticket = Some(line.sleepers.push_back((), waker));
                    Next::Asleep
                }
                (None, None) => {
                    line.vacate(seat);
                    line.slots.retire(false);
                    Next::Leave
                }
            };
            line.promise_places(&mut batch);
            line.tell_joiners(&mut batch);
            let start = self.summon_and_wake(line, &mut batch);
            return (next, start);
        }
    }

    /// Takes out every job that has not started. They count until they are dropped: whoever
    /// joins finds nothing of them any more.
    pub(crate) fn purge(&self) {
        let mut guard = self.line.lock();
        let line = &mut *guard;
        let mut jobs = line.queue.drain();
        for seat in &line.seats {
            // Counted and emptied in one step: its runner needs no more than this lock to start
            // one of them.
            let mut deck = seat.deck.lock();
            line.slots.pop(deck.settle());
            jobs.append(&mut deck.jobs);
            deck.counted = 0;
        }
        line.in_decks = 0;
        drop(guard);
        let places = jobs.len();
        // What they capture is the user's, and each drop may panic.
        jobs.into_iter().for_each(drop_payload);
        self.give_back(self.line.lock(), places);
    }

    /// A runner ends that did not leave by `next`.
    pub(crate) fn quit(&self, seat: &Arc<Seat<W>>) {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        line.vacate(seat);
        line.slots.retire(false);
        line.promise_places(&mut batch);
        line.tell_joiners(&mut batch);
        drop(line);
        wake(&mut batch);
    }

    /// Sends all sleeping runners home, and those that come to sleep from now on.
    pub(crate) fn dismiss(&self) {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        line.dismiss(&mut batch);
        drop(line);
        wake(&mut batch);
    }

    /// From here on nothing comes from outside: the end of the last job is the moment to
    /// [`dismiss`](Self::dismiss), and its runner does it. Whoever joins would have to be woken
    /// for it, to wake the others in turn.
    pub(crate) fn close(&self) {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        line.closed = true;
        line.tell_joiners(&mut batch);
        drop(line);
        wake(&mut batch);
    }

    pub(crate) fn set_limit(&self, limit: usize) -> Option<Start> {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        line.slots.set_limit(limit);
        // Those beyond the limit leave when they come.
        line.recount(true);
        line.promise_places(&mut batch);
        self.summon_and_wake(line, &mut batch)
    }

    pub(crate) fn numbers(&self) -> Numbers {
        let mut line = self.line.lock();
        line.recount(false);
        Numbers::of(&line.slots)
    }

    /// Shows every job that runs (`true`) or waits.
    pub(crate) fn visit(&self, mut show: impl FnMut(bool, usize, Option<&Arc<str>>)) {
        let line = self.line.lock();
        for seat in &line.seats {
            let deck = seat.deck.lock();
            if let Some((index, name)) = &deck.current {
                show(true, *index, name.as_ref());
            }
            deck.jobs.iter().for_each(|job| show(false, job.index, job.name.as_ref()));
        }
        line.queue.iter().for_each(|job| show(false, job.index, job.name.as_ref()));
    }

    /// Leaves the lock, having called whom the jobs need.
    #[inline]
    fn summon(&self, mut line: Guard<'_, W>) -> Option<Start> {
        match line.call() {
            Summon::Nobody => None,
            Summon::Start => Some(Start(())),
            Summon::Wake => {
                self.rouse(line, &mut WakeBatch::default());
                None
            }
        }
    }

    /// The same, and wakes what is to be woken.
    #[inline]
    fn summon_and_wake(&self, mut line: Guard<'_, W>, batch: &mut WakeBatch) -> Option<Start> {
        let start = match line.call() {
            Summon::Nobody => None,
            Summon::Start => Some(Start(())),
            Summon::Wake => {
                self.rouse(line, batch);
                return None;
            }
        };
        drop(line);
        wake(batch);
        start
    }

    /// Wakes the first of those who sleep, and what else is to be woken.
    #[cold]
    fn rouse(&self, mut line: Guard<'_, W>, batch: &mut WakeBatch) {
        let sleeper = line.sleepers.settle_front(Rise::Called);
        drop(line);
        sleeper.into_iter().for_each(|waker| batch.push(waker));
        wake(batch);
    }
}

type Guard<'a, W> = crate::primitives::MutexGuard<'a, Line<W>>;

#[inline]
fn wake(batch: &mut WakeBatch) {
    if !batch.is_empty() {
        let mut panic = WakePanic::default();
        batch.wake_all(&mut panic);
        // Nobody is here to take it, least of all a runner with a job in its hands.
        drop_payload(panic);
    }
}
