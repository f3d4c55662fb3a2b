//! A condition variable whose waits a cancel ends.

use crate::primitives::{Mutex, const_fn};
use crate::waiters::{Waiters, WakeBatch, WakePanic};
use std::fmt;
#[cfg(feature = "sync")]
use {
    super::CancelToken,
    crate::error::Cancelled,
    crate::parker::{Step, drive},
    crate::waiters::{Left, Ticket},
    std::task::Waker,
};

/// A condition variable whose [`wait`](Self::wait) also ends when a token is cancelled.
///
/// It goes with any lock: the standard library's, parking_lot's, one for reading and writing.
/// With a condition variable of theirs, a canceller would have to take the lock before it
/// notifies, else it comes between the look at the condition and the wait, and is missed. Here
/// the thread has its place, with the token as with this, before it leaves the lock.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::{CancelToken, Cancelled, Condvar};
/// use std::sync::Mutex;
///
/// let (jobs, more, token) = (Mutex::new(vec![1, 2]), Condvar::new(), CancelToken::new());
/// let next = || {
///     let mut held = jobs.lock().unwrap();
///     loop {
///         if let Some(job) = held.pop() {
///             return Ok::<_, Cancelled>(job);
///         }
///         held = more.wait(&token, held, || jobs.lock().unwrap())?;
///     }
/// };
/// std::thread::scope(|scope| {
///     let worker = scope.spawn(|| {
///         let mut sum = 0;
///         while let Ok(job) = next() {
///             sum += job;
///             if sum == 6 {
///                 token.cancel();
///             }
///         }
///         sum
///     });
///     jobs.lock().unwrap().push(3);
///     more.notify_one();
///     assert_eq!(worker.join().unwrap(), 6);
/// });
/// # }
/// ```
pub struct Condvar {
    line: Mutex<Waiters<(), ()>>,
}

impl Condvar {
    const_fn! {
        /// A condition variable with nobody waiting.
        #[must_use]
        pub const fn new() -> Self {
            Self { line: Mutex::new(Waiters::new()) }
        }
    }

    /// Wakes the thread that has waited longest, if one waits.
    ///
    /// A thread that is cancelled at the same time takes the notification, and its wait returns
    /// `Ok`, or leaves it to the next: none is lost.
    pub fn notify_one(&self) {
        let waker = self.line.lock().settle_front(());
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Wakes all threads that wait.
    pub fn notify_all(&self) {
        let mut batch = WakeBatch::default();
        self.line.lock().settle_where(&mut batch, |()| Some(()));
        let mut panic = WakePanic::default();
        batch.wake_all(&mut panic);
        panic.resume();
    }

    /// Lets go of a lock, blocks this thread until it is notified or `token` is cancelled, and
    /// takes the lock again: `guard` is dropped, and `relock` makes another.
    ///
    /// A return means that it is worth looking, not that the condition holds: call it in a loop.
    /// For a time-out, give it a [child with one](CancelToken::child_with_timeout).
    ///
    /// # Errors
    ///
    /// [`Cancelled`], and the lock is not held. A token that is cancelled when this is called
    /// wins over everything.
    #[cfg(feature = "sync")]
    pub fn wait<G>(
        &self,
        token: &CancelToken,
        guard: G,
        relock: impl FnOnce() -> G,
    ) -> Result<G, Cancelled> {
        let mut guard = Some(guard);
        let mut place = Place { condvar: self, ticket: None };
        let mut wait = token.cancelled();
        let deadline = token.node().and_then(|node| node.deadline.as_ref());
        let outcome = loop {
            let outcome = drive(deadline, |waker| {
                // A place in both lines comes before the lock is left.
                if wait.poll_once(false, waker) {
                    return Step::Ready(Err(token.cancelled_error()));
                }
                if place.poll(waker) {
                    return Step::Ready(Ok(()));
                }
                drop(guard.take());
                Step::Queued { spin: false }
            });
            if let Some(outcome) = outcome {
                break outcome;
            }
        };
        // CANCEL: a notification that came by then counts, else nobody would have it.
        if place.leave() { Ok(relock()) } else { outcome.map(|()| relock()) }
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").field("waiting", &self.line.lock().len()).finish()
    }
}

/// A thread's place in the line.
#[cfg(feature = "sync")]
struct Place<'a> {
    condvar: &'a Condvar,
    ticket: Option<Ticket>,
}

#[cfg(feature = "sync")]
impl Place<'_> {
    /// `true` when it was notified. The waker is always the same one.
    fn poll(&mut self, waker: &Waker) -> bool {
        if self.ticket.is_some() {
            return self.condvar.line.lock().leave_settled(&mut self.ticket).is_some();
        }
        let waker = waker.clone();
        self.ticket = Some(self.condvar.line.lock().push_back((), waker));
        false
    }

    /// `true` if it was notified.
    fn leave(&mut self) -> bool {
        let Some(ticket) = self.ticket.take() else { return false };
        let left = self.condvar.line.lock().leave(ticket);
        matches!(left, Left::Settled(()))
    }
}

/// Only where letting go of the lock panicked.
#[cfg(feature = "sync")]
impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.leave() {
            self.condvar.notify_one();
        }
    }
}
