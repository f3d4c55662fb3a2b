//! A part of the keys, under one lock, and by whose rules a request is judged there.

use super::builder::Policy;
use super::special::Specials;
use super::table::{Gone, Table, Vacant};
use crate::error::{AcquireError, Denied, DeniedReason};
use crate::quota::Quota;
use crate::state::{Bucket, CLOSED, Curve, INFINITE, Renew, Supply, Taken, Tokens};
use crate::waiters::Waiters;
use std::borrow::Borrow;
use std::time::Duration;

/// Everything is a plain number, because the lock is held by whoever looks.
#[derive(Debug)]
pub(super) struct Shard<K> {
    pub(super) curve: Curve,
    /// What a new key has.
    pub(super) initial: u32,
    pub(super) table: Table<K>,
    /// INVARIANT: no key was dropped by a later time than this. A new key is dated no earlier: the
    /// time of whoever asks for it may be an old one, by which the key that was dropped as full was
    /// not full yet.
    pub(super) seen: u64,
    /// What those without a place have consumed together; `None` until there are any.
    pub(super) overflow: Option<u64>,
    /// Keys with quotas of their own.
    pub(super) specials: Specials<K>,
    /// Whom to tell of a change. It settles them all; who still has to wait comes again.
    pub(super) waiters: Waiters<(), ()>,
    /// Waits that have a promise.
    pub(super) pending: usize,
    /// The furthest that anybody was promised.
    pub(super) furthest: Tokens,
    /// How often a key was made to start anew. Promises of before then do not come back.
    pub(super) resets: u64,
    /// New keys until the next step of the sweep.
    until_sweep: u8,
}

/// A step of the sweep, of one group, comes with every so many new keys: two places for each.
const SWEEP_EVERY: u8 = 4;

/// What is asked of a key.
pub(super) struct Request<'a, Q: ?Sized> {
    pub(super) key: &'a Q,
    pub(super) hash: u64,
    pub(super) n: u32,
    pub(super) now: u64,
    pub(super) how: How,
}

#[derive(Clone, Copy)]
pub(super) enum How {
    /// Nothing is taken.
    Peek,
    Try,
    /// Now or later; by this moment.
    Reserve(Option<u64>),
}

/// What a request without a place may do, and how to hash.
pub(super) struct Rules<F> {
    pub(super) policy: Policy,
    pub(super) hash_of: F,
}

/// What came of a request.
pub(super) enum Asked {
    Granted,
    Promised(Promise),
    Denied(Denied),
    TooLong(Option<Duration>),
    /// A copy of the key is needed first.
    NeedKey,
}

/// Tokens that were promised to a key.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promise {
    /// Where supply has to be for them.
    pub(super) place: Tokens,
    pub(super) n: u32,
    /// [`Shard::resets`] when it was made.
    pub(super) resets: u64,
    /// Out of the bucket of those without a place.
    pub(super) shared: bool,
}

impl From<Asked> for AcquireError {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Denied(denied) => denied.into(),
            Asked::TooLong(wait) => Self::TooLong { wait },
            Asked::Granted | Asked::Promised(_) | Asked::NeedKey => {
                unreachable!("only what failed is an error")
            }
        }
    }
}

/// How a bucket stands to a request: what is consumed afterwards, if that changes, and what to say.
pub(super) struct Judged {
    pub(super) to: Option<u64>,
    pub(super) asked: Asked,
}

impl<K> Shard<K> {
    pub(super) fn new(quota: Quota, groups: usize, now: u64) -> Self {
        Self {
            curve: Bucket::new(quota, now).curve,
            initial: quota.initial_tokens(),
            table: Table::new(groups),
            seen: now,
            overflow: None,
            specials: Specials::new(),
            waiters: Waiters::new(),
            pending: 0,
            furthest: 0,
            resets: 0,
            until_sweep: SWEEP_EVERY,
        }
    }

    /// Judges a request and does what it says. A new key is taken out of `spare`.
    #[inline]
    pub(super) fn ask<Q, F>(
        &mut self,
        request: &Request<'_, Q>,
        rules: &Rules<F>,
        spare: &mut Option<K>,
        gone: &mut Gone<K>,
    ) -> Asked
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
        F: Fn(&K) -> u64,
    {
        if !self.specials.is_empty() {
            if let Some(asked) = self.ask_special(request, gone) {
                return asked;
            }
        }
        let supply = match self.supply(request.n, request.now) {
            Ok(supply) => supply,
            Err(asked) => return asked,
        };
        match self.table.find(request.hash, request.key) {
            Some(at) => {
                let consumed = self.table.consumed(at);
                let Judged { to, asked } = self.judge(consumed, supply, request, false);
                if let Some(to) = to {
                    self.table.set_consumed(at, to);
                }
                asked
            }
            None => self.welcome(request, rules, spare, gone),
        }
    }

    /// What is supplied, unless the request is decided without it.
    #[inline]
    fn supply(&mut self, n: u32, now: u64) -> Result<Supply, Asked> {
        if n == 0 || self.curve.flags != 0 || n > self.curve.burst {
            return Err(Self::outright(&self.curve, n));
        }
        match self.curve.supply(now) {
            Ok(supply) => Ok(supply),
            Err(Renew) => Ok(self.supply_renewed(now)),
        }
    }

    /// What is said without looking at any bucket.
    pub(super) fn outright(curve: &Curve, n: u32) -> Asked {
        if n == 0 || curve.flags & INFINITE != 0 {
            return Asked::Granted;
        }
        Asked::Denied(Denied::never(if curve.flags & CLOSED != 0 {
            DeniedReason::Closed
        } else {
            DeniedReason::ExceedsBurst { requested: n, burst: curve.burst }
        }))
    }

    /// What is supplied by `now`, of a line that may have to be continued from a new origin.
    #[cold]
    pub(super) fn supply_renewed(&mut self, now: u64) -> Supply {
        loop {
            match self.curve.supply(now) {
                Ok(supply) => return supply,
                Err(Renew) => self.renew(now),
            }
        }
    }

    #[inline]
    fn judge<Q: ?Sized>(
        &mut self,
        consumed: u64,
        supply: Supply,
        request: &Request<'_, Q>,
        shared: bool,
    ) -> Judged {
        let judged = judge(&self.curve, consumed, supply, request, self.resets, shared);
        self.note(&judged.asked);
        judged
    }

    /// Keeps the books of what is promised.
    pub(super) fn note(&mut self, asked: &Asked) {
        if let Asked::Promised(promise) = asked {
            self.furthest = self.furthest.max(promise.place);
            self.pending += 1;
        }
    }

    /// By which time a new key is judged, and what is supplied by then.
    pub(super) fn arrival(&mut self, now: u64) -> (u64, Supply) {
        let moment = now.max(self.seen);
        (moment, self.supply_renewed(moment))
    }

    /// What a new key has consumed.
    pub(super) fn fresh(&self, supply: Supply) -> u64 {
        let consumed = supply.floor - self.curve.units(self.initial);
        // It may have taken from the bucket of those without a place.
        self.overflow.map_or(consumed, |shared| shared.max(consumed))
    }

    /// A request for a key that is not in the table.
    fn welcome<Q, F>(
        &mut self,
        request: &Request<'_, Q>,
        rules: &Rules<F>,
        spare: &mut Option<K>,
        gone: &mut Gone<K>,
    ) -> Asked
    where
        Q: ?Sized,
        F: Fn(&K) -> u64,
    {
        let (moment, supply) = self.arrival(request.now);
        let consumed = self.fresh(supply);
        if let How::Peek = request.how {
            return self.judge(consumed, supply, request, false).asked;
        }
        if spare.is_none() {
            return Asked::NeedKey;
        }
        self.seen = moment;
        // INVARIANT: who is full is judged by the caller's time, never by a later one that somebody
        // saw before a clock stepped back: by that, what was granted since is long paid for.
        let here = self.supply_renewed(request.now);
        self.sweep_a_little(here, gone);
        let Some(vacant) = self.place(request, rules, here, gone) else {
            return self.without_a_place(request, rules.policy, here, supply);
        };
        let Judged { to, asked } = self.judge(consumed, supply, request, false);
        if let Some(key) = spare.take() {
            // What is not granted counts from now on: it would never be full otherwise.
            self.table.put(vacant, key, to.unwrap_or(consumed));
        }
        asked
    }

    /// A place for a new key: a free one, or that of a key that is full again, or one in a larger
    /// table, or that of another key, if the policy says so.
    fn place<Q, F>(
        &mut self,
        request: &Request<'_, Q>,
        rules: &Rules<F>,
        supply: Supply,
        gone: &mut Gone<K>,
    ) -> Option<Vacant>
    where
        Q: ?Sized,
        F: Fn(&K) -> u64,
    {
        let brim = brim(&self.curve, supply);
        let found = self.table.vacate_or_grow(request.hash, brim, &rules.hash_of, gone);
        if found.is_some() || rules.policy != Policy::EvictFullest {
            return found;
        }
        let (at, consumed) = self.table.fullest(request.hash)?;
        // INVARIANT: a key that is promised tokens has consumed more than there is, and stays.
        if consumed > supply.floor {
            return None;
        }
        self.table.evict(at, gone);
        self.table.vacate(request.hash, brim, gone)
    }

    /// A new key finds that all places are taken.
    #[cold]
    fn without_a_place<Q: ?Sized>(
        &mut self,
        request: &Request<'_, Q>,
        policy: Policy,
        supply: Supply,
        arrival: Supply,
    ) -> Asked {
        if policy == Policy::SharedOverflow {
            let (consumed, supply) = match self.overflow {
                Some(consumed) => (consumed, supply),
                None => (self.fresh(arrival), arrival),
            };
            let Judged { to, asked } = self.judge(consumed, supply, request, true);
            self.overflow = Some(to.unwrap_or(consumed));
            return asked;
        }
        let least = self.table.fullest(request.hash).map_or(supply.floor, |(_, least)| least);
        // It makes room when it is full, or already when it owes nothing.
        let to = match policy {
            Policy::EvictFullest => least,
            _ => least.saturating_add(self.curve.units(self.curve.burst)),
        };
        Asked::Denied(Denied::table_full(&self.curve, request.now, to))
    }

    /// The bucket of a key, as it would be if it came now.
    pub(super) fn bucket_of<Q>(&mut self, hash: u64, key: &Q, now: u64) -> (Bucket, Supply)
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        if let Some(special) = self.specials.get_mut(hash, key) {
            let supply = special.supply(now);
            return (special.bucket, supply);
        }
        if let Some(at) = self.table.find(hash, key) {
            let supply = self.supply_renewed(now);
            let consumed = self.table.consumed(at);
            return (Bucket { curve: self.curve, consumed }, supply);
        }
        let (_, supply) = self.arrival(now);
        (Bucket { curve: self.curve, consumed: self.fresh(supply) }, supply)
    }

    /// A key starts anew.
    pub(super) fn reset<Q>(&mut self, hash: u64, key: &Q, now: u64, gone: &mut Gone<K>) -> bool
    where
        K: Borrow<Q>,
        Q: Eq + ?Sized,
    {
        if let Some(special) = self.specials.get_mut(hash, key) {
            special.restart(now);
        } else if let Some(at) = self.table.find(hash, key) {
            self.seen = self.seen.max(now);
            self.table.evict(at, gone);
        } else {
            return false;
        }
        self.resets += 1;
        true
    }

    /// Drops whoever is full again.
    pub(super) fn sweep(&mut self, now: u64, gone: &mut Gone<K>) {
        self.seen = self.seen.max(now);
        // Not by a later time, as for a new key.
        let supply = self.supply_renewed(now);
        self.table.sweep(usize::MAX, brim(&self.curve, supply), gone);
        self.prune(now, gone);
    }

    fn sweep_a_little(&mut self, supply: Supply, gone: &mut Gone<K>) {
        self.until_sweep -= 1;
        if self.until_sweep == 0 {
            self.until_sweep = SWEEP_EVERY;
            self.table.sweep(1, brim(&self.curve, supply), gone);
        }
    }
}

/// Whoever has consumed no more than this is full.
pub(super) const fn brim(curve: &Curve, supply: Supply) -> u64 {
    supply.floor - curve.units(curve.burst)
}

/// Judges a request by what is consumed of a curve.
#[inline]
pub(super) fn judge<Q: ?Sized>(
    curve: &Curve,
    consumed: u64,
    supply: Supply,
    request: &Request<'_, Q>,
    resets: u64,
    shared: bool,
) -> Judged {
    let Request { n, now, how, .. } = *request;
    let to = match (curve.take_exactly(consumed, supply, n), how) {
        (Taken::Now { .. }, How::Peek) => return Judged { to: None, asked: Asked::Granted },
        (Taken::Now { to }, _) => return Judged { to: Some(to), asked: Asked::Granted },
        (Taken::Later { to }, _) => to,
    };
    let How::Reserve(latest) = how else {
        return Judged { to: None, asked: Asked::Denied(Denied::not_yet(curve, now, to)) };
    };
    let at = curve.when(to);
    let too_late = latest.is_some_and(|latest| at.is_none_or(|at| at > latest));
    if too_late || !Curve::holds(to) {
        let wait = at.map(|at| Duration::from_nanos(at.saturating_sub(now)));
        return Judged { to: None, asked: Asked::TooLong(wait) };
    }
    let promise = Promise { place: curve.place(to), n, resets, shared };
    Judged { to: Some(to), asked: Asked::Promised(promise) }
}
