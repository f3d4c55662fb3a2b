//! What is told to `tracing`, where that feature is on; nothing where it is off.
//!
//! A denial is `debug`, for a flood makes many; a change of the limiter is `info`. What stands in an
//! event is worked out only if somebody listens.

use crate::error::{AcquireError, Denied};
use crate::quota::Quota;
use std::time::Duration;

#[cfg(feature = "tracing")]
const TARGET: &str = "lockgate_ratelimit";

#[inline]
pub(crate) fn denied(n: u32, denied: &Denied) {
    #[cfg(feature = "tracing")]
    tracing::debug!(
        target: TARGET,
        n,
        reason = ?denied.reason(),
        retry_after = denied.retry_after().map(|after| after.as_secs_f64()),
        "denied"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = (n, denied);
}

/// What asked for as much as there is, and got nothing. `why` is worked out only for who listens.
#[inline]
pub(crate) fn nothing(n: u32, why: impl Fn() -> Option<Denied>) {
    #[cfg(feature = "tracing")]
    if tracing::enabled!(target: TARGET, tracing::Level::DEBUG) {
        if let Some(why) = why() {
            denied(n, &why);
        }
    }
    #[cfg(not(feature = "tracing"))]
    let _ = (n, why);
}

/// A wait or a reservation that fails.
#[inline]
pub(crate) fn refused(n: u32, error: &AcquireError) {
    #[cfg(feature = "tracing")]
    tracing::debug!(target: TARGET, n, reason = ?error, "denied");
    #[cfg(not(feature = "tracing"))]
    let _ = (n, error);
}

/// `what` has changed, and this is what it is now.
#[inline]
pub(crate) fn reconfigured(what: &'static str, quota: impl Fn() -> Quota) {
    #[cfg(feature = "tracing")]
    tracing::info!(
        target: TARGET,
        what,
        rate = quota().rate.per_second_f64(),
        burst = quota().burst,
        "reconfigured"
    );
    #[cfg(not(feature = "tracing"))]
    let _ = (what, quota);
}

#[inline]
pub(crate) fn paused(duration: Duration) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: TARGET, seconds = duration.as_secs_f64(), "paused");
    #[cfg(not(feature = "tracing"))]
    let _ = duration;
}

#[inline]
pub(crate) fn filled(tokens: u32) {
    #[cfg(feature = "tracing")]
    tracing::info!(target: TARGET, tokens, "tokens set");
    #[cfg(not(feature = "tracing"))]
    let _ = tokens;
}

#[inline]
pub(crate) fn closed() {
    #[cfg(feature = "tracing")]
    tracing::info!(target: TARGET, "closed");
}
