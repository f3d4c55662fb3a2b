//! What the workloads ask of a breaker.

use crate::harness::Subject;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    Well,
    Failed,
    Rejected,
}

pub trait Guard: Subject + Send + Sync + 'static {
    /// Closed, and of a kind that the failures of the workloads do not open.
    fn closed() -> Self;

    /// Open for an hour.
    fn open() -> Self;

    fn call(&self, work: impl FnOnce() -> Result<(), ()>) -> Ended;
}

/// The bare call, for scale.
pub struct Floor;

impl Subject for Floor {
    const NAME: &'static str = "floor";
    const ROLE: crate::harness::Role = crate::harness::Role::Floor;
}

impl Guard for Floor {
    fn closed() -> Self {
        Self
    }

    fn open() -> Self {
        Self
    }

    #[inline]
    fn call(&self, work: impl FnOnce() -> Result<(), ()>) -> Ended {
        if work().is_ok() { Ended::Well } else { Ended::Failed }
    }
}
