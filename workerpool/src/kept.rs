//! The poll of a wait that one waker is kept for.

use crate::error::drop_payload;
use crate::primitives::Mutex;
use std::task::Waker;

/// What `ready` finds under the lock; without it, `waker` is kept in its place there. Wakers are the
/// user's: they are cloned and dropped outside the lock.
pub(crate) fn poll<S, R>(
    state: &Mutex<S>,
    waker: &Waker,
    ready: impl Fn(&mut S) -> Option<R>,
    place: impl Fn(&mut S) -> &mut Option<Waker>,
) -> Option<R> {
    let mut spare = None;
    loop {
        let mut state = state.lock();
        if let Some(result) = ready(&mut state) {
            return Some(result);
        }
        let kept = place(&mut state);
        if kept.as_ref().is_some_and(|kept| kept.will_wake(waker)) {
            return None;
        }
        if let Some(fresh) = spare.take() {
            let stale = kept.replace(fresh);
            drop(state);
            drop_payload(stale);
            return None;
        }
        drop(state);
        spare = Some(waker.clone());
    }
}

/// Nobody is here to take a waker's panic, least of all a worker with a job in its hands.
#[inline]
pub(crate) fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        let woken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| waker.wake()));
        if let Err(payload) = woken {
            drop_payload(payload);
        }
    }
}
