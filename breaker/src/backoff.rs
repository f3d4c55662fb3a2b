//! How long a circuit stays open.

use crate::clock::nanos;
use crate::error::BuildError;
use crate::events::quietly;
use crate::primitives::Arc;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// The longest that a circuit stays open by itself.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Where a function that was to say how long has panicked.
const FALLBACK: Duration = Duration::from_secs(60);

/// How long a circuit stays open: each time, or longer from one failed recovery to the next.
///
/// Each wait is shortened by a random part of up to [`jitter`](Self::jitter), so that many who lost the
/// same server do not come back to it at the same moment. It is never longer than what is said here.
#[derive(Clone)]
pub struct Backoff {
    kind: Kind,
    jitter: f64,
}

#[derive(Clone)]
enum Kind {
    Fixed(Duration),
    Exponential { first: Duration, most: Duration },
    Custom(Arc<dyn Fn(u32) -> Duration + Send + Sync>),
}

impl Backoff {
    const JITTER: f64 = 0.1;

    /// The same each time.
    #[must_use]
    pub const fn fixed(wait: Duration) -> Self {
        Self { kind: Kind::Fixed(wait), jitter: Self::JITTER }
    }

    /// `first`, and twice as long after each recovery that failed, up to `most`. A circuit that has
    /// closed begins anew.
    #[must_use]
    pub const fn exponential(first: Duration, most: Duration) -> Self {
        Self { kind: Kind::Exponential { first, most }, jitter: Self::JITTER }
    }

    /// What `wait` says: it is given how often the circuit has opened since it was last closed, which
    /// is 1 the first time. It is called outside every lock. More than 366 days are 366 days, and a
    /// panic is 60 s.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::{Backoff, Breaker};
    /// # use std::time::Duration;
    /// // A second longer each time.
    /// let open_for = Backoff::custom(|opening| Duration::from_secs(opening.into()));
    /// let breaker = Breaker::builder("payments").open_for(open_for).build()?;
    /// # drop(breaker);
    /// # Ok::<(), lockgate_breaker::BuildError>(())
    /// ```
    #[must_use]
    pub fn custom(wait: impl Fn(u32) -> Duration + Send + Sync + 'static) -> Self {
        Self { kind: Kind::Custom(Arc::new(wait)), jitter: Self::JITTER }
    }

    /// Which part of a wait is left to chance, 0 to 1: 0.1 unless said otherwise. With 0.2, a wait is
    /// 80 % to 100 % of what it was to be.
    #[must_use]
    pub const fn jitter(mut self, part: f64) -> Self {
        self.jitter = part;
        self
    }

    pub(crate) fn check(&self) -> Result<(), BuildError> {
        let within = |knob, given, least| match given {
            given if (least..=LONGEST).contains(&given) => Ok(()),
            given => Err(BuildError::Duration { knob, given, least, most: LONGEST }),
        };
        const LEAST: Duration = Duration::from_nanos(1);
        match self.kind {
            Kind::Fixed(wait) => within("the open time", wait, LEAST)?,
            Kind::Exponential { first, most } => {
                within("the first open time", first, LEAST)?;
                within("the longest open time", most, first)?;
            }
            Kind::Custom(_) => {}
        }
        if !(0.0..=1.0).contains(&self.jitter) {
            return Err(BuildError::Jitter { given: self.jitter });
        }
        Ok(())
    }

    /// The wait after the `attempt`th opening, which counts from 1.
    pub(crate) fn wait(&self, attempt: u32) -> Duration {
        let wait = match &self.kind {
            Kind::Fixed(wait) => *wait,
            Kind::Exponential { first, most } => {
                let doubled = 2_u32.checked_pow(attempt.saturating_sub(1));
                doubled.and_then(|times| first.checked_mul(times)).map_or(*most, |it| it.min(*most))
            }
            Kind::Custom(wait) => {
                let wait = catch_unwind(AssertUnwindSafe(|| wait(attempt)));
                wait.unwrap_or_else(|payload| {
                    quietly(|| drop(payload));
                    FALLBACK
                })
            }
        };
        self.shortened(wait.min(LONGEST))
    }

    fn shortened(&self, wait: Duration) -> Duration {
        if self.jitter == 0.0 {
            return wait;
        }
        // Its keys are random, and each has others: a number that nobody else has.
        let random = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
        let taken = (nanos(wait) as f64 * self.jitter * random) as u64;
        wait - Duration::from_nanos(taken).min(wait)
    }
}

impl Default for Backoff {
    /// Five seconds, and twice as long each time, up to a minute.
    fn default() -> Self {
        Self::exponential(Duration::from_secs(5), Duration::from_secs(60))
    }
}

impl fmt::Debug for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("Backoff");
        match &self.kind {
            Kind::Fixed(wait) => debug.field("fixed", wait),
            Kind::Exponential { first, most } => debug.field("first", first).field("most", most),
            Kind::Custom(_) => debug.field("custom", &format_args!("..")),
        };
        debug.field("jitter", &self.jitter).finish()
    }
}
