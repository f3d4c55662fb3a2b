//! One breaker for each key.

use crate::support::{WAIT, builder, fail, secs, succeed, touchy};
use lockgate_breaker::clock::Manual;
use lockgate_breaker::{Policy, Registry, State};
use std::sync::Barrier;

#[test]
fn each_key_has_its_own() {
    let clock = Manual::new();
    let usual = touchy(&clock);
    let special = builder(&clock, Policy::consecutive_failures(3));
    let registry = Registry::new(usual).unwrap().with("c", special).unwrap();
    assert!(registry.is_empty());
    fail(&registry.get(&"a"));
    fail(&registry.get(&"c"));
    let states = ["a", "b", "c"].map(|key| registry.get(&key).state());
    assert_eq!(states, [State::Open, State::Closed, State::Closed]);
    assert_eq!(registry.get(&"b").name(), "b");
    let mut keys: Vec<_> = registry.all().into_iter().map(|(key, _)| key).collect();
    keys.sort_unstable();
    assert_eq!(keys, ["a", "b", "c"]);
    assert_eq!(registry.remove(&"a").unwrap().state(), State::Open);
    assert_eq!(registry.get(&"a").state(), State::Closed);
}

#[test]
fn a_bad_builder_is_refused_at_once() {
    let clock = Manual::new();
    assert!(Registry::<u8, _>::new(touchy(&clock).probes(0)).is_err());
    let registry = Registry::new(touchy(&clock)).unwrap();
    assert!(registry.with(1_u8, touchy(&clock).probes(9_999)).is_err());
}

#[test]
fn all_who_come_first_get_the_same() {
    const THREADS: usize = 8;
    let clock = Manual::new();
    let registry = Registry::new(builder(&clock, Policy::consecutive_failures(THREADS as u32)));
    let (registry, gate) = (registry.unwrap(), Barrier::new(THREADS));
    for key in 0..50_u32 {
        std::thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    gate.wait();
                    fail(&registry.get(&key));
                });
            }
        });
        assert_eq!(registry.get(&key).state(), State::Open);
    }
}

/// Keys that somebody else chooses do not fill the memory, and what matters is kept.
#[test]
fn idle_ones_are_forgotten() {
    let clock = Manual::new();
    let registry = Registry::new(touchy(&clock)).unwrap().evict_idle(secs(60));
    let held = registry.get(&0_u32);
    fail(&registry.get(&1));
    for key in 2..100_000_u32 {
        // An open one is not forgotten; its open time is never over here.
        if key % 100 == 0 {
            registry.get(&1).force_open();
            clock.advance(secs(1));
        }
        succeed(&registry.get(&key));
        assert!(registry.len() <= 2 * 6_200, "{}", registry.len());
    }
    assert_eq!(registry.get(&1).state(), State::ForcedOpen);
    fail(&held);
    assert_eq!(registry.get(&0).state(), State::Open, "it is the same");
    clock.advance(WAIT);
}

/// Hosts that failed once and that nobody asks for again: they stay open only until they are asked.
#[test]
fn open_ones_whose_time_is_over_are_forgotten_too() {
    let clock = Manual::new();
    let registry = Registry::new(touchy(&clock)).unwrap().evict_idle(secs(60));
    let kept = [0_u32, 1, 2, 3];
    registry.get(&0).force_open();
    registry.get(&1).disable();
    registry.get(&2).metrics_only();
    registry.get(&3).force_open_for(secs(1 << 30));
    for key in 10..20_000_u32 {
        if key % 100 == 0 {
            clock.advance(secs(1));
        }
        fail(&registry.get(&key));
        if key % 3 == 0 {
            clock.advance(WAIT);
            // Half open, with a probe that has gone.
            drop(registry.get(&key).try_acquire());
        }
    }
    assert!(registry.len() <= 2 * 6_200, "{}", registry.len());
    let states = kept.map(|key| registry.get(&key).state());
    let forced = State::ForcedOpen;
    assert_eq!(states, [forced, State::Disabled, State::MetricsOnly, forced]);
}

/// One that is open by a builder of its own stays: its clock may be another.
#[test]
fn an_open_one_with_its_own_builder_stays() {
    let (clock, other) = (Manual::new(), Manual::new());
    let registry = Registry::new(touchy(&clock)).unwrap().evict_idle(secs(60));
    let registry = registry.with(0_u32, touchy(&other)).unwrap();
    fail(&registry.get(&0));
    for key in 1..1_000 {
        clock.advance(secs(60));
        fail(&registry.get(&key));
    }
    assert_eq!(registry.get(&0).state(), State::Open);
    assert!(registry.len() <= 66, "{}", registry.len());
}
