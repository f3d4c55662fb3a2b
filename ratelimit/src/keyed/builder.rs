//! The options of a limiter by key.

use super::Keyed;
use super::shard::Shard;
use super::table::GROUP;
use crate::clock::{Clock, Monotonic};
use crate::error::CapacityError;
use crate::primitives::Mutex;
use crate::quota::Quota;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZero;

/// What becomes of a new key when all places are taken by keys that are not full again.
///
/// Whatever the policy, a key that is full again makes room first: nothing is lost by that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Policy {
    /// It is denied, with [`TableFull`](crate::DeniedReason::TableFull), until there is room.
    ///
    /// Nobody gets more than his share, but whoever floods the table keeps new keys out.
    DenyNew,
    /// It takes the place of the key that owes least, of those (up to 16) whose place it could
    /// take.
    ///
    /// That key starts anew when it comes again, so it gets up to what it owed, one burst at most,
    /// too much. A key that is promised tokens, because somebody waits, is never dropped; where
    /// there are only such, the new key is denied.
    EvictFullest,
    /// It shares one bucket with all others without a place: one for each shard (as
    /// [`Keyed::builder`] explains), by the quota of all.
    ///
    /// Nobody gets more than his share. A key that finds a place later starts with what that
    /// bucket has, because part of what is missing there may be its own. The default.
    #[default]
    SharedOverflow,
}

/// Options for a [`Keyed`] limiter; made by [`Keyed::builder`].
#[must_use = "a builder does nothing until `build` is called"]
pub struct KeyedBuilder<K, C = Monotonic, S = RandomState> {
    quota: Quota,
    capacity: usize,
    policy: Policy,
    clock: C,
    hasher: S,
    keys: std::marker::PhantomData<fn() -> K>,
}

/// Keys of a shard, so that a step of growth, which locks it, takes less than a millisecond.
const SHARD: usize = 8192;
/// With fewer, chance would fill one shard much earlier than the others.
const SMALLEST_SHARD: usize = 1024;

impl<K> KeyedBuilder<K> {
    pub(super) fn new(quota: Quota) -> Self {
        Self {
            quota,
            capacity: Keyed::<K>::DEFAULT_CAPACITY,
            policy: Policy::default(),
            clock: Monotonic::new(),
            hasher: RandomState::new(),
            keys: std::marker::PhantomData,
        }
    }
}

impl<K, C, S> KeyedBuilder<K, C, S> {
    /// How many keys there is room for; 1 to `u32::MAX`,
    /// [`DEFAULT_CAPACITY`](Keyed::DEFAULT_CAPACITY) unless it is set.
    ///
    /// It is rounded up, by some eight per cent and to whole groups of eight, so that chance, which
    /// gives some shards more keys than others, does not turn away any of so many.
    /// [`Keyed::capacity`] tells what came of it; more there never are.
    pub const fn capacity(mut self, keys: usize) -> Self {
        self.capacity = keys;
        self
    }

    /// What becomes of a new key when all places are taken.
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// By a clock of the caller's.
    pub fn clock<D: Clock>(self, clock: D) -> KeyedBuilder<K, D, S> {
        let Self { quota, capacity, policy, hasher, keys, .. } = self;
        KeyedBuilder { quota, capacity, policy, clock, hasher, keys }
    }

    /// With a hasher of the caller's.
    ///
    /// Whoever chooses the keys must not be able to guess their hashes: he could fill the places of
    /// one key. The default, [`RandomState`], is safe.
    pub fn hasher<H: BuildHasher>(self, hasher: H) -> KeyedBuilder<K, C, H> {
        let Self { quota, capacity, policy, clock, keys, .. } = self;
        KeyedBuilder { quota, capacity, policy, clock, hasher, keys }
    }
}

impl<K, C: Clock, S: BuildHasher> KeyedBuilder<K, C, S> {
    /// Makes the limiter. It allocates little; the table grows with its keys.
    ///
    /// # Errors
    ///
    /// [`CapacityError`], if the capacity is out of its range.
    pub fn build(self) -> Result<Keyed<K, C, S>, CapacityError> {
        if self.capacity == 0 || self.capacity > u32::MAX as usize {
            return Err(CapacityError { capacity: self.capacity });
        }
        Ok(self.make())
    }

    /// With a capacity that is in range.
    pub(super) fn make(self) -> Keyed<K, C, S> {
        let (shards, groups) = layout(self.capacity);
        let now = self.clock.now().as_nanos();
        let shard = || super::Padded(Mutex::new(Shard::new(self.quota, groups, now)));
        Keyed {
            shards: (0..shards).map(|_| shard()).collect(),
            shift: 63 - shards.ilog2(),
            policy: self.policy,
            hasher: self.hasher,
            clock: self.clock,
            control: Mutex::new(super::Control { quota: self.quota, closed: false }),
        }
    }
}

/// How many shards, and groups in each.
fn layout(capacity: usize) -> (usize, usize) {
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    let wanted = (capacity / SHARD).max(4 * threads).next_power_of_two().min(256);
    let most = (capacity / SMALLEST_SHARD).max(1);
    let shards = wanted.min(1 << most.ilog2());
    if capacity <= 2 * GROUP {
        // One group, or two, which are both of every key.
        return (1, capacity.div_ceil(GROUP));
    }
    let keys = capacity.div_ceil(shards);
    // Three standard deviations of what chance gives a shard.
    let chance = if shards > 1 { 3 * (keys.isqrt() + 1) } else { 0 };
    let places = (keys + chance) * 20 / 19 + 1;
    // In an even number of groups, however few, a key always has two.
    (shards, places.div_ceil(GROUP).next_multiple_of(2))
}

impl<K, C, S> fmt::Debug for KeyedBuilder<K, C, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedBuilder")
            .field("quota", &self.quota)
            .field("capacity", &self.capacity)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
