//! Changes of all keys of a shard at once.

use super::shard::Shard;
use super::table::{Gone, Table};
use crate::quota::Quota;
use crate::state::{Bucket, Change, Curve, INFINITE, Inherit, Tokens, tokens};
use crate::waiters::WakeBatch;

impl<K> Shard<K> {
    /// The line of supply goes on from a new origin.
    pub(super) fn renew(&mut self, now: u64) {
        let next = self.line().change(Change::Renew, self.moment(now), 0).curve;
        self.go_over(next, 0, |_, consumed| consumed);
    }

    pub(super) fn close(&mut self, now: u64, batch: &mut WakeBatch) {
        let next = self.line().change(Change::Close, self.moment(now), 0).curve;
        self.go_over(next, 0, |_, consumed| consumed);
        for special in self.specials.each() {
            special.change(Change::Close, now);
        }
        self.waiters.settle_where(batch, |()| Some(()));
    }

    /// Another quota for all who have none of their own. Gives what is not needed any more.
    ///
    /// All buckets share one line of supply, so what one of them gets or loses is a matter of what
    /// it has consumed. Except that whoever was promised a place keeps it: what is given to those
    /// who are in debt is given by moving the line, for all.
    pub(super) fn set_quota(
        &mut self,
        quota: Quota,
        inherit: Inherit,
        now: u64,
        batch: &mut WakeBatch,
        gone: &mut Gone<K>,
    ) -> Option<Table<K>> {
        let (from, to) = (self.curve.burst, quota.burst);
        let bonus = match inherit {
            Inherit::Reset => quota.initial_tokens(),
            Inherit::Additive => to.saturating_sub(from),
            Inherit::AsIs | Inherit::Proportional => 0,
        };
        let moment = self.moment(now);
        let mut next = self.line().change(Change::Quota(quota, Inherit::AsIs), moment, 0);
        let infinite = next.curve.flags & INFINITE != 0;
        if bonus > 0 && !infinite {
            next = next.change(Change::Refund(bonus), moment, 0);
        }
        // Without a limit nobody owes anything, and the line has moved beyond all promises.
        let cleared = infinite.then(|| {
            self.overflow = None;
            self.resets += 1;
            self.table.take()
        });
        self.go_over(next.curve, bonus, |supplied, consumed| match inherit {
            Inherit::Reset => consumed.max(supplied),
            Inherit::Proportional if consumed < supplied && from > 0 => {
                supplied - (supplied - consumed) * Tokens::from(to) / Tokens::from(from)
            }
            Inherit::AsIs | Inherit::Additive | Inherit::Proportional => consumed,
        });
        self.initial = quota.initial_tokens();
        for special in self.specials.each().filter(|special| special.follows) {
            special.change(Change::Quota(quota, inherit), now);
            special.initial = quota.initial_tokens();
        }
        self.prune(now, gone);
        self.waiters.settle_where(batch, |()| Some(()));
        cleared
    }

    /// When a change is dated: not before the last one.
    fn moment(&self, now: u64) -> u64 {
        now.max(self.curve.start)
    }

    /// The line, as the bucket of whoever is furthest on it, so that all have room in the next.
    fn line(&self) -> Bucket {
        let overflow = self.overflow.unwrap_or(0);
        let promised = self.curve.unit(self.furthest).min(Curve::FURTHEST);
        let consumed = self.table.most_consumed().max(overflow).max(promised);
        Bucket { curve: self.curve, consumed }
    }

    /// Counts what everybody has consumed by another curve, which begins `bonus` tokens later than
    /// the old one ends. `keep` is given the end and what was consumed.
    fn go_over(&mut self, next: Curve, bonus: u32, keep: impl Fn(Tokens, Tokens) -> Tokens) {
        let old = self.curve;
        let after = next.place(next.base);
        let supplied = after - tokens(bonus);
        let convert = |consumed: u64| {
            let consumed = old.place(consumed).max(supplied - tokens(old.burst));
            let consumed = keep(supplied, consumed).max(after - tokens(next.burst));
            // INVARIANT: nobody is further than `line` says, and for that there is room.
            next.unit(consumed).min(Curve::FURTHEST)
        };
        self.table.convert(convert);
        self.overflow = self.overflow.map(convert);
        self.curve = next;
    }
}
