//! Transitions as a stream, for whoever would rather wait for them than be called.

use crate::error::RecvError;
use crate::events::{Listener, Transition};
use crate::primitives::{Arc, Mutex};
use std::collections::VecDeque;
use std::fmt;
#[cfg(feature = "async")]
use std::future::Future;
#[cfg(feature = "async")]
use std::pin::Pin;
use std::task::{Poll, Waker};

#[cfg(feature = "sync")]
use crate::parker::{Step, drive};
#[cfg(feature = "sync")]
use crate::primitives::Deadline;
#[cfg(feature = "sync")]
use std::time::{Duration, Instant};

/// The transitions of a breaker since [`subscribe`](crate::Breaker::subscribe), in their order.
///
/// It holds so many that were not fetched; then the oldest go, and the next fetch is told how
/// many. A slow reader holds up nobody.
///
/// With the feature `async` it is a `futures_core::Stream` of `Result<Transition, RecvError>`, too: it ends when the
/// breaker is gone, so that the only error in it is [`RecvError::Missed`], after which it goes on. Its own
/// `next` goes before that of an extension trait such as `StreamExt`; the rest of such a trait is there.
///
/// # Examples
///
/// ```
/// # use lockgate_breaker::{Breaker, RecvError, State};
/// let breaker = Breaker::new("payments");
/// let mut transitions = breaker.subscribe(16)?;
/// breaker.force_open();
/// breaker.reset();
/// assert_eq!(transitions.try_next().unwrap().unwrap().to, State::ForcedOpen);
/// assert_eq!(transitions.try_next().unwrap().unwrap().to, State::Closed);
/// assert_eq!(transitions.try_next(), Ok(None));
/// drop(breaker);
/// assert_eq!(transitions.try_next(), Err(RecvError::Closed));
/// # Ok::<(), lockgate_breaker::BuildError>(())
/// ```
pub struct Subscription {
    ring: Arc<Mutex<Ring>>,
    /// Ends the subscription when it is dropped.
    _listener: Listener,
}

#[derive(Default)]
pub(crate) struct Ring {
    queue: VecDeque<Transition>,
    capacity: usize,
    missed: u64,
    /// The breaker is gone.
    closed: bool,
    waker: Option<Waker>,
}

/// The breaker's end.
pub(crate) struct Feed(Arc<Mutex<Ring>>);

pub(crate) fn ring(capacity: usize) -> (Feed, Arc<Mutex<Ring>>) {
    let ring = Arc::new(Mutex::new(Ring { capacity, ..Ring::default() }));
    (Feed(Arc::clone(&ring)), ring)
}

impl Feed {
    pub(crate) fn push(&self, transition: &Transition) {
        let (waker, oldest);
        {
            let mut ring = self.0.lock();
            oldest = if ring.queue.len() == ring.capacity {
                ring.missed += 1;
                ring.queue.pop_front()
            } else {
                None
            };
            ring.queue.push_back(transition.clone());
            waker = ring.waker.take();
        }
        drop(oldest);
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        let waker = {
            let mut ring = self.0.lock();
            ring.closed = true;
            ring.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Subscription {
    pub(crate) const fn new(ring: Arc<Mutex<Ring>>, listener: Listener) -> Self {
        Self { ring, _listener: listener }
    }

    /// A wait for the next transition: for a thread with feature `sync`, for a task with feature `async`.
    #[cfg(any(feature = "sync", feature = "async"))]
    pub const fn next(&mut self) -> NextTransition<'_> {
        NextTransition { subscription: self }
    }

    /// The next transition if it is there.
    ///
    /// # Errors
    ///
    /// [`RecvError::Missed`] if some were not fetched in time; the next call goes on after them.
    /// [`RecvError::Closed`] if the breaker is gone and nothing is left.
    pub fn try_next(&mut self) -> Result<Option<Transition>, RecvError> {
        match self.poll(None) {
            Poll::Ready(next) => next.map(Some),
            Poll::Pending => Ok(None),
        }
    }

    fn poll(&mut self, waker: Option<&Waker>) -> Poll<Result<Transition, RecvError>> {
        // Cloned before the lock and dropped after it: a waker is somebody else's code.
        let waker = waker.cloned();
        let old;
        {
            let mut ring = self.ring.lock();
            if ring.missed > 0 {
                return Poll::Ready(Err(RecvError::Missed(std::mem::take(&mut ring.missed))));
            }
            if let Some(next) = ring.queue.pop_front() {
                return Poll::Ready(Ok(next));
            }
            if ring.closed {
                return Poll::Ready(Err(RecvError::Closed));
            }
            old = std::mem::replace(&mut ring.waker, waker);
        }
        drop(old);
        Poll::Pending
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let queued = self.ring.lock().queue.len();
        f.debug_struct("Subscription").field("queued", &queued).finish_non_exhaustive()
    }
}

/// A wait for the next transition, made by [`Subscription::next`].
///
/// # Errors
///
/// As of [`Subscription::try_next`].
///
/// # Cancel safety
///
/// Dropped before it is ready, it has taken nothing.
#[cfg(any(feature = "sync", feature = "async"))]
#[must_use = "a wait does nothing unless it is waited for with `.await` or `.wait()`"]
#[derive(Debug)]
pub struct NextTransition<'a> {
    subscription: &'a mut Subscription,
}

#[cfg(feature = "sync")]
impl NextTransition<'_> {
    /// Waits, blocking this thread.
    ///
    /// # Errors
    ///
    /// As of [`Subscription::try_next`].
    pub fn wait(mut self) -> Result<Transition, RecvError> {
        loop {
            if let Some(next) = self.until(None) {
                return next;
            }
        }
    }

    /// Waits, but no longer than `timeout`; `None` if nothing came.
    ///
    /// # Errors
    ///
    /// As of [`Subscription::try_next`].
    pub fn wait_timeout(mut self, timeout: Duration) -> Option<Result<Transition, RecvError>> {
        match Deadline::after(timeout) {
            Some(deadline) => self.until(Some(&deadline)),
            // Beyond what the clock can say.
            None => Some(self.wait()),
        }
    }

    /// The same, but no longer than until `deadline`; `None` if nothing came. What is there already is given also
    /// where the deadline has passed.
    ///
    /// # Errors
    ///
    /// As of [`Subscription::try_next`].
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_breaker::{Breaker, State};
    /// # use std::time::{Duration, Instant};
    /// let breaker = Breaker::new("payments");
    /// let mut transitions = breaker.subscribe(16)?;
    /// let deadline = Instant::now() + Duration::from_millis(1);
    /// assert!(transitions.next().wait_deadline(deadline).is_none());
    /// breaker.force_open();
    /// let next = transitions.next().wait_deadline(deadline);
    /// assert_eq!(next.unwrap().unwrap().to, State::ForcedOpen);
    /// # Ok::<(), lockgate_breaker::BuildError>(())
    /// ```
    pub fn wait_deadline(mut self, deadline: Instant) -> Option<Result<Transition, RecvError>> {
        self.until(Some(&Deadline::at(deadline)))
    }

    fn until(&mut self, deadline: Option<&Deadline>) -> Option<Result<Transition, RecvError>> {
        drive(deadline, |waker| match self.subscription.poll(Some(waker)) {
            Poll::Ready(next) => Step::Ready(next),
            Poll::Pending => Step::Queued { spin: false },
        })
    }
}

#[cfg(feature = "async")]
impl Future for NextTransition<'_> {
    type Output = Result<Transition, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Self::Output> {
        self.get_mut().subscription.poll(Some(cx.waker()))
    }
}

#[cfg(feature = "async")]
impl futures_core::Stream for Subscription {
    type Item = Result<Transition, RecvError>;

    fn poll_next(
        self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(Some(cx.waker())).map(|next| match next {
            Err(RecvError::Closed) => None,
            next => Some(next),
        })
    }
}
