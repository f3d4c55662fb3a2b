//! Promises: made, cancelled and due at the same time.

use super::support::{assert_envelope, core, reserve, take};
use crate::core::Core;
use crate::primitives::atomic::{AtomicU64, Ordering};
use crate::primitives::{Arc, Explore, explore, thread};

const PERIOD: u64 = 10;
const BURST: u32 = 5;

/// An empty bucket with a line of promises, which are not granted at once.
fn empty() -> Arc<Core> {
    let core = Arc::new(core(PERIOD, BURST, 0));
    assert!(take(&core, BURST, 0));
    core
}

/// Promises all that there is up to some moment, in equal pieces; every promise that stands counts.
fn fill(core: &Core, stand: &mut Vec<(u64, u32)>, n: u32) {
    loop {
        let at = reserve(core, n, 0).at.unwrap();
        stand.push((at, n));
        if at > 25 * PERIOD {
            break;
        }
    }
    assert_envelope(stand, PERIOD, BURST);
}

/// A promise is cancelled while another is made: that one is behind it, and then nothing comes back,
/// or it is not yet, and then it takes what came back.
#[test]
fn cancel_meets_a_reservation() {
    explore(Explore::All, || {
        let core = empty();
        let first = reserve(&core, 5, 0);
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || reserve(&core, 5, 0).at.unwrap())
        };
        let back = core.cancel(first, 0);
        let at = other.join().unwrap();
        assert!([(50, 5), (100, 0)].contains(&(at, back)), "{back} back, and one at {at}");
        fill(&core, &mut vec![(0, BURST), (at, 5)], 3);
    });
}

/// Reserve, cancel, cancel, reserve: the last two of the line are cancelled at the same time, in
/// either order, with one before them who stays.
#[test]
fn cancel_meets_cancel() {
    explore(Explore::All, || {
        let core = empty();
        let stays = reserve(&core, 4, 0);
        let [middle, last] = [3, 2].map(|n| reserve(&core, n, 0));
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.cancel(middle, 0))
        };
        let back = core.cancel(last, 0) + other.join().unwrap();
        assert!(back == 5 || back == 3, "{back}");
        let mut stand = vec![(0, BURST), (stays.at.unwrap(), 4)];
        fill(&core, &mut stand, 3);
    });
}

/// A promise that ends where another does is cancelled while that one's forerunner is: the mark of
/// the one who stays is not taken from over him, and no more comes back than may.
#[test]
fn cancel_below_the_mark_meets_cancel() {
    explore(Explore::All, || {
        let core = empty();
        let [first, second] = [5, 5].map(|n| reserve(&core, n, 0));
        let stays = reserve(&core, 1, 0);
        assert_eq!(core.cancel(second, 0), 4);
        let again = reserve(&core, 4, 0);
        assert_eq!(again.at, stays.at);
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.cancel(again, 0))
        };
        core.cancel(first, 0);
        other.join().unwrap();
        let mut stand = vec![(0, BURST), (stays.at.unwrap(), 1)];
        fill(&core, &mut stand, 3);
    });
}

/// Cancelling the last one is under way when the one before it is cancelled and another is promised as
/// far as it was: who stands in front gives back no more than may be.
#[test]
fn cancel_meets_a_reservation_of_the_same_height() {
    explore(Explore::Preemptions(3), || {
        let core = empty();
        let [front, middle, last] = [4, 2, 2].map(|n| reserve(&core, n, 0));
        let canceller = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.cancel(last, 0))
        };
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || (reserve(&core, 2, 0).at.unwrap(), 2))
        };
        core.cancel(middle, 0);
        canceller.join().unwrap();
        let mut stand = vec![(0, BURST), other.join().unwrap()];
        core.cancel(front, 0);
        fill(&core, &mut stand, 4);
    });
}

/// One is promised who has seen the word, while another is promised as much and cancelled, so that the
/// word is again what it was: he stands where he was told, and the one in front gives back nothing
/// from over his head.
#[test]
fn reservation_meets_one_that_is_cancelled() {
    explore(Explore::All, || {
        let core = empty();
        let front = reserve(&core, 5, 0);
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || (reserve(&core, 5, 0).at.unwrap(), 5))
        };
        let last = reserve(&core, 5, 0);
        core.cancel(last, 0);
        let mut stand = vec![(0, BURST), other.join().unwrap()];
        core.cancel(front, 0);
        fill(&core, &mut stand, 5);
    });
}

/// A cancel has looked and is late. Meanwhile the one behind it leaves, more are promised, and one of
/// those leaves from the middle: the word is what it was, and the line is longer than it looked. The
/// late one gives back nothing from over the head of who stays at its end.
#[test]
fn cancel_meets_a_word_that_comes_back() {
    explore(Explore::Preemptions(2), || {
        let core = empty();
        let [late, behind] = [5, 2].map(|n| reserve(&core, n, 0));
        let canceller = {
            let core = Arc::clone(&core);
            thread::spawn(move || core.cancel(late, 0))
        };
        core.cancel(behind, 0);
        let [leaves, stays] = [5, 1].map(|n| reserve(&core, n, 0));
        core.cancel(leaves, 0);
        canceller.join().unwrap();
        let mut stand = vec![(0, BURST), (stays.at.unwrap(), 1)];
        fill(&core, &mut stand, 5);
    });
}

/// Two are promised at the same time: one after the other, not at the same moment.
#[test]
fn reservation_meets_reservation() {
    explore(Explore::All, || {
        let core = empty();
        let other = {
            let core = Arc::clone(&core);
            thread::spawn(move || reserve(&core, 1, 0).at.unwrap())
        };
        let mut at = [reserve(&core, 1, 0).at.unwrap(), other.join().unwrap()];
        at.sort_unstable();
        assert_eq!(at, [PERIOD, 2 * PERIOD]);
    });
}

/// A promise is cancelled while its moment comes and passes: it is used or given back, never both
/// and never neither.
#[test]
fn cancel_meets_the_moment() {
    explore(Explore::All, || {
        // A unit is an eighth of a token: nothing is rounded.
        const MOMENT: u64 = 8;
        let core = Arc::new(core(MOMENT, 1, 0));
        assert!(take(&core, 1, 0));
        let promise = reserve(&core, 1, 0);
        let clock = Arc::new(AtomicU64::new(MOMENT));
        let other = {
            let (core, clock) = (Arc::clone(&core), Arc::clone(&clock));
            thread::spawn(move || {
                // ORDERING: Relaxed: a clock publishes nothing.
                clock.store(MOMENT + 1, Ordering::Relaxed);
                u32::from(take(&core, 1, MOMENT + 1))
            })
        };
        // ORDERING: Relaxed, as above.
        let back = core.cancel(promise, clock.load(Ordering::Relaxed));
        let taken = other.join().unwrap() + core.try_up_to(9, MOMENT + 1);
        assert_eq!(taken, back);
    });
}
