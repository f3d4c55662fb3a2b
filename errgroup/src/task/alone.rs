//! A task of a group without a limit: the runtime's task is the group's.

use super::crew::{Crew, Mode};
use crate::error::{Payload, TaskId};
use crate::primitives::Arc;
use crate::waiters::Ticket;
use pin_project_lite::pin_project;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pin_project! {
    /// Polls the user's future, and settles its end. The future goes first when this is dropped,
    /// and the count after it: whoever joins finds nothing of the task any more.
    pub(super) struct Alone<F, T, E> {
        // `None` when it is over.
        #[pin]
        future: Option<F>,
        member: Member<T, E>,
    }
}

/// What one more task is to its crew.
struct Member<T, E> {
    crew: Arc<Crew<T, E>>,
    id: TaskId,
    started: bool,
    /// It has ended, or was told not to start: not where the runtime drops it.
    over: bool,
    ticket: Option<Ticket>,
    /// Which waker the crew knows.
    known: Option<(usize, usize)>,
}

impl<F, T, E> Alone<F, T, E> {
    pub(super) const fn new(crew: Arc<Crew<T, E>>, id: TaskId, future: F) -> Self {
        let member = Member { crew, id, started: false, over: false, ticket: None, known: None };
        Self { future: Some(future), member }
    }
}

impl<F, T, E> Future for Alone<F, T, E>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let polled = self.as_mut().advance(cx);
        self.project().member.over = polled.is_ready();
        polled
    }
}

impl<F, T, E> Alone<F, T, E>
where
    F: Future<Output = Result<T, E>>,
{
    fn advance(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let Member { crew, id, started, .. } = this.member;
        if !*started {
            *started = true;
            if crew.core.refuses() {
                crew.core.settle(id, || {
                    this.future.set(None);
                    None
                });
                return Poll::Ready(());
            }
            crew.core.started(id.index);
        }
        if crew.is_aborted() {
            crew.core.settle(id, || {
                this.future.set(None);
                None
            });
            return Poll::Ready(());
        }
        let Some(future) = this.future.as_mut().as_pin_mut() else { return Poll::Ready(()) };
        match poll_caught(future, cx) {
            Ok(Poll::Pending) if this.member.wait(cx.waker()) => Poll::Pending,
            Ok(Poll::Pending) => {
                this.member.crew.core.settle(&this.member.id, || {
                    this.future.set(None);
                    None
                });
                Poll::Ready(())
            }
            Ok(Poll::Ready(result)) => {
                let Member { crew, id, .. } = this.member;
                crew.core.settle(id, || {
                    this.future.set(None);
                    Some(result)
                });
                Poll::Ready(())
            }
            Err(payload) => {
                let Member { crew, id, .. } = this.member;
                crew.core.panicked(id, payload);
                crew.core.settle(id, || {
                    this.future.set(None);
                    None
                });
                Poll::Ready(())
            }
        }
    }
}

/// One poll. A future that has panicked is dropped and not polled again.
#[inline]
pub(super) fn poll_caught<F: Future + ?Sized>(
    future: Pin<&mut F>,
    cx: &mut Context<'_>,
) -> Result<Poll<F::Output>, Payload> {
    catch_unwind(AssertUnwindSafe(|| future.poll(cx)))
}

/// Which task a waker wakes, to compare without keeping a clone.
pub(super) fn identity(waker: &Waker) -> (usize, usize) {
    (waker.data().addr(), std::ptr::from_ref(waker.vtable()).addr())
}

impl<T, E> Member<T, E> {
    /// `false` when the group is aborted.
    #[inline]
    fn wait(&mut self, waker: &Waker) -> bool {
        let identity = Some(identity(waker));
        if self.known == identity {
            return !self.crew.is_aborted();
        }
        self.known = identity;
        self.crew.wait(&mut self.ticket, &self.id, waker)
    }
}

impl<T, E> Drop for Member<T, E> {
    fn drop(&mut self) {
        if let Some(ticket) = self.ticket.take() {
            self.crew.resume(ticket);
        }
        self.crew.core.ended(self.id.index);
        if !self.over {
            // Before it is counted out: the join must not take it for a task that succeeded.
            self.crew.core.token.cancel_with("the runtime dropped the group's tasks");
        }
        if let Mode::Unlimited(count) = &self.crew.mode {
            // Also where the runtime dropped it unpolled.
            count.exit();
        }
    }
}
