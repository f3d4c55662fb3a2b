//! One token of the tree: its flag, its cause, what hangs on it, and what it hangs on.
//!
//! The numbers K1 to K7 are those of DESIGN.md.

use super::dependents::{Dependents, Seated};
use super::slab::NIL;
use crate::cause::Cause;
use crate::primitives::atomic::{AtomicU8, AtomicUsize, Ordering};
use crate::primitives::{Arc, Deadline, Mutex, MutexGuard};
use crate::timer;
use std::collections::HashSet;
use std::fmt;
use std::mem;
#[cfg(feature = "tokio-util")]
use std::sync::OnceLock;
use std::task::Waker;

/// Not cancelled, and only a call cancels it.
const OPEN: u8 = 0;
/// Not cancelled, as far as anybody noticed: the clock tells.
const TIMED: u8 = 1;
const CANCELLED: u8 = 2;

pub(crate) struct Node {
    /// `OPEN` or `TIMED`, then `CANCELLED` for good. Written under the lock.
    state: AtomicU8,
    /// No later than that of any parent.
    pub(super) deadline: Option<Deadline>,
    parents: Parents,
    /// The handles of users, and the children that are registered here. Not counted where nobody
    /// has to be told that there are none left: no parent, and no timer.
    handles: AtomicUsize,
    pub(super) inner: Mutex<Inner>,
    /// Cancelled with this one, for `child_tokio`.
    #[cfg(feature = "tokio-util")]
    pub(super) theirs: OnceLock<tokio_util::sync::CancellationToken>,
}

pub(super) struct Inner {
    /// INVARIANT: empty once the state is `CANCELLED`. So whoever has a place looks at the state,
    /// under the lock, before it uses the number.
    pub(super) dependents: Dependents,
    /// How many of them only a timer would tell of the deadline …
    timed: usize,
    /// … and its entry there.
    alarm: Option<timer::Key>,
    /// Written once, before the state. Not beside the state in a `OnceLock`, whose two exchanges
    /// are a quarter of what a child costs a cancel; it is asked for rarely.
    pub(super) cause: Option<Cause>,
}

/// What a node hangs on.
pub(super) enum Parents {
    None,
    One(Link),
    Many(Box<[Link]>),
    #[cfg(feature = "tokio-util")]
    Foreign(super::foreign::Foreign),
}

/// INVARIANT: the parent is strong, so what is above a node never goes while the node is there,
/// and a climb needs no lock and no second look.
pub(super) struct Link {
    parent: Arc<Node>,
    /// Among the parent's dependents; `NIL` if the parent was cancelled before. Written under the
    /// parent's lock.
    place: AtomicUsize,
}

/// A place among a node's dependents.
#[derive(Debug)]
pub(super) struct Seat {
    place: usize,
    timed: bool,
}

impl Parents {
    pub(super) fn many(parents: &[&Arc<Node>]) -> Self {
        Self::Many(parents.iter().map(|parent| Link::new(parent)).collect())
    }

    fn links(&self) -> &[Link] {
        match self {
            Self::One(link) => std::slice::from_ref(link),
            Self::Many(links) => links,
            _ => &[],
        }
    }
}

impl Link {
    fn new(parent: &Arc<Node>) -> Self {
        Self { parent: Arc::clone(parent), place: AtomicUsize::new(NIL) }
    }

    /// K4: gives up the place in the parent. `true` if nothing keeps the parent there either.
    fn leave(&self) -> bool {
        // ORDERING: Relaxed: written before the child was given to anybody.
        let place = self.place.load(Ordering::Relaxed);
        if place == NIL {
            return false;
        }
        // What a cancelled parent had is in the hands of whoever cancelled it.
        if !self.parent.is_flagged() {
            let mut inner = self.parent.inner.lock();
            let removed =
                (!self.parent.is_flagged()).then(|| inner.dependents.children.remove(place));
            drop(inner);
            drop(removed);
        }
        self.parent.release()
    }
}

impl Node {
    pub(super) fn new(deadline: Option<Deadline>) -> Arc<Self> {
        Arc::new(Self::with(deadline, Parents::None))
    }

    /// A node beneath one other.
    pub(super) fn child(parent: &Arc<Self>, own: Option<Deadline>) -> Arc<Self> {
        let deadline = earlier(own.as_ref(), parent.deadline.as_ref()).cloned();
        let node = Arc::new(Self::with(deadline, Parents::One(Link::new(parent))));
        if let Parents::One(link) = &node.parents {
            node.register(link);
        }
        node
    }

    /// A node beneath others. Its deadline is the earliest of theirs and `own`.
    pub(super) fn beneath(parents: Parents, own: Option<Deadline>) -> Arc<Self> {
        let above = parents.links().iter().map(|link| link.parent.deadline.as_ref());
        let deadline = above.fold(own.as_ref(), earlier).cloned();
        let node = Arc::new(Self::with(deadline, parents));
        for link in node.parents.links() {
            node.register(link);
        }
        node
    }

    #[cfg(feature = "tokio-util")]
    pub(super) fn linked() -> Arc<Self> {
        Arc::new(Self::with(None, Parents::Foreign(super::foreign::Foreign::new())))
    }

    #[cfg(feature = "tokio-util")]
    pub(super) fn parents(&self) -> &Parents {
        &self.parents
    }

    fn with(deadline: Option<Deadline>, parents: Parents) -> Self {
        Self {
            state: AtomicU8::new(if deadline.is_some() { TIMED } else { OPEN }),
            deadline,
            parents,
            handles: AtomicUsize::new(1),
            inner: Mutex::new(Inner {
                dependents: Dependents::new(),
                timed: 0,
                alarm: None,
                cause: None,
            }),
            #[cfg(feature = "tokio-util")]
            theirs: OnceLock::new(),
        }
    }

    /// K2: hangs this node on a parent, or cancels it if the parent is.
    fn register(self: &Arc<Self>, link: &Link) {
        let parent = &link.parent;
        let child = Arc::clone(self);
        let mut inner = parent.inner.lock();
        if parent.is_flagged() {
            drop(inner);
            drop(child);
            self.cancel(parent.cause().unwrap_or(Cause::Requested));
            return;
        }
        // ORDERING: Relaxed: nobody else has the child yet.
        link.place.store(inner.dependents.children.insert(child), Ordering::Relaxed);
        parent.retain();
    }

    #[inline]
    pub(super) fn is_cancelled(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `flag`: who hears of a cancel sees
        // what was done before it.
        match self.state.load(Ordering::Acquire) {
            OPEN => false,
            TIMED => self.look_at_the_clock(),
            _ => true,
        }
    }

    #[cold]
    #[inline(never)]
    fn look_at_the_clock(&self) -> bool {
        let passed = self.has_expired();
        if passed {
            self.expire();
        }
        passed
    }

    /// For whoever knows that the deadline has passed.
    pub(crate) fn expire(&self) {
        self.cancel(Cause::Deadline);
    }

    /// Whether it was cancelled, without a look at the clock.
    pub(super) fn is_flagged(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `flag`, as in `is_cancelled`.
        self.state.load(Ordering::Acquire) == CANCELLED
    }

    pub(super) fn has_expired(&self) -> bool {
        self.deadline.as_ref().is_some_and(Deadline::has_passed)
    }

    /// Under the lock, once.
    pub(super) fn flag(&self, inner: &mut Inner, cause: Cause) {
        debug_assert!(inner.cause.is_none(), "flagged once");
        inner.cause = Some(cause);
        // ORDERING: Release pairs with the Acquire in `is_cancelled` and `is_flagged`.
        self.state.store(CANCELLED, Ordering::Release);
    }

    /// `None` while it is not flagged. A clone of a cause runs nothing of the user's.
    pub(super) fn cause(&self) -> Option<Cause> {
        self.inner.lock().cause.clone()
    }

    pub(super) fn is_shared(&self) -> bool {
        matches!(self.parents, Parents::Many(_))
    }

    /// K3, one poll of a wait: `true` once this is cancelled; else `waker` has a place.
    ///
    /// `timed`: nobody else looks at the clock for this wait, so a timer has to.
    pub(super) fn poll_cancelled(
        self: &Arc<Self>,
        seat: &mut Option<Seat>,
        timed: bool,
        waker: &Waker,
    ) -> bool {
        if self.is_cancelled() {
            *seat = None;
            return true;
        }
        let Some(held) = seat else {
            // Cloning and dropping a waker is user code: outside the lock.
            return match self.sit_down(waker.clone(), timed) {
                Ok(taken) => {
                    *seat = Some(taken);
                    false
                }
                Err(unneeded) => {
                    drop(unneeded);
                    true
                }
            };
        };
        let sits = self.keep_waker(held.place, waker);
        if !sits {
            *seat = None;
        }
        !sits
    }

    /// K3.3: the place is to have this waker. `false` if it means nothing any more.
    fn keep_waker(&self, place: usize, waker: &Waker) -> bool {
        if let Some(mut inner) = self.lock_open() {
            let kept = inner.dependents.wakers.get_mut(place);
            if kept.is_some_and(|kept| kept.will_wake(waker)) {
                return true;
            }
            drop(inner);
            let fresh = waker.clone();
            if let Some(mut inner) = self.lock_open() {
                let kept = inner.dependents.wakers.get_mut(place);
                let stale = kept.map(|kept| mem::replace(kept, fresh));
                drop(inner);
                drop(stale);
                return true;
            }
        }
        false
    }

    /// Takes a place for `dependent`, or gives it back if this is cancelled.
    #[inline]
    pub(super) fn sit_down<T: Seated>(
        self: &Arc<Self>,
        dependent: T,
        timed: bool,
    ) -> Result<Seat, T> {
        let Some(mut inner) = self.lock_open() else { return Err(dependent) };
        let place = T::slab(&mut inner.dependents).insert(dependent);
        let seat = Seat { place, timed: timed && self.deadline.is_some() };
        if seat.timed {
            self.watch::<T>(inner, &seat);
        }
        Ok(seat)
    }

    /// Sees to it that a timer watches the clock for a place that was just taken.
    #[cold]
    #[inline(never)]
    fn watch<T: Seated>(self: &Arc<Self>, mut inner: MutexGuard<'_, Inner>, seat: &Seat) {
        let alarm = self.arm(&mut inner);
        drop(inner);
        if let Err(error) = alarm.ring() {
            self.leave::<T>(seat);
            panic!("the timer thread cannot be started: {error}");
        }
    }

    /// K3: gives up a place. CANCEL: what a cancel took out before is woken or run by it.
    #[inline]
    pub(super) fn leave<T: Seated>(&self, seat: &Seat) {
        if self.is_flagged() {
            return;
        }
        if let Some(mut inner) = self.lock_open() {
            let removed = T::slab(&mut inner.dependents).remove(seat.place);
            let due = if seat.timed { inner.one_less_timed() } else { None };
            drop(inner);
            drop(removed);
            drop(due);
        }
    }

    /// The lock, unless this is cancelled and places mean nothing any more.
    fn lock_open(&self) -> Option<MutexGuard<'_, Inner>> {
        let inner = self.inner.lock();
        if self.is_flagged() { None } else { Some(inner) }
    }

    fn arm(self: &Arc<Self>, inner: &mut Inner) -> timer::Alarm {
        inner.timed += 1;
        match &self.deadline {
            Some(deadline) if inner.alarm.is_none() => {
                let (key, alarm) = timer::insert(deadline, timer::Due::Cancel(Arc::clone(self)));
                inner.alarm = Some(key);
                alarm
            }
            _ => timer::Alarm::Set,
        }
    }

    #[inline]
    pub(super) fn retain(&self) {
        if self.is_counted() {
            // ORDERING: Relaxed: whoever counts up has a handle, so nobody finds zero.
            self.handles.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[inline]
    fn is_counted(&self) -> bool {
        !matches!(self.parents, Parents::None) || self.deadline.is_some()
    }

    /// One handle less. `true` if it was the last one, and somebody has to be told.
    #[inline]
    fn release(&self) -> bool {
        // ORDERING: Relaxed: it publishes nothing. What the last one touches is behind locks, or was
        // written before there was a second handle; Arc sees to the memory. A single handle is the
        // caller's own, so nobody can count up now.
        self.is_counted()
            && (self.handles.load(Ordering::Relaxed) == 1
                || self.handles.fetch_sub(1, Ordering::Relaxed) == 1)
    }

    #[inline]
    pub(super) fn release_handle(&self) {
        if self.release() {
            self.unlink();
        }
    }

    /// K4: gives up the places in the parents and at the timer, and on upwards for as long as nothing else keeps
    /// one there. A loop, because a chain may be deep.
    fn unlink(&self) {
        let (mut next, mut more) = (Some(self), Vec::new());
        while let Some(node) = next.take().or_else(|| more.pop()) {
            if node.deadline.is_some() {
                let due = node.inner.lock().disarm();
                drop(due);
            }
            #[cfg(feature = "tokio-util")]
            if let Parents::Foreign(foreign) = &node.parents {
                foreign.leave();
            }
            for link in node.parents.links().iter().filter(|link| link.leave()) {
                more.extend(next.replace(&link.parent));
            }
        }
    }

    /// K6: waits until nobody who was cancelling from above is still on its way down to here.
    ///
    /// They keep the lock of the node where they began until all beneath it is flagged.
    pub(super) fn await_cancels_above(&self) {
        let (mut next, mut more) = (Some(self), Vec::new());
        // Two ways up may meet again, and then again.
        let mut seen: Option<HashSet<*const Self>> = None;
        while let Some(node) = next.take().or_else(|| more.pop()) {
            if !node.is_flagged() || seen.as_mut().is_some_and(|seen| !seen.insert(node)) {
                continue;
            }
            drop(node.inner.lock());
            if node.is_shared() {
                seen.get_or_insert_default();
            }
            for link in node.parents.links() {
                more.extend(next.replace(&link.parent));
            }
        }
    }

    /// What hangs on this node, for tests.
    #[cfg(test)]
    pub(crate) fn dependents(&self) -> usize {
        self.inner.lock().dependents.len()
    }
}

impl Inner {
    #[cold]
    fn one_less_timed(&mut self) -> Option<timer::Due> {
        self.timed -= 1;
        if self.timed == 0 { self.disarm() } else { None }
    }

    /// INVARIANT: what it gives is another owner of the node, never the last.
    pub(super) fn disarm(&mut self) -> Option<timer::Due> {
        self.alarm.take().and_then(|key| timer::remove(&key))
    }
}

/// The earlier of two deadlines, where none is never.
pub(super) fn earlier<'a>(
    a: Option<&'a Deadline>,
    b: Option<&'a Deadline>,
) -> Option<&'a Deadline> {
    match (a, b) {
        (Some(a), Some(b)) if b.is_before(a) => Some(b),
        (a, b) => a.or(b),
    }
}

/// K5: a chain of nodes goes in a loop, however deep it is.
impl Drop for Node {
    #[inline]
    fn drop(&mut self) {
        match mem::replace(&mut self.parents, Parents::None) {
            Parents::None => {}
            // Most parents have other owners.
            Parents::One(link) => {
                if let Some(mut last) = Arc::into_inner(link.parent) {
                    mem::replace(&mut last.parents, Parents::None).drop_all();
                }
            }
            parents => parents.drop_all(),
        }
    }
}

impl Parents {
    #[cold]
    fn drop_all(mut self) {
        let mut more = Vec::new();
        loop {
            let next = match self {
                Self::One(link) => Some(link.parent),
                Self::Many(links) => {
                    more.extend(links.into_iter().map(|link| link.parent));
                    more.pop()
                }
                _ => more.pop(),
            };
            let Some(next) = next else { break };
            self = match Arc::into_inner(next) {
                Some(mut last) => mem::replace(&mut last.parents, Self::None),
                None => Self::None,
            };
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("cancelled", &self.is_flagged()).finish_non_exhaustive()
    }
}
