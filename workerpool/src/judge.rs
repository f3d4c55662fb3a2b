//! Who has the result of a job before anybody who waits for it.

use crate::engine::Outcome;
use crate::error::JobError;

/// What becomes of a job's result, and who else is to hear of it.
pub(crate) trait Judge<O>: Send + Sync {
    /// What the job's handle gives.
    type Value: Send;

    /// Makes of the result what the handle has, and what the pool counts. Called once, by whoever ends
    /// the job.
    fn judge(&self, result: Result<O, JobError>) -> (Result<Self::Value, JobError>, Outcome);
    /// The result is there, and whoever waits for it is about to be told.
    fn over(&self) {}
    /// The job was handed back, and is run by hand.
    #[cfg(feature = "sync")]
    fn outside(&self) {}
}

/// The handle has what the job gave.
#[derive(Debug)]
pub(crate) struct Alone;

impl<O: Send> Judge<O> for Alone {
    type Value = O;

    #[inline]
    fn judge(&self, result: Result<O, JobError>) -> (Result<O, JobError>, Outcome) {
        let outcome = result.as_ref().map_or_else(outcome_of, |_| Outcome::Completed);
        (result, outcome)
    }
}

/// As what a job without a value counts.
pub(crate) const fn outcome_of(error: &JobError) -> Outcome {
    match error {
        JobError::Panicked(_) => Outcome::Panicked,
        JobError::Expired => Outcome::Expired,
        _ => Outcome::Void,
    }
}
