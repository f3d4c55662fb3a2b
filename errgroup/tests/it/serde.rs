//! Settings that are read from a configuration.
#![cfg(feature = "serde")]

use lockgate_errgroup::{OnPanic, Settings};
use std::time::Duration;

fn read(text: &str) -> Result<Settings, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn all_of_them() {
    let text = r#"{"limit":8,"backlog":0,"timeout":30,"stack_size":65536,"run_all":true,
        "on_panic":"abort"}"#;
    let settings = read(text).unwrap();
    let all = Settings {
        limit: Some(8),
        backlog: Some(0),
        timeout: Some(Duration::from_secs(30)),
        stack_size: Some(65536),
        run_all: true,
        on_panic: Some(OnPanic::Abort),
    };
    assert_eq!(settings, all);
    let written = serde_json::to_string(&settings).unwrap();
    assert_eq!(read(&written).unwrap(), all);
    assert!(written.contains(r#""timeout":30"#), "{written}");
}

#[test]
fn none_of_them() {
    assert_eq!(read("{}").unwrap(), Settings::default());
    assert_eq!(serde_json::to_string(&Settings::default()).unwrap(), "{}");
    assert_eq!(read(r#"{"timeout":null,"on_panic":null}"#).unwrap(), Settings::default());
}

#[test]
fn time_outs_are_seconds_or_exact() {
    let time = |text: &str| read(&format!(r#"{{"timeout":{text}}}"#)).map(|read| read.timeout);
    assert_eq!(time("1.5"), Ok(Some(Duration::from_millis(1500))));
    assert_eq!(time(r#"{"secs":1,"nanos":7}"#), Ok(Some(Duration::new(1, 7))));
    for wrong in ["-1", "-0.5", "1e300", "\"1s\"", r#"{"secs":1}"#, r#"{"secs":1,"nanos":0,"x":1}"#]
    {
        time(wrong).unwrap_err();
    }
    assert!(time("-1").unwrap_err().contains("a number of seconds that is not negative"));
}

#[test]
fn each_time_out_comes_back_as_it_was() {
    for time in [
        Duration::ZERO,
        Duration::from_millis(250),
        Duration::from_nanos(1),
        Duration::new(1_000_000_007, 123_456_789),
        Duration::MAX,
    ] {
        let settings = Settings { timeout: Some(time), ..Settings::default() };
        let written = serde_json::to_string(&settings).unwrap();
        assert_eq!(read(&written).unwrap(), settings, "{written}");
    }
}

#[test]
fn what_is_unknown_is_an_error() {
    assert!(read(r#"{"limits":8}"#).unwrap_err().contains("unknown field `limits`"));
    assert!(read(r#"{"on_panic":"ignore"}"#).unwrap_err().contains("unknown variant"));
}

#[cfg(feature = "sync")]
#[test]
fn a_builder_takes_what_is_there() {
    use lockgate_errgroup::{BuildError, Builder, Error, thread};
    let run = |builder: Builder<_>| {
        thread::scope(builder, |g| {
            g.spawn(|_| -> Result<(), ()> { std::panic::resume_unwind(Box::new("a bug")) });
        })
    };
    let error = run(Builder::new().settings(&read(r#"{"on_panic":"error"}"#).unwrap()));
    assert!(matches!(error, Err(Error::Panicked(_))));
    let kept = Builder::new().on_panic(OnPanic::Error).settings(&Settings::default());
    assert!(matches!(run(kept), Err(Error::Panicked(_))));
    let zero = run(Builder::new().settings(&read(r#"{"limit":0}"#).unwrap()));
    assert!(matches!(zero, Err(Error::Build(BuildError::ZeroLimit))));
}
