//! Several limiters at once: all or none, never more than each allows, and nobody starves.
#![cfg_attr(
    not(all(feature = "sync", feature = "async")),
    allow(unused_imports, reason = "some tests are for one world only")
)]

use crate::support::{Limiter, limiter, ms, quota, secs};
use lockgate_ratelimit::clock::{Clock, Manual};
use lockgate_ratelimit::{
    AcquireError, DeniedReason, Quota, RateLimiter, acquire_all, acquire_all_owned, try_acquire_all,
};
use std::time::Duration;

/// Limiters by one clock.
fn limiters<const N: usize>(quotas: [Quota; N]) -> ([Limiter; N], Manual) {
    let clock = Manual::new();
    (quotas.map(|quota| RateLimiter::with_clock(quota, clock.clone()).into()), clock)
}

#[test]
fn all_or_none() {
    let ([fast, slow], clock) = limiters([quota(10, 10), Quota::per(2, secs(100))]);
    assert!(try_acquire_all(&[&fast, &slow], 2).is_ok());
    assert_eq!((fast.tokens(), slow.tokens()), (8.0, 0.0));
    for order in [[&*fast, &*slow], [&*slow, &*fast]] {
        let denied = try_acquire_all(&order, 1).unwrap_err();
        assert_eq!(denied.retry_after(), Some(secs(50)));
        assert_eq!((fast.tokens(), slow.tokens()), (8.0, 0.0), "nothing was taken");
    }
    clock.advance(secs(50));
    assert!(try_acquire_all(&[&fast, &slow], 1).is_ok());
}

#[test]
fn the_longest_denial_is_told() {
    let ([a, b, c], _) = limiters([quota(1, 1), Quota::per(1, secs(9)), quota(2, 1)]);
    assert!(try_acquire_all(&[&a, &b, &c], 1).is_ok());
    let denied = try_acquire_all(&[&a, &b, &c], 1).unwrap_err();
    assert_eq!(denied.retry_after(), Some(secs(9)));
    let denied = try_acquire_all(&[&a, &b, &c], 2).unwrap_err();
    assert_eq!(denied.reason(), DeniedReason::ExceedsBurst { requested: 2, burst: 1 });
}

#[test]
fn none_of_none_is_granted() {
    assert!(try_acquire_all::<Manual>(&[], 5).is_ok());
    let (limiter, _) = limiter(quota(1, 1));
    assert!(try_acquire_all(&[&limiter], 0).is_ok());
    assert_eq!(limiter.tokens(), 1.0);
}

#[test]
fn one_that_is_named_twice_is_asked_for_twice_as_much() {
    let (limiter, _) = limiter(quota(1, 3));
    assert!(try_acquire_all(&[&limiter, &limiter], 2).is_err());
    assert_eq!(limiter.tokens(), 3.0);
    assert!(try_acquire_all(&[&limiter, &limiter], 1).is_ok());
    assert_eq!(limiter.tokens(), 1.0);
}

#[cfg(feature = "async")]
mod tasks {
    use super::*;
    use futures::FutureExt;

    fn poll<F: Future + Unpin>(wait: &mut F) -> Option<F::Output> {
        wait.now_or_never()
    }

    /// Moves the clock until the wait is over, at most `millis`.
    fn run<F: Future + Unpin>(clock: &Manual, wait: &mut F, millis: u64) -> Option<F::Output> {
        for _ in 0..millis {
            if let Some(output) = poll(wait) {
                return Some(output);
            }
            clock.advance(ms(1));
        }
        poll(wait)
    }

    #[test]
    fn a_slow_one_does_not_take_from_a_fast_one_meanwhile() {
        let ([fast, slow], clock) = limiters([quota(10, 10), Quota::every(secs(5))]);
        let mut wait = acquire_all(&[&fast, &slow], 1);
        assert_eq!(poll(&mut wait), Some(Ok(Duration::ZERO)));
        let mut wait = acquire_all(&[&fast, &slow], 1);
        assert!(poll(&mut wait).is_none());
        clock.advance(secs(2));
        assert!(poll(&mut wait).is_none());
        assert_eq!(fast.try_up_to(100), 10, "all of the fast one is there for others");
        assert_eq!(run(&clock, &mut wait, 4_000), Some(Ok(secs(5))));
        // Two seconds after it was emptied it would be full but for the one that was taken.
        assert_eq!((fast.tokens(), slow.tokens()), (9.0, 0.0));
    }

    #[test]
    fn bursts_of_one_in_step_keep_their_rate() {
        let quotas = [Quota::per(3, secs(1)).burst(1), Quota::per(7, secs(2)).burst(1)];
        let ([a, b], clock) = limiters(quotas);
        let start = clock.now();
        for _ in 0..31 {
            let mut wait = acquire_all(&[&a, &b], 1);
            assert!(run(&clock, &mut wait, 1_000).is_some_and(|it| it.is_ok()));
        }
        let took = clock.now().saturating_duration_since(start);
        // Ten seconds by the slower of the two, and at most a step of the clock for each.
        assert!((secs(10)..=secs(10) + ms(31)).contains(&took), "{took:?}");
    }

    #[test]
    fn what_cannot_be_in_time_fails_at_once_and_takes_nothing() {
        let ([fast, slow], clock) = limiters([quota(10, 10), Quota::every(secs(5))]);
        assert!(try_acquire_all(&[&fast, &slow], 1).is_ok());
        let before = (fast.tokens(), slow.tokens());
        let mut wait = acquire_all(&[&fast, &slow], 1).within(secs(4));
        assert_eq!(poll(&mut wait), Some(Err(AcquireError::TooLong { wait: Some(secs(5)) })));
        assert_eq!((fast.tokens(), slow.tokens()), before);
        let mut wait = acquire_all(&[&fast, &slow], 2);
        let exceeds = AcquireError::ExceedsBurst { requested: 2, burst: 1 };
        assert_eq!(poll(&mut wait), Some(Err(exceeds)));
        assert_eq!((fast.tokens(), slow.tokens()), before);
        let mut wait = acquire_all(&[&slow, &fast], 1).within(secs(5));
        assert_eq!(run(&clock, &mut wait, 6_000), Some(Ok(secs(5))));
    }

    #[test]
    fn a_dropped_wait_gives_back_what_it_holds() {
        let ([a, b], clock) = limiters([quota(1, 2), quota(2, 2)]);
        assert!(try_acquire_all(&[&a, &b], 2).is_ok());
        let mut wait = acquire_all_owned(&[a.clone(), b.clone()], 2);
        assert!(poll(&mut wait).is_none());
        assert!(a.tokens() < 0.0);
        drop(wait);
        assert_eq!((a.tokens(), b.tokens()), (0.0, 0.0));
        assert_eq!(clock.sleepers(), 0);
    }

    #[test]
    fn it_learns_of_changes() {
        let ([fast, slow], clock) = limiters([quota(10, 10), Quota::every(secs(3600))]);
        assert!(try_acquire_all(&[&fast, &slow], 1).is_ok());
        let wait = acquire_all_owned(&[fast.clone(), slow.clone()], 1);
        let mut task = tokio_test_task(wait);
        assert!(!task.is_woken());
        slow.set_rate(lockgate_ratelimit::Rate::per_second(1));
        assert!(task.is_woken());
        assert!(task.poll().is_none());
        clock.advance(secs(1));
        assert_eq!(task.poll(), Some(Ok(secs(1))));

        let mut wait = acquire_all_owned(&[fast.clone(), slow.clone()], 1);
        assert!(poll(&mut wait).is_none());
        slow.close();
        assert_eq!(poll(&mut wait), Some(Err(AcquireError::Closed)));
    }

    struct Task<F> {
        future: F,
        wakes: std::sync::Arc<crate::support::Wakes>,
        seen: usize,
    }

    fn tokio_test_task<F: Future + Unpin>(future: F) -> Task<F> {
        let mut task = Task { future, wakes: crate::support::Wakes::new(), seen: 0 };
        assert!(task.poll().is_none());
        task
    }

    impl<F: Future + Unpin> Task<F> {
        fn poll(&mut self) -> Option<F::Output> {
            self.seen = self.wakes.count();
            let waker = self.wakes.waker();
            match self.future.poll_unpin(&mut std::task::Context::from_waker(&waker)) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            }
        }

        fn is_woken(&self) -> bool {
            self.wakes.count() > self.seen
        }
    }

    /// Random waits for two limiters among others for one of them, by a seeded generator: what was
    /// granted of each stays within its envelope, and everybody is served.
    #[test]
    fn no_limiter_grants_more_than_it_allows() {
        let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = move |below: u64| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            seed % below
        };
        for round in 0..60 {
            let bursts = [1 + random(5) as u32, 1 + random(5) as u32];
            let rates = [20 + random(300) as u32, 20 + random(300) as u32];
            let ([a, b], clock) =
                limiters([quota(rates[0], bursts[0]), quota(rates[1], bursts[1])]);
            let mut grants: [Vec<(u64, u64)>; 2] = [Vec::new(), Vec::new()];
            let most = u64::from(bursts[0].min(bursts[1]));
            let mut waits = Vec::new();
            for step in 0..400_u64 {
                let now = clock.now().as_nanos();
                if step < 250 && random(8) == 0 {
                    let n = 1 + random(most) as u32;
                    waits.push((acquire_all_owned(&[a.clone(), b.clone()], n), n));
                }
                for (index, limiter) in [&a, &b].into_iter().enumerate() {
                    if random(6) == 0 && limiter.try_acquire(1).is_ok() {
                        grants[index].push((now, 1));
                    }
                }
                waits.retain_mut(|(wait, n)| match poll(wait) {
                    Some(outcome) => {
                        outcome.unwrap();
                        grants.iter_mut().for_each(|it| it.push((now, u64::from(*n))));
                        false
                    }
                    None => true,
                });
                if step < 250 && random(20) == 0 && !waits.is_empty() {
                    let index = random(waits.len() as u64) as usize;
                    drop(waits.swap_remove(index));
                }
                clock.advance(Duration::from_micros(700));
            }
            for _ in 0..100_000 {
                if waits.is_empty() {
                    break;
                }
                let now = clock.now().as_nanos();
                waits.retain_mut(|(wait, n)| match poll(wait) {
                    Some(outcome) => {
                        outcome.unwrap();
                        grants.iter_mut().for_each(|it| it.push((now, u64::from(*n))));
                        false
                    }
                    None => true,
                });
                clock.advance(Duration::from_micros(700));
            }
            assert!(waits.is_empty(), "round {round}: somebody is never served");
            for index in 0..2 {
                let (rate, burst) = (u64::from(rates[index]), u64::from(bursts[index]));
                let grants = &grants[index];
                for (first, (start, _)) in grants.iter().enumerate() {
                    let mut sum = 0;
                    for (end, n) in &grants[first..] {
                        sum += n;
                        // A grant is seen up to a step of the clock after its moment.
                        let span = end - start + 700_001;
                        assert!(
                            (sum - burst.min(sum)) * 1_000_000_000 <= span * rate,
                            "round {round}: {sum} in {span} ns at {rate}/s, burst {burst}"
                        );
                    }
                }
            }
        }
    }
}

#[cfg(feature = "sync")]
#[test]
fn threads_wait_too() {
    let ([a, b], clock) = limiters([quota(10, 1), quota(5, 1)]);
    assert!(try_acquire_all(&[&a, &b], 1).is_ok());
    let waiting = {
        let both = [a.clone(), b.clone()];
        std::thread::spawn(move || acquire_all_owned(&both, 1).wait())
    };
    crate::support::until("it sleeps", || clock.sleepers() == 1);
    // A few milliseconds before, it takes what the faster one has by then.
    clock.advance(ms(195));
    crate::support::until("it sleeps again", || clock.next_alarm().is_some());
    clock.advance(ms(5));
    assert_eq!(waiting.join().unwrap(), Ok(ms(200)));
    let error = acquire_all(&[&a, &b], 1).wait_timeout(ms(100)).unwrap_err();
    assert_eq!(error, AcquireError::TooLong { wait: Some(ms(200)) });
}
