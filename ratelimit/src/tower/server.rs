//! A server that keeps each of its clients to a rate.

use super::keyed_future::{KeyedResponseFuture, Told};
use super::reject::{RejectWith, Rejection, StatusOnly};
use crate::clock::{Clock, Monotonic, Timer};
use crate::http::{KeyExtractor, RateLimitFields, Standing, set_retry_after};
use crate::keyed::Keyed;
use crate::primitives::Arc;
use http::{Request, Response};
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tower_layer::Layer;
use tower_service::Service;

/// What becomes of requests that have no key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MissingKey<K> {
    /// They are turned away, with 400. The default: whoever can hide his key has no limit
    /// otherwise.
    #[default]
    Reject,
    /// They are let in, and not counted.
    Allow,
    /// They share the limit of this key.
    Shared(K),
}

/// Keeps each client of a server to a rate.
///
/// A request's key is made by a [`KeyExtractor`], and its tokens are taken when the service is
/// called, *before* the inner service is: who is turned away costs nothing more. That is a response
/// of status 429 with `Retry-After`, in seconds rounded up and never 0, not an error: the layer fits
/// into axum's `Router::layer` as it is.
///
/// All services that it makes, and all their clones, share one [`Keyed`] limiter, which stays in the
/// caller's hands. Router and server may clone as they like.
///
/// | option | means |
/// |---|---|
/// | [`tokens`](Self::tokens) | what a request costs, instead of one |
/// | [`max_wait`](Self::max_wait) | a request waits for its turn instead, up to this long |
/// | [`missing_key`](Self::missing_key) | what becomes of requests without a key |
/// | [`fields`](Self::fields) | `RateLimit` and its kin on responses |
/// | [`reject_with`](Self::reject_with) | the response, instead of an empty one |
///
/// # Examples
///
/// With axum, by the address of whoever has connected:
///
/// ```
/// # use axum::Router;
/// # use axum::extract::{ConnectInfo, Request};
/// # use axum::routing::get;
/// use lockgate_ratelimit::http::RateLimitFields;
/// use lockgate_ratelimit::tower::KeyedRateLimitLayer;
/// use lockgate_ratelimit::{Keyed, Quota, ipv6_prefix};
/// use std::net::{IpAddr, SocketAddr};
///
/// let limiter = Keyed::<IpAddr>::new(Quota::per_minute(100).burst(20));
/// let by_peer = |request: &Request| {
///     let ConnectInfo(peer) = request.extensions().get::<ConnectInfo<SocketAddr>>()?;
///     Some(ipv6_prefix(peer.ip(), 64))
/// };
/// let layer = KeyedRateLimitLayer::new(limiter, by_peer)
///     .fields(RateLimitFields::new("per-address")?)
///     .fields_on_success();
/// let app: Router = Router::new().route("/", get(|| async { "hello" })).layer(layer);
/// # drop(app);
/// # Ok::<(), lockgate_ratelimit::http::NameError>(())
/// ```
#[must_use = "a layer does nothing unless it is put over a service"]
pub struct KeyedRateLimitLayer<K, X, C = Monotonic, H = RandomState, R = StatusOnly> {
    rules: Rules<K, X, C, H, R>,
}

/// What all services of a layer go by.
pub(super) struct Rules<K, X, C, H, R> {
    pub(super) limiter: Arc<Keyed<K, C, H>>,
    extractor: X,
    tokens: u32,
    max_wait: Option<Duration>,
    missing: MissingKey<K>,
    fields: Option<RateLimitFields>,
    on_success: bool,
    reject: R,
}

impl<K, X, C: Clock, H> KeyedRateLimitLayer<K, X, C, H> {
    /// A layer over a limiter, or over one that is shared with others.
    pub fn new(limiter: impl Into<Arc<Keyed<K, C, H>>>, extractor: X) -> Self {
        Self {
            rules: Rules {
                limiter: limiter.into(),
                extractor,
                tokens: 1,
                max_wait: None,
                missing: MissingKey::Reject,
                fields: None,
                on_success: false,
                reject: StatusOnly,
            },
        }
    }
}

impl<K, X, C, H, R> KeyedRateLimitLayer<K, X, C, H, R> {
    /// Takes so many tokens for each request, instead of one.
    pub const fn tokens(mut self, tokens: u32) -> Self {
        self.rules.tokens = tokens;
        self
    }

    /// Lets a request wait for its turn if that comes within `max`, and turns it away at once if
    /// not.
    ///
    /// While they wait, requests are held in memory; of each key, no more than are granted in `max`.
    pub const fn max_wait(mut self, max: Duration) -> Self {
        self.rules.max_wait = Some(max);
        self
    }

    /// What becomes of requests that have no key.
    pub fn missing_key(mut self, missing: MissingKey<K>) -> Self {
        self.rules.missing = missing;
        self
    }

    /// Tells of the limit on responses to requests that are turned away.
    pub fn fields(mut self, fields: RateLimitFields) -> Self {
        self.rules.fields = Some(fields);
        self
    }

    /// Tells of the limit on every response, those of the inner service included: what is left when
    /// that has answered. It takes [`fields`](Self::fields).
    pub const fn fields_on_success(mut self) -> Self {
        self.rules.on_success = true;
        self
    }

    /// Turns requests away with a response of the caller's: a page, or a problem document (RFC 9457).
    pub fn reject_with<T>(self, reject: T) -> KeyedRateLimitLayer<K, X, C, H, T> {
        let Rules { limiter, extractor, tokens, max_wait, missing, fields, on_success, .. } =
            self.rules;
        KeyedRateLimitLayer {
            rules: Rules {
                limiter,
                extractor,
                tokens,
                max_wait,
                missing,
                fields,
                on_success,
                reject,
            },
        }
    }
}

impl<S, K, X, C, H, R> Layer<S> for KeyedRateLimitLayer<K, X, C, H, R>
where
    K: Clone,
    X: Clone,
    R: Clone,
{
    type Service = KeyedRateLimitService<S, K, X, C, H, R>;

    fn layer(&self, inner: S) -> Self::Service {
        KeyedRateLimitService { inner, rules: Arc::new(self.rules.clone()) }
    }
}

/// A service that keeps each of its clients to a rate, made by [`KeyedRateLimitLayer`].
///
/// It is ready when the inner service is. Its errors are the inner service's. To let requests wait,
/// it needs to clone the inner service, as servers and routers do anyhow.
pub struct KeyedRateLimitService<S, K, X, C = Monotonic, H = RandomState, R = StatusOnly> {
    inner: S,
    rules: Arc<Rules<K, X, C, H, R>>,
}

impl<S, K, X, C, H, R> KeyedRateLimitService<S, K, X, C, H, R> {
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

    /// The limiter that it takes from.
    pub fn limiter(&self) -> &Arc<Keyed<K, C, H>> {
        &self.rules.limiter
    }
}

impl<S, A, B, K, X, C, H, R> Service<Request<A>> for KeyedRateLimitService<S, K, X, C, H, R>
where
    S: Service<Request<A>, Response = Response<B>> + Clone,
    K: Eq + Hash + Clone,
    X: KeyExtractor<K, A>,
    C: Timer,
    H: BuildHasher,
    R: RejectWith<B>,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = KeyedResponseFuture<S, A, B, K, X, C, H, R>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<A>) -> Self::Future {
        let rules = &self.rules;
        let key = match (rules.extractor.key(&request), &rules.missing) {
            (Some(key), _) => key,
            (None, MissingKey::Shared(key)) => key.clone(),
            (None, MissingKey::Allow) => {
                return KeyedResponseFuture::inner(self.inner.call(request), None);
            }
            (None, MissingKey::Reject) => {
                let response = rules.reject.response(&Rejection::MISSING_KEY);
                return KeyedResponseFuture::rejected(response);
            }
        };
        let told = Told { rules: Arc::clone(rules), key };
        let Some(max) = rules.max_wait else {
            return match rules.limiter.try_acquire(&told.key, rules.tokens) {
                Ok(()) => KeyedResponseFuture::inner(self.inner.call(request), told.on_success()),
                Err(denied) => KeyedResponseFuture::rejected(told.reject(denied.into())),
            };
        };
        let mut wait = rules.limiter.acquire_owned(told.key.clone(), rules.tokens).within(max);
        // Most need not wait, and then the service that is ready is called, and not cloned.
        match Pin::new(&mut wait).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(Ok(_)) => {
                KeyedResponseFuture::inner(self.inner.call(request), told.on_success())
            }
            Poll::Ready(Err(error)) => KeyedResponseFuture::rejected(told.reject(error.into())),
            Poll::Pending => {
                // The one that is ready waits with the request; a clone is ready when it says so.
                let clone = self.inner.clone();
                let inner = mem::replace(&mut self.inner, clone);
                KeyedResponseFuture::waiting(wait, inner, request, told)
            }
        }
    }
}

impl<K, X, C, H, R> Told<K, X, C, H, R>
where
    K: Eq + Hash + Clone,
    C: Clock,
    H: BuildHasher,
{
    /// Itself, if responses of the inner service tell of the limit too.
    pub(super) fn on_success(self) -> Option<Self> {
        (self.rules.on_success && self.rules.fields.is_some()).then_some(self)
    }

    /// The response to a request that is turned away.
    pub(super) fn reject<B>(&self, rejection: Rejection) -> Response<B>
    where
        R: RejectWith<B>,
    {
        let mut response = self.rules.reject.response(&rejection);
        if let Some(after) = rejection.retry_after {
            set_retry_after(response.headers_mut(), after);
        }
        // Where there is no place for the key, or no limiter, nothing is known of its limit.
        if rejection.is_over_limit() {
            self.tell(&mut response);
        }
        response
    }

    /// Adds the fields of the limit.
    pub(super) fn tell<B>(&self, response: &mut Response<B>) {
        if let Some(fields) = &self.rules.fields {
            let standing = Standing::of_key(&self.rules.limiter, &self.key);
            fields.write(&standing, response.headers_mut());
        }
    }
}

impl<K: Clone, X: Clone, C, H, R: Clone> Clone for Rules<K, X, C, H, R> {
    fn clone(&self) -> Self {
        Self {
            limiter: Arc::clone(&self.limiter),
            extractor: self.extractor.clone(),
            missing: self.missing.clone(),
            fields: self.fields.clone(),
            reject: self.reject.clone(),
            ..*self
        }
    }
}

impl<K: Clone, X: Clone, C, H, R: Clone> Clone for KeyedRateLimitLayer<K, X, C, H, R> {
    fn clone(&self) -> Self {
        Self { rules: self.rules.clone() }
    }
}

impl<S: Clone, K, X, C, H, R> Clone for KeyedRateLimitService<S, K, X, C, H, R> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), rules: Arc::clone(&self.rules) }
    }
}

impl<K, X, C, H, R> Rules<K, X, C, H, R> {
    fn debug(&self, f: &mut fmt::Formatter<'_>, name: &str) -> fmt::Result {
        f.debug_struct(name)
            .field("limiter", &self.limiter)
            .field("tokens", &self.tokens)
            .field("max_wait", &self.max_wait)
            .finish_non_exhaustive()
    }
}

impl<K, X, C, H, R> fmt::Debug for KeyedRateLimitLayer<K, X, C, H, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rules.debug(f, "KeyedRateLimitLayer")
    }
}

impl<S, K, X, C, H, R> fmt::Debug for KeyedRateLimitService<S, K, X, C, H, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.rules.debug(f, "KeyedRateLimitService")
    }
}
