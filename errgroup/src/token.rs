//! The cancel token. (A place-holder until the tree is merged.)

use crate::cause::Cause;
use crate::error::Cancelled;
use std::sync::{Arc, OnceLock};

/// A token.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<OnceLock<Cause>>);

impl CancelToken {
    /// A token.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
    /// Cancelled?
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.get().is_some()
    }
    /// Cancel.
    pub fn cancel_with(&self, cause: impl Into<Cause>) {
        let _ = self.0.set(cause.into());
    }
    /// Why.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.0.get().cloned()
    }
    /// # Errors
    /// [`Cancelled`].
    pub fn check(&self) -> Result<(), Cancelled> {
        self.cause().map_or(Ok(()), |cause| Err(Cancelled::new(cause)))
    }
}
