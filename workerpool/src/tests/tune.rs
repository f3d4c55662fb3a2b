//! The controller, on curves that are known.

use crate::tune::{Range, Tuner};
use std::time::Duration;

const BATCHES: Range =
    Range { first: 10, least: 1, most: 1 << 14, samples: 16, time: Duration::from_millis(2) };
const WORKERS: Range =
    Range { first: 2, least: 2, most: 64, samples: 16, time: Duration::from_millis(20) };

/// How long so many items take, in nanoseconds.
type Curve<'a> = &'a dyn Fn(usize) -> f64;

/// Feeds `count` samples, each one off by up to `noise`; gives the sizes that were in force.
fn drive(tuner: &mut Tuner, curve: Curve<'_>, count: usize, noise: f64) -> Vec<usize> {
    let mut random = 0x2545_F491_4F6C_DD1D_u64;
    let sizes = (0..count).map(|_| {
        let size = tuner.size();
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let off = (random >> 11) as f64 / (1_u64 << 53) as f64 * 2.0 - 1.0;
        let nanos = curve(size) * (1.0 + off * noise);
        tuner.record(size, size, Duration::from_nanos(nanos as u64));
        size
    });
    sizes.collect()
}

/// Items in a second.
fn rate(curve: Curve<'_>, size: usize) -> f64 {
    size as f64 / curve(size)
}

fn best(curve: Curve<'_>, range: Range) -> f64 {
    (range.least..=range.most).map(|size| rate(curve, size)).fold(0.0, f64::max)
}

/// The size at which it rests: the one that was in force most often, of the last half.
fn resting(sizes: &[usize]) -> usize {
    let mut counts = std::collections::BTreeMap::new();
    for size in &sizes[sizes.len() / 2..] {
        *counts.entry(*size).or_insert(0) += 1;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map_or(0, |(size, _)| size)
}

fn reaches(share: f64, range: Range, curve: Curve<'_>, noise: f64) -> usize {
    let sizes = drive(&mut Tuner::new(range), curve, 100_000, noise);
    let rests = resting(&sizes);
    let reached = rate(curve, rests) / best(curve, range);
    assert!(reached >= share, "{rests} has {reached:.2} of the best");
    // All that was tried on the way counts too.
    let time: f64 = sizes[sizes.len() / 2..].iter().map(|size| curve(*size)).sum();
    let items: usize = sizes[sizes.len() / 2..].iter().sum();
    let overall = items as f64 / time / best(curve, range);
    assert!(overall >= share - 0.05, "{overall:.2} of the best, with what was tried");
    rests
}

#[test]
fn a_fixed_cost_for_each_batch_is_shared_by_more_items() {
    // 10 000 ns for a batch and 100 for an item: the half of the best at 100 items.
    let rests = reaches(0.9, BATCHES, &|size| 10_000.0 + 100.0 * size as f64, 0.0);
    assert!((640..=2560).contains(&rests), "{rests}: no larger than it pays");
}

#[test]
fn it_stops_before_a_cliff() {
    // What is more than 200 items does not fit into a cache.
    let curve = |size: usize| {
        let each = if size <= 200 { 100.0 } else { 400.0 };
        5_000.0 + each * size as f64
    };
    let rests = reaches(0.9, BATCHES, &curve, 0.0);
    assert_eq!(rests, 160);
}

#[test]
fn it_does_not_grow_where_that_brings_nothing() {
    // Items that sleep for a millisecond each.
    let rests = reaches(0.95, BATCHES, &|size| 1_000_000.0 * size as f64, 0.0);
    assert!(rests <= 10, "{rests}: small batches are shared out better");
}

#[test]
fn it_shrinks_where_small_is_better() {
    let curve = |size: usize| 100.0 * size as f64 + 50.0 * (size * size) as f64 + 200.0;
    let rests = reaches(0.85, BATCHES, &curve, 0.0);
    assert!(rests <= 5, "{rests}");
}

#[test]
fn it_finds_its_way_in_noise() {
    reaches(0.9, BATCHES, &|size| 10_000.0 + 100.0 * size as f64, 0.3);
    reaches(0.9, BATCHES, &|size| 1_000_000.0 * size as f64, 0.3);
}

/// Neighbours of a machine that is shared are busy for milliseconds at a time.
#[test]
fn it_is_not_led_away_by_noise_that_lasts() {
    let calls = std::cell::Cell::new(0_u64);
    let curve = |size: usize| 3_000.0 + 50.0 * size as f64;
    let shaken = |size: usize| {
        calls.set(calls.get() + 1);
        let mut block = (calls.get() / 40).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        block ^= block >> 29;
        let off = (block.wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 40) as f64 / f64::from(1 << 24);
        curve(size) * (0.85 + 0.3 * off)
    };
    let sizes = drive(&mut Tuner::new(BATCHES), &shaken, 200_000, 0.1);
    let time: f64 = sizes.iter().map(|size| curve(*size)).sum();
    let overall = sizes.iter().sum::<usize>() as f64 / time / best(&curve, BATCHES);
    assert!(overall >= 0.9, "{overall:.2} of the best");
}

#[test]
fn it_looks_again_when_the_load_changes() {
    let mut tuner = Tuner::new(BATCHES);
    let before = resting(&drive(&mut tuner, &|size| 1_000_000.0 * size as f64, 10_000, 0.0));
    assert!(before <= 10, "{before}");
    let curve = |size: usize| 10_000.0 + 100.0 * size as f64;
    let after = resting(&drive(&mut tuner, &curve, 50_000, 0.0));
    assert!(after >= 640, "{after}");
    let back = |size: usize| 1_000.0 * size as f64 * if size > 40 { 2.0 } else { 1.0 };
    let smaller = resting(&drive(&mut tuner, &back, 200_000, 0.0));
    assert!(smaller <= 40, "{smaller}");
}

#[test]
fn it_finds_how_many_workers_block_at_once() {
    // A service that answers 20 at once, in a millisecond, and slows down beyond.
    let curve = |workers: usize| {
        let over = workers.saturating_sub(20) as f64;
        1_000_000.0 * (workers as f64 / 20.0).max(1.0) * (1.0 + over / 20.0)
    };
    let rests = reaches(0.75, WORKERS, &curve, 0.0);
    assert_eq!(rests, 16, "the power of two below the best");
    // On two cores, of which each job needs one.
    let cores = |workers: usize| 1_000_000.0 * workers as f64 / 2.0;
    assert_eq!(reaches(0.95, WORKERS, &cores, 0.1), 2);
    assert_eq!(reaches(0.95, WORKERS, &|_| 1_000_000.0, 0.1), 64, "all sleep");
}

#[test]
fn what_was_begun_with_another_size_does_not_count() {
    let mut tuner = Tuner::new(BATCHES);
    let sample = Duration::from_millis(1);
    for _ in 0..17 {
        tuner.record(10, 10, sample);
    }
    assert_eq!(tuner.size(), 20);
    for _ in 0..100 {
        tuner.record(10, 10, sample);
    }
    assert_eq!(tuner.size(), 20);
    tuner.record(20, 20, Duration::from_secs(9)); // waited for those before
    for _ in 0..16 {
        assert_eq!(tuner.size(), 20);
        tuner.record(20, 20, sample);
    }
    assert_eq!(tuner.size(), 40);
}

#[test]
fn an_epoch_that_is_forgotten_is_not_judged() {
    let mut tuner = Tuner::new(BATCHES);
    for _ in 0..1000 {
        for _ in 0..16 {
            tuner.record(10, 10, Duration::from_millis(1));
        }
        tuner.forget_epoch();
    }
    assert_eq!(tuner.size(), 10);
}

#[test]
fn sizes_stay_in_their_range() {
    let range = Range { first: 9, least: 3, most: 50, samples: 1, time: Duration::ZERO };
    let sizes = drive(&mut Tuner::new(range), &|_| 1000.0, 10_000, 0.5);
    assert!(sizes.iter().all(|size| (3..=50).contains(size)));
    assert!(sizes.contains(&50));
    let alone = Range { first: 9, least: 4, most: 4, samples: 1, time: Duration::ZERO };
    assert!(drive(&mut Tuner::new(alone), &|_| 1000.0, 100, 0.5).iter().all(|size| *size == 4));
}
