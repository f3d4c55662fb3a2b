//! Layers over clients: ready when it is their turn.

use futures::FutureExt;
use futures::task::noop_waker;
use lockgate_ratelimit::clock::Manual;
use lockgate_ratelimit::tower::{BoxError, RateLimitLayer, RateLimitService};
use lockgate_ratelimit::{AcquireError, Denied, Quota, RateLimiter};
use std::convert::Infallible;
use std::future::{Ready, poll_fn, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tower_layer::Layer;
use tower_service::Service;

const SECOND: Duration = Duration::from_secs(1);

/// Counts its calls.
#[derive(Clone, Debug, Default)]
struct Echo {
    calls: Arc<AtomicUsize>,
    /// How often it is not ready before it is.
    shy: usize,
}

impl Service<u32> for Echo {
    type Response = u32;
    type Error = Infallible;
    type Future = Ready<Result<u32, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        if self.shy > 0 {
            self.shy -= 1;
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u32) -> Self::Future {
        self.calls.fetch_add(1, Ordering::Relaxed);
        ready(Ok(request))
    }
}

type Client = RateLimitService<Echo, Manual>;

fn setup(quota: Quota) -> (Manual, Arc<RateLimiter<Manual>>, Echo) {
    let clock = Manual::new();
    let limiter = Arc::new(RateLimiter::with_clock(quota, clock.clone()));
    (clock, limiter, Echo::default())
}

/// One poll, by somebody who is never woken.
fn poll_ready(client: &mut Client) -> Poll<Result<(), BoxError>> {
    client.poll_ready(&mut Context::from_waker(&noop_waker()))
}

fn is_ready(client: &mut Client) -> bool {
    matches!(poll_ready(client), Poll::Ready(Ok(())))
}

fn call(client: &mut Client, request: u32) -> Result<u32, BoxError> {
    client.call(request).now_or_never().expect("the echo answers at once")
}

#[test]
fn it_is_ready_when_it_is_its_turn() {
    let (clock, limiter, echo) = setup(Quota::per_second(1).burst(2));
    let mut client = RateLimitLayer::new(limiter).layer(echo.clone());
    for request in 0..2 {
        assert!(is_ready(&mut client));
        assert_eq!(call(&mut client, request).unwrap(), request);
    }
    assert!(!is_ready(&mut client));
    clock.advance(SECOND - Duration::from_nanos(1));
    assert!(!is_ready(&mut client));
    clock.advance(Duration::from_nanos(1));
    assert!(is_ready(&mut client));
    assert_eq!(echo.calls.load(Ordering::Relaxed), 2, "ready is not called");
}

/// Its waker is called when its turn comes, not before, and not by polling.
#[test]
fn who_waits_is_woken() {
    let (clock, limiter, echo) = setup(Quota::per_second(1));
    let mut client = RateLimitLayer::new(limiter).layer(echo);
    assert!(is_ready(&mut client));
    call(&mut client, 0).unwrap();
    let (waker, wakes) = futures_test_waker();
    assert!(client.poll_ready(&mut Context::from_waker(&waker)).is_pending());
    clock.advance(SECOND / 2);
    assert_eq!(wakes.load(Ordering::Relaxed), 0);
    clock.advance(SECOND / 2);
    assert_eq!(wakes.load(Ordering::Relaxed), 1);
    assert!(is_ready(&mut client));
}

fn futures_test_waker() -> (std::task::Waker, Arc<AtomicUsize>) {
    struct Counts(Arc<AtomicUsize>);
    impl std::task::Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let wakes = Arc::<AtomicUsize>::default();
    (Arc::new(Counts(Arc::clone(&wakes))).into(), wakes)
}

/// axum#2634: a router clones its service for each connection, and each had a limit of its own.
#[test]
fn clones_share_one_limit() {
    let (_, limiter, echo) = setup(Quota::per_second(5));
    let layer = RateLimitLayer::new(limiter);
    let client = layer.layer(echo.clone());
    let mut others: Vec<Client> = (0..20).map(|_| client.clone()).collect();
    others.extend((0..20).map(|_| layer.clone().layer(echo.clone())));
    let ready: Vec<bool> = others.iter_mut().map(is_ready).collect();
    assert_eq!(ready.iter().filter(|ready| **ready).count(), 5);
    assert!(ready[..5].iter().all(|ready| *ready), "in order of arrival");
}

#[test]
fn a_clone_does_not_inherit_a_turn() {
    let (_, limiter, echo) = setup(Quota::per_second(1));
    let mut client = RateLimitLayer::new(limiter).layer(echo);
    assert!(is_ready(&mut client));
    let mut clone = client.clone();
    assert!(!is_ready(&mut clone));
    assert!(is_ready(&mut client), "it keeps its own");
    assert!(is_ready(&mut client), "and needs no other to stay ready");
}

#[test]
fn a_turn_is_used_by_one_call() {
    let (_, limiter, echo) = setup(Quota::per_second(2).initial(2));
    let mut client = RateLimitLayer::new(Arc::clone(&limiter)).layer(echo);
    for _ in 0..5 {
        assert!(is_ready(&mut client));
    }
    assert_eq!(limiter.tokens(), 1.0);
    call(&mut client, 1).unwrap();
    assert!(is_ready(&mut client));
    assert_eq!(limiter.tokens(), 0.0);
}

#[test]
#[should_panic(expected = "a service is called when it was ready")]
fn a_call_without_a_turn_panics() {
    let (_, limiter, echo) = setup(Quota::per_second(1));
    let mut client = RateLimitLayer::new(limiter).layer(echo);
    assert!(is_ready(&mut client));
    drop(client.call(1));
    drop(client.call(2));
}

#[test]
fn dropped_in_line_it_gives_back_and_dropped_ready_it_does_not() {
    let (clock, limiter, echo) = setup(Quota::per_second(1));
    let layer = RateLimitLayer::new(Arc::clone(&limiter));
    let mut client = layer.layer(echo.clone());
    assert!(is_ready(&mut client));
    let mut waits = client.clone();
    assert!(!is_ready(&mut waits));
    assert_eq!(limiter.tokens(), -1.0);
    drop(waits);
    assert_eq!(limiter.tokens(), 0.0);
    drop(client);
    assert_eq!(limiter.tokens(), 0.0, "what was granted is used");
    clock.advance(SECOND);
    assert!(is_ready(&mut layer.layer(echo)));
}

/// The turn comes first: nothing of the inner service is held by those in line.
#[test]
fn the_inner_service_is_asked_when_it_is_its_turn() {
    let (clock, limiter, mut echo) = setup(Quota::per_second(1).initial(0));
    echo.shy = 1;
    let mut client = RateLimitLayer::new(Arc::clone(&limiter)).layer(echo);
    assert!(!is_ready(&mut client));
    assert_eq!(client.get_ref().shy, 1, "not asked");
    clock.advance(SECOND);
    assert!(!is_ready(&mut client));
    assert_eq!(client.get_ref().shy, 0, "asked");
    assert!(is_ready(&mut client));
    assert_eq!(limiter.tokens(), 0.0, "with the turn it had");
}

#[test]
fn closing_fails_those_who_wait() {
    let (_, limiter, echo) = setup(Quota::per_second(1).initial(0));
    let mut client = RateLimitLayer::new(Arc::clone(&limiter)).layer(echo);
    assert!(!is_ready(&mut client));
    limiter.close();
    let Poll::Ready(Err(error)) = poll_ready(&mut client) else { panic!("it waits") };
    assert_eq!(error.downcast_ref(), Some(&AcquireError::Closed));
}

#[test]
fn more_than_the_burst_fails_at_once() {
    let (_, limiter, echo) = setup(Quota::per_second(3));
    let mut client = RateLimitLayer::new(limiter).tokens(4).layer(echo);
    let Poll::Ready(Err(error)) = poll_ready(&mut client) else { panic!("it waits") };
    let never = AcquireError::ExceedsBurst { requested: 4, burst: 3 };
    assert_eq!(error.downcast_ref(), Some(&never));
}

#[test]
fn each_request_may_cost_more_than_one() {
    let (_, limiter, echo) = setup(Quota::per_second(10));
    let mut client = RateLimitLayer::new(Arc::clone(&limiter)).tokens(4).layer(echo);
    for left in [6.0, 2.0] {
        assert!(is_ready(&mut client));
        call(&mut client, 0).unwrap();
        assert_eq!(limiter.tokens(), left);
    }
    assert!(!is_ready(&mut client));
}

/// tower-rate-limit-redis: the inner service was called before the decision.
#[test]
fn what_is_shed_does_not_reach_the_inner_service() {
    let (clock, limiter, echo) = setup(Quota::per_second(1));
    let mut client = RateLimitLayer::new(limiter).shed().layer(echo.clone());
    let mut clone = client.clone();
    assert!(is_ready(&mut client) && is_ready(&mut clone), "ready is not granted");
    assert_eq!(call(&mut client, 7).unwrap(), 7);
    for client in [&mut client, &mut clone] {
        assert!(is_ready(client));
        let error = call(client, 8).unwrap_err();
        let denied = error.downcast_ref::<Denied>().expect("it says why");
        assert_eq!(denied.retry_after(), Some(SECOND));
    }
    assert_eq!(echo.calls.load(Ordering::Relaxed), 1);
    clock.advance(SECOND);
    assert!(is_ready(&mut clone));
    assert_eq!(call(&mut clone, 9).unwrap(), 9);
}

/// What it is shed for may be passing, so it stays a service that may be used: only a call fails.
#[test]
fn a_service_that_sheds_is_ready_even_if_closed() {
    let (_, limiter, echo) = setup(Quota::per_second(1));
    let mut client = RateLimitLayer::new(Arc::clone(&limiter)).shed().layer(echo);
    limiter.close();
    assert!(is_ready(&mut client));
    assert!(call(&mut client, 1).unwrap_err().is::<Denied>());
}

/// Errors of the inner service come through, as themselves.
#[test]
fn errors_come_through() {
    #[derive(Debug)]
    struct Broken;
    impl Service<()> for Broken {
        type Response = ();
        type Error = BoxError;
        type Future = Ready<Result<(), BoxError>>;

        fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
            Poll::Ready(Ok(()))
        }

        fn call(&mut self, (): ()) -> Self::Future {
            ready(Err(std::fmt::Error.into()))
        }
    }
    let layer = RateLimitLayer::new(RateLimiter::new(Quota::INF));
    let mut service = layer.layer(Broken);
    let error = async {
        poll_fn(|cx| service.poll_ready(cx)).await?;
        service.call(()).await
    };
    assert!(error.now_or_never().unwrap().unwrap_err().is::<std::fmt::Error>());
}

/// Sixty-four tasks with a clone each, ten calls a task: exactly at the rate.
#[tokio::test]
async fn many_tasks_keep_to_the_rate_together() {
    const TASKS: usize = 64;
    let (clock, limiter, echo) = setup(Quota::per_second(1000).burst(1));
    let layer = RateLimitLayer::new(limiter);
    let tasks: Vec<_> = (0..TASKS)
        .map(|_| {
            let mut client = layer.layer(echo.clone());
            tokio::spawn(async move {
                for round in 0..10 {
                    poll_fn(|cx| client.poll_ready(cx)).await.unwrap();
                    client.call(round).await.unwrap();
                }
            })
        })
        .collect();
    for millisecond in 0..TASKS * 10 {
        // Until each of them waits or is through.
        let through = || tasks.iter().filter(|task| task.is_finished()).count();
        while clock.sleepers() + through() < TASKS {
            tokio::task::yield_now().await;
        }
        assert_eq!(echo.calls.load(Ordering::Relaxed), millisecond + 1, "at {millisecond} ms");
        clock.advance(Duration::from_millis(1));
    }
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(echo.calls.load(Ordering::Relaxed), TASKS * 10);
}
