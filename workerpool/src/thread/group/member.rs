//! A job of a group: what happens to it, its group hears first.

use super::Shared;
use crate::engine::Outcome;
use crate::error::{GroupError, JobError, drop_payload};
use crate::job::{Cell, Claim, Promise, Ran};
use crate::primitives::Arc;
use std::task::Waker;

/// A job of a group.
pub(super) struct Member<'env, F, T, E> {
    pub(super) cell: Arc<Cell<F, Result<T, E>>>,
    pub(super) shared: Arc<Shared<'env, E>>,
}

impl<'env, F, T, E> Member<'env, F, T, E>
where
    T: Send + 'env,
    E: Send + 'env,
{
    /// What the group makes of a result, before its handle has it.
    fn judge(
        &self,
        result: Result<Result<T, E>, JobError>,
    ) -> (Result<Result<T, E>, JobError>, Outcome) {
        match result {
            Ok(Ok(value)) => (Ok(Ok(value)), Outcome::Completed),
            Ok(Err(error)) => {
                drop_payload(self.shared.fail(GroupError::Failed(error)));
                (Err(JobError::Failed), Outcome::Failed)
            }
            Err(error) => {
                let outcome = match &error {
                    JobError::Panicked(_) => Outcome::Panicked,
                    _ => Outcome::Expired,
                };
                // The handle has the panic's words if the group has the panic.
                let twin = error.twin();
                match self.shared.fail(GroupError::Job(error)) {
                    Some(GroupError::Job(own)) => (Err(own), outcome),
                    _ => (Err(twin), outcome),
                }
            }
        }
    }
}

impl<'env, F, T, E> Claim for Member<'env, F, T, E>
where
    F: FnOnce() -> Result<T, E> + Send + 'env,
    T: Send + 'env,
    E: Send + 'env,
{
    fn run(&self) -> Ran {
        let ran = self.cell.run_judged(|result| self.judge(result));
        if ran.outcome != Outcome::Void {
            self.shared.end(None);
        }
        ran
    }

    fn note_outside(&self) {
        self.cell.note_outside();
        self.shared.state.lock().outside += 1;
    }

    fn is_void(&self) -> bool {
        self.cell.is_void()
    }

    fn hand_back(&self) -> Ran {
        self.cell.hand_back()
    }

    fn refuse(&self, why: JobError) -> Option<Ran> {
        let refused = self.cell.refuse(why.twin());
        if refused.is_some() {
            self.shared.end(Some(why));
        }
        refused
    }
}

impl<'env, F, T, E> Promise<T> for Member<'env, F, T, E>
where
    F: FnOnce() -> Result<T, E> + Send + 'env,
    T: Send + 'env,
    E: Send + 'env,
{
    fn poll(&self, waker: &Waker) -> Option<Result<T, JobError>> {
        self.cell.poll(waker).map(|result| match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(_)) => unreachable!("the group has the error"),
            Err(error) => Err(error),
        })
    }

    fn is_over(&self) -> bool {
        self.cell.is_over()
    }

    fn needs_workers(&self) -> bool {
        self.cell.needs_workers()
    }

    fn note_parked(&self) -> bool {
        self.cell.note_parked()
    }

    fn take_note(&self) -> bool {
        self.cell.take_note()
    }
}
