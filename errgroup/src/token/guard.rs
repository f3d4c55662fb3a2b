//! A token that is cancelled when its owner goes.

use super::CancelToken;
use crate::cause::Cause;

/// Cancels its token when it is dropped, made by [`drop_guard`](CancelToken::drop_guard).
///
/// # Examples
///
/// ```
/// # use lockgate_errgroup::CancelToken;
/// let token = CancelToken::new();
/// let guard = token.clone().drop_guard();
/// drop(guard);
/// assert!(token.is_cancelled());
/// ```
#[derive(Debug)]
#[must_use = "a guard that is dropped at once cancels at once"]
pub struct DropGuard {
    /// [Never](CancelToken::never) once disarmed.
    token: CancelToken,
}

impl DropGuard {
    pub(super) const fn new(token: CancelToken) -> Self {
        Self { token }
    }

    /// The token.
    #[must_use]
    pub const fn token(&self) -> &CancelToken {
        &self.token
    }

    /// Gives the token back, uncancelled.
    pub fn disarm(mut self) -> CancelToken {
        std::mem::replace(&mut self.token, CancelToken::never())
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        self.token.cancel_with(Cause::Dropped);
    }
}
