//! Jobs of which only so many run at once: subpools, and one line for each key.

use super::house::House;
use super::pool::Pool;
use super::submit::{Spawn, Submit, Submitter};
use crate::engine::StrandId;
use crate::primitives::{Arc, Mutex};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::mem;

/// Holds a strand open.
pub(super) struct Guard {
    house: Arc<House>,
    id: StrandId,
}

impl Guard {
    fn open(house: &Arc<House>, cap: usize) -> Self {
        Self { house: Arc::clone(house), id: house.engine.open_strand(cap) }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        // What was accepted runs all the same.
        self.house.engine.close_strand(self.id);
    }
}

/// A part of a pool: of its jobs only so many run at once. See [`Pool::subpool`]. A clone is the
/// same part.
#[derive(Clone)]
pub struct Subpool {
    guard: Arc<Guard>,
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

    /// How many of its jobs were accepted and are not over.
    pub fn pending(&self) -> usize {
        self.guard.house.engine.pending(self.guard.id)
    }
}

/// One line for each key: jobs of the same key run one after the other, in the order in which they were
/// accepted. See [`Pool::keyed`].
///
/// Keys without jobs are forgotten when there are many.
pub struct Keyed<K> {
    house: Arc<House>,
    lines: Mutex<Lines<K>>,
}

struct Lines<K> {
    by_key: HashMap<K, Arc<Guard>>,
    /// When there are so many, those that are not needed are forgotten.
    sweep_at: usize,
}

impl<K: Eq + Hash + Send> Keyed<K> {
    const LEAST_SWEEP: usize = 64;

    /// See [`Pool::submit`].
    pub fn submit<F>(&self, key: K, job: F) -> Submit<'_, F>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let guard = self.line(key);
        self.submitter(&guard).submit(job).holding(guard)
    }

    /// See [`Pool::spawn`].
    pub fn spawn<F>(&self, key: K, job: F) -> Spawn<'_, F>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let guard = self.line(key);
        self.submitter(&guard).spawn(job).holding(guard)
    }

    fn submitter(&self, guard: &Guard) -> Submitter<'_> {
        Submitter { strand: Some(guard.id), ..Submitter::new(&self.house) }
    }

    fn line(&self, key: K) -> Arc<Guard> {
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

impl Pool {
    /// A part of the pool, of whose jobs at most `cap` run at once. Those that wait for their turn
    /// take places in the pool's queue.
    ///
    /// # Panics
    ///
    /// If `cap` is 0: its jobs would never run.
    pub fn subpool(&self, cap: usize) -> Subpool {
        assert!(cap > 0, "a subpool of 0 jobs at once: it must be 1 or more");
        Subpool { guard: Arc::new(Guard::open(self.house(), cap)), cap }
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
        let lines = Lines { by_key: HashMap::new(), sweep_at: Keyed::<K>::LEAST_SWEEP };
        Keyed { house: Arc::clone(self.house()), lines: Mutex::new(lines) }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").finish_non_exhaustive()
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
