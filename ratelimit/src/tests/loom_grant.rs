//! Grants at once: two that meet, one that is late, and one that is given back.

use super::support::{core, take};
use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::primitives::{Arc, Explore, explore, thread};

/// Three ask for one each, and two are there: exactly two get one.
#[test]
fn attempts_get_what_is_there() {
    explore(Explore::All, || {
        let core = Arc::new(core(10, 2, 0));
        let others = [(); 2].map(|()| {
            let core = Arc::clone(&core);
            thread::spawn(move || u32::from(take(&core, 1, 0)))
        });
        let mine = u32::from(take(&core, 1, 0));
        let all: u32 = mine + others.map(|it| it.join().unwrap()).iter().sum::<u32>();
        assert_eq!((all, core.try_up_to(9, 0)), (2, 0));
    });
}

/// One takes all that there is while another takes one: nothing twice, and nothing lost.
#[test]
fn all_meets_one() {
    explore(Explore::All, || {
        let core = Arc::new(core(10, 3, 0));
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.try_up_to(3, 0))
        };
        let mine = u32::from(take(&core, 1, 0));
        assert_eq!(mine + other.join().unwrap() + core.try_up_to(9, 0), 3);
    });
}

/// One has read the clock and is late; meanwhile the clock goes on and another takes by it. What was
/// supplied in between is not supplied once more (go#71360, go#65508).
#[test]
fn late_reader_meets_a_fast_one() {
    explore(Explore::All, || {
        let core = Arc::new(core(10, 2, 0));
        assert!(take(&core, 2, 0));
        let clock = Arc::new(AtomicU64::new(10));
        let late = {
            let (core, clock) = (Arc::clone(&core), Arc::clone(&clock));
            thread::spawn(move || {
                // ORDERING: Relaxed: a clock publishes nothing.
                let now = clock.load(Ordering::Relaxed);
                u32::from(take(&core, 1, now)) + u32::from(take(&core, 1, now))
            })
        };
        // ORDERING: Relaxed, as above.
        clock.store(20, Ordering::Relaxed);
        let fast = u32::from(take(&core, 1, 20));
        assert_eq!(fast + late.join().unwrap() + core.try_up_to(9, 20), 2);
    });
}

/// Of two limiters the second refuses, and what the first gave is given back while another takes
/// from it: it is there again, once.
#[test]
fn what_one_of_two_limiters_gave_is_given_back() {
    explore(Explore::All, || {
        let (first, second) = (Arc::new(core(10, 2, 0)), core(10, 1, 0));
        assert!(take(&second, 1, 0));
        let other = {
            let first = Arc::clone(&first);
            thread::spawn(move || u32::from(take(&first, 1, 0)))
        };
        if let Ok(promise) = first.try_acquire_slow(2, || 0) {
            assert!(second.try_acquire_slow(1, || 0).is_err());
            assert_eq!(first.cancel(promise, 0), 2);
        }
        assert_eq!(other.join().unwrap() + first.try_up_to(9, 0), 2);
    });
}

/// A refusal while the other one's word moves: it writes nothing, so whoever exchanges is held up by
/// none of them, and all that is taken is what the other took.
#[test]
fn refusals_leave_the_word_alone() {
    explore(Explore::All, || {
        let core = Arc::new(core(10, 2, 0));
        let full = core.bits();
        assert!(take(&core, 1, 0));
        let (before, token) = (core.bits(), core.bits() - full);
        let refused = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                assert!(!take(&core, 2, 9));
                assert!(core.peek(2, || 9).is_err());
                assert!(core.reserve(2, Some(9), 9).is_err());
            })
        };
        assert!(take(&core, 1, 9));
        refused.join().unwrap();
        assert_eq!(core.bits(), before + token);
        assert_eq!(core.reserve(1, None, 9).unwrap().at, Some(10));
    });
}
