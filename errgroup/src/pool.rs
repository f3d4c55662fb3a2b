//! Jobs and the runners that take them: the queue of a group.
//!
//! A spawner pushes into one queue. A runner takes its share of it at once into a *deck* of its
//! own, whose lock nobody else wants, so that most jobs cost one lock that is free. Others who
//! find the queue empty take half of a deck: nothing that was accepted is stuck behind a job that
//! blocks. It knows nothing of results, tokens or panics.
//!
//! Locks are taken in one order: the line, then a deck.

use crate::error::drop_payload;
use crate::primitives::{Arc, Mutex};
use crate::state::{Slots, Summon};
use crate::waiters::{Left, Progress, Ticket, Waiters, WakeBatch, WakePanic};
use std::collections::VecDeque;
use std::task::Waker;

/// No deck is larger: what waits in one is not in the order of the queue any more.
const LARGEST_DECK: usize = 32;

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

#[derive(Debug)]
struct Line<W> {
    slots: Slots,
    queue: VecDeque<Job<W>>,
    seats: Vec<Arc<Seat<W>>>,
    next_index: usize,
    /// No runner sleeps any more; who comes is sent home.
    dismissed: bool,
    sleepers: Waiters<(), Rise>,
    spawners: Waiters<(), ()>,
    joiners: Waiters<(), ()>,
}

/// Why a sleeping runner was woken.
#[derive(Clone, Copy, Debug)]
enum Rise {
    Called,
    Dismissed,
}

/// A runner's place, with the jobs that are its own unless somebody takes them.
#[derive(Debug)]
#[repr(align(64))]
pub(crate) struct Seat<W> {
    deck: Mutex<Deck<W>>,
}

#[derive(Debug)]
struct Deck<W> {
    jobs: VecDeque<Job<W>>,
    /// How many of its jobs the line still counts as queued: never fewer than there are.
    counted: usize,
    /// The next job is to be fetched by way of the line, where somebody wants to know.
    report: bool,
    /// What the runner runs now.
    current: Option<(usize, Option<Arc<str>>)>,
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

impl<W> Pool<W> {
    pub(crate) fn new(limit: usize, backlog: Option<usize>) -> Self {
        Self {
            line: Mutex::new(Line {
                slots: Slots::new(limit, backlog),
                queue: VecDeque::new(),
                seats: Vec::new(),
                next_index: 0,
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
        // INVARIANT: while a spawner waits, runners report what they take.
        let queued = |line: &mut Line<W>, batch: &mut WakeBatch| {
            line.recount(true);
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
            Left::Settled(()) => self.give_back(line),
        }
    }

    fn give_back(&self, mut line: Guard<'_, W>) {
        line.slots.pop(1);
        let mut batch = WakeBatch::default();
        line.promise_places(&mut batch);
        line.tell_joiners(&mut batch);
        drop(line);
        wake(batch);
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
                wake(batch);
                return Place::Queued;
            }
            drop(line);
            spare = Some(waker.clone());
        }
    }

    /// A runner that was started is there, and takes its seat.
    pub(crate) fn arrive(&self) -> Arc<Seat<W>> {
        let seat = Arc::new(Seat::new());
        let mut line = self.line.lock();
        line.slots.arrive();
        line.seats.push(Arc::clone(&seat));
        seat
    }

    /// A thread that was not called takes a free slot, if there is one and something to do.
    pub(crate) fn enlist(&self) -> Option<Arc<Seat<W>>> {
        let mut line = self.line.lock();
        if !line.has_jobs() || !line.slots.enlist() {
            return None;
        }
        let seat = Arc::new(Seat::new());
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
        wake(batch);
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
                        line.slots.forget_idle();
                        line.vacate(seat);
                        return (Next::Leave, None);
                    }
                    None => return (Next::Asleep, None),
                }
            }
            let over = line.slots.is_over_limit();
            let job = if over { None } else { line.take(seat) };
            let sleeps = job.is_none() && !over && !line.dismissed && waker.is_some();
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
            let start = self.summon_and_wake(line, batch);
            return (next, start);
        }
    }

    /// Takes out every job that has not started.
    pub(crate) fn purge(&self) -> Vec<Job<W>> {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        let mut jobs: Vec<_> = line.queue.drain(..).collect();
        let mut counted = jobs.len();
        for seat in &line.seats {
            let mut deck = seat.deck.lock();
            // With those that its runner started since: not counted at an earlier moment, as the
            // runner takes its jobs without the line.
            counted += deck.counted;
            jobs.extend(deck.jobs.drain(..));
            deck.counted = 0;
        }
        line.slots.pop(counted);
        line.promise_places(&mut batch);
        line.tell_joiners(&mut batch);
        drop(line);
        wake(batch);
        jobs
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
        wake(batch);
    }

    /// Sends all sleeping runners home, and those that come to sleep from now on.
    pub(crate) fn dismiss(&self) {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        line.dismissed = true;
        line.sleepers.settle_where(&mut batch, |()| Some(Rise::Dismissed));
        drop(line);
        wake(batch);
    }

    pub(crate) fn set_limit(&self, limit: usize) -> Option<Start> {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        line.slots.set_limit(limit);
        line.recount(true);
        line.promise_places(&mut batch);
        self.summon_and_wake(line, batch)
    }

    pub(crate) fn numbers(&self) -> Numbers {
        let mut line = self.line.lock();
        line.recount(false);
        let slots = &line.slots;
        Numbers {
            limit: slots.limit(),
            backlog: slots.backlog(),
            running: slots.busy(),
            queued: slots.queued(),
        }
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

    fn summon(&self, line: Guard<'_, W>) -> Option<Start> {
        self.summon_and_wake(line, WakeBatch::default())
    }

    /// Leaves the lock, having called whom the jobs need; wakes what is to be woken.
    #[inline]
    fn summon_and_wake(&self, mut line: Guard<'_, W>, mut batch: WakeBatch) -> Option<Start> {
        let waiting = line.slots.may_summon() && line.has_jobs();
        let start = match line.slots.summon(waiting) {
            Summon::Nobody => None,
            Summon::Start => Some(Start(())),
            Summon::Wake => {
                let sleeper = line.sleepers.settle_front(Rise::Called);
                sleeper.into_iter().for_each(|waker| batch.push(waker));
                None
            }
        };
        drop(line);
        wake(batch);
        start
    }
}

type Guard<'a, W> = crate::primitives::MutexGuard<'a, Line<W>>;

impl<W> Line<W> {
    fn take_index(&mut self) -> usize {
        let index = self.next_index;
        self.next_index += 1;
        index
    }

    fn enqueue(&mut self, make: impl FnOnce(usize) -> Job<W>) -> usize {
        let index = self.take_index();
        self.queue.push_back(make(index));
        index
    }

    fn has_room(&mut self, backlog: bool) -> bool {
        if !self.spawners.is_empty() {
            return false;
        }
        let ask = |slots: &Slots| if backlog { slots.has_room() } else { slots.has_slot() };
        if ask(&self.slots) {
            return true;
        }
        // Runners may have started what still counts as queued.
        self.recount(false) && ask(&self.slots)
    }

    /// Whether a job waits that nobody has started, in the queue or in a deck.
    fn has_jobs(&self) -> bool {
        !self.queue.is_empty()
            || self.slots.queued() > 0
                && self.seats.iter().any(|seat| !seat.deck.lock().jobs.is_empty())
    }

    /// Counts what is in the decks; `true` if that is less than it was thought to be. With
    /// `report`, whoever starts one of them tells the line.
    fn recount(&mut self, report: bool) -> bool {
        let mut fewer = false;
        for seat in &self.seats {
            let mut deck = seat.deck.lock();
            deck.report |= report;
            let gone = deck.settle();
            self.slots.pop(gone);
            fewer |= gone > 0;
        }
        fewer
    }

    /// Takes a job for the runner of `seat`, and its share of what is left into its deck.
    fn take(&mut self, seat: &Arc<Seat<W>>) -> Option<Job<W>> {
        let mut deck = seat.deck.lock();
        deck.report = !self.spawners.is_empty();
        let gone = deck.settle();
        self.slots.pop(gone);
        if deck.jobs.is_empty() {
            let share = self.queue.len().div_ceil(self.slots.limit()).min(LARGEST_DECK);
            deck.jobs.extend(self.queue.drain(..share));
            deck.counted = share;
        }
        if deck.jobs.is_empty() {
            drop(deck);
            let stolen = self.steal(seat);
            deck = seat.deck.lock();
            deck.counted = stolen.len();
            deck.jobs = stolen;
        }
        let job = deck.jobs.pop_front();
        if job.is_some() {
            deck.counted -= 1;
            self.slots.pop(1);
        }
        deck.note(job.as_ref());
        job
    }

    /// Half of the first deck with jobs, of the seats after one's own.
    fn steal(&mut self, thief: &Arc<Seat<W>>) -> VecDeque<Job<W>> {
        if self.slots.queued() == 0 {
            return VecDeque::new();
        }
        for seat in &self.seats {
            if Arc::ptr_eq(seat, thief) {
                continue;
            }
            let mut deck = seat.deck.lock();
            let gone = deck.settle();
            self.slots.pop(gone);
            let jobs = deck.jobs.len();
            if jobs > 0 {
                let stolen = deck.jobs.split_off(jobs / 2);
                deck.counted -= stolen.len();
                return stolen;
            }
        }
        VecDeque::new()
    }

    /// A runner goes for good. What is left in its deck is for the others, first of all.
    fn vacate(&mut self, seat: &Arc<Seat<W>>) {
        let mut deck = seat.deck.lock();
        let gone = deck.settle();
        self.slots.pop(gone);
        while let Some(job) = deck.jobs.pop_back() {
            self.queue.push_front(job);
        }
        deck.counted = 0;
        deck.current = None;
        drop(deck);
        self.seats.retain(|other| !Arc::ptr_eq(other, seat));
    }

    /// Promises places to spawners that wait, once half of the backlog is free.
    fn promise_places(&mut self, batch: &mut WakeBatch) {
        if self.spawners.is_empty() || !self.slots.is_half_empty() {
            return;
        }
        while self.slots.has_room() {
            let Some(waker) = self.spawners.settle_front(()) else { return };
            self.slots.push();
            batch.push(waker);
        }
    }

    fn tell_joiners(&mut self, batch: &mut WakeBatch) {
        if self.slots.is_quiet() && !self.joiners.is_empty() {
            self.joiners.settle_where(batch, |()| Some(()));
        }
    }
}

impl<W> Seat<W> {
    fn new() -> Self {
        let deck = Deck { jobs: VecDeque::new(), counted: 0, report: false, current: None };
        Self { deck: Mutex::new(deck) }
    }
}

impl<W> Deck<W> {
    /// How many jobs were started since the line counted last.
    fn settle(&mut self) -> usize {
        let gone = self.counted - self.jobs.len();
        self.counted = self.jobs.len();
        gone
    }

    fn note(&mut self, job: Option<&Job<W>>) {
        self.current = job.map(|job| (job.index, job.name.clone()));
    }
}

fn wake(mut batch: WakeBatch) {
    if !batch.is_empty() {
        let mut panic = WakePanic::default();
        batch.wake_all(&mut panic);
        // Nobody is here to take it, least of all a runner with a job in its hands.
        drop_payload(panic);
    }
}
