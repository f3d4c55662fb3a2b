//! What the workloads ask of a breaker.

use crate::harness::{Role, Subject};
use std::sync::atomic::{AtomicU64, Ordering};

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
    const ROLE: Role = Role::Floor;
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

/// The bare call, counted: what nobody can avoid who looks at the last so many of all threads' calls.
pub struct Counted(AtomicU64);

impl Subject for Counted {
    const NAME: &'static str = "floor/counted";
    const ROLE: Role = Role::Floor;
}

impl Guard for Counted {
    fn closed() -> Self {
        Self(AtomicU64::new(0))
    }

    fn open() -> Self {
        Self::closed()
    }

    #[inline]
    fn call(&self, work: impl FnOnce() -> Result<(), ()>) -> Ended {
        let ended = Floor.call(work);
        self.0.fetch_add(1, Ordering::Relaxed);
        ended
    }
}
