//! A runner of a group with a limit: one task of the runtime that polls one job after the other.

use super::alone::poll_caught;
use super::crew::{Crew, Mode, Work};
use crate::error::{TaskId, drop_payload};
use crate::pool::{Job, Next, Pool, Seat, Start};
use crate::primitives::Arc;
use crate::waiters::Ticket;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// So many jobs that are ready at once run in one poll. Then others of the runtime have a turn.
const JOBS_PER_POLL: u32 = 64;

pub(super) struct Runner<T, E> {
    crew: Arc<Crew<T, E>>,
    /// `None` until the first poll.
    seat: Option<Arc<Seat<Work<T, E>>>>,
    start: Option<Start>,
    current: Option<(TaskId, Work<T, E>)>,
    ticket: Option<Ticket>,
    over: bool,
}

impl<T: Send + 'static, E: Send + 'static> Runner<T, E> {
    pub(super) const fn new(crew: Arc<Crew<T, E>>, start: Start) -> Self {
        Self { crew, seat: None, start: Some(start), current: None, ticket: None, over: false }
    }

    /// Polls the job; `false` while it waits.
    fn advance(&mut self, cx: &mut Context<'_>) -> bool {
        let Some((id, work)) = &mut self.current else { return true };
        let core = &self.crew.core;
        let polled = if self.crew.is_aborted() {
            None
        } else {
            match poll_caught(work.as_mut(), cx) {
                Ok(Poll::Pending) => {
                    // A task of a runtime has one waker from its first poll to its last.
                    if self.ticket.is_none() {
                        self.ticket = Some(self.crew.wait(id.clone(), cx.waker()));
                    }
                    return self.crew.is_aborted() && self.advance(cx);
                }
                Ok(Poll::Ready(result)) => Some(result),
                Err(payload) => {
                    core.panicked(id, payload);
                    None
                }
            }
        };
        if let Some((id, work)) = self.current.take() {
            core.settle(&id, || {
                drop(work);
                polled
            });
            core.ended(id.index);
        }
        if let Some(ticket) = self.ticket.take() {
            self.crew.resume(ticket);
        }
        true
    }

    /// The next job, or `None`: the slot is gone.
    fn fetch(&mut self, pool: &Pool<Work<T, E>>) -> bool {
        let Some(seat) = &self.seat else { return false };
        let job = match pool.next_own(seat) {
            Some(job) => job,
            None => {
                let (next, start) = pool.next(seat, &mut None, None);
                self.crew.start(start);
                match next {
                    Next::Job(job) => job,
                    Next::Leave | Next::Asleep => return false,
                }
            }
        };
        let Job { index, name, work } = job;
        let id = TaskId { index, name };
        if self.crew.core.turns_away(&id) {
            // Its drop may panic: that is the task's panic.
            self.crew.core.settle(&id, || {
                drop(work);
                None
            });
        } else {
            self.crew.core.started(index);
            self.current = Some((id, work));
        }
        true
    }
}

impl<T: Send + 'static, E: Send + 'static> Future for Runner<T, E> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let crew = Arc::clone(&this.crew);
        let Mode::Limited(pool) = &crew.mode else { return Poll::Ready(()) };
        if this.start.take().is_some() {
            this.seat = Some(pool.arrive());
        }
        let mut jobs = 0;
        while this.advance(cx) {
            if jobs == JOBS_PER_POLL {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            jobs += 1;
            if !this.fetch(pool) {
                this.over = true;
                return Poll::Ready(());
            }
        }
        Poll::Pending
    }
}

impl<T, E> Unpin for Runner<T, E> {}

impl<T, E> Drop for Runner<T, E> {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        // The runtime dropped it: it shuts down, and nobody would run what is queued.
        if let Some((_, work)) = self.current.take() {
            drop_payload(work);
        }
        if let Some(ticket) = self.ticket.take() {
            self.crew.resume(ticket);
        }
        if let Mode::Limited(pool) = &self.crew.mode {
            match (self.start.take(), &self.seat) {
                (Some(start), _) => pool.start_failed(start),
                (None, Some(seat)) => pool.quit(seat),
                (None, None) => {}
            }
        }
        // After the slot is free: what was queued while it was not has called nobody, and what
        // is queued from now on does.
        self.crew.abort();
    }
}
