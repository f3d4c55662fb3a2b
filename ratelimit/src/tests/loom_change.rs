//! The configuration changes while it is used.

use super::support::{assert_envelope, core, reserve, take};
use crate::core::Core;
use crate::primitives::{Arc, Explore, explore, thread};
use crate::quota::{Quota, Rate};
use crate::state::{Change, Inherit};
use std::time::Duration;

fn set_rate(core: &Core, rate: Rate, now: u64) {
    core.reconfigure(|quota| Quota { rate, ..quota }, Inherit::AsIs, now);
}

fn set_burst(core: &Core, burst: u32, now: u64) {
    core.reconfigure(|quota| Quota { burst, ..quota }, Inherit::AsIs, now);
}

/// The rate changes twice, so that the slot that a request reads is written meanwhile: the beginning
/// of the old line and the slope of the new one would be tokens out of nothing. It is refused, and is
/// told a moment that one of the configurations has.
#[test]
fn set_rate_meets_a_try() {
    // All of it takes two minutes, and the bugs that it is there for show up with one preemption.
    explore(Explore::Preemptions(3), || {
        let core = Arc::new(core(1_000, 1, 0));
        assert!(take(&core, 1, 0));
        let changer = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                set_rate(&core, Rate::every(Duration::from_nanos(500)), 600);
                set_rate(&core, Rate::per(1, Duration::from_nanos(10)), 600);
            })
        };
        let denied = core.try_acquire(1, || 600).unwrap_err();
        // 0.6 are there: the rest takes 400, 200 or 4, and what a change rounds off, 1 or 2.
        let wait = denied.retry_after().unwrap().as_nanos();
        assert!(wait == 400 || (200..=202).contains(&wait) || (4..=6).contains(&wait), "{wait}");
        changer.join().unwrap();
    });
}

/// The same for what may be granted: a request takes what is there once, by whichever line.
#[test]
fn change_meets_a_grant() {
    explore(Explore::All, || {
        let core = Arc::new(core(10, 2, 0));
        let changer = {
            let core = Arc::clone(&core);
            thread::spawn(move || set_rate(&core, Rate::every(Duration::from_nanos(70)), 0))
        };
        let mine = u32::from(take(&core, 1, 0));
        changer.join().unwrap();
        assert_eq!(mine + core.try_up_to(9, 0), 2);
    });
}

/// The burst shrinks while tokens are put back and taken: what is in the bucket fits in it, and
/// nothing is there twice.
#[test]
fn set_burst_meets_refund() {
    explore(Explore::Preemptions(3), || {
        let core = Arc::new(core(10, 4, 0));
        assert!(take(&core, 3, 0));
        let shrinker = {
            let core = Arc::clone(&core);
            thread::spawn(move || set_burst(&core, 1, 0))
        };
        let taker = {
            let core = Arc::clone(&core);
            thread::spawn(move || u32::from(take(&core, 1, 0)))
        };
        core.refund(1, 0);
        shrinker.join().unwrap();
        let taken = taker.join().unwrap();
        let left = core.try_up_to(9, 0);
        assert!(left <= 1 && taken + left <= 2 && taken + left >= 1, "{taken} {left}");
    });
}

/// A reservation is made, and cancelled, while the rate changes: the mark is in the units of the
/// word, the tokens come back, and who is promised them next waits no longer than before.
#[test]
fn change_meets_reserve_and_cancel() {
    explore(Explore::All, || {
        let core = Arc::new(core(10, 2, 0));
        assert!(take(&core, 2, 0));
        let changer = {
            let core = Arc::clone(&core);
            thread::spawn(move || set_rate(&core, Rate::every(Duration::from_nanos(20)), 0))
        };
        let promise = reserve(&core, 2, 0);
        assert_eq!(core.cancel(promise, 0), 2);
        changer.join().unwrap();
        assert_eq!(reserve(&core, 1, 0).at, Some(20));
    });
}

/// The line is longer by one while it is converted to other units: the mark is not below him.
#[test]
fn change_meets_a_reservation_and_a_cancel() {
    explore(Explore::Preemptions(3), || {
        let core = Arc::new(core(10, 5, 0));
        assert!(take(&core, 5, 0));
        let first = reserve(&core, 5, 0);
        let changer = {
            let core = Arc::clone(&core);
            thread::spawn(move || set_rate(&core, Rate::every(Duration::from_nanos(10)), 0))
        };
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || (reserve(&core, 2, 0).at.unwrap(), 2))
        };
        core.cancel(first, 0);
        changer.join().unwrap();
        let mut stand = vec![(0, 5), other.join().unwrap()];
        while stand.last().unwrap().0 < 150 {
            stand.push((reserve(&core, 3, 0).at.unwrap(), 3));
        }
        assert_envelope(&mut stand, 10, 5);
    });
}

/// Two find the pause over at the same time: both may renew the line, and the token is there once.
#[test]
fn end_of_a_pause_meets_itself() {
    explore(Explore::All, || {
        let core = Arc::new(core(10, 1, 0));
        core.change(Change::Pause { until: 5 }, 0);
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || u32::from(take(&core, 1, 5)))
        };
        let mine = u32::from(take(&core, 1, 5));
        assert_eq!(mine + other.join().unwrap(), 1);
    });
}

/// No limit, but only from the change on: what is granted before it is counted.
#[test]
fn end_of_the_limit_meets_a_try() {
    explore(Explore::Preemptions(3), || {
        let core = Arc::new(core(10, 1, 0));
        assert!(take(&core, 1, 0));
        let changer = {
            let core = Arc::clone(&core);
            thread::spawn(move || {
                set_burst(&core, 1, 0);
                set_rate(&core, Rate::INF, 0);
            })
        };
        let granted = core.try_acquire_slow(1, || 0).is_ok();
        assert!(!granted || core.quota().rate.is_infinite());
        changer.join().unwrap();
    });
}
