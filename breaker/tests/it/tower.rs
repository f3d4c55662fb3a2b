//! A breaker before a service. The inner service is a mock that must be ready before it is called, each
//! instance for itself, and whose answers the test gives.

mod keyed;
mod mock;
mod stacks;

use crate::support::{Log, WAIT, builder, fail, secs, touchy};
use futures::FutureExt;
use lockgate_breaker::clock::Manual;
use lockgate_breaker::tower::{BreakerLayer, BreakerService, ResponseFuture};
use lockgate_breaker::{
    Breaker, Builder, DropPolicy, ErrIsFailure, Error, Outcome, Policy, Reason, Rejected, State,
};
use mock::{Answer, Broken, Mock, Readiness, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::task::{Context, Poll};
use std::time::Duration;
use tower_layer::Layer;
use tower_service::Service;

type Client = BreakerService<Mock, ErrIsFailure, Manual>;
type Response = ResponseFuture<Answer, ErrIsFailure, Manual>;

fn setup(make: impl FnOnce(&Manual) -> Builder<Manual>) -> (Manual, Breaker<Manual>, Mock, Client) {
    let (clock, mock) = (Manual::new(), Mock::default());
    let breaker = make(&clock).build().unwrap();
    let client = BreakerLayer::new(breaker.clone()).layer(mock.clone());
    (clock, breaker, mock, client)
}

/// The error of a request that was rejected, at once.
fn rejected(response: Response) -> Rejected {
    match response.now_or_never() {
        Some(Err(Error::Rejected(rejected))) => rejected,
        other => panic!("{other:?}"),
    }
}

/// Makes a request which the mock answers.
fn request(client: &mut Client, mock: &Mock, answer: Result<u32, Broken>) {
    assert!(ready(client));
    let mut response = client.call(1);
    assert!((&mut response).now_or_never().is_none());
    mock.next().answer(answer);
    assert_eq!(response.now_or_never(), Some(answer.map_err(Error::Inner)));
}

#[test]
fn a_closed_circuit_lets_requests_through() {
    let (_, breaker, mock, mut client) = setup(touchy);
    assert!(ready(&mut client));
    let response = client.call(6);
    let call = mock.next();
    assert_eq!(call.request, 6);
    call.answer(Ok(7));
    assert_eq!(response.now_or_never(), Some(Ok(7)));
    request(&mut client, &mock, Err(Broken));
    assert_eq!(breaker.state(), State::Open);
}

/// tower-resilience#381, and `breaker` 2.0, whose layer calls the inner service five times of five.
#[test]
fn an_open_circuit_never_touches_the_inner_service() {
    let (clock, breaker, mock, mut client) = setup(touchy);
    fail(&breaker);
    clock.advance(secs(1));
    for change in [|_: &Breaker<Manual>| {}, Breaker::force_open] {
        change(&breaker);
        for _ in 0..5 {
            assert!(ready(&mut client));
            let rejected = rejected(client.call(1));
            assert_eq!(rejected.state, breaker.state());
            assert_eq!(rejected.retry_after, breaker.retry_after());
        }
        assert_eq!((mock.polls(), mock.calls()), (0, 0));
    }
    breaker.reset();
    request(&mut client, &mock, Ok(1));
    assert_eq!((mock.polls(), mock.calls()), (1, 1));
}

/// Whoever waits for such a service would wait for ever, and learn nothing.
#[test]
fn an_open_circuit_is_ready_though_the_inner_service_never_is() {
    let (clock, breaker, mock, mut client) = setup(touchy);
    mock.be(Readiness::Never);
    assert!(!ready(&mut client));
    fail(&breaker);
    assert!(ready(&mut client));
    assert_eq!(rejected(client.call(1)).retry_after, Some(WAIT));
    clock.advance(WAIT);
    assert!(!ready(&mut client), "a probe needs it");
    assert_eq!(breaker.state(), State::HalfOpen);
}

/// The inner service was not asked whether it is ready: it is not called, whatever has become of the
/// circuit.
#[test]
fn what_was_to_be_rejected_is_rejected() {
    let (clock, breaker, mock, mut client) = setup(touchy);
    fail(&breaker);
    assert!(ready(&mut client));
    clock.advance(WAIT);
    let now = rejected(client.call(1));
    assert_eq!((now.state, now.retry_after), (State::Open, Some(Duration::ZERO)));
    assert_eq!(breaker.snapshot().probes_under_way, 0);
    assert_eq!((mock.polls(), mock.calls()), (0, 0));
    request(&mut client, &mock, Ok(1));
    assert_eq!(breaker.state(), State::Closed);

    breaker.force_open();
    assert!(ready(&mut client));
    breaker.force_open_for(secs(9));
    assert_eq!(rejected(client.call(1)).retry_after, Some(secs(9)), "what holds when it is called");
}

/// It opens between the two: the inner service stays ready for the next.
#[test]
fn it_is_checked_again_when_it_is_called() {
    let (_, breaker, mock, mut client) = setup(touchy);
    assert!(ready(&mut client));
    fail(&breaker);
    assert_eq!(rejected(client.call(1)).state, State::Open);
    assert_eq!((mock.polls(), mock.calls()), (1, 0));
    breaker.reset();
    request(&mut client, &mock, Ok(1));
}

#[test]
fn an_error_of_readiness_is_not_lost() {
    let (clock, breaker, mock, mut client) = setup(touchy);
    mock.be(Readiness::Fails);
    let mut poll = || client.poll_ready(&mut Context::from_waker(futures::task::noop_waker_ref()));
    assert_eq!(poll(), Poll::Ready(Err(Error::Inner(Broken))));
    assert_eq!(breaker.state(), State::Open, "no connection is a failure");
    assert_eq!(poll(), Poll::Ready(Ok(())), "rejected, and so ready");
    // A probe that finds no connection has failed; it leaves no place taken.
    clock.advance(WAIT);
    assert_eq!(poll(), Poll::Ready(Err(Error::Inner(Broken))));
    let snapshot = breaker.snapshot();
    assert_eq!((snapshot.state, snapshot.openings), (State::Open, 2));
}

#[test]
fn an_error_of_readiness_is_classified() {
    let clock = Manual::new();
    let (breaker, mock) = (touchy(&clock).build().unwrap(), Mock::default());
    let of_result = |result: &Result<u32, Broken>| match result {
        Ok(7) => Outcome::TripFor(secs(77)),
        Ok(_) => Outcome::Success,
        Err(Broken) => Outcome::Ignore,
    };
    let layer = BreakerLayer::new(breaker.clone()).classified_by(of_result);
    let mut client = layer.layer(mock.clone());
    mock.be(Readiness::Fails);
    for _ in 0..3 {
        assert!(!ready(&mut client));
    }
    assert_eq!(breaker.state(), State::Closed);
    mock.be(Readiness::Ready);
    assert!(ready(&mut client));
    let response = client.call(1);
    mock.next().answer(Ok(7));
    assert_eq!(response.now_or_never(), Some(Ok(7)));
    assert_eq!(breaker.retry_after(), Some(secs(77)));
}

#[test]
fn who_waits_is_woken_by_the_inner_service() {
    let (_, _, mock, mut client) = setup(touchy);
    mock.be(Readiness::Never);
    let mut waits = Box::pin(std::future::poll_fn(move |cx| client.poll_ready(cx)));
    assert!((&mut waits).now_or_never().is_none());
    let (waker, wakes) = futures_test_waker();
    assert!(waits.poll_unpin(&mut Context::from_waker(&waker)).is_pending());
    mock.be(Readiness::Ready);
    assert_eq!(wakes.load(std::sync::atomic::Ordering::SeqCst), 1);
    assert_eq!(waits.now_or_never(), Some(Ok(())));
}

fn futures_test_waker() -> (std::task::Waker, std::sync::Arc<std::sync::atomic::AtomicUsize>) {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    struct Counts(Arc<AtomicUsize>);
    impl std::task::Wake for Counts {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let wakes = Arc::<AtomicUsize>::default();
    (Arc::new(Counts(Arc::clone(&wakes))).into(), wakes)
}

#[test]
fn clones_and_layers_share_the_breaker() {
    let (_, breaker, mock, mut client) = setup(touchy);
    let layer = BreakerLayer::new(breaker.clone());
    let mut others = [client.clone(), layer.layer(mock.clone()), layer.clone().layer(mock.clone())];
    request(&mut client, &mock, Err(Broken));
    for other in &mut others {
        assert!(ready(other));
        assert_eq!(rejected(other.call(1)).state, State::Open);
    }
    breaker.reset();
    for other in &mut others {
        request(other, &mock, Ok(1));
    }
}

/// The mock panics if an instance is called that was not ready. What a middleware outside does is to leave
/// a clone behind and to take the one that was ready.
#[test]
fn the_instance_that_was_ready_is_called() {
    let (clock, breaker, mock, mut client) = setup(touchy);
    for round in 0..5 {
        if round == 3 {
            fail(&breaker);
            clock.advance(WAIT);
        }
        assert!(ready(&mut client));
        let instance = client.get_ref().instance();
        let clone = client.clone();
        let mut taken = std::mem::replace(&mut client, clone);
        let response = taken.call(round);
        let call = mock.next();
        assert_eq!((call.instance, call.request), (instance, round));
        call.answer(Ok(round));
        assert_eq!(response.now_or_never(), Some(Ok(round)));
    }
    let clone = client.clone();
    assert!(ready(&mut client));
    let uncalled = AssertUnwindSafe(|| { clone }.call(1));
    assert!(catch_unwind(uncalled).is_err(), "the mock would notice");
}

#[test]
fn a_clone_of_one_that_rejects_asks_for_itself() {
    let (_, breaker, mock, mut client) = setup(touchy);
    fail(&breaker);
    assert!(ready(&mut client));
    let mut clone = client.clone();
    breaker.reset();
    request(&mut clone, &mock, Ok(1));
    assert_eq!(rejected(client.call(1)).state, State::Open);
}

#[test]
fn a_future_that_is_dropped_settles_its_permit() {
    for policy in [DropPolicy::Timed, DropPolicy::Ignore, DropPolicy::Failure] {
        for takes in [Duration::ZERO, secs(1)] {
            let (clock, breaker, mock, mut client) =
                setup(|clock| touchy(clock).on_drop(policy).call_deadline(secs(1)));
            fail(&breaker);
            clock.advance(WAIT);
            assert!(ready(&mut client));
            let mut response = client.call(1);
            assert!((&mut response).now_or_never().is_none());
            assert_eq!(breaker.snapshot().probes_under_way, 1);
            clock.advance(takes);
            drop(response);
            assert!(mock.next().is_cancelled());
            let failed = match policy {
                DropPolicy::Timed => !takes.is_zero(),
                policy => policy == DropPolicy::Failure,
            };
            let expected = if failed { State::Open } else { State::HalfOpen };
            let snapshot = breaker.snapshot();
            assert_eq!(snapshot.state, expected, "{policy:?} after {takes:?}");
            assert_eq!(snapshot.probes_under_way, 0, "{policy:?} after {takes:?}");
        }
    }
}

#[test]
fn a_future_that_is_never_polled_settles_its_permit() {
    let (clock, breaker, mock, mut client) = setup(touchy);
    fail(&breaker);
    clock.advance(WAIT);
    assert!(ready(&mut client));
    drop(client.call(1));
    assert!(mock.next().is_cancelled());
    assert_eq!(breaker.snapshot().probes_under_way, 0);
    request(&mut client, &mock, Ok(1));
    assert_eq!(breaker.state(), State::Closed);
}

/// A probe that hangs wedges nobody: when its lease is over, the service lets another through.
#[test]
fn a_probe_that_hangs_is_given_up() {
    let (clock, breaker, mock, mut client) = setup(|clock| touchy(clock).probe_lease(secs(30)));
    fail(&breaker);
    clock.advance(WAIT);
    assert!(ready(&mut client));
    let hangs = client.call(1);
    let call = mock.next();
    clock.advance(secs(30) - Duration::from_nanos(1));
    assert!(ready(&mut client));
    assert_eq!(rejected(client.call(1)).state, State::HalfOpen);
    clock.advance(Duration::from_nanos(1));
    request(&mut client, &mock, Ok(1));
    assert_eq!(breaker.state(), State::Closed);
    call.answer(Err(Broken));
    assert_eq!(hangs.now_or_never(), Some(Err(Error::Inner(Broken))));
    assert_eq!(breaker.state(), State::Closed, "too late to count");
}

/// A place is taken by a call, not by whoever could make one.
#[test]
fn ready_takes_no_probes_place() {
    let (clock, breaker, mock, client) = setup(touchy);
    fail(&breaker);
    clock.advance(WAIT);
    let mut others: Vec<Client> = (0..10).map(|_| client.clone()).collect();
    assert!(others.iter_mut().all(ready));
    assert_eq!(breaker.snapshot().probes_under_way, 0);
    drop(others);
    let mut client = client;
    request(&mut client, &mock, Ok(1));
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn half_open_admits_exactly_n_through_clones() {
    let (clock, breaker, mock, client) = setup(|clock| touchy(clock).probes(3));
    fail(&breaker);
    clock.advance(WAIT);
    let mut clients: Vec<Client> = (0..64).map(|_| client.clone()).collect();
    // All at once, so that each finds a place when it is asked whether it is ready.
    assert!(clients.iter_mut().all(ready));
    let responses: Vec<Response> = clients.iter_mut().map(|client| client.call(1)).collect();
    assert_eq!(mock.calls(), 3);
    let mut admitted = Vec::new();
    for mut response in responses {
        match (&mut response).now_or_never() {
            None => admitted.push(response),
            Some(result) => {
                let Err(Error::Rejected(rejected)) = result else { panic!("{result:?}") };
                assert_eq!((rejected.state, rejected.retry_after), (State::HalfOpen, None));
            }
        }
    }
    assert_eq!(admitted.len(), 3);
    // And those who come now do not even ask the inner service.
    let polls = mock.polls();
    let mut late = client;
    assert!(ready(&mut late));
    assert_eq!(rejected(late.call(1)).state, State::HalfOpen);
    assert_eq!(mock.polls(), polls);
    for response in admitted {
        mock.next().answer(Ok(1));
        assert_eq!(response.now_or_never(), Some(Ok(1)));
    }
    assert_eq!(breaker.state(), State::Closed);
}

/// tower-resilience#382: the same with a thread for each, again and again.
#[test]
fn a_storm_through_clones_gets_exactly_n() {
    const THREADS: usize = 16;
    let (clock, breaker, mock, client) = setup(|clock| touchy(clock).probes(3));
    let transitions = Log::of(&breaker);
    for round in 1..=50 {
        fail(&breaker);
        clock.advance(WAIT);
        let barrier = Barrier::new(THREADS);
        let storm = || {
            let mut client = client.clone();
            barrier.wait();
            assert!(ready(&mut client));
            client.call(1)
        };
        let responses: Vec<Response> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(storm)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert_eq!(mock.calls(), 3 * round);
        for _ in 0..3 {
            mock.next().answer(Ok(1));
        }
        let answered = responses.into_iter().filter_map(FutureExt::now_or_never);
        assert_eq!(answered.filter(Result::is_ok).count(), 3);
        assert_eq!(breaker.state(), State::Closed);
    }
    assert_eq!(transitions.path().len(), 150);
}

#[test]
fn panics_are_failures() {
    let (clock, breaker, mock, mut client) = setup(touchy);
    let transitions = Log::of(&breaker);
    assert!(ready(&mut client));
    mock.be(Readiness::PanicsWhenCalled);
    assert!(catch_unwind(AssertUnwindSafe(|| client.call(1))).is_err());
    assert_eq!(breaker.state(), State::Open);

    mock.be(Readiness::Ready);
    clock.advance(WAIT);
    assert!(ready(&mut client));
    let mut response = client.call(1);
    mock.next().panic();
    assert!(catch_unwind(AssertUnwindSafe(|| (&mut response).now_or_never())).is_err());
    assert_eq!(breaker.state(), State::Open, "though the future is still there");
    drop(response);
    let reasons: Vec<_> = transitions.all().iter().map(|it| it.reason).collect();
    assert_eq!(reasons, [Reason::Tripped, Reason::OpenTimeOver, Reason::ProbesFailed]);
}

/// What was let through when all was well says nothing of how it is now.
#[test]
fn a_response_of_before_changes_nothing() {
    let (clock, breaker, mock, mut client) = setup(touchy);
    assert!(ready(&mut client));
    let response = client.call(1);
    fail(&breaker);
    clock.advance(WAIT);
    let probe = breaker.try_acquire().unwrap();
    mock.next().answer(Ok(1));
    assert_eq!(response.now_or_never(), Some(Ok(1)));
    assert_eq!(breaker.state(), State::HalfOpen);
    probe.failure();
    assert_eq!(breaker.state(), State::Open);
}

/// A call is as long as its response takes, from `call` on.
#[test]
fn slow_responses_open_it() {
    let policy = Policy::slow_call_rate(1.0, secs(2)).min_calls(2);
    let (clock, breaker, mock, mut client) = setup(|clock| builder(clock, policy));
    for takes in [secs(2), secs(3)] {
        assert_eq!(breaker.state(), State::Closed);
        assert!(ready(&mut client));
        let response = client.call(1);
        clock.advance(takes);
        mock.next().answer(Ok(1));
        assert_eq!(response.now_or_never(), Some(Ok(1)));
    }
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn what_it_is_made_of_can_be_seen() {
    let (_, breaker, mock, mut client) = setup(touchy);
    breaker.force_open();
    assert_eq!(client.breaker().state(), State::ForcedOpen);
    assert!(ready(&mut client));
    assert_eq!(client.get_mut().instance(), client.get_ref().instance());
    let text = format!("{client:?} {:?}", client.call(1));
    assert!(text.contains("ForcedOpen") && text.contains("rejected: Some"), "{text}");
    assert!(format!("{:?}", BreakerLayer::new(breaker)).contains("test"));
    drop(client.into_inner());
    assert_eq!(mock.calls(), 0);
}

#[test]
fn it_goes_where_services_go() {
    fn send<T: Send + 'static>() {}
    fn sync<T: Send + Sync + Clone + 'static>() {}
    sync::<BreakerLayer>();
    sync::<Client>();
    send::<Response>();
}
