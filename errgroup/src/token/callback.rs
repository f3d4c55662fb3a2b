//! Functions that are called when a token is cancelled.

use super::CancelToken;
use super::node::Seat;
use crate::primitives::{Arc, Mutex, thread};
use std::fmt;
use std::mem;
use std::task::Waker;

type Callback = Box<dyn FnOnce() + Send>;

/// One function, which runs at most once.
///
/// Whoever takes it out under the lock decides: the canceller to run it, or its owner to drop
/// it. So one that waits its turn behind others can still be taken back.
pub(super) struct Job(Mutex<Progress>);

struct Progress {
    stage: Stage,
    /// Of a thread that waits for the end.
    waiter: Option<Waker>,
}

enum Stage {
    Ready(Callback),
    #[cfg_attr(not(feature = "sync"), allow(dead_code, reason = "only threads wait for its end"))]
    Running(thread::ThreadId),
    Over,
}

impl Job {
    fn new(callback: Callback) -> Arc<Self> {
        let stage = Stage::Ready(callback);
        Arc::new(Self(Mutex::new(Progress { stage, waiter: None })))
    }

    /// K7: runs it, unless it has run or was taken back.
    pub(super) fn run(&self) {
        /// Tells of the end, also when the function panics.
        struct End<'a>(&'a Job);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                let mut progress = self.0.0.lock();
                progress.stage = Stage::Over;
                let waiter = progress.waiter.take();
                drop(progress);
                if let Some(waiter) = waiter {
                    waiter.wake();
                }
            }
        }
        let running = Stage::Running(thread::current().id());
        if let Some(callback) = self.take(running) {
            let _end = End(self);
            callback();
        }
    }

    /// K7: `true` if it will not run.
    fn take_back(&self) -> bool {
        // The function is dropped here, outside the lock.
        self.take(Stage::Over).is_some()
    }

    fn take(&self, stage: Stage) -> Option<Callback> {
        let mut progress = self.0.lock();
        match mem::replace(&mut progress.stage, stage) {
            Stage::Ready(callback) => Some(callback),
            other => {
                progress.stage = other;
                None
            }
        }
    }

    /// Waits until it no longer runs, unless it is this thread that runs it.
    #[cfg(feature = "sync")]
    fn wait(&self) {
        use crate::parker::{Step, drive};
        let me = thread::current().id();
        drive(None, |waker| {
            let fresh = waker.clone();
            let mut progress = self.0.lock();
            let stale = match &progress.stage {
                Stage::Running(thread) if *thread != me => progress.waiter.replace(fresh),
                _ => return Step::Ready(()),
            };
            drop(progress);
            drop(stale);
            Step::Queued { spin: false }
        });
    }
}

impl CancelToken {
    /// Calls `callback` once when this token is cancelled.
    ///
    /// It runs on the thread that cancels, before its [`cancel`](Self::cancel) returns, after
    /// everything beneath the token is cancelled and everybody who waits is woken; at the
    /// token's deadline, on whichever thread notices first, which may be a timer thread that
    /// all tokens share. So keep it short, and let it wait for nothing. No lock of the token is
    /// held: it may use this token or any other. If the token is cancelled already, it runs at
    /// once, here.
    ///
    /// Several callbacks run in no particular order.
    ///
    /// # Panics
    ///
    /// A panic of the callback goes on to whoever cancelled, when all others have been called;
    /// on the timer thread nobody hears of it but the panic hook. At the first callback on a
    /// token with a deadline, panics if the timer thread cannot be started.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::CancelToken;
    /// # use std::sync::mpsc;
    /// let (sender, receiver) = mpsc::channel();
    /// let token = CancelToken::new();
    /// let registration = token.on_cancel(move || sender.send("closing the connection").unwrap());
    /// token.cancel();
    /// assert_eq!(receiver.recv().unwrap(), "closing the connection");
    /// assert!(!registration.unregister(), "it has run");
    /// ```
    pub fn on_cancel(&self, callback: impl FnOnce() + Send + 'static) -> Registration {
        let job = Job::new(Box::new(callback));
        let Some(node) = self.node() else {
            return Registration { token: Self::never(), job, seat: None };
        };
        let registration = |seat| Registration { token: self.clone(), job: Arc::clone(&job), seat };
        if node.is_cancelled() {
            job.run();
            return registration(None);
        }
        match node.sit_down(Arc::clone(&job), true) {
            Ok(seat) => registration(Some(seat)),
            Err(_) => {
                job.run();
                registration(None)
            }
        }
    }
}

/// A callback's place at its token, made by [`on_cancel`](CancelToken::on_cancel).
///
/// Dropping it takes the callback back, without waiting for one that runs at that moment.
#[must_use = "dropping it takes the callback back; `detach` leaves it in place"]
pub struct Registration {
    token: CancelToken,
    job: Arc<Job>,
    seat: Option<Seat>,
}

impl Registration {
    /// Takes the callback back: `true` if it has not begun to run, and never will.
    ///
    /// It does not wait: after `false` the callback may still be running on another thread.
    pub fn unregister(mut self) -> bool {
        self.leave()
    }

    /// [`unregister`](Self::unregister), and if the callback is running, waits for its end.
    ///
    /// So after this the callback is not running, whatever the answer, unless it is the callback
    /// itself that calls this, where waiting would never end. Do not hold a lock that the
    /// callback takes, and do not let two callbacks wait for each other in this way: like two
    /// threads that join one another, they would wait for ever. (Dropping never waits.)
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::CancelToken;
    /// let token = CancelToken::new();
    /// let registration = token.on_cancel(|| unreachable!("it was taken back"));
    /// assert!(registration.unregister_and_wait());
    /// token.cancel();
    /// ```
    #[cfg(feature = "sync")]
    pub fn unregister_and_wait(mut self) -> bool {
        let taken_back = self.leave();
        if !taken_back {
            self.job.wait();
        }
        taken_back
    }

    /// Leaves the callback in place for as long as the token is there.
    ///
    /// When the last clone of the token and its last child are gone, the callback is dropped
    /// without having run, also if the token has a deadline.
    pub fn detach(mut self) {
        self.seat = None;
        self.token = CancelToken::never();
    }

    fn leave(&mut self) -> bool {
        let taken_back = self.job.take_back();
        if let (Some(seat), Some(node)) = (self.seat.take(), self.token.node()) {
            node.leave::<Arc<Job>>(&seat);
        }
        taken_back
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        if self.seat.is_some() {
            self.leave();
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.job.0.lock().stage {
            Stage::Ready(_) => "ready",
            Stage::Running(_) => "running",
            Stage::Over => "over",
        };
        f.debug_struct("Registration").field("callback", &stage).finish_non_exhaustive()
    }
}
