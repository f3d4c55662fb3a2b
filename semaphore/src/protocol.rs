//! The protocols between the word and the line: what permits and waits are made of.
//!
//! The numbers P1 to P6 are those of DESIGN.md, which shows that they lose nobody.

use crate::error::{AcquireError, TryAcquireError};
use crate::permit::Permit;
use crate::primitives::atomic::Ordering;
use crate::primitives::{MutexGuard, peek, spin};
use crate::semaphore::Semaphore;
use crate::state::{Admission, Line, Need, WAITERS, Word, is_idle};
use crate::waiters::{Left, Progress, Ticket, Waiters, WakeBatch, WakePanic};
use std::task::Waker;

/// What a request finds that waits in the line.
pub(crate) enum Polled<T> {
    Ready(T),
    /// `first`: it just queued, and nobody was there before it.
    Queued {
        first: bool,
    },
}

impl Semaphore {
    #[inline]
    pub(crate) fn try_take(&self, need: Need) -> Result<usize, TryAcquireError> {
        match self.take_unasked(need) {
            Some(weight) => Ok(weight),
            None => self.try_take_slow(need),
        }
    }

    /// P1, the open road: nobody waits and the permits are there.
    #[inline]
    pub(crate) fn take_unasked(&self, need: Need) -> Option<usize> {
        let mut tries = 0;
        loop {
            let word = Word(peek(&self.word));
            let weight = word.take_unasked(need)?;
            if self.swap_word(word, weight) {
                return Some(weight);
            }
            stand_aside(tries);
            tries += 1;
        }
    }

    #[inline]
    fn swap_word(&self, word: Word, weight: usize) -> bool {
        let taken = word.0 - Word::permits_delta(weight);
        // ORDERING: Acquire pairs with the Release in `release`: who takes a permit sees what
        // was done under it before. Relaxed on failure and for the load before: a guess.
        self.word.compare_exchange(word.0, taken, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    #[cold]
    fn try_take_slow(&self, need: Need) -> Result<usize, TryAcquireError> {
        // ORDERING: Acquire pairs with the Release in `close`: who is told of it sees what was
        // done before it.
        let word = Word(self.word.load(Ordering::Acquire));
        if word.is_closed() {
            return Err(TryAcquireError::Closed);
        }
        need.check(self.limit()).map_err(try_error)?;
        // The word and the limit agree only under the lock, so "all" means at least one here.
        if need.take(word.permits(), 1).is_none() {
            // Not worth a lock: whoever tries in a loop would hold up the line.
            return Err(TryAcquireError::NoPermits);
        }
        let (line, asked) = self.ask(need);
        match asked.map_err(try_error)? {
            Admission::Granted(weight) => Ok(weight),
            Admission::Queue | Admission::IdleFirst => {
                self.unmark_if_empty(&line);
                Err(TryAcquireError::NoPermits)
            }
        }
    }

    /// P2, the release of `weight` permits: one addition, which tells whether to wake.
    #[inline]
    pub(crate) fn release(&self, weight: usize) {
        // Where somebody waits, the permits can go from hand to hand without passing the word.
        // A hint: the addition below decides.
        if Word(peek(&self.word)).has_waiters() {
            return self.hand_over(weight);
        }
        // ORDERING: Release pairs with the Acquire of whoever takes these permits: in
        // `take_unasked`, `ask` or `settle`.
        let before = Word(self.word.fetch_add(Word::permits_delta(weight), Ordering::Release));
        if before.has_waiters() {
            self.hand_over(0);
        }
    }

    /// Serves the line with what is free and `weight` permits that just came back.
    #[cold]
    fn hand_over(&self, weight: usize) {
        self.settle_and_wake(self.line.lock(), weight, &mut WakeBatch::default());
    }

    /// Lowers the limit by `weight` permits that are held and will not come back.
    pub(crate) fn forget(&self, weight: usize) {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        let limit = self.limit();
        // A limit that shrank below what is held may be less than what is forgotten: the rest of
        // that is taken off the debt.
        let paid = weight.saturating_sub(limit);
        self.store_limit(limit - (weight - paid), &mut line, &mut batch);
        // ORDERING: Relaxed: as in `set_limit`.
        self.word.fetch_add(Word::permits_delta(paid), Ordering::Relaxed);
        self.settle_and_wake(line, 0, &mut batch);
    }

    pub(crate) fn store_limit(&self, limit: usize, line: &mut Line, batch: &mut WakeBatch) {
        // ORDERING: Relaxed: written and, where it matters, read under the lock.
        self.limit.store(limit, Ordering::Relaxed);
        line.fail_impossible(limit, batch);
    }

    /// P3, a request at the desk, which stays locked. After `Queue` the word carries WAITERS.
    fn ask(&self, need: Need) -> (MutexGuard<'_, Line>, Result<Admission, AcquireError>) {
        let mut line = self.line.lock();
        loop {
            let asked = self.ask_once(&line, need);
            if asked != Ok(Admission::IdleFirst) {
                return (line, asked);
            }
            // Before anything is granted, so a waker that panics loses no permit.
            self.settle_and_wake(line, 0, &mut WakeBatch::default());
            line = self.line.lock();
        }
    }

    fn ask_once(&self, line: &Line, need: Need) -> Result<Admission, AcquireError> {
        // Both change only under the lock, so these are no snapshots.
        if self.snapshot().is_closed() {
            return Err(AcquireError::Closed);
        }
        let limit = self.limit();
        need.check(limit)?;
        // INVARIANT: from here until WAITERS is cleared, nobody subtracts permits without the
        // lock, so what fits now still fits when it is taken. And a release that this does not
        // see yet will see WAITERS, and come for the lock.
        // ORDERING: Acquire pairs with the Release in `release`.
        let word = if line.is_empty() {
            Word(self.word.fetch_or(WAITERS, Ordering::Acquire))
        } else {
            // It stands already.
            Word(self.word.load(Ordering::Acquire))
        };
        let admission = line.admit(need, word.permits(), limit);
        if let Admission::Granted(weight) = admission {
            let mark = if line.is_empty() { WAITERS } else { 0 };
            // ORDERING: Relaxed: what these permits carry is acquired above.
            self.word.fetch_sub(Word::permits_delta(weight) + mark, Ordering::Relaxed);
        }
        Ok(admission)
    }

    fn unmark_if_empty(&self, line: &Line) {
        if line.is_empty() {
            // ORDERING: Relaxed: nothing is published; the next who waits sets it again.
            self.word.fetch_and(!WAITERS, Ordering::Relaxed);
        }
    }

    /// One poll of a request: [`ask`](Self::ask) the first time, then look after the ticket.
    pub(crate) fn poll_acquire(
        &self,
        need: Need,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
    ) -> Polled<Result<usize, AcquireError>> {
        if ticket.is_some() {
            return self.look_after(|line| &mut line.acquirers, ticket, waker);
        }
        // Cloning and dropping a waker is user code: the clone is made before the lock and, where
        // it is not needed, dropped after it, because it was declared first.
        let waker = waker.clone();
        let (mut line, asked) = self.ask(need);
        Polled::Ready(match asked {
            Err(error) => Err(error),
            Ok(Admission::Granted(weight)) => {
                // In a guard, because dropping the clone may panic, too (tokio#8542).
                let permit = Permit::new(self, weight);
                drop(line);
                drop(waker);
                Ok(permit.into_weight())
            }
            Ok(Admission::Queue) if line.acquirers.len() < self.max_waiters => {
                let first = line.acquirers.is_empty();
                *ticket = Some(line.acquirers.push_back(need, waker));
                return Polled::Queued { first };
            }
            Ok(Admission::Queue | Admission::IdleFirst) => {
                self.unmark_if_empty(&line);
                Err(AcquireError::QueueFull { max_waiters: self.max_waiters })
            }
        })
    }

    /// P5, leaving the line: `None` if the request was still in it, else its outcome.
    pub(crate) fn leave(&self, ticket: Ticket) -> Option<Result<usize, AcquireError>> {
        let mut line = self.line.lock();
        match line.acquirers.leave(ticket) {
            Left::Settled(outcome) => Some(outcome),
            Left::Queued(waker) => {
                // If it stood in front, the next may fit in its place (go#37852).
                self.settle_and_wake(line, 0, &mut WakeBatch::default());
                drop(waker);
                None
            }
        }
    }

    /// One poll of a wait for idleness.
    pub(crate) fn poll_idle(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> Polled<()> {
        if ticket.is_some() {
            return self.look_after(|line| &mut line.idlers, ticket, waker);
        }
        let waker = waker.clone();
        let mut line = self.line.lock();
        // ORDERING: Acquire pairs with the Release in `release`: who waited for the last holder
        // sees what it did.
        let word = Word(self.word.fetch_or(WAITERS, Ordering::Acquire));
        if is_idle(word.permits(), self.limit()) && line.acquirers.is_empty() {
            self.unmark_if_empty(&line);
            drop(line);
            drop(waker);
            return Polled::Ready(());
        }
        let first = line.is_empty();
        *ticket = Some(line.idlers.push_back((), waker));
        Polled::Queued { first }
    }

    pub(crate) fn leave_idle(&self, ticket: Ticket) -> Option<()> {
        let mut line = self.line.lock();
        match line.idlers.leave(ticket) {
            Left::Settled(()) => Some(()),
            Left::Queued(waker) => {
                self.unmark_if_empty(&line);
                drop(line);
                drop(waker);
                None
            }
        }
    }

    /// P6, a poll of a wait that has a ticket.
    fn look_after<R, O>(
        &self,
        queue: impl Fn(&mut Line) -> &mut Waiters<R, O>,
        ticket: &mut Option<Ticket>,
        waker: &Waker,
    ) -> Polled<O> {
        let Some(held) = ticket else { return Polled::Queued { first: false } };
        let mut line = self.line.lock();
        if let Progress::StaleWaker = queue(&mut line).progress(held, waker) {
            // Cloning and dropping wakers is user code, which may re-enter (tokio#5429) or panic:
            // outside the lock, and with the ticket in its place.
            drop(line);
            let fresh = waker.clone();
            line = self.line.lock();
            let unneeded = queue(&mut line).replace_waker(held, fresh);
            drop(line);
            drop(unneeded);
            line = self.line.lock();
        }
        if let Some(outcome) = queue(&mut line).leave_settled(ticket) {
            return Polled::Ready(outcome);
        }
        Polled::Queued { first: false }
    }

    /// P4, after every change: grants what fits from the front of the line, leaves the lock, and
    /// only then wakes. Wakers are user code: they may take as long as they like, come back to
    /// this semaphore, or panic (tokio#8529).
    ///
    /// `returned` permits have come back that the word does not count yet.
    pub(crate) fn settle_and_wake<'a>(
        &'a self,
        mut line: MutexGuard<'a, Line>,
        mut returned: usize,
        batch: &mut WakeBatch,
    ) {
        let mut panic = WakePanic::default();
        loop {
            let more = self.settle(&mut line, returned, batch);
            drop(line);
            batch.wake_all(&mut panic);
            if !more {
                break;
            }
            returned = 0;
            line = self.line.lock();
        }
        panic.resume();
    }

    /// Grants until nothing fits or the batch is full, which it tells by `true`.
    fn settle(&self, line: &mut Line, returned: usize, batch: &mut WakeBatch) -> bool {
        let limit = self.limit();
        // ORDERING: Acquire pairs with the Release in `release`; the lock and the waker hand on
        // to the granted request what is acquired here.
        let before = Word(self.word.load(Ordering::Acquire));
        // INVARIANT: while WAITERS stands, only holders of the lock subtract, so these are there
        // to be given away. Where it does not stand, the line is empty and gives nothing.
        let mut permits = before.permits() + returned as isize;
        let more = loop {
            if batch.is_full() {
                break true;
            }
            let Some((weight, waker)) = line.grant_front(permits, limit) else {
                line.settle_idlers(permits, limit, batch);
                break false;
            };
            permits -= weight as isize;
            batch.push(waker);
        };
        let mark = if line.is_empty() { before.0 & WAITERS } else { 0 };
        let change = before.change_to(permits) - mark;
        // A permit that went straight to the next in line leaves the word as it was.
        if change != 0 {
            // ORDERING: Release pairs with the Acquire of whoever takes what came back here.
            self.word.fetch_add(change, Ordering::Release);
        }
        more
    }

    pub(crate) fn snapshot(&self) -> Word {
        // ORDERING: Relaxed: for reports, and for CLOSED under the lock, which guards it.
        Word(self.word.load(Ordering::Relaxed))
    }
}

/// After an exchange that failed: somebody else is at the word right now.
///
/// Leaving it to them for a moment, rather than trying again at once, lets each side run several
/// operations before the cache line moves: two threads on two cores get through twice as many.
#[cold]
fn stand_aside(tries: u32) {
    const FIRST: u32 = 8;
    const DOUBLINGS: u32 = 3;
    spin(FIRST << tries.min(DOUBLINGS));
}

fn try_error(error: AcquireError) -> TryAcquireError {
    match error {
        AcquireError::Closed => TryAcquireError::Closed,
        AcquireError::ExceedsLimit { requested, limit } => {
            TryAcquireError::ExceedsLimit { requested, limit }
        }
        AcquireError::QueueFull { .. } => TryAcquireError::NoPermits,
    }
}
