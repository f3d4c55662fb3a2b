//! Breakers that are read from a configuration.

use crate::support::{WAIT, fail, is_rejected, secs, succeed};
use lockgate_breaker::clock::{Clock, Manual};
use lockgate_breaker::{
    BackoffConfig, Breaker, BreakerConfig, Builder, DropPolicy, PolicyConfig, State, WindowConfig,
};
use proptest::option::of;
use proptest::prelude::*;
use std::time::Duration;

fn read(text: &str) -> Result<BreakerConfig, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

fn write(config: &BreakerConfig) -> String {
    serde_json::to_string(config).unwrap()
}

fn build(text: &str, clock: &Manual) -> Breaker<Manual> {
    read(text).unwrap().builder("read").clock(clock.clone()).build().unwrap()
}

/// Whatever is not said has the builder's default.
#[test]
fn nothing_is_the_default() {
    let config = read("{}").unwrap();
    assert_eq!(config, BreakerConfig::default());
    assert_eq!(write(&config), "{}");
    assert_eq!(said(&config.builder("a")), said(&Breaker::builder("a")));
    let nulls = r#"{"policy":null,"open_for":null,"probes":null,"successes":null,
        "probes_at_a_time":null,"probe_lease":null,"on_drop":null,"call_deadline":null,"remote_quorum":null}"#;
    assert_eq!(read(nulls), Ok(config));
}

/// All that a builder was told, but for its clock.
fn said<C: Clock + std::fmt::Debug>(builder: &Builder<C>) -> String {
    let text = format!("{builder:?}");
    let end = text.find("clock").expect("a builder shows what it was told");
    text[..end].to_owned()
}

#[test]
fn all_that_a_builder_can_be_told() {
    let text = concat!(
        r#"{"policy":{"any":[{"consecutive_failures":20},"#,
        r#"{"all":[{"failure_rate":{"rate":0.5,"min_calls":20,"#,
        r#""window":{"time":{"length":"10s","buckets":10}}}},"#,
        r#"{"slow_call_rate":{"rate":0.8,"slower_than":"2s","window":{"count":50}}}]},"#,
        r#"{"failures_of":{"failures":5,"calls":9}},"#,
        r#"{"client_throttle":{"factor":1.5,"max_rejection_rate":0.8,"min_calls":7,"#,
        r#""window":{"time":{"length":"1m","buckets":6}}}}]},"#,
        r#""open_for":{"exponential":{"first":"1s","most":"1m 30s","jitter":0.2}},"#,
        r#""probes":4,"successes":3,"probes_at_a_time":2,"probe_lease":"40s","#,
        r#""on_drop":"failure","call_deadline":"250ms","remote_quorum":5}"#,
    );
    let config = read(text).unwrap();
    assert_eq!(write(&config), text);

    use lockgate_breaker::{Backoff, Policy, Window};
    let policy = Policy::any([
        Policy::consecutive_failures(20),
        Policy::all([
            Policy::failure_rate(0.5).min_calls(20).window(Window::time(secs(10), 10)),
            Policy::slow_call_rate(0.8, secs(2)).window(Window::count(50)),
        ]),
        Policy::failures_of(5, 9),
        Policy::client_throttle(1.5)
            .max_rejection_rate(0.8)
            .min_calls(7)
            .window(Window::time(secs(60), 6)),
    ]);
    let by_hand = Breaker::builder("read")
        .policy(policy)
        .open_for(Backoff::exponential(secs(1), secs(90)).jitter(0.2))
        .probes(4)
        .successes(3)
        .probes_at_a_time(2)
        .probe_lease(secs(40))
        .on_drop(DropPolicy::Failure)
        .call_deadline(Duration::from_millis(250))
        .remote_quorum(5);
    assert_eq!(said(&config.builder("read")), said(&by_hand));
}

#[test]
fn what_was_read_is_what_it_does() {
    let clock = Manual::new();
    let open_for = r#""open_for":{"fixed":{"wait":"5s","jitter":0}}"#;
    let breaker =
        build(&format!(r#"{{"policy":{{"consecutive_failures":2}},{open_for}}}"#), &clock);
    fail(&breaker);
    succeed(&breaker);
    fail(&breaker);
    fail(&breaker);
    assert_eq!(breaker.retry_after(), Some(WAIT));
    assert!(is_rejected(&breaker));
    clock.advance(WAIT);
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Closed);

    let rate = r#"{"failure_rate":{"rate":0.5,"min_calls":4,"window":{"count":4}}}"#;
    let breaker = build(&format!(r#"{{"policy":{rate}}}"#), &clock);
    for call in [succeed, fail, fail] {
        call(&breaker);
    }
    assert_eq!(breaker.state(), State::Closed, "three calls are fewer than four");
    succeed(&breaker);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_duration_is_read_as_people_write_it() {
    for text in ["90s", "1m 30s", "1m30s", " 90000ms ", "1min 30sec"] {
        let config = read(&format!(r#"{{"probe_lease":"{text}"}}"#)).unwrap();
        assert_eq!(config.probe_lease, Some(secs(90)), "{text}");
        assert_eq!(write(&config), r#"{"probe_lease":"1m 30s"}"#);
    }
}

/// The builder's words and ranges, for the builder's code has said them.
#[test]
fn what_builds_no_breaker_says_why() {
    let window = |window: &str| {
        format!(r#"{{"policy":{{"failure_rate":{{"rate":0.5,"min_calls":1,"window":{window}}}}}}}"#)
    };
    let policy = |policy: &str| format!(r#"{{"policy":{policy}}}"#);
    for (text, why) in [
        (r#"{"probes":0}"#.into(), "the probes of 0 is out of the range 1 to 4095"),
        (r#"{"probes":4096}"#.into(), "the probes of 4096 is out of the range 1 to 4095"),
        (
            r#"{"probes":3,"successes":4}"#.into(),
            "the successes among the probes of 4 is out of the range 1 to 3",
        ),
        (
            r#"{"probes":3,"probes_at_a_time":0}"#.into(),
            "the probes at a time of 0 is out of the range 1 to 3",
        ),
        (
            r#"{"probe_lease":"0s"}"#.into(),
            "the probe lease of 0ns is out of the range 1ns to 31622400s",
        ),
        (
            r#"{"call_deadline":"367days"}"#.into(),
            "the call deadline of 31708800s is out of the range 0ns to 31622400s",
        ),
        (
            r#"{"open_for":{"fixed":{"wait":"0s"}}}"#.into(),
            "the open time of 0ns is out of the range 1ns to 31622400s",
        ),
        (
            r#"{"open_for":{"exponential":{"first":"0s","most":"1s"}}}"#.into(),
            "the first open time of 0ns is out of the range 1ns to 31622400s",
        ),
        (
            r#"{"open_for":{"exponential":{"first":"2s","most":"1s"}}}"#.into(),
            "the longest open time of 1s is out of the range 2s to 31622400s",
        ),
        (
            r#"{"open_for":{"fixed":{"wait":"1s","jitter":1.5}}}"#.into(),
            "a jitter of 1.5 is out of the range 0 to 1",
        ),
        (
            policy(r#"{"consecutive_failures":0}"#),
            "the failures in a row of 0 is out of the range 1 to 4294967295",
        ),
        (
            policy(r#"{"failures_of":{"failures":6,"calls":5}}"#),
            "the failures of a policy of 6 is out of the range 1 to 5",
        ),
        (
            policy(r#"{"failure_rate":{"rate":0.0}}"#),
            "the rate of a policy of 0 is out of the range above 0 to 1",
        ),
        (
            policy(r#"{"failure_rate":{"rate":0.5,"min_calls":101}}"#),
            "the minimum of calls of 101 is out of the range 1 to 100",
        ),
        (
            policy(r#"{"slow_call_rate":{"rate":0.5,"slower_than":"0s"}}"#),
            "the limit for slow calls of 0ns is out of the range 1ns to 31622400s",
        ),
        (
            policy(
                r#"{"all":[{"slow_call_rate":{"rate":0.5,"slower_than":"1s"}},
                    {"slow_call_rate":{"rate":0.5,"slower_than":"2s"}}]}"#,
            ),
            "calls are slow after 1s in one policy and 2s in another",
        ),
        (policy(r#"{"any":[]}"#), "any or all of no policy"),
        (window(r#"{"count":0}"#), "the calls of a window of 0 is out of the range 1 to 1048576"),
        (
            window(r#"{"time":{"length":"10s","buckets":1001}}"#),
            "the buckets of a window of 1001 is out of the range 1 to 1000",
        ),
        (
            window(r#"{"time":{"length":"10s","buckets":0}}"#),
            "the buckets of a window of 0 is out of the range 1 to 1000",
        ),
        (
            window(r#"{"time":{"length":"2h","buckets":1}}"#),
            "the time of a bucket of 7200s is out of the range 1µs to 3600s",
        ),
    ] {
        let error = read(&text).unwrap_err();
        assert!(error.starts_with(why), "{text}: {error}");
    }
}

/// What is no configuration at all: the value, and what would be one.
#[test]
fn what_cannot_be_read_says_why() {
    for (text, why) in [
        (r#"{"prboes":3}"#, "unknown field `prboes`, expected one of `policy`, `open_for`"),
        (r#"{"policy":{"consecutive":3}}"#, "unknown variant `consecutive`, expected one of"),
        (r#"{"policy":{"failure_rate":{"rate":0.5,"windows":1}}}"#, "unknown field `windows`"),
        (r#"{"policy":{"failure_rate":{}}}"#, "missing field `rate`"),
        (r#"{"on_drop":"forget"}"#, "unknown variant `forget`, expected one of `timed`, `ignore`"),
        (r#"{"probes":-1}"#, "invalid value: integer `-1`, expected u32"),
        (r#"{"probe_lease":"7 parsecs"}"#, "`7 parsecs` is not a duration such as \"1m 30s\""),
        (r#"{"probe_lease":"-1s"}"#, "`-1s` is not a duration"),
        (r#"{"probe_lease":""}"#, "`` is not a duration"),
        (r#"{"probe_lease":7}"#, "invalid type: integer `7`, expected a string"),
        (r#"{"probe_lease":"99999999999999999999s"}"#, "is not a duration"),
        ("7", "expected struct BreakerConfig"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}

/// What the program makes of a configuration is checked where every builder is.
#[test]
fn what_was_changed_afterwards_is_checked_when_it_is_built() {
    let mut config = read(r#"{"probes":3}"#).unwrap();
    config.successes = Some(4);
    let error = config.builder("changed").build().unwrap_err();
    assert_eq!(error.to_string(), "the successes among the probes of 4 is out of the range 1 to 3");
}

/// With few digits: of many, `serde_json` may miss the last bit unless told otherwise.
fn shares() -> impl Strategy<Value = f64> {
    (-100..1_100).prop_map(|thousandths| f64::from(thousandths) / 1000.0)
}

fn durations() -> impl Strategy<Value = Duration> {
    prop_oneof![1..1_000_000_u64, 1..=366 * 86_400 * 1_000_000_000_u64]
        .prop_map(Duration::from_nanos)
}

fn windows() -> impl Strategy<Value = WindowConfig> {
    prop_oneof![
        (0..2_000_000_u32).prop_map(WindowConfig::Count),
        (durations(), 0..1_100_u32)
            .prop_map(|(length, buckets)| WindowConfig::Time { length, buckets }),
    ]
}

fn policies() -> impl Strategy<Value = PolicyConfig> {
    let rate = || (shares(), of(0..200_u32), of(windows()));
    let one = prop_oneof![
        any::<u32>().prop_map(PolicyConfig::ConsecutiveFailures),
        (0..50_u32, 0..50_u32)
            .prop_map(|(failures, calls)| PolicyConfig::FailuresOf { failures, calls }),
        rate().prop_map(|(rate, min_calls, window)| PolicyConfig::FailureRate {
            rate,
            min_calls,
            window
        }),
        (rate(), durations()).prop_map(|((rate, min_calls, window), slower_than)| {
            PolicyConfig::SlowCallRate { rate, slower_than, min_calls, window }
        }),
        (0..2_000_u32, of(shares()), rate()).prop_map(|(factor, most, (_, min_calls, window))| {
            let factor = f64::from(factor);
            PolicyConfig::ClientThrottle { factor, max_rejection_rate: most, min_calls, window }
        }),
    ];
    one.prop_recursive(3, 8, 3, |part| {
        let parts = proptest::collection::vec(part, 0..3);
        prop_oneof![parts.clone().prop_map(PolicyConfig::Any), parts.prop_map(PolicyConfig::All)]
    })
}

fn backoffs() -> impl Strategy<Value = BackoffConfig> {
    let jitter = || of(shares());
    prop_oneof![
        (durations(), jitter()).prop_map(|(wait, jitter)| BackoffConfig::Fixed { wait, jitter }),
        (durations(), durations(), jitter()).prop_map(|(first, most, jitter)| {
            BackoffConfig::Exponential { first, most, jitter }
        }),
    ]
}

fn configs() -> impl Strategy<Value = BreakerConfig> {
    let numbers = (of(0..5000_u32), of(0..10_u32), of(0..10_u32), of(0..1_100_u32));
    let drops =
        prop_oneof![Just(DropPolicy::Timed), Just(DropPolicy::Ignore), Just(DropPolicy::Failure)];
    let times = (of(durations()), of(drops), of(durations()));
    (of(policies()), of(backoffs()), numbers, times).prop_map(
        |(policy, open_for, (probes, successes, at_a_time, quorum), (lease, on_drop, deadline))| {
            let mut config = BreakerConfig::default();
            config.policy = policy;
            config.open_for = open_for;
            config.probes = probes;
            config.successes = successes;
            config.probes_at_a_time = at_a_time;
            config.probe_lease = lease;
            config.on_drop = on_drop;
            config.call_deadline = deadline;
            config.remote_quorum = quorum;
            config
        },
    )
}

proptest! {
    /// What can be built is read back as it was; what cannot be is not read, for the same reason.
    #[test]
    fn what_is_written_is_read_back(config in configs()) {
        let read = read(&write(&config));
        match config.builder("made").build() {
            Ok(_) => prop_assert_eq!(read, Ok(config)),
            Err(why) => {
                let error = read.unwrap_err();
                prop_assert!(error.starts_with(&why.to_string()), "{}: {}", why, error);
            }
        }
    }
}
