//! A guard for tests: what a test started must not outlive it.

use crate::primitives::{Arc, Mutex};
use crate::wait_group::{Member, WaitGroup};
use std::cell::RefCell;
use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

/// How long the guard's drop waits for groups that are about to end.
const GRACE: Duration = Duration::from_secs(1);

thread_local! {
    /// The guards of this thread, the latest last.
    static GUARDS: RefCell<Vec<Arc<Roll>>> = const { RefCell::new(Vec::new()) };
}

/// Fails a test when groups that were made in it still have threads or tasks at its end.
///
/// Groups belong to the latest guard of the thread that makes them, if it has one. A group is
/// gone when its handle is, and each of its threads and tasks. The guard's drop waits for a
/// second, or [`grace`](Self::grace), because a group that was dropped without a join leaves its
/// threads to end by themselves (without the feature `sync` it does not wait), and panics then,
/// unless the thread is panicking already.
///
/// Make it first in the test: what is made later is dropped earlier.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sync")] {
/// use lockgate_errgroup::{Builder, LeakGuard, thread::Group};
///
/// let leaks = LeakGuard::new();
/// let group = Group::<(), ()>::build(Builder::new().name("poll")).unwrap();
/// assert_eq!(leaks.check().unwrap_err().to_string(), "1 group outlives the test: poll");
/// group.join().wait().unwrap();
/// leaks.check().unwrap();
/// # }
/// ```
#[must_use = "dropped, it looks for leaks at once"]
pub struct LeakGuard {
    roll: Arc<Roll>,
    grace: Duration,
    /// It belongs to its thread.
    thread: PhantomData<*const ()>,
}

/// The groups that live.
struct Roll {
    groups: WaitGroup,
    names: Mutex<Names>,
}

/// In the order in which the groups were made.
#[derive(Default)]
struct Names {
    next: usize,
    live: Vec<(usize, Option<Arc<str>>)>,
}

/// A group's entry in the roll of its guard, as long as any of its threads or tasks hold it.
pub(crate) struct Attached {
    entry: Option<(usize, Arc<Roll>, Member)>,
}

impl Attached {
    /// The entry of a group that this thread makes now.
    pub(crate) fn new(name: Option<&Arc<str>>) -> Self {
        let roll = GUARDS.try_with(|guards| guards.borrow().last().cloned()).ok().flatten();
        let entry = roll.map(|roll| {
            let member = roll.groups.enter();
            let mut names = roll.names.lock();
            let id = names.next;
            names.next += 1;
            names.live.push((id, name.cloned()));
            drop(names);
            (id, roll, member)
        });
        Self { entry }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        if let Some((id, roll, member)) = self.entry.take() {
            roll.names.lock().live.retain(|(other, _)| *other != id);
            drop(member);
        }
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("to_a_guard", &self.entry.is_some()).finish()
    }
}

impl LeakGuard {
    /// A guard for the groups that this thread makes from now on.
    #[expect(clippy::new_without_default, reason = "a guard is made on purpose")]
    pub fn new() -> Self {
        let names = Mutex::new(Names::default());
        let roll = Arc::new(Roll { groups: WaitGroup::new(), names });
        GUARDS.with(|guards| guards.borrow_mut().push(Arc::clone(&roll)));
        Self { roll, grace: GRACE, thread: PhantomData }
    }

    /// How long the drop waits for groups that are about to end.
    pub const fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Whether none of the groups is left at this moment.
    ///
    /// # Errors
    ///
    /// [`Leaked`], with the names of those that are left.
    pub fn check(&self) -> Result<(), Leaked> {
        if self.roll.groups.is_empty() {
            return Ok(());
        }
        let names = self.roll.names.lock().live.iter().map(|(_, name)| name.clone()).collect();
        Err(Leaked { names })
    }
}

impl Drop for LeakGuard {
    #[track_caller]
    fn drop(&mut self) {
        let _ = GUARDS.try_with(|guards| {
            guards.borrow_mut().retain(|roll| !Arc::ptr_eq(roll, &self.roll));
        });
        if std::thread::panicking() {
            return;
        }
        #[cfg(feature = "sync")]
        let _ = self.roll.groups.wait().wait_timeout(self.grace);
        if let Err(leaked) = self.check() {
            panic!("{leaked}");
        }
    }
}

impl fmt::Debug for LeakGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LeakGuard").field("groups", &self.roll.groups.count()).finish()
    }
}

/// Groups that outlive the test that made them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaked {
    names: Vec<Option<Arc<str>>>,
}

impl Leaked {
    /// The names of the groups, as far as they have any, in the order in which they were made.
    pub fn names(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        self.names.iter().map(Option::as_deref)
    }
}

impl fmt::Display for Leaked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.names.len() {
            1 => f.write_str("1 group outlives the test: ")?,
            groups => write!(f, "{groups} groups outlive the test: ")?,
        }
        for (place, name) in self.names().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{}", name.unwrap_or("one without a name"))?;
        }
        Ok(())
    }
}

impl std::error::Error for Leaked {}
