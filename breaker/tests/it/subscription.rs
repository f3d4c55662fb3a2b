//! Transitions as a stream, for threads and tasks.

use crate::support::{WAIT, fail, succeed, touchy};
use lockgate_breaker::clock::Manual;
use lockgate_breaker::{RecvError, State, Subscription};

fn states(subscription: &mut Subscription) -> Vec<State> {
    std::iter::from_fn(|| subscription.try_next().unwrap()).map(|it| it.to).collect()
}

#[test]
fn all_come_in_order() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let mut all = breaker.subscribe(8).unwrap();
    fail(&breaker);
    let mut later = breaker.subscribe(8).unwrap();
    clock.advance(WAIT);
    succeed(&breaker);
    assert_eq!(states(&mut all), [State::Open, State::HalfOpen, State::Closed]);
    assert_eq!(states(&mut later), [State::HalfOpen, State::Closed]);
}

#[test]
fn a_slow_reader_is_told_how_many_it_missed() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let mut slow = breaker.subscribe(2).unwrap();
    for number in 1..=5 {
        if number % 2 == 1 { breaker.force_open() } else { breaker.reset() }
    }
    assert_eq!(slow.try_next(), Err(RecvError::Missed(3)));
    let numbers: Vec<_> = (0..2).map(|_| slow.try_next().unwrap().unwrap().number).collect();
    assert_eq!(numbers, [4, 5]);
    assert_eq!(slow.try_next(), Ok(None));
}

#[test]
fn it_ends_with_the_breaker() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let mut subscription = breaker.subscribe(2).unwrap();
    fail(&breaker);
    drop(breaker);
    assert_eq!(states_until_closed(&mut subscription), 1);
}

fn states_until_closed(subscription: &mut Subscription) -> u32 {
    let mut count = 0;
    loop {
        match subscription.try_next() {
            Ok(Some(_)) => count += 1,
            Err(RecvError::Closed) => return count,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn no_room_is_an_error() {
    let error = touchy(&Manual::new()).build().unwrap().subscribe(0).unwrap_err();
    assert_eq!(error.to_string(), "the room of a subscription of 0 is out of the range 1 to 65536");
}

#[cfg(feature = "sync")]
#[test]
fn a_thread_waits() {
    use std::time::Duration;
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let mut subscription = breaker.subscribe(2).unwrap();
    assert_eq!(subscription.next().wait_timeout(Duration::ZERO), None);
    breaker.metrics_only();
    let now = subscription.next().wait_timeout(Duration::ZERO).unwrap();
    assert_eq!(now.unwrap().to, State::MetricsOnly, "what is there needs no wait");
    breaker.reset();
    subscription.next().wait().unwrap();
    std::thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            let first = subscription.next().wait().unwrap().to;
            (first, subscription.next().wait())
        });
        fail(&breaker);
        drop(breaker);
        assert_eq!(waiter.join().unwrap(), (State::Open, Err(RecvError::Closed)));
    });
}

#[cfg(feature = "sync")]
#[test]
#[allow(clippy::disallowed_methods, reason = "a deadline is an instant")]
fn a_thread_waits_until_a_deadline() {
    use std::time::{Duration, Instant};
    let breaker = touchy(&Manual::new()).build().unwrap();
    let mut subscription = breaker.subscribe(1).unwrap();
    let start = Instant::now();
    let deadline = start + Duration::from_millis(20);
    assert_eq!(subscription.next().wait_deadline(deadline), None);
    assert!(Instant::now() >= deadline);
    assert_eq!(subscription.next().wait_deadline(start), None, "long over");
    breaker.force_open();
    let next = subscription.next().wait_deadline(start).unwrap();
    assert_eq!(next.unwrap().to, State::ForcedOpen, "what is there needs no wait");
    breaker.disable();
    breaker.reset();
    let missed = subscription.next().wait_deadline(start);
    assert_eq!(missed, Some(Err(RecvError::Missed(1))));
    assert_eq!(subscription.next().wait().unwrap().to, State::Closed);
    // Far away: it ends because the breaker does.
    std::thread::scope(|scope| {
        let far = start + Duration::from_secs(3_600);
        let waiter = scope.spawn(move || subscription.next().wait_deadline(far));
        drop(breaker);
        assert_eq!(waiter.join().unwrap(), Some(Err(RecvError::Closed)));
    });
}

#[cfg(feature = "async")]
#[tokio::test]
async fn a_stream_ends_with_the_breaker() {
    use futures::TryStreamExt;
    let breaker = touchy(&Manual::new()).build().unwrap();
    let subscription = breaker.subscribe(4).unwrap();
    let path = tokio::spawn(subscription.map_ok(|it| it.to).try_collect::<Vec<_>>());
    tokio::task::yield_now().await;
    fail(&breaker);
    tokio::task::yield_now().await;
    breaker.reset();
    drop(breaker);
    assert_eq!(path.await.unwrap(), Ok(vec![State::Open, State::Closed]));
}

/// It says how many it missed, goes on with the rest, and has ended for good when it ends.
#[cfg(feature = "async")]
#[test]
fn a_stream_tells_what_it_missed() {
    use futures::{FutureExt, StreamExt};
    let breaker = touchy(&Manual::new()).build().unwrap();
    let subscription = breaker.subscribe(2).unwrap();
    let mut stream = std::pin::pin!(subscription);
    let mut next = || StreamExt::next(&mut stream).now_or_never();
    assert_eq!(next(), None);
    breaker.force_open();
    breaker.disable();
    breaker.metrics_only();
    assert_eq!(next(), Some(Some(Err(RecvError::Missed(1)))));
    let states = [0; 2].map(|_| next().unwrap().unwrap().unwrap().to);
    assert_eq!(states, [State::Disabled, State::MetricsOnly]);
    assert_eq!(next(), None);
    drop(breaker);
    assert_eq!([next(), next()], [Some(None), Some(None)]);
}

#[cfg(feature = "async")]
#[tokio::test]
async fn a_task_waits() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let mut subscription = breaker.subscribe(2).unwrap();
    let waiter = tokio::spawn(async move {
        let first = subscription.next().await.unwrap().to;
        (first, subscription.next().await)
    });
    tokio::task::yield_now().await;
    fail(&breaker);
    tokio::task::yield_now().await;
    drop(breaker);
    assert_eq!(waiter.await.unwrap(), (State::Open, Err(RecvError::Closed)));
}
