//! What is allowed: a rate, a burst, and what is there at the start.

use crate::error::QuotaError;
use std::fmt;
use std::time::Duration;

/// The longest period of a [`Rate`]: a leap year.
pub(crate) const LONGEST_PERIOD: u64 = 366 * 24 * 60 * 60 * 1_000_000_000;

/// The highest rate, in tokens per nanosecond.
pub(crate) const FASTEST: u64 = 10;

/// How fast tokens are supplied: so many in a period, evenly.
///
/// It is kept as the fraction that it was made from, never as a rounded interval, so 3 per second is
/// exactly 3 per second for as long as a limiter lives.
///
/// | made by | range |
/// |---|---|
/// | tokens | 1 to `u32::MAX` |
/// | period | 1 ns to 366 days |
/// | tokens ÷ period | at most 10 in a nanosecond (10¹⁰ a second) |
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::Rate;
/// # use std::time::Duration;
/// const SLOW: Rate = Rate::per(7, Duration::from_secs(60));
/// assert_eq!(SLOW.interval(), Some(Duration::from_nanos(8_571_428_571)));
/// assert!(Rate::try_per(1, Duration::ZERO).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate(Kind);

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Zero,
    Finite { tokens: u32, period: u64 },
    Infinite,
}

impl Rate {
    /// No limit at all.
    pub const INF: Self = Self(Kind::Infinite);

    /// No supply: what is in the bucket is all there will be.
    pub const ZERO: Self = Self(Kind::Zero);

    /// `tokens` in every `period`.
    ///
    /// # Panics
    ///
    /// Where [`try_per`](Self::try_per) gives an error; in a `const`, that is an error of
    /// compilation.
    #[must_use]
    pub const fn per(tokens: u32, period: Duration) -> Self {
        match Self::try_per(tokens, period) {
            Ok(rate) => rate,
            Err(error) => error.panic(),
        }
    }

    /// `tokens` in every `period`.
    ///
    /// # Errors
    ///
    /// [`QuotaError`], if one of the two or their quotient is out of range.
    pub const fn try_per(tokens: u32, period: Duration) -> Result<Self, QuotaError> {
        let nanos = period.as_nanos();
        if tokens == 0 {
            return Err(QuotaError::NoTokens);
        }
        if nanos == 0 || nanos > LONGEST_PERIOD as u128 {
            return Err(QuotaError::Period { period });
        }
        let period_nanos = nanos as u64;
        if tokens as u64 > FASTEST * period_nanos {
            return Err(QuotaError::TooFast { tokens, period });
        }
        Ok(Self(Kind::Finite { tokens, period: period_nanos }))
    }

    /// One token in every `interval`: Go's `Every`, except that an interval of zero is an error
    /// rather than no limit.
    ///
    /// # Panics
    ///
    /// If the interval is zero or longer than 366 days.
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        Self::per(1, interval)
    }

    /// `tokens` a second.
    ///
    /// # Panics
    ///
    /// If `tokens` is zero.
    #[must_use]
    pub const fn per_second(tokens: u32) -> Self {
        Self::per(tokens, Duration::from_secs(1))
    }

    /// `tokens` a minute.
    ///
    /// # Panics
    ///
    /// If `tokens` is zero.
    #[must_use]
    pub const fn per_minute(tokens: u32) -> Self {
        Self::per(tokens, Duration::from_secs(60))
    }

    /// The time between two tokens, rounded down to nanoseconds; `None` if there is no supply, or
    /// no limit.
    #[must_use]
    pub const fn interval(&self) -> Option<Duration> {
        match self.0 {
            Kind::Finite { tokens, period } => Some(Duration::from_nanos(period / tokens as u64)),
            Kind::Zero | Kind::Infinite => None,
        }
    }

    /// Tokens a second: 0.0, or infinity where there is no limit.
    #[must_use]
    pub fn per_second_f64(&self) -> f64 {
        match self.0 {
            Kind::Zero => 0.0,
            Kind::Finite { tokens, period } => f64::from(tokens) * 1e9 / period as f64,
            Kind::Infinite => f64::INFINITY,
        }
    }

    /// Whether there is no limit.
    #[must_use]
    pub const fn is_infinite(&self) -> bool {
        matches!(self.0, Kind::Infinite)
    }

    /// Tokens and nanoseconds; nothing in one nanosecond where there is no supply.
    pub(crate) const fn parts(&self) -> (u32, u64) {
        match self.0 {
            Kind::Finite { tokens, period } => (tokens, period),
            Kind::Zero | Kind::Infinite => (0, 1),
        }
    }

    /// What [`parts`](Self::parts) and the mark of no limit were made from.
    pub(crate) const fn from_parts(tokens: u32, period: u64, infinite: bool) -> Self {
        match (infinite, tokens) {
            (true, _) => Self::INF,
            (false, 0) => Self::ZERO,
            (false, tokens) => Self(Kind::Finite { tokens, period }),
        }
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Zero => f.write_str("Rate::ZERO"),
            Kind::Infinite => f.write_str("Rate::INF"),
            Kind::Finite { tokens, period } => {
                write!(f, "Rate::per({tokens}, {:?})", Duration::from_nanos(period))
            }
        }
    }
}

/// A [`Rate`], the burst that a bucket holds, and what is in it at the start.
///
/// The burst is what may go at once after a pause; in any stretch of time Δ, a limiter grants at
/// most burst + rate · Δ. It is 0 to `u32::MAX`, and the number of tokens of the rate unless
/// [`burst`](Self::burst) says otherwise (100 per second: at most 100 at once). The bucket starts full
/// unless [`initial`](Self::initial) says otherwise.
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::Quota;
/// # use std::time::Duration;
/// const API: Quota = Quota::per(100, Duration::from_secs(1)).burst(20).initial(5);
/// let polling = Quota::every(Duration::from_millis(250)); // a burst of one
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Quota {
    pub(crate) rate: Rate,
    pub(crate) burst: u32,
    /// `None`: full.
    pub(crate) initial: Option<u32>,
}

impl Quota {
    /// No limit: everything is granted, and no clock is read.
    pub const INF: Self = Self::new(Rate::INF, 0);

    /// Nothing, ever; with a [`burst`](Self::burst), so many and no more.
    pub const ZERO: Self = Self::new(Rate::ZERO, 0);

    /// A rate and a burst.
    #[must_use]
    pub const fn new(rate: Rate, burst: u32) -> Self {
        Self { rate, burst, initial: None }
    }

    /// `tokens` in every `period`, and a burst of as many.
    ///
    /// # Panics
    ///
    /// If one is out of its range, as for [`Rate::per`].
    #[must_use]
    pub const fn per(tokens: u32, period: Duration) -> Self {
        Self::new(Rate::per(tokens, period), tokens)
    }

    /// [`per`](Self::per), for numbers that are not known to be good.
    ///
    /// # Errors
    ///
    /// As [`Rate::try_per`].
    pub const fn try_per(tokens: u32, period: Duration) -> Result<Self, QuotaError> {
        match Rate::try_per(tokens, period) {
            Ok(rate) => Ok(Self::new(rate, tokens)),
            Err(error) => Err(error),
        }
    }

    /// `tokens` a second, and a burst of as many.
    ///
    /// # Panics
    ///
    /// If `tokens` is zero.
    #[must_use]
    pub const fn per_second(tokens: u32) -> Self {
        Self::new(Rate::per_second(tokens), tokens)
    }

    /// `tokens` a minute, and a burst of as many.
    ///
    /// # Panics
    ///
    /// If `tokens` is zero.
    #[must_use]
    pub const fn per_minute(tokens: u32) -> Self {
        Self::new(Rate::per_minute(tokens), tokens)
    }

    /// One in every `interval`, and a burst of one.
    ///
    /// # Panics
    ///
    /// If the interval is zero or longer than 366 days.
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        Self::new(Rate::every(interval), 1)
    }

    /// With this burst. With 0, only a rate without limit grants anything.
    ///
    /// # Panics
    ///
    /// If it is less than what [`initial`](Self::initial) has set.
    #[must_use]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        match self.checked() {
            Ok(quota) => quota,
            Err(error) => error.panic(),
        }
    }

    /// With so many tokens at the start.
    ///
    /// # Panics
    ///
    /// If they are more than the burst.
    #[must_use]
    pub const fn initial(self, tokens: u32) -> Self {
        match self.try_initial(tokens) {
            Ok(quota) => quota,
            Err(error) => error.panic(),
        }
    }

    /// [`initial`](Self::initial), for a number that is not known to be good.
    ///
    /// # Errors
    ///
    /// [`QuotaError::InitialAboveBurst`].
    pub const fn try_initial(mut self, tokens: u32) -> Result<Self, QuotaError> {
        self.initial = Some(tokens);
        self.checked()
    }

    const fn checked(self) -> Result<Self, QuotaError> {
        match self.initial {
            Some(initial) if initial > self.burst => {
                Err(QuotaError::InitialAboveBurst { initial, burst: self.burst })
            }
            _ => Ok(self),
        }
    }

    /// The rate.
    #[must_use]
    pub const fn rate(&self) -> Rate {
        self.rate
    }

    /// The most tokens that can be taken at once.
    #[must_use]
    pub const fn burst_size(&self) -> u32 {
        self.burst
    }

    /// The tokens at the start.
    #[must_use]
    pub const fn initial_tokens(&self) -> u32 {
        match self.initial {
            Some(tokens) => tokens,
            None => self.burst,
        }
    }
}

impl From<Rate> for Quota {
    /// With a burst of one, as the smallest that grants anything.
    fn from(rate: Rate) -> Self {
        Self::new(rate, 1)
    }
}
