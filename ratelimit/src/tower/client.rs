//! A client that keeps to a rate: ready when it is its turn.

use super::BoxError;
use crate::acquire::AcquireOwned;
use crate::clock::{Clock, Monotonic, Timer};
use crate::error::Denied;
use crate::limiter::RateLimiter;
use crate::primitives::Arc;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tower_layer::Layer;
use tower_service::Service;

/// Makes services that keep to a rate together: for clients.
///
/// All services that it makes, and all their clones, take from one limiter. (Of tower's own
/// `RateLimitLayer`, each service counts for itself, and none can be cloned.) The limiter stays in
/// the caller's hands, who may change its rate, [pause](RateLimiter::pause_for) or close it.
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::tower::RateLimitLayer;
/// # use lockgate_ratelimit::{Quota, RateLimiter};
/// # use std::sync::Arc;
/// # use tower_layer::Layer;
/// # use tower_service::Service;
/// # #[derive(Clone)]
/// # struct Client;
/// # impl Service<u8> for Client {
/// #     type Response = u8;
/// #     type Error = std::convert::Infallible;
/// #     type Future = std::future::Ready<Result<u8, Self::Error>>;
/// #     fn poll_ready(
/// #         &mut self,
/// #         _: &mut std::task::Context<'_>,
/// #     ) -> std::task::Poll<Result<(), Self::Error>> {
/// #         std::task::Poll::Ready(Ok(()))
/// #     }
/// #     fn call(&mut self, request: u8) -> Self::Future {
/// #         std::future::ready(Ok(request))
/// #     }
/// # }
/// # futures::executor::block_on(async {
/// let limiter = Arc::new(RateLimiter::new(Quota::per_second(10)));
/// let layer = RateLimitLayer::new(Arc::clone(&limiter));
/// let mut client = layer.layer(Client);
/// // What tower's `ServiceExt::ready` does:
/// std::future::poll_fn(|cx| client.poll_ready(cx)).await?;
/// assert_eq!(client.call(7).await?, 7);
/// # Ok::<(), lockgate_ratelimit::tower::BoxError>(()) }).unwrap();
/// ```
pub struct RateLimitLayer<C: Clock = Monotonic> {
    limiter: Arc<RateLimiter<C>>,
    tokens: u32,
    sheds: bool,
}

impl<C: Clock> RateLimitLayer<C> {
    /// A layer over a limiter, or over one that is shared with others.
    #[must_use]
    pub fn new(limiter: impl Into<Arc<RateLimiter<C>>>) -> Self {
        Self { limiter: limiter.into(), tokens: 1, sheds: false }
    }

    /// Takes so many tokens for each request, instead of one.
    #[must_use]
    pub const fn tokens(mut self, tokens: u32) -> Self {
        self.tokens = tokens;
        self
    }

    /// Waits for no token: a request for which there is none fails with [`Denied`], and does not
    /// reach the inner service.
    ///
    /// The service is then as ready as the inner one is, and the token is taken, or not, when it is
    /// called: a service that fails before, in `poll_ready`, is one to be thrown away.
    #[must_use]
    pub const fn shed(mut self) -> Self {
        self.sheds = true;
        self
    }
}

impl<S, C: Timer> Layer<S> for RateLimitLayer<C> {
    type Service = RateLimitService<S, C>;

    fn layer(&self, inner: S) -> Self::Service {
        let turn = if self.sheds { Turn::Shed } else { Turn::Idle };
        RateLimitService { inner, limiter: Arc::clone(&self.limiter), tokens: self.tokens, turn }
    }
}

impl<C: Clock> Clone for RateLimitLayer<C> {
    fn clone(&self) -> Self {
        Self { limiter: Arc::clone(&self.limiter), tokens: self.tokens, sheds: self.sheds }
    }
}

impl<C: Clock> fmt::Debug for RateLimitLayer<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitLayer")
            .field("limiter", &self.limiter)
            .field("tokens", &self.tokens)
            .field("sheds", &self.sheds)
            .finish()
    }
}

/// A service that keeps to a rate, made by [`RateLimitLayer`].
///
/// It is ready when its turn has come *and* the inner service is ready. The turn comes first, so
/// that nothing of the inner service (a place in its buffer, a connection) is held while waiting.
///
/// A service holds one turn at most, and a clone begins without. Dropped while it waits, it leaves
/// the line, and gives back what nobody behind it was made to wait for. Dropped when it was ready
/// and not called, its tokens are used: others may have been granted theirs because of it, so giving
/// them back could grant more than the limit. For the same reason, services that are kept ready and
/// called all at once send a burst of as many.
///
/// # Errors
///
/// The inner service's errors, boxed; and
///
/// * in `poll_ready`, [`AcquireError`](crate::AcquireError), when the limiter is closed or can never
///   grant so many tokens;
/// * with [`shed`](RateLimitLayer::shed), [`Denied`], from `call`.
///
/// # Panics
///
/// `call` panics if the service was not ready.
pub struct RateLimitService<S, C: Timer = Monotonic> {
    inner: S,
    limiter: Arc<RateLimiter<C>>,
    tokens: u32,
    turn: Turn<C>,
}

enum Turn<C: Timer> {
    /// It takes no turn, but what is there when it is called.
    Shed,
    Idle,
    Waiting(AcquireOwned<C>),
    Granted,
}

impl<S, C: Timer> RateLimitService<S, C> {
    /// The inner service.
    pub const fn get_ref(&self) -> &S {
        &self.inner
    }

    /// The inner service.
    pub const fn get_mut(&mut self) -> &mut S {
        &mut self.inner
    }

    /// The inner service. A turn that it had is used.
    pub fn into_inner(self) -> S {
        self.inner
    }

    /// The limiter that it takes from.
    pub const fn limiter(&self) -> &Arc<RateLimiter<C>> {
        &self.limiter
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        if let Turn::Idle = self.turn {
            self.turn = Turn::Waiting(self.limiter.acquire_owned(self.tokens));
        }
        if let Turn::Waiting(wait) = &mut self.turn {
            let granted = ready!(Pin::new(wait).poll(cx));
            self.turn = if granted.is_ok() { Turn::Granted } else { Turn::Idle };
            granted?;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S, R, C> Service<R> for RateLimitService<S, C>
where
    S: Service<R>,
    S::Error: Into<BoxError>,
    C: Timer,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        ready!(self.poll_turn(cx))?;
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: R) -> Self::Future {
        match self.turn {
            Turn::Granted => self.turn = Turn::Idle,
            Turn::Shed => {
                if let Err(denied) = self.limiter.try_acquire(self.tokens) {
                    return ResponseFuture { answer: Answer::Denied { denied } };
                }
            }
            Turn::Idle | Turn::Waiting(_) => panic!("a service is called when it was ready"),
        }
        ResponseFuture { answer: Answer::Inner { future: self.inner.call(request) } }
    }
}

impl<S: Clone, C: Timer> Clone for RateLimitService<S, C> {
    fn clone(&self) -> Self {
        let turn = if let Turn::Shed = self.turn { Turn::Shed } else { Turn::Idle };
        let limiter = Arc::clone(&self.limiter);
        Self { inner: self.inner.clone(), limiter, tokens: self.tokens, turn }
    }
}

impl<S, C: Timer> fmt::Debug for RateLimitService<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let turn = match self.turn {
            Turn::Shed => "sheds",
            Turn::Idle => "idle",
            Turn::Waiting(_) => "waits",
            Turn::Granted => "granted",
        };
        f.debug_struct("RateLimitService")
            .field("limiter", &self.limiter)
            .field("tokens", &self.tokens)
            .field("turn", &turn)
            .finish_non_exhaustive()
    }
}

pin_project_lite::pin_project! {
    /// The future of [`RateLimitService`].
    #[must_use = "a future does nothing unless it is polled"]
    pub struct ResponseFuture<F> {
        #[pin]
        answer: Answer<F>,
    }
}

pin_project_lite::pin_project! {
    #[project = AnswerProjected]
    enum Answer<F> {
        Inner { #[pin] future: F },
        Denied { denied: Denied },
    }
}

impl<F, T, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<T, E>>,
    E: Into<BoxError>,
{
    type Output = Result<T, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().answer.project() {
            AnswerProjected::Inner { future } => future.poll(cx).map_err(Into::into),
            AnswerProjected::Denied { denied } => Poll::Ready(Err((*denied).into())),
        }
    }
}

impl<F> fmt::Debug for ResponseFuture<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let denied = match &self.answer {
            Answer::Inner { .. } => None,
            Answer::Denied { denied } => Some(denied),
        };
        f.debug_struct("ResponseFuture").field("denied", &denied).finish_non_exhaustive()
    }
}
