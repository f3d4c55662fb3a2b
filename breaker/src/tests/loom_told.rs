//! Listeners: in the order of the transitions, one at a time, and outside the lock.

use super::support::{Log, touchy};
use crate::core::Core;
use crate::error::RecvError;
use crate::primitives::atomic::{Ordering, Witness};
use crate::primitives::{Explore, explore, thread};
use crate::state::State;
use crate::subscription::{Subscription, ring};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Wake, Waker};

/// Two threads make transitions: one log, without a gap, and no listener inside another.
#[test]
fn transition_meets_transition() {
    explore(Explore::Preemptions(3), || {
        let core = touchy(1, 1);
        let log = Log::of(&core);
        let (inside, overlaps) = (Arc::new(Witness::new(0)), Arc::new(Witness::new(0)));
        let (entered, together) = (Arc::clone(&inside), Arc::clone(&overlaps));
        // It must not assert: its panic would end with it.
        let listener = move |_: &_| {
            // ORDERING: Relaxed: only their own values are asked for.
            together.fetch_add(entered.fetch_add(1, Ordering::Relaxed), Ordering::Relaxed);
            thread::yield_now();
            entered.fetch_sub(1, Ordering::Relaxed);
        };
        core.hub.listen(Arc::new(listener)).forever();
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.by_hand(State::Disabled, 0, None))
        };
        core.by_hand(State::ForcedOpen, 0, None);
        other.join().unwrap();
        let path = log.path();
        assert_eq!(path.len(), 2, "all are told when both are back");
        assert_eq!(path.last(), Some(&core.word().state()));
        // ORDERING: Relaxed: the other thread has been joined.
        assert_eq!(overlaps.load(Ordering::Relaxed), 0, "one at a time");
    });
}

/// A listener that makes a transition of its own: told after the one that it was told of.
#[test]
fn listener_that_changes_the_state() {
    explore(Explore::Preemptions(3), || {
        let core = touchy(1, 1);
        let log = Log::of(&core);
        let inner = Arc::clone(&core);
        let callback = move |it: &crate::Transition| {
            if it.to == State::Disabled {
                inner.by_hand(State::Closed, 0, None);
            }
        };
        let listener = core.hub.listen(Arc::new(callback));
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.by_hand(State::MetricsOnly, 0, None))
        };
        core.by_hand(State::Disabled, 0, None);
        other.join().unwrap();
        assert_eq!(log.path().len(), 3);
        // It holds the circuit, which holds it.
        drop(listener);
    });
}

fn subscribe(core: &Core, room: usize) -> Subscription {
    let (feed, ring) = ring(room);
    let listener = core.hub.listen(Arc::new(move |it: &_| feed.push(it)));
    Subscription::new(ring, listener)
}

/// A transition is published between a reader's look and his registration: he is woken, or has seen it. Where he is
/// not, he sleeps for ever, and the model says so.
#[test]
fn transition_meets_a_reader() {
    explore(Explore::All, || {
        let core = touchy(1, 1);
        let mut transitions = subscribe(&core, 2);
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                core.by_hand(State::ForcedOpen, 0, None);
                core.by_hand(State::Closed, 0, None);
            })
        };
        let read = [0; 2].map(|_| transitions.next().wait().map(|it| it.to));
        assert_eq!(read, [Ok(State::ForcedOpen), Ok(State::Closed)]);
        other.join().unwrap();
    });
}

/// The breaker goes while somebody waits for its next transition.
#[test]
fn end_meets_a_reader() {
    explore(Explore::All, || {
        let core = touchy(1, 1);
        let mut transitions = subscribe(&core, 1);
        let other = thread::spawn(move || drop(core));
        assert_eq!(transitions.next().wait(), Err(RecvError::Closed));
        other.join().unwrap();
    });
}

/// A reader that is a task gives up, and waits again with another waker while a transition is published: the waker that
/// was registered last is called, or the transition has been seen.
#[test]
fn transition_meets_another_waker() {
    explore(Explore::All, || {
        let core = touchy(1, 1);
        let mut transitions = subscribe(&core, 1);
        let poll = |transitions: &mut Subscription, waker: &Waker| {
            Pin::new(&mut transitions.next()).poll(&mut Context::from_waker(waker))
        };
        assert!(poll(&mut transitions, Waker::noop()).is_pending());
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.by_hand(State::ForcedOpen, 0, None))
        };
        let told = Arc::new(Told(Witness::new(0)));
        let seen = poll(&mut transitions, &Waker::from(Arc::clone(&told)));
        other.join().unwrap();
        // ORDERING: Relaxed: the other thread has been joined.
        let woken = told.0.load(Ordering::Relaxed) == 1;
        assert!(seen.is_ready() ^ woken, "{seen:?}, woken: {woken}");
    });
}

struct Told(Witness);

impl Wake for Told {
    fn wake(self: Arc<Self>) {
        // ORDERING: Relaxed: it is asked for when the thread that wakes has been joined.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
