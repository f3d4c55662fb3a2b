//! The layer for servers: who is over the limit is turned away before anything is done for him.

use futures::FutureExt;
use http::header::{HeaderName, RETRY_AFTER};
use http::{Request, Response, StatusCode};
use lockgate_ratelimit::clock::Manual;
use lockgate_ratelimit::http::{ForwardedFor, HeaderKey, RateLimitFields};
use lockgate_ratelimit::tower::{
    KeyedRateLimitLayer, KeyedRateLimitService, MissingKey, RejectReason, Rejection,
};
use lockgate_ratelimit::{Keyed, Policy, Quota};
use std::convert::Infallible;
use std::future::{Future, Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tower_layer::Layer;
use tower_service::Service;

const SECOND: Duration = Duration::from_secs(1);

/// Says hello, counts its calls, and insists on being asked first whether it is ready.
#[derive(Debug, Default)]
struct Hello {
    calls: Arc<AtomicUsize>,
    ready: bool,
}

impl Clone for Hello {
    fn clone(&self) -> Self {
        Self { calls: Arc::clone(&self.calls), ready: false }
    }
}

impl Service<Request<()>> for Hello {
    type Response = Response<String>;
    type Error = Infallible;
    type Future = Ready<Result<Response<String>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.ready = true;
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        assert!(std::mem::take(&mut self.ready), "called when it was not ready");
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(Ok(Response::new("hello".to_owned())))
    }
}

type Limiter = Arc<Keyed<String, Manual>>;
type Server<X> = KeyedRateLimitService<Hello, String, X, Manual>;
type ByUser = fn(&Request<()>) -> Option<String>;

fn by_user(request: &Request<()>) -> Option<String> {
    Some(request.headers().get("user")?.to_str().ok()?.to_owned())
}

fn limiter(quota: Quota) -> (Manual, Limiter) {
    let clock = Manual::new();
    let limiter = Keyed::builder(quota).clock(clock.clone()).build().unwrap();
    (clock, Arc::new(limiter))
}

fn layer(limiter: &Limiter) -> KeyedRateLimitLayer<String, ByUser, Manual> {
    KeyedRateLimitLayer::new(Arc::clone(limiter), by_user as ByUser)
}

fn request(lines: &[(&str, &str)]) -> Request<()> {
    let mut request = Request::builder();
    for (name, value) in lines {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap()
}

/// The future of a request, of a service that was ready.
fn send<S: Service<Request<()>, Error = Infallible>>(
    service: &mut S,
    lines: &[(&str, &str)],
) -> S::Future {
    let ready = service.poll_ready(&mut Context::from_waker(Waker::noop()));
    assert!(ready.is_ready());
    service.call(request(lines))
}

/// The response to a request that need not wait.
fn answer<S>(service: &mut S, lines: &[(&str, &str)]) -> Response<String>
where
    S: Service<Request<()>, Response = Response<String>, Error = Infallible>,
{
    send(service, lines).now_or_never().expect("it does not wait").unwrap()
}

fn head<'a, B>(response: &'a Response<B>, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

const ALICE: &[(&str, &str)] = &[("user", "alice")];
const BOB: &[(&str, &str)] = &[("user", "bob")];

/// tower-rate-limit-redis: the inner service was called before the decision.
#[test]
fn who_is_over_the_limit_does_not_reach_the_inner_service() {
    let (clock, limiter) = limiter(Quota::per(1, SECOND * 3 / 2).burst(2));
    let hello = Hello::default();
    let mut server = layer(&limiter).layer(hello.clone());
    for _ in 0..2 {
        let response = answer(&mut server, ALICE);
        assert_eq!((response.status(), response.body().as_str()), (StatusCode::OK, "hello"));
        assert_eq!(head(&response, "retry-after"), None);
    }
    for _ in 0..3 {
        let response = answer(&mut server, ALICE);
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(head(&response, "retry-after"), Some("2"), "1.5 s, rounded up");
        assert_eq!(response.body(), "");
    }
    assert_eq!(hello.calls.load(Ordering::Relaxed), 2);
    assert_eq!(answer(&mut server, BOB).status(), StatusCode::OK, "each his own");
    // Who keeps to what he is told is let in; a nanosecond before is too early.
    clock.advance(SECOND * 3 / 2 - Duration::from_nanos(1));
    let early = answer(&mut server, ALICE);
    assert_eq!(head(&early, "retry-after"), Some("1"), "1 ns, and never 0");
    clock.advance(SECOND / 2);
    assert_eq!(answer(&mut server, ALICE).status(), StatusCode::OK);
}

/// axum#2634: a router clones its services, and each had a limit of its own.
#[test]
fn all_services_of_a_layer_share_the_limit() {
    let (_, limiter) = limiter(Quota::per_second(5));
    let layer = layer(&limiter);
    let server = layer.layer(Hello::default());
    let mut clones: Vec<Server<ByUser>> = (0..20).map(|_| server.clone()).collect();
    clones.extend((0..20).map(|_| layer.clone().layer(Hello::default())));
    let let_in = clones.iter_mut().filter_map(|server| {
        let response = answer(server, ALICE);
        response.status().is_success().then_some(())
    });
    assert_eq!(let_in.count(), 5);
}

/// The same, through axum itself, whose router is cloned for each request.
#[tokio::test]
async fn a_router_shares_the_limit() {
    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    let (_, limiter) = limiter(Quota::per_second(5));
    let by_user = HeaderKey::new(HeaderName::from_static("user"));
    let layer = KeyedRateLimitLayer::new(limiter, by_user);
    let app: Router =
        Router::new().route("/a", get(|| async {})).route("/b", get(|| async {})).layer(layer);
    let mut statuses = Vec::new();
    for path in ["/a", "/b"].repeat(10) {
        let request = Request::get(path).header("user", "alice").body(Body::empty()).unwrap();
        statuses.push(app.clone().call(request).await.unwrap().status());
    }
    assert!(statuses[..5].iter().all(|status| *status == StatusCode::OK), "{statuses:?}");
    assert!(statuses[5..].iter().all(|status| *status == StatusCode::TOO_MANY_REQUESTS));
}

#[test]
fn a_request_without_a_key_is_as_it_is_told() {
    let (_, limiter) = limiter(Quota::per_second(1));
    let statuses = |layer: KeyedRateLimitLayer<String, ByUser, Manual>| {
        let hello = Hello::default();
        let mut server = layer.layer(hello.clone());
        let statuses: Vec<u16> =
            (0..3).map(|_| answer(&mut server, &[]).status().as_u16()).collect();
        (statuses, hello.calls.load(Ordering::Relaxed))
    };
    assert_eq!(statuses(layer(&limiter)), (vec![400, 400, 400], 0));
    assert_eq!(statuses(layer(&limiter).missing_key(MissingKey::Allow)), (vec![200; 3], 3));
    assert!(limiter.is_empty(), "and nothing is counted");
    let shared = layer(&limiter).missing_key(MissingKey::Shared("anybody".into()));
    assert_eq!(statuses(shared), (vec![200, 429, 429], 1));
}

/// status-list-server#238: whoever writes X-Forwarded-For himself has a new limit each time.
#[test]
fn a_forged_address_has_no_limit_of_its_own() {
    let clock = Manual::new();
    let limiter = Keyed::builder(Quota::per_second(2)).clock(clock).build().unwrap();
    let layer = KeyedRateLimitLayer::new(limiter, ForwardedFor::trusted_hops(1));
    let mut server = layer.layer(Hello::default());
    let statuses = [1, 2, 3, 4].map(|forged| {
        let line = format!("10.0.0.{forged}, 192.0.2.7");
        answer(&mut server, &[("x-forwarded-for", &line)]).status().as_u16()
    });
    assert_eq!(statuses, [200, 200, 429, 429]);
    assert_eq!(server.limiter().len(), 1, "one key");
}

#[test]
fn fields_are_on_responses_that_are_asked_for() {
    let (_, limiter) = limiter(Quota::per_minute(2));
    limiter.set_override("bob".into(), Quota::per_second(50));
    let fields = RateLimitFields::new("user").unwrap().legacy();
    let seen = |server: &mut Server<ByUser>, lines| {
        let response = answer(server, lines);
        let told = head(&response, "ratelimit").map(str::to_owned);
        (response.status().as_u16(), told)
    };
    let mut silent = layer(&limiter).fields(fields.clone()).layer(Hello::default());
    assert_eq!(seen(&mut silent, ALICE), (200, None));
    let mut server = layer(&limiter).fields(fields).fields_on_success().layer(Hello::default());
    assert_eq!(seen(&mut server, ALICE), (200, Some(r#""user";r=0;t=30"#.into())));
    assert_eq!(seen(&mut server, ALICE), (429, Some(r#""user";r=0;t=30"#.into())));
    assert_eq!(seen(&mut silent, ALICE), (429, Some(r#""user";r=0;t=30"#.into())));
    assert_eq!(seen(&mut server, BOB), (200, Some(r#""user";r=49;t=1"#.into())));
    let denied = answer(&mut server, ALICE);
    assert_eq!(head(&denied, "ratelimit-policy"), Some(r#""user";q=2;w=60"#));
    assert_eq!(head(&denied, "x-ratelimit-limit"), Some("2"));
    assert_eq!(head(&denied, "x-ratelimit-remaining"), Some("0"));
    let special = answer(&mut server, BOB);
    assert_eq!(
        head(&special, "ratelimit-policy"),
        Some(r#""user";q=50;w=1"#),
        "a quota of his own"
    );
    assert_eq!(head(&answer(&mut server, &[]), "ratelimit"), None, "of nobody");
}

#[test]
fn a_rejection_may_look_as_the_server_likes() {
    let (_, limiter) = limiter(Quota::per_minute(1));
    let reject = |rejection: &Rejection| {
        let mut response = Response::new(format!("{:?}", rejection.reason));
        *response.status_mut() = StatusCode::IM_A_TEAPOT;
        response.headers_mut().insert(RETRY_AFTER, "7".parse().unwrap());
        response
    };
    let mut server = layer(&limiter).tokens(1).reject_with(reject).layer(Hello::default());
    assert_eq!(answer(&mut server, ALICE).body(), "hello");
    let response = answer(&mut server, ALICE);
    assert_eq!(
        (response.status(), response.body().as_str()),
        (StatusCode::IM_A_TEAPOT, "OverLimit")
    );
    assert_eq!(head(&response, "retry-after"), Some("60"), "it knows better");
    assert_eq!(answer(&mut server, &[]).body(), "MissingKey");
}

#[test]
fn what_can_never_be_let_in_is_told_no_time() {
    let (_, limiter) = limiter(Quota::per_second(3));
    for layer in [layer(&limiter).tokens(4), layer(&limiter).tokens(4).max_wait(SECOND)] {
        let response = answer(&mut layer.layer(Hello::default()), ALICE);
        assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
        assert_eq!(head(&response, "retry-after"), None);
    }
    limiter.close();
    for layer in [layer(&limiter), layer(&limiter).max_wait(SECOND)] {
        let response = answer(&mut layer.layer(Hello::default()), ALICE);
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(head(&response, "retry-after"), None);
    }
}

/// It is not the client's fault, and there is nothing to tell of a limit that it has not.
#[test]
fn a_full_table_is_the_servers_trouble() {
    let limiter = Keyed::builder(Quota::per_minute(1))
        .capacity(1)
        .policy(Policy::DenyNew)
        .clock(Manual::new())
        .build()
        .unwrap();
    let limiter: Limiter = Arc::new(limiter);
    let layer = layer(&limiter).fields(RateLimitFields::new("user").unwrap());
    let mut server = layer.layer(Hello::default());
    let mut taken = 0;
    let full = loop {
        let response = answer(&mut server, &[("user", &taken.to_string())]);
        if !response.status().is_success() {
            break response;
        }
        taken += 1;
    };
    assert_eq!(taken, limiter.capacity());
    assert_eq!(full.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(head(&full, "retry-after"), Some("60"), "when a place is free");
    assert_eq!(head(&full, "ratelimit"), None);
}

/// Polls once, by nobody in particular.
fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    future.now_or_never()
}

#[test]
fn a_request_may_wait_for_its_turn() {
    let (clock, limiter) = limiter(Quota::per_second(1));
    let hello = Hello::default();
    let fields = RateLimitFields::new("user").unwrap();
    let layer = layer(&limiter).max_wait(SECOND * 2).fields(fields).fields_on_success();
    let mut server = layer.layer(hello.clone());
    let calls = || hello.calls.load(Ordering::Relaxed);
    assert_eq!(answer(&mut server, ALICE).status(), StatusCode::OK);
    // The service that was ready waits with the request, and another is asked next time: `Hello`
    // sees to it.
    let mut first = Box::pin(send(&mut server, ALICE));
    let mut second = Box::pin(send(&mut server, ALICE));
    let third = answer(&mut server, ALICE);
    assert_eq!(third.status(), StatusCode::TOO_MANY_REQUESTS, "3 s are too long");
    assert_eq!(head(&third, "retry-after"), Some("3"));
    assert!(poll_once(&mut second).is_none() && poll_once(&mut first).is_none());
    assert_eq!(calls(), 1);
    clock.advance(SECOND);
    assert!(poll_once(&mut second).is_none(), "in order of arrival");
    let response = poll_once(&mut first).unwrap().unwrap();
    assert_eq!((response.status(), calls()), (StatusCode::OK, 2));
    assert_eq!(head(&response, "ratelimit"), Some(r#""user";r=0;t=2"#), "one is promised");
    clock.advance(SECOND);
    assert_eq!(poll_once(&mut second).unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(calls(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_waits_is_woken() {
    let clock = Manual::new();
    let limiter = Keyed::builder(Quota::per_second(1)).clock(clock.clone()).build().unwrap();
    let limiter: Limiter = Arc::new(limiter);
    let mut server = layer(&limiter).max_wait(SECOND).layer(Hello::default());
    answer(&mut server, ALICE);
    let waits = tokio::spawn(send(&mut server, ALICE));
    while clock.sleepers() == 0 {
        tokio::task::yield_now().await;
    }
    clock.advance(SECOND);
    assert_eq!(waits.await.unwrap().unwrap().status(), StatusCode::OK);
}

/// A client that hangs up: its request never reaches the inner service, and takes nothing.
#[test]
fn a_request_that_is_dropped_gives_back_its_turn() {
    let (clock, limiter) = limiter(Quota::per_second(1));
    let hello = Hello::default();
    let mut server = layer(&limiter).max_wait(SECOND).layer(hello.clone());
    answer(&mut server, ALICE);
    drop(send(&mut server, ALICE));
    assert_eq!(limiter.tokens("alice"), 0.0);
    let mut next = Box::pin(send(&mut server, ALICE));
    clock.advance(SECOND);
    assert_eq!(poll_once(&mut next).unwrap().unwrap().status(), StatusCode::OK);
    assert_eq!(hello.calls.load(Ordering::Relaxed), 2);
}

#[test]
fn a_request_that_waits_is_turned_away_when_the_limiter_closes() {
    let (_, limiter) = limiter(Quota::per_second(1));
    let hello = Hello::default();
    let mut server = layer(&limiter).max_wait(SECOND).layer(hello.clone());
    answer(&mut server, ALICE);
    let mut waits = Box::pin(send(&mut server, ALICE));
    limiter.close();
    let response = poll_once(&mut waits).unwrap().unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(hello.calls.load(Ordering::Relaxed), 1);
}

#[test]
fn statuses_go_with_reasons() {
    let (_, limiter) = limiter(Quota::per_second(1));
    let denied = |n| Rejection::from(limiter.peek("alice", n).unwrap_err());
    assert_eq!(denied(2).reason, RejectReason::ExceedsBurst);
    limiter.try_acquire("alice", 1).unwrap();
    let over = denied(1);
    assert_eq!((over.reason, over.retry_after), (RejectReason::OverLimit, Some(SECOND)));
    assert_eq!(over.response::<String>().status(), StatusCode::TOO_MANY_REQUESTS);
}

/// Servers spawn what a service answers.
#[test]
fn futures_go_to_other_threads() {
    fn is_send<T: Send + 'static>(_: &T) {}
    let (_, limiter) = limiter(Quota::per_second(1));
    let mut server = layer(&limiter).max_wait(SECOND).layer(Hello::default());
    is_send(&server);
    is_send(&send(&mut server, ALICE));
}
