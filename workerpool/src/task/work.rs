//! What the queue of a pool of tasks holds, and what it becomes when a worker begins with it.

use super::cell::{Claim, Running};
use crate::engine::{Entry, Outcome};
use crate::error::{JobError, Panicked, drop_payload};
use crate::hooks::Hooks;
use crate::primitives::Arc;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A job that was accepted.
pub(crate) enum Work {
    /// Nobody waits for it.
    Plain(Box<dyn Future<Output = ()> + Send>),
    /// Somebody may.
    Job(Arc<dyn Claim>),
}

/// A job that is polled.
pub(super) enum Body {
    Plain(Pin<Box<dyn Future<Output = ()> + Send>>),
    Job(Pin<Box<dyn Running>>),
}

impl Work {
    /// Begins with it, if it is still there to begin with.
    pub(super) fn begin(self) -> Result<Body, Outcome> {
        match self {
            Self::Plain(job) => Ok(Body::Plain(Box::into_pin(job))),
            Self::Job(job) => job.begin().map(Body::Job),
        }
    }

    /// Ends it without running it; `false` if it had its end before.
    pub(super) fn refuse(self, why: JobError) -> bool {
        match self {
            Self::Plain(job) => {
                drop_payload(job);
                true
            }
            Self::Job(job) => job.refuse(why),
        }
    }
}

impl Entry for Work {
    fn is_void(&self) -> bool {
        match self {
            Self::Plain(_) => false,
            Self::Job(job) => job.is_void(),
        }
    }
}

impl Body {
    /// One poll. When it is over it is dropped already, and whoever waits for it is told.
    pub(super) fn poll(
        body: &mut Option<Self>,
        hooks: &Hooks,
        cx: &mut Context<'_>,
    ) -> Poll<Outcome> {
        let outcome = match body {
            None => unreachable!("polled after its end"),
            Some(Self::Job(job)) => job.as_mut().poll(cx),
            Some(Self::Plain(job)) => {
                match catch_unwind(AssertUnwindSafe(|| job.as_mut().poll(cx))) {
                    Ok(Poll::Pending) => Poll::Pending,
                    Ok(Poll::Ready(())) => Poll::Ready(Outcome::Completed),
                    Err(payload) => {
                        hooks.tell_panic(Panicked::new(payload));
                        Poll::Ready(Outcome::Panicked)
                    }
                }
            }
        };
        if outcome.is_ready() {
            let over = body.take();
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(over))) {
                hooks.tell_panic(Panicked::new(payload));
                return Poll::Ready(Outcome::Panicked);
            }
        }
        outcome
    }

    /// Ends it where it is.
    pub(super) fn lose(self, why: JobError) {
        match self {
            Self::Plain(job) => drop_payload(job),
            Self::Job(mut job) => job.as_mut().lose(why),
        }
    }
}

impl fmt::Debug for Work {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Job(_) => "Job",
        })
    }
}
