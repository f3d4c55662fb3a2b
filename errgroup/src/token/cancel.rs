//! Cancelling: first every flag, under locks and without a call to anybody, then the calls.

use super::callback::Job;
use super::node::{Dependent, Node};
use super::slab::Slab;
use crate::cause::Cause;
use crate::primitives::{Arc, Deadline};
use crate::waiters::{WakeBatch, WakePanic};

/// What a cancel collects on its way down, to be dealt with outside all locks.
#[derive(Default)]
struct Harvest {
    /// Everything beneath, in the order of the levels. They are kept until the locks are left,
    /// because the last owner of a node drops its cause.
    nodes: Vec<Arc<Node>>,
    /// Those of them that somebody else was faster at, and that hang on others, too.
    elsewhere: Vec<usize>,
    wakers: WakeBatch,
    callbacks: Vec<Arc<Job>>,
}

impl Node {
    /// K1: cancels this node and all beneath it. `true` if it was this call that did.
    ///
    /// On return, everything that was beneath it when this was called is cancelled, by whomever.
    pub(super) fn cancel(&self, cause: Cause) -> bool {
        let mut harvest = Harvest::default();
        let mut inner = self.inner.lock();
        if self.is_flagged() {
            drop(inner);
            self.await_cancels_above();
            return false;
        }
        // A deadline that nobody noticed came first all the same.
        let expired = !matches!(cause, Cause::Deadline) && self.has_expired();
        let (cause, unused) = if expired { (Cause::Deadline, Some(cause)) } else { (cause, None) };
        self.flag(&mut inner, cause);
        drop(inner.disarm());
        harvest.sort(inner.dependents.take());
        harvest.flag_all(self.deadline.as_ref(), inner.cause.as_ref());
        drop(inner);
        harvest.tell_all();
        drop(unused);
        !expired
    }

    /// One node beneath the one that is cancelled. `None` if it was cancelled already.
    fn flag_beneath(&self, above: &Cause, top: Option<&Deadline>) -> Option<Slab<Dependent>> {
        let mut inner = self.inner.lock();
        if self.is_flagged() {
            return None;
        }
        // A deadline of its own may have come first; the top's was looked at there.
        let is_own = |own: &Deadline| top.is_none_or(|top| own.is_before(top));
        let expired = self.deadline.as_ref().is_some_and(is_own) && self.has_expired();
        self.flag(&mut inner, if expired { Cause::Deadline } else { above.clone() });
        drop(inner.disarm());
        Some(inner.dependents.take())
    }
}

impl Harvest {
    /// Flags everything beneath the top, whose lock the caller holds: so whoever comes to cancel
    /// the same, and finds it flagged, can wait for the end of this (K6).
    fn flag_all(&mut self, top: Option<&Deadline>, cause: Option<&Cause>) {
        let cause = cause.unwrap_or(&Cause::Requested);
        let mut at = 0;
        while let Some(node) = self.nodes.get(at) {
            match node.flag_beneath(cause, top) {
                Some(dependents) => self.sort(dependents),
                None if node.is_shared() => self.elsewhere.push(at),
                None => {}
            }
            at += 1;
        }
    }

    fn sort(&mut self, dependents: Slab<Dependent>) {
        if dependents.is_empty() {
            return;
        }
        let mut left = dependents.len();
        for dependent in dependents.drain() {
            match dependent {
                Dependent::Child(node) => {
                    // Room for all, where there is a child at all.
                    if self.nodes.len() == self.nodes.capacity() {
                        self.nodes.reserve(left);
                    }
                    self.nodes.push(node);
                }
                Dependent::Waiter(waker) => self.wakers.push(waker),
                Dependent::Callback(job) => self.callbacks.push(job),
            }
            left -= 1;
        }
    }

    /// Without any lock: wakers and callbacks may come back to the token, take their time, or
    /// panic, which keeps none of the others from being called.
    fn tell_all(mut self) {
        for &at in &self.elsewhere {
            self.nodes[at].await_cancels_above();
        }
        let mut panic = WakePanic::default();
        self.wakers.wake_all(&mut panic);
        for job in &self.callbacks {
            panic.guard(|| job.run());
        }
        panic.guard(|| drop(self));
        panic.resume();
    }
}
