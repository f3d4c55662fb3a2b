//! What a policy looks at: the streak of failures, the last N calls, the calls of the last while.
//!
//! Each word carries the generation that it counts for, so that a transition empties every window
//! by being made: nothing is cleared, and a result of an older generation finds no word to go to.

mod count;
mod streak;
mod time;

pub(crate) use count::CountWindow;
pub(crate) use streak::Streak;
pub(crate) use time::TimeWindow;

/// How many calls there were in a window, and what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Calls that succeeded or failed.
    pub calls: u64,
    /// Those that failed.
    pub failures: u64,
    /// Those that were slow, whether they failed or not. Counted only where a policy asks for it.
    pub slow: u64,
}

impl Counts {
    /// Which part of the calls failed; 0 of none.
    #[must_use]
    pub fn failure_rate(&self) -> f64 {
        share(self.failures, self.calls)
    }

    /// Which part of the calls was slow; 0 of none.
    #[must_use]
    pub fn slow_rate(&self) -> f64 {
        share(self.slow, self.calls)
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// One call that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) failed: bool,
    pub(crate) slow: bool,
}
