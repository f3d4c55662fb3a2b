//! A breaker's configuration as it stands in a file.

use crate::backoff::Backoff;
use crate::breaker::Breaker;
use crate::builder::Builder;
use crate::outcome::DropPolicy;
use crate::policy::{Policy, Window};
use crate::primitives::Arc;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::time::Duration;

/// A breaker's configuration as it stands in a file: what a [`Builder`] can be told, but for the name
/// and the clock. What is not there is what the builder has for it.
///
/// Durations are text, `"250ms"` or `"1m 30s"`, in the units of [humantime](https://docs.rs/humantime). What is
/// read is checked by the builder's own code, and its error is the builder's, which names the value and
/// the range; unknown names are errors, too. A configuration that was made or changed in the program is
/// checked when the breaker is built.
///
/// # Examples
///
/// ```
/// # use lockgate_breaker::BreakerConfig;
/// # use std::collections::HashMap;
/// let text = r#"{
///     "payments": {
///         "policy": { "failure_rate": {
///             "rate": 0.5, "min_calls": 20,
///             "window": { "time": { "length": "10s", "buckets": 10 } }
///         } },
///         "open_for": { "exponential": { "first": "1s", "most": "1m", "jitter": 0.2 } },
///         "probes": 3
///     },
///     "search": { "policy": { "consecutive_failures": 3 }, "on_drop": "ignore" }
/// }"#;
/// let all: HashMap<String, BreakerConfig> = serde_json::from_str(text)?;
/// let payments = all["payments"].builder("payments").build()?;
/// assert_eq!(payments.name(), "payments");
///
/// let error = serde_json::from_str::<BreakerConfig>(r#"{ "probes": 5000 }"#).unwrap_err();
/// assert!(error.to_string().starts_with("the probes of 5000 is out of the range 1 to 4095"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields)]
#[non_exhaustive]
pub struct BreakerConfig {
    /// See [`Builder::policy`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyConfig>,
    /// See [`Builder::open_for`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_for: Option<BackoffConfig>,
    /// See [`Builder::probes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes: Option<u32>,
    /// See [`Builder::successes`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successes: Option<u32>,
    /// See [`Builder::probes_at_a_time`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probes_at_a_time: Option<u32>,
    /// See [`Builder::probe_lease`].
    #[serde(with = "humane::maybe", skip_serializing_if = "Option::is_none")]
    pub probe_lease: Option<Duration>,
    /// See [`Builder::on_drop`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_drop: Option<DropPolicy>,
    /// See [`Builder::call_deadline`].
    #[serde(with = "humane::maybe", skip_serializing_if = "Option::is_none")]
    pub call_deadline: Option<Duration>,
    /// See [`Builder::remote_quorum`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_quorum: Option<u32>,
}

/// A [`Policy`] as it stands in a file: each under the name of the function that makes it, such as
/// `{ "consecutive_failures": 5 }` or `{ "failures_of": { "failures": 5, "calls": 20 } }`.
///
/// A policy of one's own is code, and stands in no file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum PolicyConfig {
    /// See [`Policy::consecutive_failures`].
    ConsecutiveFailures(u32),
    /// See [`Policy::failures_of`].
    FailuresOf {
        /// So many failures
        failures: u32,
        /// among the last so many calls.
        calls: u32,
    },
    /// See [`Policy::failure_rate`].
    FailureRate {
        /// Above 0 to 1.
        rate: f64,
        /// See [`Policy::min_calls`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_calls: Option<u32>,
        /// See [`Policy::window`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<WindowConfig>,
    },
    /// See [`Policy::slow_call_rate`].
    SlowCallRate {
        /// Above 0 to 1.
        rate: f64,
        /// From here on, a call is slow.
        #[serde(with = "humane")]
        slower_than: Duration,
        /// See [`Policy::min_calls`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_calls: Option<u32>,
        /// See [`Policy::window`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<WindowConfig>,
    },
    /// See [`Policy::client_throttle`].
    ClientThrottle {
        /// Above 1 to 1000.
        factor: f64,
        /// See [`Policy::max_rejection_rate`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max_rejection_rate: Option<f64>,
        /// See [`Policy::min_calls`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        min_calls: Option<u32>,
        /// See [`Policy::window`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        window: Option<WindowConfig>,
    },
    /// See [`Policy::any`].
    Any(Vec<Self>),
    /// See [`Policy::all`].
    All(Vec<Self>),
}

/// A [`Window`] as it stands in a file: `{ "count": 100 }` or
/// `{ "time": { "length": "10s", "buckets": 10 } }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum WindowConfig {
    /// See [`Window::count`].
    Count(u32),
    /// See [`Window::time`].
    Time {
        /// How long it is.
        #[serde(with = "humane")]
        length: Duration,
        /// In how many parts it goes by.
        buckets: u32,
    },
}

/// A [`Backoff`] as it stands in a file: `{ "fixed": { "wait": "5s" } }` or
/// `{ "exponential": { "first": "1s", "most": "1m", "jitter": 0.2 } }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum BackoffConfig {
    /// See [`Backoff::fixed`].
    Fixed {
        /// How long each time.
        #[serde(with = "humane")]
        wait: Duration,
        /// See [`Backoff::jitter`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jitter: Option<f64>,
    },
    /// See [`Backoff::exponential`].
    Exponential {
        /// How long the first time.
        #[serde(with = "humane")]
        first: Duration,
        /// How long at most.
        #[serde(with = "humane")]
        most: Duration,
        /// See [`Backoff::jitter`].
        #[serde(default, skip_serializing_if = "Option::is_none")]
        jitter: Option<f64>,
    },
}

impl BreakerConfig {
    /// A builder that has been told all this.
    pub fn builder(&self, name: impl Into<Arc<str>>) -> Builder {
        // All of them, so that nobody forgets to pass a new one on.
        let Self {
            policy,
            open_for,
            probes,
            successes,
            probes_at_a_time,
            probe_lease,
            on_drop,
            call_deadline,
            remote_quorum,
        } = self;
        let told = Breaker::builder(name);
        let told = tell(told, policy.as_ref(), |it, policy| it.policy(policy.policy()));
        let told = tell(told, open_for.as_ref(), |it, wait| it.open_for(wait.backoff()));
        let told = tell(told, *probes, Builder::probes);
        let told = tell(told, *successes, Builder::successes);
        let told = tell(told, *probes_at_a_time, Builder::probes_at_a_time);
        let told = tell(told, *probe_lease, Builder::probe_lease);
        let told = tell(told, *on_drop, Builder::on_drop);
        let told = tell(told, *call_deadline, Builder::call_deadline);
        tell(told, *remote_quorum, Builder::remote_quorum)
    }
}

fn tell<B, T>(builder: B, knob: Option<T>, say: impl FnOnce(B, T) -> B) -> B {
    match knob {
        Some(value) => say(builder, value),
        None => builder,
    }
}

impl PolicyConfig {
    fn policy(&self) -> Policy {
        let rate = |policy, min_calls: Option<u32>, window: Option<WindowConfig>| {
            let policy = tell(policy, min_calls, Policy::min_calls);
            tell(policy, window, |it, window| it.window(window.window()))
        };
        match *self {
            Self::ConsecutiveFailures(failures) => Policy::consecutive_failures(failures),
            Self::FailuresOf { failures, calls } => Policy::failures_of(failures, calls),
            Self::FailureRate { rate: share, min_calls, window } => {
                rate(Policy::failure_rate(share), min_calls, window)
            }
            Self::SlowCallRate { rate: share, slower_than, min_calls, window } => {
                rate(Policy::slow_call_rate(share, slower_than), min_calls, window)
            }
            Self::ClientThrottle { factor, max_rejection_rate: most, min_calls, window } => {
                let throttle = rate(Policy::client_throttle(factor), min_calls, window);
                tell(throttle, most, Policy::max_rejection_rate)
            }
            Self::Any(ref policies) => Policy::any(policies.iter().map(Self::policy)),
            Self::All(ref policies) => Policy::all(policies.iter().map(Self::policy)),
        }
    }
}

impl WindowConfig {
    const fn window(self) -> Window {
        match self {
            Self::Count(calls) => Window::count(calls),
            Self::Time { length, buckets } => Window::time(length, buckets),
        }
    }
}

impl BackoffConfig {
    fn backoff(self) -> Backoff {
        let (backoff, jitter) = match self {
            Self::Fixed { wait, jitter } => (Backoff::fixed(wait), jitter),
            Self::Exponential { first, most, jitter } => {
                (Backoff::exponential(first, most), jitter)
            }
        };
        tell(backoff, jitter, Backoff::jitter)
    }
}

impl Serialize for BreakerConfig {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // The derived one, which `remote` has made a function of the type's own.
        Self::serialize(self, serializer)
    }
}

/// What the builder refuses is an error, with its words.
impl<'de> Deserialize<'de> for BreakerConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let config = Self::deserialize(deserializer)?;
        config.builder("").parts().map_err(de::Error::custom)?;
        Ok(config)
    }
}

/// Durations as people write them.
mod humane {
    use super::{Deserialize, Deserializer, Duration, Serializer, de};

    pub(super) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&humantime::format_duration(*duration))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        let text = String::deserialize(deserializer)?;
        humantime::parse_duration(text.trim()).map_err(|error| {
            de::Error::custom(format_args!(
                "`{text}` is not a duration such as \"1m 30s\": {error}"
            ))
        })
    }

    pub(super) mod maybe {
        use super::{Deserialize, Deserializer, Duration, Serializer};

        #[derive(Deserialize)]
        struct Humane(#[serde(with = "super")] Duration);

        pub(in crate::config) fn serialize<S: Serializer>(
            duration: &Option<Duration>,
            serializer: S,
        ) -> Result<S::Ok, S::Error> {
            match duration {
                Some(duration) => super::serialize(duration, serializer),
                None => serializer.serialize_none(),
            }
        }

        pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(
            deserializer: D,
        ) -> Result<Option<Duration>, D::Error> {
            let written = Option::<Humane>::deserialize(deserializer)?;
            Ok(written.map(|Humane(duration)| duration))
        }
    }
}
