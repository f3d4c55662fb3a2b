//! Half open: exactly as many probes as were asked for, and one verdict.

use super::support::{LEASE, Log, OPEN, admit, open, settle};
use crate::outcome::{Outcome, Recorded};
use crate::primitives::{Explore, explore, thread};
use crate::state::State;
use std::sync::Arc;

/// Three come when the open time is over.
fn so_many_of_three(probes: u16, explored: Explore) {
    explore(explored, move || {
        let core = open(probes, probes);
        let log = Log::of(&core);
        let others = [0; 2].map(|_| {
            let core = Arc::clone(&core);
            thread::spawn(move || admit(&core, OPEN).is_ok())
        });
        let mine = admit(&core, OPEN).is_ok();
        let admitted = others.map(|it| it.join().unwrap()).into_iter().chain([mine]);
        assert_eq!(admitted.filter(|it| *it).count(), usize::from(probes));
        assert_eq!(core.word().admitted(), probes);
        assert_eq!(log.path(), [State::HalfOpen]);
    });
}

#[test]
fn one_probe_of_three() {
    so_many_of_three(1, Explore::Preemptions(3));
}

#[test]
fn two_probes_of_three() {
    so_many_of_three(2, Explore::Preemptions(3));
}

/// A probe gives its place back while two others come for it: one gets it.
#[test]
fn cancel_meets_two_admissions() {
    explore(Explore::Preemptions(3), || {
        let core = open(1, 1);
        let probe = admit(&core, OPEN).unwrap();
        let others = [0; 2].map(|_| {
            let core = Arc::clone(&core);
            thread::spawn(move || admit(&core, OPEN).is_ok())
        });
        assert_eq!(settle(&core, probe, Outcome::Ignore, OPEN), Recorded::Ignored);
        let admitted = others.map(|it| it.join().unwrap()).into_iter().filter(|it| *it).count();
        assert!(admitted <= 1);
        assert_eq!(usize::from(core.word().admitted()), admitted);
        assert_eq!(admit(&core, OPEN).is_ok(), admitted == 0);
    });
}

/// One of two probes succeeds and the other fails, and either would do: one of them decides.
#[test]
fn success_meets_failure() {
    explore(Explore::All, || {
        let core = open(2, 1);
        let log = Log::of(&core);
        let probes = [admit(&core, OPEN).unwrap(), admit(&core, OPEN).unwrap()];
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || settle(&core, probes[1], Outcome::Failure, OPEN))
        };
        let mine = settle(&core, probes[0], Outcome::Success, OPEN);
        let other = other.join().unwrap();
        // One success is enough, whenever it comes.
        assert_eq!(mine, Recorded::Closed);
        assert!(matches!(other, Recorded::Counted | Recorded::Stale));
        assert_eq!(log.path(), [State::HalfOpen, State::Closed]);
    });
}

/// Two probes that both have to succeed: one fails, and the verdict is one.
#[test]
fn verdict_meets_verdict() {
    explore(Explore::All, || {
        let core = open(2, 2);
        let log = Log::of(&core);
        let probes = [admit(&core, OPEN).unwrap(), admit(&core, OPEN).unwrap()];
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || settle(&core, probes[1], Outcome::Failure, OPEN))
        };
        let told = [settle(&core, probes[0], Outcome::Failure, OPEN), other.join().unwrap()];
        assert_eq!(told.iter().filter(|it| **it == Recorded::Opened).count(), 1, "{told:?}");
        assert_eq!(log.path(), [State::HalfOpen, State::Open]);
    });
}

/// The lease is over while the probe comes back: it decides, or another has taken its place and it
/// changes nothing.
#[test]
fn lease_meets_the_probe() {
    explore(Explore::All, || {
        let core = open(1, 1);
        let probe = admit(&core, OPEN).unwrap();
        let over = OPEN + LEASE;
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || admit(&core, over))
        };
        let told = settle(&core, probe, Outcome::Success, over);
        let other = other.join().unwrap().unwrap();
        match told {
            Recorded::Closed => assert_eq!(core.word().state(), State::Closed),
            Recorded::Stale => {
                assert_eq!(settle(&core, other, Outcome::Success, over), Recorded::Closed);
            }
            // It succeeded, and the lease was faster than its verdict.
            Recorded::Counted => {
                let word = core.word();
                assert_eq!((word.state(), word.succeeded()), (State::HalfOpen, 0));
            }
            told => panic!("{told:?}"),
        }
    });
}

/// A second probe goes through when the lease of the first is over, while a third finds no place: the
/// lease is the second's by then.
#[test]
fn late_probe_meets_the_lease() {
    explore(Explore::All, || {
        let core = open(2, 2);
        let _first = admit(&core, OPEN).unwrap();
        let over = OPEN + LEASE;
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || admit(&core, over).is_ok())
        };
        let mine = admit(&core, over).is_ok();
        assert!(mine ^ other.join().unwrap(), "one place was left");
        assert_eq!((core.word().state(), core.word().admitted()), (State::HalfOpen, 2));
    });
}

/// A probe's holder panics while somebody else asks for its place: it has failed, and its place goes to nobody.
// LOOM: that the thread panics is said, not done: who is panicking is counted by the operating system's thread,
// and all threads of a model are one.
#[test]
fn unwinding_probe_meets_an_admission() {
    explore(Explore::All, || {
        let core = open(1, 1);
        let probe = admit(&core, OPEN).unwrap();
        let unwinds = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.dropped(probe, true, || OPEN))
        };
        assert!(admit(&core, OPEN).is_err(), "its place is not free");
        assert_eq!(unwinds.join().unwrap(), Recorded::Opened);
        assert_eq!(core.word().state(), State::Open);
    });
}
