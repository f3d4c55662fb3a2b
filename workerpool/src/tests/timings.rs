//! Histograms beside a list of all times.

use crate::timings::Histogram;
use proptest::collection::vec;
use proptest::prelude::{Strategy, any, prop_assert, prop_assert_eq, proptest};
use std::time::Duration;

/// Of every magnitude up to 70 minutes.
fn times() -> impl Strategy<Value = Vec<u64>> {
    let one = (any::<u64>(), 0..42_u32).prop_map(|(bits, power)| bits % (1 << power));
    vec(one, 1..200)
}

proptest! {
    #[test]
    fn percentiles_are_less_than_one_percent_off(mut nanos in times(), percent in 0.0..=100.0_f64) {
        let mut histogram = Histogram::new();
        for time in &nanos {
            histogram.record(Duration::from_nanos(*time));
        }
        nanos.sort_unstable();
        let count = nanos.len();
        let rank = ((percent / 100.0 * count as f64).ceil() as usize).max(1);
        let exact = nanos[rank - 1];
        let told = histogram.percentile(percent).unwrap().as_nanos() as u64;
        prop_assert!(told.abs_diff(exact) as f64 <= exact as f64 * 0.01, "{} for {}", told, exact);
        let as_nanos = |time: Option<Duration>| time.unwrap().as_nanos() as u64;
        prop_assert_eq!(as_nanos(histogram.min()), nanos[0]);
        prop_assert_eq!(as_nanos(histogram.max()), nanos[count - 1]);
        prop_assert_eq!(as_nanos(histogram.mean()), nanos.iter().sum::<u64>() / count as u64);
        prop_assert_eq!(histogram.count(), count as u64);
    }
}

#[test]
fn nothing_has_no_percentile() {
    let histogram = Histogram::new();
    assert_eq!((histogram.percentile(50.0), histogram.min(), histogram.mean()), (None, None, None));
}

#[test]
fn what_is_longer_than_long_is_counted_last() {
    let mut histogram = Histogram::new();
    let (day, second) = (Duration::from_secs(86_400), Duration::from_secs(1));
    histogram.record(second);
    histogram.record(day);
    histogram.record(Duration::MAX);
    assert_eq!(histogram.max(), Some(Duration::from_nanos(u64::MAX)));
    assert!(histogram.percentile(100.0).unwrap() > Duration::from_secs(4000));
    assert_eq!(histogram.buckets().map(|(_, count)| count).collect::<Vec<_>>(), [1, 2]);
}

#[test]
#[should_panic(expected = "a percentile of 101: it is in 0 to 100")]
fn a_percentile_beyond_all() {
    Histogram::new().percentile(101.0);
}
