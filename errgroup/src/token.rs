//! The cancel token: a handle on a node of the tree.

mod callback;
mod cancel;
mod condvar;
mod dependents;
#[cfg(feature = "tokio-util")]
mod foreign;
mod guard;
mod node;
#[cfg(any(feature = "sync", feature = "async"))]
mod run;
mod slab;
mod sleep;
mod wait;

pub use callback::Registration;
pub use condvar::Condvar;
pub use guard::DropGuard;
pub(crate) use node::Node;
#[cfg(feature = "async")]
pub use run::Run;
pub use sleep::Sleep;
pub use wait::{WaitCancelled, WaitCancelledOwned};

use crate::cause::Cause;
use crate::error::Cancelled;
use crate::primitives::{Arc, Deadline};
use node::Parents;
use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::ptr;
use std::time::{Duration, Instant};

/// A signal to stop, with a cause and perhaps a deadline, for threads and tasks alike.
///
/// Clones are handles on one and the same token. Tokens form a tree: a [`child`](Self::child) is
/// cancelled with its parent, and never the other way round. It stays cancelled: there is no way
/// back.
///
/// | | a thread | a task |
/// |---|---|---|
/// | look | [`is_cancelled()`](Self::is_cancelled), [`check()?`](Self::check) | the same |
/// | wait | [`cancelled().wait()`](Self::cancelled) | `cancelled().await` |
/// | sleep | [`sleep(d).wait()?`](Self::sleep) | `sleep(d).await?` |
/// | end any future | [`block_on(future)?`](Self::block_on) | [`run(future).await?`](Self::run) |
/// | be called | [`on_cancel(f)`](Self::on_cancel) | the same |
///
/// # Semantics
///
/// * **The first cause wins**, and what is beneath a token inherits it.
/// * **When [`cancel`](Self::cancel) returns**, every token that was beneath is cancelled, also
///   when another thread had begun to cancel it. It is not one step: while it goes on, another
///   thread may find a parent cancelled and a child not yet.
/// * **A deadline is a fact about time.** A token is cancelled from its deadline on, whether or
///   not anybody has noticed; a call to cancel it that comes later loses. A child's deadline is
///   never later than its parent's. A token without one never reads a clock.
/// * **Panics.** Wakers and callbacks are called outside all locks. One that panics keeps none of
///   the others from being called, and the first panic goes on to the canceller.
/// * **Memory.** A child is one allocation, a wait none once there have been as many at a time
///   before. What is dropped leaves nothing behind at its parent.
///
/// # Memory ordering
///
/// What was done before the call that cancelled *happens before* whatever hears of it: a
/// [`is_cancelled`](Self::is_cancelled) that is true, the end of a wait, a callback.
///
/// # Examples
///
/// ```
/// use lockgate_errgroup::{CancelToken, Cause};
///
/// let token = CancelToken::new();
/// let child = token.child();
/// assert!(child.check().is_ok());
/// token.cancel_with("shutting down");
/// assert_eq!(child.check().unwrap_err().to_string(), "cancelled: shutting down");
/// assert!(matches!(child.cause(), Some(Cause::Message(_))));
/// ```
pub struct CancelToken(
    /// INVARIANT: counted in the node's handles. `None` is never cancelled.
    Option<Arc<Node>>,
);

impl CancelToken {
    /// A token at the root of a tree.
    #[must_use]
    pub fn new() -> Self {
        Self(Some(Node::new(None)))
    }

    /// A token that nothing cancels, for calls that want one. It allocates nothing, and all of
    /// these are equal.
    ///
    /// [`cancel`](Self::cancel) does nothing; a [`child`](Self::child) is a token like any other.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::CancelToken;
    /// const NEVER: CancelToken = CancelToken::never();
    /// assert!(!NEVER.cancel());
    /// assert!(!NEVER.is_cancelled());
    /// ```
    #[must_use]
    pub const fn never() -> Self {
        Self(None)
    }

    /// A root that is cancelled at `deadline`, with [`Cause::Deadline`].
    #[must_use]
    pub fn with_deadline(deadline: Instant) -> Self {
        Self::with(Some(Deadline::at(deadline)))
    }

    /// A root that is cancelled when `timeout` is over, with [`Cause::Deadline`]. A time-out
    /// beyond the clock's range is none.
    #[must_use]
    pub fn with_timeout(timeout: Duration) -> Self {
        Self::with(Deadline::after(timeout))
    }

    pub(crate) fn with(deadline: Option<Deadline>) -> Self {
        Self(Some(Node::new(deadline)))
    }

    /// A token that is cancelled with this one, and may be cancelled on its own.
    #[must_use]
    pub fn child(&self) -> Self {
        self.child_with(None)
    }

    /// A [`child`](Self::child) that is cancelled at `deadline` at the latest.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::CancelToken;
    /// # use std::time::{Duration, Instant};
    /// let soon = Instant::now() + Duration::from_secs(1);
    /// let token = CancelToken::with_deadline(soon);
    /// let child = token.child_with_timeout(Duration::from_secs(60));
    /// assert_eq!(child.deadline(), Some(soon), "no later than its parent's");
    /// ```
    #[must_use]
    pub fn child_with_deadline(&self, deadline: Instant) -> Self {
        self.child_with(Some(Deadline::at(deadline)))
    }

    /// A [`child`](Self::child) that is cancelled when `timeout` is over, at the latest.
    #[must_use]
    pub fn child_with_timeout(&self, timeout: Duration) -> Self {
        self.child_with(Deadline::after(timeout))
    }

    pub(crate) fn child_with(&self, deadline: Option<Deadline>) -> Self {
        Self(Some(match &self.0 {
            Some(parent) => Node::child(parent, deadline),
            None => Node::new(deadline),
        }))
    }

    /// A token that is cancelled with any of these, and may be cancelled on its own: a
    /// [`child`](Self::child) of several parents.
    ///
    /// Its deadline is the earliest of theirs. Of none, or of tokens that are
    /// [never](Self::never) cancelled, it is a [new](Self::new) root.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::CancelToken;
    /// let (shutdown, request) = (CancelToken::new(), CancelToken::new());
    /// let either = CancelToken::any_of([&shutdown, &request]);
    /// request.cancel_with("the client went away");
    /// assert_eq!(either.cause().unwrap().to_string(), "the client went away");
    /// assert!(!shutdown.is_cancelled());
    /// ```
    #[must_use]
    pub fn any_of<T: Borrow<Self>>(tokens: impl IntoIterator<Item = T>) -> Self {
        // They are kept until the new token has owners of its own.
        let tokens: Vec<T> = tokens.into_iter().collect();
        let parents: Vec<&Arc<Node>> =
            tokens.iter().filter_map(|token| token.borrow().node()).collect();
        Self(Some(match parents.as_slice() {
            [] => Node::new(None),
            [parent] => Node::child(parent, None),
            parents => Node::beneath(Parents::many(parents), None),
        }))
    }

    /// A token that a cancel of this one does not reach, nor its deadline: for work that has to
    /// be finished whatever happens, such as giving back what was taken.
    ///
    /// It is a [new](Self::new) root, under a name that tells the reader why.
    #[must_use]
    pub fn shield(&self) -> Self {
        Self::new()
    }

    /// Cancels this token and everything beneath it, with [`Cause::Requested`].
    ///
    /// See [`cancel_with`](Self::cancel_with).
    pub fn cancel(&self) -> bool {
        self.cancel_with(Cause::Requested)
    }

    /// Cancels this token and everything beneath it, for `cause`.
    ///
    /// `true` if this call did it: `false` if the token was cancelled before, its deadline had
    /// passed, or it is [never](Self::never) cancelled. Everybody who waits is woken and the
    /// [callbacks](Self::on_cancel) have run when this returns, but for those that another thread
    /// is about to call because it was faster.
    ///
    /// # Panics
    ///
    /// With the first panic of a waker or a callback, when all others have been called.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::{CancelToken, Cause};
    /// let token = CancelToken::new();
    /// assert!(token.cancel_with(Cause::error(std::io::Error::other("disk full"))));
    /// assert!(!token.cancel_with("too late"));
    /// assert_eq!(token.cause().unwrap().to_string(), "disk full");
    /// ```
    #[allow(clippy::must_use_candidate, reason = "most callers do not mind who was first")]
    pub fn cancel_with(&self, cause: impl Into<Cause>) -> bool {
        self.0.as_ref().is_some_and(|node| node.cancel(cause.into()))
    }

    /// Whether the token is cancelled.
    ///
    /// One load. With a deadline, it reads the clock until that has passed; who finds that it has
    /// is the canceller, and calls wakers and callbacks.
    #[inline]
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        match &self.0 {
            Some(node) => node.is_cancelled(),
            None => false,
        }
    }

    /// [`is_cancelled`](Self::is_cancelled) as a `Result`, to leave with `?`.
    ///
    /// # Errors
    ///
    /// [`Cancelled`], with the cause.
    #[inline]
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.is_cancelled() { Err(self.cancelled_error()) } else { Ok(()) }
    }

    #[cold]
    fn cancelled_error(&self) -> Cancelled {
        let cause = self.0.as_ref().and_then(|node| node.cause());
        Cancelled::new(cause.unwrap_or(Cause::Requested))
    }

    /// Why the token is cancelled; `None` while it is not.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.0.as_ref().filter(|node| node.is_cancelled())?.cause()
    }

    /// When the token is cancelled at the latest, if it has a deadline.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.0.as_ref()?.deadline.as_ref().map(Deadline::instant)
    }

    /// Waits until the token is cancelled: `.wait()` in a thread, `.await` in a task.
    ///
    /// # Panics
    ///
    /// In a task, a poll panics if the token has a deadline and the timer thread that watches
    /// over it cannot be started.
    ///
    /// # Cancel safety
    ///
    /// Dropping it at any moment is fine.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "sync")] {
    /// # use lockgate_errgroup::CancelToken;
    /// # use std::time::Duration;
    /// let token = CancelToken::with_timeout(Duration::from_millis(5));
    /// token.cancelled().wait();
    /// assert_eq!(token.cause().unwrap().to_string(), "the deadline passed");
    /// # }
    /// ```
    pub fn cancelled(&self) -> WaitCancelled<&Self> {
        WaitCancelled::new(self)
    }

    /// [`cancelled`](Self::cancelled) for a wait that goes elsewhere.
    pub fn cancelled_owned(self) -> WaitCancelledOwned {
        WaitCancelled::new(self)
    }

    /// Sleeps for `duration`, counted from this call, unless the token is cancelled before:
    /// `.wait()` in a thread, `.await` in a task, on any executor.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "sync")] {
    /// # use lockgate_errgroup::CancelToken;
    /// # use std::time::Duration;
    /// let token = CancelToken::new();
    /// token.sleep(Duration::from_millis(1)).wait()?;
    /// token.cancel();
    /// token.sleep(Duration::from_secs(3600)).wait().unwrap_err();
    /// # }
    /// # Ok::<(), lockgate_errgroup::Cancelled>(())
    /// ```
    pub fn sleep(&self, duration: Duration) -> Sleep<&Self> {
        self.sleep_to(Deadline::after(duration))
    }

    /// [`sleep`](Self::sleep) until `moment`.
    pub fn sleep_until(&self, moment: Instant) -> Sleep<&Self> {
        self.sleep_to(Some(Deadline::at(moment)))
    }

    pub(crate) const fn sleep_to(&self, moment: Option<Deadline>) -> Sleep<&Self> {
        Sleep::new(self, moment)
    }

    /// [`sleep`](Self::sleep) for a wait that goes elsewhere.
    pub fn sleep_owned(self, duration: Duration) -> Sleep<Self> {
        Sleep::new(self, Deadline::after(duration))
    }

    /// Runs a future until it is ready or the token is cancelled.
    ///
    /// The token is looked at before each poll of the future, the first included: once it is
    /// cancelled, the future is not polled again, ready or not. So a loop over `run` ends even if
    /// its future is always ready. An output of a poll that began before is kept.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the future.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::CancelToken;
    /// # futures::executor::block_on(async {
    /// let token = CancelToken::new();
    /// assert_eq!(token.run(async { 7 }).await?, 7);
    /// token.cancel();
    /// assert!(token.run(async { 7 }).await.is_err());
    /// # Ok::<(), lockgate_errgroup::Cancelled>(()) }).unwrap();
    /// ```
    #[cfg(feature = "async")]
    pub const fn run<F: Future>(&self, future: F) -> Run<&Self, F> {
        Run::new(self, future)
    }

    /// [`run`](Self::run) for a future that goes elsewhere.
    #[cfg(feature = "async")]
    pub const fn run_owned<F: Future>(self, future: F) -> Run<Self, F> {
        Run::new(self, future)
    }

    /// A guard that cancels this token when it is dropped, with [`Cause::Dropped`].
    pub const fn drop_guard(self) -> DropGuard {
        DropGuard::new(self)
    }

    pub(crate) const fn node(&self) -> Option<&Arc<Node>> {
        self.0.as_ref()
    }
}

impl Clone for CancelToken {
    #[inline]
    fn clone(&self) -> Self {
        Self(self.0.as_ref().map(|node| {
            node.retain();
            Arc::clone(node)
        }))
    }
}

impl Drop for CancelToken {
    #[inline]
    fn drop(&mut self) {
        if let Some(node) = &self.0 {
            node.release_handle();
        }
    }
}

impl Default for CancelToken {
    /// A [new](Self::new) one.
    fn default() -> Self {
        Self::new()
    }
}

/// Whether both are handles on the same token.
impl PartialEq for CancelToken {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity()
    }
}

impl Eq for CancelToken {}

impl Hash for CancelToken {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
    }
}

impl CancelToken {
    fn identity(&self) -> *const Node {
        self.0.as_ref().map_or(ptr::null(), Arc::as_ptr)
    }
}

// No call of ours leaves a token in a half-way state, whatever panics.
impl UnwindSafe for CancelToken {}
impl RefUnwindSafe for CancelToken {}

/// Does not look at the clock.
impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.0.as_ref().filter(|node| node.is_flagged()).and_then(|node| node.cause());
        let deadline = self.0.as_ref().and_then(|node| node.deadline.as_ref());
        f.debug_struct("CancelToken").field("cause", &cause).field("deadline", &deadline).finish()
    }
}
