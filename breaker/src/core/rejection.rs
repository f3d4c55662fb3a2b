//! Whether a call would be let through, asked without making one.

use super::{Core, NEVER};
use crate::error::Rejected;
use crate::primitives::atomic::Ordering;
use crate::state::State;
use std::time::Duration;

impl Core {
    /// What a call would be told that came now, if it were rejected. It changes nothing, and promises
    /// nothing: what is due is left to the call.
    #[inline]
    pub(crate) fn rejection(&self, now: impl Fn() -> u64) -> Option<Rejected> {
        if self.word().is_closed() { None } else { self.rejection_slow(&now) }
    }

    #[cold]
    fn rejection_slow(&self, now: &dyn Fn() -> u64) -> Option<Rejected> {
        let word = self.word();
        let state = word.state();
        let retry_after = match state {
            State::Closed | State::Disabled | State::MetricsOnly => return None,
            // ORDERING: Relaxed, as in `admit_slow`: written before the state that was seen.
            State::Open | State::ForcedOpen => match self.until.load(Ordering::Relaxed) {
                NEVER => None,
                until => match until.saturating_sub(now()) {
                    0 => return None,
                    left => Some(Duration::from_nanos(left)),
                },
            },
            State::HalfOpen if word.admit(&self.config.trial).is_some() => return None,
            State::HalfOpen if self.lease_over(now).0 => return None,
            State::HalfOpen => None,
        };
        Some(Rejected { state, retry_after })
    }
}
