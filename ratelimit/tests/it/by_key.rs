//! Limits by key: each key has a bucket of its own, and the table is bounded.

mod bounds;
mod envelope;
#[cfg(any(feature = "sync", feature = "async"))]
mod waits;

use crate::support::{ms, panic_of, quota, secs};
use lockgate_ratelimit::clock::Manual;
use lockgate_ratelimit::{
    Denied, DeniedReason, Inherit, Keyed, Policy, Quota, Rate, RateLimiter, ipv6_prefix,
};
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;

pub(crate) type Limiter = Arc<Keyed<u64, Manual>>;

/// A limiter by key with so much room, and the clock that it goes by, which stands at 0.
pub(crate) fn by_key(quota: Quota, capacity: usize, policy: Policy) -> (Limiter, Manual) {
    let clock = Manual::new();
    let builder = Keyed::builder(quota).capacity(capacity).policy(policy).clock(clock.clone());
    (Arc::new(builder.build().unwrap()), clock)
}

fn roomy(quota: Quota) -> (Limiter, Manual) {
    by_key(quota, 1_000, Policy::default())
}

/// Takes one at a time until it is denied, and says how often that went well.
pub(crate) fn take_all(limiter: &Keyed<u64, Manual>, key: u64) -> u32 {
    let mut taken = 0;
    while limiter.try_acquire(&key, 1).is_ok() {
        taken += 1;
        assert!(taken <= 1_000_000, "it grants without end");
    }
    taken
}

#[test]
fn every_key_has_a_bucket_of_its_own() {
    let (limiter, clock) = roomy(quota(10, 3));
    for key in 0..20 {
        assert_eq!(take_all(&limiter, key), 3);
    }
    assert_eq!(limiter.len(), 20);
    clock.advance(ms(200));
    for key in 0..20 {
        assert_eq!(take_all(&limiter, key), 2);
    }
}

#[test]
fn a_denial_says_when_to_come_again() {
    let (limiter, clock) = roomy(quota(10, 3));
    assert_eq!(take_all(&limiter, 1), 3);
    let denied = limiter.try_acquire(&1, 2).unwrap_err();
    assert_eq!(denied.reason(), DeniedReason::NotYet);
    assert_eq!(denied.retry_after(), Some(ms(200)));
    clock.advance(ms(200) - std::time::Duration::from_nanos(1));
    assert!(limiter.try_acquire(&1, 2).is_err());
    clock.advance(std::time::Duration::from_nanos(1));
    assert!(limiter.try_acquire(&1, 2).is_ok());
}

#[test]
fn a_look_takes_nothing_and_makes_nobody_known() {
    let (limiter, _) = roomy(quota(10, 3));
    assert!(limiter.peek(&1, 3).is_ok());
    assert_eq!(limiter.peek(&1, 4).unwrap_err().retry_after(), None);
    assert!((limiter.tokens(&1) - 3.0).abs() < 1e-9);
    assert!(limiter.is_empty());
    limiter.try_acquire(&1, 3).unwrap();
    assert_eq!(limiter.peek(&1, 1).unwrap_err().retry_after(), Some(ms(100)));
    assert_eq!(limiter.len(), 1);
    assert!(limiter.tokens(&1).abs() < 1e-9);
}

#[test]
fn extremes_are_granted_or_denied_outright() {
    let (limiter, _) = roomy(quota(10, 3));
    assert!(limiter.try_acquire(&1, 0).is_ok());
    let denied = limiter.try_acquire(&1, 4).unwrap_err();
    assert_eq!(denied.reason(), DeniedReason::ExceedsBurst { requested: 4, burst: 3 });
    assert!(denied.is_never());
    let (unlimited, _) = roomy(Quota::INF);
    assert!(unlimited.try_acquire(&1, u32::MAX).is_ok());
    assert!(unlimited.tokens(&1).is_infinite());
    let (nothing, clock) = roomy(Quota::ZERO.burst(2));
    assert_eq!(take_all(&nothing, 1), 2);
    clock.advance(secs(1_000_000));
    assert!(nothing.try_acquire(&1, 1).unwrap_err().is_never());
    for limiter in [limiter, unlimited, nothing] {
        assert!(limiter.is_empty() || limiter.len() == 1);
        limiter.close();
        assert!(limiter.is_closed());
        assert_eq!(limiter.try_acquire(&2, 1).unwrap_err().reason(), DeniedReason::Closed);
        limiter.set_quota(quota(1, 1), Inherit::Reset);
        assert_eq!(limiter.try_acquire(&3, 1).unwrap_err().reason(), DeniedReason::Closed);
    }
}

#[test]
fn initial_tokens_are_those_of_a_new_key() {
    let (limiter, clock) = roomy(quota(10, 5).initial(2));
    assert_eq!(take_all(&limiter, 1), 2);
    // A key that was denied is known from then on, and gets what is supplied.
    assert!(limiter.try_acquire(&2, 3).is_err());
    clock.advance(ms(100));
    assert!(limiter.try_acquire(&2, 3).is_ok());
}

#[test]
fn a_removed_key_starts_anew() {
    let (limiter, _) = roomy(quota(10, 3));
    assert!(!limiter.reset(&1));
    assert_eq!(take_all(&limiter, 1), 3);
    assert!(limiter.reset(&1));
    assert!(limiter.is_empty());
    assert_eq!(take_all(&limiter, 1), 3);
}

#[test]
fn keys_may_be_borrowed() {
    let limiter: Keyed<String> = Keyed::new(Quota::per_minute(1));
    assert!(limiter.try_acquire("alice", 1).is_ok());
    assert!(limiter.try_acquire(&"alice".to_owned(), 1).is_err());
    assert!(limiter.peek("alice", 1).is_err());
    assert!(limiter.reset("alice"));
    limiter.set_override("bob".to_owned(), Quota::ZERO);
    assert!(limiter.try_acquire("bob", 1).is_err());
    assert!(limiter.remove_override("bob"));
}

#[test]
fn a_quota_of_its_own_is_one_keys_only() {
    let (limiter, clock) = roomy(quota(10, 3));
    limiter.set_override(7, quota(100, 50));
    assert_eq!(take_all(&limiter, 7), 50);
    assert_eq!(take_all(&limiter, 8), 3);
    clock.advance(ms(100));
    assert_eq!(take_all(&limiter, 7), 10);
    assert_eq!(take_all(&limiter, 8), 1);
    assert_eq!(limiter.len(), 2);
    // Another one: what is in the bucket stays there.
    limiter.set_override(7, quota(1, 5));
    assert!(limiter.try_acquire(&7, 1).is_err());
    clock.advance(secs(2));
    assert_eq!(take_all(&limiter, 7), 2);
    // The quota of all does not concern it.
    limiter.set_quota(quota(1_000, 1_000), Inherit::Reset);
    assert!(limiter.try_acquire(&7, 1).is_err());
    assert_eq!(take_all(&limiter, 8), 1_000);
    assert!(limiter.remove_override(&7));
    assert!(!limiter.remove_override(&7));
    assert!(limiter.try_acquire(&7, 1).is_err(), "nothing is given for it");
    clock.advance(ms(10));
    assert_eq!(take_all(&limiter, 7), 10);
    clock.advance(secs(2));
    assert_eq!(take_all(&limiter, 7), 1_000);
}

#[test]
fn what_a_key_owes_goes_with_it_to_a_quota_of_its_own_and_back() {
    let (limiter, _) = roomy(quota(10, 3));
    assert_eq!(take_all(&limiter, 7), 3);
    for _ in 0..10 {
        limiter.set_override(7, quota(100, 50));
        assert!(limiter.try_acquire(&7, 1).is_err());
        limiter.remove_override(&7);
        assert!(limiter.try_acquire(&7, 1).is_err());
    }
    limiter.set_override(7, quota(100, 50));
    assert!(limiter.reset(&7), "it starts anew, by its own quota");
    assert_eq!(take_all(&limiter, 7), 50);
}

/// A change means for a key that owes something what it means for a limiter of its own.
#[test]
fn another_quota_is_inherited_as_by_a_limiter() {
    let quotas = [quota(10, 20), quota(1_000, 5), quota(3, 400), quota(7, 20).initial(4)];
    for inherit in [Inherit::Reset, Inherit::AsIs, Inherit::Additive, Inherit::Proportional] {
        for taken in [1, 7, 20] {
            for next in quotas {
                let (limiter, clock) = roomy(quotas[0]);
                let alone = RateLimiter::with_clock(quotas[0], clock.clone());
                limiter.try_acquire(&1, taken).unwrap();
                alone.try_acquire(taken).unwrap();
                for after in [next, quotas[2]] {
                    if alone.peek(alone.quota().burst_size()).is_ok() {
                        break; // full, and as good as new
                    }
                    limiter.set_quota(after, inherit);
                    alone.replace(after, inherit);
                    let (by_key, by_itself) = (limiter.tokens(&1), alone.tokens());
                    assert!(
                        (by_key - by_itself).abs() < 1e-6,
                        "{inherit:?} after {taken} to {after:?}: {by_key} and not {by_itself}"
                    );
                    assert_eq!(limiter.quota(), after);
                    clock.advance(ms(35));
                }
            }
        }
    }
}

#[test]
fn who_owes_nothing_begins_anew_by_another_quota() {
    let (limiter, clock) = roomy(quota(10, 3));
    limiter.try_acquire(&1, 3).unwrap();
    clock.advance(secs(1));
    limiter.set_quota(quota(10, 8), Inherit::AsIs);
    assert!(limiter.is_empty());
    assert_eq!(take_all(&limiter, 1), 8);
    assert_eq!(take_all(&limiter, 2), 8);
}

#[test]
fn without_a_limit_all_debts_are_forgotten() {
    let (limiter, _) = roomy(quota(10, 3));
    assert_eq!(take_all(&limiter, 1), 3);
    limiter.set_quota(Quota::INF, Inherit::AsIs);
    assert!(limiter.try_acquire(&1, 1_000).is_ok());
    assert!(limiter.is_empty());
    limiter.set_quota(quota(10, 3), Inherit::AsIs);
    assert_eq!(take_all(&limiter, 1), 3);
    assert_eq!(take_all(&limiter, 2), 3);
}

/// Years go by, so that the line of supply is continued from a new origin many times.
#[test]
fn debts_survive_a_new_origin() {
    let fast = Quota::new(Rate::per(1_000_000, ms(1)), 1_000_000_000);
    let slow = Quota::new(Rate::every(secs(366 * 24 * 60 * 60)), 3);
    for (quota, step) in [(fast, secs(60 * 60 * 24 * 30)), (slow, secs(366 * 24 * 60 * 60))] {
        let (limiter, clock) = roomy(quota);
        let alone = RateLimiter::with_clock(quota, clock.clone());
        for round in 0..60 {
            clock.advance(step);
            let n = quota.burst_size() / if round % 3 == 0 { 1 } else { 3 };
            assert_eq!(limiter.try_acquire(&1, n).is_ok(), alone.try_acquire(n).is_ok());
            let (by_key, by_itself) = (limiter.tokens(&1), alone.tokens());
            assert!((by_key - by_itself).abs() < 1.0, "{by_key} and not {by_itself}");
        }
    }
}

#[test]
fn threads_share_a_key_exactly() {
    let (limiter, _) = by_key(quota(10, 1_000), 64, Policy::DenyNew);
    let granted: u32 = thread::scope(|scope| {
        let take = || (0..20_000_u64).filter(|n| limiter.try_acquire(&(n % 20), 1).is_ok()).count();
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(take)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap() as u32).sum()
    });
    assert_eq!(granted, 20 * 1_000);
}

#[test]
fn a_capacity_has_a_range() {
    let build = |keys| Keyed::<u64>::builder(quota(1, 1)).capacity(keys).build();
    let none = build(0).unwrap_err();
    assert_eq!(none.to_string(), "a capacity of 0 keys is out of the range 1 to 4294967295");
    assert!(build(u32::MAX as usize + 1).is_err());
    for keys in [1, 8, 9, 100, 5_000, 1 << 20] {
        let limiter = build(keys).unwrap();
        let slack = if keys < 10_000 { keys / 4 + 30 } else { keys / 10 };
        assert!((keys..=keys + slack).contains(&limiter.capacity()), "{limiter:?} for {keys}");
    }
    assert!(build(u32::MAX as usize).is_ok(), "nothing is allocated in advance");
    assert!(format!("{:?}", build(8).unwrap()).contains("capacity: 8"));
}

/// A key whose `Eq` panics if its first field says so.
#[derive(Clone, Debug)]
struct Bomb(bool, u64);

impl Hash for Bomb {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.1.hash(state);
    }
}

impl PartialEq for Bomb {
    fn eq(&self, other: &Self) -> bool {
        assert!(!self.0 && !other.0, "a bomb");
        self.1 == other.1
    }
}

impl Eq for Bomb {}

#[test]
fn a_panic_of_a_key_leaves_the_limiter_whole() {
    let limiter: Keyed<Bomb> = Keyed::new(Quota::per_minute(2));
    limiter.try_acquire(&Bomb(false, 1), 1).unwrap();
    assert_eq!(panic_of(|| limiter.try_acquire(&Bomb(true, 1), 1)), "a bomb");
    limiter.try_acquire(&Bomb(false, 1), 1).unwrap();
    assert!(limiter.try_acquire(&Bomb(false, 1), 1).is_err());
    assert_eq!(limiter.len(), 1);
}

#[test]
fn an_address_becomes_its_network() {
    let net = |addr: &str, bits| ipv6_prefix(addr.parse().unwrap(), bits).to_string();
    assert_eq!(net("2001:db8:1:2:3:4:5:6", 64), "2001:db8:1:2::");
    assert_eq!(net("2001:db8:1:2ff:3:4:5:6", 56), "2001:db8:1:200::");
    assert_eq!(net("2001:db8::1", 128), "2001:db8::1");
    assert_eq!(net("2001:db8::1", 0), "::");
    assert_eq!(net("192.0.2.1", 64), "192.0.2.1");
    assert_eq!(net("::ffff:192.0.2.1", 64), "192.0.2.1");
    let any: IpAddr = "::1".parse().unwrap();
    assert_eq!(panic_of(|| ipv6_prefix(any, 129)), "an IPv6 prefix has 0 to 128 bits");
}

pub(crate) fn reason(result: Result<(), Denied>) -> Option<DeniedReason> {
    result.err().map(|denied| denied.reason())
}
