//! Beside `tokio_util`'s token: a link from one of theirs, and one to them.

use super::CancelToken;
use super::node::{Node, Parents};
use crate::cause::Cause;
use crate::primitives::{Arc, Mutex};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Wake, Waker};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// What a node hangs on that is linked to one of their tokens: a wait there.
///
/// INVARIANT: that token has our waker, which owns the node. So the wait goes with the last handle
/// on the node, not with the node.
pub(super) struct Foreign(Mutex<Option<Pin<Box<WaitForCancellationFutureOwned>>>>);

impl Foreign {
    pub(super) fn new() -> Self {
        Self(Mutex::new(None))
    }

    pub(super) fn leave(&self) {
        let wait = self.0.lock().take();
        drop(wait);
    }
}

/// No task has to poll the wait: the call of its waker says it all.
struct Bell(Arc<Node>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.cancel(Cause::Requested);
    }
}

impl CancelToken {
    /// A token that is cancelled with `token`, and may be cancelled on its own.
    ///
    /// No task is needed for it. It is cancelled inside their call to `cancel`, with
    /// [`Cause::Requested`]. When its last clone goes, nothing stays behind.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::CancelToken;
    /// let theirs = tokio_util::sync::CancellationToken::new();
    /// let ours = CancelToken::linked_to(&theirs).child();
    /// theirs.cancel();
    /// assert!(ours.is_cancelled());
    /// ```
    #[must_use]
    pub fn linked_to(token: &CancellationToken) -> Self {
        let node = Node::linked();
        let ours = Self(Some(Arc::clone(&node)));
        let mut wait = Box::pin(token.clone().cancelled_owned());
        let waker = Waker::from(Arc::new(Bell(Arc::clone(&node))));
        if wait.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            node.cancel(Cause::Requested);
        } else if let Parents::Foreign(foreign) = node.parents() {
            *foreign.0.lock() = Some(wait);
        }
        ours
    }

    /// One of their tokens that is cancelled with this one, and may be cancelled on its own.
    ///
    /// **The link lasts as long as this token**: keep a clone, or a child, of it for as long as the
    /// other is in use, because theirs has no place to keep ours in.
    ///
    /// It leaves nothing behind when it goes: it is a child of one that this token keeps for all
    /// that are asked for. It is cancelled by a [callback](Self::on_cancel) of this token.
    ///
    /// # Panics
    ///
    /// If this token has a deadline and the timer thread cannot be started.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::CancelToken;
    /// let ours = CancelToken::new();
    /// let theirs = ours.child_tokio();
    /// ours.cancel();
    /// assert!(theirs.is_cancelled());
    /// ```
    #[must_use]
    pub fn child_tokio(&self) -> CancellationToken {
        let Some(node) = self.node() else { return CancellationToken::new() };
        let theirs = node.theirs.get_or_init(|| {
            let theirs = CancellationToken::new();
            let cancelled = theirs.clone();
            self.on_cancel(move || cancelled.cancel()).detach();
            theirs
        });
        theirs.child_token()
    }
}
