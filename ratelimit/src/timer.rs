//! One thread for all moments that tasks wait for and no runtime keeps.
//!
//! It is started by the first of them and ends when there has been none for [`KEEP_ALIVE`]. A
//! thread that blocks needs no timer, because it can park until its moment itself.
//!
//! Everything is under one lock, the decision to end included, so nothing can come between the
//! last look at the entries and the end.

use crate::primitives::{Deadline, Mutex, thread};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;
use std::time::{Duration, Instant};

/// How long the thread stays when it has nothing to do: starting one takes as long as ten
/// thousand entries.
const KEEP_ALIVE: Duration = Duration::from_millis(100);

static TIMER: Mutex<Timer> = Mutex::new(Timer {
    entries: BTreeMap::new(),
    next: 0,
    thread: None,
    parked: None,
    running: false,
});

struct Timer {
    /// The first is due first.
    entries: BTreeMap<Key, Waker>,
    next: u64,
    /// `None` until the thread that is started looks for the first time.
    thread: Option<thread::Thread>,
    /// Until when the thread sleeps; `None` while it is awake, or about to look.
    parked: Option<Parked>,
    running: bool,
}

#[derive(Clone, Copy)]
struct Parked {
    until: Instant,
    /// There was nothing to wait for.
    idle: bool,
}

/// An entry's place: its time, and a number of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key(Instant, u64);

/// What an entry asks of the thread, to be done outside the lock.
enum Alarm {
    /// Nothing.
    Set,
    Start,
    Earlier(thread::Thread),
}

/// Sees to it that `waker` is called at `at`.
///
/// # Panics
///
/// If the thread cannot be started. The next entry tries again.
pub(crate) fn insert(at: Instant, waker: Waker) -> Key {
    let mut timer = TIMER.lock();
    let key = Key(at, timer.next);
    timer.next += 1;
    timer.entries.insert(key, waker);
    let alarm = if !timer.running {
        timer.running = true;
        Alarm::Start
    } else if timer.parked.is_some_and(|parked| at < parked.until) {
        timer.rouse()
    } else {
        Alarm::Set
    };
    drop(timer);
    alarm.ring();
    key
}

/// `None` if its time has come already.
pub(crate) fn remove(key: &Key) -> Option<Waker> {
    let mut timer = TIMER.lock();
    let waker = timer.entries.remove(key);
    // Else the thread would be there until the time of an entry that is not.
    let alarm = match timer.parked {
        Some(Parked { idle: false, .. }) if timer.entries.is_empty() => timer.rouse(),
        _ => Alarm::Set,
    };
    drop(timer);
    // Never a start, so it cannot fail.
    alarm.ring();
    waker
}

/// Whether there is an entry, which then wakes whom `waker` wakes.
pub(crate) fn rearm(key: &Key, waker: &Waker) -> bool {
    {
        let timer = TIMER.lock();
        match timer.entries.get(key) {
            Some(kept) if kept.will_wake(waker) => return true,
            Some(_) => {}
            None => return false,
        }
    }
    // Cloning and dropping wakers is user code: what is not needed goes after the lock.
    let mut other = waker.clone();
    let mut timer = TIMER.lock();
    let place = timer.entries.get_mut(key);
    let found = place.is_some();
    if let Some(kept) = place {
        std::mem::swap(kept, &mut other);
    }
    drop(timer);
    drop(other);
    found
}

impl Timer {
    fn rouse(&mut self) -> Alarm {
        self.parked = None;
        self.thread.clone().map_or(Alarm::Set, Alarm::Earlier)
    }
}

impl Alarm {
    fn ring(self) {
        match self {
            Self::Set => {}
            Self::Earlier(thread) => thread.unpark(),
            Self::Start => {
                let builder = thread::Builder::new().name("lockgate-timer".into());
                if let Err(error) = builder.spawn(run) {
                    TIMER.lock().running = false;
                    panic!("the timer thread cannot be started: {error}");
                }
            }
        }
    }
}

fn run() {
    let me = thread::current();
    let mut idle_until: Option<Deadline> = None;
    let mut due = Vec::new();
    loop {
        let mut timer = TIMER.lock();
        if timer.thread.is_none() {
            timer.thread = Some(me.clone());
        }
        timer.parked = None;
        while let Some(entry) = timer.entries.first_entry() {
            if !Deadline::at(entry.key().0).has_passed() {
                break;
            }
            due.push(entry.remove());
        }
        if !due.is_empty() {
            drop(timer);
            for waker in due.drain(..) {
                serve(waker);
            }
            continue;
        }
        let until = match timer.entries.first_key_value() {
            Some((key, _)) => {
                idle_until = None;
                Deadline::at(key.0)
            }
            None => {
                let now_or = |end: &mut Deadline| *end;
                let until = idle_until.as_mut().map(now_or).or_else(|| Deadline::after(KEEP_ALIVE));
                let Some(until) = until.filter(|until| !until.has_passed()) else {
                    timer.running = false;
                    timer.thread = None;
                    return;
                };
                *idle_until.insert(until)
            }
        };
        timer.parked = Some(Parked { until: until.instant(), idle: timer.entries.is_empty() });
        drop(timer);
        until.park();
    }
}

/// A panic of a waker has nobody to go on to, and must not end the thread. Nor must one of what
/// it panicked with, when that is dropped.
fn serve(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        std::mem::forget(payload);
    }
}
