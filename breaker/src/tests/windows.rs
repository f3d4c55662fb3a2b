//! The windows against lists of calls.

use crate::state::Generation;
use crate::window::{Call, CountWindow, Counts, Streak, TimeWindow};
use proptest::prelude::*;
use std::collections::VecDeque;

fn sum(calls: impl Iterator<Item = Call>) -> Counts {
    let mut counts = Counts::default();
    for call in calls {
        counts.calls += 1;
        counts.failures += u64::from(call.failed);
        counts.slow += u64::from(call.slow);
    }
    counts
}

fn call() -> impl Strategy<Value = Call> {
    (any::<bool>(), any::<bool>()).prop_map(|(failed, slow)| Call { failed, slow })
}

/// Mostly well, so that a ring has nothing but successes again and again.
fn mostly_well() -> impl Strategy<Value = Call> {
    let well = Call { failed: false, slow: false };
    prop_oneof![30 => Just(well), 1 => call()]
}

proptest! {
    /// The last N, whatever N is beside the words of 32.
    #[test]
    fn the_last_n_calls(
        size in 1_u32..100,
        all in prop_oneof![
            prop::collection::vec(call(), 0..400),
            prop::collection::vec(mostly_well(), 0..600),
        ],
    ) {
        let window = CountWindow::new(size, true);
        let mut last = VecDeque::new();
        for call in all {
            window.record(Generation(3), call);
            last.push_back(call);
            if last.len() > size as usize {
                last.pop_front();
            }
            prop_assert_eq!(window.counts(Generation(3)), sum(last.iter().copied()));
        }
        prop_assert_eq!(window.counts(Generation(4)), Counts::default());
    }

    /// What ended in the buckets of the window, and nothing else.
    #[test]
    fn the_calls_of_the_last_while(
        buckets in prop_oneof![1_u32..12, 1_u32..=1_000],
        calls in prop::collection::vec((call(), 0_u64..3_000), 0..300),
    ) {
        const WIDTH: u64 = 1_000;
        let window = TimeWindow::new(WIDTH * u64::from(buckets), buckets);
        let (mut now, mut all) = (1_000_000, Vec::new());
        for (call, pause) in calls {
            now += pause;
            window.record(Generation(9), call, now);
            all.push((now, call));
            // By the window's own borders, which lie a little off the round numbers.
            let tick = |at: u64| ((u128::from(at) * u128::from(u64::MAX / WIDTH)) >> 64) as u64;
            let first = (tick(now) + 1).saturating_sub(u64::from(buckets));
            let inside = all.iter().filter(|(at, _)| tick(*at) >= first).map(|(_, call)| *call);
            prop_assert_eq!(window.counts(Generation(9), now), sum(inside));
        }
    }
}

const FAILED: Call = Call { failed: true, slow: false };

#[test]
fn a_clock_that_steps_back_leaves_no_dead_window() {
    let window = TimeWindow::new(10_000, 10);
    window.record(Generation(0), FAILED, 1_000_500);
    for now in [0, 5_000, 9_999] {
        window.record(Generation(0), FAILED, now);
    }
    assert_eq!(window.counts(Generation(0), 9_999).failures, 3);
}

#[test]
fn numbers_that_wrap_leave_no_dead_word() {
    let window = TimeWindow::new(10_000, 10);
    let count = CountWindow::new(10, false);
    let streak = Streak::new();
    let distances = (0..24).map(|bits| 1 << bits).chain([(1 << 24) - 1, (1 << 24) - 2_000]);
    for (ahead, now) in distances.zip((1..).map(|round| round * 100_000)) {
        let generation = Generation(ahead);
        window.record(generation, FAILED, now);
        assert_eq!(window.counts(generation, now).failures, 1, "{ahead}");
        count.record(generation, FAILED);
        assert_eq!(count.counts(generation).failures, 1, "{ahead}");
        assert_eq!(streak.fail(generation), Some(1), "{ahead}");
    }
}

#[test]
fn what_is_behind_changes_nothing() {
    let window = TimeWindow::new(10_000, 10);
    let count = CountWindow::new(10, false);
    let streak = Streak::new();
    window.record(Generation(5), FAILED, 1);
    count.record(Generation(5), FAILED);
    assert_eq!(streak.fail(Generation(5)), Some(1));
    window.record(Generation(4), FAILED, 1);
    count.record(Generation(4), FAILED);
    assert_eq!(streak.fail(Generation(4)), None);
    streak.succeed(Generation(4));
    assert_eq!(window.counts(Generation(5), 1).failures, 1);
    assert_eq!(count.counts(Generation(5)).failures, 1);
    assert_eq!(streak.failures(Generation(5)), 1);
}

#[test]
fn a_count_stops_at_what_it_holds() {
    let window = TimeWindow::new(10, 1);
    for _ in 0..(1 << 24) + 5 {
        window.record(Generation(0), Call { failed: false, slow: false }, 1);
    }
    assert_eq!(window.counts(Generation(0), 1).calls, (1 << 24) - 1);
}
