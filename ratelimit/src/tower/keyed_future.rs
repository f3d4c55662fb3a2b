//! The response of a service that may turn a request away, or let it wait.

use super::reject::RejectWith;
use super::server::Rules;
use crate::clock::Timer;
use crate::keyed::KeyedAcquireOwned;
use crate::primitives::Arc;
use http::{Request, Response};
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hash};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_service::Service;

/// Whose limit a response tells of.
pub(super) struct Told<K, X, C, H, R> {
    pub(super) rules: Arc<Rules<K, X, C, H, R>>,
    pub(super) key: K,
}

pin_project_lite::pin_project! {
    /// The future of [`KeyedRateLimitService`](super::KeyedRateLimitService).
    #[must_use = "a future does nothing unless it is polled"]
    pub struct KeyedResponseFuture<S, A, B, K, X, C, H, R>
    where
        S: Service<Request<A>>,
        K: Eq,
        K: Hash,
        K: Clone,
        C: Timer,
        H: BuildHasher,
    {
        #[pin]
        step: Step<S, A, B, K, X, C, H, R>,
    }
}

pin_project_lite::pin_project! {
    #[project = StepProjected]
    enum Step<S, A, B, K, X, C, H, R>
    where
        S: Service<Request<A>>,
        K: Eq,
        K: Hash,
        K: Clone,
        C: Timer,
        H: BuildHasher,
    {
        Rejected {
            response: Option<Response<B>>,
        },
        Waiting {
            wait: KeyedAcquireOwned<K, C, H>,
            // The service that was ready, the request, and what to tell; `None` when it is over.
            held: Option<(S, Request<A>, Told<K, X, C, H, R>)>,
        },
        Inner {
            #[pin]
            future: S::Future,
            told: Option<Told<K, X, C, H, R>>,
        },
    }
}

impl<S, A, B, K, X, C, H, R> KeyedResponseFuture<S, A, B, K, X, C, H, R>
where
    S: Service<Request<A>>,
    K: Eq + Hash + Clone,
    C: Timer,
    H: BuildHasher,
{
    pub(super) fn rejected(response: Response<B>) -> Self {
        Self { step: Step::Rejected { response: Some(response) } }
    }

    pub(super) fn inner(future: S::Future, told: Option<Told<K, X, C, H, R>>) -> Self {
        Self { step: Step::Inner { future, told } }
    }

    pub(super) fn waiting(
        wait: KeyedAcquireOwned<K, C, H>,
        inner: S,
        request: Request<A>,
        told: Told<K, X, C, H, R>,
    ) -> Self {
        Self { step: Step::Waiting { wait, held: Some((inner, request, told)) } }
    }
}

impl<S, A, B, K, X, C, H, R> Future for KeyedResponseFuture<S, A, B, K, X, C, H, R>
where
    S: Service<Request<A>, Response = Response<B>>,
    K: Eq + Hash + Clone,
    C: Timer,
    H: BuildHasher,
    R: RejectWith<B>,
{
    type Output = Result<Response<B>, S::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut step = self.project().step;
        loop {
            let next = match step.as_mut().project() {
                StepProjected::Rejected { response } => {
                    return Poll::Ready(Ok(response.take().expect("polled after it was ready")));
                }
                // CANCEL: dropped here, the wait leaves its key's line, and the inner service was
                // never called.
                StepProjected::Waiting { wait, held } => {
                    let granted = ready!(Pin::new(wait).poll(cx));
                    let (mut inner, request, told) = held.take().expect("it waits once");
                    match granted {
                        Ok(_) => {
                            Step::Inner { future: inner.call(request), told: told.on_success() }
                        }
                        Err(error) => Step::Rejected { response: Some(told.reject(error.into())) },
                    }
                }
                StepProjected::Inner { future, told } => {
                    let mut response = ready!(future.poll(cx));
                    if let (Ok(response), Some(told)) = (&mut response, told) {
                        told.tell(response);
                    }
                    return Poll::Ready(response);
                }
            };
            step.set(next);
        }
    }
}

impl<S, A, B, K, X, C, H, R> fmt::Debug for KeyedResponseFuture<S, A, B, K, X, C, H, R>
where
    S: Service<Request<A>>,
    K: Eq + Hash + Clone,
    C: Timer,
    H: BuildHasher,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match &self.step {
            Step::Rejected { .. } => "rejected",
            Step::Waiting { .. } => "waits",
            Step::Inner { .. } => "inner",
        };
        f.debug_struct("KeyedResponseFuture").field("step", &step).finish_non_exhaustive()
    }
}
