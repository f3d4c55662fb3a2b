//! A limiter by key: waits in both worlds, and what holds whatever happens.

use lockgate_ratelimit::clock::{Clock, Manual, Timestamp};
use lockgate_ratelimit::{
    AcquireError, Inherit, Keyed, KeyedAcquire, Policy, Quota, Rate, RateLimiter,
};
use proptest::prelude::*;
use std::collections::HashMap;
use std::future::Future;
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

type Seeded = BuildHasherDefault<DefaultHasher>;
type Limiter = Keyed<u32, Manual, Seeded>;
type Wait<'a> = KeyedAcquire<&'a Limiter, u32, Manual, Seeded>;

const SEC: Duration = Duration::from_secs(1);

fn keyed(quota: Quota, capacity: usize, policy: Policy) -> (Manual, Limiter) {
    let clock = Manual::new();
    clock.advance(SEC);
    let builder = Keyed::builder(quota).capacity(capacity).policy(policy);
    (clock.clone(), builder.clock(clock).hasher(Seeded::default()).build().unwrap())
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

fn queued<'a>(limiter: &'a Limiter, key: u32, n: u32) -> Wait<'a> {
    let mut wait = limiter.acquire(key, n);
    assert!(poll(&mut wait).is_pending());
    wait
}

#[test]
fn a_wait_is_served_in_order_and_to_the_nanosecond() {
    let (clock, limiter) = keyed(Quota::every(SEC), 100, Policy::DenyNew);
    assert_eq!(poll(&mut limiter.acquire(1, 1)), Poll::Ready(Ok(Duration::ZERO)));
    let (mut first, mut second) = (queued(&limiter, 1, 1), queued(&limiter, 1, 1));
    assert_eq!(limiter.tokens(&1), -2.0);
    assert_eq!(poll(&mut limiter.acquire(2, 1)), Poll::Ready(Ok(Duration::ZERO)));
    clock.advance(SEC - Duration::from_nanos(1));
    assert!(poll(&mut first).is_pending());
    clock.advance(Duration::from_nanos(1));
    assert!(poll(&mut second).is_pending());
    assert_eq!(poll(&mut first), Poll::Ready(Ok(SEC)));
    clock.advance(SEC);
    assert_eq!(poll(&mut second), Poll::Ready(Ok(2 * SEC)));
}

#[test]
fn a_wait_that_would_take_too_long_fails_at_once() {
    let (_, limiter) = keyed(Quota::every(SEC), 100, Policy::DenyNew);
    assert!(limiter.try_acquire(&1, 1).is_ok());
    let short = Duration::from_millis(999);
    let too_long = AcquireError::TooLong { wait: Some(SEC) };
    assert_eq!(poll(&mut limiter.acquire(1, 1).within(short)), Poll::Ready(Err(too_long)));
    assert!(poll(&mut limiter.acquire(1, 1).within(SEC)).is_pending());
    let exceeds = AcquireError::ExceedsBurst { requested: 2, burst: 1 };
    assert_eq!(poll(&mut limiter.acquire(1, 2)), Poll::Ready(Err(exceeds)));
    assert_eq!(limiter.tokens(&1), 0.0);
}

#[cfg(feature = "sync")]
#[test]
fn threads_and_tasks_stand_in_one_line() {
    let (clock, limiter) = keyed(Quota::every(SEC), 100, Policy::DenyNew);
    let limiter = Arc::new(limiter);
    assert!(limiter.try_acquire(&1, 1).is_ok());
    let mut task = limiter.acquire_owned(1, 1);
    assert!(poll(&mut task).is_pending());
    let thread = {
        let wait = limiter.acquire_owned(1, 1);
        std::thread::spawn(move || wait.wait())
    };
    while limiter.tokens(&1) != -2.0 {
        std::thread::yield_now();
    }
    let mut last = limiter.acquire_owned(1, 1);
    assert!(poll(&mut last).is_pending());
    clock.advance(SEC);
    assert_eq!(poll(&mut task), Poll::Ready(Ok(SEC)));
    clock.advance(SEC);
    assert_eq!(thread.join().unwrap(), Ok(2 * SEC));
    assert!(poll(&mut last).is_pending());
    clock.advance(SEC);
    assert_eq!(poll(&mut last), Poll::Ready(Ok(3 * SEC)));
    let error = limiter.acquire(1, 1).wait_timeout(SEC / 2).unwrap_err();
    assert_eq!(error, AcquireError::TooLong { wait: Some(SEC) });
    let error = limiter.acquire(1, 1).wait_deadline(clock.now() + SEC / 2).unwrap_err();
    assert!(error.is_too_long());
}

#[test]
fn those_who_wait_are_retimed() {
    let (clock, limiter) = keyed(Quota::every(SEC), 100, Policy::DenyNew);
    assert!((1..4).all(|key| limiter.try_acquire(&key, 1).is_ok()));
    let told = Arc::new(Count::default());
    let waker = Waker::from(Arc::clone(&told));
    let mut waits: Vec<_> = (1..4).map(|key| limiter.acquire(key, 1)).collect();
    for wait in &mut waits {
        assert!(Pin::new(wait).poll(&mut Context::from_waker(&waker)).is_pending());
    }
    clock.advance(SEC / 2);
    limiter.set_quota(Quota::every(2 * SEC), Inherit::AsIs);
    assert_eq!(told.0.load(Ordering::Relaxed), 3);
    clock.advance(SEC - Duration::from_nanos(1));
    assert!(waits.iter_mut().all(|wait| poll(wait).is_pending()));
    clock.advance(Duration::from_nanos(2));
    assert!(waits.iter_mut().all(|wait| poll(wait).is_ready()));
    // More tokens serve those first who wait.
    let mut wait = queued(&limiter, 1, 1);
    limiter.set_quota(Quota::every(2 * SEC).burst(2), Inherit::Additive);
    assert!(poll(&mut wait).is_ready());
    assert!(limiter.tokens(&1).abs() < 0.001);
    let mut wait = queued(&limiter, 1, 1);
    limiter.set_quota(Quota::INF, Inherit::AsIs);
    assert!(poll(&mut wait).is_ready());
}

#[test]
fn what_is_due_stays_due_through_every_change() {
    let (clock, limiter) = keyed(Quota::every(SEC), 100, Policy::DenyNew);
    let quota = Quota::every(3600 * SEC);
    let changes: [&dyn Fn(); 6] = [
        &|| limiter.set_quota(quota, Inherit::Reset),
        &|| limiter.set_quota(quota.initial(0), Inherit::Reset),
        &|| limiter.set_override(1, quota.initial(0)),
        &|| {
            limiter.set_override(1, quota);
            limiter.set_quota(quota, Inherit::AsIs);
            assert!(limiter.remove_override(&1));
            limiter.sweep();
        },
        &|| {
            limiter.set_quota(Quota::INF, Inherit::AsIs);
            limiter.set_quota(quota, Inherit::AsIs);
        },
        &|| limiter.close(),
    ];
    for change in changes {
        limiter.remove_override(&1);
        limiter.set_quota(Quota::every(SEC), Inherit::Reset);
        limiter.sweep();
        clock.advance(SEC);
        limiter.reset(&1);
        assert!(limiter.try_acquire(&1, 1).is_ok());
        let mut wait = queued(&limiter, 1, 1);
        clock.advance(2 * SEC);
        limiter.sweep();
        change();
        // A change may round up a moment by less than a nanosecond.
        clock.advance(Duration::from_nanos(1));
        assert!(matches!(poll(&mut wait), Poll::Ready(Ok(_))));
    }
}

#[test]
fn an_override_retimes_its_key() {
    let (clock, limiter) = keyed(Quota::every(100 * SEC), 100, Policy::DenyNew);
    assert!((1..3).all(|key| limiter.try_acquire(&key, 1).is_ok()));
    let (mut fast, mut slow) = (queued(&limiter, 1, 1), queued(&limiter, 2, 1));
    limiter.set_override(1, Quota::every(SEC));
    clock.advance(SEC);
    assert!(poll(&mut fast).is_ready());
    assert!(poll(&mut slow).is_pending());
    let (mut own, mut later) = (queued(&limiter, 1, 1), queued(&limiter, 1, 1));
    assert!(limiter.remove_override(&1));
    clock.advance(SEC);
    assert!(poll(&mut own).is_pending());
    clock.advance(98 * SEC);
    assert!(poll(&mut slow).is_ready());
    clock.advance(SEC);
    assert!(poll(&mut own).is_ready());
    assert!(poll(&mut later).is_pending());
    drop(later);
    assert!((limiter.tokens(&1)).abs() < 0.02);
    clock.advance(100 * SEC);
    limiter.sweep();
    assert!(limiter.is_empty());
}

#[test]
fn close_fails_those_who_wait() {
    let (_, limiter) = keyed(Quota::every(SEC), 100, Policy::DenyNew);
    assert!((1..3).all(|key| limiter.try_acquire(&key, 1).is_ok()));
    limiter.set_override(2, Quota::every(2 * SEC));
    let (mut a, mut b) = (queued(&limiter, 1, 1), queued(&limiter, 2, 1));
    limiter.close();
    for wait in [&mut a, &mut b] {
        assert_eq!(poll(wait), Poll::Ready(Err(AcquireError::Closed)));
    }
    assert_eq!(poll(&mut limiter.acquire(3, 1)), Poll::Ready(Err(AcquireError::Closed)));
}

/// Whatever comes, memory is bounded, and whoever is promised tokens keeps the promise and the debt.
#[test]
fn a_flood_resets_nobodys_debt() {
    for policy in [Policy::DenyNew, Policy::EvictFullest, Policy::SharedOverflow] {
        let (clock, limiter) = keyed(Quota::every(10 * SEC), 64, policy);
        assert!((0..32).all(|key| limiter.try_acquire(&key, 1).is_ok()));
        let mut waits: Vec<_> = (0..32).map(|key| queued(&limiter, key, 1)).collect();
        for flood in 0..50_000 {
            let _ = limiter.try_acquire(&(1000 + flood), 1);
            clock.advance(Duration::from_micros(10));
            assert!(flood % 1000 != 0 || limiter.len() <= limiter.capacity());
        }
        assert!((0..32).all(|key| limiter.tokens(&key) < -0.9), "{policy:?}");
        clock.advance(10 * SEC);
        assert!(waits.iter_mut().all(|wait| poll(wait).is_ready()));
    }
    let (_, limiter) = keyed(Quota::every(SEC), 8, Policy::EvictFullest);
    assert!((0..8).all(|key| limiter.try_acquire(&key, 1).is_ok()));
    let waits: Vec<_> = (0..8).map(|key| queued(&limiter, key, 1)).collect();
    let full = AcquireError::TableFull;
    assert_eq!(poll(&mut limiter.acquire(9, 1)), Poll::Ready(Err(full)));
    drop(waits);
    assert!(poll(&mut limiter.acquire(9, 1)).is_ready());
}

#[test]
fn who_waits_without_a_place_waits_in_the_line_of_all_such() {
    let (clock, limiter) = keyed(Quota::every(SEC), 8, Policy::SharedOverflow);
    assert!((0..8).all(|key| limiter.try_acquire(&key, 1).is_ok()));
    assert!(poll(&mut limiter.acquire(10, 1)).is_ready());
    let (mut first, second) = (queued(&limiter, 11, 1), queued(&limiter, 12, 1));
    let third = queued(&limiter, 13, 1);
    drop(third);
    drop(second);
    let mut second = queued(&limiter, 14, 1);
    clock.advance(SEC);
    assert!(poll(&mut first).is_ready());
    assert!(poll(&mut second).is_pending());
    clock.advance(SEC);
    assert!(poll(&mut second).is_ready());
}

fn near(distance: Duration, slack: u64) -> bool {
    distance <= Duration::from_nanos(slack)
}

#[derive(Clone, Debug)]
enum Op {
    Try(u32, u32),
    Wait(u32, u32),
    Drop(usize),
    Back(u64),
    Pass(u64),
    Sweep,
    Rate(u32),
}

fn op(keys: u32) -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (0..keys, 1_u32..5).prop_map(|(key, n)| Op::Try(key, n)),
        4 => (0..keys, 1_u32..5).prop_map(|(key, n)| Op::Wait(key, n)),
        3 => (0_usize..32).prop_map(Op::Drop),
        1 => (1_u64..9).prop_map(Op::Back),
        5 => (1_u64..9).prop_map(Op::Pass),
        1 => Just(Op::Sweep),
        1 => (1_u32..5).prop_map(Op::Rate),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    /// Never more than burst + rate · Δ for any key, whoever else comes, whatever is cancelled or
    /// dropped to make room, and whenever the clock steps back. Moments are whole nanoseconds, so
    /// what is due at a fraction is up to one late, and places are whole units, of which one is
    /// supplied in less than two.
    #[test]
    fn envelope(
        burst in 1_u32..6,
        tokens in 1_u32..5,
        period in 1_u64..12,
        shared in any::<bool>(),
        ops in prop::collection::vec(op(24), 1..120),
    ) {
        let policy = if shared { Policy::SharedOverflow } else { Policy::DenyNew };
        let quota = Quota::per(tokens, Duration::from_nanos(period)).burst(burst);
        let (clock, limiter) = keyed(quota, 8, policy);
        let mut real = 0_u64;
        let mut waits: Vec<(u32, u32, Wait<'_>)> = Vec::new();
        let mut events: HashMap<u32, Vec<(u64, u32)>> = HashMap::new();
        let serve = |waits: &mut Vec<(u32, u32, Wait<'_>)>,
                         events: &mut HashMap<u32, Vec<(u64, u32)>>, real| {
            waits.retain_mut(|(key, n, wait)| match poll(wait) {
                Poll::Pending => true,
                Poll::Ready(outcome) => {
                    if outcome.is_ok() {
                        events.entry(*key).or_default().push((real, *n));
                    }
                    false
                }
            });
        };
        let rest = std::iter::repeat_n(Op::Pass(1), 10_000);
        for (index, op) in ops.iter().cloned().chain(rest).enumerate() {
            match op {
                Op::Try(key, n) => if limiter.try_acquire(&key, n).is_ok() {
                    events.entry(key).or_default().push((real, n));
                },
                Op::Wait(key, n) => waits.push((key, n, limiter.acquire(key, n))),
                Op::Drop(k) => if !waits.is_empty() {
                    drop(waits.swap_remove(k % waits.len()));
                },
                Op::Back(d) => {
                    let now = clock.now().as_nanos();
                    clock.set(Timestamp::from_nanos(now - d.min(now)));
                }
                Op::Pass(d) => for _ in 0..d {
                    real += 1;
                    clock.advance(Duration::from_nanos(1));
                    serve(&mut waits, &mut events, real);
                },
                Op::Sweep => limiter.sweep(),
                Op::Rate(_) => {}
            }
            serve(&mut waits, &mut events, real);
            if index >= ops.len() && waits.is_empty() { break; }
        }
        prop_assert!(limiter.len() <= limiter.capacity());
        for (key, events) in events {
            for (a, (start, _)) in events.iter().enumerate() {
                let mut sum = 0_u64;
                for (end, n) in &events[a..] {
                    sum += u64::from(*n);
                    let span = end - start + 1 + 2;
                    prop_assert!(
                        sum * period <= u64::from(burst) * period + span * u64::from(tokens),
                        "{key}: {sum} in {span} of {events:?}"
                    );
                }
            }
        }
    }

    /// Where there is room, a key is as good as a limiter of its own: the same answers, to the
    /// nanosecond; and after changes, each of which rounds to units of less than two nanoseconds'
    /// supply, nearly so.
    #[test]
    fn agrees_with_a_limiter_for_each_key(
        burst in 1_u32..6,
        tokens in 1_u32..5,
        period in 1_u64..1_000_000,
        ops in prop::collection::vec(op(6), 1..80),
    ) {
        let quota = Quota::per(tokens, Duration::from_nanos(period)).burst(burst);
        let (clock, limiter) = keyed(quota, 1000, Policy::DenyNew);
        let reference: Vec<_> =
            (0..6).map(|_| RateLimiter::with_clock(quota, clock.clone())).collect();
        limiter.set_override(5, quota);
        let mut slack = 0;
        for op in ops {
            match op {
                Op::Try(key, n) => {
                    let ask = || limiter.try_acquire(&key, n).map_err(|denied| denied.retry_after());
                    let ask_it = || {
                        let its = reference[key as usize].try_acquire(n);
                        its.map_err(|denied| denied.retry_after())
                    };
                    match (ask(), ask_it()) {
                        (Ok(()), Err(Some(after))) if near(after, slack) => {
                            clock.advance(after);
                            prop_assert_eq!(ask_it(), Ok(()));
                        }
                        (Err(Some(after)), Ok(())) if near(after, slack) => {
                            clock.advance(after);
                            prop_assert_eq!(ask(), Ok(()));
                        }
                        (Err(Some(ours)), Err(Some(its))) => {
                            prop_assert!(near(ours.abs_diff(its), slack), "{ours:?}, {its:?}");
                        }
                        (ours, its) => prop_assert_eq!(ours, its),
                    }
                }
                Op::Wait(key, n) => {
                    let mut wait = limiter.acquire(key, n);
                    let ours = poll(&mut wait);
                    let its = reference[key as usize].reserve(n).map(|promise| promise.commit());
                    let now = clock.now();
                    match its {
                        Ok(at) if near(at.saturating_duration_since(now), slack) && slack > 0 => {
                            prop_assert!(!matches!(ours, Poll::Ready(Err(_))));
                        }
                        Ok(at) if at <= now => prop_assert!(matches!(ours, Poll::Ready(Ok(_)))),
                        Ok(_) => prop_assert!(ours.is_pending()),
                        Err(error) => prop_assert_eq!(ours, Poll::Ready(Err(error))),
                    }
                    // Leaked: it uses its tokens up.
                    std::mem::forget(wait);
                }
                Op::Pass(d) => clock.advance(Duration::from_nanos(d * period / 4 + 1)),
                Op::Sweep => limiter.sweep(),
                Op::Rate(tokens) => {
                    let rate = Rate::per(tokens, Duration::from_nanos(period));
                    slack += 4;
                    limiter.set_quota(Quota::new(rate, burst), Inherit::AsIs);
                    limiter.set_override(5, Quota::new(rate, burst));
                    reference.iter().for_each(|limiter| limiter.set_rate(rate));
                }
                Op::Drop(_) | Op::Back(_) => {}
            }
            for key in 0..6 {
                let (ours, its) = (limiter.tokens(&key), reference[key as usize].tokens());
                let nearly = slack as f64 * 4.0 / period as f64;
                prop_assert!((ours - its).abs() <= nearly, "{ours}, {its}");
            }
        }
    }
}
