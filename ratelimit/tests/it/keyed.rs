//! A limiter by key: its table, its policies, and quotas of its keys' own.

use lockgate_ratelimit::clock::{Manual, Timestamp};
use lockgate_ratelimit::{DeniedReason, Inherit, Keyed, Policy, Quota, Rate, ipv6_prefix};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

type Seeded = BuildHasherDefault<DefaultHasher>;

const SEC: Duration = Duration::from_secs(1);
const NANO: Duration = Duration::from_nanos(1);

fn keyed(quota: Quota, capacity: usize, policy: Policy) -> (Manual, Keyed<u32, Manual, Seeded>) {
    let clock = Manual::new();
    clock.advance(SEC);
    let builder = Keyed::builder(quota).capacity(capacity).policy(policy);
    (clock.clone(), builder.clock(clock).hasher(Seeded::default()).build().unwrap())
}

#[test]
fn each_key_has_a_bucket() {
    let (clock, limiter) = keyed(Quota::per_second(2), 100, Policy::DenyNew);
    for key in 0..10 {
        assert!(limiter.try_acquire(&key, 2).is_ok());
        assert_eq!(limiter.try_acquire(&key, 1).unwrap_err().retry_after(), Some(SEC / 2));
        assert_eq!(limiter.tokens(&key), 0.0);
    }
    assert_eq!(limiter.len(), 10);
    clock.advance(SEC / 2);
    for key in 0..10 {
        assert!(limiter.peek(&key, 1).is_ok());
        assert!(limiter.try_acquire(&key, 1).is_ok());
        assert!(limiter.peek(&key, 1).is_err());
    }
    assert!(limiter.try_acquire(&77, 0).is_ok());
    let reason = limiter.try_acquire(&77, 3).unwrap_err().reason();
    assert_eq!(reason, DeniedReason::ExceedsBurst { requested: 3, burst: 2 });
    assert_eq!((limiter.len(), limiter.tokens(&77)), (10, 2.0));
}

#[test]
fn who_is_full_again_is_forgotten_and_loses_nothing() {
    let (clock, limiter) = keyed(Quota::per_second(10).burst(5), 1000, Policy::DenyNew);
    for key in 0..1000 {
        assert!(limiter.try_acquire(&key, 5).is_ok());
    }
    clock.advance(SEC / 2 - NANO);
    limiter.sweep();
    assert_eq!(limiter.len(), 1000);
    clock.advance(NANO);
    limiter.shrink();
    assert!(limiter.is_empty());
    assert!((0..1000).all(|key| limiter.tokens(&key) == 5.0));
}

#[test]
fn there_is_room_for_as_many_keys_as_are_asked_for() {
    for capacity in [1, 5, 16, 17, 100, 1_000, 5_000, 50_000] {
        let (_, limiter) = keyed(Quota::per_second(1), capacity, Policy::DenyNew);
        let refused = (0..capacity as u32).filter(|key| limiter.try_acquire(key, 1).is_err());
        assert_eq!(refused.count(), 0, "{capacity}");
        assert_eq!(limiter.len(), capacity);
        let flood = (0..3 * capacity as u32 + 100).map(|key| key + 1_000_000);
        let _ = flood.filter(|key| limiter.try_acquire(key, 1).is_ok()).count();
        assert!(limiter.len() <= limiter.capacity());
        assert!(limiter.capacity() <= (capacity + 150) * 5 / 4 + 8, "{capacity}");
        // Whoever was there still is.
        assert!((0..capacity as u32).all(|key| limiter.try_acquire(&key, 1).is_err()));
    }
}

#[test]
fn a_capacity_out_of_range_is_an_error() {
    for capacity in [0, u32::MAX as usize + 1] {
        let error = Keyed::<u8>::builder(Quota::INF).capacity(capacity).build().unwrap_err();
        let text = format!("a capacity of {capacity} keys is out of the range 1 to 4294967295");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn deny_new_says_when_there_will_be_room() {
    let (clock, limiter) = keyed(Quota::per_second(1).burst(4), 8, Policy::DenyNew);
    assert_eq!(limiter.capacity(), 8);
    for key in 0..8 {
        assert!(limiter.try_acquire(&key, 4 - u32::from(key == 5)).is_ok());
    }
    let denied = limiter.try_acquire(&9, 1).unwrap_err();
    assert_eq!((denied.reason(), denied.retry_after()), (DeniedReason::TableFull, Some(3 * SEC)));
    assert_eq!(denied.to_string(), "no place for another key, retry after 3s");
    clock.advance(3 * SEC - NANO);
    assert!(limiter.try_acquire(&9, 1).is_err());
    clock.advance(NANO);
    assert!(limiter.try_acquire(&9, 1).is_ok());
    assert_eq!((limiter.len(), limiter.tokens(&5), limiter.tokens(&4)), (8, 4.0, 3.0));
}

#[test]
fn a_full_table_without_supply_stays_full() {
    let (_, limiter) = keyed(Quota::ZERO.burst(1), 8, Policy::DenyNew);
    assert!((0..8).all(|key| limiter.try_acquire(&key, 1).is_ok()));
    let denied = limiter.try_acquire(&9, 1).unwrap_err();
    assert!(denied.is_never());
    assert_eq!(denied.to_string(), "no place for another key");
}

#[test]
fn evict_fullest_drops_who_owes_least() {
    let (_, limiter) = keyed(Quota::per_second(1).burst(10), 8, Policy::EvictFullest);
    for key in 0..8 {
        assert!(limiter.try_acquire(&key, 10 - key).is_ok());
    }
    for new in 0..7 {
        assert!(limiter.try_acquire(&(100 + new), 10).is_ok());
        // 7 owed 3, 6 owed 4, …
        let kept = (0..8).filter(|key| limiter.tokens(key) < 10.0).max();
        assert_eq!(kept, Some(6 - new));
        assert_eq!(limiter.len(), 8);
    }
}

#[test]
fn a_new_key_has_the_initial_tokens_and_fills_from_when_it_came() {
    let quota = Quota::per_second(1).burst(4).initial(0);
    let (clock, limiter) = keyed(quota, 100, Policy::DenyNew);
    clock.advance(100 * SEC);
    assert_eq!(limiter.try_acquire(&1, 1).unwrap_err().retry_after(), Some(SEC));
    clock.advance(SEC - NANO);
    assert!(limiter.try_acquire(&1, 1).is_err());
    clock.advance(NANO);
    assert!(limiter.try_acquire(&1, 1).is_ok());
}

#[test]
fn without_a_limit_nothing_is_kept() {
    let (_, limiter) = keyed(Quota::per_second(1), 100, Policy::DenyNew);
    assert!(limiter.try_acquire(&1, 1).is_ok());
    limiter.set_quota(Quota::INF, Inherit::AsIs);
    assert!((0..1000).all(|key| limiter.try_acquire(&key, u32::MAX).is_ok()));
    assert!(limiter.is_empty());
    assert_eq!(limiter.tokens(&1), f64::INFINITY);
    limiter.set_quota(Quota::per_second(3), Inherit::AsIs);
    assert!((0..10).all(|key| limiter.tokens(&key) == 3.0));
}

#[test]
fn all_keys_go_over_to_another_quota() {
    // Three keys with 1, 3 and 9 tokens of 10, and one that is full; then there are 16.
    for (inherit, levels) in [
        (Inherit::AsIs, [1.0, 3.0, 9.0]),
        (Inherit::Additive, [7.0, 9.0, 15.0]),
        (Inherit::Proportional, [1.6, 4.8, 14.4]),
        (Inherit::Reset, [16.0, 16.0, 16.0]),
    ] {
        let (clock, limiter) = keyed(Quota::per_second(1).burst(10), 100, Policy::DenyNew);
        for (key, n) in [(0, 10), (1, 8), (2, 2), (3, 1)] {
            assert!(limiter.try_acquire(&key, n).is_ok());
        }
        clock.advance(SEC);
        limiter.set_quota(Quota::per_second(4).burst(16), inherit);
        for (key, level) in (0..).zip(levels) {
            let tokens = limiter.tokens(&key);
            assert!((tokens - level).abs() < 1e-6, "{inherit:?} {key}: {tokens} != {level}");
        }
        // Full, and never seen.
        assert_eq!((limiter.tokens(&3), limiter.tokens(&77)), (16.0, 16.0));
        assert_eq!(limiter.quota().burst_size(), 16);
        clock.advance(SEC / 4);
        assert!((limiter.tokens(&0) - f64::min(levels[0] + 1.0, 16.0)).abs() < 1e-6);
    }
}

#[test]
fn a_smaller_burst_holds_less() {
    let (_, limiter) = keyed(Quota::per_second(1).burst(10), 100, Policy::DenyNew);
    assert!(limiter.try_acquire(&0, 1).is_ok());
    limiter.set_quota(Quota::per_second(1).burst(4), Inherit::AsIs);
    assert_eq!(limiter.tokens(&0), 4.0);
    assert!(limiter.try_acquire(&0, 5).unwrap_err().is_never());
    assert!(limiter.try_acquire(&0, 4).is_ok());
    assert!(limiter.try_acquire(&0, 1).is_err());
}

#[test]
fn a_key_has_a_quota_of_its_own() {
    let (clock, limiter) = keyed(Quota::per_second(1).burst(2), 100, Policy::DenyNew);
    assert!(limiter.try_acquire(&1, 2).is_ok());
    limiter.set_override(1, Quota::per_second(10).burst(20));
    limiter.set_override(2, Quota::per_second(10).burst(20).initial(7));
    assert_eq!((limiter.tokens(&1), limiter.tokens(&2), limiter.tokens(&3)), (0.0, 7.0, 2.0));
    clock.advance(SEC);
    assert!(limiter.try_acquire(&1, 10).is_ok());
    assert!(limiter.try_acquire(&1, 1).is_err());
    limiter.set_quota(Quota::per_second(1).burst(3), Inherit::AsIs);
    clock.advance(10 * SEC);
    assert_eq!((limiter.tokens(&1), limiter.tokens(&2), limiter.len()), (20.0, 20.0, 2));
    assert!(limiter.try_acquire(&1, 19).is_ok());
    assert!(limiter.remove_override(&1));
    assert!(!limiter.remove_override(&1));
    assert!(!limiter.remove_override(&3));
    assert_eq!(limiter.tokens(&1), 1.0);
    clock.advance(SEC);
    assert_eq!(limiter.tokens(&1), 2.0);
    assert!(limiter.reset(&2));
    assert_eq!(limiter.tokens(&2), 7.0);
    // Full by the quota of all, it is a key like all.
    clock.advance(2 * SEC);
    assert!(limiter.try_acquire(&1, 3).is_ok());
    limiter.set_override(2, Quota::INF);
    assert!(limiter.try_acquire(&2, u32::MAX).is_ok());
    assert!(limiter.remove_override(&2));
    assert_eq!(limiter.tokens(&2), 3.0);
    limiter.sweep();
    assert_eq!(limiter.len(), 1);
}

#[test]
fn closed_is_closed_for_all() {
    let (_, limiter) = keyed(Quota::per_second(1), 100, Policy::DenyNew);
    limiter.set_override(2, Quota::INF);
    assert!(limiter.try_acquire(&1, 1).is_ok());
    limiter.close();
    limiter.set_quota(Quota::per_second(5), Inherit::Reset);
    assert!(limiter.is_closed());
    for key in 1..4 {
        assert_eq!(limiter.try_acquire(&key, 1).unwrap_err().reason(), DeniedReason::Closed);
    }
    limiter.set_override(3, Quota::per_second(4));
    assert_eq!(limiter.try_acquire(&3, 1).unwrap_err().reason(), DeniedReason::Closed);
}

#[test]
fn years_go_by() {
    let (clock, limiter) = keyed(Quota::per_second(1_000_000).burst(10), 100, Policy::DenyNew);
    limiter.set_override(5, Quota::per_second(2_000_000_000).burst(10));
    for _ in 0..50 {
        clock.advance(366 * 24 * 3600 * SEC);
        for key in [1, 5] {
            assert!(limiter.try_acquire(&key, 10).is_ok());
            assert!(limiter.try_acquire(&key, 1).is_err());
        }
        clock.advance(Duration::from_micros(3));
        assert!(limiter.try_acquire(&1, 3).is_ok());
        assert!(limiter.try_acquire(&1, 1).is_err());
    }
}

#[test]
fn a_clock_that_steps_back_gives_nothing() {
    let (clock, limiter) = keyed(Quota::every(SEC), 8, Policy::DenyNew);
    let start = limiter.clock_now();
    assert!(limiter.try_acquire(&1, 1).is_ok());
    clock.advance(SEC);
    // Key 1 is full by now, and dropped …
    limiter.sweep();
    assert!(limiter.is_empty());
    clock.set(start);
    // … so it comes as a new one, by the time by which it was dropped.
    assert!(limiter.try_acquire(&1, 1).is_ok());
    assert_eq!(limiter.try_acquire(&1, 1).unwrap_err().retry_after(), Some(2 * SEC));
    clock.advance(2 * SEC - NANO);
    assert!(limiter.try_acquire(&1, 1).is_err());
    clock.advance(NANO);
    assert!(limiter.try_acquire(&1, 1).is_ok());
}

trait ClockNow {
    fn clock_now(&self) -> Timestamp;
}

impl ClockNow for Keyed<u32, Manual, Seeded> {
    fn clock_now(&self) -> Timestamp {
        lockgate_ratelimit::clock::Clock::now(self.clock())
    }
}

#[test]
fn keys_may_be_borrowed() {
    let limiter = Keyed::<String>::new(Quota::from(Rate::ZERO));
    assert!(limiter.try_acquire("a", 1).is_ok());
    assert!(limiter.try_acquire(&"a".to_owned(), 1).is_err());
    assert!(limiter.peek("b", 1).is_ok());
    assert!(limiter.reset("a"));
    assert!(!limiter.reset("b"));
    assert_eq!(limiter.tokens("a"), 1.0);
    limiter.set_override("c".into(), Quota::ZERO);
    assert!(limiter.remove_override("c"));
    assert!(format!("{limiter:?}").starts_with("Keyed { quota: Quota { rate: Rate::ZERO"));
}

#[test]
fn prefixes_of_addresses() {
    let prefix = |text: &str, bits| ipv6_prefix(text.parse().unwrap(), bits).to_string();
    assert_eq!(prefix("2001:db8:1:2:3:4:5:6", 64), "2001:db8:1:2::");
    assert_eq!(prefix("2001:db8:1:2:3:4:5:6", 48), "2001:db8:1::");
    assert_eq!(prefix("2001:db8:1:2:3:4:5:6", 61), "2001:db8:1::");
    assert_eq!(prefix("2001:db8:1:2:3:4:5:6", 128), "2001:db8:1:2:3:4:5:6");
    assert_eq!(prefix("2001:db8:1:2:3:4:5:6", 0), "::");
    assert_eq!(prefix("192.0.2.77", 8), "192.0.2.77");
    assert_eq!(prefix("::ffff:192.0.2.77", 64), "192.0.2.77");
    let any: IpAddr = "::".parse().unwrap();
    assert!(std::panic::catch_unwind(|| ipv6_prefix(any, 129)).is_err());
}

#[test]
fn threads_share_the_tokens_of_a_key() {
    let (_, limiter) = keyed(Quota::ZERO.burst(1000), 5_000, Policy::DenyNew);
    let granted: Vec<AtomicU32> = (0..200).map(|_| AtomicU32::new(0)).collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for turn in 0..400_u32 {
                    for key in 0..200 {
                        if limiter.try_acquire(&key, 1).is_ok() {
                            granted[key as usize].fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    // Others come too, so that the table grows meanwhile.
                    let _ = limiter.try_acquire(&(1000 + turn), 1);
                }
            });
        }
    });
    assert!(granted.iter().all(|count| count.load(Ordering::Relaxed) == 1000));
    assert_eq!(limiter.len(), 600);
}

#[test]
fn limiters_are_shared() {
    fn shared<T: Send + Sync + 'static>(_: &T) {}
    shared(&Arc::new(Keyed::<String>::new(Quota::INF)));
}
