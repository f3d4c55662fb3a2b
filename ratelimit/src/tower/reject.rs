//! How a server turns a request away.

use crate::error::{AcquireError, Denied, DeniedReason};
use http::{Response, StatusCode};
use std::time::Duration;

/// Why a server's layer has turned a request away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// Why.
    pub reason: RejectReason,
    /// After which time it would be let in, if it came alone; `None` if that is never, or unknown.
    pub retry_after: Option<Duration>,
}

/// See [`Rejection`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RejectReason {
    /// The request has no key, and may not do without: 400.
    MissingKey,
    /// Its key is over the limit: 429.
    OverLimit,
    /// It costs more than the burst, so that it could never be let in: 429, without `Retry-After`.
    ExceedsBurst,
    /// Other keys have taken all places: 503.
    TableFull,
    /// The limiter is closed: 503.
    Closed,
}

impl Rejection {
    pub(super) const MISSING_KEY: Self =
        Self { reason: RejectReason::MissingKey, retry_after: None };

    /// The status that goes with the reason.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        match self.reason {
            RejectReason::MissingKey => StatusCode::BAD_REQUEST,
            RejectReason::OverLimit | RejectReason::ExceedsBurst => StatusCode::TOO_MANY_REQUESTS,
            RejectReason::TableFull | RejectReason::Closed => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    pub(super) const fn is_over_limit(&self) -> bool {
        matches!(self.reason, RejectReason::OverLimit | RejectReason::ExceedsBurst)
    }

    /// A response of this status, with nothing in it.
    pub fn response<B: Default>(&self) -> Response<B> {
        let mut response = Response::new(B::default());
        *response.status_mut() = self.status();
        response
    }
}

impl From<Denied> for Rejection {
    fn from(denied: Denied) -> Self {
        let reason = match denied.reason() {
            DeniedReason::NotYet | DeniedReason::Paused => RejectReason::OverLimit,
            DeniedReason::ExceedsBurst { .. } => RejectReason::ExceedsBurst,
            DeniedReason::TableFull => RejectReason::TableFull,
            DeniedReason::Closed => RejectReason::Closed,
        };
        Self { reason, retry_after: denied.retry_after() }
    }
}

impl From<AcquireError> for Rejection {
    fn from(error: AcquireError) -> Self {
        let (reason, retry_after) = match error {
            AcquireError::TooLong { wait } => (RejectReason::OverLimit, wait),
            AcquireError::ExceedsBurst { .. } => (RejectReason::ExceedsBurst, None),
            AcquireError::TableFull => (RejectReason::TableFull, None),
            AcquireError::Closed => (RejectReason::Closed, None),
        };
        Self { reason, retry_after }
    }
}

/// Makes the response to a request that is turned away. Closures do.
///
/// `Retry-After` and the fields of the limit are set afterwards.
pub trait RejectWith<B> {
    /// The response.
    fn response(&self, rejection: &Rejection) -> Response<B>;
}

impl<B, F> RejectWith<B> for F
where
    F: Fn(&Rejection) -> Response<B>,
{
    fn response(&self, rejection: &Rejection) -> Response<B> {
        self(rejection)
    }
}

/// The status that goes with the reason, and no body. The default.
#[derive(Clone, Copy, Debug, Default)]
pub struct StatusOnly;

impl<B: Default> RejectWith<B> for StatusOnly {
    fn response(&self, rejection: &Rejection) -> Response<B> {
        rejection.response()
    }
}
