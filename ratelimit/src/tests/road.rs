//! The open road, which decides most requests, beside the machine that decides all.

use super::support::Random;
use crate::core::{Promise, Road, Slot};
use crate::error::Denied;
use crate::quota::{Quota, Rate};
use crate::state::{Bucket, Change, Curve, Inherit, Taken, Word};
use std::time::Duration;

/// Of so many bits, 1 to 64.
fn wide(random: &mut Random, bits: u64) -> u64 {
    (random.below(1 << 32) << 32 | random.below(1 << 32)) >> (64 - bits)
}

/// A quota of any size, more often of an odd one.
fn quota(random: &mut Random) -> Quota {
    let period = match random.below(4) {
        0 => 1 + random.below(1_000),
        1 => 1_000_000_000,
        2 => 1 + random.below(1 << 31) * 1_000,
        _ => 86_400_000_000_000 * (1 + random.below(366)),
    };
    let most = period.saturating_mul(10).min(u64::from(u32::MAX));
    let most = if random.below(2) == 0 { most.min(100) } else { most };
    let tokens = 1 + random.below(most) as u32;
    let burst = match random.below(4) {
        0 => random.below(5) as u32,
        1 => u32::MAX - random.below(3) as u32,
        _ => random.below(1 << 31) as u32,
    };
    Quota::new(Rate::per(tokens, Duration::from_nanos(period)), burst)
}

/// What the road has to say, if it says anything.
fn agrees(curve: &Curve, word: Word, n: u32, now: u64, road: Road) -> bool {
    let rare = curve.flags != 0 || n > curve.burst || now < curve.start;
    let taken = curve.glance(now).map(|glance| match rare {
        false => Some(curve.take(word.consumed(), glance, n)),
        true => None,
    });
    match (road, taken) {
        (Road::Take(is), Ok(Some(Taken::Now { to }))) => assert_eq!(is, word.with(to)),
        (Road::Deny(is), Ok(Some(Taken::Later { to }))) => {
            assert_eq!(is, Denied::not_yet(curve, now, to));
        }
        (Road::Leave, _) => return false,
        // It goes on where the line is to be renewed by those who promise.
        (Road::Take(is), Err(_)) => {
            let supply = curve.place_at(now);
            let brim = supply - crate::state::tokens(curve.burst);
            let place = curve.place(word.consumed()).max(brim) + crate::state::tokens(n);
            assert!(curve.place(is.consumed()) <= supply);
            assert!((place - curve.place(is.consumed())).abs() <= curve.place(1) - curve.place(0));
        }
        (Road::Deny(_), Err(_)) => {
            let wanted = curve.place(word.consumed()) + crate::state::tokens(n);
            assert!(wanted > curve.place_at(now));
        }
        (road, taken) => panic!("{road:?} for {taken:?}"),
    }
    true
}

/// The same for what it promises.
fn promises(curve: &Curve, word: Word, n: u32, now: u64, promise: Option<Promise>) -> bool {
    let to = word.consumed() + curve.units(n);
    let glance = curve.glance(now);
    let rare = curve.flags != 0 || n > curve.burst || now < curve.start;
    let Some(promise) = promise else {
        let later = glance.is_ok_and(|glance| {
            let later =
                !rare && matches!(curve.take(word.consumed(), glance, n), Taken::Later { .. });
            later && to > curve.exact(glance).floor + 1
        });
        assert!(!later || !Curve::holds(to) || curve.when(to).is_none(), "{curve:?} {n} {now}");
        return false;
    };
    assert!(!rare);
    // Where the line is to be renewed, it goes on.
    if let Ok(glance) = glance {
        assert_eq!(curve.take(word.consumed(), glance, n), Taken::Later { to });
    }
    assert!(curve.place(to) > curve.place_at(now));
    assert_eq!((promise.word, promise.place), (word.with(to), curve.place(to)));
    assert_eq!(promise.at, curve.when(to));
    true
}

/// Whatever the configuration, the moment and what is consumed: it says the same, or nothing; and
/// nothing only where something is rare.
#[test]
fn it_says_what_the_machine_says() {
    let mut random = Random::new(11);
    let (mut answers, mut grants, mut promised) = (0, 0, 0);
    for round in 0..40_000_u64 {
        let start = wide(&mut random, 40);
        let generation = random.below(1 << 20);
        let first = Bucket::new(quota(&mut random), start);
        let change = Change::Quota(quota(&mut random), Inherit::AsIs);
        let bucket = match round % 3 {
            0 => first,
            _ => first.change(change, start + random.below(1 << 20), generation),
        };
        let generation = if round % 3 == 0 { 0 } else { generation };
        let curve = bucket.curve;
        let slot = Slot::new(&curve);
        slot.write(&curve, generation);
        for _ in 0..20 {
            let bits = 1 + random.below(57);
            let elapsed = wide(&mut random, bits);
            let now = (curve.start + elapsed).saturating_sub(random.below(20) / 19);
            // Around what is supplied, around the brim, in debt, and anywhere.
            let supply = curve.supply(now).map_or(curve.base, |supply| supply.floor);
            let burst = curve.units(curve.burst);
            let n = match random.below(3) {
                0 => 1,
                1 => {
                    1 + random.below(u64::from(curve.burst) + 2).min(u64::from(u32::MAX) - 1) as u32
                }
                _ => curve.burst.max(1),
            };
            let near = match random.below(5) {
                0 => supply.saturating_sub(curve.units(n)),
                1 => supply.saturating_sub(burst),
                2 => supply + wide(&mut random, 50),
                3 => supply.saturating_sub(wide(&mut random, 52) % (burst + 1)),
                _ => bucket.consumed,
            };
            let consumed = (near + random.below(5)).saturating_sub(2).min(Curve::FURTHEST);
            let word = Word::new(generation, consumed);
            let road = slot.road(word, n, now);
            grants += u64::from(matches!(road, Road::Take(_)));
            let promise = slot.promise(word, n, now);
            promised += u64::from(promises(&curve, word, n, now, promise));
            let answered = agrees(&curve, word, n, now, road);
            answers += u64::from(answered);
            let out = curve.burst == 0 || n > curve.burst || now < curve.start;
            let unit = curve.glance(now).is_ok_and(|_| {
                let to = consumed + curve.units(n);
                to.abs_diff(supply) <= 1 || (consumed + burst).abs_diff(supply) <= 1
            });
            assert!(
                answered || out || unit || curve.glance(now).is_err(),
                "{curve:?} {word:?} {n} {now}"
            );
        }
    }
    assert!(answers > 400_000 && grants > 100_000, "{answers} {grants}");
    assert!(promised > 100_000, "{promised}");
}

/// Nothing out of the ordinary is decided: a pause, a close, no limit; and it ends where the line is
/// to be renewed, and no earlier.
#[test]
fn it_has_no_answer_off_the_road() {
    let bucket = Bucket::new(Quota::per_second(1_000).burst(10), 0);
    let changes = [
        Change::Pause { until: 100 },
        Change::Close,
        Change::Quota(Quota::INF, Inherit::AsIs),
        Change::Quota(Quota::per_second(1).burst(0), Inherit::AsIs),
    ];
    for (change, now) in changes.into_iter().flat_map(|change| [(change, 50), (change, 150)]) {
        let next = bucket.change(change, 10, 1);
        let slot = Slot::new(&next.curve);
        slot.write(&next.curve, 1);
        let road = slot.road(Word::new(1, next.consumed), 1, now);
        assert!(matches!(road, Road::Leave), "{change:?} {road:?}");
    }
    for rate in [Rate::per(10, Duration::from_nanos(1)), Rate::per_second(7), Rate::ZERO] {
        let bucket = Bucket::new(Quota::new(rate, 5), 0);
        let slot = Slot::new(&bucket.curve);
        let word = Word::new(0, bucket.consumed);
        let leaves = |now| matches!(slot.road(word, 1, now), Road::Leave);
        let end = (0..64).map(|bits| 1 << bits).find(|now| leaves(*now)).unwrap();
        assert!(!leaves(end - 1) && leaves(u64::MAX), "{rate:?} {end}");
        assert!(bucket.curve.glance(end).is_err(), "{rate:?} {end}");
    }
}

/// A clock that went below zero once has wrapped: what comes after it looks earlier, and supplies nothing.
#[test]
fn a_clock_that_went_below_zero_supplies_nothing() {
    for below in [0, 5, 1 << 40] {
        let bucket = Bucket::new(Quota::per_second(1_000).burst(10).initial(0), u64::MAX - below);
        let slot = Slot::new(&bucket.curve);
        let road = slot.road(Word::new(0, bucket.consumed), 1, 3_000_000);
        assert!(matches!(road, Road::Leave), "{below} {road:?}");
    }
}
