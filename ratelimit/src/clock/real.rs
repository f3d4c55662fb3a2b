//! A wait for a moment of real time, for tasks.

use crate::timer;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

/// A wait for a moment of real time.
///
/// First polled on tokio, it is a timer of that runtime, and rings as long as that is driven;
/// elsewhere it is an entry of one timer thread that all waits of this crate share. The thread is
/// started when it is first needed, and ends when it is not.
///
/// # Panics
///
/// Polling it panics if the timer thread cannot be started, and on a tokio runtime that was built
/// without `enable_time`.
#[must_use = "a wait does nothing unless it is polled"]
pub struct RealSleep {
    /// `None`: never.
    at: Option<Instant>,
    alarm: Alarm,
}

enum Alarm {
    /// Not polled yet.
    Unset,
    #[cfg(feature = "async")]
    Tokio(Pin<Box<tokio::time::Sleep>>),
    Thread(timer::Key),
}

impl RealSleep {
    pub(crate) const fn until(at: Option<Instant>) -> Self {
        Self { at, alarm: Alarm::Unset }
    }
}

impl Future for RealSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Some(at) = this.at else { return Poll::Pending };
        #[cfg(feature = "async")]
        {
            if matches!(this.alarm, Alarm::Unset) && tokio::runtime::Handle::try_current().is_ok() {
                this.alarm = Alarm::Tokio(Box::pin(tokio::time::sleep_until(at.into())));
            }
            if let Alarm::Tokio(sleep) = &mut this.alarm {
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                // Where tokio's time is paused it runs ahead of the real one: then a thread keeps
                // it, instead of a task that never rests.
                if super::now() >= at {
                    return Poll::Ready(());
                }
                this.alarm = Alarm::Unset;
            }
        }
        if super::now() >= at {
            return Poll::Ready(());
        }
        match &this.alarm {
            Alarm::Thread(key) if timer::rearm(key, cx.waker()) => {}
            _ => this.alarm = Alarm::Thread(timer::insert(at, cx.waker().clone())),
        }
        Poll::Pending
    }
}

impl Drop for RealSleep {
    fn drop(&mut self) {
        if let Alarm::Thread(key) = &self.alarm {
            drop(timer::remove(key));
        }
    }
}

impl fmt::Debug for RealSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RealSleep").field("at", &self.at).finish_non_exhaustive()
    }
}
