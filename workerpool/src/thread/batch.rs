//! Many jobs at once: one lock for all that there is room for.

use super::builder::Reject;
use super::handle::Job;
use super::pool::Pool;
use super::slot::PlaceWait;
use super::submit::Submitter;
use super::task::Task;
use crate::engine::{Grant, Push};
use crate::error::{Reason, RejectedBatch};
use crate::job::Cell;
use crate::primitives::Arc;

impl<'env> Pool<'env> {
    /// Submits many jobs, with one lock for all that there is room for; handles come in the order of
    /// the jobs.
    ///
    /// # Errors
    ///
    /// [`RejectedBatch`]: the jobs that were not accepted, and the handles of those before them.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(2)?;
    /// let jobs = pool.submit_batch((1..=3).map(|n| move || n * n)).unwrap();
    /// let squares: Vec<u32> = jobs.into_iter().map(|job| job.wait().unwrap()).collect();
    /// assert_eq!(squares, [1, 4, 9]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn submit_batch<T, F>(
        &self,
        jobs: impl IntoIterator<Item = F>,
    ) -> Result<Vec<Job<'env, T>>, RejectedBatch<F, Job<'env, T>>>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        self.submitter().submit_batch(jobs)
    }
}

impl<'env> Submitter<'_, 'env> {
    /// See [`Pool::submit_batch`].
    ///
    /// # Errors
    ///
    /// [`RejectedBatch`]: the jobs that were not accepted, and the handles of those before them.
    pub fn submit_batch<T, F>(
        &self,
        jobs: impl IntoIterator<Item = F>,
    ) -> Result<Vec<Job<'env, T>>, RejectedBatch<F, Job<'env, T>>>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        let cells: Vec<_> = jobs.into_iter().map(|job| self.cell(job, |_| false)).collect();
        let mut placed = 0;
        while let Some(rest) = cells.get(placed..).filter(|rest| !rest.is_empty()) {
            let items = rest.iter().map(|cell| self.item(Task::Job(Arc::clone(cell) as _)));
            let reason = match self.house.engine.push_batch(items) {
                (Push::Accepted(start), count) => {
                    self.house.start(start);
                    placed += count;
                    continue;
                }
                (Push::Full, _) => self.make_room(),
                (Push::Closed, _) => Some(Reason::Closed),
                (Push::NoWorker, _) => {
                    let make = || self.item(Task::Job(Arc::clone(&rest[0]) as _));
                    match self.house.place_reserved(make) {
                        Ok(()) => {
                            placed += 1;
                            None
                        }
                        Err(reason) => Some(reason),
                    }
                }
            };
            match reason {
                None => {}
                // What is done without room is done one by one.
                Some(Reason::Full) if self.house.hooks.reject != Reject::Fail => {
                    match self.submit_cell(&cells[placed]) {
                        Ok(()) => placed += 1,
                        Err(reason) => return Err(self.refuse_batch(cells, placed, reason)),
                    }
                }
                Some(reason) => return Err(self.refuse_batch(cells, placed, reason)),
            }
        }
        Ok(cells.into_iter().map(|cell| self.handle(cell)).collect())
    }

    /// Waits until there is room, if the pool is of that kind; `None` when there is.
    fn make_room(&self) -> Option<Reason> {
        if self.house.hooks.reject != Reject::Block || self.house.is_inside() {
            return Some(Reason::Full);
        }
        match PlaceWait::new(self.house).wait(None) {
            Some(Grant::Place) => {
                self.house.engine.unreserve();
                None
            }
            _ => Some(Reason::Closed),
        }
    }

    fn refuse_batch<T, F>(
        &self,
        mut cells: Vec<Arc<Cell<F, T>>>,
        placed: usize,
        reason: Reason,
    ) -> RejectedBatch<F, Job<'env, T>>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        let rest = cells.split_off(placed);
        RejectedBatch {
            accepted: cells.into_iter().map(|cell| self.handle(cell)).collect(),
            rejected: rest.iter().map(|cell| self.refused(cell, reason).job).collect(),
            reason,
        }
    }
}
