//! A pool as it stands in a configuration file.

use crate::thread::{Builder, Engine, Pool, Queue, Reject, Threads};
use crate::timings::Timings;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::time::Duration;

/// A pool as it stands in a configuration file: what a [`Builder`] can be told, but for the hooks. What is
/// not there is what the builder has for it.
///
/// Durations are text, `"250ms"` or `"1m 30s"`, in the units of [humantime](https://docs.rs/humantime). What is
/// read is checked by the builder's own code, and its error is the builder's, which names the knob and
/// the range; unknown names are errors, too. A configuration that was made or changed in the program is
/// checked when the pool is built.
///
/// # Examples
///
/// ```
/// use lockgate_workerpool::PoolConfig;
///
/// let text = r#"{
///     "name": "io",
///     "threads": { "min": 2, "max": 8 },
///     "keep_alive": "30s",
///     "queue": { "bounded": 4096 },
///     "reject": "caller_runs",
///     "lanes": 2,
///     "timings": { "sampled": 100 }
/// }"#;
/// let config: PoolConfig = serde_json::from_str(text)?;
/// let pool = config.builder().build()?;
/// assert_eq!(pool.threads(), 2..=8);
///
/// let error = serde_json::from_str::<PoolConfig>(r#"{ "threads": 0 }"#).unwrap_err();
/// assert!(error.to_string().starts_with("threads is 0..=0: the end must be 1 or more"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PoolConfig {
    /// See [`Builder::threads`]: `4`, or `{ "min": 2, "max": 8 }`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<ThreadsConfig>,
    /// See [`Builder::keep_alive`].
    #[serde(with = "humane", skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<Duration>,
    /// See [`Builder::queue`]: `"handoff"`, `{ "bounded": 1024 }` or `"unbounded"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<Queue>,
    /// See [`Builder::reject`]: `"block"`, `"fail"`, `"caller_runs"`, `"drop_newest"` or
    /// `"drop_oldest"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reject: Option<Reject>,
    /// See [`Builder::lanes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lanes: Option<usize>,
    /// See [`Builder::engine`]: `"shared"`, or `"stealing"` where that feature is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<Engine>,
    /// See [`Builder::adaptive`].
    #[serde(skip_serializing_if = "is_false")]
    pub adaptive: bool,
    /// See [`Builder::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// See [`Builder::stack_size`], in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_size: Option<usize>,
    /// See [`Builder::timings`]: `"off"`, `{ "sampled": 100 }` or `"all"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timings: Option<Timings>,
    /// See [`Builder::observe`].
    #[serde(skip_serializing_if = "is_false")]
    pub observe: bool,
}

/// How many threads, as it stands in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
#[non_exhaustive]
pub enum ThreadsConfig {
    /// So many, always.
    Fixed(usize),
    /// As many as are needed, between these.
    Range {
        /// At the least.
        min: usize,
        /// At the most.
        max: usize,
    },
}

impl From<ThreadsConfig> for Threads {
    fn from(config: ThreadsConfig) -> Self {
        match config {
            ThreadsConfig::Fixed(count) => count.into(),
            ThreadsConfig::Range { min, max } => (min..=max).into(),
        }
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl PoolConfig {
    /// A builder that has been told all this.
    pub fn builder(&self) -> Builder {
        // All of them, so that nobody forgets to pass a new one on.
        #[rustfmt::skip]
        let Self {
            threads, keep_alive, queue, reject, lanes, engine, adaptive, name, stack_size, timings,
            observe,
        } = self;
        let told = Pool::builder();
        let told = tell(told, *threads, Builder::threads);
        let told = tell(told, *keep_alive, Builder::keep_alive);
        let told = tell(told, *queue, Builder::queue);
        let told = tell(told, *reject, Builder::reject);
        let told = tell(told, *lanes, Builder::lanes);
        let told = tell(told, *engine, Builder::engine);
        let told = if *adaptive { told.adaptive() } else { told };
        let told = tell(told, name.as_deref(), Builder::name);
        let told = tell(told, *stack_size, Builder::stack_size);
        let told = tell(told, *timings, Builder::timings);
        if *observe { told.observe() } else { told }
    }
}

fn tell<T>(builder: Builder, knob: Option<T>, say: impl FnOnce(Builder, T) -> Builder) -> Builder {
    match knob {
        Some(value) => say(builder, value),
        None => builder,
    }
}

impl Serialize for PoolConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The derived one, which `remote` has made a function of the type's own.
        Self::serialize(self, serializer)
    }
}

/// What the builder refuses is an error, with its words.
impl<'de> Deserialize<'de> for PoolConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = Self::deserialize(deserializer)?;
        config.builder().check().map_err(de::Error::custom)?;
        Ok(config)
    }
}

/// Durations as people write them.
mod humane {
    use super::{Deserialize, Deserializer, Duration, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        duration: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match duration {
            Some(duration) => serializer.collect_str(&humantime::format_duration(*duration)),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let duration = humantime::parse_duration(text.trim()).map_err(|error| {
            de::Error::custom(format_args!(
                "`{text}` is not a duration such as \"1m 30s\": {error}"
            ))
        })?;
        Ok(Some(duration))
    }
}
