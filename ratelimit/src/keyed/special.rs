//! Keys with quotas of their own: each has a whole bucket, beside the table.

use super::shard::{Asked, Judged, Request, Shard, brim, judge};
use super::table::Gone;
use crate::quota::Quota;
use crate::state::{Bucket, Change, Curve, Inherit, Renew, Supply};
use crate::waiters::WakeBatch;
use std::borrow::Borrow;
use std::collections::BTreeMap;

/// By hash, and in case two keys have the same one, by key.
#[derive(Debug)]
pub(super) struct Specials<K> {
    by_hash: BTreeMap<u64, Vec<Special<K>>>,
    len: usize,
}

#[derive(Debug)]
pub(super) struct Special<K> {
    key: K,
    pub(super) bucket: Bucket,
    /// What it has when it starts anew.
    pub(super) initial: u32,
    /// Its quota was taken away. It has the one of all others now, and goes when it is full: until
    /// then it may be promised tokens, by a line that only this bucket knows.
    pub(super) follows: bool,
}

impl<K> Specials<K> {
    pub(super) const fn new() -> Self {
        Self { by_hash: BTreeMap::new(), len: 0 }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn get_mut<Q>(&mut self, hash: u64, key: &Q) -> Option<&mut Special<K>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.by_hash.get_mut(&hash)?.iter_mut().find(|special| special.key.borrow() == key)
    }

    pub(super) fn get<Q>(&self, hash: u64, key: &Q) -> Option<&Special<K>>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        self.by_hash.get(&hash)?.iter().find(|special| special.key.borrow() == key)
    }

    fn insert(&mut self, hash: u64, key: K, bucket: Bucket, initial: u32) {
        self.len += 1;
        let special = Special { key, bucket, initial, follows: false };
        self.by_hash.entry(hash).or_default().push(special);
    }

    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Special<K>> {
        self.by_hash.values_mut().flatten()
    }

    /// Drops those that follow and are full.
    fn prune(&mut self, now: u64, gone: &mut Gone<K>) {
        let len = &mut self.len;
        self.by_hash.retain(|_, specials| {
            while let Some(at) = specials.iter_mut().position(|special| special.is_over(now)) {
                gone.push(specials.swap_remove(at).key);
                *len -= 1;
            }
            !specials.is_empty()
        });
    }
}

impl<K> Special<K> {
    pub(super) const fn curve(&self) -> &Curve {
        &self.bucket.curve
    }

    pub(super) fn supply(&mut self, now: u64) -> Supply {
        loop {
            match self.bucket.curve.supply(now) {
                Ok(supply) => return supply,
                Err(Renew) => self.change(Change::Renew, now),
            }
        }
    }

    pub(super) fn change(&mut self, change: Change, now: u64) {
        self.bucket = self.bucket.change(change, now.max(self.curve().start), 0);
    }

    /// As if it had never been asked.
    pub(super) fn restart(&mut self, now: u64) {
        let supply = self.supply(now);
        let initial = self.curve().units(self.initial.min(self.curve().burst));
        self.bucket.consumed = supply.floor - initial;
    }

    fn is_over(&mut self, now: u64) -> bool {
        self.follows && {
            let supply = self.supply(now);
            self.bucket.consumed <= brim(&self.bucket.curve, supply)
        }
    }
}

impl<K> Shard<K> {
    /// A request for a key, if it has a quota of its own.
    #[cold]
    pub(super) fn ask_special<Q>(
        &mut self,
        request: &Request<'_, Q>,
        gone: &mut Gone<K>,
    ) -> Option<Asked>
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let special = self.specials.get_mut(request.hash, request.key)?;
        if special.follows && self.pending == 0 && special.is_over(request.now) {
            self.seen = self.seen.max(request.now);
            self.prune(request.now, gone);
            return None;
        }
        let curve = special.curve();
        if request.n == 0 || curve.flags != 0 || request.n > curve.burst {
            return Some(Self::outright(curve, request.n));
        }
        let supply = special.supply(request.now);
        let Bucket { curve, consumed } = &special.bucket;
        let Judged { to, asked } = judge(curve, *consumed, supply, request, self.resets, false);
        if let Some(to) = to {
            special.bucket.consumed = to;
        }
        // The place is one of its own line.
        self.pending += usize::from(matches!(asked, Asked::Promised(_)));
        Some(asked)
    }

    /// Drops what is left of quotas that were taken away.
    ///
    /// INVARIANT: not while anybody waits: whoever was promised tokens of such a bucket could not
    /// tell when they are due without it.
    pub(super) fn prune(&mut self, now: u64, gone: &mut Gone<K>) {
        if self.pending == 0 {
            self.specials.prune(now, gone);
        }
    }

    /// Gives a key a quota of its own.
    pub(super) fn set_special(
        &mut self,
        hash: u64,
        key: K,
        quota: Quota,
        now: u64,
        batch: &mut WakeBatch,
        gone: &mut Gone<K>,
    ) where
        K: Eq,
    {
        let change = |inherit| Change::Quota(quota, inherit);
        if let Some(special) = self.specials.get_mut(hash, &key) {
            special.change(change(Inherit::AsIs), now);
            special.initial = quota.initial_tokens();
            special.follows = false;
            gone.push(key);
        } else {
            let (moment, supply) = self.arrival(now);
            // Its places stay where they are: whoever waits for it is promised some.
            let bucket = |consumed| Bucket { curve: self.curve, consumed };
            let bucket = if let Some(at) = self.table.find(hash, &key) {
                let bucket =
                    bucket(self.table.consumed(at)).change(change(Inherit::AsIs), moment, 0);
                self.table.evict(at, gone);
                bucket
            } else if self.overflow.is_some() {
                bucket(self.fresh(supply)).change(change(Inherit::AsIs), moment, 0)
            } else {
                bucket(supply.floor).change(change(Inherit::Reset), moment, 0)
            };
            self.seen = moment;
            self.specials.insert(hash, key, bucket, quota.initial_tokens());
        }
        self.waiters.settle_where(batch, |()| Some(()));
    }

    /// Gives a key the quota of all others again; `false` if it has it already.
    pub(super) fn remove_special<Q>(
        &mut self,
        hash: u64,
        key: &Q,
        now: u64,
        batch: &mut WakeBatch,
        gone: &mut Gone<K>,
    ) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        let (quota, initial) = (self.curve.quota(), self.initial);
        let special = self.specials.get_mut(hash, key).filter(|special| !special.follows);
        let Some(special) = special else { return false };
        special.change(Change::Quota(quota, Inherit::AsIs), now);
        special.initial = initial;
        special.follows = true;
        self.seen = self.seen.max(now);
        self.prune(now, gone);
        self.waiters.settle_where(batch, |()| Some(()));
        true
    }
}
