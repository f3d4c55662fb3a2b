//! What a token allocates: one piece of memory for itself, and none for waiting.
//!
//! A binary of its own, because it replaces the allocator by one that counts, for each thread by
//! itself.

use allocation_counter::measure;
use lockgate_errgroup::CancelToken;
use std::hint::black_box;

/// How often `body` allocates.
fn allocations(body: impl FnOnce()) -> u64 {
    measure(body).count_total
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| drop(Box::new(black_box(1)))), 1);
}

#[test]
fn never_allocates_nothing() {
    let count = allocations(|| {
        let never = CancelToken::never();
        never.cancel_with("a text that is borrowed");
        drop((never.clone(), never));
    });
    assert_eq!(count, 0);
}

#[test]
fn a_token_is_one_allocation() {
    assert_eq!(allocations(|| drop(CancelToken::new())), 1);
    let token = CancelToken::new();
    assert_eq!(allocations(|| drop(token.child())), 1);
    assert_eq!(allocations(|| drop((token.clone(), token.is_cancelled(), token.check()))), 0);
    let child = token.child();
    assert_eq!(allocations(|| drop(child.child().child())), 2);
    assert_eq!(allocations(|| assert!(token.cancel())), 1, "the list of what was beneath");
    assert_eq!(allocations(|| assert!(!child.cancel())), 0);
}

#[cfg(feature = "sync")]
#[test]
fn a_thread_that_waits_allocates_nothing() {
    use std::time::Duration;
    let wait = |token: &CancelToken| {
        token.cancelled().wait_timeout(Duration::from_millis(1)).unwrap_err();
    };
    wait(&CancelToken::new());
    // The first wait of a fresh token, too.
    let token = CancelToken::new();
    assert_eq!(allocations(|| wait(&token)), 0);
}

#[cfg(feature = "async")]
mod tasks {
    use super::allocations;
    use lockgate_errgroup::CancelToken;
    use std::future::{pending, ready};
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_task_that_waits_allocates_nothing() {
        let token = CancelToken::new();
        let wait = || {
            assert!(poll(pin!(token.cancelled())).is_pending());
            assert!(poll(pin!(token.run(pending::<()>()))).is_pending());
            assert!(poll(pin!(token.run(ready(())))).is_ready());
        };
        assert_eq!(allocations(wait), 0, "the first on a fresh token");
        let many = || {
            let mut waits = [(); 20].map(|()| token.cancelled());
            assert!(waits.iter_mut().all(|wait| poll(Pin::new(wait)).is_pending()));
        };
        many();
        assert_eq!(allocations(many), 0, "once there have been as many");
    }

    #[test]
    fn a_cancel_allocates_for_its_lists_only() {
        let token = CancelToken::new();
        let mut waits = [(); 10].map(|()| token.cancelled());
        assert!(waits.iter_mut().all(|wait| poll(Pin::new(wait)).is_pending()));
        assert_eq!(allocations(|| assert!(token.cancel())), 0);
    }
}
