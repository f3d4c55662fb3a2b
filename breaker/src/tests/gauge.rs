//! What a policy makes of the counts.

use crate::policy::{Policy, Window};
use crate::state::Generation;
use crate::window::Call;
use std::time::Duration;

const FAILED: Call = Call { failed: true, slow: false };
const SLOW: Call = Call { failed: false, slow: true };
const WELL: Call = Call { failed: false, slow: false };

/// Which of the calls, one in each nanosecond, are one too many.
fn opens(policy: &Policy, calls: &[Call]) -> Vec<bool> {
    let gauge = policy.gauge().unwrap();
    (0..).zip(calls).map(|(now, call)| gauge.record(Generation(0), *call, now)).collect()
}

#[test]
fn failures_in_a_row() {
    let calls = [FAILED, FAILED, WELL, FAILED, SLOW, FAILED, FAILED, FAILED];
    let opened = opens(&Policy::consecutive_failures(3), &calls);
    assert_eq!(opened, [false, false, false, false, false, false, false, true]);
}

/// recloser PR 10: the call that completes the minimum may be a success.
#[test]
fn a_success_may_be_the_one_that_was_missing() {
    for window in [Window::count(4), Window::time(Duration::from_secs(1), 10)] {
        let policy = Policy::failure_rate(0.5).min_calls(4).window(window);
        let opened = opens(&policy, &[FAILED, WELL, FAILED, WELL, WELL]);
        assert_eq!(opened[..4], [false, false, false, true]);
    }
}

#[test]
fn failures_of_the_last_calls() {
    let calls = [FAILED, WELL, WELL, WELL, FAILED, WELL, FAILED];
    let opened = opens(&Policy::failures_of(2, 3), &calls);
    assert_eq!(opened, [false, false, false, false, false, false, true]);
}

#[test]
fn slow_calls_count_whether_they_fail_or_not() {
    let policy = Policy::slow_call_rate(0.5, Duration::from_secs(1)).min_calls(2);
    let slow_failure = Call { failed: true, slow: true };
    assert_eq!(opens(&policy, &[WELL, SLOW]), [false, true]);
    assert_eq!(opens(&policy, &[WELL, slow_failure]), [false, true]);
    assert_eq!(opens(&policy, &[WELL, FAILED]), [false, false]);
}

#[test]
fn any_and_all() {
    let streak = || Policy::consecutive_failures(2);
    let rate = || Policy::failure_rate(0.6).min_calls(4).window(Window::count(10));
    let calls = [FAILED, FAILED, WELL, FAILED, FAILED];
    assert_eq!(opens(&Policy::any([streak(), rate()]), &calls), [false, true, false, true, true]);
    assert_eq!(opens(&Policy::all([streak(), rate()]), &calls), [false, false, false, false, true]);
}

#[test]
fn the_users_own() {
    let policy = Policy::custom(Window::count(5), |counts| counts.failures * 2 > counts.calls + 1);
    assert_eq!(opens(&policy, &[FAILED, WELL, FAILED, FAILED]), [false, false, false, true]);
}

/// Also in a drop that unwinds, where a second panic would abort.
#[test]
fn the_users_own_may_panic() {
    let policy = Policy::custom(Window::count(5), |_| panic!("a judge"));
    assert_eq!(opens(&policy, &[FAILED]), [false]);
    let either = Policy::any([policy, Policy::consecutive_failures(1)]);
    assert_eq!(opens(&either, &[FAILED]), [true]);
}
