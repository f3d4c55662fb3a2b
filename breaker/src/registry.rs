//! One breaker for each name.

use crate::breaker::Breaker;
use crate::builder::Builder;
use crate::clock::{Clock, Monotonic, Timestamp};
use crate::error::BuildError;
use crate::primitives::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

/// A sweep is not worth it for fewer.
const FEW: usize = 64;

/// A breaker for each key: for each host, for instance, since one that is down says nothing of the
/// others.
///
/// All are built alike, but for those that have a builder of their own. A key's breaker is made when it is
/// first asked for, once, however many ask. Keys are hashed, compared and cloned under a lock; nothing
/// else of yours is called there.
///
/// # Examples
///
/// ```
/// # use lockgate_breaker::{Breaker, Policy, Registry, State};
/// let hosts = Registry::new(Breaker::builder("").policy(Policy::consecutive_failures(2)))?;
/// for _ in 0..2 {
///     let _ = hosts.get(&"a.example").call(|| Err::<(), _>("no answer"));
/// }
/// assert_eq!(hosts.get(&"a.example").state(), State::Open);
/// assert_eq!(hosts.get(&"b.example").state(), State::Closed);
/// # Ok::<(), lockgate_breaker::BuildError>(())
/// ```
pub struct Registry<K, C: Clock = Monotonic> {
    usual: Builder<C>,
    special: HashMap<K, Builder<C>>,
    idle: Option<Duration>,
    table: Mutex<Table<K, C>>,
}

struct Table<K, C: Clock> {
    entries: HashMap<K, Entry<C>>,
    /// When there are so many, it is time to look for idle ones.
    sweep_at: usize,
}

struct Entry<C: Clock> {
    breaker: Breaker<C>,
    asked: Timestamp,
}

impl<K: Clone + Eq + Hash + fmt::Display, C: Clock + Clone> Registry<K, C> {
    /// An empty registry, in which all are built by `usual`, each named after its key.
    ///
    /// # Errors
    ///
    /// `usual` builds no breaker.
    pub fn new(usual: Builder<C>) -> Result<Self, BuildError> {
        usual.clone().parts()?;
        let table = Mutex::new(Table { entries: HashMap::new(), sweep_at: FEW });
        Ok(Self { usual, special: HashMap::new(), idle: None, table })
    }

    /// The breaker of `key` is built by `builder`.
    ///
    /// # Errors
    ///
    /// `builder` builds no breaker.
    pub fn with(mut self, key: K, builder: Builder<C>) -> Result<Self, BuildError> {
        builder.clone().parts()?;
        self.special.insert(key, builder);
        Ok(self)
    }

    /// Forgets breakers that nobody has asked for in so long, so that keys that others choose do not fill
    /// the memory. Only such as hold nothing back, and of which nobody holds a clone: closed ones, and open
    /// ones whose time is over, for a host that was down and that nobody asks for again would stay for ever.
    /// Whatever is open for longer, or for good, or is disabled or counts only, stays; so does an open one
    /// with a builder of its own, of which there are as many as you have named.
    ///
    /// They are looked for when the number of breakers has doubled, so what is kept is at most twice
    /// what is in use.
    #[must_use]
    pub const fn evict_idle(mut self, after: Duration) -> Self {
        self.idle = Some(after);
        self
    }

    /// The breaker of `key`.
    pub fn get(&self, key: &K) -> Breaker<C> {
        let now = self.usual.now();
        if let Some(entry) = self.table.lock().entries.get_mut(key) {
            entry.asked = now;
            return entry.breaker.clone();
        }
        // Outside the lock: its name comes from the user's code. Of several the first stays.
        let made = self.make(key);
        let (breaker, evicted);
        {
            let mut table = self.table.lock();
            evicted = self.sweep(&mut table, now);
            let entry = table.entries.entry(key.clone());
            let entry = entry.or_insert_with(|| Entry { breaker: made.clone(), asked: now });
            entry.asked = now;
            breaker = entry.breaker.clone();
        }
        drop((made, evicted));
        breaker
    }

    fn make(&self, key: &K) -> Breaker<C> {
        let builder = self.special.get(key).unwrap_or(&self.usual).clone();
        match builder.name(key.to_string()).build() {
            Ok(breaker) => breaker,
            Err(error) => unreachable!("it has been built before: {error}"),
        }
    }

    /// What was evicted, for the caller to drop outside the lock. A key whose code panics here costs nobody
    /// his breaker.
    fn sweep(&self, table: &mut Table<K, C>, now: Timestamp) -> (Vec<K>, Vec<(K, Entry<C>)>) {
        let Some(idle) = self.idle.filter(|_| table.entries.len() >= table.sweep_at) else {
            return Default::default();
        };
        let is_idle = |key: &K, entry: &Entry<C>| {
            now.saturating_since(entry.asked) >= idle
                && !entry.breaker.is_held()
                && (entry.breaker.is_closed()
                    // By the clock that all have in common: no clock is asked under the lock.
                    || !self.special.contains_key(key) && entry.breaker.is_spent(now))
        };
        let entries = &mut table.entries;
        let of_idle = entries.iter().filter(|(key, entry)| is_idle(key, entry));
        let keys: Vec<K> = of_idle.map(|(key, _)| key.clone()).collect();
        let evicted = keys.iter().filter_map(|key| entries.remove_entry(key)).collect();
        table.sweep_at = (2 * table.entries.len()).max(FEW);
        (keys, evicted)
    }

    /// Forgets the breaker of `key`, and gives it to whoever wants to go on with it.
    pub fn remove(&self, key: &K) -> Option<Breaker<C>> {
        let removed = self.table.lock().entries.remove(key);
        removed.map(|entry| entry.breaker)
    }

    /// All that there are now, in no order.
    #[must_use]
    pub fn all(&self) -> Vec<(K, Breaker<C>)> {
        let table = self.table.lock();
        table.entries.iter().map(|(key, entry)| (key.clone(), entry.breaker.clone())).collect()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.lock().entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<K, C: Clock> fmt::Debug for Registry<K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let breakers = self.table.lock().entries.len();
        f.debug_struct("Registry").field("breakers", &breakers).finish_non_exhaustive()
    }
}
