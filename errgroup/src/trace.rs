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

/// A task's future inside its span, which is entered for each poll.
#[cfg(all(feature = "async", feature = "tracing"))]
pub(crate) fn traced<F: Future>(
    group: Option<&str>,
    task: &TaskId,
    make: impl FnOnce() -> F,
) -> tracing::instrument::Instrumented<F> {
    let span = span(group, task);
    let future = span.in_scope(make);
    tracing::Instrument::instrument(future, span)
}

#[cfg(feature = "tracing")]
fn span(group: Option<&str>, task: &TaskId) -> tracing::Span {
    tracing::debug_span!("task", group, index = task.index(), name = task.name())
}
