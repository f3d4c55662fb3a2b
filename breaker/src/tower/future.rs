//! The response of a service behind a breaker.

use crate::clock::{Clock, Monotonic};
use crate::error::{Error, Rejected};
use crate::inner::{Inner, Unwinding};
use crate::outcome::{Classify, ErrIsFailure};
use crate::primitives::Arc;
use crate::run::Run;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tower_service::Service;

pin_project_lite::pin_project! {
    /// The future of [`BreakerService`](super::BreakerService) and [`KeyedBreakerService`](super::KeyedBreakerService).
    ///
    /// # Cancel safety
    ///
    /// Its request was admitted when the service was called. Dropped before its end, it counts as the
    /// [`DropPolicy`](crate::DropPolicy) says, and a probe's place is free again. A panic is a failure.
    #[must_use = "futures do nothing unless polled"]
    pub struct ResponseFuture<F, X = ErrIsFailure, C: Clock = Monotonic> {
        #[pin]
        answer: Answer<F, X, C>,
    }
}

pin_project_lite::pin_project! {
    #[project = AnswerProjected]
    enum Answer<F, X, C: Clock> {
        Inner { #[pin] run: Run<F, X, C> },
        Rejected { rejected: Rejected },
    }
}

impl<F, X, C: Clock> ResponseFuture<F, X, C> {
    pub(super) const fn rejected(rejected: Rejected) -> Self {
        Self { answer: Answer::Rejected { rejected } }
    }
}

impl<F, X: Clone, C: Clock> ResponseFuture<F, X, C> {
    /// Calls `service`, which is ready, if the circuit lets the request through.
    pub(super) fn of<R, S: Service<R, Future = F>>(
        inner: &Arc<Inner<C>>,
        classifier: &X,
        service: &mut S,
        request: R,
    ) -> Self {
        let ticket = match inner.admit_timed() {
            Ok(ticket) => ticket,
            Err(rejected) => return Self::rejected(rejected),
        };
        let unwinding = Unwinding { inner, ticket };
        let (future, classifier) = (service.call(request), classifier.clone());
        std::mem::forget(unwinding);
        let run = Run::admitted(Arc::clone(inner), ticket, classifier, future);
        Self { answer: Answer::Inner { run } }
    }
}

impl<F, X, C, T, E> Future for ResponseFuture<F, X, C>
where
    F: Future<Output = Result<T, E>>,
    X: Classify<T, E>,
    C: Clock,
{
    type Output = Result<T, Error<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().answer.project() {
            AnswerProjected::Inner { run } => run.poll(cx),
            AnswerProjected::Rejected { rejected } => Poll::Ready(Err(Error::Rejected(*rejected))),
        }
    }
}

impl<F, X, C: Clock> fmt::Debug for ResponseFuture<F, X, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rejected = match &self.answer {
            Answer::Inner { .. } => None,
            Answer::Rejected { rejected } => Some(rejected),
        };
        f.debug_struct("ResponseFuture").field("rejected", &rejected).finish_non_exhaustive()
    }
}
