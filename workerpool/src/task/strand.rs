//! Jobs of which only so many run at once: subpools, and one line for each key.

use super::house::House;
use super::pool::Pool;
use super::submit::{Spawn, Submit, Submitter};
use crate::primitives::Arc;
use crate::strand::{Guard, Lines};
use std::fmt;
use std::future::Future;
use std::hash::Hash;

/// A part of a pool: of its jobs only so many run at once. See [`Pool::subpool`]. A clone is the
/// same part.
#[derive(Clone)]
pub struct Subpool {
    guard: Arc<Guard<House>>,
    cap: usize,
}

impl Subpool {
    /// The way into it. Its jobs are never run by whoever submits them.
    pub fn submitter(&self) -> Submitter<'_> {
        Submitter { strand: Some(self.guard.id), ..Submitter::new(&self.guard.house) }
    }

    /// How many of its jobs run at once, at the most.
    pub const fn cap(&self) -> usize {
        self.cap
    }

    /// As [`Pool::submit`]. Where the queue is full, a job of the pool is refused here, and so is
    /// everybody whom [`Reject::CallerRuns`](super::Reject::CallerRuns) would have run it: it is not
    /// its turn.
    pub fn submit<F>(&self, job: F) -> Submit<'_, F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.submitter().submit(job)
    }

    /// As [`Pool::spawn`], with the exception of [`submit`](Self::submit).
    pub fn spawn<F>(&self, job: F) -> Spawn<'_, F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.submitter().spawn(job)
    }

    /// How many of its jobs were accepted and are not over.
    pub fn pending(&self) -> usize {
        self.guard.pending()
    }
}

/// One line for each key: jobs of the same key run one after the other, in the order in which they
/// were accepted; jobs of different keys run beside each other. See [`Pool::keyed`].
///
/// A key costs memory while it has jobs. Those that have none are forgotten now and then, when keys
/// are added, so that there are at most about twice as many as have jobs.
pub struct Keyed<K> {
    house: Arc<House>,
    lines: Lines<House, K>,
}

impl<K: Eq + Hash + Send> Keyed<K> {
    /// As [`Pool::submit`], in the line of `key`. Where the queue is full, a job of the pool is
    /// refused here, and so is everybody whom
    /// [`Reject::CallerRuns`](super::Reject::CallerRuns) would have run it: it is not its turn.
    pub fn submit<F>(&self, key: K, job: F) -> Submit<'_, F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let guard = self.lines.line(key);
        self.submitter(&guard).submit(job).holding(guard)
    }

    /// As [`Pool::spawn`], in the line of `key`, with the exception of [`submit`](Self::submit).
    pub fn spawn<F>(&self, key: K, job: F) -> Spawn<'_, F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let guard = self.lines.line(key);
        self.submitter(&guard).spawn(job).holding(guard)
    }

    fn submitter(&self, guard: &Guard<House>) -> Submitter<'_> {
        Submitter { strand: Some(guard.id), ..Submitter::new(&self.house) }
    }

    /// The line of `key`, as a part of the pool of which one job runs at a time: for other lanes, with a
    /// deadline, by a name. While it is held, the key is not forgotten.
    pub fn line(&self, key: K) -> Subpool {
        Subpool { guard: self.lines.line(key), cap: 1 }
    }

    /// How many keys are known, those that have no jobs any more included.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Pool {
    /// A part of the pool, of whose jobs at most `cap` run at once. Those that wait for their turn
    /// take places in the pool's queue.
    ///
    /// # Panics
    ///
    /// If `cap` is 0: its jobs would never run.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(8)?;
    /// let uploads = pool.subpool(2); // of eight jobs never more than two
    /// assert_eq!(uploads.submit(async { 3 }).await?.await?, 3);
    /// # Ok(())
    /// # }
    /// ```
    pub fn subpool(&self, cap: usize) -> Subpool {
        Subpool { guard: Guard::open(self.house(), cap), cap }
    }

    /// One line for each key: jobs of the same key run one after the other.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use lockgate_workerpool::task::Pool;
    ///
    /// let pool = Pool::new(4)?;
    /// let accounts = pool.keyed::<&str>();
    /// accounts.spawn("alice", async { /* debit */ }).await?;
    /// accounts.spawn("alice", async { /* credit, after the debit */ }).await?;
    /// accounts.spawn("bob", async { /* beside them */ }).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn keyed<K: Eq + Hash + Send>(&self) -> Keyed<K> {
        Keyed { house: Arc::clone(self.house()), lines: Lines::new(self.house()) }
    }
}

impl fmt::Debug for Subpool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subpool").field("cap", &self.cap).finish_non_exhaustive()
    }
}

impl<K> fmt::Debug for Keyed<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").finish_non_exhaustive()
    }
}
