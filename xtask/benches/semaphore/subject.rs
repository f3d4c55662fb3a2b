//! What the workloads ask of a semaphore: each trait one ability, since not every rival has all.

use crate::harness::Subject;
use futures::executor::block_on;
use std::future::Future;

pub trait Gate: Subject + Send + Sync + Sized + 'static {
    /// Holds permits until it is dropped.
    type Permit<'a>: Send
    where
        Self: 'a;

    fn new(permits: usize) -> Self;

    fn try_acquire(&self, n: usize) -> Option<Self::Permit<'_>>;

    /// How many requests are queued, if it tells.
    fn queued(&self) -> Option<usize> {
        None
    }
}

/// A thread waits.
pub trait Wait: Gate {
    fn wait(&self, n: usize) -> Self::Permit<'_>;
}

/// A task waits.
///
/// Each gives the very future that its users await, and what that future gives: an `async` block
/// around it, to unwrap the permit, would cost as much again where nothing has to wait.
pub trait Await: Gate {
    /// A permit, or a result with one.
    type Granted<'a>
    where
        Self: 'a;

    fn acquire(&self, n: usize) -> impl Future<Output = Self::Granted<'_>> + Send;

    fn permit<'a>(granted: Self::Granted<'a>) -> Self::Permit<'a>;
}

pub trait Resize: Gate {
    /// Changes the number of permits; `from` is what it was.
    fn resize(&self, from: usize, to: usize);
}

/// The same semaphore, a thread waiting for its future: what its users write who have no blocking
/// call, or whose threads may be anywhere.
pub struct BlockOn<A>(A);

/// Its name, which has to be a constant and so cannot be made from the other's.
pub trait Named {
    const BLOCK_ON: &'static str;
}

impl<A: Subject + Named> Subject for BlockOn<A> {
    const NAME: &'static str = A::BLOCK_ON;
    const FIFO: bool = A::FIFO;
}

impl<A: Gate + Named> Gate for BlockOn<A> {
    type Permit<'a> = A::Permit<'a>;

    fn new(permits: usize) -> Self {
        Self(A::new(permits))
    }

    #[inline]
    fn try_acquire(&self, n: usize) -> Option<Self::Permit<'_>> {
        self.0.try_acquire(n)
    }

    fn queued(&self) -> Option<usize> {
        self.0.queued()
    }
}

impl<A: Await + Named> Wait for BlockOn<A> {
    #[inline]
    fn wait(&self, n: usize) -> Self::Permit<'_> {
        A::permit(block_on(self.0.acquire(n)))
    }
}

/// Asserts that all permits have come back, and no more than those.
pub fn assert_free<G: Gate>(gate: &G, permits: usize) {
    let held: Vec<_> = (0..permits).map_while(|_| gate.try_acquire(1)).collect();
    assert_eq!(held.len(), permits, "{}: permits got lost", G::NAME);
    assert!(gate.try_acquire(1).is_none(), "{}: permits appeared", G::NAME);
}
