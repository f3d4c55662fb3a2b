//! Jobs of which only so many run at once: subpools, and one line for each key.

use super::handle::Job;
use super::house::House;
use super::pool::Pool;
use super::submit::Submitter;
use super::task::Task;
use crate::engine::StrandId;
use crate::error::Rejected;
use crate::primitives::{Arc, Mutex};
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::mem;

/// Holds a strand open.
struct Guard<'env> {
    house: Arc<House<'env, Task<'env>>>,
    id: StrandId,
}

impl<'env> Guard<'env> {
    fn open(house: &Arc<House<'env, Task<'env>>>, cap: usize) -> Self {
        Self { house: Arc::clone(house), id: house.engine.open_strand(cap) }
    }

    fn submitter(&self) -> Submitter<'_, 'env> {
        Submitter::new(&self.house).in_strand(self.id)
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        // What was accepted runs all the same.
        self.house.engine.close_strand(self.id);
    }
}

/// A part of a pool: of its jobs only so many run at once. See [`Pool::subpool`]. A clone is the
/// same part.
#[derive(Clone)]
pub struct Subpool<'env> {
    guard: Arc<Guard<'env>>,
    cap: usize,
}

impl<'env> Subpool<'env> {
    /// How many of its jobs run at once.
    pub const fn cap(&self) -> usize {
        self.cap
    }

    /// The way in, for another lane or with a deadline.
    pub fn submitter(&self) -> Submitter<'_, 'env> {
        self.guard.submitter()
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
        self.guard.house.engine.pending(self.guard.id)
    }
}

/// One line for each key: jobs of the same key run one after the other, in the order in which they
/// were accepted; jobs of different keys run beside each other. See [`Pool::keyed`].
///
/// A key costs memory while it has jobs. Those that have none are forgotten now and then, when keys
/// are added, so that there are at most about twice as many as have jobs.
pub struct Keyed<'env, K> {
    house: Arc<House<'env, Task<'env>>>,
    lines: Mutex<Lines<'env, K>>,
}

struct Lines<'env, K> {
    by_key: HashMap<K, Arc<Guard<'env>>>,
    /// With so many keys, those without jobs are forgotten.
    sweep_at: usize,
}

impl<'env, K: Eq + Hash + Send> Keyed<'env, K> {
    const LEAST_SWEEP: usize = 64;

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
        self.guard(key).submitter().submit(job)
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
        self.guard(key).submitter().spawn(job)
    }

    /// How many keys are known, those that have no jobs any more included.
    pub fn len(&self) -> usize {
        self.lines.lock().by_key.len()
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
        Subpool { guard: self.guard(key), cap: 1 }
    }

    fn guard(&self, key: K) -> Arc<Guard<'env>> {
        let mut lines = self.lines.lock();
        if let Some(guard) = lines.by_key.get(&key) {
            return Arc::clone(guard);
        }
        let mut forgotten = Vec::new();
        if lines.by_key.len() >= lines.sweep_at {
            let kept = mem::take(&mut lines.by_key);
            for (key, guard) in kept {
                // Whoever is about to submit holds another count, taken under this lock.
                let needed =
                    Arc::strong_count(&guard) > 1 || self.house.engine.pending(guard.id) > 0;
                if needed {
                    lines.by_key.insert(key, guard);
                } else {
                    forgotten.push((key, guard));
                }
            }
            lines.sweep_at = (lines.by_key.len() * 2).max(Self::LEAST_SWEEP);
        }
        let guard = Arc::new(Guard::open(&self.house, 1));
        lines.by_key.insert(key, Arc::clone(&guard));
        drop(lines);
        // Keys are the user's: they are dropped outside the lock.
        drop(forgotten);
        guard
    }
}

impl<'env> Pool<'env> {
    /// A part of the pool, of whose jobs at most `cap` run at once. Those that wait for their turn
    /// take places in the pool's queue.
    ///
    /// # Panics
    ///
    /// If `cap` is 0: its jobs would never run.
    pub fn subpool(&self, cap: usize) -> Subpool<'env> {
        assert!(cap > 0, "a subpool of 0 jobs at once: it must be 1 or more");
        Subpool { guard: Arc::new(Guard::open(self.house(), cap)), cap }
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
        let lines = Lines { by_key: HashMap::new(), sweep_at: Keyed::<K>::LEAST_SWEEP };
        Keyed { house: Arc::clone(self.house()), lines: Mutex::new(lines) }
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
