//! Cancelling: first every flag, under locks and without a call to anybody, then the calls.

use super::callback::Job;
use super::dependents::Dependents;
use super::node::Node;
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

/// How one node beneath was found.
enum Found {
    Cancelled,
    /// And it was flagged, with nothing beneath that is to be told.
    Alone,
    /// The same, with this beneath.
    With(Dependents),
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

    /// One node beneath the one that is cancelled.
    fn flag_beneath(&self, above: &Cause, top: Option<&Deadline>) -> Found {
        let mut inner = self.inner.lock();
        if self.is_flagged() {
            return Found::Cancelled;
        }
        // A deadline of its own may have come first; the top's was looked at there.
        let is_own = |own: &Deadline| top.is_none_or(|top| own.is_before(top));
        let expired = self.deadline.as_ref().is_some_and(is_own) && self.has_expired();
        self.flag(&mut inner, if expired { Cause::Deadline } else { above.clone() });
        drop(inner.disarm());
        if inner.dependents.is_empty() {
            Found::Alone
        } else {
            Found::With(inner.dependents.take())
        }
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
                Found::With(dependents) => self.sort(dependents),
                Found::Cancelled if node.is_shared() => self.elsewhere.push(at),
                Found::Cancelled | Found::Alone => {}
            }
            at += 1;
        }
    }

    fn sort(&mut self, dependents: Dependents) {
        let Dependents { wakers, children, callbacks } = dependents;
        wakers.drain(|waker| self.wakers.push(waker));
        self.nodes.reserve(children.len());
        children.drain(|node| self.nodes.push(node));
        callbacks.drain(|job| self.callbacks.push(job));
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
