//! Rates and quotas as they stand in configuration files.

use crate::quota::{Quota, Rate};
use serde::de::{self, MapAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::time::Duration;

const UNLIMITED: &str = "unlimited";
const ZERO: &str = "zero";

/// As text: `"100 per 1s"`, `"1 per 1m 30s"`, `"unlimited"` or `"zero"`. It is read back as it was.
///
/// Where the period begins with its unit, one is meant: `"100 per second"`. The units are those of
/// [humantime](https://docs.rs/humantime), from `ns` to `day` (a month is a twelfth of a year).
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::Rate;
/// # use std::time::Duration;
/// let rate: Rate = serde_json::from_str(r#""100 per 250ms""#)?;
/// assert_eq!(rate, Rate::per(100, Duration::from_millis(250)));
/// assert_eq!(serde_json::to_string(&Rate::per_minute(5))?, r#""5 per 1m""#);
/// # Ok::<(), serde_json::Error>(())
/// ```
impl Serialize for Rate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.parts() {
            _ if self.is_infinite() => serializer.serialize_str(UNLIMITED),
            (0, _) => serializer.serialize_str(ZERO),
            (tokens, nanos) => {
                let period = humantime::format_duration(Duration::from_nanos(nanos));
                serializer.collect_str(&format_args!("{tokens} per {period}"))
            }
        }
    }
}

/// As it is written; what [`Rate::try_per`] refuses is an error, with its words.
impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(RateText)
    }
}

struct RateText;

impl Visitor<'_> for RateText {
    type Value = Rate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a rate: \"100 per 1s\", \"unlimited\" or \"zero\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Rate, E> {
        parse(text).map_err(|why| E::custom(format_args!("`{text}` is not a rate: {why}")))
    }
}

/// What a text says, or why it says nothing.
fn parse(text: &str) -> Result<Rate, String> {
    match text.trim() {
        UNLIMITED => return Ok(Rate::INF),
        ZERO => return Ok(Rate::ZERO),
        _ => {}
    }
    let (tokens, period) =
        text.split_once(" per ").ok_or("write \"100 per 1s\", \"unlimited\" or \"zero\"")?;
    let tokens = tokens.trim();
    let tokens: u32 = tokens
        .parse()
        .map_err(|_| format!("`{tokens}` tokens are no number in the range 1 to {}", u32::MAX))?;
    let period = period.trim();
    let is_counted = period.starts_with(|c: char| c.is_ascii_digit());
    let counted = if is_counted { period } else { &format!("1{period}") };
    let time = humantime::parse_duration(counted)
        .map_err(|error| format!("`{period}` is not a period: {error}"))?;
    Rate::try_per(tokens, time).map_err(|error| error.to_string())
}

/// As `{ rate, burst, initial }`, where `initial` stands if it is set.
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::Quota;
/// # use std::time::Duration;
/// let quota: Quota =
///     serde_json::from_str(r#"{ "rate": "100 per 1s", "burst": 20, "initial": 5 }"#)?;
/// assert_eq!(quota, Quota::per(100, Duration::from_secs(1)).burst(20).initial(5));
/// let short: Quota = serde_json::from_str(r#""100 per second""#)?;
/// assert_eq!(short, Quota::per_second(100));
/// # Ok::<(), serde_json::Error>(())
/// ```
impl Serialize for Quota {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = 2 + usize::from(self.initial.is_some());
        let mut quota = serializer.serialize_struct("Quota", fields)?;
        quota.serialize_field("rate", &self.rate)?;
        quota.serialize_field("burst", &self.burst)?;
        match &self.initial {
            Some(initial) => quota.serialize_field("initial", initial)?,
            None => quota.skip_field("initial")?,
        }
        quota.end()
    }
}

/// As it is written, or as a rate alone. The burst is the rate's tokens unless it is there, as with
/// [`Quota::per`]; unknown names are errors, and so is what [`Quota::try_initial`] refuses, with its
/// words. For formats that describe themselves, as configuration files do.
impl<'de> Deserialize<'de> for Quota {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(QuotaText)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    rate: Rate,
    burst: Option<u32>,
    initial: Option<u32>,
}

impl Written {
    fn quota<E: de::Error>(self) -> Result<Quota, E> {
        let quota = Quota::new(self.rate, self.burst.unwrap_or(self.rate.parts().0));
        self.initial.map_or(Ok(quota), |tokens| quota.try_initial(tokens)).map_err(E::custom)
    }
}

struct QuotaText;

impl<'de> Visitor<'de> for QuotaText {
    type Value = Quota;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{ rate, burst, initial }, or a rate alone: \"100 per 1s\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Quota, E> {
        let rate = RateText.visit_str(text)?;
        Written { rate, burst: None, initial: None }.quota()
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Quota, A::Error> {
        Written::deserialize(de::value::MapAccessDeserializer::new(map))?.quota()
    }
}
