//! What the queue of a pool holds.

use super::chunk::Part;
use super::house::Work;
use crate::engine::{Entry, Outcome};
use crate::error::{JobError, Panicked, drop_payload};
use crate::hooks::Hooks;
use crate::job::{Claim, Ran};
use crate::primitives::Arc;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A job that was accepted.
pub(crate) enum Task<'env> {
    /// Nobody waits for it.
    Plain(Box<dyn FnOnce() + Send + 'env>),
    /// The same, of a batch.
    Part(Part<'env>),
    /// Somebody may.
    Job(Arc<dyn Claim + 'env>),
}

impl Entry for Task<'_> {
    fn is_void(&self) -> bool {
        match self {
            Self::Plain(_) | Self::Part(_) => false,
            Self::Job(job) => job.is_void(),
        }
    }
}

impl Work for Task<'_> {
    type Context = ();

    #[inline]
    fn run(self, hooks: &Hooks, (): &()) -> Ran {
        match self {
            Self::Plain(job) => call(job, hooks),
            Self::Part(job) => call(|| job.run(), hooks),
            Self::Job(job) => job.run(),
        }
    }

    fn refuse(self, why: JobError) -> Option<Ran> {
        match self {
            Self::Plain(job) => {
                drop_payload(job);
                None
            }
            Self::Part(job) => {
                drop_payload(job);
                None
            }
            Self::Job(job) => job.refuse(why),
        }
    }
}

/// Runs a job whose result nobody wants.
#[inline]
fn call(job: impl FnOnce(), hooks: &Hooks) -> Ran {
    match catch_unwind(AssertUnwindSafe(job)) {
        Ok(()) => Ran::of(Outcome::Completed),
        Err(payload) => {
            hooks.tell_panic(Panicked::new(payload));
            Ran::of(Outcome::Panicked)
        }
    }
}

impl fmt::Debug for Task<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Plain(_) => "Plain",
            Self::Part(_) => "Part",
            Self::Job(_) => "Job",
        })
    }
}
