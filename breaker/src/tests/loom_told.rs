//! Listeners: in the order of the transitions, one at a time, and outside the lock.

use super::support::{Log, touchy};
use crate::primitives::atomic::{Ordering, Witness};
use crate::primitives::{Explore, explore, thread};
use crate::state::State;
use std::sync::Arc;

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
