//! Among the layers of tower itself.

use super::mock::Broken;
use crate::support::{WAIT, secs, touchy};
use futures::FutureExt;
use lockgate_breaker::clock::Manual;
use lockgate_breaker::tower::BreakerLayer;
use lockgate_breaker::{Breaker, Error, Rejected, State};
use std::future::{Ready, pending, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;
use tower::limit::GlobalConcurrencyLimitLayer;
use tower::retry::Policy as RetryPolicy;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};

fn setup() -> (Manual, Breaker<Manual>) {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    (clock, breaker)
}

/// What was ready and is rejected holds a place of the inner service until it is called again or dropped.
#[test]
fn a_rejected_service_gives_its_place_back_when_it_is_dropped() {
    let (_, breaker) = setup();
    let places = Arc::new(Semaphore::new(1));
    let mut client = ServiceBuilder::new()
        .layer(BreakerLayer::new(breaker.clone()))
        .layer(GlobalConcurrencyLimitLayer::with_semaphore(Arc::clone(&places)))
        .service(service_fn(|request: u32| ready(Ok::<_, Broken>(request))));
    assert_eq!(client.ready().now_or_never().unwrap().unwrap().call(5).now_or_never(), Some(Ok(5)));
    client.ready().now_or_never().unwrap().unwrap();
    breaker.force_open();
    assert!(client.call(6).now_or_never().unwrap().unwrap_err().is_rejected());
    assert_eq!(places.available_permits(), 0);
    // Open, it asks for no place.
    let mut other = client.clone();
    other.ready().now_or_never().unwrap().unwrap();
    assert!(other.call(6).now_or_never().unwrap().unwrap_err().is_rejected());
    drop(client);
    assert_eq!(places.available_permits(), 1);
    drop(other);
    assert_eq!(places.available_permits(), 1);
}

/// Tries again what has failed, and never what was rejected.
#[derive(Clone)]
struct Thrice(u32);

impl RetryPolicy<u32, u32, Error<Broken>> for Thrice {
    type Future = Ready<()>;

    fn retry(
        &mut self,
        _: &mut u32,
        result: &mut Result<u32, Error<Broken>>,
    ) -> Option<Self::Future> {
        let again = matches!(result, Err(Error::Inner(_))) && self.0 < 3;
        self.0 += 1;
        again.then(|| ready(()))
    }

    fn clone_request(&mut self, request: &u32) -> Option<u32> {
        Some(*request)
    }
}

#[test]
fn a_retry_outside_sees_the_rejection() {
    let (_, breaker) = setup();
    let calls = Arc::new(AtomicU32::new(0));
    let counts = Arc::clone(&calls);
    let client = ServiceBuilder::new()
        .retry(Thrice(0))
        .layer(BreakerLayer::new(breaker.clone()))
        .service(service_fn(move |_: u32| {
            counts.fetch_add(1, Ordering::SeqCst);
            ready(Err::<u32, _>(Broken))
        }));
    let error = client.oneshot(1).now_or_never().unwrap().unwrap_err();
    let Error::Rejected(rejected) = error else { panic!("{error:?}") };
    assert_eq!((rejected.state, rejected.retry_after), (State::Open, Some(WAIT)));
    assert_eq!(calls.load(Ordering::SeqCst), 1, "the second try found it open");
}

/// The time-out inside is a failure that the breaker sees; and boxed errors go on in one box.
#[tokio::test(start_paused = true)]
async fn a_time_out_inside_opens_it() {
    let (_, breaker) = setup();
    let mut client = ServiceBuilder::new()
        .map_err(Error::<BoxError>::into_boxed)
        .layer(BreakerLayer::new(breaker.clone()))
        .timeout(Duration::from_millis(100))
        .service(service_fn(|_: u32| pending::<Result<u32, Broken>>()));
    let error = client.ready().await.unwrap().call(1).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
    assert_eq!(breaker.state(), State::Open);
    let error = client.ready().await.unwrap().call(1).await.unwrap_err();
    assert_eq!(error.downcast_ref::<Rejected>().unwrap().state, State::Open);
}

/// The time-out outside only drops the future: by default a failure all the same, if it took as long as a
/// call may.
#[tokio::test(start_paused = true)]
async fn a_time_out_outside_opens_it() {
    let clock = Manual::new();
    let breaker = touchy(&clock).call_deadline(secs(1)).build().unwrap();
    let passes = clock.clone();
    let client = ServiceBuilder::new()
        .timeout(secs(1))
        .layer(BreakerLayer::new(breaker.clone()))
        .service(service_fn(move |_: u32| {
            let clock = passes.clone();
            async move {
                tokio::time::sleep(Duration::from_millis(999)).await;
                clock.advance(secs(1));
                pending::<Result<u32, Broken>>().await
            }
        }));
    let error = client.oneshot(1).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
    assert_eq!(breaker.state(), State::Open);
}

#[cfg(feature = "http")]
#[test]
fn responses_are_classified_by_their_status() {
    use http::{Request, Response};
    use lockgate_breaker::http::ByStatus;
    let (clock, breaker) = setup();
    let server = service_fn(|request: Request<&'static str>| {
        let response =
            Response::builder().status(request.uri().path()[1..].parse::<u16>().unwrap());
        let response = match *request.body() {
            "" => response,
            after => response.header("retry-after", after),
        };
        ready(Ok::<_, Broken>(response.body(()).unwrap()))
    });
    let layer = BreakerLayer::new(breaker.clone()).classified_by(ByStatus::new());
    let mut client = ServiceBuilder::new().layer(layer).service(server);
    let mut get = |path: &str, after: &'static str| {
        let request = Request::get(path).body(after).unwrap();
        let response = client.ready().now_or_never().unwrap().unwrap().call(request);
        response.now_or_never().unwrap().map(|response| response.status().as_u16())
    };
    assert_eq!(get("/404", "").unwrap(), 404);
    assert_eq!(get("/501", "").unwrap(), 501);
    assert_eq!(get("/429", "").unwrap(), 429);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(get("/503", "30").unwrap(), 503);
    assert_eq!(breaker.retry_after(), Some(secs(30)));
    assert!(get("/200", "").unwrap_err().is_rejected());
    clock.advance(secs(30));
    assert_eq!(get("/200", "").unwrap(), 200);
    assert_eq!(breaker.state(), State::Closed);
}
