//! Jobs of which only so many run at once: subpools, and one line for each key.

use super::handle::Job;
use super::house::House;
use super::pool::Pool;
use super::submit::Submitter;
use super::task::Task;
use crate::error::Rejected;
use crate::primitives::Arc;
use crate::strand::{Guard, Lines};
use std::fmt;
use std::hash::Hash;

type TheHouse<'env> = House<'env, Task<'env>>;

fn submitter<'p, 'env>(guard: &'p Guard<TheHouse<'env>>) -> Submitter<'p, 'env> {
    Submitter::new(&guard.house).in_strand(guard.id)
}

/// A part of a pool: of its jobs only so many run at once. See [`Pool::subpool`]. A clone is the
/// same part.
#[derive(Clone)]
pub struct Subpool<'env> {
    guard: Arc<Guard<TheHouse<'env>>>,
    cap: usize,
}

impl<'env> Subpool<'env> {
    /// How many of its jobs run at once.
    pub const fn cap(&self) -> usize {
        self.cap
    }

    /// The way in, for another lane or with a deadline.
    pub fn submitter(&self) -> Submitter<'_, 'env> {
        submitter(&self.guard)
    }

    /// As [`Pool::submit`]. Where the queue is full, a job of the pool is refused here, and so is
    /// everybody whom [`Reject::CallerRuns`](super::Reject::CallerRuns) would have run it: it is not
    /// its turn.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job.
    pub fn submit<T, F>(&self, job: F) -> Result<Job<'env, T>, Rejected<F>>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        self.submitter().submit(job)
    }

    /// As [`Pool::spawn`], with the exception of [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job.
    pub fn spawn<F>(&self, job: F) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'env,
    {
        self.submitter().spawn(job)
    }

    /// Its jobs that were accepted and are not over.
    pub fn pending(&self) -> usize {
        self.guard.pending()
    }
}

/// One line for each key: jobs of the same key run one after the other, in the order in which they
/// were accepted; jobs of different keys run beside each other. See [`Pool::keyed`].
///
/// A key costs memory while it has jobs. Those that have none are forgotten now and then, when keys
/// are added, so that there are at most about twice as many as have jobs.
pub struct Keyed<'env, K> {
    lines: Lines<TheHouse<'env>, K>,
}

impl<'env, K: Eq + Hash + Send> Keyed<'env, K> {
    /// As [`Pool::submit`], in the line of `key`. Where the queue is full, a job of the pool is
    /// refused here, and so is everybody whom
    /// [`Reject::CallerRuns`](super::Reject::CallerRuns) would have run it: it is not its turn.
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job.
    pub fn submit<T, F>(&self, key: K, job: F) -> Result<Job<'env, T>, Rejected<F>>
    where
        T: Send + 'env,
        F: FnOnce() -> T + Send + 'env,
    {
        submitter(&self.lines.line(key)).submit(job)
    }

    /// As [`Pool::spawn`], in the line of `key`, with the exception of [`submit`](Self::submit).
    ///
    /// # Errors
    ///
    /// [`Rejected`], with the job.
    pub fn spawn<F>(&self, key: K, job: F) -> Result<(), Rejected<F>>
    where
        F: FnOnce() + Send + 'env,
    {
        submitter(&self.lines.line(key)).spawn(job)
    }

    /// How many keys are known, those that have no jobs any more included.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The line of `key`, as a part of the pool of which one job runs at a time: for other lanes, with a
    /// deadline, by a name. While it is held, the key is not forgotten.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::builder().threads(4).lanes(2).build()?;
    /// let accounts = pool.keyed::<&str>();
    /// let alice = accounts.line("alice");
    /// alice.submitter().lane(1).named("statement").spawn(|| { /* less urgent than a debit */ })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn line(&self, key: K) -> Subpool<'env> {
        Subpool { guard: self.lines.line(key), cap: 1 }
    }
}

impl<'env> Pool<'env> {
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
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(8)?;
    /// let uploads = pool.subpool(2); // of eight threads never more than two
    /// let job = uploads.submit(|| 3)?;
    /// assert_eq!(job.wait()?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn subpool(&self, cap: usize) -> Subpool<'env> {
        Subpool { guard: Guard::open(self.house(), cap), cap }
    }

    /// One line for each key: jobs of the same key run one after the other.
    ///
    /// # Examples
    ///
    /// ```
    /// use lockgate_workerpool::thread::Pool;
    ///
    /// let pool = Pool::new(4)?;
    /// let accounts = pool.keyed::<&str>();
    /// accounts.spawn("alice", || { /* debit */ })?;
    /// accounts.spawn("alice", || { /* credit, after the debit */ })?;
    /// accounts.spawn("bob", || { /* beside them */ })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn keyed<K: Eq + Hash + Send>(&self) -> Keyed<'env, K> {
        Keyed { lines: Lines::new(self.house()) }
    }
}

impl fmt::Debug for Subpool<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subpool").field("cap", &self.cap).finish_non_exhaustive()
    }
}

impl<K> fmt::Debug for Keyed<'_, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").finish_non_exhaustive()
    }
}
