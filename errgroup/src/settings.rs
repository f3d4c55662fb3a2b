//! The numbers of a builder, read from a configuration.

use crate::builder::{Builder, OnPanic};
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

/// The numbers of a [`Builder`], to be read from a configuration file.
///
/// What is absent is left as the builder has it. Unknown names are errors. The time-out is a
/// number of seconds, or `{ secs, nanos }` as the standard library's `Duration` is written. A
/// limit of 0 is refused where the group is built.
///
/// # Examples
///
/// ```
/// use lockgate_errgroup::{Builder, Settings};
/// use std::time::Duration;
///
/// let settings: Settings = serde_json::from_str(
///     r#"{ "limit": 8, "backlog": 64, "timeout": 2.5, "on_panic": "error" }"#,
/// )?;
/// assert_eq!(settings.timeout, Some(Duration::from_millis(2500)));
/// let builder = Builder::<lockgate_errgroup::join::FirstError<String>>::new().settings(&settings);
/// # drop(builder);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// [`Builder::limit`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<usize>,
    /// [`Builder::backlog`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backlog: Option<usize>,
    /// [`Builder::timeout`].
    #[serde(skip_serializing_if = "Option::is_none", with = "seconds")]
    pub timeout: Option<Duration>,
    /// [`Builder::stack_size`], in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_size: Option<usize>,
    /// [`Builder::run_all`].
    #[serde(skip_serializing_if = "is_false")]
    pub run_all: bool,
    /// [`Builder::on_panic`]: `resume`, `error` or `abort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_panic: Option<OnPanic>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl<J> Builder<J> {
    /// What `settings` say, over what was said before.
    pub fn settings(mut self, settings: &Settings) -> Self {
        let Settings { limit, backlog, timeout, stack_size, run_all, on_panic } = settings;
        self.limit = limit.or(self.limit);
        self.backlog = backlog.or(self.backlog);
        self.timeout = timeout.or(self.timeout);
        self.stack_size = stack_size.or(self.stack_size);
        self.run_all |= run_all;
        self.on_panic = on_panic.unwrap_or(self.on_panic);
        self
    }
}

/// A duration as a number of seconds where that is exact, and as `{ secs, nanos }` where not.
mod seconds {
    use super::{Deserializer, Duration, Exact, Serializer, Time};
    use serde::{Deserialize, Serialize};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let Some(time) = time else { return serializer.serialize_none() };
        let seconds = time.as_secs_f64();
        if time.subsec_nanos() == 0 {
            serializer.serialize_u64(time.as_secs())
        } else if Duration::try_from_secs_f64(seconds).is_ok_and(|same| same == *time) {
            serializer.serialize_f64(seconds)
        } else {
            Exact { secs: time.as_secs(), nanos: time.subsec_nanos() }.serialize(serializer)
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<Time>::deserialize(deserializer)?.map(|Time(time)| time))
    }
}

/// As the standard library's is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exact {
    secs: u64,
    nanos: u32,
}

struct Time(Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl<'de> Visitor<'de> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds that is not negative, or { secs, nanos }")
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Time, E> {
        Ok(Time(Duration::from_secs(seconds)))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Time, E> {
        let found = de::Unexpected::Signed(seconds);
        let seconds = u64::try_from(seconds).map_err(|_| E::invalid_value(found, &self))?;
        self.visit_u64(seconds)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Time, E> {
        let found = de::Unexpected::Float(seconds);
        let time = Duration::try_from_secs_f64(seconds);
        time.map(Time).map_err(|_| E::invalid_value(found, &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Time, A::Error> {
        let exact = Exact::deserialize(de::value::MapAccessDeserializer::new(map))?;
        let carried = Duration::from_nanos(exact.nanos.into());
        let time = Duration::from_secs(exact.secs).checked_add(carried);
        time.map(Time).ok_or_else(|| de::Error::custom("a time-out beyond all clocks"))
    }
}
