//! A limiter for each of many keys, in a table that is bounded whoever chooses the keys.
//!
//! DESIGN.md, section "By key", has the table, the rules of eviction and the hazards.

mod acquire;
mod builder;
mod change;
mod ipv6;
mod promise;
mod shard;
mod special;
pub(crate) mod table;

pub use acquire::{AcquireKey, AcquireKeyOwned};
pub use builder::{KeyedBuilder, Policy};
pub use ipv6::ipv6_prefix;

use crate::clock::{Clock, Monotonic, Timer};
use crate::error::Denied;
use crate::primitives::{Arc, Mutex};
use crate::quota::Quota;
use crate::state::Inherit;
use crate::waiters::{WakeBatch, WakePanic};
use shard::{Asked, How, Request, Rules, Shard};
use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem::needs_drop;
use std::panic::{RefUnwindSafe, UnwindSafe};
use table::{Gone, mix};

/// A token bucket for each key, all by one [`Quota`] (or [one of their own](Self::set_override)),
/// in bounded memory.
///
/// Each key is granted at most burst + rate · Δ in any stretch of time Δ, as by a
/// [`RateLimiter`](crate::RateLimiter) of its own. A key that was never seen has the quota's initial
/// tokens. A key whose bucket is full again is as good as one that was never seen, so it is
/// forgotten when its place is needed; nothing is lost by that. (With fewer
/// [`initial`](Quota::initial) tokens than the burst, something is: a key that was idle long enough to
/// be forgotten has only so many when it comes again.)
///
/// # Bounded memory
///
/// There is room for [`capacity`](KeyedBuilder::capacity) keys, 16 bytes each where the key itself
/// has 8, and never for more. What becomes of a new key when all places are taken by keys that are
/// not full again is a matter of [`Policy`]. Keys at work are those of the last
/// burst ÷ rate of time: that times the new keys that come in it is what a capacity should hold.
///
/// Memory grows with the keys and is only given back by [`sweep`](Self::sweep). Keys that are full again
/// go two for each that comes; there is no moment at which all are looked at. A part of the
/// table grows by itself, under its own lock.
///
/// # The user's code
///
/// Keys are hashed before the lock of their part is taken, and copied and dropped outside it. Under it
/// run `Eq`, and `Hash` when that part grows. If they panic, nothing is changed. They must not call
/// the limiter.
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::{Keyed, Quota};
/// let limiter: Keyed<String> = Keyed::new(Quota::per_second(2));
/// assert!(limiter.try_acquire("alice", 2).is_ok());
/// assert!(limiter.try_acquire("alice", 1).is_err());
/// assert!(limiter.try_acquire("bob", 1).is_ok());
/// ```
pub struct Keyed<K, C = Monotonic, S = RandomState> {
    shards: Box<[Padded<K>]>,
    /// What of a hash tells the shard is above this bit.
    shift: u32,
    policy: Policy,
    hasher: S,
    clock: C,
    /// Held while all shards are changed, one after the other, so that two changes come in the same
    /// order everywhere.
    control: Mutex<Control>,
}

/// A pair of cache lines, because the neighbour of a line is fetched with it.
#[derive(Debug)]
#[repr(align(128))]
struct Padded<K>(Mutex<Shard<K>>);

#[derive(Debug)]
struct Control {
    quota: Quota,
    closed: bool,
}

// What the user's code interrupts by a panic is only looked at by then.
impl<K: UnwindSafe, C: UnwindSafe, S: UnwindSafe> UnwindSafe for Keyed<K, C, S> {}
impl<K: UnwindSafe, C: RefUnwindSafe, S: RefUnwindSafe> RefUnwindSafe for Keyed<K, C, S> {}

impl<K> Keyed<K> {
    /// The capacity unless the builder is told another: 65 536 keys, a megabyte for keys of 8 bytes.
    pub const DEFAULT_CAPACITY: usize = 1 << 16;

    /// A limiter by the standard library's clock, for up to
    /// [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY) keys.
    #[must_use]
    pub fn new(quota: Quota) -> Self {
        Self::builder(quota).make()
    }

    /// A limiter with options.
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_ratelimit::{Keyed, Policy, Quota};
    /// let builder = Keyed::<u64>::builder(Quota::per_second(10));
    /// let limiter = builder.capacity(1_000_000).policy(Policy::DenyNew).build()?;
    /// # drop(limiter);
    /// # Ok::<(), lockgate_ratelimit::CapacityError>(())
    /// ```
    pub fn builder(quota: Quota) -> KeyedBuilder<K> {
        KeyedBuilder::new(quota)
    }
}

impl<K, C, S> Keyed<K, C, S>
where
    K: Hash + Eq,
    C: Clock,
    S: BuildHasher,
{
    /// Takes `n` tokens of a key if they are there now. A request for nothing succeeds.
    ///
    /// # Errors
    ///
    /// [`Denied`], which says [when to come again](Denied::retry_after), or never; with
    /// [`TableFull`](crate::DeniedReason::TableFull) if the key is new and there is no place for it.
    #[inline]
    pub fn try_acquire<Q>(&self, key: &Q, n: u32) -> Result<(), Denied>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let request = self.request(key, n, How::Try);
        match self.ask(&request, || key.to_owned()) {
            Asked::Denied(denied) => Err(denied),
            _ => Ok(()),
        }
    }

    /// What [`try_acquire`](Self::try_acquire) would say, without taking anything. It does not say
    /// that the table is full: there may be a place later.
    ///
    /// # Errors
    ///
    /// [`Denied`].
    pub fn peek<Q>(&self, key: &Q, n: u32) -> Result<(), Denied>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let request = self.request(key, n, How::Peek);
        let mut gone = Gone::new();
        let asked =
            self.shard(request.hash).lock().ask(&request, &self.rules(), &mut None, &mut gone);
        match asked {
            Asked::Denied(denied) => Err(denied),
            _ => Ok(()),
        }
    }

    /// What is in the bucket of a key. Negative if more is promised than there is; infinite without a
    /// limit.
    pub fn tokens<Q>(&self, key: &Q) -> f64
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (hash, now) = (self.hash(key), self.nanos());
        self.shard(hash).lock().level(hash, key, now)
    }

    /// Gives a key a quota of its own. What is in its bucket stays there, as far as the new burst
    /// goes; a key that is not known starts with the new quota's initial tokens. Those who wait for
    /// it are told, and wait by the new rate.
    ///
    /// Such keys are kept beside the table until [`remove_override`](Self::remove_override), and do not
    /// count for the capacity.
    pub fn set_override(&self, key: K, quota: Quota) {
        let (hash, now) = (self.hash(&key), self.nanos());
        self.change(hash, |shard, batch, gone| {
            shard.set_special(hash, key, quota, now, batch, gone);
        });
    }

    /// Gives a key the quota of all others again; `false` if it has it already. What is in its
    /// bucket stays there, as far as that burst goes.
    pub fn remove_override<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (hash, now) = (self.hash(key), self.nanos());
        self.change(hash, |shard, batch, gone| shard.remove_special(hash, key, now, batch, gone))
    }

    /// Forgets what a key has taken, and what it owes: it starts anew when it comes again. `false`
    /// if nothing was known of it. A quota of its own stays, and those who wait for it keep their
    /// moments.
    pub fn remove<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let (hash, now) = (self.hash(key), self.nanos());
        self.change(hash, |shard, _, gone| shard.forget(hash, key, now, gone))
    }

    /// Forgets every key that is full again, and gives memory back; says how many keys that were.
    ///
    /// There is no need to call it: full keys go anyway as new ones come. It locks one part of the
    /// table at a time.
    pub fn sweep(&self) -> usize {
        let now = self.nanos();
        let hash_of = |key: &K| self.hash(key);
        let sweep = |Padded(shard): &Padded<K>| {
            let mut gone = Gone::new();
            let mut shard = shard.lock();
            let forgotten = shard.sweep(now, hash_of, &mut gone);
            drop(shard);
            forgotten
        };
        self.shards.iter().map(sweep).sum()
    }

    #[inline]
    fn request<'a, Q>(&self, key: &'a Q, n: u32, how: How) -> Request<'a, Q>
    where
        Q: Hash + ?Sized,
    {
        Request { key, hash: self.hash(key), n, now: self.nanos(), how }
    }

    /// Asks, with a copy of the key if it is new.
    #[inline]
    fn ask<Q>(&self, request: &Request<'_, Q>, copy: impl Fn() -> K) -> Asked
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        // A copy that costs next to nothing is made in any case; another only if it is needed, and
        // then outside the lock, which is user code's place.
        let mut spare = if needs_drop::<K>() { None } else { Some(copy()) };
        let (rules, shard) = (self.rules(), self.shard(request.hash));
        loop {
            let mut gone = Gone::new();
            let asked = shard.lock().ask(request, &rules, &mut spare, &mut gone);
            match asked {
                Asked::NeedKey => spare = Some(copy()),
                asked => return asked,
            }
        }
    }

    #[inline]
    fn rules(&self) -> Rules<impl Fn(&K) -> u64> {
        Rules { policy: self.policy, hash_of: |key: &K| self.hash(key) }
    }

    #[inline]
    fn hash<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        mix(self.hasher.hash_one(key))
    }
}

impl<K, C, S> Keyed<K, C, S> {
    #[inline]
    fn shard(&self, hash: u64) -> &Mutex<Shard<K>> {
        // Twice, because there is no shift by 64.
        &self.shards[(hash >> 1 >> self.shift) as usize].0
    }

    /// Changes a shard, then wakes whom it names and drops what it gives.
    fn change<R>(
        &self,
        hash: u64,
        change: impl FnOnce(&mut Shard<K>, &mut WakeBatch, &mut Gone<K>) -> R,
    ) -> R {
        let mut batch = WakeBatch::default();
        let mut gone = Gone::new();
        let result = change(&mut self.shard(hash).lock(), &mut batch, &mut gone);
        let mut panic = WakePanic::default();
        batch.wake_all(&mut panic);
        panic.guard(|| drop(gone));
        panic.resume();
        result
    }

    /// How many keys there are. Those with quotas of their own do not count.
    ///
    /// It asks one part of the table after the other.
    pub fn len(&self) -> usize {
        self.shards.iter().map(|Padded(shard)| shard.lock().table.len()).sum()
    }

    /// Whether nothing is known of any key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most keys that there can be.
    pub fn capacity(&self) -> usize {
        self.shards.iter().map(|Padded(shard)| shard.lock().table.limit()).sum()
    }

    /// What is allowed at present to a key that has no quota of its own.
    pub fn quota(&self) -> Quota {
        self.control.lock().quota
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.control.lock().closed
    }

    /// What becomes of a new key when all places are taken.
    pub const fn policy(&self) -> Policy {
        self.policy
    }

    /// The clock.
    pub const fn clock(&self) -> &C {
        &self.clock
    }
}

impl<K, C: Clock, S> Keyed<K, C, S> {
    /// Another quota for all keys that have none of their own. Those who wait are told, and wait by the
    /// new rate. What is in a bucket goes over as `inherit` says; a key that is full, known or not,
    /// begins anew by the new quota. A closed limiter stays closed.
    ///
    /// It goes over one part of the table at a time, so for some microseconds keys of one part go by
    /// the new quota and others by the old one.
    pub fn set_quota(&self, quota: Quota, inherit: Inherit) {
        self.change_all(
            |shard, now, batch, gone| shard.set_quota(quota, inherit, now, batch, gone),
            |control| control.quota = quota,
        );
    }

    /// Grants nothing any more, and fails everybody who waits and whose tokens are not there.
    pub fn close(&self) {
        self.change_all(
            |shard, now, batch, _| shard.close(now, batch),
            |control| {
                control.closed = true;
            },
        );
    }

    fn change_all<R>(
        &self,
        mut change: impl FnMut(&mut Shard<K>, u64, &mut WakeBatch, &mut Gone<K>) -> R,
        record: impl FnOnce(&mut Control),
    ) {
        let mut batch = WakeBatch::default();
        let mut gone = Gone::new();
        let mut rest = Vec::with_capacity(self.shards.len());
        {
            let mut control = self.control.lock();
            let now = self.nanos();
            for Padded(shard) in &self.shards {
                rest.push(change(&mut shard.lock(), now, &mut batch, &mut gone));
            }
            record(&mut control);
        }
        let mut panic = WakePanic::default();
        batch.wake_all(&mut panic);
        panic.guard(|| drop((rest, gone)));
        panic.resume();
    }

    #[inline]
    fn nanos(&self) -> u64 {
        self.clock.now().as_nanos()
    }
}

impl<K, C, S> Keyed<K, C, S>
where
    K: Hash + Eq + Clone,
    C: Timer,
    S: BuildHasher,
{
    /// A wait for `n` tokens of a key: a thread calls [`.wait()`](AcquireKey::wait), a task `.await`s
    /// it. It gives the time that was waited.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "sync")] {
    /// # use lockgate_ratelimit::{Keyed, Quota};
    /// let limiter = Keyed::new(Quota::per_second(1000).burst(2));
    /// for _ in 0..5 {
    ///     limiter.acquire("alice", 1).wait()?;
    /// }
    /// # }
    /// # Ok::<(), lockgate_ratelimit::AcquireError>(())
    /// ```
    pub fn acquire(&self, key: K, n: u32) -> AcquireKey<&Self, K, C, S> {
        let hash = self.hash(&key);
        AcquireKey::new(self, key, hash, n)
    }

    /// [`acquire`](Self::acquire) for another thread or task: it owns the limiter.
    pub fn acquire_owned(self: &Arc<Self>, key: K, n: u32) -> AcquireKeyOwned<K, C, S> {
        let hash = self.hash(&key);
        AcquireKey::new(Arc::clone(self), key, hash, n)
    }
}

impl<K, C, S> fmt::Debug for Keyed<K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("quota", &self.quota())
            .field("policy", &self.policy)
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
