//! A worker of a pool: one task of the runtime, which polls one job after the other.

use super::house::House;
use super::work::{Body, Work};
use crate::engine::{Done, Item, Next, Outcome, Seat, StrandId};
use crate::error::JobError;
use crate::primitives::Arc;
use crate::waiters::Ticket;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// So many jobs that are ready at once run in one poll. Then others of the runtime have a turn.
const JOBS_PER_POLL: u32 = 64;

pub(super) struct Runner {
    house: Arc<House>,
    /// `None` until the first poll.
    seat: Option<Arc<Seat<Work>>>,
    current: Option<Body>,
    strand: Option<StrandId>,
    done: Option<Done>,
    ticket: Option<Ticket>,
    /// It ended as it should: it is not the runtime that drops it.
    over: bool,
}

/// What a worker finds when it looks for a job.
enum Found {
    Job,
    /// A job, and somebody else was started, who is to have a turn first.
    JobAndHelp,
    Nothing,
    TheEnd,
}

impl Runner {
    pub(super) const fn new(house: Arc<House>) -> Self {
        Self {
            house,
            seat: None,
            current: None,
            strand: None,
            done: None,
            ticket: None,
            over: false,
        }
    }

    /// Polls the job; `false` while it waits.
    fn advance(&mut self, cx: &mut Context<'_>) -> bool {
        if self.current.is_none() {
            return true;
        }
        let (house, current) = (&*self.house, &mut self.current);
        let Poll::Ready(outcome) = house.inside(|| Body::poll(current, &house.hooks, cx)) else {
            return false;
        };
        house.hooks.note_end(outcome);
        self.done = Some(Done { outcome, strand: self.strand.take() });
        true
    }

    /// Looks for a job that can be begun with.
    fn fetch(&mut self, seat: &Arc<Seat<Work>>, waker: &Waker) -> Found {
        let mut help = false;
        loop {
            let item = match self.house.engine.next_own(seat, &mut self.done) {
                Some(item) => item,
                None => {
                    let engine = &self.house.engine;
                    let (next, start) = engine.next(seat, &mut self.done, &mut self.ticket, waker);
                    help |= start.is_some();
                    self.house.start(start);
                    match next {
                        Next::Job(item) => item,
                        Next::Asleep | Next::Lingers => return Found::Nothing,
                        Next::Leave => return Found::TheEnd,
                    }
                }
            };
            let Item { entry, strand, .. } = item;
            match entry.begin() {
                Ok(body) => {
                    (self.current, self.strand) = (Some(body), strand);
                    return if help { Found::JobAndHelp } else { Found::Job };
                }
                Err(outcome) => self.done = Some(Done { outcome, strand }),
            }
        }
    }
}

impl Future for Runner {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let arrives = this.seat.is_none() || this.ticket.is_some();
        let seat = Arc::clone(this.seat.get_or_insert_with(|| this.house.arrive()));
        // Whoever arrives may have called another. A task that a worker of tokio's wakes is that
        // worker's next one, which no other worker takes: it would wait for all that is polled here.
        let mut left = if arrives { 1 } else { JOBS_PER_POLL };
        while this.advance(cx) {
            if left == 0 {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            left -= 1;
            match this.fetch(&seat, cx.waker()) {
                Found::Job => {}
                Found::JobAndHelp => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Found::Nothing => return Poll::Pending,
                Found::TheEnd => {
                    this.over = true;
                    return Poll::Ready(());
                }
            }
        }
        Poll::Pending
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        if self.over {
            return;
        }
        // CANCEL: the runtime dropped it, because it shuts down. Nobody would run what is queued.
        self.house.abandon();
        if let Some(body) = self.current.take() {
            body.lose(JobError::NoRuntime);
            self.done = Some(Done { outcome: Outcome::Void, strand: self.strand.take() });
        }
        // It takes its seat, if it had none yet, and leaves as one for whom nothing is left.
        let seat = self.seat.take().unwrap_or_else(|| self.house.arrive());
        let engine = &self.house.engine;
        let (next, start) = engine.next(&seat, &mut self.done, &mut self.ticket, Waker::noop());
        debug_assert!(matches!(next, Next::Leave) && start.is_none(), "there is nothing left");
    }
}
