//! tokio's time, which tests can pause.

use super::{Clock, Timer, Timestamp, since};
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// tokio's time: the same as real time, but where a test has paused it.
///
/// Under `#[tokio::test(start_paused = true)]` the default clock stands beside the runtime's time:
/// waits take as long as they say. By this clock they are over at once, in the right order.
///
/// Waits by it, those of threads too, have to be polled within a runtime.
///
/// # Examples
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)]
/// # async fn main() {
/// use lockgate_ratelimit::{Quota, RateLimiter, clock::Tokio};
/// # use std::time::Duration;
/// let limiter = RateLimiter::with_clock(Quota::every(Duration::from_secs(3600)), Tokio::new());
/// limiter.acquire(1).await.unwrap();
/// assert_eq!(limiter.acquire(1).await, Ok(Duration::from_secs(3600)));
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Tokio {
    origin: Instant,
}

impl Tokio {
    /// The clock, which begins now.
    #[must_use]
    pub fn new() -> Self {
        Self { origin: tokio::time::Instant::now().into_std() }
    }
}

impl Default for Tokio {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for Tokio {
    fn now(&self) -> Timestamp {
        Timestamp(since(tokio::time::Instant::now().into_std(), self.origin))
    }
}

impl Timer for Tokio {
    type Sleep = TokioSleep;

    fn sleep_until(&self, at: Timestamp) -> TokioSleep {
        TokioSleep { at: self.origin.checked_add(Duration::from_nanos(at.0)), sleep: None }
    }

    fn instant(&self, _: Timestamp) -> Option<Instant> {
        None
    }
}

impl fmt::Debug for Tokio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tokio")
    }
}

/// A wait for a moment of a [`Tokio`] clock.
///
/// # Panics
///
/// Polling it panics outside a tokio runtime, and in one without time.
#[derive(Debug)]
#[must_use = "a wait does nothing unless it is polled"]
pub struct TokioSleep {
    /// `None`: never.
    at: Option<Instant>,
    sleep: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl Future for TokioSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let Some(at) = this.at else { return Poll::Pending };
        let sleep = this.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(at.into())));
        sleep.as_mut().poll(cx)
    }
}
