//! A policy at work: what it counts, and what it makes of that.

use crate::clock::nanos;
use crate::events::quietly;
use crate::policy::Judge;
use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::state::Generation;
use crate::throttle::Throttle;
use crate::window::{Call, CountWindow, Counts, Streak, TimeWindow};
use std::fmt;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    Calls(u32),
    Time { length: Duration, buckets: u32 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Failures,
    Slow(Duration),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Limit {
    Share(f64),
    Count(u32),
}

pub(crate) enum Rule {
    Streak(u32),
    Share {
        window: usize,
        measure: Measure,
        limit: Limit,
        min_calls: u32,
    },
    Custom {
        window: usize,
        judge: Judge,
    },
    /// Opens nothing: it is asked before each call.
    Throttle,
    Any(Box<[Rule]>),
    All(Box<[Rule]>),
}

/// In the order in which they weigh: any is the most of them, all is the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Opinion {
    Fine,
    /// It would open if there were more calls.
    TooFew,
    Open,
}

#[derive(Debug)]
enum Calls {
    Count(CountWindow),
    Time(TimeWindow),
}

impl Calls {
    fn counts(&self, generation: Generation, now: u64) -> Counts {
        match self {
            Self::Count(window) => window.counts(generation),
            Self::Time(window) => window.counts(generation, now),
        }
    }
}

/// What an ordinary call has to do with, where that is one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Plain {
    /// The streak, and so many failures open.
    Streak(u32),
    /// One window.
    Window,
    No,
}

/// A generation as `too_few` has it.
const fn mark(generation: Generation) -> u64 {
    generation.0 as u64 + 1
}

pub(crate) struct Gauge {
    rule: Rule,
    plain: Plain,
    streak: Option<Streak>,
    windows: Box<[Calls]>,
    /// Apart: most have none.
    pub(crate) throttle: Option<Box<Throttle>>,
    /// In nanoseconds.
    pub(crate) slower_than: Option<u64>,
    /// Whether it has to be told what time it is.
    pub(crate) needs_time: bool,
    /// What there was is bad, but too little: also a success may be the one call that was missing. The
    /// [`mark`] of the generation of which that is so, or 0.
    too_few: AtomicU64,
}

impl Gauge {
    pub(crate) fn new(
        rule: Rule,
        streak: bool,
        spans: &[Span],
        slower_than: Option<u64>,
        throttle: Option<Box<Throttle>>,
    ) -> Self {
        let slow = slower_than.is_some();
        let windows: Box<[_]> = spans
            .iter()
            .map(|span| match *span {
                Span::Calls(calls) => Calls::Count(CountWindow::new(calls, slow)),
                Span::Time { length, buckets } => {
                    Calls::Time(TimeWindow::new(nanos(length), buckets))
                }
            })
            .collect();
        let needs_time = slow
            || throttle.is_some()
            || spans.iter().any(|span| matches!(span, Span::Time { .. }));
        let plain = match (&rule, windows.len()) {
            _ if slow || throttle.is_some() => Plain::No,
            (&Rule::Streak(failures), 0) => Plain::Streak(failures),
            (_, 1) if !streak => Plain::Window,
            _ => Plain::No,
        };
        let streak = streak.then(Streak::new);
        let too_few = AtomicU64::new(0);
        Self { rule, plain, streak, windows, throttle, slower_than, needs_time, too_few }
    }

    /// Counts a success, if that is simple, and tells whether the circuit is to open.
    #[inline(always)]
    pub(crate) fn succeed(&self, generation: Generation, now: impl Fn() -> u64) -> Option<bool> {
        match (self.plain, &self.streak, &*self.windows) {
            (Plain::Streak(_), Some(streak), _) => {
                streak.succeed(generation);
                Some(false)
            }
            (Plain::Window, _, [Calls::Count(window)]) => {
                let same = window.is_all_well(generation);
                Some(!same && self.ring_succeeds(window, generation))
            }
            (Plain::Window, _, [Calls::Time(window)]) => {
                Some(self.buckets(window, generation, now(), false))
            }
            _ => None,
        }
    }

    /// The same of a failure.
    #[inline(never)]
    pub(crate) fn fail(&self, generation: Generation, now: impl Fn() -> u64) -> Option<bool> {
        match (self.plain, &self.streak, &*self.windows) {
            (Plain::Streak(most), Some(streak), _) => {
                Some(streak.fail(generation).is_some_and(|failures| failures >= most))
            }
            (Plain::Window, _, [Calls::Count(window)]) => Some(self.ring_fails(window, generation)),
            (Plain::Window, _, [Calls::Time(window)]) => {
                Some(self.buckets(window, generation, now(), true))
            }
            _ => None,
        }
    }

    #[inline(never)]
    fn ring_succeeds(&self, window: &CountWindow, generation: Generation) -> bool {
        window.add(generation, Call { failed: false, slow: false });
        self.asks(false, generation) && self.judge(generation, 0)
    }

    #[inline(never)]
    fn ring_fails(&self, window: &CountWindow, generation: Generation) -> bool {
        window.add(generation, Call { failed: true, slow: false });
        self.judge(generation, 0)
    }

    #[inline(never)]
    fn buckets(&self, window: &TimeWindow, generation: Generation, now: u64, failed: bool) -> bool {
        window.record(generation, Call { failed, slow: false }, now);
        self.asks(failed, generation) && self.judge(generation, now)
    }

    /// Whether the rule is asked after a call.
    #[inline]
    fn asks(&self, bad: bool, generation: Generation) -> bool {
        // ORDERING: Relaxed: whoever overlooks it leaves it to the next call.
        bad || self.too_few.load(Ordering::Relaxed) == mark(generation)
    }

    /// Counts a call, and tells whether the circuit is to open. `now` is looked at only where
    /// [`needs_time`](Self::needs_time).
    pub(crate) fn record(&self, generation: Generation, call: Call, now: u64) -> bool {
        let bad = call.failed || call.slow;
        if let Some(streak) = &self.streak {
            if call.failed {
                streak.fail(generation);
            } else {
                streak.succeed(generation);
            }
        }
        for window in &self.windows {
            match window {
                Calls::Count(window) => window.record(generation, call),
                Calls::Time(window) => window.record(generation, call, now),
            }
        }
        if let (Some(throttle), false) = (&self.throttle, call.failed) {
            throttle.accepted(generation, now);
        }
        self.asks(bad, generation) && self.judge(generation, now)
    }

    #[inline(always)]
    fn judge(&self, generation: Generation, now: u64) -> bool {
        let opinion = self.opinion(&self.rule, generation, now);
        if opinion == Opinion::TooFew {
            self.lack(generation);
            return false;
        }
        // ORDERING: Relaxed, see `asks`: what is overlooked is left as it is.
        let lacked = self.too_few.load(Ordering::Relaxed) == mark(generation);
        let again = if lacked { self.suffice(generation, now) } else { opinion };
        opinion == Opinion::Open || again == Opinion::Open
    }

    /// There are too few calls in `generation`.
    #[cold]
    fn lack(&self, generation: Generation) {
        // ORDERING: Relaxed: the exchange looks again.
        let mut now = self.too_few.load(Ordering::Relaxed);
        loop {
            let is_newer =
                now.checked_sub(1).is_some_and(|it| generation.is_behind(Generation(it as u32)));
            if is_newer {
                return;
            }
            // ORDERING: Relaxed where it fails: it looks again.
            let (mark, failed) = (mark(generation), Ordering::Relaxed);
            // ORDERING: Release pairs with the Acquire of `suffice`, also where it is marked already: whoever
            // takes the mark away sees the failure for which it was set. All that is ever written here is
            // written by exchanges, so the mark of one failure does not hide another's.
            match self.too_few.compare_exchange_weak(now, mark, Ordering::Release, failed) {
                Ok(_) => return,
                Err(actual) => now = actual,
            }
        }
    }

    /// There are enough, or all is well: the mark is taken away, and the rule is asked again, for a failure may
    /// have come since the last look and have set the mark that was taken.
    #[cold]
    fn suffice(&self, generation: Generation, now: u64) -> Opinion {
        // ORDERING: Relaxed where it fails: somebody else asks again.
        let (mark, failed) = (mark(generation), Ordering::Relaxed);
        // ORDERING: Acquire, see `lack`; Relaxed where somebody else has taken it, who asks again himself.
        if self.too_few.compare_exchange(mark, 0, Ordering::Acquire, failed).is_err() {
            return Opinion::Fine;
        }
        let opinion = self.opinion(&self.rule, generation, now);
        if opinion == Opinion::TooFew {
            self.lack(generation);
        }
        opinion
    }

    #[inline(always)]
    fn opinion(&self, rule: &Rule, generation: Generation, now: u64) -> Opinion {
        let decide = |open| if open { Opinion::Open } else { Opinion::Fine };
        match rule {
            Rule::Streak(failures) => decide(self.streak(generation) >= *failures),
            Rule::Share { window, measure, limit, min_calls } => {
                let counts = self.windows[*window].counts(generation, now);
                let part = match measure {
                    Measure::Failures => counts.failures,
                    Measure::Slow(_) => counts.slow,
                };
                let over = match *limit {
                    Limit::Count(count) => part >= u64::from(count),
                    Limit::Share(share) => part > 0 && part as f64 >= share * counts.calls as f64,
                };
                match over {
                    true if counts.calls < u64::from(*min_calls) => Opinion::TooFew,
                    over => decide(over),
                }
            }
            Rule::Custom { window, judge } => {
                let counts = self.windows[*window].counts(generation, now);
                let mut open = false;
                // It may be asked by a drop that unwinds already, where a second panic aborts.
                quietly(|| open = judge(&counts));
                decide(open)
            }
            Rule::Throttle => Opinion::Fine,
            Rule::Any(_) | Rule::All(_) => self.joint(rule, generation, now),
        }
    }

    /// Kept apart, so that what most policies are needs no recursion.
    #[inline(never)]
    fn joint(&self, rule: &Rule, generation: Generation, now: u64) -> Opinion {
        let each = |rule: &Rule| self.opinion(rule, generation, now);
        let opinion = match rule {
            Rule::Any(rules) => rules.iter().map(each).max(),
            Rule::All(rules) => rules.iter().map(each).min(),
            _ => None,
        };
        opinion.unwrap_or(Opinion::Fine)
    }

    pub(crate) fn streak(&self, generation: Generation) -> u32 {
        self.streak.as_ref().map_or(0, |streak| streak.failures(generation))
    }

    /// The counts of each window, in the order in which the policy names them.
    pub(crate) fn counts(&self, generation: Generation, now: u64) -> Vec<Counts> {
        self.windows.iter().map(|window| window.counts(generation, now)).collect()
    }
}

impl fmt::Debug for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gauge").field("windows", &self.windows.len()).finish_non_exhaustive()
    }
}
