//! Iterators and streams behind a limiter: every item comes, none before its token.
#![cfg_attr(
    not(all(feature = "sync", feature = "async")),
    allow(unused_imports, reason = "some tests are for one world only")
)]

use crate::support::{limiter, ms, quota, secs};
use lockgate_ratelimit::AcquireError;
use lockgate_ratelimit::clock::Clock;

#[cfg(feature = "sync")]
#[test]
fn an_iterator_waits_for_its_tokens() {
    let (limiter, clock) = limiter(quota(10, 2));
    let items = {
        let limiter = limiter.clone();
        std::thread::spawn(move || {
            let items = limiter.throttle_iter([1, 2, 3, 4]);
            items.map(|item| (item.unwrap(), limiter.clock().now())).collect::<Vec<_>>()
        })
    };
    for _ in 0..2 {
        crate::support::until("it sleeps", || clock.sleepers() == 1);
        clock.advance(ms(100));
    }
    let items = items.join().unwrap();
    let times = items.iter().map(|(item, at)| (*item, at.as_nanos() / 1_000_000));
    assert_eq!(times.collect::<Vec<_>>(), [(1, 0), (2, 0), (3, 100), (4, 200)]);
}

#[cfg(feature = "sync")]
#[test]
fn a_refused_item_is_handed_back() {
    let (limiter, _) = limiter(quota(10, 5));
    let mut items = limiter.throttle_iter_by(["a", "much too long", "b"], |it| it.len() as u32);
    assert_eq!(items.size_hint(), (3, Some(3)));
    assert_eq!(items.next(), Some(Ok("a")));
    let refused = items.next().unwrap().unwrap_err();
    assert_eq!(refused.item, "much too long");
    assert_eq!(refused.error, AcquireError::ExceedsBurst { requested: 13, burst: 5 });
    assert_eq!(items.next(), Some(Ok("b")));
    limiter.close();
    assert_eq!(limiter.tokens(), 3.0);
    let refused = limiter.throttle_iter([7]).next().unwrap().unwrap_err();
    assert_eq!((refused.item, refused.error), (7, AcquireError::Closed));
}

#[cfg(feature = "async")]
#[test]
fn a_stream_keeps_the_item_that_waits() {
    use futures::{FutureExt, Stream, StreamExt, stream};
    let (limiter, clock) = limiter(quota(1, 1));
    let mut items = limiter.throttle_stream(stream::iter(1..=3));
    assert_eq!(items.next().now_or_never(), Some(Some(Ok(1))));
    assert!(items.next().now_or_never().is_none());
    assert_eq!(items.size_hint(), (2, Some(2)), "one is held, one is to come");
    clock.advance(secs(1));
    assert_eq!(items.next().now_or_never(), Some(Some(Ok(2))));
    assert!(items.next().now_or_never().is_none());
    limiter.close();
    let refused = items.next().now_or_never().unwrap().unwrap().unwrap_err();
    assert_eq!((refused.item, refused.error), (3, AcquireError::Closed));
    assert_eq!(items.next().now_or_never(), Some(None));
}
