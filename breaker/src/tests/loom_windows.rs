//! The windows: nothing lost, nothing filed where it does not belong.

use crate::policy::{Policy, Window};
use crate::primitives::{Explore, explore, thread};
use crate::state::Generation;
use crate::window::{Call, CountWindow, Counts, TimeWindow};
use std::sync::Arc;

const FAILED: Call = Call { failed: true, slow: false };
const WELL: Call = Call { failed: false, slow: false };

fn counts(calls: u64, failures: u64) -> Counts {
    Counts { calls, failures, slow: 0 }
}

/// Ten nanoseconds in each of two buckets.
fn time() -> Arc<TimeWindow> {
    Arc::new(TimeWindow::new(20, 2))
}

/// Three calls end in one bucket.
#[test]
fn calls_in_one_bucket() {
    explore(Explore::Preemptions(3), || {
        let window = time();
        let others = [FAILED, WELL].map(|call| {
            let window = Arc::clone(&window);
            thread::spawn(move || window.record(Generation(0), call, 5))
        });
        window.record(Generation(0), FAILED, 5);
        others.into_iter().for_each(|it| it.join().unwrap());
        assert_eq!(window.counts(Generation(0), 5), counts(3, 2));
    });
}

/// A call that is late meets one that takes its bucket over: the later one counts.
#[test]
fn late_call_meets_the_next_round() {
    explore(Explore::All, || {
        let window = time();
        let late = {
            let window = Arc::clone(&window);
            thread::spawn(move || window.record(Generation(0), FAILED, 5))
        };
        window.record(Generation(0), FAILED, 15);
        window.record(Generation(0), WELL, 25);
        late.join().unwrap();
        let is = window.counts(Generation(0), 25);
        assert_eq!(is, counts(2, 1));
    });
}

/// A call of an older generation finds no bucket to go to, and the first of a newer one empties
/// what it finds.
#[test]
fn generation_meets_the_one_before() {
    explore(Explore::All, || {
        let window = time();
        window.record(Generation(0), FAILED, 5);
        let older = {
            let window = Arc::clone(&window);
            thread::spawn(move || window.record(Generation(0), FAILED, 6))
        };
        window.record(Generation(1), WELL, 6);
        older.join().unwrap();
        assert_eq!(window.counts(Generation(1), 6), counts(1, 0));
    });
}

/// Two calls write their bits into one word: as many are counted as are set.
#[test]
fn calls_in_one_word() {
    explore(Explore::Preemptions(3), || {
        let window = Arc::new(CountWindow::new(2, false));
        window.record(Generation(0), FAILED);
        let other = {
            let window = Arc::clone(&window);
            thread::spawn(move || window.record(Generation(0), FAILED))
        };
        window.record(Generation(0), WELL);
        other.join().unwrap();
        // The one that came third has overwritten the first.
        assert_eq!(window.counts(Generation(0)), counts(2, 1));
        window.record(Generation(0), WELL);
        window.record(Generation(0), WELL);
        assert_eq!(window.counts(Generation(0)), counts(2, 0));
    });
}

/// The same across generations.
#[test]
fn count_meets_the_next_generation() {
    explore(Explore::Preemptions(3), || {
        let window = Arc::new(CountWindow::new(4, false));
        window.record(Generation(0), FAILED);
        let older = {
            let window = Arc::clone(&window);
            thread::spawn(move || window.record(Generation(0), FAILED))
        };
        window.record(Generation(1), FAILED);
        window.record(Generation(1), WELL);
        older.join().unwrap();
        assert_eq!(window.counts(Generation(1)), counts(2, 1));
    });
}

/// Somebody judges while others' calls are counted: the failure that he sees is one of three calls.
#[test]
fn judge_meets_calls() {
    explore(Explore::All, || {
        let window = Arc::new(CountWindow::new(4, false));
        let calls = {
            let window = Arc::clone(&window);
            thread::spawn(move || {
                for call in [WELL, WELL, FAILED] {
                    window.record(Generation(0), call);
                }
            })
        };
        let is = window.counts(Generation(0));
        assert!(is.failures == 0 || is.calls == 3, "{is:?}");
        calls.join().unwrap();
    });
}

/// The same for a bucket.
#[test]
fn judge_meets_calls_in_a_bucket() {
    explore(Explore::All, || {
        let window = time();
        let calls = {
            let window = Arc::clone(&window);
            thread::spawn(move || {
                for call in [WELL, WELL, FAILED] {
                    window.record(Generation(0), call, 5);
                }
            })
        };
        let is = window.counts(Generation(0), 5);
        assert!(is.failures == 0 || is.calls == 3, "{is:?}");
        calls.join().unwrap();
    });
}

/// A success finds that there are too few failures and is about to say so, while a failure finds that there are too
/// few calls: the success that is the missing call opens.
#[test]
fn change_of_mind_meets_a_failure() {
    explore(Explore::Preemptions(3), || {
        let policy = Policy::failure_rate(0.4).min_calls(5).window(Window::count(8));
        let gauge = Arc::new(policy.gauge().unwrap());
        assert!(!gauge.record(Generation(0), FAILED, 0));
        assert!(!gauge.record(Generation(0), WELL, 0));
        let failure = {
            let gauge = Arc::clone(&gauge);
            thread::spawn(move || gauge.record(Generation(0), FAILED, 0))
        };
        gauge.record(Generation(0), WELL, 0);
        failure.join().unwrap();
        assert!(gauge.record(Generation(0), WELL, 0), "two of five");
    });
}

/// The same, but the success is of before a transition.
#[test]
fn change_of_mind_of_before_meets_a_failure() {
    explore(Explore::Preemptions(3), || {
        let policy = Policy::failure_rate(0.5).min_calls(2).window(Window::count(8));
        let gauge = Arc::new(policy.gauge().unwrap());
        assert!(!gauge.record(Generation(0), FAILED, 0));
        let before = {
            let gauge = Arc::clone(&gauge);
            thread::spawn(move || gauge.record(Generation(0), WELL, 0))
        };
        assert!(!gauge.record(Generation(1), FAILED, 0));
        before.join().unwrap();
        assert!(gauge.record(Generation(1), WELL, 0), "one of two");
    });
}

/// A ring of nothing but successes: a success that would be left out meets a failure, which is seen, and is
/// gone after as many successes as the ring is long.
#[test]
fn success_that_changes_nothing_meets_a_failure() {
    explore(Explore::All, || {
        let window = Arc::new(CountWindow::new(2, false));
        window.record(Generation(0), WELL);
        window.record(Generation(0), WELL);
        let other = {
            let window = Arc::clone(&window);
            thread::spawn(move || window.record(Generation(0), FAILED))
        };
        window.record(Generation(0), WELL);
        other.join().unwrap();
        assert_eq!(window.counts(Generation(0)), counts(2, 1));
        window.record(Generation(0), WELL);
        window.record(Generation(0), WELL);
        assert_eq!(window.counts(Generation(0)), counts(2, 0));
    });
}

/// A ring that was full before a transition is not full after it, whoever writes to it meanwhile.
#[test]
fn full_ring_of_before_meets_a_success() {
    explore(Explore::All, || {
        let window = Arc::new(CountWindow::new(2, false));
        window.record(Generation(0), WELL);
        window.record(Generation(0), WELL);
        let older = {
            let window = Arc::clone(&window);
            thread::spawn(move || window.record(Generation(0), FAILED))
        };
        window.record(Generation(1), WELL);
        assert_eq!(window.counts(Generation(1)), counts(1, 0));
        window.record(Generation(1), FAILED);
        older.join().unwrap();
        assert_eq!(window.counts(Generation(1)), counts(2, 1));
    });
}
