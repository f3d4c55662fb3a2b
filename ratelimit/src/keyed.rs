//! A limiter for each key: many buckets by one quota, in bounded memory.
//!
//! DESIGN.md has the table, the protocols and the hazards.

mod acquire;
mod builder;
mod change;
mod ipv6;
mod promise;
mod shard;
mod special;
pub(crate) mod table;

pub use acquire::{KeyedAcquire, KeyedAcquireOwned};
pub use builder::{KeyedBuilder, Policy};
pub use ipv6::ipv6_prefix;

use self::promise::{Looked, Waiting};
use self::shard::{Asked, How, Promise, Request, Rules, Shard};
use self::table::{Gone, mix};
use crate::clock::{Clock, Monotonic, Timer};
use crate::core::Due;
use crate::error::{AcquireError, Denied};
use crate::primitives::{Arc, Mutex};
use crate::quota::Quota;
use crate::state::{INFINITE, Inherit};
use crate::trace;
use crate::waiters::{Ticket, WakeBatch, WakePanic};
use std::borrow::Borrow;
use std::fmt;
use std::hash::{BuildHasher, Hash, RandomState};
use std::mem::needs_drop;
use std::task::Waker;

/// A token bucket for each key: each user, address or tenant has the same quota, or one of its own.
///
/// A key's bucket is as good as a [`RateLimiter`](crate::RateLimiter): in any stretch of time Δ it
/// grants at most burst + rate · Δ tokens. Memory is bounded whoever chooses the keys: a bucket that
/// is full again is the same as none, so its key makes room for others, and where all places are
/// taken by keys that are not full, the [`Policy`] says what becomes of a new one. A key takes a
/// number beside itself: 16 bytes for a `u64` key, and up to 34 right after its shard has grown.
///
/// Keys are spread over shards by their hash, each under a lock of its own. A step of growth, or of
/// a change for all keys, holds one of them at a time, and what is full again is swept up by those
/// who bring new keys, a few places each. Nothing ever stops all of it.
///
/// # What runs under a lock
///
/// `Eq` of keys, when one is looked for; and `Hash`, when a shard grows or shrinks. They must not
/// use the limiter that they are called by: the thread would wait for itself. If they panic, nothing
/// is lost. Keys are cloned and dropped, and wakers called, outside.
///
/// # With fewer initial tokens than the burst
///
/// A new key has the quota's [initial](Quota::initial) tokens. So has one that was full again and
/// was forgotten since: it may start with those instead of a full bucket, never with more.
///
/// # Examples
///
/// ```
/// # use lockgate_ratelimit::{Keyed, Quota};
/// let limiter = Keyed::<String>::new(Quota::per_second(2));
/// assert!(limiter.try_acquire("alice", 2).is_ok());
/// assert!(limiter.try_acquire("alice", 1).is_err());
/// assert!(limiter.try_acquire("bob", 1).is_ok());
/// ```
pub struct Keyed<K, C = Monotonic, S = RandomState> {
    shards: Box<[Padded<Shard<K>>]>,
    /// A hash without its last bit, shifted by this, is the number of the shard.
    shift: u32,
    policy: Policy,
    hasher: S,
    clock: C,
    /// Held by whoever changes all shards, one after the other. It comes before their locks.
    control: Mutex<Control>,
}

/// A pair of cache lines, because the neighbour of a line is fetched with it.
#[repr(align(128))]
struct Padded<T>(Mutex<T>);

struct Control {
    quota: Quota,
    closed: bool,
}

impl<K> Keyed<K> {
    /// The [capacity](KeyedBuilder::capacity) unless another is set: 2^20 keys, which take 18 MB if
    /// they are of 8 bytes, and nothing until they come.
    pub const DEFAULT_CAPACITY: usize = 1 << 20;

    /// A limiter by the standard library's clock, for up to
    /// [`DEFAULT_CAPACITY`](Self::DEFAULT_CAPACITY) keys at a time.
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
    /// let limiter = Keyed::<u64>::builder(Quota::per_minute(30))
    ///     .capacity(10_000)
    ///     .policy(Policy::DenyNew)
    ///     .build()?;
    /// assert!(limiter.capacity() >= 10_000);
    /// # Ok::<(), lockgate_ratelimit::CapacityError>(())
    /// ```
    pub fn builder(quota: Quota) -> KeyedBuilder<K> {
        KeyedBuilder::new(quota)
    }
}

impl<K, C, S> Keyed<K, C, S>
where
    K: Eq + Hash,
    C: Clock,
    S: BuildHasher,
{
    /// Takes `n` tokens of a key if they are there now. A request for nothing succeeds.
    ///
    /// The key may be borrowed: a `&str` will do for a `String`. It is copied if it is new.
    ///
    /// # Errors
    ///
    /// [`Denied`], which says [when to come again](Denied::retry_after), or never.
    #[inline]
    pub fn try_acquire<Q>(&self, key: &Q, n: u32) -> Result<(), Denied>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hash_of(key);
        let now = self.nanos();
        match self.ask(&Request { key, hash, n, now, how: How::Try }) {
            Asked::Denied(denied) => {
                trace::denied(n, &denied);
                Err(denied)
            }
            _ => Ok(()),
        }
    }

    /// What [`try_acquire`](Self::try_acquire) would say, without taking anything, and without
    /// looking whether there is a place for a new key.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn peek<Q>(&self, key: &Q, n: u32) -> Result<(), Denied>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ToOwned<Owned = K> + ?Sized,
    {
        let hash = self.hash_of(key);
        let now = self.nanos();
        match self.ask(&Request { key, hash, n, now, how: How::Peek }) {
            Asked::Denied(denied) => Err(denied),
            _ => Ok(()),
        }
    }

    /// What is in a key's bucket. Negative if more is promised than there is; infinite without a
    /// limit. For people and tests, as [`RateLimiter::tokens`](crate::RateLimiter::tokens).
    pub fn tokens<Q>(&self, key: &Q) -> f64
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let hash = self.hash_of(key);
        let now = self.nanos();
        let mut shard = self.shard(hash).lock();
        let (bucket, supply) = shard.bucket_of(hash, key, now);
        match bucket.curve.flags & INFINITE {
            0 => bucket.curve.level(bucket.consumed, supply),
            _ => f64::INFINITY,
        }
    }

    /// What is allowed at present to a key: by a quota of its own, or by that of all.
    pub fn quota_of<Q>(&self, key: &Q) -> Quota
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let hash = self.hash_of(key);
        let now = self.nanos();
        let (bucket, _) = self.shard(hash).lock().bucket_of(hash, key, now);
        bucket.curve.quota()
    }

    /// Asks, with a copy of the key in hand if it turns out to be new: making one is user code, and
    /// does not run under the lock.
    #[inline]
    fn ask<Q>(&self, request: &Request<'_, Q>) -> Asked
    where
        K: Borrow<Q>,
        Q: Eq + ToOwned<Owned = K> + ?Sized,
    {
        // What needs no drop is as good as never dear to copy, and is not asked for twice.
        let mut spare = (!needs_drop::<K>()).then(|| request.key.to_owned());
        let rules = Rules { policy: self.policy, hash_of: |key: &K| self.hash_of(key) };
        let mut gone = Gone::new();
        loop {
            let asked = self.shard(request.hash).lock().ask(request, &rules, &mut spare, &mut gone);
            if !matches!(asked, Asked::NeedKey) {
                return asked;
            }
            spare = Some(request.key.to_owned());
        }
    }

    /// Gives a key a quota of its own. A bucket that there is goes over to it with what it has, and
    /// whoever waits for it waits by the new rate.
    ///
    /// Such keys are kept beside the table, for good, and do not count towards the capacity.
    pub fn set_override(&self, key: K, quota: Quota) {
        let hash = self.hash_of(&key);
        let now = self.nanos();
        let (mut batch, mut gone) = (WakeBatch::default(), Gone::new());
        self.shard(hash).lock().set_special(hash, key, quota, now, &mut batch, &mut gone);
        wake(batch);
        trace::reconfigured("override", || quota);
    }

    /// Gives a key the quota of all others again, with what its bucket has. `false` if it has no
    /// other.
    pub fn remove_override<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let hash = self.hash_of(key);
        let now = self.nanos();
        let (mut batch, mut gone) = (WakeBatch::default(), Gone::new());
        let removed = self.shard(hash).lock().remove_special(hash, key, now, &mut batch, &mut gone);
        wake(batch);
        if removed {
            trace::reconfigured("override removed", || self.quota());
        }
        removed
    }

    /// Forgets what a key has taken: it starts anew, as a key that never came. Those who wait for it
    /// keep their moments. `false` if nothing is known of it.
    ///
    /// A quota of its own stays.
    pub fn reset<Q>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let hash = self.hash_of(key);
        let now = self.nanos();
        let mut gone = Gone::new();
        self.shard(hash).lock().reset(hash, key, now, &mut gone)
    }

    /// Drops every key that is full again, shard by shard. There is no need to call it for room:
    /// new keys make room for themselves. It frees what such keys own.
    pub fn sweep(&self) {
        let now = self.nanos();
        for shard in &self.shards {
            let mut gone = Gone::new();
            shard.0.lock().sweep(now, &mut gone);
        }
    }

    /// [`sweep`](Self::sweep), and gives back what memory is not needed any more.
    pub fn shrink(&self) {
        let now = self.nanos();
        for shard in &self.shards {
            let mut gone = Gone::new();
            let mut shard = shard.0.lock();
            shard.sweep(now, &mut gone);
            shard.table.shrink(|key| self.hash_of(key));
            drop(shard);
        }
    }

    #[inline]
    fn hash_of<Q: Hash + ?Sized>(&self, key: &Q) -> u64 {
        mix(self.hasher.hash_one(key))
    }
}

impl<K, C: Clock, S> Keyed<K, C, S> {
    /// Goes over to another quota, for all keys that have none of their own, shard by shard.
    /// Whoever waits is told, and waits by the new rate.
    ///
    /// Those who wait keep their place in line: where more is given to the buckets, they are served
    /// from it first. A key that is full, or of which nothing is known, starts anew by the new quota.
    /// A limiter that is closed stays as it is.
    pub fn set_quota(&self, quota: Quota, inherit: Inherit) {
        let now = self.nanos();
        let (mut batch, mut gone, mut cleared) = (WakeBatch::default(), Gone::new(), Vec::new());
        let mut control = self.control.lock();
        if !control.closed {
            control.quota = quota;
            for shard in &self.shards {
                let mut shard = shard.0.lock();
                cleared.push(shard.set_quota(quota, inherit, now, &mut batch, &mut gone));
            }
        }
        drop(control);
        wake(batch);
        trace::reconfigured("quota", || self.quota());
    }

    /// Grants nothing any more, to any key, and fails everybody who waits and whose tokens are not
    /// there.
    pub fn close(&self) {
        let now = self.nanos();
        let mut batch = WakeBatch::default();
        let mut control = self.control.lock();
        if !control.closed {
            control.closed = true;
            for shard in &self.shards {
                shard.0.lock().close(now, &mut batch);
            }
        }
        drop(control);
        wake(batch);
        trace::closed();
    }

    /// Whether it is closed.
    pub fn is_closed(&self) -> bool {
        self.control.lock().closed
    }

    /// What is allowed at present to keys without a quota of their own.
    pub fn quota(&self) -> Quota {
        self.control.lock().quota
    }

    /// The clock.
    pub const fn clock(&self) -> &C {
        &self.clock
    }

    #[inline]
    fn nanos(&self) -> u64 {
        self.clock.now().as_nanos()
    }
}

impl<K, C, S> Keyed<K, C, S> {
    /// How many keys something is known of, those included that are full again and were not met by
    /// a sweep yet. Each shard is asked in turn.
    pub fn len(&self) -> usize {
        let len = |shard: &Shard<K>| shard.table.len() + shard.specials.len();
        self.shards.iter().map(|shard| len(&shard.0.lock())).sum()
    }

    /// Whether nothing is known of any key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The most keys there can be, those with a quota of their own not counted.
    pub fn capacity(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.lock().table.limit()).sum()
    }

    #[inline]
    fn shard(&self, hash: u64) -> &Mutex<Shard<K>> {
        &self.shards[(hash >> 1 >> self.shift) as usize].0
    }
}

/// Waits.
impl<K, C, S> Keyed<K, C, S>
where
    K: Eq + Hash + Clone,
    C: Timer,
    S: BuildHasher,
{
    /// A wait for `n` tokens of a key: a thread calls `.wait()`, a task
    /// `.await`s it. It gives the time that was waited.
    ///
    /// Those who wait for the same key are served in the order in which they came. While somebody
    /// waits, the key is not dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "sync")] {
    /// # use lockgate_ratelimit::{Keyed, Quota};
    /// let limiter = Keyed::new(Quota::per_second(1000).burst(1));
    /// for _ in 0..3 {
    ///     limiter.acquire(7, 1).wait()?;
    /// }
    /// # }
    /// # Ok::<(), lockgate_ratelimit::AcquireError>(())
    /// ```
    pub const fn acquire(&self, key: K, n: u32) -> KeyedAcquire<&Self, K, C, S> {
        KeyedAcquire::new(self, key, n)
    }

    /// [`acquire`](Self::acquire) for another thread or task: it owns the limiter.
    pub fn acquire_owned(self: &Arc<Self>, key: K, n: u32) -> KeyedAcquireOwned<K, C, S> {
        KeyedAcquire::new(Arc::clone(self), key, n)
    }

    /// `None`: the tokens were there.
    fn reserve(
        &self,
        key: &K,
        hash: u64,
        n: u32,
        latest: Option<u64>,
        now: u64,
    ) -> Result<Option<Promise>, AcquireError> {
        match self.ask(&Request { key, hash, n, now, how: How::Reserve(latest) }) {
            Asked::Granted => Ok(None),
            Asked::Promised(promise) => Ok(Some(promise)),
            failed => Err(failed.into()),
        }
    }

    fn look_after(
        &self,
        key: &K,
        hash: u64,
        promise: &Promise,
        ticket: &mut Option<Ticket>,
        latest: Option<u64>,
        waker: &Waker,
    ) -> Due {
        let waiting = Waiting { key, hash, promise, latest };
        let mut clone = None;
        loop {
            let now = self.nanos();
            let looked =
                self.shard(hash).lock().look_after(&waiting, ticket, now, waker, &mut clone);
            // Dropping a waker is user code, and the lock is free by now.
            match looked {
                Looked::Over(due, _left) => return due,
                Looked::Registered(due, _old) => return due,
                Looked::NeedWaker => clone = Some(waker.clone()),
            }
        }
    }

    fn cancel(&self, key: &K, hash: u64, promise: &Promise, ticket: Option<Ticket>) {
        let waiting = Waiting { key, hash, promise, latest: None };
        let now = self.nanos();
        let left = self.shard(hash).lock().cancel(&waiting, ticket, now);
        drop(left);
    }
}

/// Calls those who are to be told, when all locks are left.
fn wake(mut batch: WakeBatch) {
    let mut panic = WakePanic::default();
    batch.wake_all(&mut panic);
    panic.resume();
}

impl<K, C, S> fmt::Debug for Keyed<K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed")
            .field("quota", &self.control.lock().quota)
            .field("policy", &self.policy)
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .finish_non_exhaustive()
    }
}
