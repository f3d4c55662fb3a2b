//! What is told to `tracing`, where that feature is on; nothing where it is off.
//!
//! A job's span is `debug`, made where the job is submitted, so that it stands under the span of
//! whoever submitted it, and entered where it runs. A panic is `error`, a job that found no room
//! `debug`, for a full queue makes many; a shutdown is `info`. What listens there is the user's code: it is
//! called outside every lock, and a panic of it ends here.

use crate::error::Reason;

#[cfg(feature = "tracing")]
const TARGET: &str = "lockgate_workerpool";

/// The span of a job, or none.
pub(crate) struct Span {
    #[cfg(feature = "tracing")]
    span: Option<tracing::Span>,
}

impl Span {
    pub(crate) const fn none() -> Self {
        Self {
            #[cfg(feature = "tracing")]
            span: None,
        }
    }

    #[inline]
    pub(crate) fn of_job(pool: &str, lane: u16, name: Option<&str>) -> Self {
        #[cfg(feature = "tracing")]
        {
            let make = || tracing::debug_span!(target: TARGET, "job", pool, lane, name);
            let span = quietly(make).filter(|span| !span.is_disabled());
            Self { span }
        }
        #[cfg(not(feature = "tracing"))]
        {
            let _ = (pool, lane, name);
            Self::none()
        }
    }

    #[inline]
    #[allow(clippy::missing_const_for_fn, reason = "const where there is nothing to do")]
    pub(crate) fn is_none(&self) -> bool {
        #[cfg(feature = "tracing")]
        return self.span.is_none();
        #[cfg(not(feature = "tracing"))]
        true
    }

    /// Runs `job`, which does not panic, inside the span.
    #[inline]
    pub(crate) fn around<R>(&self, job: impl FnOnce() -> R) -> R {
        #[cfg(feature = "tracing")]
        if let Some(span) = &self.span {
            // Not `in_scope`: a subscriber that panics must not take the job with it.
            let entered = quietly(|| span.enter());
            let result = job();
            quietly(|| drop(entered));
            return result;
        }
        job()
    }

    pub(crate) fn close(&mut self) {
        #[cfg(feature = "tracing")]
        if let Some(span) = self.span.take() {
            quietly(|| drop(span));
        }
    }
}

pub(crate) fn panicked(pool: Option<&str>) {
    #[cfg(feature = "tracing")]
    quietly(|| tracing::error!(target: TARGET, pool, "a job panicked"));
    #[cfg(not(feature = "tracing"))]
    let _ = pool;
}

/// A job was refused, or dropped for want of room.
pub(crate) fn rejected(pool: Option<&str>, reason: Reason) {
    #[cfg(feature = "tracing")]
    quietly(|| {
        tracing::debug!(target: TARGET, pool, reason = %reason, "job rejected");
    });
    #[cfg(not(feature = "tracing"))]
    let _ = (pool, reason);
}

/// The pool takes no more jobs; so many are handed back.
pub(crate) fn shutdown(pool: Option<&str>, returned: usize) {
    #[cfg(feature = "tracing")]
    quietly(|| tracing::info!(target: TARGET, pool, returned, "shutdown"));
    #[cfg(not(feature = "tracing"))]
    let _ = (pool, returned);
}

#[cfg(feature = "tracing")]
fn quietly<R>(f: impl FnOnce() -> R) -> Option<R> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
        Ok(value) => Some(value),
        Err(payload) => {
            crate::error::drop_payload(payload);
            None
        }
    }
}
