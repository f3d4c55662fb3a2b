//! How many jobs may wait, and what becomes of those that find no room: the same words for threads
//! and for tasks.

/// How many jobs may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Queue {
    /// None: a job is accepted when a worker is free for it, or may be started.
    Handoff,
    /// So many, beside those for which a worker is free.
    Bounded(usize),
    /// As many as there is memory for.
    Unbounded,
}

impl Queue {
    pub(crate) const fn bound(self) -> usize {
        match self {
            Self::Handoff => 0,
            Self::Bounded(bound) => bound,
            Self::Unbounded => usize::MAX,
        }
    }
}

/// What becomes of a job for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(rename_all = "snake_case")
)]
#[non_exhaustive]
pub enum Reject {
    /// Whoever submits it waits until there is room. A job of the pool that submits another does
    /// not, because the worker that it blocks may be the one that would make room: it runs the
    /// other at once, and is refused when 64 run inside each other.
    #[default]
    Block,
    /// It comes back, as an error.
    Fail,
    /// Whoever submits it runs it.
    CallerRuns,
    /// It is dropped: its result is [`JobError::Dropped`](crate::JobError::Dropped).
    DropNewest,
    /// The job that has waited longest, in the least urgent lane, is dropped for it.
    DropOldest,
}
