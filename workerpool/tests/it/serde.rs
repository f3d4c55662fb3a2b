//! Pools in configuration files.

use lockgate_workerpool::thread::{Queue, Reject};
use lockgate_workerpool::{PoolConfig, ThreadsConfig, Timings};
use std::time::Duration;

fn read(text: &str) -> Result<PoolConfig, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[test]
fn what_is_not_there_is_the_builders() {
    let config = read("{}").unwrap();
    assert_eq!(config, PoolConfig::default());
    assert_eq!(serde_json::to_string(&config).unwrap(), "{}");
    let pool = config.builder().build().unwrap();
    assert_eq!(pool.metrics().lanes.len(), 1);
}

#[test]
fn everything_comes_and_goes() {
    let text = r#"{"threads":{"min":1,"max":3},"keep_alive":"1s 500ms","queue":{"bounded":7},"reject":"drop_oldest","lanes":2,"engine":"shared","adaptive":true,"name":"io","stack_size":65536,"timings":{"sampled":10},"observe":true}"#;
    let config = read(text).unwrap();
    assert_eq!(config.threads, Some(ThreadsConfig::Range { min: 1, max: 3 }));
    assert_eq!(config.keep_alive, Some(Duration::from_millis(1500)));
    assert_eq!((config.queue, config.reject), (Some(Queue::Bounded(7)), Some(Reject::DropOldest)));
    assert_eq!(config.timings, Some(Timings::Sampled(10)));
    assert_eq!(serde_json::to_string(&config).unwrap(), text);
    let pool = config.builder().build().unwrap();
    assert_eq!((pool.threads(), pool.metrics().lanes.len()), (1..=1, 2), "it is adaptive");
    assert!(pool.pause());
    pool.submit(|| ()).unwrap().abort();
    assert_eq!(&*pool.snapshot().name, "io");
    for n in 0..9 {
        drop(pool.submit(move || n).unwrap());
    }
    assert_eq!((pool.metrics().queued, pool.snapshot().jobs.len()), (7, 7));
    assert!(pool.times().is_some());
}

#[test]
fn every_word_is_known() {
    for (text, queue) in [
        (r#"{ "queue": "handoff" }"#, Queue::Handoff),
        (r#"{ "queue": "unbounded" }"#, Queue::Unbounded),
        (r#"{ "queue": { "bounded": 0 } }"#, Queue::Bounded(0)),
    ] {
        assert_eq!(read(text).unwrap().queue, Some(queue));
    }
    for (word, reject) in [
        ("block", Reject::Block),
        ("fail", Reject::Fail),
        ("caller_runs", Reject::CallerRuns),
        ("drop_newest", Reject::DropNewest),
    ] {
        assert_eq!(read(&format!(r#"{{ "reject": "{word}" }}"#)).unwrap().reject, Some(reject));
    }
    assert_eq!(read(r#"{ "timings": "all" }"#).unwrap().timings, Some(Timings::All));
    assert_eq!(read(r#"{ "threads": 3 }"#).unwrap().threads, Some(ThreadsConfig::Fixed(3)));
}

#[test]
fn errors_name_the_knob_and_the_range() {
    for (text, error) in [
        (
            r#"{ "threads": 0 }"#,
            "threads is 0..=0: the end must be 1 or more, and not before the start",
        ),
        (
            r#"{ "threads": { "min": 3, "max": 2 } }"#,
            "threads is 3..=2: the end must be 1 or more, and not before the start",
        ),
        (r#"{ "lanes": 0 }"#, "lanes is 0: it must be in 1..=65535"),
        (
            r#"{ "timings": { "sampled": 0 } }"#,
            "timings is one of each 0 jobs: it must be one of each 1 or more",
        ),
        (r#"{ "keep_alive": "soon" }"#, "`soon` is not a duration such as \"1m 30s\""),
        (r#"{ "queue": "endless" }"#, "unknown variant `endless`"),
        (r#"{ "thread": 4 }"#, "unknown field `thread`"),
    ] {
        let told = read(text).unwrap_err();
        assert!(told.starts_with(error), "{told}");
    }
}

#[test]
fn batch_sizes_stand_in_files_too() {
    use lockgate_workerpool::BatchSize;
    for (text, size) in [
        (r#"{"fixed":64}"#, BatchSize::Fixed(64)),
        (r#""per_core""#, BatchSize::PerCore),
        (r#""auto""#, BatchSize::Auto),
    ] {
        assert_eq!(serde_json::from_str::<BatchSize>(text).unwrap(), size);
        assert_eq!(serde_json::to_string(&size).unwrap(), text);
    }
}

#[cfg(feature = "stealing")]
#[test]
fn the_engine_stands_in_the_file() {
    use lockgate_workerpool::thread::Engine;
    let config = read(r#"{ "engine": "stealing", "threads": 2 }"#).unwrap();
    assert_eq!(config.engine, Some(Engine::Stealing));
    assert!(format!("{:?}", config.builder()).contains("Stealing"));
    let told = read(r#"{ "engine": "stealing", "lanes": 2 }"#).unwrap_err();
    assert!(told.starts_with("lanes is 2: it must be 1 where workers steal"), "{told}");
}
