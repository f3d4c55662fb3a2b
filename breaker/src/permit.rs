//! A call that was admitted, and whose result its holder will tell.

use crate::clock::Clock;
use crate::core::Ticket;
use crate::inner::Inner;
use crate::outcome::{Classify, ErrIsFailure, Outcome, Recorded};
use crate::primitives::Arc;
use std::fmt;
use std::ops::Deref;

/// Leave for one call, whose result is told by using the permit up.
///
/// # Cancel safety
///
/// Dropped, it counts as the [`DropPolicy`](crate::DropPolicy) says, and a probe's place is free again; dropped while
/// its thread panics, it is a failure. Forgotten (`mem::forget`), it costs a half-open circuit the
/// time of a lease, and a closed one nothing.
///
/// # Examples
///
/// ```
/// # use lockgate_breaker::{Breaker, Recorded};
/// let breaker = Breaker::new("payments");
/// let permit = breaker.try_acquire()?;
/// let result = "7".parse::<u8>();
/// assert_eq!(permit.record(&result), Recorded::Counted);
/// # Ok::<(), lockgate_breaker::Rejected>(())
/// ```
///
/// It is told once. This does not compile:
///
/// ```compile_fail,E0382
/// # let breaker = lockgate_breaker::Breaker::new("payments");
/// let permit = breaker.try_acquire()?;
/// permit.failure();
/// permit.failure();
/// # Ok::<(), lockgate_breaker::Rejected>(())
/// ```
#[must_use = "a permit that is dropped tells nothing of the call"]
pub struct Permit<'a, C: Clock>(Held<&'a Inner<C>, C>);

/// A [`Permit`] that borrows nothing.
#[must_use = "a permit that is dropped tells nothing of the call"]
pub struct OwnedPermit<C: Clock>(Held<Arc<Inner<C>>, C>);

/// INVARIANT: `ticket` is there until the result is told, which happens once.
struct Held<H: Deref<Target = Inner<C>>, C: Clock> {
    inner: H,
    ticket: Option<Ticket>,
}

impl<H: Deref<Target = Inner<C>>, C: Clock> Held<H, C> {
    fn tell(&mut self, outcome: Outcome) -> Recorded {
        let ticket = self.ticket.take().expect("a permit is used up once");
        self.inner.settle(ticket, outcome)
    }
}

impl<H: Deref<Target = Inner<C>>, C: Clock> Drop for Held<H, C> {
    fn drop(&mut self) {
        // CANCEL: whatever became of the call, its place is not lost.
        if let Some(ticket) = self.ticket.take() {
            self.inner.dropped(ticket);
        }
    }
}

macro_rules! permit {
    ($permit:ident $(<$life:lifetime>)?, $handle:ty) => {
        impl<$($life,)? C: Clock> $permit<$($life,)? C> {
            pub(crate) const fn new(inner: $handle, ticket: Ticket) -> Self {
                Self(Held { inner, ticket: Some(ticket) })
            }

            /// The other side is well.
            pub fn success(mut self) -> Recorded {
                self.0.tell(Outcome::Success)
            }

            /// The other side is not well.
            pub fn failure(mut self) -> Recorded {
                self.0.tell(Outcome::Failure)
            }

            /// The call says nothing of the other side: it is not counted, and a probe's place is free
            /// again.
            pub fn ignore(mut self) -> Recorded {
                self.0.tell(Outcome::Ignore)
            }

            /// What became of the call, as somebody else has judged it.
            pub fn outcome(mut self, outcome: Outcome) -> Recorded {
                self.0.tell(outcome)
            }

            /// `Ok` is a success and `Err` a failure.
            pub fn record<T, E>(self, result: &Result<T, E>) -> Recorded {
                self.outcome(ErrIsFailure.classify(result))
            }
        }
    };
}

permit!(Permit<'a>, &'a Inner<C>);
permit!(OwnedPermit, Arc<Inner<C>>);

impl<C: Clock> fmt::Debug for Permit<'_, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Permit").field("ticket", &self.0.ticket).finish()
    }
}

impl<C: Clock> fmt::Debug for OwnedPermit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnedPermit").field("ticket", &self.0.ticket).finish()
    }
}
