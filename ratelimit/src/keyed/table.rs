//! The keys of a shard, in a dense table: groups of eight places, and two groups for each key.
//!
//! A key's hash names its first group, and eight of its bits, the *tag*, stay with the entry: they
//! lead from either group to the other, so an entry can be moved without its hash, and no code of
//! the user's runs. A key lives in its first group where it can; for each group it is counted how
//! many of its keys had to go to their second, and while that is none, a key that is not in its
//! first group is nowhere. So most look-ups touch one group, two neighbouring cache lines.

use std::borrow::Borrow;
use std::mem::needs_drop;
use std::num::NonZeroU64;

/// Places in a group.
pub(crate) const GROUP: usize = 8;

/// So few groups are few.
const SMALL: usize = 16;

const CONSUMED_BITS: u32 = 54;
const CONSUMED: u64 = (1 << CONSUMED_BITS) - 1;
const TAG: u64 = 0xff << CONSUMED_BITS;
/// The entry is in its second group.
const SECOND: u64 = 1 << 62;
/// Nothing but this bit keeps a word from being zero.
const TAKEN: u64 = 1 << 63;

/// A count that has come here stays: whether it is none is all that matters.
const MANY: u8 = u8::MAX;

#[derive(Debug)]
struct Entry<K> {
    key: K,
    /// ```text
    ///   63      62     61 .. 54 53 ............. 0
    /// +-------+--------+-------+------------------+
    /// | TAKEN | SECOND |  tag  |     consumed     |
    /// +-------+--------+-------+------------------+
    /// ```
    word: NonZeroU64,
}

impl<K> Entry<K> {
    const fn consumed(&self) -> u64 {
        self.word.get() & CONSUMED
    }

    const fn tag(&self) -> u64 {
        self.word.get() & TAG
    }

    const fn is_second(&self) -> bool {
        self.word.get() & SECOND != 0
    }
}

/// The word of a place; 0 if nobody is there.
#[inline]
fn bits<K>(place: &Option<Entry<K>>) -> u64 {
    place.as_ref().map_or(0, |entry| entry.word.get())
}

/// Whole cache lines: a place has a multiple of eight bytes, or next to nothing.
#[derive(Debug)]
#[repr(align(64))]
struct Group<K>([Option<Entry<K>>; GROUP]);

impl<K> Group<K> {
    const fn empty() -> Self {
        Self([const { None }; GROUP])
    }
}

/// A place in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    group: usize,
    slot: usize,
}

/// A place that nobody has, and what an entry there is marked with.
#[derive(Debug)]
pub(crate) struct Vacant {
    at: At,
    mark: u64,
}

#[derive(Debug)]
pub(crate) struct Table<K> {
    groups: Vec<Group<K>>,
    /// For each group, how many of its keys live in their second.
    spills: Vec<u8>,
    len: usize,
    /// The most groups there may be.
    most: usize,
    /// Where the next sweep begins.
    hand: usize,
}

/// Keys that were taken out, to be dropped after the lock.
#[derive(Debug)]
pub(crate) struct Gone<K>(Vec<K>);

impl<K> Gone<K> {
    pub(crate) const fn new() -> Self {
        Self(Vec::new())
    }

    pub(crate) fn push(&mut self, key: K) {
        if needs_drop::<K>() {
            self.0.push(key);
        }
    }

    #[cfg(test)]
    #[allow(dead_code, reason = "models do not look at it")]
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.0.iter()
    }
}

/// Good bits everywhere, whatever the hasher gave.
#[inline]
pub(crate) const fn mix(hash: u64) -> u64 {
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

const fn word(mark: u64, consumed: u64) -> NonZeroU64 {
    match NonZeroU64::new(TAKEN | mark | consumed) {
        Some(word) => word,
        None => unreachable!(),
    }
}

#[inline]
const fn tag(hash: u64) -> u64 {
    ((hash >> 32) << CONSUMED_BITS) & TAG
}

impl<K> Table<K> {
    /// An empty table, which will grow to `most` groups and no further.
    pub(crate) const fn new(most: usize) -> Self {
        Self { groups: Vec::new(), spills: Vec::new(), len: 0, most, hand: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The most places that there may be.
    pub(crate) const fn limit(&self) -> usize {
        self.most * GROUP
    }

    fn places(&self) -> usize {
        self.groups.len() * GROUP
    }

    /// Multiply and shift, so that any number of groups will do.
    #[inline]
    fn first(&self, hash: u64) -> usize {
        (((hash & 0xffff_ffff) * self.groups.len() as u64) >> 32) as usize
    }

    /// The other group of a key with this tag: from the second it leads back to the first.
    #[inline]
    fn other(&self, group: usize, tag: u64) -> usize {
        let count = self.groups.len();
        let spread = ((tag >> CONSUMED_BITS) as u32).wrapping_mul(0x9e37_79b1);
        let sum = ((u64::from(spread) * count as u64) >> 32) as usize;
        // Of two numbers whose sum is odd, modulo an even number, one is not the other: in a small
        // table, too many would have one group only.
        let sum = if count <= SMALL { sum | (count & 1 ^ 1) } else { sum };
        if sum >= group { sum - group } else { sum + count - group }
    }

    #[inline]
    pub(crate) fn find<Q>(&self, hash: u64, key: &Q) -> Option<At>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        if self.groups.is_empty() {
            return None;
        }
        let (first, tag) = (self.first(hash), tag(hash));
        if let Some(slot) = self.find_in(first, tag, key) {
            return Some(At { group: first, slot });
        }
        if self.spills[first] == 0 {
            return None;
        }
        let group = self.other(first, tag);
        self.find_in(group, tag, key).map(|slot| At { group, slot })
    }

    #[inline]
    fn find_in<Q>(&self, group: usize, tag: u64, key: &Q) -> Option<usize>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let places = &self.groups[group].0;
        // All are compared before any is looked at: where a key is, is nothing to be foretold.
        let mut matches = 0_u32;
        for (slot, place) in places.iter().enumerate() {
            matches |= u32::from(bits(place) & (TAKEN | TAG) == TAKEN | tag) << slot;
        }
        while matches != 0 {
            let slot = matches.trailing_zeros() as usize;
            if places[slot].as_ref().is_some_and(|entry| entry.key.borrow() == key) {
                return Some(slot);
            }
            matches &= matches - 1;
        }
        None
    }

    #[inline]
    pub(crate) fn consumed(&self, at: At) -> u64 {
        self.groups[at.group].0[at.slot].as_ref().map_or(0, Entry::consumed)
    }

    #[inline]
    pub(crate) fn set_consumed(&mut self, at: At, consumed: u64) {
        debug_assert!(consumed <= CONSUMED);
        if let Some(entry) = &mut self.groups[at.group].0[at.slot] {
            entry.word = word(entry.word.get() & !CONSUMED, consumed);
        }
    }

    pub(crate) fn evict(&mut self, at: At, gone: &mut Gone<K>) {
        if let Some(key) = self.remove(at) {
            gone.push(key);
        }
    }

    pub(crate) fn remove(&mut self, at: At) -> Option<K> {
        let entry = self.groups[at.group].0[at.slot].take()?;
        self.len -= 1;
        if entry.is_second() {
            self.unspill(self.other(at.group, entry.tag()));
        }
        Some(entry.key)
    }

    pub(crate) fn put(&mut self, vacant: Vacant, key: K, consumed: u64) {
        let Vacant { at, mark } = vacant;
        if mark & SECOND != 0 {
            self.spill(self.other(at.group, mark & TAG));
        }
        let place = &mut self.groups[at.group].0[at.slot];
        debug_assert!(place.is_none());
        *place = Some(Entry { key, word: word(mark, consumed) });
        self.len += 1;
    }

    fn spill(&mut self, group: usize) {
        self.spills[group] = self.spills[group].saturating_add(1);
    }

    fn unspill(&mut self, group: usize) {
        if self.spills[group] != MANY {
            self.spills[group] -= 1;
        }
    }

    /// A place for a key that is not in the table. Whoever has consumed no more than `brim` is full
    /// again, and makes room.
    #[inline]
    pub(crate) fn vacate(&mut self, hash: u64, brim: u64, gone: &mut Gone<K>) -> Option<Vacant> {
        if self.groups.is_empty() {
            return None;
        }
        let (first, tag) = (self.first(hash), tag(hash));
        if let Some(slot) = self.spot(first, brim, gone) {
            return Some(Vacant { at: At { group: first, slot }, mark: tag });
        }
        let second = self.other(first, tag);
        // Moving others along is in vain where all is taken, and not worth much where it can grow.
        let depth = match (self.len * 32 > self.places() * 31, self.groups.len() < self.most) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 3,
        };
        for depth in 0..=depth {
            for (group, mark) in [(first, tag), (second, tag | SECOND)] {
                if let Some(slot) = self.room(group, brim, depth, gone) {
                    return Some(Vacant { at: At { group, slot }, mark });
                }
            }
        }
        None
    }

    /// A free place in a group, for which others are moved along, at most `depth` in a row.
    fn room(&mut self, group: usize, brim: u64, depth: usize, gone: &mut Gone<K>) -> Option<usize> {
        if depth == 0 {
            return self.spot(group, brim, gone);
        }
        for slot in 0..GROUP {
            let Some(entry) = &self.groups[group].0[slot] else { return Some(slot) };
            let to = self.other(group, entry.tag());
            if to == group {
                continue;
            }
            if let Some(free) = self.room(to, brim, depth - 1, gone) {
                self.shift(At { group, slot }, At { group: to, slot: free });
                return Some(slot);
            }
        }
        None
    }

    /// A place in a group that is free, or becomes free by dropping an entry that is full again.
    fn spot(&mut self, group: usize, brim: u64, gone: &mut Gone<K>) -> Option<usize> {
        let (mut free, mut full) = (0_u32, 0_u32);
        for (slot, place) in self.groups[group].0.iter().enumerate() {
            let word = bits(place);
            free |= u32::from(word == 0) << slot;
            full |= u32::from(word & CONSUMED <= brim) << slot;
        }
        if free != 0 {
            return Some(free.trailing_zeros() as usize);
        }
        let slot = full.checked_ilog2()? as usize;
        self.evict(At { group, slot }, gone);
        Some(slot)
    }

    /// Moves an entry to its other group.
    fn shift(&mut self, from: At, to: At) {
        let Some(mut entry) = self.groups[from.group].0[from.slot].take() else { return };
        if entry.is_second() {
            self.unspill(to.group);
        } else {
            self.spill(from.group);
        }
        entry.word = word(entry.word.get() & !CONSUMED ^ SECOND, entry.consumed());
        self.groups[to.group].0[to.slot] = Some(entry);
    }

    /// Of those that could make room for a key, the one that has consumed least.
    pub(crate) fn fullest(&self, hash: u64) -> Option<(At, u64)> {
        let mut found: Option<(At, u64)> = None;
        if !self.groups.is_empty() {
            let first = self.first(hash);
            for group in [first, self.other(first, tag(hash))] {
                for (slot, place) in self.groups[group].0.iter().enumerate() {
                    let Some(entry) = place else { continue };
                    if found.is_none_or(|(_, least)| entry.consumed() < least) {
                        found = Some((At { group, slot }, entry.consumed()));
                    }
                }
            }
        }
        found
    }

    /// [`vacate`](Self::vacate), in a larger table if need be.
    pub(crate) fn vacate_or_grow(
        &mut self,
        hash: u64,
        brim: u64,
        hash_of: impl Fn(&K) -> u64,
        gone: &mut Gone<K>,
    ) -> Option<Vacant> {
        loop {
            if let Some(vacant) = self.vacate(hash, brim, gone) {
                return Some(vacant);
            }
            let groups = self.groups.len();
            // Where a table that is half empty has no place, it is the hasher's fault, and a larger
            // one would have none either.
            if groups == self.most || self.len * 2 < self.places() {
                return None;
            }
            if !self.resize(self.larger(), &hash_of) {
                return None;
            }
        }
    }

    /// The next number of groups: the most that there may be, halved as often as leaves it larger.
    /// So it about doubles, a key is moved once on average, and the last step ends at the most.
    fn larger(&self) -> usize {
        let mut larger = self.most;
        while larger > 1 && larger.div_ceil(2) > self.groups.len() {
            larger = larger.div_ceil(2);
        }
        larger
    }

    /// Goes over to another number of groups; `false` if there is no place for all.
    fn resize(&mut self, groups: usize, hash_of: impl Fn(&K) -> u64) -> bool {
        // Hashing is user code and may panic, and a place may be lacking. So the new order is made
        // with numbers first, and the entries are moved when nothing can go wrong any more.
        let mut plan: Table<u32> = Table::new(groups);
        plan.groups.resize_with(groups, Group::empty);
        plan.spills.resize(groups, 0);
        let mut none = Gone::new();
        let places = self.groups.iter().flat_map(|group| &group.0);
        for (number, entry) in
            places.enumerate().filter_map(|(n, place)| Some((n, place.as_ref()?)))
        {
            let Some(vacant) = plan.vacate(hash_of(&entry.key), 0, &mut none) else {
                return false;
            };
            // INVARIANT: nobody is full in the plan, so nobody is dropped.
            plan.put(vacant, number as u32, CONSUMED);
        }
        let mut old = std::mem::take(&mut self.groups);
        let mut moved = |planned: Entry<u32>| {
            let number = planned.key as usize;
            let entry = old[number / GROUP].0[number % GROUP].take()?;
            let word = word(planned.word.get() & !CONSUMED, entry.consumed());
            Some(Entry { key: entry.key, word })
        };
        self.groups.reserve_exact(groups);
        for group in plan.groups {
            self.groups.push(Group(group.0.map(|place| place.and_then(&mut moved))));
        }
        self.spills = plan.spills;
        self.hand = 0;
        true
    }

    /// Gives memory back: the smallest table that has room for all, or one that is found at once.
    pub(crate) fn shrink(&mut self, hash_of: impl Fn(&K) -> u64) {
        let mut groups = (self.len + self.len / 16).div_ceil(GROUP);
        if groups == 0 {
            self.groups = Vec::new();
            self.spills = Vec::new();
        }
        while groups < self.groups.len() && !self.resize(groups, &hash_of) {
            groups += groups / 8 + 1;
        }
    }

    /// Empties it, and gives what was in it, to be dropped after the lock.
    pub(crate) fn take(&mut self) -> Self {
        let empty = Self::new(self.most);
        std::mem::replace(self, empty)
    }

    /// The furthest that anybody has consumed.
    pub(crate) fn most_consumed(&self) -> u64 {
        let entries = self.groups.iter().flat_map(|group| group.0.iter().flatten());
        entries.map(Entry::consumed).max().unwrap_or(0)
    }

    /// Changes what everybody has consumed.
    pub(crate) fn convert(&mut self, mut to: impl FnMut(u64) -> u64) {
        for entry in self.groups.iter_mut().flat_map(|group| group.0.iter_mut().flatten()) {
            entry.word = word(entry.word.get() & !CONSUMED, to(entry.consumed()));
        }
    }

    /// Drops whoever is full again, in the next `groups` groups.
    pub(crate) fn sweep(&mut self, groups: usize, brim: u64, gone: &mut Gone<K>) {
        for _ in 0..groups.min(self.groups.len()) {
            if self.hand >= self.groups.len() {
                self.hand = 0;
            }
            for slot in 0..GROUP {
                let at = At { group: self.hand, slot };
                let full = |entry: &Entry<K>| entry.consumed() <= brim;
                if self.groups[at.group].0[slot].as_ref().is_some_and(full) {
                    self.evict(at, gone);
                }
            }
            self.hand += 1;
        }
    }
}
