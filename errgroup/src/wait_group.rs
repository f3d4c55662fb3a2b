//! The count of those who are at work, and the wait until nobody is: Go's `sync.WaitGroup`.
//!
//! One word carries the count and a mark that somebody waits, so that one read-modify-write tells
//! whether to wake. The protocols:
//!
//! * **W1, enter**: add to the count.
//! * **W2, leave**: an exchange of the word, as long as somebody else stays or the mark is not
//!   set. The last one to leave under the mark does it in the line's lock, and settles everybody
//!   who stands in line.
//! * **W3, wait**: in the line's lock, set the mark and look at the count; queue unless it is 0.
//!
//! The mark is set and taken in the lock alone, so with the mark set the count becomes 0 in the
//! lock alone. Hence whoever is settled then stood in line while the count was 0, also if new
//! members came since; and whoever queues after that waits for those.

mod wait;

pub use wait::{StillBusy, WaitEmpty, WaitEmptyOwned};

use crate::primitives::atomic::{AtomicUsize, Ordering};
use crate::primitives::{Arc, Mutex, MutexGuard, const_fn};
use crate::waiters::{Left, Progress, Ticket, Waiters, WakeBatch, WakePanic};
use std::fmt;
use std::task::Waker;

/// Somebody stands in line. The other bits are the count.
const WAITED_FOR: usize = 1;
/// One member.
const ONE: usize = 2;
/// So many members at once there may be. Beyond it, an enter panics long before the word is full.
const MOST: usize = usize::MAX / ONE / 2;

/// Counts those who are at work, so that others can wait until nobody is: Go's `sync.WaitGroup`,
/// for threads and tasks.
///
/// Clones are handles on one and the same group. Unlike Go's, whoever [`enter`](Self::enter)s is
/// given a [`Member`], whose drop says that it is done: also when it panics, and never twice.
///
/// | Go | here |
/// |---|---|
/// | `var wg sync.WaitGroup` | `let wg = WaitGroup::new()` |
/// | `wg.Add(1)`, `defer wg.Done()` | `let member = wg.enter()`, moved into the thread or task |
/// | `wg.Add(n)` | [`wg.enter_many(n)`](Self::enter_many) |
/// | `wg.Wait()` | [`wg.wait()`](Self::wait)`.wait()` in a thread, `.await` in a task |
///
/// # Semantics
///
/// * A wait ends if there is a moment at which nobody is in the group, and it began before that
///   moment. Those who enter afterwards do not hold it up; it is no misuse, as it is in Go.
/// * The group can be used again at any time.
/// * It is one word: who enters or leaves takes no lock, but for the last who leaves when
///   somebody waits.
///
/// It knows neither results nor errors. For those, and for what spawns, see
/// [`thread`](crate::thread).
///
/// # Memory ordering
///
/// What a member did before it was dropped *happens before* the end of the wait.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::WaitGroup;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use std::sync::Arc;
///
/// let (wg, sum) = (WaitGroup::new(), Arc::new(AtomicU32::new(0)));
/// for n in 1..=4 {
///     let (member, sum) = (wg.enter(), Arc::clone(&sum));
///     std::thread::spawn(move || {
///         sum.fetch_add(n, Ordering::Relaxed);
///         drop(member);
///     });
/// }
/// wg.wait().wait();
/// assert_eq!(sum.load(Ordering::Relaxed), 10);
/// # }
/// ```
#[derive(Clone)]
pub struct WaitGroup(pub(crate) Arc<Inner>);

/// The word, and those who wait.
pub(crate) struct Inner {
    pub(crate) word: AtomicUsize,
    pub(crate) line: Mutex<Waiters<(), ()>>,
}

impl WaitGroup {
    /// An empty group.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Inner::new()))
    }

    /// Somebody goes to work: until the member and all its clones are dropped, the group is not
    /// empty.
    ///
    /// # Panics
    ///
    /// Beyond a quarter of `usize::MAX` members.
    #[must_use = "dropped, a member is done at once"]
    #[inline]
    pub fn enter(&self) -> Member {
        self.0.enter(1);
        Member(Arc::clone(&self.0))
    }

    /// `count` members in one step, to be handed out one by one. Those that are left over are
    /// done when it is dropped.
    ///
    /// # Panics
    ///
    /// As [`enter`](Self::enter).
    ///
    /// # Examples
    ///
    /// ```
    /// # use lockgate_errgroup::WaitGroup;
    /// let wg = WaitGroup::new();
    /// let mut members = wg.enter_many(3);
    /// let one = members.next();
    /// assert_eq!(wg.count(), 3);
    /// drop(members);
    /// assert_eq!(wg.count(), 1);
    /// # drop(one);
    /// ```
    #[must_use = "dropped, all members are done at once"]
    pub fn enter_many(&self, count: usize) -> Members {
        self.0.enter(count);
        Members { group: Arc::clone(&self.0), left: count }
    }

    /// How many members there are at this moment.
    #[must_use]
    pub fn count(&self) -> usize {
        // ORDERING: Acquire pairs with the Release in `leave`: who reads 0 sees what the members
        // did.
        self.0.word.load(Ordering::Acquire) / ONE
    }

    /// Whether there are no members at this moment.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Waits until nobody is in the group: `.wait()` in a thread, `.await` in a task.
    ///
    /// # Cancel safety
    ///
    /// Dropping it at any moment is fine.
    ///
    /// # Examples
    ///
    /// ```
    /// # #[cfg(feature = "sync")] {
    /// # use lockgate_errgroup::WaitGroup;
    /// # use std::time::Duration;
    /// let wg = WaitGroup::new();
    /// let member = wg.enter();
    /// wg.wait().wait_timeout(Duration::from_millis(1)).unwrap_err();
    /// drop(member);
    /// wg.wait().wait();
    /// # }
    /// ```
    pub const fn wait(&self) -> WaitEmpty<&Self> {
        WaitEmpty::new(self)
    }

    /// [`wait`](Self::wait) for a wait that goes elsewhere.
    pub const fn wait_owned(self) -> WaitEmptyOwned {
        WaitEmpty::new(self)
    }
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitGroup").field("count", &self.count()).finish()
    }
}

impl Inner {
    const_fn! {
        const fn new() -> Self {
            Self { word: AtomicUsize::new(0), line: Mutex::new(Waiters::new()) }
        }
    }

    /// W1.
    #[inline]
    fn enter(&self, count: usize) {
        if count > MOST {
            too_many();
        }
        // ORDERING: Relaxed: nothing is published, and what members before released goes on
        // through every read-modify-write.
        let before = self.word.fetch_add(count * ONE, Ordering::Relaxed);
        if before / ONE > MOST {
            // ORDERING: as above.
            self.word.fetch_sub(count * ONE, Ordering::Relaxed);
            too_many();
        }
    }

    /// W2.
    #[inline]
    fn leave(&self, count: usize) {
        // ORDERING: Relaxed: a guess, which the exchange checks.
        let mut word = self.word.load(Ordering::Relaxed);
        loop {
            if word == count * ONE + WAITED_FOR {
                return self.leave_last(count);
            }
            let left = word - count * ONE;
            // ORDERING: Release pairs with the Acquire of whoever finds the group empty, through
            // all that follow in the word. Relaxed on failure: a guess again.
            match self.word.compare_exchange_weak(word, left, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(now) => word = now,
            }
        }
    }

    /// W2, where these are the last, and are waited for.
    #[cold]
    fn leave_last(&self, count: usize) {
        let mut batch = WakeBatch::default();
        let mut line = self.line.lock();
        // ORDERING: Release as in `leave`, for a wait that finds the group empty without the line;
        // Acquire, because those in line see through the lock and the waker what all have done.
        let before = self.word.fetch_sub(count * ONE, Ordering::AcqRel);
        // INVARIANT: with the mark set the count becomes 0 here and nowhere else. Others may have
        // entered since the look, and may have been the mark's end, so this asks again.
        if before / ONE == count && before & WAITED_FOR != 0 {
            line.settle_where(&mut batch, |()| Some(()));
            self.unmark(&line);
        }
        drop(line);
        let mut panic = WakePanic::default();
        batch.wake_all(&mut panic);
        panic.resume();
    }

    /// Takes the mark from the word if nobody is in line.
    fn unmark(&self, line: &MutexGuard<'_, Waiters<(), ()>>) {
        if line.is_empty() {
            // ORDERING: Relaxed: the lock guards the mark.
            self.word.fetch_and(!WAITED_FOR, Ordering::Relaxed);
        }
    }

    /// W3; `true` when the group is or was empty.
    fn poll(&self, ticket: &mut Option<Ticket>, waker: &Waker) -> bool {
        // ORDERING: Acquire pairs with the Release in `leave`.
        if ticket.is_none() && self.word.load(Ordering::Acquire) < ONE {
            return true;
        }
        // Cloned and dropped outside the lock, because that is user code; and cloned only where
        // it is to be kept.
        let mut spare = if ticket.is_none() { Some(waker.clone()) } else { None };
        loop {
            let mut line = self.line.lock();
            match (ticket.as_ref().map(|held| line.progress(held, waker)), spare.take()) {
                (Some(Progress::Settled), _) => {
                    line.leave_settled(ticket);
                    drop(line);
                    return true;
                }
                (Some(Progress::Queued), _) => {
                    drop(line);
                    return false;
                }
                (Some(Progress::StaleWaker), Some(fresh)) => {
                    let stale = ticket.as_ref().map(|held| line.replace_waker(held, fresh));
                    drop(line);
                    drop(stale);
                    return false;
                }
                (None, Some(fresh)) => {
                    // INVARIANT: the mark first, the count in the same step: who leaves after
                    // this sees the mark.
                    // ORDERING: Acquire pairs with the Release in `leave`.
                    if self.word.fetch_or(WAITED_FOR, Ordering::Acquire) < ONE {
                        self.unmark(&line);
                        drop(line);
                        return true;
                    }
                    *ticket = Some(line.push_back((), fresh));
                    drop(line);
                    return false;
                }
                (_, None) => {
                    drop(line);
                    spare = Some(waker.clone());
                }
            }
        }
    }

    /// Ends a wait; `true` if the group was empty by then.
    fn quit(&self, ticket: Ticket) -> bool {
        let mut line = self.line.lock();
        match line.leave(ticket) {
            Left::Settled(()) => true,
            Left::Queued(waker) => {
                self.unmark(&line);
                drop(line);
                drop(waker);
                false
            }
        }
    }
}

#[cold]
fn too_many() -> ! {
    panic!("more members than a wait group can count")
}

/// Somebody who is at work, made by [`WaitGroup::enter`]. Dropped, it is done.
///
/// A clone is one more member.
#[must_use = "dropped, a member is done at once"]
pub struct Member(Arc<Inner>);

impl Member {
    /// The group to which it belongs.
    #[must_use]
    pub fn group(&self) -> WaitGroup {
        WaitGroup(Arc::clone(&self.0))
    }
}

impl Clone for Member {
    fn clone(&self) -> Self {
        self.0.enter(1);
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Member {
    #[inline]
    fn drop(&mut self) {
        self.0.leave(1);
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Member").field(&self.group()).finish()
    }
}

/// Members that entered in one step, made by [`WaitGroup::enter_many`]: an iterator.
#[must_use = "dropped, all members are done at once"]
pub struct Members {
    group: Arc<Inner>,
    left: usize,
}

impl Iterator for Members {
    type Item = Member;

    fn next(&mut self) -> Option<Member> {
        self.left = self.left.checked_sub(1)?;
        Some(Member(Arc::clone(&self.group)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Members {}

impl Drop for Members {
    fn drop(&mut self) {
        if self.left > 0 {
            self.group.leave(self.left);
        }
    }
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members").field("left", &self.left).finish_non_exhaustive()
    }
}
