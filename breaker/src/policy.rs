//! When a circuit opens.

use crate::clock::nanos;
use crate::error::BuildError;
use crate::gauge::{Gauge, Limit, Measure, Rule, Span};
use crate::primitives::Arc;
use crate::throttle::Throttle;
use crate::window::{Counts, TimeWindow};
use std::fmt;
use std::time::Duration;

/// A stretch of calls: the last so many, or those of the last while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window(Span);

impl Window {
    /// The last `calls` calls, 1 to 1 048 576. One bit each, and the cheapest to write to.
    #[must_use]
    pub const fn count(calls: u32) -> Self {
        Self(Span::Calls(calls))
    }

    /// The calls of the last `length`, to the next `length / buckets`, with 1 to 1000 buckets of 1 µs to
    /// 1 hour each.
    ///
    /// A call is filed under the time at which it ended, so each needs a look at the clock: with
    /// the standard one, that costs more than all else. See [`Cached`](crate::clock::Cached).
    #[must_use]
    pub const fn time(length: Duration, buckets: u32) -> Self {
        Self(Span::Time { length, buckets })
    }

    fn check(self) -> Result<(), BuildError> {
        match self.0 {
            Span::Calls(calls) => number("the calls of a window", calls, 1, 1 << 20),
            Span::Time { length, buckets } => {
                number("the buckets of a window", buckets, 1, 1_000)?;
                let (least, most) = (Duration::from_micros(1), Duration::from_secs(3_600));
                let given = length / buckets;
                if !(least..=most).contains(&given) {
                    let knob = "the time of a bucket";
                    return Err(BuildError::Duration { knob, given, least, most });
                }
                Ok(())
            }
        }
    }
}

/// When a circuit opens.
///
/// A policy is asked when a call fails or is slow, and when the calls reach its minimum: nothing else
/// could change its mind for the worse, but that old successes leave a window of time.
///
/// # Examples
///
/// ```
/// # use lockgate_breaker::{Policy, Window};
/// # use std::time::Duration;
/// let last = Window::time(Duration::from_secs(10), 10);
/// let policy = Policy::any([
///     Policy::consecutive_failures(20),
///     Policy::failure_rate(0.5).min_calls(20).window(last),
///     Policy::slow_call_rate(0.8, Duration::from_secs(2)).min_calls(20).window(last),
/// ]);
/// # drop(policy);
/// ```
#[derive(Clone)]
#[must_use = "a policy does nothing until a breaker has it"]
pub struct Policy(Kind);

#[derive(Clone)]
enum Kind {
    Consecutive(u32),
    Share { measure: Measure, limit: Limit, min_calls: u32, window: Window },
    Custom { judge: Judge, window: Window },
    Throttle { factor: f64, most: f64, min_calls: u32, window: Window },
    Any(Vec<Policy>),
    All(Vec<Policy>),
}

/// What a user decides by.
pub(crate) type Judge = Arc<dyn Fn(&Counts) -> bool + Send + Sync>;

const WINDOW: Window = Window::count(100);

impl Policy {
    /// So many failures in a row, 1 or more. A success in between begins anew; time does not.
    ///
    /// A success costs two loads and writes nothing.
    pub const fn consecutive_failures(failures: u32) -> Self {
        Self(Kind::Consecutive(failures))
    }

    /// So many failures among the last `calls`.
    pub const fn failures_of(failures: u32, calls: u32) -> Self {
        let window = Window::count(calls);
        let (measure, limit) = (Measure::Failures, Limit::Count(failures));
        Self(Kind::Share { measure, limit, min_calls: 1, window })
    }

    /// Such a part of the calls failed, above 0 to 1: 0.5 is half of them. Of the last 100 and not
    /// before there were 10, unless [`window`](Self::window) and [`min_calls`](Self::min_calls) say
    /// otherwise.
    pub const fn failure_rate(rate: f64) -> Self {
        let (measure, limit) = (Measure::Failures, Limit::Share(rate));
        Self(Kind::Share { measure, limit, min_calls: 10, window: WINDOW })
    }

    /// Such a part of the calls took `slower_than` or longer, whether they failed or not. All policies
    /// of one breaker have the same limit. Each call then reads the clock twice.
    pub const fn slow_call_rate(rate: f64, slower_than: Duration) -> Self {
        let (measure, limit) = (Measure::Slow(slower_than), Limit::Share(rate));
        Self(Kind::Share { measure, limit, min_calls: 10, window: WINDOW })
    }

    /// What `judge` says of the calls in `window`. It is called outside every lock, when a call has
    /// failed or was slow, and beside another policy that lacks calls also when one has succeeded; now and then twice. If it panics, it has said no.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::{Breaker, Policy, State, Window};
    /// // Half of the calls, but of one or two none.
    /// let policy = Policy::custom(Window::count(20), |counts| {
    ///     counts.calls > 2 && counts.failure_rate() >= 0.5
    /// });
    /// let breaker = Breaker::builder("payments").policy(policy).build()?;
    /// for _ in 0..3 {
    ///     assert_eq!(breaker.state(), State::Closed);
    ///     let _ = breaker.call(|| Err::<(), _>("no answer"));
    /// }
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok::<(), lockgate_breaker::BuildError>(())
    /// ```
    pub fn custom(window: Window, judge: impl Fn(&Counts) -> bool + Send + Sync + 'static) -> Self {
        Self(Kind::Custom { judge: Arc::new(judge), window })
    }

    /// Opens nothing, but rejects a share of the calls while the server refuses others: with R calls in
    /// the window, of which A did not fail, it rejects each further one with a probability of
    /// (R − `factor` · A) ÷ (R + 1), and at most [`max_rejection_rate`](Self::max_rejection_rate), which is
    /// 0.9. Rejected calls count among R. `factor` is above 1, to 1000; 2 lets through twice as many as are
    /// accepted.
    ///
    /// This is the client-side throttling of Google's book on site reliability (chapter "Handling
    /// Overload"). It has no half-open state: what it lets through are its probes. Without the bound, a
    /// client that is busy enough would hardly let anything through for as long as it stays busy.
    ///
    /// It looks at the last two minutes in 24 buckets, and not before there were 10 calls in them, unless
    /// [`window`](Self::window) (of time, and longer than calls take) and [`min_calls`](Self::min_calls)
    /// say otherwise. Each call reads the clock twice and every bucket once.
    pub const fn client_throttle(factor: f64) -> Self {
        let window = Window::time(Duration::from_secs(120), 24);
        Self(Kind::Throttle { factor, most: 0.9, min_calls: 10, window })
    }

    /// The largest share that a [`client_throttle`](Self::client_throttle) rejects, above 0 to less than
    /// 1. Other policies are left as they are.
    pub fn max_rejection_rate(mut self, rate: f64) -> Self {
        if let Kind::Throttle { most, .. } = &mut self.0 {
            *most = rate;
        }
        self
    }

    /// When one of these would open it.
    pub fn any(policies: impl IntoIterator<Item = Self>) -> Self {
        Self(Kind::Any(policies.into_iter().collect()))
    }

    /// When all of these would open it.
    pub fn all(policies: impl IntoIterator<Item = Self>) -> Self {
        Self(Kind::All(policies.into_iter().collect()))
    }

    /// Not before there were so many calls in the window. For rates and throttles; others are left as they are.
    pub fn min_calls(mut self, calls: u32) -> Self {
        if let Kind::Share { min_calls, .. } | Kind::Throttle { min_calls, .. } = &mut self.0 {
            *min_calls = calls;
        }
        self
    }

    /// What the policy looks at. For rates, throttles and custom policies; others are left as they are.
    pub fn window(mut self, new: Window) -> Self {
        if let Kind::Share { window, .. }
        | Kind::Custom { window, .. }
        | Kind::Throttle { window, .. } = &mut self.0
        {
            *window = new;
        }
        self
    }

    /// Makes what counts and judges.
    pub(crate) fn gauge(&self) -> Result<Gauge, BuildError> {
        let mut parts = Parts::default();
        let rule = parts.rule(self)?;
        let slower_than = parts.slower_than.map(nanos);
        Ok(Gauge::new(rule, parts.streak, &parts.spans, slower_than, parts.throttle))
    }
}

/// What the policies of one breaker share.
#[derive(Default)]
struct Parts {
    streak: bool,
    spans: Vec<Span>,
    slower_than: Option<Duration>,
    throttle: Option<Box<Throttle>>,
}

impl Parts {
    fn rule(&mut self, policy: &Policy) -> Result<Rule, BuildError> {
        Ok(match &policy.0 {
            Kind::Consecutive(failures) => {
                number("the failures in a row", *failures, 1, u32::MAX)?;
                self.streak = true;
                Rule::Streak(*failures)
            }
            Kind::Share { measure, limit, min_calls, window } => {
                let window_index = self.window(*window)?;
                let most = match window.0 {
                    Span::Calls(calls) => calls,
                    Span::Time { .. } => u32::MAX,
                };
                number("the minimum of calls", *min_calls, 1, most)?;
                match *limit {
                    Limit::Share(given) if !(given > 0.0 && given <= 1.0) => {
                        return Err(BuildError::Share { knob: "the rate of a policy", given });
                    }
                    Limit::Count(count) => number("the failures of a policy", count, 1, most)?,
                    Limit::Share(_) => {}
                }
                if let Measure::Slow(slower_than) = *measure {
                    self.slower_than(slower_than)?;
                }
                let (measure, limit) = (*measure, *limit);
                Rule::Share { window: window_index, measure, limit, min_calls: *min_calls }
            }
            Kind::Custom { judge, window } => {
                Rule::Custom { window: self.window(*window)?, judge: Arc::clone(judge) }
            }
            Kind::Throttle { factor, most, min_calls, window } => {
                self.throttle(*factor, *most, *min_calls, *window)?;
                Rule::Throttle
            }
            Kind::Any(policies) => Rule::Any(self.rules(policies)?),
            Kind::All(policies) => {
                let before = self.throttle.is_some();
                let rules = self.rules(policies)?;
                if !before && self.throttle.is_some() {
                    return Err(BuildError::Throttle("among policies that all have to agree"));
                }
                Rule::All(rules)
            }
        })
    }

    fn rules(&mut self, policies: &[Policy]) -> Result<Box<[Rule]>, BuildError> {
        if policies.is_empty() {
            return Err(BuildError::NoPolicy);
        }
        policies.iter().map(|policy| self.rule(policy)).collect()
    }

    /// Policies that look at the same calls share what counts them.
    fn window(&mut self, window: Window) -> Result<usize, BuildError> {
        window.check()?;
        Ok(self.spans.iter().position(|span| *span == window.0).unwrap_or_else(|| {
            self.spans.push(window.0);
            self.spans.len() - 1
        }))
    }

    fn throttle(
        &mut self,
        factor: f64,
        most: f64,
        min_calls: u32,
        window: Window,
    ) -> Result<(), BuildError> {
        if !(factor > 1.0 && factor <= 1_000.0) {
            return Err(BuildError::Factor { given: factor });
        }
        if !(most > 0.0 && most < 1.0) {
            return Err(BuildError::RejectionRate { given: most });
        }
        number("the minimum of calls", min_calls, 1, u32::MAX)?;
        window.check()?;
        let Span::Time { length, buckets } = window.0 else {
            return Err(BuildError::Throttle("over a number of calls instead of a time"));
        };
        let window = TimeWindow::new(nanos(length), buckets);
        let throttle = Throttle::new(window, factor, most, min_calls);
        match self.throttle.replace(Box::new(throttle)) {
            Some(_) => Err(BuildError::Throttle("beside another")),
            None => Ok(()),
        }
    }

    fn slower_than(&mut self, given: Duration) -> Result<(), BuildError> {
        let (least, most) = (Duration::from_nanos(1), Duration::from_secs(366 * 24 * 60 * 60));
        if !(least..=most).contains(&given) {
            let knob = "the limit for slow calls";
            return Err(BuildError::Duration { knob, given, least, most });
        }
        match self.slower_than.replace(given) {
            Some(one) if one != given => Err(BuildError::SlowerThan { one, other: given }),
            _ => Ok(()),
        }
    }
}

pub(crate) fn number(
    knob: &'static str,
    given: u32,
    least: u32,
    most: u32,
) -> Result<(), BuildError> {
    if (least..=most).contains(&given) {
        return Ok(());
    }
    let [given, least, most] = [given, least, most].map(u64::from);
    Err(BuildError::Number { knob, given, least, most })
}

impl Default for Policy {
    /// Five failures in a row.
    fn default() -> Self {
        Self::consecutive_failures(5)
    }
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Consecutive(failures) => write!(f, "{failures} failures in a row"),
            Kind::Share { measure, limit, min_calls, window } => f
                .debug_struct("Share")
                .field("measure", measure)
                .field("limit", limit)
                .field("min_calls", min_calls)
                .field("window", window)
                .finish(),
            Kind::Custom { window, .. } => {
                f.debug_struct("Custom").field("window", window).finish_non_exhaustive()
            }
            Kind::Throttle { factor, most, min_calls, window } => f
                .debug_struct("Throttle")
                .field("factor", factor)
                .field("most", most)
                .field("min_calls", min_calls)
                .field("window", window)
                .finish(),
            Kind::Any(policies) => f.debug_tuple("Any").field(policies).finish(),
            Kind::All(policies) => f.debug_tuple("All").field(policies).finish(),
        }
    }
}
