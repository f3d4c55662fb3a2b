//! A task of a group without a limit: the runtime's task is the group's.

use super::crew::{Crew, Mode};
use super::cx::{Cx, Name};
use crate::error::{Payload, TaskId};
use crate::primitives::Arc;
use crate::waiters::Ticket;
use pin_project_lite::pin_project;
use std::future::Future;
use std::num::NonZeroUsize;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

pin_project! {
    /// Polls the user's future, and settles its end. The body goes first when this is dropped,
    /// and the count after it: whoever joins finds nothing of the task any more.
    ///
    /// It is all that a task has in memory beside the runtime's own, and it has to be small: with
    /// two words, a task that does nothing fits into 128 bytes, and is as cheap to spawn as one
    /// that is merely counted; with four it needs 256, which costs 60 ns.
    pub(super) struct Alone<F, Fut, T, E, N: Naming> {
        #[pin]
        body: Body<F, Fut>,
        member: Member<T, E, N>,
    }
}

pin_project! {
    /// A closure, and then its future, in the same place.
    #[project = BodyNow]
    enum Body<F, Fut> {
        New { task: Option<F> },
        Begun { #[pin] future: Fut },
        Over,
    }
}

/// What one more task is to its crew.
struct Member<T, E, N: Naming> {
    crew: Arc<Crew<T, E>>,
    name: N,
    mark: Mark,
}

/// A task's name; most have none, and no room for one.
pub(super) trait Naming {
    fn name(&self) -> Name;
}

pub(super) struct Unnamed;

impl Naming for Unnamed {
    fn name(&self) -> Name {
        Name::of(None)
    }
}

impl Naming for Name {
    fn name(&self) -> Name {
        self.clone()
    }
}

/// A task's index, and its ticket while the crew knows its waker, in one word.
struct Mark(u64);

impl Mark {
    /// Of an index the lower bits are kept: it may wrap after 69 thousand million tasks.
    const INDEX_BITS: u32 = 36;
    const INDICES: u64 = 1 << Self::INDEX_BITS;

    const fn new(index: usize) -> Self {
        Self(index as u64 % Self::INDICES)
    }

    const fn index(&self) -> usize {
        (self.0 % Self::INDICES) as usize
    }

    const fn has_ticket(&self) -> bool {
        self.0 >= Self::INDICES
    }

    /// Gives the ticket back if it is too large, which takes 268 million tasks that wait.
    fn keep(&mut self, ticket: Ticket) -> Result<(), Ticket> {
        let number = ticket.into_number();
        if number.get() as u64 >= 1 << (u64::BITS - Self::INDEX_BITS) {
            return Err(Ticket::from_number(number));
        }
        self.0 |= (number.get() as u64) << Self::INDEX_BITS;
        Ok(())
    }

    fn take(&mut self) -> Option<Ticket> {
        let number = NonZeroUsize::new((self.0 >> Self::INDEX_BITS) as usize)?;
        self.0 %= Self::INDICES;
        Some(Ticket::from_number(number))
    }
}

impl<F, Fut, T, E, N: Naming> Alone<F, Fut, T, E, N> {
    pub(super) const fn new(crew: Arc<Crew<T, E>>, index: usize, name: N, task: F) -> Self {
        let member = Member { crew, name, mark: Mark::new(index) };
        Self { body: Body::New { task: Some(task) }, member }
    }
}

impl<F, Fut, T, E, N> Future for Alone<F, Fut, T, E, N>
where
    F: FnOnce(Cx<T, E>) -> Fut,
    Fut: Future<Output = Result<T, E>>,
    N: Naming,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        let member = this.member;
        let result = loop {
            if member.crew.is_aborted() {
                break None;
            }
            match this.body.as_mut().project() {
                BodyNow::New { task } => {
                    if member.crew.core.turns_away(&member.id()) {
                        break None;
                    }
                    let Some(task) = task.take() else { break None };
                    member.crew.core.started(member.mark.index());
                    let begun = catch_unwind(AssertUnwindSafe(|| task(member.cx())));
                    match begun {
                        Ok(future) => this.body.set(Body::Begun { future }),
                        Err(payload) => {
                            member.crew.core.panicked(&member.id(), payload);
                            break None;
                        }
                    }
                }
                BodyNow::Begun { future } => match poll_caught(future, cx) {
                    Ok(Poll::Ready(result)) => break Some(result),
                    Ok(Poll::Pending) if member.wait(cx.waker()) => return Poll::Pending,
                    // Aborted: the look above finds it.
                    Ok(Poll::Pending) => {}
                    Err(payload) => {
                        member.crew.core.panicked(&member.id(), payload);
                        break None;
                    }
                },
                BodyNow::Over => return Poll::Ready(()),
            }
        };
        // What is dropped here may panic: that is the task's panic.
        member.crew.core.settle(&member.id(), || {
            this.body.set(Body::Over);
            result
        });
        Poll::Ready(())
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

impl<T, E, N: Naming> Member<T, E, N> {
    fn id(&self) -> TaskId {
        self.name.name().id(self.mark.index())
    }

    fn cx(&self) -> Cx<T, E> {
        Cx::new(Arc::clone(&self.crew), self.mark.index(), self.name.name(), 0)
    }

    /// `false` when the group is aborted.
    #[inline]
    fn wait(&mut self, waker: &Waker) -> bool {
        // A task of a runtime has one waker from its first poll to its last.
        if !self.mark.has_ticket() {
            let ticket = self.crew.wait(self.id(), waker);
            if let Err(ticket) = self.mark.keep(ticket) {
                // An abort reaches it when it is polled for another reason.
                self.crew.resume(ticket);
            }
        }
        !self.crew.is_aborted()
    }
}

impl<T, E, N: Naming> Drop for Member<T, E, N> {
    fn drop(&mut self) {
        if let Some(ticket) = self.mark.take() {
            self.crew.resume(ticket);
        }
        self.crew.core.ended(self.mark.index());
        if let Mode::Unlimited(count) = &self.crew.mode {
            // Also where the runtime dropped it unpolled.
            count.exit();
        }
    }
}
