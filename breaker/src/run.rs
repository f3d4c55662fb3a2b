//! A future that runs through a breaker.

use crate::clock::Clock;
use crate::core::Ticket;
use crate::error::Error;
use crate::inner::Inner;
use crate::outcome::{Classify, ErrIsFailure, Outcome};
use crate::primitives::Arc;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// The breaker's share of a [`Run`]: what must be settled whatever becomes of the future.
struct Admission<C: Clock> {
    inner: Arc<Inner<C>>,
    ticket: Option<Ticket>,
    over: bool,
}

impl<C: Clock> Admission<C> {
    fn settle(&mut self, outcome: Outcome) {
        if let Some(ticket) = self.ticket.take() {
            self.inner.settle(ticket, outcome);
        }
    }
}

impl<C: Clock> Drop for Admission<C> {
    fn drop(&mut self) {
        // CANCEL: dropped between two polls, or by an unwinding one: settled either way.
        if let Some(ticket) = self.ticket.take() {
            self.inner.dropped(ticket);
        }
    }
}

pin_project_lite::pin_project! {
    /// A future that runs through a breaker, made by [`Breaker::run`](crate::Breaker::run).
    ///
    /// It is admitted when it is first polled: one that never is takes no probe's place.
    ///
    /// # Panics
    ///
    /// If it is polled again after it was ready. A panic of the future goes on.
    ///
    /// # Cancel safety
    ///
    /// Dropped before its end, it counts as the [`DropPolicy`](crate::DropPolicy) says: by default as a failure if
    /// it had been waiting for as long as [`call_deadline`](crate::Builder::call_deadline), so that a time-out
    /// around it opens the circuit; and not at all if not. A panic of the future is a failure, and
    /// so is a drop by a thread that unwinds, though the panic may be another's.
    #[must_use = "futures do nothing unless polled"]
    pub struct Run<F, K, C: Clock> {
        // Before the future: what the call says is known before its remains are dropped.
        admission: Admission<C>,
        classifier: K,
        #[pin]
        future: F,
    }
}

impl<F, K, C: Clock> Run<F, K, C> {
    pub(crate) const fn new(inner: Arc<Inner<C>>, classifier: K, future: F) -> Self {
        let admission = Admission { inner, ticket: None, over: false };
        Self { admission, classifier, future }
    }

    /// One that has been admitted before it is polled.
    #[cfg(feature = "tower")]
    pub(crate) const fn admitted(
        inner: Arc<Inner<C>>,
        ticket: Ticket,
        classifier: K,
        future: F,
    ) -> Self {
        let admission = Admission { inner, ticket: Some(ticket), over: false };
        Self { admission, classifier, future }
    }
}

impl<F, K, C, T, E> Future for Run<F, K, C>
where
    F: Future<Output = Result<T, E>>,
    K: Classify<T, E>,
    C: Clock,
{
    type Output = Result<T, Error<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let admission = this.admission;
        assert!(!admission.over, "a run is not polled again after it was ready");
        if admission.ticket.is_none() {
            match admission.inner.admit_timed() {
                Ok(ticket) => admission.ticket = Some(ticket),
                Err(rejected) => {
                    admission.over = true;
                    return Poll::Ready(Err(Error::Rejected(rejected)));
                }
            }
        }
        // A panic of the future goes through here. It leaves the ticket to the drop, which may come long
        // after the unwinding: so it is told now.
        let mut bomb = Bomb(Some(admission));
        let polled = this.future.poll(cx);
        let Some(admission) = bomb.0.take() else { unreachable!("nobody else takes it") };
        if polled.is_pending() {
            admission.begin();
        }
        let result = ready!(polled);
        admission.over = true;
        admission.settle(this.classifier.classify(&result));
        Poll::Ready(result.map_err(Error::Inner))
    }
}

impl<C: Clock> Admission<C> {
    /// It takes a while: from now on somebody may ask how long.
    fn begin(&mut self) {
        if let Some(ticket) = &mut self.ticket {
            if ticket.started.is_none() && self.inner.asks_drops() {
                ticket.started = Some(self.inner.now());
            }
        }
    }
}

/// Settles as a failure unless it is defused.
struct Bomb<'a, C: Clock>(Option<&'a mut Admission<C>>);

impl<C: Clock> Drop for Bomb<'_, C> {
    fn drop(&mut self) {
        if let Some(admission) = self.0.take() {
            admission.over = true;
            admission.settle(Outcome::Failure);
        }
    }
}

impl<F, C: Clock> Run<F, ErrIsFailure, C> {
    /// With another opinion of what a failure is.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::{Breaker, Outcome};
    /// # futures::executor::block_on(async {
    /// let breaker = Breaker::new("users");
    /// let not_found_is_fine = |result: &Result<&str, u16>| match result {
    ///     Ok(_) | Err(404) => Outcome::Success,
    ///     Err(_) => Outcome::Failure,
    /// };
    /// let run = breaker.run(async { Err(404) }).classified_by(not_found_is_fine);
    /// assert!(run.await.is_err());
    /// assert_eq!(breaker.snapshot().consecutive_failures, 0);
    /// # });
    /// ```
    pub fn classified_by<K>(self, classifier: K) -> Run<F, K, C> {
        let Self { admission, future, .. } = self;
        Run { admission, classifier, future }
    }
}

impl<F, K, C: Clock> fmt::Debug for Run<F, K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("ticket", &self.admission.ticket).finish_non_exhaustive()
    }
}
