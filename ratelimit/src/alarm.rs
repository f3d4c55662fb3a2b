//! What wakes a wait when its moment has come, in either world.

use crate::clock::{Timer, Timestamp};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};
#[cfg(feature = "sync")]
use {crate::parker::Step, crate::primitives::Deadline};

/// A sleep until a moment that may change.
#[derive(Debug)]
pub(crate) struct Alarm<Z>(Option<(u64, Z)>);

impl<Z: Future<Output = ()> + Unpin> Alarm<Z> {
    pub(crate) const fn unset() -> Self {
        Self(None)
    }

    /// Sees to it that `waker` is called at `at`, if there is such a moment; `true` if it has come
    /// meanwhile.
    pub(crate) fn poll<C>(&mut self, clock: &C, at: Option<u64>, waker: &Waker) -> bool
    where
        C: Timer<Sleep = Z>,
    {
        let Some(at) = at else {
            self.0 = None;
            return false;
        };
        if self.0.as_ref().is_none_or(|(set, _)| *set != at) {
            self.0 = Some((at, clock.sleep_until(Timestamp::from_nanos(at))));
        }
        let Some((_, sleep)) = &mut self.0 else { return false };
        let rung = Pin::new(sleep).poll(&mut Context::from_waker(waker)).is_ready();
        if rung {
            // A sleep is not polled after it was ready; one that came early is followed by another.
            self.0 = None;
        }
        rung
    }

    /// How a thread waits for `at`.
    #[cfg(feature = "sync")]
    pub(crate) fn step<C, T>(&mut self, clock: &C, at: Option<u64>, waker: &Waker) -> Step<T>
    where
        C: Timer<Sleep = Z>,
    {
        match at.and_then(|at| clock.instant(Timestamp::from_nanos(at))) {
            Some(instant) => Step::Until(Deadline::at(instant)),
            None => {
                // A clock that does not follow real time wakes this thread as it does a task. If it
                // has rung by now, the thread looks again at once.
                if self.poll(clock, at, waker) {
                    waker.wake_by_ref();
                }
                Step::Queued { spin: false }
            }
        }
    }
}
