//! Many jobs at once: one lock for all that there is room for.

use super::chunk::{self, Chunk, Part};
use super::handle::Job;
use super::pool::Pool;
use super::slot::PlaceWait;
use super::submit::Submitter;
use super::task::Task;
use crate::engine::{Grant, Item, Push};
use crate::error::{Reason, Rejected, RejectedBatch};
use crate::job::Cell;
use crate::judge::Alone;
use crate::policy::Reject;
use crate::primitives::Arc;
use crate::watch::Tag;

/// A job of [`Pool::spawn_batch`] that has no place yet.
enum Draft<F> {
    Part(Arc<Chunk<F>>, u32),
    /// One of which more is to be known than a closure can hold.
    Tagged(Arc<Cell<F, ()>>),
}

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

    /// Submits many jobs whose results nobody wants, with one lock for all that there is room for.
    ///
    /// # Errors
    ///
    /// [`RejectedBatch`]: the jobs that were not accepted, and one `()` for each of those before
    /// them.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    /// use std::sync::Arc;
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    ///
    /// let pool = Pool::new(2)?;
    /// let sum = Arc::new(AtomicUsize::new(0));
    /// let add = |n| {
    ///     let sum = Arc::clone(&sum);
    ///     move || {
    ///         sum.fetch_add(n, Ordering::Relaxed);
    ///     }
    /// };
    /// pool.spawn_batch((1..=3).map(add)).unwrap();
    /// pool.wait_idle().wait();
    /// assert_eq!(sum.load(Ordering::Relaxed), 6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn spawn_batch<F>(
        &self,
        jobs: impl IntoIterator<Item = F>,
    ) -> Result<(), RejectedBatch<F, ()>>
    where
        F: FnOnce() + Send + 'env,
    {
        self.submitter().spawn_batch(jobs)
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
        let cells: Vec<_> = jobs.into_iter().map(|job| self.cell(job)).collect();
        let mut placed = 0;
        let all = self.place_all(
            &mut cells.iter(),
            &mut placed,
            |cell| self.item(Task::Job(Arc::clone(cell) as _)),
            |cell| self.submit_cell(cell),
        );
        if let Err(reason) = all {
            return Err(self.refuse_batch(cells, placed, reason));
        }
        Ok(cells.into_iter().map(|cell| self.handle(cell)).collect())
    }

    /// See [`Pool::spawn_batch`].
    ///
    /// # Errors
    ///
    /// [`RejectedBatch`]: the jobs that were not accepted, and one `()` for each of those before
    /// them.
    pub fn spawn_batch<F>(
        &self,
        jobs: impl IntoIterator<Item = F>,
    ) -> Result<(), RejectedBatch<F, ()>>
    where
        F: FnOnce() + Send + 'env,
    {
        // Made before the lock is taken: `jobs` is the user's.
        let drafts = self.drafts(jobs.into_iter());
        let (mut rest, mut placed, mut back) = (drafts.into_iter(), 0, None);
        let all = self.place_all(
            &mut rest,
            &mut placed,
            |draft| {
                self.item(match draft {
                    Draft::Part(chunk, place) => Task::Part(Part::new(chunk, place)),
                    Draft::Tagged(cell) => Task::Job(cell),
                })
            },
            |draft| {
                let alone = match draft {
                    Draft::Part(chunk, place) => self.spawn_full(Box::new(taken(&chunk, place))),
                    Draft::Tagged(cell) => {
                        self.submit_cell(&cell).map_err(|reason| self.refused(&cell, reason))
                    }
                };
                alone.map_err(|Rejected { job, reason }| {
                    back = Some(job);
                    reason
                })
            },
        );
        let Err(reason) = all else { return Ok(()) };
        // The one that came back alone is counted already.
        let refused = rest.map(|draft| match draft {
            Draft::Part(chunk, place) => self.rejected(taken(&chunk, place), reason).job,
            Draft::Tagged(cell) => self.refused(&cell, reason).job,
        });
        let rejected = back.into_iter().chain(refused).collect();
        Err(RejectedBatch { accepted: vec![(); placed], rejected, reason })
    }

    /// Jobs as the queue holds them, those of which no more is to be known in chunks.
    fn drafts<F>(&self, jobs: impl Iterator<Item = F>) -> Vec<Draft<F>>
    where
        F: FnOnce() + Send + 'env,
    {
        let mut drafts = Vec::with_capacity(jobs.size_hint().0);
        let mut plain = Vec::with_capacity(jobs.size_hint().0.min(chunk::LENGTH));
        for job in jobs {
            let tag = self.tag();
            if self.deadline.is_none() && tag.is_none() {
                plain.push(job);
                if plain.len() == chunk::LENGTH {
                    cut(&mut plain, &mut drafts);
                }
            } else {
                cut(&mut plain, &mut drafts);
                let tag = Tag::detached(tag, self.house.hooks.on_panic.as_ref());
                let cell = Cell::new(job, self.deadline, Alone, Some(tag));
                drafts.push(Draft::Tagged(cell));
            }
        }
        cut(&mut plain, &mut drafts);
        drafts
    }

    /// Places all of `rest`, as many at once as there is room for, and says how many are. `alone`
    /// does with one for which there is no room what the pool says.
    fn place_all<X>(
        &self,
        rest: &mut impl ExactSizeIterator<Item = X>,
        placed: &mut usize,
        item: impl Fn(X) -> Item<Task<'env>>,
        mut alone: impl FnMut(X) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        while rest.len() > 0 {
            let reason = match self.house.engine.push_batch(rest.by_ref().map(&item)) {
                (Push::Accepted(start), count) => {
                    self.house.start(start);
                    *placed += count;
                    continue;
                }
                (Push::Full, _) => self.make_room(),
                (Push::Closed, _) => Some(Reason::Closed),
                (Push::NoWorker, _) => {
                    let make = || match rest.next() {
                        Some(first) => item(first),
                        None => unreachable!("some are left, and one is taken once"),
                    };
                    let first = self.house.place_reserved(make);
                    *placed += usize::from(first.is_ok());
                    first.err()
                }
            };
            match reason {
                None => {}
                // What is done without room is done one by one.
                Some(Reason::Full) if self.house.hooks.reject != Reject::Fail => {
                    let Some(next) = rest.next() else { break };
                    alone(next)?;
                    *placed += 1;
                }
                Some(reason) => return Err(reason),
            }
        }
        Ok(())
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

/// Makes a chunk of jobs, if there are any.
fn cut<F>(jobs: &mut Vec<F>, drafts: &mut Vec<Draft<F>>) {
    let places = 0..jobs.len() as u32;
    if !places.is_empty() {
        let chunk = Chunk::new(jobs.drain(..));
        drafts.extend(places.map(|place| Draft::Part(Arc::clone(&chunk), place)));
    }
}

/// A job that was not accepted.
fn taken<F>(chunk: &Chunk<F>, place: u32) -> F {
    match chunk.take(place) {
        Some(job) => job,
        None => unreachable!("a job that was not accepted was not taken"),
    }
}
