//! One thread for all deadlines that nobody else waits for: those of tokens with callbacks or
//! async waits, and async sleeps.
//!
//! It is started by the first of them and ends when there has been none for [`KEEP_ALIVE`]. A
//! thread that blocks needs no timer, because it can park until the deadline itself.
//!
//! Everything is under one lock, the decision to end included, so nothing can come between the
//! last look at the entries and the end. It is the innermost lock: it may be taken under that of
//! a token, and under it there is no other.
#![cfg_attr(not(feature = "async"), allow(dead_code, reason = "only tasks are woken by it"))]

use crate::primitives::{Arc, Deadline, Mutex, thread};
use crate::token::Node;
use std::collections::BTreeMap;
use std::io;
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
    entries: BTreeMap<Key, Due>,
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

/// What to do when its time has come.
#[derive(Debug)]
pub(crate) enum Due {
    Cancel(Arc<Node>),
    Wake(Waker),
}

/// What an entry asks of the thread, to be done outside all locks.
#[must_use = "the thread has to be told"]
pub(crate) enum Alarm {
    /// Nothing.
    Set,
    Start,
    Earlier(thread::Thread),
}

pub(crate) fn insert(at: &Deadline, due: Due) -> (Key, Alarm) {
    let mut timer = TIMER.lock();
    let key = Key(at.instant(), timer.next);
    timer.next += 1;
    timer.entries.insert(key, due);
    if !timer.running {
        timer.running = true;
        return (key, Alarm::Start);
    }
    let sleeps_too_long = timer.parked.is_some_and(|parked| key.0 < parked.until);
    (key, if sleeps_too_long { timer.rouse() } else { Alarm::Set })
}

/// `None` if its time has come already.
pub(crate) fn remove(key: &Key) -> Option<Due> {
    let mut timer = TIMER.lock();
    let due = timer.entries.remove(key);
    // Else the thread would be there until the time of an entry that is not.
    let alarm = match timer.parked {
        Some(Parked { idle: false, .. }) if timer.entries.is_empty() => timer.rouse(),
        _ => Alarm::Set,
    };
    drop(timer);
    // Never a start, so it cannot fail.
    drop(alarm.ring());
    due
}

/// Whether there is an entry, which then wakes whom `waker` wakes.
pub(crate) fn rearm(key: &Key, waker: &Waker) -> bool {
    {
        let timer = TIMER.lock();
        match timer.entries.get(key) {
            Some(Due::Wake(kept)) if kept.will_wake(waker) => return true,
            Some(_) => {}
            None => return false,
        }
    }
    // Cloning and dropping wakers is user code: what is not needed goes after the lock.
    let mut other = Due::Wake(waker.clone());
    let mut timer = TIMER.lock();
    let place = timer.entries.get_mut(key);
    let found = place.is_some();
    if let Some(due) = place {
        std::mem::swap(due, &mut other);
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
    /// # Errors
    ///
    /// That the thread could not be started. The next entry tries again.
    pub(crate) fn ring(self) -> io::Result<()> {
        match self {
            Self::Set => Ok(()),
            Self::Earlier(thread) => {
                thread.unpark();
                Ok(())
            }
            Self::Start => {
                let builder = thread::Builder::new().name("lockgate-timer".into());
                let started = builder.spawn(run).map(drop);
                if started.is_err() {
                    TIMER.lock().running = false;
                }
                started
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
            for due in due.drain(..) {
                due.serve();
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

impl Due {
    /// A panic of a waker or a callback has nobody to go on to, and must not end the thread. Nor
    /// must one of what it panicked with, when that is dropped.
    fn serve(self) {
        let call = || match self {
            Self::Cancel(node) => node.expire(),
            Self::Wake(waker) => waker.wake(),
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(call)) {
            std::mem::forget(payload);
        }
    }
}

/// Whether the thread is there, whether it sleeps, and the number of entries, for tests.
#[cfg(test)]
pub(crate) fn state() -> (bool, bool, usize) {
    let timer = TIMER.lock();
    (timer.running, timer.parked.is_some(), timer.entries.len())
}
