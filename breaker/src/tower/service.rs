//! One breaker before a service.

use super::future::ResponseFuture;
use crate::breaker::Breaker;
use crate::clock::{Clock, Monotonic};
use crate::error::{Error, Rejected};
use crate::outcome::{Classify, ErrIsFailure};
use std::fmt;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tower_layer::Layer;
use tower_service::Service;

/// Puts a breaker before services.
///
/// All services that it makes, and all their clones, go through one circuit, which stays in the caller's
/// hands: who wants to know its state, or to force it, keeps a clone.
///
/// # Examples
///
/// ```
/// # use lockgate_breaker::tower::BreakerLayer;
/// # use lockgate_breaker::{Breaker, Error, Policy, State};
/// # use std::future::{Ready, poll_fn, ready};
/// # use std::task::{Context, Poll};
/// # use tower_layer::Layer;
/// # use tower_service::Service;
/// # struct Client;
/// # impl Service<u8> for Client {
/// #     type Response = u8;
/// #     type Error = &'static str;
/// #     type Future = Ready<Result<u8, &'static str>>;
/// #     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
/// #         Poll::Ready(Ok(()))
/// #     }
/// #     fn call(&mut self, _: u8) -> Self::Future {
/// #         ready(Err("no answer"))
/// #     }
/// # }
/// # futures::executor::block_on(async {
/// let breaker = Breaker::builder("shop").policy(Policy::consecutive_failures(1)).build()?;
/// let mut client = BreakerLayer::new(breaker.clone()).layer(Client);
///
/// // What tower's `ServiceExt::ready` does:
/// poll_fn(|cx| client.poll_ready(cx)).await.unwrap();
/// assert_eq!(client.call(7).await, Err(Error::Inner("no answer")));
///
/// // From here on, the inner service is not asked for anything.
/// poll_fn(|cx| client.poll_ready(cx)).await.unwrap();
/// let Err(Error::Rejected(rejected)) = client.call(7).await else { panic!("it was called") };
/// assert_eq!(rejected.state, State::Open);
/// assert!(rejected.retry_after.is_some());
/// # Ok::<(), lockgate_breaker::BuildError>(()) }).unwrap();
/// ```
#[must_use = "a layer does nothing unless it is put over a service"]
pub struct BreakerLayer<X = ErrIsFailure, C: Clock = Monotonic> {
    breaker: Breaker<C>,
    classifier: X,
}

impl<C: Clock> BreakerLayer<ErrIsFailure, C> {
    /// A layer that goes by the result: an `Err` is a failure.
    pub const fn new(breaker: Breaker<C>) -> Self {
        Self { breaker, classifier: ErrIsFailure }
    }
}

impl<X, C: Clock> BreakerLayer<X, C> {
    /// With another opinion of what a failure is. Each request has a clone of it.
    pub fn classified_by<Y>(self, classifier: Y) -> BreakerLayer<Y, C> {
        BreakerLayer { breaker: self.breaker, classifier }
    }
}

impl<S, X: Clone, C: Clock> Layer<S> for BreakerLayer<X, C> {
    type Service = BreakerService<S, X, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let (breaker, classifier) = (self.breaker.clone(), self.classifier.clone());
        BreakerService { inner, breaker, classifier, rejecting: None }
    }
}

/// A service behind a breaker, made by [`BreakerLayer`].
///
/// While its circuit rejects calls, it is ready at once, for it has something to say to a request: no. The
/// inner service is neither asked whether it is ready nor called. Else it is as ready as the inner one, and
/// the request is admitted, or not, when it is called: a service that was ready and is not called takes no
/// probe's place. What `call` calls is the very service that was ready, which is never cloned.
///
/// A service that waits for the inner one to be ready is not woken when the circuit opens. One that was
/// ready and is rejected then leaves the inner one ready, with whatever that has reserved, for the next
/// request; dropped, it gives that back.
///
/// # Errors
///
/// * [`Error::Rejected`], from the future of `call`.
/// * [`Error::Inner`]: the inner service's. One of its `poll_ready` is classified as a result is, so a
///   connection that cannot be made opens the circuit.
pub struct BreakerService<S, X = ErrIsFailure, C: Clock = Monotonic> {
    inner: S,
    breaker: Breaker<C>,
    classifier: X,
    /// INVARIANT: it is there if the inner service was not asked whether it is ready: then it is not called.
    rejecting: Option<Rejected>,
}

impl<S, X, C: Clock> BreakerService<S, X, C> {
    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// The breaker before it.
    pub const fn breaker(&self) -> &Breaker<C> {
        &self.breaker
    }
}

impl<S, R, X, C> Service<R> for BreakerService<S, X, C>
where
    S: Service<R>,
    X: Classify<S::Response, S::Error> + Clone,
    C: Clock,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S::Future, X, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.rejecting = self.breaker.rejection();
        if self.rejecting.is_some() {
            return Poll::Ready(Ok(()));
        }
        let result = ready!(self.inner.poll_ready(cx));
        Poll::Ready(result.map_err(|error| {
            let result = Err(error);
            self.breaker.inner().witness(self.classifier.classify(&result));
            match result {
                Err(error) => Error::Inner(error),
                Ok(_) => unreachable!("it is an error"),
            }
        }))
    }

    fn call(&mut self, request: R) -> Self::Future {
        if let Some(then) = self.rejecting.take() {
            // Whatever the circuit says by now: the inner service has not been asked.
            let now = Rejected { retry_after: Some(Duration::ZERO), ..then };
            let rejected = self.breaker.rejection().unwrap_or(now);
            return ResponseFuture::rejected(self.breaker.inner().rejected(rejected));
        }
        ResponseFuture::of(self.breaker.inner(), &self.classifier, &mut self.inner, request)
    }
}

impl<X: Clone, C: Clock> Clone for BreakerLayer<X, C> {
    fn clone(&self) -> Self {
        Self { breaker: self.breaker.clone(), classifier: self.classifier.clone() }
    }
}

impl<S: Clone, X: Clone, C: Clock> Clone for BreakerService<S, X, C> {
    fn clone(&self) -> Self {
        Self {
            inner: self.inner.clone(),
            breaker: self.breaker.clone(),
            classifier: self.classifier.clone(),
            rejecting: self.rejecting,
        }
    }
}

impl<X, C: Clock> fmt::Debug for BreakerLayer<X, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerLayer").field("breaker", &self.breaker).finish_non_exhaustive()
    }
}

impl<S, X, C: Clock> fmt::Debug for BreakerService<S, X, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BreakerService")
            .field("breaker", &self.breaker)
            .field("rejecting", &self.rejecting)
            .finish_non_exhaustive()
    }
}
