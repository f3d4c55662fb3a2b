//! Rates and quotas that are read from a configuration.

use lockgate_ratelimit::{Quota, Rate};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use std::time::Duration;

const YEAR: Duration = Duration::from_secs(366 * 24 * 60 * 60);

fn read<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn write(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap()
}

fn rate(text: &str) -> Result<Rate, String> {
    read(&format!("\"{text}\""))
}

#[test]
fn a_rate_is_written_for_people() {
    for (value, text) in [
        (Rate::per_second(100), "100 per 1s"),
        (Rate::per_minute(5), "5 per 1m"),
        (Rate::per(3, Duration::from_millis(1500)), "3 per 1s 500ms"),
        (Rate::every(Duration::from_nanos(1)), "1 per 1ns"),
        (Rate::per(u32::MAX, YEAR), "4294967295 per 1year 18h"),
        (Rate::INF, "unlimited"),
        (Rate::ZERO, "zero"),
    ] {
        assert_eq!(write(&value), format!("\"{text}\""));
        assert_eq!(rate(text), Ok(value), "{text}");
    }
}

#[test]
fn a_rate_is_read_as_people_write_it() {
    for text in ["100 per second", "100 per s", "100 per 1000ms", " 100  per 1 sec ", "100 per 1s"]
    {
        assert_eq!(rate(text), Ok(Rate::per_second(100)), "{text}");
    }
    assert_eq!(rate("1000 per hour"), Ok(Rate::per(1000, Duration::from_secs(3600))));
    assert_eq!(rate("1 per 1h 30m"), Ok(Rate::every(Duration::from_secs(5400))));
    assert_eq!(rate("1 per day"), Ok(Rate::every(Duration::from_secs(86_400))));
}

/// The builder's words and ranges, for the builder's code has said them.
#[test]
fn what_is_no_rate_says_why() {
    for (text, why) in [
        ("0 per 1s", "a rate of 0 tokens is out of the range 1 to u32::MAX"),
        ("1 per 0s", "a period of 0ns is out of the range 1 ns to 366 days"),
        ("1 per 367days", "is out of the range 1 ns to 366 days"),
        ("11 per 1ns", "11 tokens in 1ns are more than 10 in a nanosecond"),
        ("4294967296 per 1s", "`4294967296` tokens are no number in the range 1 to 4294967295"),
        ("-1 per 1s", "`-1` tokens are no number"),
        ("1.5 per 1s", "`1.5` tokens are no number"),
        ("100", "write \"100 per 1s\""),
        ("100/s", "write \"100 per 1s\""),
        ("", "write \"100 per 1s\""),
        ("100 per ", "`` is not a period"),
        ("100 per fortnight", "`fortnight` is not a period"),
        ("100 per -1s", "`-1s` is not a period"),
        ("100 per 99999999999999999999s", "is not a period"),
    ] {
        let error = rate(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
    assert!(read::<Rate>("100").unwrap_err().contains("expected a rate"));
}

#[test]
fn a_quota_is_a_rate_a_burst_and_a_start() {
    let all: Quota = read(r#"{"rate":"100 per 1s","burst":20,"initial":5}"#).unwrap();
    assert_eq!(all, Quota::per_second(100).burst(20).initial(5));
    assert_eq!(write(&all), r#"{"rate":"100 per 1s","burst":20,"initial":5}"#);
    assert_eq!(read(r#"{"rate":"100 per 1s"}"#), Ok(Quota::per_second(100)));
    assert_eq!(read(r#"{"rate":"100 per 1s","burst":null}"#), Ok(Quota::per_second(100)));
    assert_eq!(read(r#""100 per second""#), Ok(Quota::per_second(100)));
    assert_eq!(read(r#"{"rate":"zero","burst":7}"#), Ok(Quota::ZERO.burst(7)));
    assert_eq!(read("\"zero\""), Ok(Quota::ZERO));
    assert_eq!(read("\"unlimited\""), Ok(Quota::INF));
    assert_eq!(write(&Quota::per_minute(3)), r#"{"rate":"3 per 1m","burst":3}"#);
}

#[test]
fn what_is_no_quota_says_why() {
    for (text, why) in [
        (
            r#"{"rate":"9 per 1s","initial":10}"#,
            "10 initial tokens are out of the range 0 to 9, the burst",
        ),
        (r#"{"rate":"0 per 1s"}"#, "a rate of 0 tokens"),
        (r#"{"burst":20}"#, "missing field `rate`"),
        (r#"{"rate":"1 per 1s","brust":20}"#, "unknown field `brust`"),
        (r#"{"rate":"1 per 1s","burst":-1}"#, "expected u32"),
        (r#"{"rate":"1 per 1s","burst":4294967296}"#, "expected u32"),
        ("7", "expected { rate, burst, initial }"),
    ] {
        let error = read::<Quota>(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}

proptest! {
    /// What can be built is read back as it was: exactly, to the nanosecond.
    #[test]
    fn what_is_written_is_read_back(
        tokens in 1..=u32::MAX,
        nanos in prop_oneof![1..1_000_000_u64, 1..YEAR.as_nanos() as u64 + 1],
        burst: u32,
        share in proptest::option::of(0.0..=1.0),
    ) {
        let Ok(rate) = Rate::try_per(tokens, Duration::from_nanos(nanos)) else { return Ok(()) };
        let quota = Quota::new(rate, burst);
        let quota = match share {
            Some(share) => quota.initial((f64::from(burst) * share) as u32),
            None => quota,
        };
        prop_assert_eq!(read(&write(&quota)), Ok(quota));
    }

    /// No text makes it panic, or makes a quota that the builder refuses.
    #[test]
    fn no_text_is_dangerous(tokens in "[0-9]{0,11}", period in "[0-9]{0,20} ?[a-z]{0,6}") {
        if let Ok(rate) = rate(&format!("{tokens} per {period}")) {
            prop_assert_eq!(rate.per_second_f64() > 0.0, true);
            prop_assert!(rate.per_second_f64() <= 1e10);
        }
    }
}
