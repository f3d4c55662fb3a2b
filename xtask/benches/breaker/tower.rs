//! A breaker before a service that is ready at once and answers at once.

use crate::harness::{Role, Sample, Scenario, Subject, Unit, entries};
use crate::ours::poll_once;
use lockgate_breaker::tower::{BreakerLayer, BreakerService};
use lockgate_breaker::{Backoff, Breaker, Policy};
use std::future::{self, Future, poll_fn};
use std::hint::black_box;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tower_layer::Layer;
use tower_resilience_circuitbreaker::{CircuitBreaker, CircuitBreakerLayer, DefaultClassifier};
use tower_service::Service;

const HOUR: Duration = Duration::from_secs(3600);

pub fn scenarios() -> Vec<Scenario> {
    let one = |name: &str| Scenario::new(name, Unit::Wall);
    vec![entries!(one("tower/closed"), requests(): Layered, Bare, TowerResilience)]
}

/// Answers with the request.
#[derive(Clone)]
pub struct Echo;

impl Service<u64> for Echo {
    type Response = u64;
    type Error = ();
    type Future = future::Ready<Result<u64, ()>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: u64) -> Self::Future {
        future::ready(Ok(request))
    }
}

pub trait Stack: Subject + 'static {
    fn closed() -> Self;

    /// The whole of a request, with the question whether the service is ready; `None` if it is not answered.
    fn request(&mut self, request: u64) -> Option<u64>;
}

fn send<S: Service<u64, Response = u64>>(service: &mut S, request: u64) -> Option<u64> {
    poll_once(poll_fn(|cx| service.poll_ready(cx))).ok()?;
    answer(service.call(request))
}

fn answer<E>(response: impl Future<Output = Result<u64, E>>) -> Option<u64> {
    poll_once(response).ok()
}

/// Ours, with the same policy as the rival: half of the last hundred.
pub struct Layered(BreakerService<Echo>);

impl Subject for Layered {
    const NAME: &'static str = "ours";
    const ROLE: Role = Role::Ours;
}

impl Stack for Layered {
    fn closed() -> Self {
        let policy = Policy::failure_rate(0.5);
        let breaker = Breaker::builder("bench").policy(policy).open_for(Backoff::fixed(HOUR));
        Self(BreakerLayer::new(breaker.build().expect("good numbers")).layer(Echo))
    }

    #[inline]
    fn request(&mut self, request: u64) -> Option<u64> {
        send(&mut self.0, request)
    }
}

/// The service alone.
pub struct Bare(Echo);

impl Subject for Bare {
    const NAME: &'static str = "floor";
    const ROLE: Role = Role::Floor;
}

impl Stack for Bare {
    fn closed() -> Self {
        Self(Echo)
    }

    #[inline]
    fn request(&mut self, request: u64) -> Option<u64> {
        send(&mut self.0, request)
    }
}

pub struct TowerResilience(CircuitBreaker<Echo, DefaultClassifier>);

impl Subject for TowerResilience {
    const NAME: &'static str = "tower-resilience";
}

impl Stack for TowerResilience {
    fn closed() -> Self {
        let layer = CircuitBreakerLayer::builder()
            .failure_rate_threshold(0.5)
            .sliding_window_size(100)
            .wait_duration_in_open(HOUR)
            .build();
        Self(layer.expect("good numbers").layer(Echo))
    }

    #[inline]
    fn request(&mut self, request: u64) -> Option<u64> {
        send(&mut self.0, request)
    }
}

fn requests<S: Stack>() -> impl FnMut(u64) -> Sample {
    let mut stack = S::closed();
    move |ops| {
        let mut sum = 0;
        let start = Instant::now();
        for request in 0..ops {
            let answer = stack.request(black_box(request));
            sum += answer.unwrap_or_else(|| panic!("{}: it is closed", S::NAME));
        }
        let time = start.elapsed();
        assert_eq!(sum, ops * (ops - 1) / 2, "{}: each request has its answer", S::NAME);
        Sample::time(ops, time)
    }
}
