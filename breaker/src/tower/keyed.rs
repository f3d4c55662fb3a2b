//! A breaker for each key before a service.

use super::future::ResponseFuture;
use crate::clock::{Clock, Monotonic};
use crate::error::Error;
use crate::outcome::{Classify, ErrIsFailure};
use crate::primitives::Arc;
use crate::registry::Registry;
use std::fmt;
use std::hash::Hash;
use std::task::{Context, Poll};
use tower_layer::Layer;
use tower_service::Service;

/// Puts a breaker before services for each key that a function makes of a request: its host, for instance,
/// since one that is down says nothing of the others.
///
/// All services that it makes, and all their clones, share one [`Registry`], which stays in the caller's
/// hands. Where others choose the keys, let it [forget idle ones](Registry::evict_idle).
///
/// # Examples
///
/// ```
/// # use lockgate_breaker::tower::KeyedBreakerLayer;
/// # use lockgate_breaker::{Breaker, Error, Policy, Registry, State};
/// # use std::future::{Ready, poll_fn, ready};
/// # use std::sync::Arc;
/// # use std::task::{Context, Poll};
/// # use tower_layer::Layer;
/// # use tower_service::Service;
/// # struct Client;
/// # struct Request { host: String }
/// # impl Service<Request> for Client {
/// #     type Response = String;
/// #     type Error = &'static str;
/// #     type Future = Ready<Result<String, &'static str>>;
/// #     fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
/// #         Poll::Ready(Ok(()))
/// #     }
/// #     fn call(&mut self, request: Request) -> Self::Future {
/// #         ready(if request.host == "b.example" { Ok(request.host) } else { Err("no answer") })
/// #     }
/// # }
/// # futures::executor::block_on(async {
/// let usual = Breaker::builder("").policy(Policy::consecutive_failures(1));
/// let hosts = Arc::new(Registry::new(usual)?);
/// let layer = KeyedBreakerLayer::new(Arc::clone(&hosts), |request: &Request| request.host.clone());
/// let mut client = layer.layer(Client);
/// for host in ["a.example", "a.example", "b.example"] {
///     poll_fn(|cx| client.poll_ready(cx)).await.unwrap();
///     let _ = client.call(Request { host: host.to_owned() }).await;
/// }
/// assert_eq!(hosts.get(&"a.example".to_owned()).state(), State::Open);
/// assert_eq!(hosts.get(&"b.example".to_owned()).state(), State::Closed);
/// # Ok::<(), lockgate_breaker::BuildError>(()) }).unwrap();
/// ```
#[must_use = "a layer does nothing unless it is put over a service"]
pub struct KeyedBreakerLayer<K, F, X = ErrIsFailure, C: Clock = Monotonic> {
    registry: Arc<Registry<K, C>>,
    key: F,
    classifier: X,
}

impl<K, F, C: Clock> KeyedBreakerLayer<K, F, ErrIsFailure, C> {
    /// A layer over a registry, or over one that is shared with others. `key` is called for each request; an
    /// `Err` is a failure.
    pub fn new(registry: impl Into<Arc<Registry<K, C>>>, key: F) -> Self {
        Self { registry: registry.into(), key, classifier: ErrIsFailure }
    }
}

impl<K, F, X, C: Clock> KeyedBreakerLayer<K, F, X, C> {
    /// With another opinion of what a failure is. Each request has a clone of it.
    pub fn classified_by<Y>(self, classifier: Y) -> KeyedBreakerLayer<K, F, Y, C> {
        KeyedBreakerLayer { registry: self.registry, key: self.key, classifier }
    }
}

impl<S, K, F: Clone, X: Clone, C: Clock> Layer<S> for KeyedBreakerLayer<K, F, X, C> {
    type Service = KeyedBreakerService<S, K, F, X, C>;

    fn layer(&self, inner: S) -> Self::Service {
        KeyedBreakerService { inner, layer: self.clone() }
    }
}

/// A service behind a breaker for each key, made by [`KeyedBreakerLayer`].
///
/// It is as ready as the inner service: there is no request yet, and so no key. If the circuit of a
/// request's key rejects it, the inner service is not called, and stays ready for the next.
///
/// # Errors
///
/// * [`Error::Rejected`], from the future of `call`.
/// * [`Error::Inner`]: the inner service's. One of its `poll_ready` belongs to no key, and is not counted.
pub struct KeyedBreakerService<S, K, F, X = ErrIsFailure, C: Clock = Monotonic> {
    inner: S,
    layer: KeyedBreakerLayer<K, F, X, C>,
}

impl<S, K, F, X, C: Clock> KeyedBreakerService<S, K, F, X, C> {
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

    /// The breakers before it.
    pub const fn registry(&self) -> &Arc<Registry<K, C>> {
        &self.layer.registry
    }
}

impl<S, R, K, F, X, C> Service<R> for KeyedBreakerService<S, K, F, X, C>
where
    S: Service<R>,
    K: Clone + Eq + Hash + fmt::Display,
    F: Fn(&R) -> K,
    X: Classify<S::Response, S::Error> + Clone,
    C: Clock + Clone,
{
    type Response = S::Response;
    type Error = Error<S::Error>;
    type Future = ResponseFuture<S::Future, X, C>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx).map_err(Error::Inner)
    }

    fn call(&mut self, request: R) -> Self::Future {
        let KeyedBreakerLayer { registry, key, classifier } = &self.layer;
        let breaker = registry.get(&key(&request));
        ResponseFuture::of(breaker.inner(), classifier, &mut self.inner, request)
    }
}

impl<K, F: Clone, X: Clone, C: Clock> Clone for KeyedBreakerLayer<K, F, X, C> {
    fn clone(&self) -> Self {
        let (key, classifier) = (self.key.clone(), self.classifier.clone());
        Self { registry: Arc::clone(&self.registry), key, classifier }
    }
}

impl<S: Clone, K, F: Clone, X: Clone, C: Clock> Clone for KeyedBreakerService<S, K, F, X, C> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), layer: self.layer.clone() }
    }
}

impl<K, F, X, C: Clock> fmt::Debug for KeyedBreakerLayer<K, F, X, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedBreakerLayer")
            .field("registry", &self.registry)
            .finish_non_exhaustive()
    }
}

impl<S, K, F, X, C: Clock> fmt::Debug for KeyedBreakerService<S, K, F, X, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedBreakerService")
            .field("registry", &self.layer.registry)
            .finish_non_exhaustive()
    }
}
