//! A full table: who is dropped, and who never is.

use super::{by_key, reason, take_all};
use crate::support::{ms, quota, secs};
use lockgate_ratelimit::{DeniedReason, Policy};

const POLICIES: [Policy; 3] = [Policy::DenyNew, Policy::EvictFullest, Policy::SharedOverflow];

/// As many keys as there is room for and some more, none of which is full again.
fn fill(limiter: &super::Limiter) -> Vec<u64> {
    (0..20 * limiter.capacity() as u64)
        .filter(|key| limiter.try_acquire(key, 1).is_ok() && limiter.tokens(key) < 3.0)
        .collect()
}

#[test]
fn a_flood_stays_within_the_capacity() {
    for policy in POLICIES {
        for capacity in [1, 20, 500, 5_000] {
            let (limiter, clock) = by_key(quota(1, 3), capacity, policy);
            for key in 0..50_000 {
                let _ = limiter.try_acquire(&key, 1);
                if key % 1_000 == 0 {
                    assert!(limiter.len() <= limiter.capacity());
                    clock.advance(ms(7));
                }
            }
            assert!(limiter.len() <= limiter.capacity());
            assert!(limiter.len() >= capacity, "{policy:?} {capacity}");
        }
    }
}

/// A capacity is a promise: so many keys have a place, whatever their hashes.
#[test]
fn there_is_room_for_the_capacity() {
    for capacity in [1, 8, 9, 16, 17, 100, 1_000, 20_000, 100_000] {
        for _ in 0..4 {
            let (limiter, _) = by_key(quota(1, 3), capacity, Policy::DenyNew);
            for key in 0..capacity as u64 {
                assert!(limiter.try_acquire(&key, 1).is_ok(), "key {key} of {capacity}");
            }
            assert_eq!(limiter.len(), capacity);
        }
    }
}

#[test]
fn full_keys_make_room_and_nothing_is_lost() {
    for policy in POLICIES {
        let (limiter, clock) = by_key(quota(1, 3), 100, policy);
        for round in 0..50_u64 {
            for key in 0..100 {
                let key = round * 50 + key;
                assert!(limiter.try_acquire(&key, 3).is_ok(), "{policy:?} {round} {key}");
            }
            clock.advance(secs(3));
        }
        assert!(limiter.len() <= limiter.capacity());
    }
}

/// Those that are full go as others come, without anybody sweeping.
#[test]
fn the_sweep_goes_with_the_new_keys() {
    let (limiter, clock) = by_key(quota(1, 1), 4_000, Policy::DenyNew);
    for key in 0..4_000 {
        limiter.try_acquire(&key, 1).unwrap();
    }
    clock.advance(secs(1));
    // Two for each, and a few that were in the way.
    for key in 10_000..12_200 {
        limiter.try_acquire(&key, 1).unwrap();
    }
    assert!(limiter.len() < 2_500, "{} are left", limiter.len());
    clock.advance(secs(1));
    let left = limiter.len();
    assert!(left > 0);
    limiter.sweep();
    assert!(limiter.is_empty());
}

#[test]
fn a_sweep_forgets_the_full_only() {
    let (limiter, clock) = by_key(quota(1, 3), 1_000, Policy::DenyNew);
    for key in 0..900 {
        limiter.try_acquire(&key, 1 + (key % 3) as u32).unwrap();
    }
    clock.advance(secs(1));
    limiter.sweep();
    assert_eq!(limiter.len(), 600);
    for key in 0..900 {
        assert_eq!(take_all(&limiter, key), [3, 2, 1][key as usize % 3]);
    }
}

#[test]
fn new_keys_are_denied_until_there_is_room() {
    let (limiter, clock) = by_key(quota(1, 3), 8, Policy::DenyNew);
    for key in 0..8 {
        limiter.try_acquire(&key, 2).unwrap();
        clock.advance(ms(10));
    }
    let denied = limiter.try_acquire(&9, 1).unwrap_err();
    assert_eq!(denied.reason(), DeniedReason::TableFull);
    assert!(denied.to_string().starts_with("no place for another key, retry after"));
    // The first took 2 at 0.
    assert_eq!(denied.retry_after(), Some(ms(2_000 - 80)));
    assert!(limiter.try_acquire(&1, 1).is_ok(), "who is known is not concerned");
    clock.advance(ms(2_000 - 81));
    assert_eq!(reason(limiter.try_acquire(&9, 1)), Some(DeniedReason::TableFull));
    clock.advance(ms(1));
    assert_eq!(take_all(&limiter, 9), 3);
    assert_eq!(reason(limiter.try_acquire(&10, 1)), Some(DeniedReason::TableFull));
}

#[test]
fn the_one_that_owes_least_is_evicted() {
    let (limiter, _) = by_key(quota(1, 9), 8, Policy::EvictFullest);
    for key in 0..8 {
        limiter.try_acquire(&key, 2 + key as u32).unwrap();
    }
    assert!(limiter.try_acquire(&9, 9).is_ok());
    assert_eq!(limiter.len(), 8);
    for key in 1..8 {
        assert!((limiter.tokens(&key) - f64::from(7 - key as u32)).abs() < 1e-9);
    }
    assert!((limiter.tokens(&0) - 9.0).abs() < 1e-9, "it starts anew");
}

#[test]
fn those_without_a_place_share_one_bucket() {
    let (limiter, clock) = by_key(quota(1, 5), 8, Policy::SharedOverflow);
    for key in 0..8 {
        limiter.try_acquire(&key, 5).unwrap();
    }
    let granted: usize = (100..200).filter(|key| limiter.try_acquire(key, 1).is_ok()).count();
    assert_eq!(granted, 5);
    clock.advance(ms(2_000));
    let granted: usize = (100..200).filter(|key| limiter.try_acquire(key, 1).is_ok()).count();
    assert_eq!(granted, 2);
    assert_eq!(limiter.len(), 8);
    assert_eq!(limiter.peek(&300, 1).unwrap_err().retry_after(), Some(ms(1_000)));
    // A place is free: whoever gets it has what is in that bucket, because it may owe all of it.
    assert!(limiter.reset(&0));
    assert!(limiter.try_acquire(&100, 1).is_err());
    assert_eq!(limiter.len(), 8);
    clock.advance(ms(1_000));
    assert_eq!(take_all(&limiter, 100), 1);
    clock.advance(secs(10));
    assert_eq!(take_all(&limiter, 101), 5);
}

/// Whatever a flood does, who is promised tokens keeps his debt.
#[cfg(feature = "async")]
#[test]
fn an_indebted_key_is_never_dropped() {
    use crate::support::tasks::Task;
    for policy in POLICIES {
        for capacity in [8, 16, 300] {
            let (limiter, _clock) = by_key(quota(1, 3), capacity, policy);
            let debtors: Vec<_> = (0..capacity as u64 / 8)
                .map(|key| {
                    limiter.try_acquire(&key, 3).unwrap();
                    Task::spawned(limiter.acquire_owned(key, 2))
                })
                .collect();
            for key in 1_000..20_000 {
                let _ = limiter.try_acquire(&key, 1);
            }
            for (key, debtor) in debtors.into_iter().enumerate() {
                assert!((limiter.tokens(&(key as u64)) + 2.0).abs() < 1e-9, "{policy:?}");
                drop(debtor);
                assert!(limiter.tokens(&(key as u64)).abs() < 1e-9, "{policy:?}");
            }
        }
    }
}

/// With nobody but debtors, a new key has no place.
#[cfg(feature = "async")]
#[test]
fn eviction_stops_at_debtors() {
    use crate::support::tasks::Task;
    let (limiter, clock) = by_key(quota(1, 3), 8, Policy::EvictFullest);
    let debtor = |key| {
        limiter.try_acquire(&key, 3).unwrap();
        Task::spawned(limiter.acquire_owned(key, 1))
    };
    let debtors: Vec<_> = (0..8).map(debtor).collect();
    let denied = limiter.try_acquire(&9, 1).unwrap_err();
    assert_eq!(denied.reason(), DeniedReason::TableFull);
    assert_eq!(denied.retry_after(), Some(secs(1)));
    let mut wait = Task::spawned(limiter.acquire_owned(9, 1));
    assert!(!wait.still_waits());
    assert_eq!(wait.output(), Err(lockgate_ratelimit::AcquireError::TableFull));
    clock.advance(secs(1));
    assert!(limiter.try_acquire(&9, 1).is_ok());
    for debtor in debtors {
        assert_eq!(debtor.output(), Ok(secs(1)));
    }
}

#[test]
fn fill_is_as_hard_as_it_says() {
    let (limiter, _) = by_key(quota(1, 3), 64, Policy::DenyNew);
    let known = fill(&limiter);
    assert_eq!(known.len(), limiter.len());
    assert!(known.len() >= 64);
}
