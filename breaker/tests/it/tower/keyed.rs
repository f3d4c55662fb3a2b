//! A breaker for each key.

use super::mock::{Answer, Broken, Mock, Readiness, ready};
use crate::support::{WAIT, touchy};
use futures::FutureExt;
use lockgate_breaker::clock::Manual;
use lockgate_breaker::tower::{KeyedBreakerLayer, KeyedBreakerService, ResponseFuture};
use lockgate_breaker::{ErrIsFailure, Error, Outcome, Registry, State};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use tower_layer::Layer;
use tower_service::Service;

type Client = KeyedBreakerService<Mock, u32, fn(&u32) -> u32, ErrIsFailure, Manual>;

/// The tens of a request are its key.
fn tens(request: &u32) -> u32 {
    request / 10
}

fn setup() -> (Manual, Arc<Registry<u32, Manual>>, Mock, Client) {
    let (clock, mock) = (Manual::new(), Mock::default());
    let registry = Arc::new(Registry::new(touchy(&clock)).unwrap());
    let layer = KeyedBreakerLayer::new(Arc::clone(&registry), tens as fn(&u32) -> u32);
    let client = layer.layer(mock.clone());
    (clock, registry, mock, client)
}

fn send(
    client: &mut Client,
    mock: &Mock,
    request: u32,
    answer: Result<u32, Broken>,
) -> Result<u32, Error<Broken>> {
    assert!(ready(client));
    let mut response = client.call(request);
    if let Some(rejected) = (&mut response).now_or_never() {
        return rejected;
    }
    let call = mock.next();
    assert_eq!(call.request, request);
    call.answer(answer);
    response.now_or_never().expect("it was answered")
}

#[test]
fn one_that_is_down_says_nothing_of_the_others() {
    let (clock, registry, mock, mut client) = setup();
    assert_eq!(send(&mut client, &mock, 11, Err(Broken)), Err(Error::Inner(Broken)));
    let rejected = send(&mut client, &mock, 12, Ok(1)).unwrap_err();
    let Error::Rejected(rejected) = rejected else { panic!("{rejected:?}") };
    assert_eq!((rejected.state, rejected.retry_after), (State::Open, Some(WAIT)));
    assert_eq!(mock.calls(), 1, "it was not called");
    assert_eq!(send(&mut client, &mock, 21, Ok(2)), Ok(2));
    assert_eq!(registry.len(), 2);
    clock.advance(WAIT);
    assert_eq!(send(&mut client, &mock, 13, Ok(3)), Ok(3));
    assert_eq!(registry.get(&1).state(), State::Closed);
    assert_eq!(registry.get(&1).name(), "1");
}

/// What was ready for a request that is rejected is ready for the next: the mock demands that an instance is
/// asked, but not that it is asked twice.
#[test]
fn the_readiness_is_kept() {
    let (_, registry, mock, mut client) = setup();
    registry.get(&1).force_open();
    assert!(ready(&mut client));
    let rejected = client.call(10).now_or_never().unwrap();
    assert!(rejected.unwrap_err().is_rejected());
    assert_eq!(mock.polls(), 1);
    let response = client.call(20);
    mock.next().answer(Ok(5));
    assert_eq!(response.now_or_never(), Some(Ok(5)));
}

#[test]
fn clones_share_the_registry() {
    let (_, registry, mock, mut client) = setup();
    let layer = KeyedBreakerLayer::new(Arc::clone(&registry), tens as fn(&u32) -> u32);
    let mut others = [client.clone(), layer.clone().layer(mock.clone())];
    assert!(send(&mut client, &mock, 70, Err(Broken)).is_err());
    for other in &mut others {
        assert!(send(other, &mock, 71, Ok(1)).unwrap_err().is_rejected());
        assert_eq!(send(other, &mock, 81, Ok(1)), Ok(1));
        assert!(Arc::ptr_eq(other.registry(), &registry));
    }
}

/// There is no key for it to be counted against.
#[test]
fn an_error_of_readiness_is_not_lost() {
    let (_, registry, mock, mut client) = setup();
    mock.be(Readiness::Fails);
    let polled = client.poll_ready(&mut Context::from_waker(Waker::noop()));
    assert_eq!(polled, Poll::Ready(Err(Error::Inner(Broken))));
    assert!(registry.is_empty());
}

#[test]
fn another_idea_of_failure() {
    let (clock, mock) = (Manual::new(), Mock::default());
    let layer = KeyedBreakerLayer::new(Registry::new(touchy(&clock)).unwrap(), tens).classified_by(
        |result: &Result<u32, Broken>| match result {
            Ok(0) => Outcome::Failure,
            _ => Outcome::Success,
        },
    );
    let mut client = layer.layer(mock.clone());
    for (answer, state) in [(Err(Broken), State::Closed), (Ok(0), State::Open)] {
        assert!(ready(&mut client));
        let response = client.call(1);
        mock.next().answer(answer);
        assert!(response.now_or_never().is_some());
        assert_eq!(client.registry().get(&0).state(), state);
    }
}

/// A registry that forgets idle ones does not forget one of which a response is still to come.
#[test]
fn a_response_holds_its_breaker() {
    let (clock, mock) = (Manual::new(), Mock::default());
    let registry = Registry::new(touchy(&clock)).unwrap().evict_idle(WAIT);
    let mut client =
        KeyedBreakerLayer::new(registry, u32::clone as fn(&u32) -> u32).layer(mock.clone());
    assert!(ready(&mut client));
    let response: ResponseFuture<Answer, ErrIsFailure, Manual> = client.call(0);
    clock.advance(WAIT);
    for key in 1..200 {
        client.registry().get(&key);
        clock.advance(WAIT);
    }
    assert!(client.registry().len() < 100, "others were forgotten");
    mock.next().answer(Err(Broken));
    assert_eq!(response.now_or_never(), Some(Err(Error::Inner(Broken))));
    assert_eq!(client.registry().get(&0).state(), State::Open);
}

#[test]
fn it_goes_where_services_go() {
    fn sync<T: Send + Sync + Clone + 'static>(_: &T) {}
    let (_, _, _, client) = setup();
    sync(&client);
    assert!(format!("{client:?}").contains("breakers: 0"));
    assert_eq!(client.get_ref().instance(), client.into_inner().instance());
}
