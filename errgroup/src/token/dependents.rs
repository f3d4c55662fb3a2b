//! What hangs on a node, by kind: each is told of a cancel in its own way.

use super::callback::Job;
use super::node::Node;
use super::slab::Slab;
use crate::primitives::Arc;
use std::task::Waker;

/// A slab for each kind, not one for all: whoever has a place knows its kind, and what is put
/// there and taken out is one word or two, without a tag.
pub(super) struct Dependents {
    pub(super) wakers: Slab<Waker>,
    pub(super) children: Slab<Arc<Node>>,
    pub(super) callbacks: Slab<Arc<Job>>,
}

/// What may take a place that is no link's.
pub(super) trait Seated: Sized {
    fn slab(dependents: &mut Dependents) -> &mut Slab<Self>;
}

impl Seated for Waker {
    #[inline]
    fn slab(dependents: &mut Dependents) -> &mut Slab<Self> {
        &mut dependents.wakers
    }
}

impl Seated for Arc<Job> {
    #[inline]
    fn slab(dependents: &mut Dependents) -> &mut Slab<Self> {
        &mut dependents.callbacks
    }
}

impl Dependents {
    pub(super) const fn new() -> Self {
        Self { wakers: Slab::new(), children: Slab::new(), callbacks: Slab::new() }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.wakers.is_empty() && self.children.is_empty() && self.callbacks.is_empty()
    }

    /// Everything, and the room with it.
    pub(super) fn take(&mut self) -> Self {
        Self {
            wakers: self.wakers.take(),
            children: self.children.take(),
            callbacks: self.callbacks.take(),
        }
    }

    /// How many there are, for tests.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.wakers.len() + self.children.len() + self.callbacks.len()
    }
}
