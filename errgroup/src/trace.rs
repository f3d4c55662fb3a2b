//! The span of a task, where the feature `tracing` is on; nothing where it is off.
#![allow(dead_code, reason = "each world calls one of these")]

use crate::error::TaskId;

/// Runs a task inside its span.
#[inline]
pub(crate) fn in_span<R>(group: Option<&str>, task: &TaskId, run: impl FnOnce() -> R) -> R {
    #[cfg(feature = "tracing")]
    return span(group, task).in_scope(run);
    #[cfg(not(feature = "tracing"))]
    {
        let _ = (group, task);
        run()
    }
}

/// The span of a task, to be entered for each of its polls.
#[cfg(feature = "tracing")]
pub(crate) fn span(group: Option<&str>, task: &TaskId) -> tracing::Span {
    tracing::debug_span!("task", group, index = task.index(), name = task.name())
}
