//! One token of the tree: its flag, its cause, what hangs on it, and what it hangs on.
//!
//! The numbers K1 to K7 are those of DESIGN.md.

use super::callback::Job;
use super::slab::{NIL, Slab};
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
    pub(super) dependents: Slab<Dependent>,
    /// How many of them only a timer would tell of the deadline …
    timed: usize,
    /// … and its entry there.
    alarm: Option<timer::Key>,
    /// Written once, before the state. Not beside the state in a `OnceLock`, whose two exchanges
    /// are a quarter of what a child costs a cancel; it is asked for rarely.
    pub(super) cause: Option<Cause>,
}

/// What is to be told of a cancel.
pub(super) enum Dependent {
    Waiter(Waker),
    Child(Arc<Node>),
    Callback(Arc<Job>),
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

/// What the lock guarded and is for its holder to drop outside.
pub(super) type Removed = (Option<Dependent>, Option<timer::Due>);

impl Parents {
    pub(super) fn one(parent: &Arc<Node>) -> Self {
        Self::One(Link::new(parent))
    }

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
            let removed = (!self.parent.is_flagged()).then(|| inner.dependents.remove(place));
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
                dependents: Slab::new(),
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
        let child = Dependent::Child(Arc::clone(self));
        let mut inner = parent.inner.lock();
        if parent.is_flagged() {
            drop(inner);
            drop(child);
            self.cancel(parent.cause().unwrap_or(Cause::Requested));
            return;
        }
        // ORDERING: Relaxed: nobody else has the child yet.
        link.place.store(inner.dependents.insert(child), Ordering::Relaxed);
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
            let waker = waker.clone();
            return match self.sit_down(Dependent::Waiter(waker), timed) {
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
        let place = held.place;
        if let Some(mut inner) = self.lock_open() {
            if inner.waiter(place).is_some_and(|kept| kept.will_wake(waker)) {
                return false;
            }
            drop(inner);
            let fresh = waker.clone();
            if let Some(mut inner) = self.lock_open() {
                let stale = inner.waiter(place).map(|kept| mem::replace(kept, fresh));
                drop(inner);
                drop(stale);
                return false;
            }
        }
        *seat = None;
        true
    }

    /// Takes a place for `dependent`, or gives it back if this is cancelled.
    pub(super) fn sit_down(
        self: &Arc<Self>,
        dependent: Dependent,
        timed: bool,
    ) -> Result<Seat, Dependent> {
        let Some(mut inner) = self.lock_open() else { return Err(dependent) };
        let place = inner.dependents.insert(dependent);
        let timed = timed && self.deadline.is_some();
        let alarm = if timed { self.arm(&mut inner) } else { timer::Alarm::Set };
        drop(inner);
        let seat = Seat { place, timed };
        if let Err(error) = alarm.ring() {
            self.leave(&seat);
            panic!("the timer thread cannot be started: {error}");
        }
        Ok(seat)
    }

    /// K3: gives up a place. CANCEL: what a cancel took out before is woken or run by it.
    pub(super) fn leave(&self, seat: &Seat) {
        if !self.is_flagged() {
            if let Some(mut inner) = self.lock_open() {
                let removed = inner.remove(seat);
                drop(inner);
                drop(removed);
            }
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
    fn waiter(&mut self, place: usize) -> Option<&mut Waker> {
        match self.dependents.get_mut(place) {
            Some(Dependent::Waiter(waker)) => Some(waker),
            _ => None,
        }
    }

    fn remove(&mut self, seat: &Seat) -> Removed {
        let dependent = self.dependents.remove(seat.place);
        self.timed -= usize::from(seat.timed);
        let due = if seat.timed && self.timed == 0 { self.disarm() } else { None };
        (dependent, due)
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
    fn drop(&mut self) {
        let mut parents = mem::replace(&mut self.parents, Parents::None);
        let mut more = Vec::new();
        loop {
            let next = match parents {
                Parents::One(link) => Some(link.parent),
                Parents::Many(links) => {
                    more.extend(links.into_iter().map(|link| link.parent));
                    more.pop()
                }
                _ => more.pop(),
            };
            let Some(next) = next else { break };
            parents = match Arc::into_inner(next) {
                Some(mut last) => mem::replace(&mut last.parents, Parents::None),
                None => Parents::None,
            };
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("cancelled", &self.is_flagged()).finish_non_exhaustive()
    }
}
