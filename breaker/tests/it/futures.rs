//! `run`: admitted at the first poll, and settled whatever becomes of it.

use crate::support::{due, is_rejected, secs, touchy};
use futures::executor::block_on;
use futures::future::{pending, ready};
use futures::task::noop_waker;
use lockgate_breaker::clock::Manual;
use lockgate_breaker::{Error, Outcome, State};
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&noop_waker()))
}

#[test]
fn a_future_goes_through() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    assert_eq!(block_on(breaker.run(ready(Ok::<_, ()>(5)))), Ok(5));
    assert_eq!(block_on(breaker.run(ready(Err::<(), _>(7)))), Err(Error::Inner(7)));
    assert_eq!(breaker.state(), State::Open);
    let rejected =
        block_on(breaker.run(poll_fn(|_| -> Poll<Result<(), ()>> { unreachable!("it is open") })));
    assert!(rejected.unwrap_err().is_rejected());
}

#[test]
fn nothing_is_admitted_before_the_first_poll() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock), &clock);
    let run = breaker.run(ready(Ok::<_, ()>(())));
    let other = breaker.run(ready(Ok::<_, ()>(())));
    drop(run);
    assert_eq!(block_on(other), Ok(()));
    assert_eq!(breaker.state(), State::Closed);
}

/// monix#1080, davenverse/circuit#258, Hystrix#1621: a cancelled probe.
#[test]
fn a_probe_that_is_dropped_gives_its_place_back() {
    let clock = Manual::new();
    let breaker = due(touchy(&clock), &clock);
    {
        let mut run = pin!(breaker.run(pending::<Result<(), ()>>()));
        assert!(poll(run.as_mut()).is_pending());
        assert!(is_rejected(&breaker));
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    assert!(!is_rejected(&breaker));
    assert_eq!(breaker.state(), State::Closed);
}

/// resilience4j#1123: a time-out around the call, which only ever drops it.
#[test]
fn a_time_out_around_it_is_a_failure() {
    let clock = Manual::new();
    let breaker = touchy(&clock).call_deadline(secs(1)).build().unwrap();
    for (time, state) in [(secs(0), State::Closed), (secs(1), State::Open)] {
        let mut run = Box::pin(breaker.run(pending::<Result<(), ()>>()));
        assert!(poll(run.as_mut()).is_pending());
        clock.advance(time);
        drop(run);
        assert_eq!(breaker.state(), state);
    }
}

#[test]
fn a_panic_is_a_failure_at_once() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let mut run = Box::pin(breaker.run(poll_fn(|_| -> Poll<Result<(), ()>> { panic!("oops") })));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(run.as_mut()))).is_err());
    assert_eq!(breaker.state(), State::Open, "though the future is still there");
    drop(run);
    assert_eq!(breaker.snapshot().openings, 1);
}

#[test]
fn another_idea_of_failure() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let all_well = |_: &Result<(), u8>| Outcome::Success;
    assert!(block_on(breaker.run(ready(Err(1))).classified_by(all_well)).is_err());
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn in_tasks() {
    let clock = Manual::new();
    let breaker = touchy(&clock).build().unwrap();
    let tasks: Vec<_> = (0..100_usize)
        .map(|task| {
            tokio::spawn(breaker.run(async move {
                tokio::task::yield_now().await;
                Ok::<_, ()>(task)
            }))
        })
        .collect();
    for (expected, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), Ok(expected));
    }
}
