//! What is told to `tracing`, where that feature is on; nothing where it is off.
//!
//! A transition is `info`, and told as listeners are: in order, outside every lock. A rejection is `debug`,
//! for an open circuit makes many. What listens there is the user's code, so a panic of it ends here.

use crate::error::Rejected;
use crate::events::Hub;
#[cfg(feature = "tracing")]
use crate::events::{Transition, quietly};

#[cfg(feature = "tracing")]
const TARGET: &str = "lockgate_breaker";

#[inline]
pub(crate) fn listen(hub: &Hub) {
    #[cfg(feature = "tracing")]
    hub.listen(crate::primitives::Arc::new(transition)).forever();
    #[cfg(not(feature = "tracing"))]
    let _ = hub;
}

#[cfg(feature = "tracing")]
fn transition(transition: &Transition) {
    tracing::info!(
        target: TARGET,
        breaker = &*transition.name,
        from = transition.from.as_str(),
        to = transition.to.as_str(),
        reason = transition.reason.as_str(),
        open_for = transition.open_for.map(|time| time.as_secs_f64()),
        number = transition.number,
        "transition"
    );
}

#[inline]
pub(crate) fn rejected(breaker: &str, rejected: &Rejected) {
    #[cfg(feature = "tracing")]
    quietly(|| {
        tracing::debug!(
            target: TARGET,
            breaker,
            state = rejected.state.as_str(),
            retry_after = rejected.retry_after.map(|after| after.as_secs_f64()),
            "rejected"
        );
    });
    #[cfg(not(feature = "tracing"))]
    let _ = (breaker, rejected);
}
